//! Every operator from text to decision: compiled, loaded, evaluated, for absent fields and for
//! fields with several values.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot compile its rules has failed"
)]

use sallyport_rules::diagnostic::Colors;
use sallyport_rules::operator::OPERATORS;
use sallyport_rules::pipeline::{self, Options};
use sallyport_rules::source::MemoryFiles;
use sallyport_ruleset::reference::Reference;
use sallyport_ruleset::{
    Bundle, Decision, Fact, Facts, FieldValues, HeaderFields, Outcome, Phase, Protocol,
    ProtocolSet, evaluate,
};

/// Field lines named `x`.
struct Lines(Vec<&'static str>);

impl HeaderFields for Lines {
    fn for_each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        for line in &self.0 {
            visit(b"X", line.as_bytes());
        }
    }
}

/// Whether `when.KEY = { CONDITION }` holds over the facts, by the fast and the naive evaluator;
/// `None` if it is not known.
fn holds(condition: &str, facts: &Facts<'_>) -> Option<bool> {
    let text = format!(
        "[defaults]\npre_dns = \"allow\"\npre_request = \"allow\"\npost_response = \"allow\"\n\
         [[group]]\npriority = 1\nname = \"g\"\n[[group.post_response]]\nname = \"r\"\n\
         action = \"deny\"\nwhen.{condition}\n"
    );
    let compiled =
        pipeline::compile_str(&text, MemoryFiles::default(), &Options::default()).unwrap();
    let checked = compiled.checked;
    let problems = checked.diagnostics.render(&checked.sources, Colors::NONE);
    assert_eq!(checked.diagnostics.errors_count(), 0, "{problems}");
    let bundle = Bundle::load(compiled.emitted.unwrap().bytes).unwrap();
    let outcome = evaluate(&bundle, Phase::PostResponse, facts, &mut bundle.scratch());
    let ruleset = checked.ruleset.unwrap();
    let naive = Reference::new(&ruleset)
        .unwrap()
        .evaluate(Phase::PostResponse, facts);
    assert_eq!(outcome, naive.outcome, "{condition}");
    match outcome {
        Outcome::Decided(verdict) => Some(verdict.action == Decision::Deny),
        Outcome::Undetermined => None,
    }
}

