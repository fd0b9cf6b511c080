//! The naive evaluator: walks all rules in order and tests each condition literally, in three
//! values. It is the specification in code; `evaluate.rs` must agree with it on every input. Slow
//! and allocating on purpose; called by tests, the fuzzer and tools, never by the engine: the feature `reference`
//! brings it in.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use regex_automata::nfa::thompson::pikevm::PikeVM;

use crate::known_values::{Value, values};
use crate::matcher::regex::{self, RegexError};
use crate::{
    Action, Condition, Decision, Facts, Field, Outcome, Phase, Rule, RuleIndex, Ruleset, Test,
    ValueList, Verdict,
};

/// A ruleset with its regular expressions parsed.
#[derive(Debug)]
pub struct Reference<'r> {
    ruleset: &'r Ruleset,
    regexes: HashMap<&'r str, PikeVM>,
}

/// What [`Reference::evaluate`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceOutcome {
    /// As from [`crate::evaluate()`].
    pub outcome: Outcome,
    /// Alert rules that fired, in order; none when undetermined.
    pub alerts: Vec<RuleIndex>,
}

impl<'r> Reference<'r> {
    /// Prepares a ruleset.
    ///
    /// # Errors
    /// When a regular expression does not parse.
    pub fn new(ruleset: &'r Ruleset) -> Result<Self, RegexError> {
        let mut regexes = HashMap::new();
        let rules = Phase::ALL
            .into_iter()
            .flat_map(|phase| ruleset.rules(phase));
        for condition in rules.flat_map(|(_, rule)| &rule.conditions) {
            let test = match &condition.test {
                Test::Every(test) => test,
                test => test,
            };
            if let Test::Regex(values) = test {
                for value in values.iter() {
                    regexes.insert(value, regex::interpreter(value)?);
                }
            }
        }
        Ok(Self { ruleset, regexes })
    }

    /// Decides a phase by walking its rules.
    #[must_use]
    pub fn evaluate(&self, phase: Phase, facts: &Facts<'_>) -> ReferenceOutcome {
        let mut alerts = Vec::new();
        for (index, (_, rule)) in (0..).map(RuleIndex).zip(self.ruleset.rules(phase)) {
            match (self.holds(rule, facts), rule.action) {
                (Some(false), _) => {}
                (None, _) => {
                    return ReferenceOutcome {
                        outcome: Outcome::Undetermined,
                        alerts: Vec::new(),
                    };
                }
                (Some(true), Action::Alert) => alerts.push(index),
                (Some(true), action) => {
                    let action = match action {
                        Action::Deny => Decision::Deny,
                        Action::Allow | Action::Alert => Decision::Allow,
                    };
                    let verdict = Verdict {
                        action,
                        rule: Some(index),
                        default_alert: false,
                    };
                    return ReferenceOutcome {
                        outcome: Outcome::Decided(verdict),
                        alerts,
                    };
                }
            }
        }
        let verdict = Verdict::of_default(self.ruleset.defaults.action(phase));
        ReferenceOutcome {
            outcome: Outcome::Decided(verdict),
            alerts,
        }
    }

    /// False as soon as one condition surely is, else unknown as soon as one is.
    fn holds(&self, rule: &Rule, facts: &Facts<'_>) -> Option<bool> {
        let answers: Vec<_> = rule
            .conditions
            .iter()
            .map(|condition| self.condition_holds(condition, facts))
            .collect();
        if answers.contains(&Some(false)) {
            Some(false)
        } else if answers.contains(&None) {
            None
        } else {
            Some(true)
        }
    }

    /// Whether one condition holds; `None` when that is not known yet.
    #[must_use]
    pub fn condition_holds(&self, condition: &Condition, facts: &Facts<'_>) -> Option<bool> {
        if condition.field.source().is_unknown(facts) {
            return None;
        }
        let values = values(&condition.field, facts);
        let plain = match &condition.test {
            Test::Absent(expected) => values.is_empty() == *expected,
            Test::Every(test) => values
                .iter()
                .all(|value| self.matches(&condition.field, test, value)),
            test => values
                .iter()
                .any(|value| self.matches(&condition.field, test, value)),
        };
        Some(plain != condition.negated)
    }

