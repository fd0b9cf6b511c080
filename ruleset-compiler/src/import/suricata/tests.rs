//! What becomes of options: conditions, or the reason why the rule leaves.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::condition::{Checker, Condition, Formula};
use super::bound::Bound;
use super::rule::{Context, SuricataAction, Without};
use super::text::{Literal, Pattern};
use super::{option, parse, uri};

/// `action protocol (options)` between any two hosts, as conditions or as the reason.
fn shown(action: &str, protocol: &str, options: &str) -> String {
    let text = format!("{action} {protocol} any any -> any any ({options})");
    let rule = match parse::rule(&text) {
        Ok(rule) => rule,
        Err(why) => return why.to_string(),
    };
    let options = match option::read(&rule.options) {
        Ok(options) => options,
        Err(why) => return why.to_string(),
    };
    let mut context = Context {
        variables: &BTreeMap::new(),
        tls_inspection: false,
        checker: &mut Checker::default(),
        taken_for_any: &mut Vec::new(),
    };
    let action = SuricataAction::parse(action).unwrap();
    let meaning = match context.meaning(&rule, &options, action) {
        Ok(meaning) => meaning,
        Err(Without::Left(why)) => return why.to_string(),
        Err(Without::Unneeded(why)) => return format!("unneeded: {why}"),
    };
    let rules = meaning.formula.alternatives().unwrap();
    let rules: Vec<String> = rules
        .iter()
        .map(|rule| rule.iter().map(condition).collect::<Vec<_>>().join(" & "))
        .collect();
    rules.join(" or ")
}

fn condition(condition: &Condition) -> String {
    let field = condition.field.to_string();
    let field = field.rsplit(':').next().unwrap_or_default().to_owned();
    format!(
        "{field} {} {}",
        condition.operator.name,
        condition.values.items.join("|")
    )
}

fn check(action: &str, protocol: &str, cases: &[(&str, &str)]) {
    for (options, expected) in cases {
        assert_eq!(shown(action, protocol, options), *expected, "{options}");
    }
}

#[test]
fn names() {
    check(
        "pass",
        "tls",
        &[
            (
                r#"tls.sni; dotprefix; content:".x.test"; nocase; endswith;"#,
                "TlsSni DomainMatch x.test",
            ),
            (
                r#"tls.sni; content:"X.test"; startswith; endswith;"#,
                "TlsSni StringEquals x.test",
            ),
            (
                r#"tls.sni; content:"x.test"; bsize:6;"#,
                "TlsSni StringEquals x.test",
            ),
            (
                r#"tls.sni; bsize:6; content:"x.test";"#,
                "TlsSni StringEquals x.test",
            ),
            (
                r#"tls.sni; bsize:>20; content:"x.test"; endswith;"#,
                "TlsSni StringLike *x.test & TlsSni StringMatches (?i)(?s)^.{21}",
            ),
            (
                r#"tls.sni; content:"x.test"; endswith;"#,
                "TlsSni StringLike *x.test",
            ),
            (
                r#"tls.sni; content:"x.test"; isdataat:!1,relative;"#,
                "TlsSni StringLike *x.test",
            ),
            (
                r#"tls.sni; content:"x.test"; depth:6;"#,
                "TlsSni StringLike x.test*",
            ),
            (
                r#"tls.sni; content:"ssm."; startswith; content:".aws.test"; endswith; nocase;"#,
                "TlsSni StringLike ssm.* & TlsSni StringLike *.aws.test",
            ),
            (
                r#"tls.sni; content:"api-"; startswith; content:".x.test"; distance:2; within:12; endswith;"#,
                r"TlsSni StringMatches (?i)(?s)^api\-.{2,7}\.x\.test$",
            ),
            (
                r#"tls.sni; content:"x.test"; offset:4; depth:10;"#,
                r"TlsSni StringMatches (?i)(?s)^.{4,8}x\.test",
            ),
            (
                r#"tls.sni; content:!"x.test"; endswith;"#,
                "TlsSni Null false & TlsSni StringNotLike *x.test",
            ),
            (
                r#"tls.sni; pcre:"/^a[0-9]+\.x\.test$/i";"#,
                r"TlsSni StringMatches (?i)^a[0-9]+\.x\.test$",
            ),
            (
                r#"tls_sni; content:"x.test"; endswith; fast_pattern;"#,
                "TlsSni StringLike *x.test",
            ),
            (
                "tls.sni; absent;",
                "Protocol StringEquals https|wss & TlsSni Null true",
            ),
        ],
    );
}