/// Cases of one operator: the condition, and whether it holds for a field with the first value.
struct Case {
    operator: &'static str,
    key: &'static str,
    value: &'static str,
    set: fn(&mut Facts<'_>),
    expected: bool,
}

macro_rules! cases {
    ($($operator:ident $key:literal $value:literal, $field:ident = $fact:expr => $expected:literal;)+) => {
        vec![$(Case {
            operator: stringify!($operator),
            key: $key,
            value: $value,
            set: |facts| facts.$field = Fact::Known($fact),
            expected: $expected,
        },)+]
    };
}

fn cases() -> Vec<Case> {
    cases! {
        StringEquals "request:Http:UserAgent" r#""curl""#, user_agent = FieldValues::One(b"curl") => true;
        StringEquals "request:Http:UserAgent" r#"["wget", "curl"]"#, user_agent = FieldValues::One(b"curl") => true;
        StringEquals "request:Http:UserAgent" r#""curl""#, user_agent = FieldValues::One(b"Curl") => false;
        StringEquals "request:DestinationDomain" r#""Example.COM.""#, destination_domain = "example.com" => true;
        StringEquals "request:Http:Uri" r#""/a/%62/../c""#, uri = b"/a/c" => true;
        StringEquals "request:Http:Uri" r#""/a""#, uri = b"/a?q=1" => true;
        StringEquals "request:Http:Uri" r#""/a?q=2""#, uri = b"/a?q=1" => false;
        StringEquals "response:Http:ContentType" r#""text/html""#, response_content_type = FieldValues::One(b"Text/HTML; charset=utf-8") => true;
        StringEquals "response:Http:ContentType" r#""text/html; charset=ascii""#, response_content_type = FieldValues::One(b"text/html; charset=utf-8") => false;
        StringEquals "request:Protocol" r#""https""#, protocol = ProtocolSet::EMPTY.with(Protocol::Connect).with(Protocol::Https) => true;
        StringNotEquals "request:Http:UserAgent" r#"["wget", "curl"]"#, user_agent = FieldValues::One(b"curl") => false;
        StringNotEquals "request:Http:UserAgent" r#"["wget", "curl"]"#, user_agent = FieldValues::One(b"pip") => true;
        StringEqualsIgnoreCase "request:Http:UserAgent" r#""CURL""#, user_agent = FieldValues::One(b"cURL") => true;
        StringNotEqualsIgnoreCase "request:Http:UserAgent" r#""CURL""#, user_agent = FieldValues::One(b"cURL") => false;
        StringLike "request:Http:UserAgent" r#""curl/?.*""#, user_agent = FieldValues::One(b"curl/8.5/x") => true;
        StringLike "request:Http:UserAgent" r#""curl""#, user_agent = FieldValues::One(b"curl/8") => false;
        StringNotLike "request:Http:UserAgent" r#""curl/*""#, user_agent = FieldValues::One(b"curl/8") => false;
        StringMatches "request:Http:UserAgent" r#""[0-9]{2}""#, user_agent = FieldValues::One(b"a42b") => true;
        StringMatches "request:Http:UserAgent" r#""^[0-9]{2}""#, user_agent = FieldValues::One(b"a42b") => false;
        StringNotMatches "request:Http:UserAgent" r#""[0-9]{2}""#, user_agent = FieldValues::One(b"a4b2") => true;
        DomainMatch "request:DestinationDomain" r#""example.com""#, destination_domain = "a.b.example.com" => true;
        DomainMatch "request:DestinationDomain" r#""example.com""#, destination_domain = "notexample.com" => false;
        DomainMatch "request:TlsSni" r#""example.com""#, tls_sni = b"Example.com." => true;
        NotDomainMatch "request:DestinationDomain" r#""example.com""#, destination_domain = "example.com" => false;
        NumericEquals "response:Http:StatusCode" r#"[200, "404"]"#, status_code = 404 => true;
        NumericNotEquals "response:Http:StatusCode" r#"[200, 404]"#, status_code = 404 => false;
        NumericLessThan "response:Http:StatusCode" "400", status_code = 399 => true;
        NumericLessThan "response:Http:StatusCode" "400", status_code = 400 => false;
        NumericLessThanEquals "response:Http:StatusCode" "400", status_code = 400 => true;
        NumericGreaterThan "response:Http:StatusCode" "400", status_code = 400 => false;
        NumericGreaterThanEquals "response:Http:StatusCode" "400", status_code = 400 => true;
        NumericBetween "response:Http:StatusCode" "[400, 499]", status_code = 499 => true;
        NumericBetween "response:Http:StatusCode" r#"["100-199", "500-599"]"#, status_code = 499 => false;
        NumericBetween "response:Http:StatusCode" "[[100, 199], [400, 500]]", status_code = 499 => true;
        NumericNotBetween "response:Http:StatusCode" "[400, 499]", status_code = 500 => true;
        IpAddress "request:SourceIp" r#"["10.0.0.0/8", "::1"]"#, source_ip = "::ffff:10.1.2.3".parse().unwrap() => true;
        IpAddress "request:SourceIp" r#""10.0.0.1""#, source_ip = "10.0.0.2".parse().unwrap() => false;
        NotIpAddress "request:SourceIp" r#""10.0.0.0/8""#, source_ip = "11.0.0.1".parse().unwrap() => true;
        DateEquals "request:Time" r#""1970-01-02""#, time = 86_400 => true;
        DateNotEquals "request:Time" "86400", time = 86_400 => false;
        DateLessThan "request:Time" "1970-01-02T00:00:00Z", time = 86_399 => true;
        DateLessThanEquals "request:Time" r#""1970-01-02T01:00:00+01:00""#, time = 86_400 => true;
        DateGreaterThan "request:Time" "86400", time = 86_400 => false;
        DateGreaterThanEquals "request:Time" "86400", time = 86_400 => true;
        TimeOfDay "request:Time" r#""Fri 00:00-01:00""#, time = 86_400 => true;
        TimeOfDay "request:Time" r#""Mon-Fri 08:00-18:00 Europe/Zurich""#, time = 1_783_317_600 => true;
        NotTimeOfDay "request:Time" r#""Fri 00:00-01:00""#, time = 86_400 => false;
        Null "request:Http:UserAgent" "true", user_agent = FieldValues::One(b"x") => false;
        Null "request:Http:UserAgent" "false", user_agent = FieldValues::One(b"x") => true;
    }
}

#[test]
fn operators_over_known_unknown_and_absent_fields() {
    for Case {
        operator,
        key,
        value,
        set,
        expected,
    } in cases()
    {
        let condition = format!("\"{key}\" = {{ {operator} = {value} }}");
        let mut facts = Facts::unknown();
        assert_eq!(holds(&condition, &facts), None, "{condition}, unknown");
        set(&mut facts);
        assert_eq!(holds(&condition, &facts), Some(expected), "{condition}");
        let absent = Facts {
            source_ip: Fact::Absent,
            time: Fact::Absent,
            protocol: Fact::Absent,
            destination_domain: Fact::Absent,
            tls_sni: Fact::Absent,
            uri: Fact::Absent,
            user_agent: Fact::Absent,
            status_code: Fact::Absent,
            response_content_type: Fact::Absent,
            ..Facts::unknown()
        };
        let negated = OPERATORS
            .iter()
            .find(|one| one.name == operator)
            .unwrap()
            .negated;
        let for_absent = negated || (operator == "Null" && value == "true");
        assert_eq!(
            holds(&condition, &absent),
            Some(for_absent),
            "{condition}, absent"
        );
    }
}

#[test]
fn every_operator_has_a_case() {
    let cases = cases();
    for operator in OPERATORS {
        assert!(
            cases.iter().any(|case| case.operator == operator.name),
            "{}",
            operator.name
        );
    }
}

#[test]
fn several_values_of_a_field() {
    let lines = Lines(vec!["one", "two"]);
    let facts = Facts {
        response_headers: Fact::Known(&lines),
        ..Facts::unknown()
    };
    for (condition, expected) in [
        ("{ StringEquals = \"two\" }", true),
        ("{ StringEquals = [\"three\", \"one\"] }", true),
        ("{ StringEquals = \"three\" }", false),
        ("{ StringNotEquals = \"two\" }", false),
        ("{ StringNotEquals = \"three\" }", true),
        ("{ StringLike = \"t*\", StringNotLike = \"th*\" }", true),
        (
            "{ StringMatches = \"^o\", StringNotMatches = \"^t\" }",
            false,
        ),
        ("{ StringEqualsIgnoreCase = \"TWO\" }", true),
        ("{ Null = false }", true),
    ] {
        let condition = format!("\"response:Http:Header/x\" = {condition}");
        assert_eq!(holds(&condition, &facts), Some(expected), "{condition}");
    }
    let none = Lines(Vec::new());
    let facts = Facts {
        response_headers: Fact::Known(&none),
        ..Facts::unknown()
    };
    assert_eq!(
        holds("\"response:Http:Header/x\" = { Null = true }", &facts),
        Some(true)
    );
}

/// What a sender says twice, although it must not, is judged twice: recipients differ in which they
/// take.
#[test]
fn content_types_and_user_agents_of_several_values() {
    let lines = vec![
        (b"Content-Type".to_vec(), b"text/plain".to_vec()),
        (b"x".to_vec(), b"image/png".to_vec()),
        (
            b"content-TYPE".to_vec(),
            b"Text/HTML; a=\"b, c\" , a/b;c".to_vec(),
        ),
    ];
    let agents = vec![
        (b"User-Agent".to_vec(), b"one".to_vec()),
        (b"user-agent".to_vec(), b"two, three".to_vec()),
    ];
    let facts = Facts {
        content_type: Fact::Known(FieldValues::Named(&lines, "content-type")),
        response_content_type: Fact::Known(FieldValues::Named(&lines, "content-type")),
        user_agent: Fact::Known(FieldValues::Named(&agents, "user-agent")),
        ..Facts::unknown()
    };
    for (condition, expected) in [
        ("{ StringEquals = \"text/plain\" }", true),
        ("{ StringEquals = \"text/html\" }", true),
        ("{ StringEquals = \"a/b\" }", true),
        ("{ StringEquals = \"a/b;c\" }", true),
        ("{ StringEquals = \"image/png\" }", false),
        ("{ StringEquals = \"text/plain, a/b\" }", false),
        ("{ StringLike = \"a/*\" }", true),
        ("{ StringMatches = \"^a/b$\" }", true),
        ("{ StringNotEquals = \"a/b\" }", false),
        ("{ StringNotEquals = \"image/png\" }", true),
        (
            "{ \"ForAllValues:StringEquals\" = [\"text/plain\", \"a/b\"] }",
            false,
        ),
        (
            "{ \"ForAllValues:StringEquals\" = [\"text/plain\", \"a/b;c\", \"text/html\"] }",
            true,
        ),
        (
            "{ \"ForAllValues:StringLike\" = [\"text/*\", \"*;c\"] }",
            true,
        ),
        ("{ Null = true }", false),
    ] {
        for key in ["request:Http:ContentType", "response:Http:ContentType"] {
            let condition = format!("\"{key}\" = {condition}");
            assert_eq!(holds(&condition, &facts), Some(expected), "{condition}");
        }
    }
    for (condition, expected) in [
        ("{ StringEquals = \"one\" }", true),
        ("{ StringEquals = \"two, three\" }", true),
        ("{ StringEquals = \"three\" }", false),
        ("{ StringNotLike = \"*two*\" }", false),
        (
            "{ \"ForAllValues:StringLike\" = [\"one\", \"two*\"] }",
            true,
        ),
        ("{ \"ForAllValues:StringEquals\" = \"one\" }", false),
    ] {
        let condition = format!("\"request:Http:UserAgent\" = {condition}");
        assert_eq!(holds(&condition, &facts), Some(expected), "{condition}");
    }
    let facts = Facts {
        user_agent: Fact::Known(FieldValues::Named(&lines, "user-agent")),
        ..Facts::unknown()
    };
    let absent = "\"request:Http:UserAgent\" = { Null = true }";
    assert_eq!(holds(absent, &facts), Some(true), "no line of the name");
}

/// IAM's prefixes: the first column is the condition, then the answers for values that all fit, for
/// some that fit, for none that fits, and for an absent field.
#[test]
fn prefixes_ask_about_some_value_or_each() {
    const ROWS: [(&str, [bool; 4]); 8] = [
        (
            "\"ForAnyValue:StringEquals\" = [\"one\", \"two\"]",
            [true, true, false, false],
        ),
        (
            "\"ForAllValues:StringEquals\" = [\"one\", \"two\"]",
            [true, false, false, true],
        ),
        (
            "\"ForAnyValue:StringNotEquals\" = [\"one\", \"two\"]",
            [false, true, true, false],
        ),
        (
            "\"ForAllValues:StringNotEquals\" = [\"one\", \"two\"]",
            [false, false, true, true],
        ),
        (
            "\"ForAllValues:StringEqualsIgnoreCase\" = [\"One\", \"TWO\"]",
            [true, false, false, true],
        ),
        (
            "\"ForAllValues:StringLike\" = [\"o?e\", \"*wo\"]",
            [true, false, false, true],
        ),
        (
            "\"ForAllValues:StringMatches\" = [\"^o\", \"w\"]",
            [true, false, false, true],
        ),
        (
            "\"ForAnyValue:StringNotLike\" = \"*o*\"",
            [false, true, true, false],
        ),
    ];
    let fields: [Lines; 4] = [&["two", "one"][..], &["one", "three"], &["three"], &[]]
        .map(|lines| Lines(lines.to_vec()));
    for (condition, expected) in ROWS {
        for key in ["response:Http:Header/x", "request:SourceLabel/x"] {
            let condition = format!("\"{key}\" = {{ {condition} }}");
            let answers = fields.each_ref().map(|lines| {
                let facts = Facts {
                    response_headers: Fact::Known(lines),
                    source_labels: Fact::Known(lines),
                    ..Facts::unknown()
                };
                holds(&condition, &facts).unwrap()
            });
            assert_eq!(answers, expected, "{condition}");
            assert_eq!(holds(&condition, &Facts::unknown()), None, "{condition}");
        }
    }
}

#[test]
fn prefixes_for_fields_of_one_value() {
    let port = |port: Fact<u16>| Facts {
        destination_port: port,
        destination_domain: Fact::Known("www.example.com"),
        protocol: Fact::Known(
            ProtocolSet::EMPTY
                .with(Protocol::Connect)
                .with(Protocol::Https),
        ),
        ..Facts::unknown()
    };
    for (condition, port_443, port_80, absent) in [
        ("NumericEquals", true, false, true),
        ("NumericNotEquals", false, true, false),
    ] {
        let prefix = if condition == "NumericEquals" {
            "ForAllValues:"
        } else {
            "ForAnyValue:"
        };
        let condition =
            format!("\"request:DestinationPort\" = {{ \"{prefix}{condition}\" = 443 }}");
        let answer = |fact| holds(&condition, &port(fact)).unwrap();
        assert_eq!(answer(Fact::Known(443)), port_443, "{condition}");
        assert_eq!(answer(Fact::Known(80)), port_80, "{condition}");
        assert_eq!(answer(Fact::Absent), absent, "{condition}");
    }
    for (condition, expected) in [
        (
            "\"request:DestinationDomain\" = { \"ForAllValues:DomainMatch\" = \"example.com\" }",
            true,
        ),
        (
            "\"request:DestinationDomain\" = { \"ForAnyValue:NotDomainMatch\" = \"example.com\" }",
            false,
        ),
        (
            "\"request:Protocol\" = { \"ForAllValues:StringEquals\" = [\"connect\", \"https\"] }",
            true,
        ),
        (
            "\"request:Protocol\" = { \"ForAllValues:StringEquals\" = \"https\" }",
            false,
        ),
    ] {
        assert_eq!(
            holds(condition, &port(Fact::Absent)),
            Some(expected),
            "{condition}"
        );
    }
}
