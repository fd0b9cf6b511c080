//! The gate, rule by rule: what stays open, what stays shut, and what the log is told.

use sallyport_ruleset::bundle::{BuildRecord, write};
use std::sync::Arc;
use std::time::Duration;

use sallyport_ruleset::{
    Action, Bundle, Composed, Condition, Defaults, Field, FieldValues, Host, Protocol, ProtocolSet,
    Rule, RuleGroup, RuleIndex, Ruleset, Test,
};
use sallyport_wire::http1::{HeadLimits, RequestHead};

use super::*;

const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
const C: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 3));

/// Rules of one phase; what they do not decide gets `default`.
fn rules(phase: Phase, default: Action, rules: &[(&str, Action, Field, Test)]) -> Rules {
    let all = rules.iter().map(|(name, action, field, test)| Rule {
        name: (*name).to_owned(),
        description: String::new(),
        action: *action,
        conditions: vec![Condition {
            field: field.clone(),
            negated: false,
            test: test.clone(),
        }],
    });
    let mut of_phases = [Vec::new(), Vec::new(), Vec::new()];
    of_phases[phase.index()] = all.collect();
    let ruleset = Ruleset {
        defaults: Defaults::all(default),
        groups: vec![RuleGroup {
            name: "group".to_owned(),
            priority: 1,
            rules: of_phases,
        }],
    };
    let bytes = write(&ruleset, &BuildRecord::default()).unwrap();
    Rules::new(Arc::new(Bundle::load(bytes).unwrap()))
}

fn networks(networks: &[&str]) -> Test {
    Test::Ip(networks.iter().map(|text| text.parse().unwrap()).collect())
}

fn texts(values: &[&str]) -> Test {
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    Test::Exact {
        values: values.iter().collect(),
        ignore_case: false,
    }
}

fn guarded(addresses: &[IpAddr]) -> Guarded {
    let mut list = AddressList::empty();
    addresses.iter().for_each(|address| list.push(*address));
    Guarded {
        addresses: list,
        port: 443,
    }
}

/// What the rules of these tests ask for, but the address.
fn facts() -> Facts<'static> {
    Facts {
        method: Fact::Known(b"GET"),
        host: Fact::Known(b"a.test"),
        uri: Fact::Known(b"/"),
        content_type: Fact::Absent,
        response_content_type: Fact::Absent,
        ..Facts::unknown()
    }
}

fn parsed(text: &str) -> (RequestHead, Vec<u8>) {
    let mut head = RequestHead::new();
    head.parse(text.as_bytes(), &HeadLimits::default()).unwrap();
    (head, text.as_bytes().to_vec())
}

fn by_rule(decisions: &Decisions) -> Option<u32> {
    decisions.decided.unwrap().rule.map(|RuleIndex(rule)| rule)
}

#[test]
fn addresses_stay_that_the_rule_of_the_first_allows() {
    let near = (
        "near",
        Action::Allow,
        Field::DestinationIp,
        networks(&["192.0.2.0/24"]),
    );
    let far = (
        "far",
        Action::Allow,
        Field::DestinationIp,
        networks(&["198.51.100.0/24"]),
    );
    let rules = rules(Phase::PreRequest, Action::Deny, &[near, far]);
    let mut decisions = Decisions::default();
    let judged = guarded(&[A, C, B]).pre_request_of_tunnel(&rules, &facts(), &mut decisions);
    let (dialable, _) = judged.unwrap();
    assert_eq!(dialable.addresses(), [A, B]);
    // Whichever is connected to, the log names the rule that let it through.
    assert_eq!(by_rule(&decisions), Some(0));
}

#[test]
fn an_address_that_is_denied_is_not_dialed() {
    let deny = (
        "deny",
        Action::Deny,
        Field::DestinationIp,
        networks(&["192.0.2.1/32"]),
    );
    let rules = rules(Phase::PreRequest, Action::Allow, &[deny]);
    let mut decisions = Decisions::default();
    let judged = guarded(&[A, B]).pre_request_of_tunnel(&rules, &facts(), &mut decisions);
    assert_eq!(judged.unwrap().0.addresses(), [B]);
    let denied = guarded(&[A]).pre_request_of_tunnel(&rules, &facts(), &mut decisions);
    let expected = Denied {
        phase: Phase::PreRequest,
        by: DeniedBy::Rule,
    };
    assert_eq!(denied.unwrap_err(), expected);
}

#[test]
fn one_address_stands_for_all_where_no_rule_asks() {
    let deny = ("deny", Action::Deny, Field::HttpMethod, texts(&["PUT"]));
    let rules = rules(Phase::PreRequest, Action::Allow, &[deny]);
    let mut decisions = Decisions::default();
    let judged = guarded(&[A, B, C]).pre_request_of_tunnel(&rules, &facts(), &mut decisions);
    assert_eq!(judged.unwrap().0.addresses(), [A, B, C]);
}