#[test]
fn hosts_that_are_addresses() {
    check(
        "drop",
        "http",
        &[
            (
                r#"http.host; content:"203.0.113."; startswith; flow:to_server;"#,
                "Protocol StringEquals http|ws & DestinationDomain StringLike 203.0.113.* or \
                 Protocol StringEquals http|ws & DestinationDomain Null true & DestinationIp IpAddress 203.0.113.0/24",
            ),
            (
                r#"http.host; content:"203.0.113.7"; startswith; endswith;"#,
                "Protocol StringEquals http|ws & DestinationDomain Null true & DestinationIp IpAddress 203.0.113.7/32",
            ),
            (
                r#"http.host; content:"."; pcre:"/^(?:[0-9]{1,3}\.){3}[0-9]{1,3}$/";"#,
                "Protocol StringEquals http|ws & DestinationDomain StringLike *.* & \
                 DestinationDomain StringMatches (?i)^(?:[0-9]{1,3}\\.){3}[0-9]{1,3}$ or \
                 Protocol StringEquals http|ws & DestinationDomain Null true & DestinationIp IpAddress 0.0.0.0/0",
            ),
            (
                r#"http.host; content:!"good.test"; endswith;"#,
                "Protocol StringEquals http|ws & DestinationDomain StringNotLike *good.test",
            ),
        ],
    );
    check(
        "reject",
        "tls",
        &[(
            r#"tls.sni; pcre:"/^10\.[0-9.]+$/";"#,
            "TlsSni StringMatches (?i)^10\\.[0-9\\.]+$ or Protocol StringEquals https|wss & \
             TlsSni Null true & DestinationDomain Null true & DestinationIp IpAddress 10.0.0.0/8",
        )],
    );
    check(
        "pass",
        "tls",
        &[(
            r#"tls.sni; pcre:"/^10\.[0-9.]+$/";"#,
            r"TlsSni StringMatches (?i)^10\.[0-9\.]+$",
        )],
    );
}