    fn matches(&self, field: &Field, test: &Test, value: &Value) -> bool {
        match (test, value) {
            (
                Test::Exact {
                    values,
                    ignore_case: false,
                },
                Value::Text(text),
            ) => any(values, |value| {
                exact_form(field, value, text) == value.as_bytes()
            }),
            (
                Test::Exact {
                    values,
                    ignore_case: true,
                },
                Value::Text(text),
            ) => any(values, |value| {
                exact_form(field, value, text).eq_ignore_ascii_case(value.as_bytes())
            }),
            (Test::Glob(values), Value::Text(text)) => any(values, |value| {
                pattern_forms(field, value, text)
                    .iter()
                    .any(|form| glob_matches(value.as_bytes(), form))
            }),
            (Test::Regex(values), Value::Text(text)) => any(values, |value| {
                pattern_forms(field, value, text).iter().any(|form| {
                    self.regexes
                        .get(value)
                        .is_some_and(|regex| regex.is_match(&mut regex.create_cache(), *form))
                })
            }),
            (Test::Domain(values), Value::Text(text)) => any(values, |value| {
                text == value.as_bytes() || text.ends_with(format!(".{value}").as_bytes())
            }),
            (Test::Number(ranges), Value::Number(number)) => {
                ranges.iter().any(|range| range.contains(number))
            }
            (Test::Ip(networks), Value::Ip(address)) => networks
                .iter()
                .any(|network| ip_matches(*network, *address)),
            (Test::Time(ranges), Value::Time(time)) => {
                ranges.iter().any(|range| range.contains(time))
            }
            (Test::TimeOfDay(schedules), Value::Time(time)) => {
                schedules.iter().any(|schedule| schedule.contains(*time))
            }
            _ => false,
        }
    }
}

fn any(values: &ValueList, test: impl FnMut(&str) -> bool) -> bool {
    values.iter().any(test)
}

/// The part of the text that a value is compared with: without the query or the parameters, unless
/// the value has some.
fn exact_form<'t>(field: &Field, value: &str, text: &'t [u8]) -> &'t [u8] {
    let separator = match field {
        Field::HttpUri => b'?',
        Field::HttpContentType | Field::ResponseContentType => b';',
        _ => return text,
    };
    if value.as_bytes().contains(&separator) {
        return text;
    }
    text.split(|byte| *byte == separator)
        .next()
        .unwrap_or_default()
}

/// As [`exact_form`]; but a pattern for a URI matches when it matches the path, or path and query.
fn pattern_forms<'t>(field: &Field, value: &str, text: &'t [u8]) -> Vec<&'t [u8]> {
    match field {
        Field::HttpUri => vec![exact_form(field, "", text), text],
        _ => vec![exact_form(field, value, text)],
    }
}

/// Straight from the definition: quadratic, by the set of positions that the pattern can reach.
fn glob_matches(pattern: &[u8], text: &[u8]) -> bool {
    let mut reachable = vec![false; text.len() + 1];
    if let Some(start) = reachable.first_mut() {
        *start = true;
    }
    for symbol in pattern {
        let mut next = vec![false; text.len() + 1];
        let mut run = false;
        for (position, slot) in next.iter_mut().enumerate() {
            let before = position.checked_sub(1);
            let came_from = |at: Option<usize>| {
                at.and_then(|at| reachable.get(at))
                    .copied()
                    .unwrap_or(false)
            };
            *slot = if *symbol == b'*' {
                run |= came_from(Some(position));
                run
            } else {
                let byte = before.and_then(|at| text.get(at));
                came_from(before) && (*symbol == b'?' || byte == Some(symbol))
            };
        }
        reachable = next;
    }
    reachable.last() == Some(&true)
}

fn ip_matches(network: IpNet, address: IpAddr) -> bool {
    let network = match network {
        IpNet::V6(v6) => match (
            v6.network().to_ipv4_mapped(),
            v6.prefix_len().checked_sub(96),
        ) {
            (Some(v4), Some(prefix)) => ipnet::Ipv4Net::new(v4, prefix).map_or(network, IpNet::V4),
            _ => network,
        },
        IpNet::V4(_) => network,
    };
    network.contains(&address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_by_definition() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*b?d", "a//bcd", true),
            ("a*b?d", "abd", false),
            ("*.com", "x.com", true),
            ("*.com", "com", false),
            ("??", "a", false),
        ] {
            assert_eq!(
                glob_matches(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern}"
            );
        }
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        let check = |network: &str, address: &str, expected| {
            let answer = ip_matches(network.parse().unwrap(), address.parse().unwrap());
            assert_eq!(answer, expected, "{address} in {network}");
        };
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
        check("::ffff:10.0.0.0/104", "10.1.2.3", true);
        check("::/0", "10.1.2.3", false);
        check("::/0", "2001:db8::1", true);
        check("0.0.0.0/0", "2001:db8::1", false);
    }
}
