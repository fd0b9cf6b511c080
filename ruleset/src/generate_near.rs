//! Random facts at the borders of what a ruleset says, for tests of what is claimed of rules. Not used
//! outside tests.

use crate::generate::{Entropy, NAMED, OwnedFacts, facts};
use crate::{Condition, Field, Phase, Ruleset, Test};

/// Facts of which many lie at a value of the ruleset, or just beside it.
#[must_use]
pub fn facts_near(ruleset: &Ruleset, entropy: &mut Entropy<'_>) -> OwnedFacts {
    let mut facts = facts(entropy);
    let rules = Phase::ALL
        .into_iter()
        .flat_map(|phase| ruleset.rules(phase).map(|(_, rule)| rule));
    let conditions: Vec<&Condition> = rules.flat_map(|rule| &rule.conditions).collect();
    for _ in 0..8 {
        if let Some(condition) = entropy.pick(&conditions) {
            facts.move_near(condition, entropy);
        }
    }
    facts
}

fn near(range: &std::ops::RangeInclusive<u64>, entropy: &mut Entropy<'_>) -> u64 {
    match entropy.below(4) {
        0 => *range.start(),
        1 => *range.end(),
        2 => range.start().saturating_sub(1),
        _ => range.end().saturating_add(1),
    }
}

impl OwnedFacts {
    fn move_near(&mut self, condition: &Condition, entropy: &mut Entropy<'_>) {
        let test = match &condition.test {
            Test::Every(test) => test,
            test => test,
        };
        match test {
            Test::Number(ranges) => {
                let Some(number) = entropy.pick(ranges).map(|range| near(range, entropy)) else {
                    return;
                };
                let [source_port, destination_port, status_code] = &mut self.ports;
                let [request, response] = &mut self.lengths;
                let port = u16::try_from(number).ok();
                match condition.field {
                    Field::SourcePort => *source_port = port,
                    Field::DestinationPort => *destination_port = port,
                    Field::ResponseStatusCode => *status_code = port,
                    Field::HttpContentLength => *request = Some(number),
                    _ => *response = Some(number),
                }
            }
            Test::Ip(networks) => {
                let Some(network) = entropy.pick(networks) else {
                    return;
                };
                let [source, destination] = &mut self.addresses;
                let ends = [network.network(), network.broadcast()];
                let address = entropy.pick(&ends).copied();
                match condition.field {
                    Field::SourceIp => *source = address,
                    _ => *destination = address,
                }
            }
            Test::Exact { values, .. }
            | Test::Glob(values)
            | Test::Regex(values)
            | Test::Domain(values) => {
                let value = values.get(entropy.below(values.len())).unwrap_or_default();
                let value = value.replace('*', entropy.word(&["", "a", "a.b"]).as_str());
                let before = entropy.word(&["", "", "a.", "b"]);
                let after = entropy.word(&["", "", "", "a", "?a=1"]);
                let text = format!("{before}{value}{after}").into_bytes();
                match &condition.field {
                    Field::RequestHeader(name) => {
                        self.request_headers.push((name.as_bytes().to_vec(), text));
                    }
                    field if NAMED.iter().any(|(named, _)| named == field) => {
                        let mut lines = NAMED.iter().zip(&mut self.named);
                        if let Some(((_, name), lines)) =
                            lines.find(|((named, _), _)| named == field)
                        {
                            lines.push((name.as_bytes().to_vec(), text));
                        }
                    }
                    field => {
                        let known = self.texts.iter_mut().find(|(known, _)| known == field);
                        if let Some((_, known)) = known {
                            *known = Some(text);
                        }
                    }
                }
            }
            Test::Time(_) | Test::TimeOfDay(_) | Test::Absent(_) | Test::Every(_) => {}
        }
    }
}