#[test]
fn what_is_not_known_leaves_the_gate_shut() {
    let deny = ("deny", Action::Deny, Field::HttpMethod, texts(&["PUT"]));
    let rules = rules(Phase::PreRequest, Action::Allow, &[deny]);
    let unknown = Facts {
        method: Fact::Unknown,
        ..facts()
    };
    let mut decisions = Decisions::default();
    let denied = guarded(&[A]).pre_request_of_tunnel(&rules, &unknown, &mut decisions);
    assert_eq!(denied.unwrap_err().by, DeniedBy::Default);
    assert_eq!(decisions.decided.unwrap().action, Decision::Deny);
    let early = guarded(&[A]).early(&rules, &unknown, &mut decisions);
    assert!(matches!(early, Ok(Early::Open)), "{early:?}");
}

#[test]
fn early_says_yes_only_if_nothing_can_change_it() {
    let near = (
        "near",
        Action::Allow,
        Field::DestinationIp,
        networks(&["192.0.2.0/24"]),
    );
    let put = ("put", Action::Allow, Field::HttpMethod, texts(&["PUT"]));
    let rules = rules(Phase::PreRequest, Action::Deny, &[near, put]);
    let unknown = Facts {
        method: Fact::Unknown,
        ..facts()
    };
    let early = |addresses: &[IpAddr]| {
        guarded(addresses).early(&rules, &unknown, &mut Decisions::default())
    };
    let Ok(Early::Allowed(dialable)) = early(&[A, B]) else {
        panic!("whatever the method is, the first rule allows both");
    };
    assert_eq!((dialable.addresses(), dialable.port()), (&[A, B][..], 443));
    assert!(matches!(early(&[A, C]), Ok(Early::Open)), "C depends on it");
}

#[test]
fn a_permit_is_for_the_request_that_was_judged() {
    let rules = rules(Phase::PreRequest, Action::Allow, &[]);
    let (head, bytes) = parsed("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let outbound = Outbound {
        head: &head,
        bytes: &bytes,
        authority: "a.test",
        path_and_query: b"/",
    };
    let judge = |facts: &Facts<'_>| {
        guarded(&[A]).pre_request(
            &rules,
            (outbound, &mut { *facts }),
            &mut Decisions::default(),
        )
    };
    let (_, permitted) = judge(&facts()).unwrap();
    assert_eq!(permitted.outbound().authority, "a.test");
    for others in [
        Facts {
            host: Fact::Known(b"b.test"),
            ..facts()
        },
        Facts {
            method: Fact::Known(b"PUT"),
            ..facts()
        },
        Facts {
            host: Fact::Absent,
            ..facts()
        },
    ] {
        assert!(judge(&others).is_err(), "{others:?}");
    }
}

#[test]
fn alerts_of_a_phase_that_is_asked_again_are_told_once() {
    let get = ("get", Action::Alert, Field::HttpMethod, texts(&["GET"]));
    let rules = rules(Phase::PreRequest, Action::Allow, &[get]);
    let mut decisions = Decisions::default();
    for _ in 0..3 {
        let judged = guarded(&[A]).pre_request_of_tunnel(&rules, &facts(), &mut decisions);
        assert!(judged.is_ok());
    }
    assert_eq!(decisions.alerts.len(), 1);
}

#[test]
fn responses_are_released_by_rules_and_by_nothing_else() {
    let html = (
        "html",
        Action::Deny,
        Field::ResponseStatusCode,
        Test::Number(vec![200..=200]),
    );
    let rules = rules(Phase::PostResponse, Action::Allow, &[html]);
    let answered = |status| Facts {
        status_code: Fact::Known(status),
        ..facts()
    };
    let mut decisions = Decisions::default();
    assert!(post_response(&rules, &answered(404), &mut decisions).is_ok());
    let denied = post_response(&rules, &answered(200), &mut decisions).unwrap_err();
    assert_eq!(
        (denied.phase, denied.by),
        (Phase::PostResponse, DeniedBy::Rule)
    );
}

#[test]
fn several_media_types_have_one_meaning_to_rules_that_do_not_look() {
    let two = FieldValues::One(b"text/plain, text/html");
    let of_request = Facts {
        content_type: Fact::Known(two),
        ..facts()
    };
    let blind = rules(Phase::PreRequest, Action::Allow, &[]);
    assert!(blind.has_one_meaning(&of_request));
    let plain = (
        "plain",
        Action::Allow,
        Field::HttpContentType,
        texts(&["text/plain"]),
    );
    let sees = rules(Phase::PreRequest, Action::Deny, &[plain]);
    assert!(!sees.has_one_meaning(&of_request));
    assert!(sees.has_one_meaning(&facts()));
}

