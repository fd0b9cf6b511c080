//! Numbers, times and addresses as sets of intervals of one number space.
//!
//! Times: between two changes of a clock that some schedule looks at, schedules recur each week, so
//! a week of each such stretch stands for all of it.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use sallyport_ruleset::{Field, FieldType, Test, WeeklySchedule};

use super::value::{FieldValue, Found};

/// Disjoint, ascending, ends included.
type Intervals = Vec<(u128, u128)>;

/// The values of one field.
#[derive(Debug)]
pub(super) struct IntervalSpace {
    kind: Kind,
    universe: Intervals,
    tests: Vec<Intervals>,
    /// Values that people find natural.
    preferred: Vec<u128>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Time,
    Ip,
}

const WEEK: i64 = 7 * 86_400;
/// Noon of Monday, 2026-01-05, UTC.
const SOME_TIME: i64 = 1_767_614_400;
/// Where adding an offset could leave the range of times.
const EDGE: i64 = 2 * 86_400;
/// `::ffff:0:0`, where IPv4 addresses are.
const MAPPED: u128 = 0xffff_0000_0000;

impl IntervalSpace {
    /// `None` for a field of text.
    pub(super) fn new(field: &Field, tests: &[&Test]) -> Option<Self> {
        let (kind, universe, preferred) = match field.field_type() {
            FieldType::Number => {
                let (last, preferred) = numbers(field);
                (Kind::Number, vec![(0, last)], preferred)
            }
            FieldType::Ip => (Kind::Ip, vec![(0, u128::MAX)], addresses(field)),
            FieldType::Time => (Kind::Time, time_universe(tests), vec![time_key(SOME_TIME)]),
            FieldType::String | FieldType::Domain => return None,
        };
        let tests = tests.iter().map(|test| of_test(test, &universe)).collect();
        Some(Self {
            kind,
            universe,
            tests,
            preferred,
        })
    }

    pub(super) fn holds(&self, test: usize, value: &FieldValue) -> bool {
        let key = match value {
            FieldValue::Number(number) => u128::from(*number),
            FieldValue::Time(time) => time_key(*time),
            FieldValue::Ip(address) => address_key(*address),
            _ => return false,
        };
        self.tests.get(test).is_some_and(|test| contains(test, key))
    }

    /// A value that is in all of `positive` and in none of `negative`.
    pub(super) fn find(&self, positive: &[usize], negative: &[usize]) -> Found<FieldValue> {
        let mut left = self.universe.clone();
        for test in positive.iter().filter_map(|test| self.tests.get(*test)) {
            left = intersection(&left, test);
        }
        for test in negative.iter().filter_map(|test| self.tests.get(*test)) {
            left = difference(&left, test);
        }
        let preferred = self.preferred.iter().find(|key| contains(&left, **key));
        let after = left
            .iter()
            .find(|(start, _)| self.preferred.first().is_some_and(|key| start >= key));
        let key = match (preferred, after, left.first()) {
            (Some(key), ..) => *key,
            (None, Some((start, _)), _) | (None, None, Some((start, _))) => *start,
            (None, None, None) => return Found::Empty,
        };
        Found::Value(self.value(key))
    }

    fn value(&self, key: u128) -> FieldValue {
        match self.kind {
            Kind::Number => FieldValue::Number(u64::try_from(key).unwrap_or(u64::MAX)),
            Kind::Time => FieldValue::Time(time_of(key)),
            Kind::Ip => FieldValue::Ip(IpAddr::V6(Ipv6Addr::from_bits(key)).to_canonical()),
        }
    }
}

fn numbers(field: &Field) -> (u128, Vec<u128>) {
    match field {
        Field::HttpContentLength | Field::ResponseContentLength => (u64::MAX.into(), vec![1_000]),
        Field::ResponseStatusCode => (u16::MAX.into(), vec![200, 404, 500]),
        Field::SourcePort => (u16::MAX.into(), vec![40_000]),
        _ => (u16::MAX.into(), vec![443, 80, 8_080]),
    }
}

