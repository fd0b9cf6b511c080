//! `diff` against the reference evaluator, over random pairs of rulesets and random facts: where it
//! says that two rulesets decide alike, no facts may show otherwise. That a difference is one is
//! checked within, by both evaluators, before it is shown.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use proptest::prelude::*;
use sallyport_rules::tools::diff::{Compared, compare_rulesets};
use sallyport_ruleset::generate::{self, Entropy};
use sallyport_ruleset::reference::{Reference, ReferenceOutcome};
use sallyport_ruleset::{
    Composed, Fact, Facts, Host, Outcome, Phase, Protocol, ProtocolSet, Rule, Ruleset, UrlScheme,
};
use std::net::Ipv4Addr;

fn entropy(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), bytes)
}

/// A ruleset like another one, with a few edits.
fn edited(ruleset: &Ruleset, edits: &[u8]) -> Ruleset {
    let mut ruleset = ruleset.clone();
    let mut entropy = Entropy::new(edits);
    for _ in 0..=entropy.below(3) {
        let group = entropy.below(ruleset.groups.len());
        let phase = Phase::ALL[entropy.below(3)];
        let donor = generate::ruleset(&mut entropy.clone());
        let spare: Vec<Rule> = donor.rules(phase).map(|(_, rule)| rule.clone()).collect();
        let Some(group) = ruleset.groups.get_mut(group) else {
            continue;
        };
        let rules = group.rules_mut(phase);
        let at = entropy.below(rules.len() + 1);
        match entropy.below(5) {
            0 if at < rules.len() => drop(rules.remove(at)),
            1 if at + 1 < rules.len() => rules.swap(at, at + 1),
            2 if at < rules.len() => drop(rules[at].conditions.pop()),
            3 if at < rules.len() => {
                if let Some(other) = spare.first() {
                    rules[at].conditions.clone_from(&other.conditions);
                }
            }
            _ => {
                if let Some(mut rule) = spare.last().cloned() {
                    rule.name = format!("added-{at}");
                    rules.insert(at, rule);
                }
            }
        }
    }
    ruleset
}

fn alert_names(ruleset: &Ruleset, phase: Phase, outcome: &ReferenceOutcome) -> Vec<String> {
    let rules: Vec<_> = ruleset.rules(phase).collect();
    let mut names: Vec<String> = outcome
        .alerts
        .iter()
        .map(|index| {
            let (group, rule) = rules[index.0 as usize];
            format!("{}/{}", group.name, rule.name)
        })
        .collect();
    if matches!(outcome.outcome, Outcome::Decided(verdict) if verdict.default_alert) {
        names.push("default".to_owned());
    }
    names
}

/// Words that fit each other, and whether they are of TLS.
fn words(protocol: Fact<ProtocolSet>, is_seen: bool) -> (ProtocolSet, bool) {
    let words = match protocol {
        Fact::Known(set) => set,
        _ => ProtocolSet::EMPTY,
    };
    let is_secure = |word: &Protocol| matches!(word, Protocol::Https | Protocol::Wss);
    let is_plain = |word: &Protocol| matches!(word, Protocol::Http | Protocol::Ws);
    let is_tls = words.iter().any(|word| is_secure(&word));
    let fits = |word: &Protocol| !is_plain(word) || (is_seen && !is_tls);
    let kept = words.iter().filter(fits);
    let kept = kept.fold(ProtocolSet::EMPTY, ProtocolSet::with);
    let fitting = match (is_seen, is_tls) {
        (true, false) => kept.with(Protocol::Http),
        (true, true) => kept,
        (false, _) => kept.with(Protocol::Connect),
    };
    (fitting, is_tls)
}

