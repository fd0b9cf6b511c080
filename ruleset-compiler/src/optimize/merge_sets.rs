//! Joins sets: touching ranges and networks of a condition, and conditions of a rule on one field
//! that are one condition with a larger or smaller set.

use std::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use sallyport_ruleset::{Condition, Phase, Ruleset, Test, ValueList};

/// Pairs of ranges that are compared to join two conditions.
const RANGE_PAIRS_MAX: usize = 10_000;
/// Values that two lists may have to become one.
const JOINED_VALUES_MAX: usize = 10_000;

/// Joins what can be joined.
pub(super) fn run(ruleset: &mut Ruleset) {
    for group in &mut ruleset.groups {
        for phase in Phase::ALL {
            for rule in group.rules_mut(phase) {
                for condition in &mut rule.conditions {
                    tidy(&mut condition.test);
                }
                join_conditions(&mut rule.conditions);
            }
        }
    }
}

/// Joins the ranges or networks of one test.
fn tidy(test: &mut Test) {
    match test {
        Test::Number(ranges) => *ranges = joined(std::mem::take(ranges), |end| end.checked_add(1)),
        Test::Time(ranges) => *ranges = joined(std::mem::take(ranges), |end| end.checked_add(1)),
        Test::Ip(networks) => *networks = aggregated(networks),
        _ => {}
    }
}

/// Ranges in order, none empty, none touching another. `after` is the number that follows.
fn joined<T: Copy + Ord>(
    mut ranges: Vec<RangeInclusive<T>>,
    after: impl Fn(T) -> Option<T>,
) -> Vec<RangeInclusive<T>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| (*range.start(), *range.end()));
    let mut out: Vec<RangeInclusive<T>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match out.last_mut() {
            Some(last) if after(*last.end()).is_none_or(|next| *range.start() <= next) => {
                *last = *last.start()..=*last.end().max(range.end());
            }
            _ => out.push(range),
        }
    }
    out
}

/// The fewest networks that hold the same addresses. IPv4-mapped networks are IPv4 ones; an IPv6
/// network that is shorter than the mapped prefix holds no IPv4 address, so that none may be made
/// out of mapped ones.
fn aggregated(networks: &[IpNet]) -> Vec<IpNet> {
    let (mut v4, mut v6) = (Vec::<Ipv4Net>::new(), Vec::<Ipv6Net>::new());
    for network in networks {
        match network {
            IpNet::V4(network) => v4.push(*network),
            IpNet::V6(network) => {
                let mapped = network.network().to_ipv4_mapped();
                let prefix = network.prefix_len().checked_sub(96);
                match mapped.zip(prefix).map(|(v4, len)| Ipv4Net::new(v4, len)) {
                    Some(Ok(mapped)) => v4.push(mapped),
                    _ => v6.push(*network),
                }
            }
        }
    }
    let v4 = Ipv4Net::aggregate(&v4).into_iter().map(IpNet::V4);
    let v6 = Ipv6Net::aggregate(&v6).into_iter().map(IpNet::V6);
    v4.chain(v6).collect()
}

/// Puts each condition into an earlier one on the same field, where that says the same.
fn join_conditions(conditions: &mut Vec<Condition>) {
    let mut kept: Vec<Condition> = Vec::with_capacity(conditions.len());
    for condition in conditions.drain(..) {
        let joined = kept
            .iter_mut()
            .filter(|other| other.field == condition.field && other.negated == condition.negated)
            .find_map(|other| {
                let test = if condition.negated {
                    union(&other.test, &condition.test)
                } else {
                    intersection(&other.test, &condition.test)
                };
                test.map(|test| other.test = test)
            });
        if joined.is_none() {
            kept.push(condition);
        }
    }
    *conditions = kept;
}

