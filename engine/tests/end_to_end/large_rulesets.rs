//! 120 000 names beside 1 000 mixed rules: compiled, loaded, and decided right.

use std::fmt::Write;
use std::time::Instant;

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::proxy::Setup;
use crate::common::{Proxy, Rules};

const NAMES: usize = 120_000;

/// Plausible names, all different, the same on every machine.
fn name(index: usize) -> String {
    const SYLLABLES: [&str; 16] = [
        "mail", "temp", "box", "drop", "quick", "zen", "nova", "lux", "trash", "inbox", "fake",
        "ten", "minute", "guerr", "mo", "ka",
    ];
    const SUFFIXES: [&str; 8] = ["com", "net", "org", "io", "co.uk", "xyz", "com.br", "info"];
    let digit = |place: u32| (index / 16_usize.pow(place)) % 16;
    let (first, second, third) = (
        SYLLABLES[digit(0)],
        SYLLABLES[digit(1)],
        SYLLABLES[digit(2)],
    );
    let suffix = SUFFIXES[(index / 7) % SUFFIXES.len()];
    format!("{first}{second}-{third}{index:x}.{suffix}")
}

/// 1 000 rules of every kind; none of them concerns the requests of this test.
fn mixed_rules(action: &str) -> String {
    let mut rules = String::from("[[group]]\npriority = 20\nname = \"mixed\"\n");
    for index in 0..1000 {
        let (phase, condition) = match index % 8 {
            0 => (
                "pre_dns",
                format!(
                    "when.\"request:DestinationDomain\" = {{ DomainMatch = \"host{index}.mixed.test\" }}"
                ),
            ),
            1 => (
                "pre_dns",
                format!(
                    "when.\"request:SourceIp\" = {{ IpAddress = \"10.{}.{}.0/24\" }}",
                    index / 250,
                    index % 250
                ),
            ),
            2 => (
                "pre_request",
                format!("when.\"request:Http:Uri\" = {{ StringLike = \"/mixed/{index}/*.php\" }}"),
            ),
            3 => (
                "pre_request",
                format!("when.\"request:Http:UserAgent\" = {{ StringLike = \"*bot-{index}*\" }}"),
            ),
            4 => (
                "pre_request",
                format!(
                    "when.\"request:DestinationIp\" = {{ IpAddress = \"192.{}.{}.0/24\" }}",
                    index / 250,
                    index % 250
                ),
            ),
            5 => (
                "post_response",
                format!(
                    "when.\"response:Http:ContentType\" = {{ StringEquals = \"application/x-{index}\" }}"
                ),
            ),
            6 => (
                "pre_request",
                format!(
                    "when.\"request:Http:Header/X-Key-{}\" = {{ StringEquals = \"{index}\" }}",
                    index % 20
                ),
            ),
            _ => (
                "post_response",
                format!(
                    "when.\"response:Http:StatusCode\" = {{ NumericEquals = {} }}",
                    600 + index % 400
                ),
            ),
        };
        write!(
            rules,
            "[[group.{phase}]]\nname = \"mixed-{index}\"\naction = \"{action}\"\n{condition}\n"
        )
        .unwrap();
    }
    rules
}

/// Starts a proxy with the list and the mixed rules; says how long compiling and loading took.
fn start(default: &str, action: &str) -> Proxy {
    let mut list = String::new();
    for index in 0..NAMES {
        writeln!(list, "{}", name(index)).unwrap();
    }
    let mut setup = Setup::new().key("guard.http_ports", "\"any\"");
    std::fs::write(setup.path("names.txt"), list).unwrap();
    for index in [0, 1, NAMES / 2, NAMES - 1] {
        for prefix in ["", "www.", "a.b.", "x"] {
            setup = setup.host(&format!("{prefix}{}", name(index)), "127.0.0.1");
        }
    }
    setup = setup
        .host("elsewhere.test", "127.0.0.1")
        .host("com", "127.0.0.1");
    let rules = format!(
        "[defaults]\npre_dns = \"{default}\"\npre_request = \"allow\"\npost_response = \"allow\"\n\
         [lists]\nnames = \"names.txt\"\n[[group]]\npriority = 10\nname = \"list\"\n\
         [[group.pre_dns]]\nname = \"listed\"\naction = \"{action}\"\n\
         when.\"request:DestinationDomain\" = {{ DomainMatch = \"@names\" }}\n{}",
        mixed_rules("deny")
    );
    let started = Instant::now();
    Rules(&rules).compile(&setup.path("rules.spb"));
    let compiled = started.elapsed();
    let bytes = std::fs::metadata(setup.path("rules.spb")).unwrap().len();
    let started = Instant::now();
    let proxy = setup.start_with(&mut crate::common::programs::sallyport());
    eprintln!(
        "{NAMES} names as {action} list and 1000 rules, test build: compiled in {compiled:?} to {bytes} bytes, \
         process ready in {:?}",
        started.elapsed()
    );
    proxy
}

#[test]
fn as_a_deny_list() {
    check("allow", "deny", 403, 502);
}

#[test]
fn as_an_allow_list() {
    check("deny", "allow", 502, 403);
}

/// Where it is allowed, the answer is that nobody listens there: 502.
fn check(default: &str, action: &str, listed: u16, unlisted: u16) {
    let proxy = start(default, action);
    let mut client = proxy.connection();
    let mut cases = Vec::new();
    for index in [0, 1, NAMES / 2, NAMES - 1] {
        let member = name(index);
        cases.push((member.clone(), listed));
        cases.push((member.to_uppercase(), listed));
        cases.push((format!("www.{member}"), listed));
        cases.push((format!("a.b.{member}"), listed));
        cases.push((format!("x{member}"), unlisted));
    }
    cases.push(("elsewhere.test".into(), unlisted));
    cases.push(("com".into(), unlisted));
    for (index, (host, status)) in cases.iter().enumerate() {
        // Port 1 of loopback: nobody listens there.
        let response = client.get(&format!("http://{host}:1/"));
        assert_eq!(response.status, *status, "{host}: {response:?}");
        let line = proxy.log.transactions(index + 1).remove(index);
        let is_listed = *status == listed;
        let is_denied = *status == 403;
        let rule = (is_listed && is_denied).then_some("listed");
        let expected_action = if is_denied { "deny" } else { "allow" };
        assert_fields(
            &line,
            &json!({ "status": status, "rule": rule, "action": expected_action }),
        );
    }
}
