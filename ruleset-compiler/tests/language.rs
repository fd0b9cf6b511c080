//! The tables of the language, exhaustively: each key in each phase, each operator on each key; and
//! lists of every kind.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot compile its rules has failed"
)]

use std::collections::BTreeSet;

use sallyport_rules::diagnostic::Code;
use sallyport_rules::ir::{PHASES, phase_key};
use sallyport_rules::operator::{ALL_PREFIX, ANY_PREFIX, OPERATORS, Operator, Question};
use sallyport_rules::pipeline::{self, Options};
use sallyport_rules::source::MemoryFiles;
use sallyport_ruleset::{Field, Phase, Ruleset, Test};

const DEFAULTS: &str =
    "[defaults]\npre_dns = \"deny\"\npre_request = \"allow\"\npost_response = \"allow\"\n";

fn compiled(text: &str, files: MemoryFiles) -> (BTreeSet<Code>, Option<Ruleset>) {
    let compiled = pipeline::compile_str(text, files, &Options::default()).unwrap();
    let found = compiled.checked.diagnostics.sorted();
    let codes = found.iter().map(|item| item.code).collect();
    assert_eq!(
        compiled.emitted.is_some(),
        compiled.checked.ruleset.is_some()
    );
    (codes, compiled.checked.ruleset)
}

fn one_condition(phase: Phase, condition: &str) -> String {
    let phase = phase_key(phase);
    format!(
        "{DEFAULTS}[[group]]\npriority = 1\nname = \"g\"\n[[group.{phase}]]\nname = \"r\"\n\
         action = \"allow\"\nwhen.{condition}\n"
    )
}

/// A value that the key can have, where the operator fits.
fn value(field: &Field, question: Question) -> &'static str {
    match (question, field) {
        (Question::Null, _) => "false",
        (Question::Between, _) => "[80, 443]",
        (Question::Number(_), _) => "\"443\"",
        (Question::Ip, _) => "\"2001:db8::/32\"",
        (Question::Date(_), _) => "\"2026-01-01\"",
        (Question::TimeOfDay, _) => "\"Mon-Fri 08:00-18:00 Europe/Zurich\"",
        (Question::Like | Question::Matches, Field::HttpUri) => "'/a*'",
        (Question::Like | Question::Matches, _) => "'a.b'",
        (_, Field::HttpUri) => "\"/a\"",
        (_, Field::Authority | Field::Url) => "\"a.b:443\"",
        (_, Field::Protocol) => "\"https\"",
        (_, Field::TlsVersion) => "\"TLSv1.3\"",
        (_, Field::TlsEch) => "\"present\"",
        (_, Field::Ja4) => "\"t13d1516h2_8daaf6152771_e5627efa2ab1\"",
        (_, Field::ResponseTlsSha256) => {
            "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF\""
        }
        _ => "\"a.b\"",
    }
}

fn keys() -> impl Iterator<Item = (String, Field)> {
    let words = Field::words().map(|(word, _)| word.to_owned());
    let named = Field::NAMED.map(|beginning| format!("{beginning}X-Team"));
    words.chain(named).map(|key| {
        let field = Field::parse(&key).unwrap();
        (key, field)
    })
}