fn addresses(field: &Field) -> Vec<u128> {
    let texts: [&str; 2] = match field {
        Field::SourceIp => ["10.0.0.1", "192.168.0.1"],
        _ => ["192.0.2.1", "2001:db8::1"],
    };
    let parsed = texts.iter().filter_map(|text| text.parse().ok());
    parsed.map(address_key).collect()
}

fn address_key(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn time_key(time: i64) -> u128 {
    u128::from(time.cast_unsigned() ^ 1 << 63)
}

fn time_of(key: u128) -> i64 {
    (u64::try_from(key).unwrap_or(u64::MAX) ^ 1 << 63).cast_signed()
}

fn of_test(test: &Test, universe: &Intervals) -> Intervals {
    match test {
        Test::Number(ranges) => normal(
            ranges
                .iter()
                .map(|range| (u128::from(*range.start()), u128::from(*range.end())))
                .collect(),
        ),
        Test::Time(ranges) => normal(
            ranges
                .iter()
                .map(|range| (time_key(*range.start()), time_key(*range.end())))
                .collect(),
        ),
        Test::Ip(networks) => normal(networks.iter().flat_map(network).collect()),
        Test::TimeOfDay(schedules) => schedule_times(schedules, universe),
        _ => Vec::new(),
    }
}

/// A network of IPv6 that is shorter than the mapped prefix holds no IPv4 address.
fn network(network: &IpNet) -> Intervals {
    match network {
        IpNet::V4(v4) => {
            let first = v4.network().to_ipv6_mapped().to_bits();
            let last = v4.broadcast().to_ipv6_mapped().to_bits();
            vec![(first, last)]
        }
        IpNet::V6(v6) => {
            let whole = vec![(v6.network().to_bits(), v6.broadcast().to_bits())];
            let is_mapped = v6.network().to_ipv4_mapped().is_some() && v6.prefix_len() >= 96;
            if is_mapped {
                whole
            } else {
                difference(&whole, &vec![(MAPPED, MAPPED | 0xffff_ffff)])
            }
        }
    }
}

fn normal(mut intervals: Intervals) -> Intervals {
    intervals.retain(|(start, end)| start <= end);
    intervals.sort_unstable();
    let mut joined: Intervals = Vec::with_capacity(intervals.len());
    for (start, end) in intervals {
        match joined.last_mut() {
            Some((_, last)) if start <= last.saturating_add(1) => *last = end.max(*last),
            _ => joined.push((start, end)),
        }
    }
    joined
}

fn contains(intervals: &Intervals, key: u128) -> bool {
    let after = intervals.partition_point(|(start, _)| *start <= key);
    let before = after.checked_sub(1).and_then(|at| intervals.get(at));
    before.is_some_and(|(_, end)| key <= *end)
}

fn intersection(a: &Intervals, b: &Intervals) -> Intervals {
    let mut found = Vec::new();
    let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
    while let (Some((a_start, a_end)), Some((b_start, b_end))) = (left.peek(), right.peek()) {
        let (start, end) = (*a_start.max(b_start), *a_end.min(b_end));
        if start <= end {
            found.push((start, end));
        }
        if a_end <= b_end {
            left.next();
        } else {
            right.next();
        }
    }
    found
}

fn difference(a: &Intervals, b: &Intervals) -> Intervals {
    let mut gaps = Vec::with_capacity(b.len() + 1);
    let mut from = Some(0);
    for (start, end) in b {
        if let (Some(from), Some(last)) = (from, start.checked_sub(1))
            && from <= last
        {
            gaps.push((from, last));
        }
        from = end.checked_add(1);
    }
    gaps.extend(from.map(|from| (from, u128::MAX)));
    intersection(a, &gaps)
}

/// All times, or enough of them to stand for all.
fn time_universe(tests: &[&Test]) -> Intervals {
    let mut zones = Vec::new();
    let mut bounds = vec![i64::MIN + EDGE, i64::MAX - EDGE];
    for test in tests {
        match test {
            Test::Time(ranges) => bounds.extend(
                ranges
                    .iter()
                    .flat_map(|range| [Some(*range.start()), range.end().checked_add(1)])
                    .flatten(),
            ),
            Test::TimeOfDay(schedules) => {
                zones.extend(schedules.iter().map(|schedule| &schedule.zone));
            }
            _ => {}
        }
    }
    if zones.is_empty() {
        return vec![(time_key(i64::MIN), time_key(i64::MAX))];
    }
    bounds.extend(
        zones
            .iter()
            .flat_map(|zone| zone.transitions.iter().map(|(from, _)| *from)),
    );
    bounds.push(SOME_TIME);
    bounds.push(i64::MIN);
    bounds.sort_unstable();
    bounds.dedup();
    let ends = bounds.iter().skip(1).map(|next| next - 1).chain([i64::MAX]);
    let weeks = bounds.iter().zip(ends).map(|(start, end)| {
        let week_end = start.saturating_add(WEEK - 1);
        (time_key(*start), time_key(end.min(week_end)))
    });
    normal(weeks.collect())
}

/// The times of the universe that lie in one of the schedules.
fn schedule_times(schedules: &[WeeklySchedule], universe: &Intervals) -> Intervals {
    let mut found = Vec::new();
    for (start, end) in universe {
        let (first, last) = (time_of(*start), time_of(*end));
        let mut bounds = vec![first];
        for schedule in schedules {
            day_bounds(schedule, first, last, &mut bounds);
        }
        bounds.sort_unstable();
        bounds.dedup();
        let ends = bounds.iter().skip(1).map(|next| next - 1).chain([last]);
        for (from, to) in bounds.iter().zip(ends) {
            if schedules.iter().any(|schedule| schedule.contains(*from)) {
                found.push((time_key(*from), time_key(to)));
            }
        }
    }
    normal(found)
}

/// Where a schedule may begin or end between two times. The clock may change in between, as
/// stretches that follow each other without a gap are one interval.
fn day_bounds(schedule: &WeeklySchedule, first: i64, last: i64, bounds: &mut Vec<i64>) {
    let transitions = schedule.zone.transitions.iter().map(|(from, _)| *from);
    let inside = transitions.filter(|from| first < *from && *from <= last);
    let mut stretches: Vec<i64> = [first].into_iter().chain(inside).collect();
    bounds.extend(&stretches);
    stretches.push(last.saturating_add(1));
    for (from, to) in stretches.iter().zip(stretches.iter().skip(1)) {
        // Wider than a time, so that the first and the last day need no care.
        let offset = i128::from(schedule.zone.offset_seconds(*from));
        let mut midnight = (i128::from(*from) + offset).div_euclid(86_400) * 86_400;
        while midnight - offset < i128::from(*to) {
            for second in [0, schedule.from_second, schedule.to_second] {
                let bound = i64::try_from(midnight + i128::from(second) - offset);
                if let Ok(bound) = bound
                    && *from < bound
                    && bound < *to
                {
                    bounds.push(bound);
                }
            }
            midnight += 86_400;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(intervals: &Intervals) -> Vec<u128> {
        (0..40).filter(|key| contains(intervals, *key)).collect()
    }

    proptest! {
        #[test]
        fn intervals_are_sets(a in proptest::collection::vec((0..30_u128, 0..8_u128), 0..6), b in proptest::collection::vec((0..30_u128, 0..8_u128), 0..6)) {
            let make = |pairs: &[(u128, u128)]| normal(pairs.iter().map(|(start, len)| (*start, start + len)).collect());
            let (a, b) = (make(&a), make(&b));
            let both: Vec<_> = set(&a).into_iter().filter(|key| set(&b).contains(key)).collect();
            let only: Vec<_> = set(&a).into_iter().filter(|key| !set(&b).contains(key)).collect();
            prop_assert_eq!(set(&intersection(&a, &b)), both);
            prop_assert_eq!(set(&difference(&a, &b)), only);
        }
    }
}