/// What rules of PreDNS see of a request to a name.
fn asked(domain: &'static str, port: u16, source_ip: IpAddr) -> Facts<'static> {
    let host = Host::Name(domain);
    Facts {
        source_ip: Fact::Known(source_ip),
        protocol: Fact::Known(ProtocolSet::EMPTY.with(Protocol::Http)),
        destination_domain: Fact::Known(domain),
        destination_host: Fact::Known(Composed::Host(host)),
        authority: Fact::Known(Composed::Authority(host, port)),
        destination_port: Fact::Known(port),
        ..Facts::unknown()
    }
}

/// Asks for each of `questions` twice, in their order: what is remembered says what was evaluated.
fn check_remembered(rules: &Rules, questions: &[(Facts<'_>, bool)]) {
    for round in 0..2 {
        for (facts, is_let_in) in questions {
            let mut decisions = Decisions::default();
            let admitted = pre_dns(rules, facts, &mut decisions);
            assert_eq!(admitted.is_ok(), *is_let_in, "{round}: {facts:?}");
            let decided = decisions.decided.unwrap();
            assert_eq!(decided.phase, Phase::PreDns);
            assert_eq!(decided.rule.is_some(), *is_let_in, "{round}: {facts:?}");
        }
    }
}

#[test]
fn verdicts_of_pre_dns_are_remembered_for_the_same_question_only() {
    let allow = |field, test| ("allow", Action::Allow, field, test);
    let to_a = rules(
        Phase::PreDns,
        Action::Deny,
        &[allow(Field::Authority, texts(&["a.test:80", "b.test:81"]))],
    );
    let questions = [
        (asked("a.test", 80, A), true),
        (asked("a.test", 81, A), false),
        (asked("b.test", 81, A), true),
        (asked("b.test", 80, B), false),
    ];
    check_remembered(&to_a, &questions);
    // More names than there are places.
    for number in 0..500 {
        let name: &'static str = Box::leak(format!("n{number}.test").into_boxed_str());
        check_remembered(&to_a, &[(asked(name, 80, A), false)]);
    }
    check_remembered(&to_a, &questions);
    let of_b = rules(
        Phase::PreDns,
        Action::Deny,
        &[allow(Field::SourceIp, networks(&["192.0.2.2/32"]))],
    );
    check_remembered(
        &of_b,
        &[
            (asked("a.test", 80, A), false),
            (asked("a.test", 80, B), true),
        ],
    );
}

#[test]
fn what_else_pre_dns_rests_on_is_asked_for_each_time() {
    let alice = ("alice", Action::Allow, Field::Principal, texts(&["alice"]));
    let of_alice = rules(Phase::PreDns, Action::Deny, &[alice]);
    let of = |principal: &'static [u8]| Facts {
        principal: Fact::Known(principal),
        ..asked("a.test", 80, A)
    };
    check_remembered(&of_alice, &[(of(b"alice"), true), (of(b"bob"), false)]);
}

#[test]
fn alerts_of_pre_dns_are_told_each_time() {
    let alert = (
        "alert",
        Action::Alert,
        Field::DestinationDomain,
        texts(&["a.test"]),
    );
    let rules = rules(Phase::PreDns, Action::Allow, &[alert]);
    for _ in 0..3 {
        let mut decisions = Decisions::default();
        pre_dns(&rules, &asked("a.test", 80, A), &mut decisions).unwrap();
        assert_eq!(decisions.alerts.len(), 1);
    }
}

#[test]
fn guarded_addresses_are_remembered_beside_the_verdict_until_they_expire() {
    let (rules, other) = (
        rules(Phase::PreDns, Action::Allow, &[]),
        rules(Phase::PreDns, Action::Allow, &[]),
    );
    let admit = |rules: &Rules, name| {
        pre_dns(rules, &asked(name, 80, A), &mut Decisions::default()).unwrap()
    };
    let now = Instant::now();
    let expires = now + Duration::from_secs(5);
    let admitted = admit(&rules, "a.test");
    assert!(admitted.guarded_before(&rules, 80, now).is_none());
    admitted.remember(&rules, &guarded(&[B, C]), expires);
    let again = admit(&rules, "a.test");
    let before = again.guarded_before(&rules, 80, now).unwrap();
    assert_eq!(before.addresses(), [B, C]);
    assert!(again.guarded_before(&rules, 80, expires).is_none());
    assert!(again.guarded_before(&other, 80, now).is_none());
    assert!(
        admit(&rules, "b.test")
            .guarded_before(&rules, 80, now)
            .is_none()
    );
    assert!(
        admit(&other, "a.test")
            .guarded_before(&other, 80, now)
            .is_none()
    );
    // So many others that each place has had another answer: nothing is found under an old one.
    for number in 0..500 {
        let name: &'static str = Box::leak(format!("n{number}.test").into_boxed_str());
        admit(&rules, name).remember(&rules, &guarded(&[C]), expires);
    }
    assert!(again.guarded_before(&rules, 80, now).is_none());
    again.remember(&rules, &guarded(&[B]), expires);
    assert!(
        admit(&rules, "a.test")
            .guarded_before(&rules, 80, now)
            .is_none()
    );
}