#[test]
fn requests() {
    check(
        "pass",
        "tcp",
        &[
            (
                r#"http.host; content:"x.test"; startswith; endswith;"#,
                "DestinationDomain StringEquals x.test",
            ),
            (
                r#"http.method; content:"POST"; startswith; endswith;"#,
                "Method StringEquals POST",
            ),
            (r#"http.method; content:"P";"#, "Method StringLike *P*"),
            (
                r#"http.user_agent; content:"curl|2f|8";"#,
                "UserAgent StringLike *curl/8*",
            ),
            (
                r#"http.user_agent; content:"a*b"; startswith;"#,
                r"UserAgent StringMatches ^a\*b",
            ),
            (
                r#"http.user_agent; to_lowercase; content:"curl";"#,
                "UserAgent StringMatches (?i)curl",
            ),
            (
                r#"http.user_agent; absent: or_else; content:!"curl";"#,
                "UserAgent Null true or UserAgent StringNotLike *curl*",
            ),
            (
                r#"http.header; content:"X-Team|3a 20|red|0d 0a|";"#,
                "Header/x-team StringEquals red",
            ),
            (
                r#"ja4.hash; content:"t13d"; startswith;"#,
                "Ja4 StringLike t13d*",
            ),
            (
                r#"ja4.hash; content:"_";"#,
                "Protocol StringEquals https|wss",
            ),
            (
                "app-layer-protocol:!tls;",
                "Protocol StringNotEquals https|wss",
            ),
            ("app-layer-protocol:!ssh;", "Protocol StringNotEquals tcp"),
            ("ip_proto:6;", ""),
            (
                "ip_proto:!TCP;",
                "unneeded: it is not about TCP, so it never meets what comes through a forward proxy",
            ),
        ],
    );
    check(
        "drop",
        "tcp",
        &[
            ("app-layer-protocol:ssh;", "Protocol StringEquals tcp"),
            ("app-layer-protocol:!ssh;", ""),
        ],
    );
}

#[test]
fn uris_are_seen_with_their_escapes() {
    check(
        "pass",
        "tcp",
        &[
            (
                r#"http.uri; content:"/a b"; startswith;"#,
                "Uri StringMatches ^(?:/|%2F)a%20b",
            ),
            (
                r#"content:"a.b?c"; http_uri; nocase;"#,
                r"Uri StringMatches [aA]\.[bB](?:\?|%3F)[cC]",
            ),
            (
                r#"http.uri; content:".exe"; endswith;"#,
                r"Uri StringNotMatches \? & Uri StringMatches \.exe$ or Uri StringMatches \?(?s:.*)\.exe$",
            ),
            (
                r#"http.uri; content:"/"; startswith; endswith;"#,
                r"Uri StringNotMatches \? & Uri StringMatches ^(?:/|%2F)$",
            ),
            (
                r#"http.uri; pcre:"/x[^\/]$/";"#,
                r"Uri StringNotMatches \? & Uri StringMatches x(?:[!-\$\&-\.0-\~]|%[0189ABCDEF][0-9A-F]|%2[0123456789ABC]|%3[ABCDEF]|%[46]0|%5[BDE]|%7[BCDF])$",
            ),
        ],
    );
    check(
        "drop",
        "tcp",
        &[
            (
                r#"http.uri; content:"é+";"#,
                r"Uri StringMatches %C3%A9(?:\+|%2B)",
            ),
            (
                r#"http.uri; pcre:"/\/(x|y)[0-9]/";"#,
                "Uri StringMatches (?:/|%2F|%5C)+(?:(?:[x-y]))(?:[0-9])",
            ),
            (
                r#"http.uri; pcre:"/\.(exe|dll)$/";"#,
                r"Uri StringNotMatches \? & Uri StringMatches \.(?:(?:exe|dll))$ or Uri StringMatches \?(?s:.*)\.(?:(?:exe|dll))$",
            ),
            (
                r#"http.uri; pcre:"/^\/v[0-9]+$/";"#,
                r"Uri StringNotMatches \? & Uri StringMatches ^(?:/|%2F|%5C)+v(?:(?:[0-9])){1,}$",
            ),
            (r#"pcre:"/^x/I";"#, "Uri StringMatches ^x"),
            ("urilen:>2;", "Uri StringMatches ^(?:[^%]|%[0-9A-F]{2}){3}"),
        ],
    );
}

#[test]
fn what_cannot_be_carried_over_is_told() {
    for (options, word) in [
        (r#"content:"x";"#, "bytes of the connection"),
        (r#"tls.cert_issuer; content:"x";"#, "certificates"),
        (r#"tls.fingerprint:"aa:bb";"#, "certificates"),
        ("tls.version:1.3;", "server chose"),
        (r#"tls.subject:"CN=x";"#, "certificates"),
        (r#"tls.issuerdn:"CN=x";"#, "certificates"),
        ("ja3.hash;", "no JA3"),
        ("ja4.hash;", "nothing is asked"),
        ("tls.sni;", "nothing is asked"),
        (r#"tls.sni:"x.test";"#, "without a value"),
        (r#"http_user_agent:"x";"#, "without a value"),
        (
            r#"tls.sni; content:"x.test"; dotprefix;"#,
            "right behind a buffer",
        ),
        (
            r#"tls.sni; content:"x.test"; http_host;"#,
            "in a buffer already",
        ),
        ("http_host;", "no content before it"),
        (r#"tls.sni; content:"a",nocase;"#, "quotes"),
        (r#"msg:"a; tls.sni; content:"x.test"; endswith;"#, "quotes"),
        (r#"tls.sni; content:x.test;"#, "in quotes"),
        (r#"tls.sni; content:"x"; nocase:1;"#, "not known here"),
        (r#"tls.sni; dotprefix; pcre:"/x/";"#, "behind `dotprefix`"),
        (r#"tls.sni; pcre:"/x/"; nocase;"#, "no content before it"),
        (
            r#"http.uri; content:"a"; content:!"b"; distance:1;"#,
            "negated",
        ),
        (
            r#"http.uri; content:"a"; distance:1;"#,
            "content before them",
        ),
        (r#"http.uri; pcre:"/(?=x)y/";"#, "look-around"),
        (r#"http.uri; pcre:"/(a)\1/";"#, "backreferences"),
        (r#"http.uri; pcre:"/a++/";"#, "possessive"),
        (r#"http.uri; pcre:"/a b/x";"#, "`x`"),
        (r#"http.uri; pcre:"/(?ix:a b)/";"#, "`x`"),
        (r#"http.uri; pcre:"/a\vb/";"#, "`\\v`"),
        (r#"http.uri.raw; content:"/x";"#, "what was sent"),
        ("urilen:<20,raw;", "normal form"),
        ("urilen:<20,odd;", "neither `norm` nor `raw`"),
        (
            r#"tls.sni; content:"x.test"; flow:to_client;"#,
            "answers pass",
        ),
        ("flowbits:toggle,x;", "only `set`"),
        ("frobnicate:1;", "not known"),
        ("frobnicate;", "not known"),
        ("geoip:dst,RU;", "countries"),
        (r#"http.user_agent; content:"|ff|";"#, "no text"),
        ("ssl_state:server_hello;", "client_hello"),
        ("ssl_version:tls1.2;", "server chose"),
        ("requires:version >= 8;", "which engine"),
        ("app-layer-protocol:nonsense;", "not known here"),
        ("detection_filter:track by_src, count 5, seconds 1;", "rate"),
        ("dataset:isset,x,type string;", "no buffer"),
        (
            r#"tls.sni; dataset:isset,x,type string,state y.lst;"#,
            "load FILE",
        ),
    ] {
        let shown = shown("pass", "tls", options);
        assert!(shown.contains(word), "{options}: {shown}");
        assert!(!shown.contains("String"), "{options}: {shown}");
    }
}

/// Options that are known, so that an unknown one stands in good company.
const KNOWN: [&str; 8] = [
    "msg:\"m\"",
    "tls.sni",
    "content:\"x.test\"",
    "endswith",
    "nocase",
    "flow:to_server",
    "sid:1",
    "metadata:a b",
];

/// Keywords of the language that have no meaning here.
const FOREIGN: [&str; 16] = [
    "tls.cert_serial",
    "ja3s.hash",
    "tls.certs",
    "byte_test:1,>,2,3",
    "dsize:<10",
    "lua:x.lua",
    "xbits:isset,a,track ip_src",
    "iprep:src,CnC,>,30",
    "tls_cert_valid",
    "ssh.proto",
    "stream_size:server,<,5",
    "filestore",
    "ttl:64",
    "icode:0",
    "http.request_body",
    "http.response_line",
];

proptest! {
    /// Wherever an option stands that nothing takes, the rule is not carried.
    #[test]
    fn an_option_that_is_not_known_never_vanishes(
        at in 0..=KNOWN.len(),
        word in "[a-z_.]{3,12}",
        value in proptest::option::of("[a-z0-9,<>!:= ]{0,8}"),
        foreign in proptest::option::of(0..FOREIGN.len()),
    ) {
        let option = match foreign {
            Some(foreign) => FOREIGN[foreign].to_owned(),
            None => value.map_or_else(|| word.clone(), |value| format!("x{word}:{value}")),
        };
        let is_known = KNOWN.iter().any(|known| known.split(':').next() == Some(option.as_str()));
        let takes_none = ["alert", "noalert", "prefilter", "startswith"].contains(&option.as_str());
        prop_assume!(!is_known && !takes_none);
        let mut options: Vec<&str> = KNOWN.to_vec();
        options.insert(at, &option);
        let options = format!("{};", options.join("; "));
        for action in ["pass", "drop", "alert"] {
            let shown = shown(action, "tls", &options);
            prop_assert!(!shown.contains("TlsSni"), "{}: {}", options, shown);
            prop_assert!(!shown.is_empty(), "{}", options);
        }
    }
}

/// Whether a formula over URIs holds, asked as rules ask: of the path, and of path and query.
fn holds(formula: &Formula, uri: &str) -> bool {
    match formula {
        Formula::Always => true,
        Formula::Never => false,
        Formula::All(parts) => parts.iter().all(|part| holds(part, uri)),
        Formula::Any(parts) => parts.iter().any(|part| holds(part, uri)),
        Formula::One(condition) => {
            let path = uri.split('?').next().unwrap();
            let matches = |text: &str| {
                let mut items = condition.values.items.iter();
                items.any(|item| {
                    let regex = regex_automata::meta::Builder::new()
                        .syntax(
                            regex_automata::util::syntax::Config::new()
                                .unicode(false)
                                .utf8(false),
                        )
                        .build(item)
                        .unwrap();
                    regex.is_match(text)
                })
            };
            (matches(path) || matches(uri)) != condition.operator.negated
        }
    }
}

/// The text that a firewall sees: escapes decoded.
fn decoded(uri: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = uri;
    while let [first, after @ ..] = rest {
        rest = after;
        out.push(match (first, after) {
            (b'%', [high, low, tail @ ..]) => {
                rest = tail;
                let digits = [*high, *low];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            (byte, _) => *byte,
        });
    }
    out
}

proptest! {
    /// What is asked of the normal form is what the rule asks of the decoded text.
    #[test]
    fn patterns_over_uris_see_the_decoded_text(
        uri in r"/(?:[a-c/ .?=+]|%2[0-9A-F]|%3[DF]|%41|%c3%a9){0,8}",
        bytes in r"[a-c/ .?=+\xe9]{1,3}",
        starts: bool,
        ends: bool,
        is_expression: bool,
    ) {
        let mut normal = Vec::new();
        sallyport_ruleset::normalize::normalize_uri(uri.as_bytes(), &mut normal);
        let text = decoded(&normal);
        let bytes = bytes.as_bytes();
        let expected = match (starts, ends) {
            (true, true) => text == bytes,
            (true, false) => text.starts_with(bytes),
            (false, true) => text.ends_with(bytes),
            (false, false) => text.windows(bytes.len()).any(|part| part == bytes),
        };
        let literal = Literal { bytes: bytes.to_vec(), starts, ends, nocase: false };
        let pattern = if is_expression {
            Pattern::Expression(Pattern::Literal(literal).expression())
        } else {
            Pattern::Literal(literal)
        };
        let mut checker = Checker::default();
        let normal = String::from_utf8(normal).unwrap();
        let found = |bound, checker: &mut Checker| {
            let (formula, difference) = uri::decoded(&pattern, bound, checker).unwrap();
            (holds(&formula, &normal), difference)
        };
        let (narrow, difference) = found(Bound::Narrower, &mut checker);
        // One that differs lets fewer pass, and says so.
        prop_assert!(narrow == expected || (difference.is_some() && !narrow), "{} {:?}", normal, pattern);
        let (wide, _) = found(Bound::Wider, &mut checker);
        prop_assert!(wide || !expected, "{} {:?}", normal, pattern);
    }
}
