//! The tests of all predicates as they were written, so that tools can have the rules back.
//! Evaluation never reads this section: it has the indexes. Texts are places in the bundle's
//! strings, mostly one after the other, so a list costs about two bytes for each value.
//!
//! Numbers are LEB128, signed ones zigzag. Zones come first: `count`, then for each its name,
//! offset and transitions. Then a test for each predicate: its operator, `count`, the values.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;

use crate::index::record::{Operator, Span};
use crate::index::tables::{Overflow, Strings};
use crate::invariant::Invariant;
use crate::{Test, TimeZoneOffsets, ValueList, Weekdays, WeeklySchedule};

/// Set in the operator of a test that each value must pass.
const EVERY: u8 = 0x80;

/// Writes the tests; texts go to `strings`, where the indexes have put most of them.
pub(crate) fn encode<'t>(
    tests: impl Iterator<Item = (Operator, &'t Test)>,
    zones: &[Arc<TimeZoneOffsets>],
    strings: &mut Strings,
) -> Result<Vec<u8>, Overflow> {
    let mut writer = Writer::default();
    writer.number(zones.len() as u64);
    for zone in zones {
        writer.zone(zone);
    }
    for (operator, test) in tests {
        let (every, test) = match test {
            Test::Every(test) => (EVERY, &**test),
            test => (0, test),
        };
        writer.bytes.push(operator as u8 | every);
        match test {
            Test::Exact { values, .. }
            | Test::Glob(values)
            | Test::Regex(values)
            | Test::Domain(values) => writer.texts(values, strings)?,
            Test::Number(ranges) => writer.ranges(ranges, |start, end| (*start, end - start)),
            Test::Time(ranges) => writer.ranges(ranges, |start, end| {
                (zigzag(*start), end.wrapping_sub(*start).cast_unsigned())
            }),
            Test::Ip(networks) => writer.networks(networks),
            Test::TimeOfDay(schedules) => writer.schedules(schedules, zones),
            // There is no `Every` within one.
            Test::Absent(_) | Test::Every(_) => {}
        }
    }
    Ok(writer.bytes)
}

/// Reads `count` tests; `None` when they are none.
pub(super) fn decode(bytes: &[u8], strings: &[u8], count: usize) -> Option<Vec<Test>> {
    let mut reader = Reader {
        bytes,
        strings,
        expected_start: 0,
    };
    let zones = reader.many(Reader::zone)?;
    let mut tests = Vec::with_capacity(count);
    for _ in 0..count {
        tests.push(reader.test(&zones)?);
    }
    reader.bytes.is_empty().then_some(tests)
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    /// Where the next text starts if it follows the one before.
    expected_start: u32,
}

impl Writer {
    #[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn zone(&mut self, zone: &TimeZoneOffsets) {
        self.number(zone.name.len() as u64);
        self.bytes.extend_from_slice(zone.name.as_bytes());
        self.number(zigzag(zone.first_offset_seconds.into()));
        self.number(zone.transitions.len() as u64);
        let mut before = 0_i64;
        for (from, offset_seconds) in &zone.transitions {
            self.number(zigzag(from.wrapping_sub(before)));
            self.number(zigzag((*offset_seconds).into()));
            before = *from;
        }
    }

    /// A length, its lowest bit set when the text is not where the one before ends; then how far.
    fn texts(&mut self, values: &ValueList, strings: &mut Strings) -> Result<(), Overflow> {
        self.number(values.len() as u64);
        for value in values.iter() {
            let span = strings.intern(value.as_bytes())?;
            let moved = i64::from(span.start) - i64::from(self.expected_start);
            self.number(u64::from(span.len) << 1 | u64::from(moved != 0));
            if moved != 0 {
                self.number(zigzag(moved));
            }
            self.expected_start = span.start + span.len;
        }
        Ok(())
    }

    fn ranges<T>(&mut self, ranges: &[RangeInclusive<T>], pair: fn(&T, &T) -> (u64, u64)) {
        self.number(ranges.len() as u64);
        for range in ranges {
            let (start, len) = pair(range.start(), range.end());
            self.number(start);
            self.number(len);
        }
    }

    fn networks(&mut self, networks: &[IpNet]) {
        self.number(networks.len() as u64);
        for network in networks {
            match network.addr() {
                IpAddr::V4(v4) => {
                    self.bytes.push(4);
                    self.bytes.extend(v4.octets());
                }
                IpAddr::V6(v6) => {
                    self.bytes.push(6);
                    self.bytes.extend(v6.octets());
                }
            }
            self.bytes.push(network.prefix_len());
        }
    }

    fn schedules(&mut self, schedules: &[WeeklySchedule], zones: &[Arc<TimeZoneOffsets>]) {
        self.number(schedules.len() as u64);
        for schedule in schedules {
            let zone = zones.iter().position(|zone| *zone == schedule.zone);
            self.bytes.push(schedule.days.bits());
            self.number(schedule.from_second.into());
            self.number(schedule.to_second.into());
            self.number(zone.or_broken("the zone of a schedule") as u64);
        }
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    strings: &'b [u8],
    expected_start: u32,
}