/// The same with what every request has, and with fields that fit each other: random facts can lack the
/// one and the other.
fn of_a_request<'f>(facts: &Facts<'f>) -> Facts<'f> {
    fn there<T>(fact: Fact<T>, value: T) -> Fact<T> {
        match fact {
            Fact::Absent => Fact::Known(value),
            fact => fact,
        }
    }
    let host = match (facts.destination_domain, facts.destination_ip) {
        (Fact::Known(name), _) => Host::Name(name),
        (_, Fact::Known(address)) => Host::Address(address),
        _ => Host::Name("any.example"),
    };
    let port = match facts.destination_port {
        Fact::Known(port) => port,
        _ => 80,
    };
    let authority = Composed::Authority(host, port);
    let (method, uri) = (facts.method, facts.uri);
    let seen = match (method, uri) {
        (Fact::Known(_), Fact::Known(uri)) => Some(uri),
        _ => None,
    };
    let (protocol, is_tls) = words(facts.protocol, seen.is_some());
    let fitting = Facts {
        source_ip: there(facts.source_ip, Ipv4Addr::LOCALHOST.into()),
        source_port: there(facts.source_port, 1),
        time: there(facts.time, 0),
        protocol: Fact::Known(protocol),
        destination_port: Fact::Known(port),
        destination_domain: match host {
            Host::Name(name) => Fact::Known(name),
            Host::Address(_) => Fact::Absent,
        },
        destination_host: Fact::Known(Composed::Host(host)),
        authority: Fact::Known(authority),
        url: Fact::Known(match seen {
            None => authority,
            Some(uri) => Composed::Url {
                scheme: if is_tls {
                    UrlScheme::Https
                } else {
                    UrlScheme::Http
                },
                host,
                port,
                uri,
            },
        }),
        ..*facts
    };
    if seen.is_some() {
        return fitting;
    }
    Facts {
        uri: Fact::Absent,
        method: Fact::Absent,
        user_agent: Fact::Absent,
        content_type: Fact::Absent,
        host: Fact::Absent,
        content_length: Fact::Absent,
        request_headers: Fact::Absent,
        ..fitting
    }
}

fn check(old: &Ruleset, new: &Ruleset, requests: &[u8]) -> Compared {
    let compared = compare_rulesets(old, new).unwrap();
    for undecided in &compared.undecided {
        assert!(!undecided.contains("does not show it"), "{undecided}");
    }
    let references = [Reference::new(old).unwrap(), Reference::new(new).unwrap()];
    let mut entropy = Entropy::new(requests);
    for _ in 0..12 {
        let facts = generate::facts(&mut entropy);
        for phase in Phase::ALL {
            let said = [0, 1].map(|side| {
                facts.with(0, |facts| {
                    references[side].evaluate(phase, &of_a_request(facts))
                })
            });
            let actions = said.each_ref().map(|one| match one.outcome {
                Outcome::Decided(verdict) => verdict.action,
                Outcome::Undetermined => panic!("all is known"),
            });
            let is_open = compared
                .undecided
                .iter()
                .any(|what| what.starts_with(phase.name()));
            if actions[0] != actions[1] && !is_open {
                assert!(
                    compared.decisions[phase.index()] > 0,
                    "{phase}: a difference was missed"
                );
            }
            let alerts = [
                alert_names(old, phase, &said[0]),
                alert_names(new, phase, &said[1]),
            ];
            let mut sorted = alerts.clone();
            sorted.iter_mut().for_each(|names| names.sort());
            if sorted[0] != sorted[1] && !is_open {
                assert!(
                    compared.alerts[phase.index()] > 0,
                    "{phase}: alerts {alerts:?}"
                );
            }
        }
    }
    compared
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(generate::cases(150)))]

    #[test]
    fn no_difference_is_missed(rules in entropy(500), edits in entropy(400), requests in entropy(1500)) {
        let old = generate::ruleset(&mut Entropy::new(&rules));
        let new = edited(&old, &edits);
        check(&old, &new, &requests);
    }

    #[test]
    fn unrelated_rulesets(old in entropy(250), new in entropy(250), requests in entropy(1500)) {
        let [old, new] = [old, new].map(|bytes| generate::ruleset(&mut Entropy::new(&bytes)));
        check(&old, &new, &requests);
    }

    #[test]
    fn a_ruleset_is_equal_to_itself(rules in entropy(500)) {
        let ruleset = generate::ruleset(&mut Entropy::new(&rules));
        let compared = compare_rulesets(&ruleset, &ruleset).unwrap();
        prop_assert_eq!(compared.decisions, [0; 3]);
        prop_assert_eq!(compared.alerts, [0; 3]);
        prop_assert!(compared.undecided.is_empty(), "{:?}", compared.undecided);
    }
}

/// The tests above prove nothing when all is undecided, or nothing differs.
#[test]
fn most_pairs_are_decided_and_many_differ() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut decided, mut different) = (0, 0);
    for _ in 0..60 {
        let bytes = entropy(900).new_tree(&mut runner).unwrap().current();
        let (rules, edits) = bytes.split_at(500);
        let old = generate::ruleset(&mut Entropy::new(rules));
        let compared = compare_rulesets(&old, &edited(&old, edits)).unwrap();
        decided += usize::from(compared.undecided.is_empty());
        different += usize::from(compared.decisions != [0; 3]);
    }
    assert!(
        decided >= 55 && different >= 15,
        "{decided} decided, {different} different"
    );
}