#[test]
fn every_operator_on_every_key() {
    for (key, field) in keys() {
        for operator in OPERATORS {
            for prefix in ["", ANY_PREFIX, ALL_PREFIX] {
                let word = format!("{prefix}{}", operator.name);
                let condition = format!(
                    "\"{key}\" = {{ \"{word}\" = {} }}",
                    value(&field, operator.question)
                );
                let text = one_condition(Phase::PostResponse, &condition);
                let (codes, ruleset) = compiled(&text, MemoryFiles::default());
                if Operator::parse(&word).is_none() {
                    assert_eq!(
                        codes,
                        BTreeSet::from([Code::UnknownOperator]),
                        "{condition}"
                    );
                    assert_eq!(operator.question, Question::Null);
                } else if operator.fits(field.field_type()) {
                    assert_eq!(codes, BTreeSet::new(), "{condition}");
                    let ruleset = ruleset.unwrap();
                    let (_, rule) = ruleset.rules(Phase::PostResponse).next().unwrap();
                    assert_eq!(rule.conditions.len(), 1);
                } else {
                    assert_eq!(
                        codes,
                        BTreeSet::from([Code::OperatorDoesNotFit]),
                        "{condition}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_key_in_every_phase() {
    for (key, field) in keys() {
        for phase in PHASES {
            for key in [key.clone(), key.to_uppercase()] {
                let text = one_condition(phase, &format!("\"{key}\" = {{ Null = false }}"));
                let (codes, _) = compiled(&text, MemoryFiles::default());
                let expected = if field.is_available(phase) {
                    BTreeSet::new()
                } else {
                    BTreeSet::from([Code::KeyNotInPhase])
                };
                assert_eq!(codes, expected, "{key} in {phase}");
            }
        }
    }
}

/// The test of the only condition, with a list of this content.
fn listed(key: &str, operator: &str, content: &str) -> Test {
    let condition = format!("\"{key}\" = {{ {operator} = \"@list\" }}");
    let text = format!(
        "[lists]\nlist = \"list.txt\"\n{}",
        one_condition(Phase::PostResponse, &condition)
    );
    let files = MemoryFiles::default().with("list.txt", content);
    let (codes, ruleset) = compiled(&text, files);
    let is_doubt = |code: &Code| *code == Code::QueryCanMatch;
    assert!(codes.iter().all(is_doubt), "{content}: {codes:?}");
    let ruleset = ruleset.unwrap();
    let (_, rule) = ruleset.rules(Phase::PostResponse).next().unwrap();
    rule.conditions.first().unwrap().test.clone()
}

fn texts(values: &[&str]) -> sallyport_ruleset::ValueList {
    values.iter().copied().collect()
}

#[test]
fn lists_of_every_kind() {
    let domains = "# SaaS\r\nExample.COM.\r\n\r\n  b\u{fc}cher.example # IDNA\n#end";
    assert_eq!(
        listed("request:DestinationDomain", "DomainMatch", domains),
        Test::Domain(texts(&["example.com", "xn--bcher-kva.example"]))
    );
    let hosts =
        "127.0.0.1 localhost\n0.0.0.0 ads.example.com tracker.test # two\n::1 ip6-localhost\n";
    assert_eq!(
        listed("request:DestinationDomain", "DomainMatch", hosts),
        Test::Domain(texts(&["ads.example.com", "tracker.test"]))
    );
    let networks = "10.0.0.0/8 # site\n192.0.2.1\n2001:db8::/32\n::ffff:198.51.100.0/120\n";
    let Test::Ip(found) = listed("request:SourceIp", "IpAddress", networks) else {
        unreachable!("the operator says so");
    };
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "10.0.0.0/8",
            "192.0.2.1/32",
            "2001:db8::/32",
            "198.51.100.0/24"
        ]
    );
    let globs = "/wp-admin*\n*/.git/*\n/a?b#c\n/%7euser/*\n";
    assert_eq!(
        listed("request:Http:Uri", "StringLike", globs),
        Test::Glob(texts(&["/wp-admin*", "*/.git/*", "/a?b#c", "/~user/*"]))
    );
    let regexes = "(?i)bot\\b  # robots\n^Mozilla/[0-9]+ \\(compatible; #x\n[#&]\n";
    assert_eq!(
        listed("request:Http:UserAgent", "StringMatches", regexes),
        Test::Regex(texts(&[
            "(?i)bot\\b",
            "^Mozilla/[0-9]+ \\(compatible;",
            "[#&]"
        ]))
    );
    assert_eq!(
        listed(
            "request:DestinationPort",
            "NumericEquals",
            "443\n80\n8080 # test\n"
        ),
        Test::Number(vec![80..=80, 443..=443, 8080..=8080])
    );
}

#[test]
fn problems_in_lists_are_told_where_they_stand() {
    let condition = "\"request:DestinationDomain\" = { DomainMatch = [\"a.test\", \"@list\"] }";
    let text = format!(
        "[lists]\nlist = \"list.txt\"\n{}",
        one_condition(Phase::PreDns, condition)
    );
    let files = MemoryFiles::default().with("list.txt", "good.test\n# b\n  bad name\n*.x.test\n");
    let compiled = pipeline::compile_str(&text, files, &Options::default()).unwrap();
    let checked = compiled.checked;
    let places: Vec<_> = checked
        .diagnostics
        .sorted()
        .iter()
        .map(|item| {
            let place = checked.sources.place(item.span);
            (
                item.code,
                checked.sources.name(item.span.file).to_owned(),
                place.line_number,
                place.column,
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            (Code::BadDomain, "list.txt".to_owned(), 3, 3),
            (Code::BadDomain, "list.txt".to_owned(), 4, 1),
        ]
    );
}