impl<'b> Reader<'b> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        self.number().map(unzigzag)
    }

    fn length(&mut self) -> Option<usize> {
        self.number()?.try_into().ok()
    }

    /// As many as a number says. Each takes at least a byte, so a forged number ends early.
    fn many<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.length()?;
        let mut items = Vec::with_capacity(count.min(self.bytes.len()));
        for _ in 0..count {
            items.push(one(self)?);
        }
        Some(items)
    }

    fn zone(&mut self) -> Option<Arc<TimeZoneOffsets>> {
        let len = self.length()?;
        let name = str::from_utf8(self.take(len)?).ok()?.to_owned();
        let first_offset_seconds = self.signed()?.try_into().ok()?;
        let mut before = 0_i64;
        let transitions = self.many(|reader| {
            before = before.wrapping_add(reader.signed()?);
            Some((before, reader.signed()?.try_into().ok()?))
        })?;
        Some(Arc::new(TimeZoneOffsets {
            name,
            first_offset_seconds,
            transitions,
        }))
    }

    fn test(&mut self, zones: &[Arc<TimeZoneOffsets>]) -> Option<Test> {
        let byte = self.byte()?;
        let operator = Operator::ALL.get(usize::from(byte & !EVERY))?;
        let test = self.test_of(*operator, zones)?;
        Some(match byte & EVERY {
            0 => test,
            _ => Test::Every(Box::new(test)),
        })
    }

    fn test_of(&mut self, operator: Operator, zones: &[Arc<TimeZoneOffsets>]) -> Option<Test> {
        Some(match operator {
            Operator::Exact | Operator::ExactIgnoreCase => Test::Exact {
                values: self.texts()?,
                ignore_case: operator == Operator::ExactIgnoreCase,
            },
            Operator::Glob => Test::Glob(self.texts()?),
            Operator::Regex => Test::Regex(self.texts()?),
            Operator::Domain => Test::Domain(self.texts()?),
            Operator::Number => Test::Number(self.many(|reader| {
                let start = reader.number()?;
                Some(start..=start.wrapping_add(reader.number()?))
            })?),
            Operator::Time => Test::Time(self.many(|reader| {
                let start = reader.signed()?;
                Some(start..=start.wrapping_add(reader.number()?.cast_signed()))
            })?),
            Operator::Ip => Test::Ip(self.many(Self::network)?),
            Operator::TimeOfDay => Test::TimeOfDay(self.many(|reader| reader.schedule(zones))?),
            Operator::Absent => Test::Absent(true),
            Operator::Present => Test::Absent(false),
        })
    }

    fn texts(&mut self) -> Option<ValueList> {
        let texts = self.many(Self::text)?;
        Some(texts.into_iter().collect())
    }

    fn text(&mut self) -> Option<&'b str> {
        let number = self.number()?;
        let len = u32::try_from(number >> 1).ok()?;
        let mut start = self.expected_start;
        if number & 1 == 1 {
            let moved = i64::from(start).checked_add(self.signed()?)?;
            start = u32::try_from(moved).ok()?;
        }
        self.expected_start = start.checked_add(len)?;
        let text = self.strings.get(Span { start, len }.range())?;
        str::from_utf8(text).ok()
    }

    fn network(&mut self) -> Option<IpNet> {
        let address: IpAddr = match self.byte()? {
            4 => IpAddr::from(*self.take(4)?.first_chunk::<4>()?),
            6 => IpAddr::from(*self.take(16)?.first_chunk::<16>()?),
            _ => return None,
        };
        IpNet::new(address, self.byte()?).ok()
    }

    fn schedule(&mut self, zones: &[Arc<TimeZoneOffsets>]) -> Option<WeeklySchedule> {
        let days = Weekdays::from_bits(self.byte()?);
        let from_second = self.number()?.try_into().ok()?;
        let to_second = self.number()?.try_into().ok()?;
        let zone = self.length()?;
        Some(WeeklySchedule {
            days,
            from_second,
            to_second,
            zone: Arc::clone(zones.get(zone)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_read_back(number in any::<i64>(), plain in any::<u64>()) {
            let mut writer = Writer::default();
            writer.number(zigzag(number));
            writer.number(plain);
            let mut reader = Reader { bytes: &writer.bytes, strings: &[], expected_start: 0 };
            prop_assert_eq!(reader.signed(), Some(number));
            prop_assert_eq!(reader.number(), Some(plain));
            prop_assert_eq!(reader.number(), None);
        }

        #[test]
        fn any_bytes_are_tests_or_none(bytes in proptest::collection::vec(0..12_u8, 0..60), count in 0..4_usize) {
            decode(&bytes, b"some text", count);
        }
    }
}