/// One test for "neither holds", turned round: it holds when one of them does.
fn union(a: &Test, b: &Test) -> Option<Test> {
    let lists = |a: &ValueList, b: &ValueList| {
        (a.len() + b.len() <= JOINED_VALUES_MAX)
            .then(|| a.iter().chain(b.iter()).collect::<ValueList>())
    };
    let mut test = match (a, b) {
        (Test::Number(a), Test::Number(b)) => Test::Number([a.as_slice(), b].concat()),
        (Test::Time(a), Test::Time(b)) => Test::Time([a.as_slice(), b].concat()),
        (Test::Ip(a), Test::Ip(b)) => Test::Ip([a.as_slice(), b].concat()),
        (Test::Domain(a), Test::Domain(b)) => Test::Domain(lists(a, b)?),
        (Test::Glob(a), Test::Glob(b)) => Test::Glob(lists(a, b)?),
        (
            Test::Exact {
                values: a,
                ignore_case,
            },
            Test::Exact {
                values: b,
                ignore_case: other,
            },
        ) if ignore_case == other => Test::Exact {
            values: lists(a, b)?,
            ignore_case: *ignore_case,
        },
        _ => return None,
    };
    tidy(&mut test);
    Some(test)
}

/// One test for "both hold", for fields that have one value. `None` also when nothing would be left:
/// such a rule is warned of, and left as it is.
fn intersection(a: &Test, b: &Test) -> Option<Test> {
    let test = match (a, b) {
        (Test::Number(a), Test::Number(b)) => Test::Number(common(a, b)?),
        (Test::Time(a), Test::Time(b)) => Test::Time(common(a, b)?),
        _ => return None,
    };
    Some(test)
}

fn common<T: Copy + Ord>(
    a: &[RangeInclusive<T>],
    b: &[RangeInclusive<T>],
) -> Option<Vec<RangeInclusive<T>>> {
    if a.len().saturating_mul(b.len()) > RANGE_PAIRS_MAX {
        return None;
    }
    let both: Vec<_> = a
        .iter()
        .flat_map(|a| {
            b.iter()
                .map(|b| *a.start().max(b.start())..=*a.end().min(b.end()))
        })
        .filter(|range| !range.is_empty())
        .collect();
    (!both.is_empty()).then_some(both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sallyport_ruleset::Field;
    use sallyport_ruleset::generate::single_rule;

    fn port(negated: bool, ranges: Vec<RangeInclusive<u64>>) -> Condition {
        Condition {
            field: Field::DestinationPort,
            negated,
            test: Test::Number(ranges),
        }
    }

    fn check(before: Vec<Condition>, after: Vec<Condition>) {
        let mut ruleset = single_rule(before);
        run(&mut ruleset);
        assert_eq!(ruleset, single_rule(after));
    }

    #[test]
    fn ranges_that_touch_are_one() {
        check(
            vec![port(
                false,
                vec![81..=90, 1..=80, 5..=7, 100..=u64::MAX, 200..=300],
            )],
            vec![port(false, vec![1..=90, 100..=u64::MAX])],
        );
    }

    #[test]
    fn conditions_on_one_number_are_one() {
        check(
            vec![port(false, vec![1..=443]), port(false, vec![80..=1_000])],
            vec![port(false, vec![80..=443])],
        );
        check(
            vec![port(true, vec![80..=80]), port(true, vec![81..=90])],
            vec![port(true, vec![80..=90])],
        );
        let contradiction = vec![port(false, vec![1..=2]), port(false, vec![3..=4])];
        check(contradiction.clone(), contradiction);
    }

    #[test]
    fn networks_that_touch_are_one() {
        let ip = |networks: &[&str]| Condition {
            field: Field::SourceIp,
            negated: false,
            test: Test::Ip(networks.iter().map(|n| n.parse().unwrap()).collect()),
        };
        check(
            vec![ip(&[
                "10.0.0.0/9",
                "::ffff:10.128.0.0/105",
                "2001:db8::/33",
                "2001:db8:8000::/33",
            ])],
            vec![ip(&["10.0.0.0/8", "2001:db8::/32"])],
        );
    }
}
