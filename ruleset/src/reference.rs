//! The naive evaluator: walks all rules in order and tests each condition literally, in three
//! values. It is the specification in code; `evaluate.rs` must agree with it on every input. Slow
//! and allocating on purpose; called by tests, the fuzzer and tools, never by the engine.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use regex_automata::nfa::thompson::pikevm::PikeVM;

use crate::matcher::regex::{self, RegexError};
use crate::{
    Action, Condition, Decision, Fact, Facts, Field, FieldValues, HeaderFields, Outcome, Phase,
    Rule, RuleIndex, Ruleset, Test, ValueList, Verdict,
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

/// The values of a field that is not unknown, as text.
pub(crate) fn shown_values(field: &Field, facts: &Facts<'_>) -> Vec<String> {
    let shown = |value: &Value| match value {
        Value::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
        Value::Number(number) => number.to_string(),
        Value::Ip(address) => address.to_canonical().to_string(),
        Value::Time(time) => time.to_string(),
    };
    values(field, facts).iter().map(shown).collect()
}

fn any(values: &ValueList, test: impl FnMut(&str) -> bool) -> bool {
    values.iter().any(test)
}

enum Value {
    Text(Vec<u8>),
    Number(u64),
    Ip(IpAddr),
    Time(i64),
}

/// All values of a field that is not unknown; none when it is absent.
fn values(field: &Field, facts: &Facts<'_>) -> Vec<Value> {
    match field {
        Field::SourceIp => one(facts.source_ip, Value::Ip),
        Field::SourcePort => one(facts.source_port, |port| Value::Number(port.into())),
        Field::SourceVpce => one(facts.source_vpce, text),
        Field::SourceVpc => one(facts.source_vpc, text),
        Field::SourceAccount => one(facts.source_account, text),
        Field::SourceLabel(name) => header_values(facts.source_labels, name),
        Field::Principal => one(facts.principal, text),
        Field::Time => one(facts.time, Value::Time),
        Field::Protocol => match facts.protocol {
            Fact::Known(set) => set
                .iter()
                .map(|word| text(word.name().as_bytes()))
                .collect(),
            _ => Vec::new(),
        },
        Field::DestinationDomain => one(facts.destination_domain, |domain| text(domain.as_bytes())),
        Field::DestinationHost => one(facts.destination_host, composed),
        Field::Authority => one(facts.authority, composed),
        Field::DestinationPort => one(facts.destination_port, |port| Value::Number(port.into())),
        Field::DestinationIp => one(facts.destination_ip, Value::Ip),
        Field::TlsSni => one(facts.tls_sni, |sni| {
            text(&sni.strip_suffix(b".").unwrap_or(sni).to_ascii_lowercase())
        }),
        Field::TlsAlpn => match facts.tls_alpn {
            Fact::Known(protocols) => protocols.iter().map(|protocol| text(protocol)).collect(),
            _ => Vec::new(),
        },
        Field::TlsVersion => one(facts.tls_version, text),
        Field::Ja4 => one(facts.ja4, text),
        Field::TlsEch => one(facts.tls_ech, text),
        Field::HttpUri => one(facts.uri, text),
        Field::Url => one(facts.url, composed),
        Field::HttpMethod => one(facts.method, text),
        Field::HttpUserAgent => lines(facts.user_agent),
        Field::HttpContentType => content_types(facts.content_type),
        Field::HttpHost => one(facts.host, text),
        Field::HttpContentLength => one(facts.content_length, Value::Number),
        Field::RequestHeader(name) => header_values(facts.request_headers, name),
        Field::ResponseStatusCode => one(facts.status_code, |code| Value::Number(code.into())),
        Field::ResponseContentLength => one(facts.response_content_length, Value::Number),
        Field::ResponseContentType => content_types(facts.response_content_type),
        Field::ResponseHeader(name) => header_values(facts.response_headers, name),
        Field::ResponseTlsIssuer => one(facts.tls_issuer, text),
        Field::ResponseTlsSha256 => one(facts.tls_sha256, text),
    }
}

fn one<T>(fact: Fact<T>, value: impl Fn(T) -> Value) -> Vec<Value> {
    match fact {
        Fact::Known(known) => vec![value(known)],
        Fact::Unknown | Fact::Absent => Vec::new(),
    }
}

fn text(bytes: &[u8]) -> Value {
    Value::Text(bytes.to_vec())
}

fn composed(parts: crate::Composed<'_>) -> Value {
    text(parts.text(&mut Vec::new()))
}

fn lines(fact: Fact<FieldValues<'_>>) -> Vec<Value> {
    let mut values = Vec::new();
    if let Fact::Known(known) = fact {
        known.for_each(&mut |value| values.push(text(value)));
    }
    values
}

fn content_types(fact: Fact<FieldValues<'_>>) -> Vec<Value> {
    let mut values = Vec::new();
    if let Fact::Known(known) = fact {
        known.for_each_content_type(&mut |value| {
            let mut normal = Vec::new();
            crate::normalize::normalize_content_type(value, &mut normal);
            values.push(Value::Text(normal));
        });
    }
    values
}

fn header_values(headers: Fact<&dyn HeaderFields>, wanted: &str) -> Vec<Value> {
    let mut values = Vec::new();
    if let Fact::Known(headers) = headers {
        headers.for_each(&mut |name, value| {
            if name.eq_ignore_ascii_case(wanted.as_bytes()) {
                values.push(text(value));
            }
        });
    }
    values
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
