//! Requests described key by key: what is absent, what ordinary clients are like, and what `diff` shows.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot run the binary has failed"
)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Exit code, output, errors.
fn ends(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sallyport-rules"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let (_, said, errors) = ends(folder, &[arguments, &["--json"]].concat());
    serde_json::from_str(&said).unwrap_or_else(|_| unreachable!("{arguments:?}: {said}{errors}"))
}

/// A policy of one group over open defaults.
fn write(folder: &Path, name: &str, rules: &str) {
    let head = "[defaults]\npre_dns = \"allow\"\npre_request = \"allow\"\npost_response = \"allow\"\n[[group]]\npriority = 1\nname = \"g\"\n";
    std::fs::write(folder.join(name), format!("{head}{rules}")).unwrap();
}

fn deny(phase: &str, condition: &str) -> String {
    format!("[[group.{phase}]]\nname = \"r\"\naction = \"deny\"\nwhen.{condition}\n")
}

/// Each key: where it is first known, and a condition that some value meets.
const KEYS: [(&str, &str, &str); 30] = [
    ("pre_dns", "request:SourceIp", r#"IpAddress = "10.0.0.0/8""#),
    ("pre_dns", "request:SourcePort", "NumericEquals = 7"),
    (
        "pre_dns",
        "request:SourceVpce",
        r#"StringEquals = "vpce-1""#,
    ),
    ("pre_dns", "request:SourceVpc", r#"StringLike = "vpc-?'*""#),
    (
        "pre_dns",
        "request:SourceAccount",
        r#"StringMatches = "^[0-9]{12}$""#,
    ),
    (
        "pre_dns",
        "request:SourceLabel/team",
        r#"StringEquals = "a b""#,
    ),
    (
        "pre_dns",
        "request:Principal",
        r#"StringEquals = ["é\\x", "\t"]"#,
    ),
    ("pre_dns", "request:Time", r#"DateLessThan = "1960-01-01""#),
    (
        "pre_dns",
        "request:Protocol",
        r#"StringEquals = "wss", StringNotEquals = "connect""#,
    ),
    (
        "pre_dns",
        "request:DestinationDomain",
        r#"DomainMatch = "example.com""#,
    ),
    (
        "pre_dns",
        "request:DestinationPort",
        "NumericBetween = [8000, 9000]",
    ),
    (
        "pre_request",
        "request:DestinationIp",
        r#"IpAddress = "fd00::/8""#,
    ),
    (
        "pre_request",
        "request:TlsSni",
        r#"StringEquals = "example.com""#,
    ),
    ("pre_request", "request:TlsSni", r#"StringMatches = 'a\.$'"#),
    (
        "pre_request",
        "request:TlsAlpn",
        r#""ForAllValues:StringEquals" = ["h2"], Null = false"#,
    ),
    (
        "pre_request",
        "request:TlsVersion",
        r#"StringEquals = "TLSv1.2""#,
    ),
    (
        "pre_request",
        "request:Ja4",
        r#"StringEquals = "t13d1516h2_8daaf6152771_02713d6af862""#,
    ),
    (
        "pre_request",
        "request:TlsEch",
        r#"StringEquals = "present""#,
    ),
    (
        "pre_request",
        "request:Http:Uri",
        r#"StringEquals = "/a?b=%27c""#,
    ),
    (
        "pre_request",
        "request:Http:Method",
        r#"StringEquals = "PURGE""#,
    ),
    (
        "pre_request",
        "request:Http:UserAgent",
        r#"StringLike = "x*", StringNotLike = "xy""#,
    ),
    (
        "pre_request",
        "request:Http:ContentType",
        r#"StringEquals = "text/plain;q=1""#,
    ),
    (
        "pre_request",
        "request:Http:Host",
        r#"StringEquals = "other.test""#,
    ),
    (
        "pre_request",
        "request:Http:ContentLength",
        r#"NumericGreaterThan = "18446744073709551614""#,
    ),
    (
        "pre_request",
        "request:Http:Header/X-Team",
        r#"StringEquals = "a\u0000""#,
    ),
    (
        "post_response",
        "response:Http:StatusCode",
        "NumericEquals = 451",
    ),
    (
        "post_response",
        "response:Http:ContentLength",
        "NumericEquals = 0",
    ),
    (
        "post_response",
        "response:Http:ContentType",
        r#"StringEquals = "image/png""#,
    ),
    (
        "post_response",
        "response:Http:Header/Server",
        r#"StringEquals = "x""#,
    ),
    (
        "post_response",
        "response:TlsIssuer",
        r#"StringLike = "*Let's*""#,
    ),
];

#[test]
fn any_key_can_be_absent() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (phase, key, _) in KEYS {
        write(
            folder,
            "absent.toml",
            &deny(phase, &format!("\"{key}\" = {{ Null = true }}")),
        );
        let asked = ["explain", "absent.toml", "--phase", phase];
        let outcome = |more: &[&str]| json(folder, &[&asked, more].concat())["decision"].clone();
        assert_eq!(outcome(&["--absent", key]), "deny", "{key}");
        assert_eq!(outcome(&[]), "undetermined", "{key}");
    }
    write(
        folder,
        "absent.toml",
        &deny("pre_dns", r#""request:Principal" = { Null = true }"#),
    );
    let asked = ["explain", "absent.toml", "--url", "http://a.test/"];
    for (more, expected) in [
        (&["--absent", "principal"][..], "deny"),
        (&["--absent", "vpce,Principal"], "deny"),
        (&["--principal", "ada"], "allow"),
        (&["--fact", "request:Principal=ada"], "allow"),
        (&["--unknown", "principal"], "undetermined"),
        (&[], "deny"),
    ] {
        assert_eq!(
            json(folder, &[&asked, more].concat())["decision"],
            expected,
            "{more:?}"
        );
    }
}

/// What `diff` shows of each key can be given to `explain` as it is printed, and is decided as it said.
#[test]
fn what_diff_shows_can_be_explained() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "old.toml", "");
    for (phase, key, condition) in KEYS {
        write(
            folder,
            "new.toml",
            &deny(phase, &format!("\"{key}\" = {{ {condition} }}")),
        );
        let found = json(folder, &["diff", "old.toml", "new.toml"]);
        let decisions = found["decisions"].as_array().unwrap();
        assert_eq!(decisions.len(), 1, "{key} {condition}: {found:#}");
        let decision = &decisions[0];
        let arguments: Vec<&str> = decision["explain"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap())
            .collect();
        for side in ["old", "new"] {
            let file = format!("{side}.toml");
            let said = json(
                folder,
                &[&["explain", &file], arguments.as_slice()].concat(),
            );
            assert_eq!(
                said["decision"], decision[side]["decision"],
                "{key} {arguments:?}"
            );
            assert_eq!(said["phases"].as_array().unwrap().len(), 1);
        }
        // The same as a line for a shell.
        let (_, text, _) = ends(folder, &["diff", "old.toml", "new.toml"]);
        let line = text
            .lines()
            .find(|line| line.contains("sallyport-rules explain"))
            .unwrap();
        let line = line.trim().strip_prefix("sallyport-rules ").unwrap();
        let command = format!("{} {line}", env!("CARGO_BIN_EXE_sallyport-rules"));
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(folder)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.ends_with("\ndecision: deny\n"), "{command}\n{said}");
    }
}

/// Time, source, port and protocol are there of every request: rules about their absence change nothing.
#[test]
fn diff_knows_what_every_request_has() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "old.toml", "");
    for (condition, code) in [
        (r#""request:Time" = { Null = true }"#, 0),
        (
            r#""request:SourceIp" = { NotIpAddress = ["0.0.0.0/0", "::/0"] }"#,
            0,
        ),
        (
            r#""request:SourceIp" = { NotIpAddress = ["0.0.0.0/0", "8000::/1"] }"#,
            1,
        ),
        (
            r#""request:SourcePort" = { NumericNotBetween = [0, 65535] }"#,
            0,
        ),
        (
            r#""request:DestinationPort" = { NumericNotEquals = 443, NumericBetween = [443, 443] }"#,
            0,
        ),
        (r#""request:Protocol" = { Null = true }"#, 0),
        (r#""request:DestinationDomain" = { Null = true }"#, 1),
        (r#""request:Principal" = { Null = true }"#, 1),
    ] {
        write(folder, "new.toml", &deny("pre_dns", condition));
        let (found, said, _) = ends(folder, &["diff", "old.toml", "new.toml"]);
        assert_eq!(found, Some(code), "{condition}\n{said}");
    }
}

/// Rules about what ordinary clients do not have.
fn ordinary_rules() -> String {
    let rule = |name: &str, phase: &str, condition: &str| {
        format!("[[group.{phase}]]\nname = \"{name}\"\naction = \"deny\"\nwhen.{condition}\n")
    };
    let rules = [
        rule(
            "endpoint",
            "pre_dns",
            r#""request:SourceVpce" = { StringEquals = "vpce-1" }"#,
        ),
        rule(
            "contractors",
            "pre_dns",
            r#""request:Principal" = { StringEquals = "ada" }"#,
        ),
        rule(
            "team",
            "pre_dns",
            r#""request:SourceLabel/team" = { StringEquals = "a" }"#,
        ),
        rule(
            "old-tls",
            "pre_request",
            r#""request:TlsVersion" = { StringNotEquals = "TLSv1.3", Null = false }"#,
        ),
        rule(
            "hidden",
            "pre_request",
            r#""request:TlsEch" = { Null = false }"#,
        ),
        rule(
            "spdy",
            "pre_request",
            r#""request:TlsAlpn" = { StringEquals = "spdy/3" }"#,
        ),
    ];
    rules.concat()
}

/// Who has no endpoint, no account, no label and no name is an ordinary client, not an open question.
#[test]
fn ordinary_clients_are_decided_about() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "rules.toml", &ordinary_rules());
    let asked = ["explain", "rules.toml", "--url", "https://a.test/"];
    let (code, said, _) = ends(folder, &asked);
    assert_eq!(code, Some(0));
    assert!(said.contains("\ndecision: allow\n"), "{said}");
    assert!(
        said.contains("assumed of an ordinary client: request:SourceVpce is absent; request:SourceLabel is absent; request:Principal is absent; request:TlsAlpn is h2, http/1.1; request:TlsVersion is TLSv1.3; request:TlsEch is absent ("),
        "{said}"
    );
    for (more, expected) in [
        (&["--unknown", "label"][..], "undetermined"),
        (&["--unknown", "request:TlsEch"], "undetermined"),
        (&["--label", "team=a"], "deny"),
        (&["--fact", "request:SourceLabel/team=a"], "deny"),
        (&["--fact", "request:TlsVersion=TLSv1.2"], "deny"),
        (
            &[
                "--fact",
                "request:TlsAlpn=h2",
                "--fact",
                "request:TlsAlpn=spdy/3",
            ],
            "deny",
        ),
        (&["--absent", "request:TlsVersion"], "allow"),
    ] {
        let said = json(folder, &[&asked, more].concat());
        assert_eq!(said["decision"], expected, "{more:?}");
    }
}

#[test]
fn what_is_given_is_not_assumed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "rules.toml", &ordinary_rules());
    let asked = ["explain", "rules.toml", "--url", "https://a.test/"];
    let said = json(folder, &[&asked[..], &["--principal", "eve"]].concat());
    assert_eq!(said["assumed"]["request:SourceVpce"], "absent");
    assert!(said["assumed"].get("request:Principal").is_none());
    // Of plain HTTP nothing of TLS is assumed: it is absent.
    let said = json(
        folder,
        &["explain", "rules.toml", "--url", "http://a.test/"],
    );
    assert!(said["assumed"].get("request:TlsVersion").is_none());
    assert_eq!(said["decision"], "allow");
}

#[test]
fn what_makes_no_sense_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "rules.toml", "");
    for (arguments, expected) in [
        (
            &["--phase", "pre_dns", "--absent", "request:Principle"][..],
            "did you mean `request:Principal`?",
        ),
        (
            &["--phase", "pre_dns", "--fact", "request:SourceIp=x"],
            "request:SourceIp is an IP address",
        ),
        (&["--phase", "pre_dns", "--method", "GET"], "need a `url`"),
        (
            &[
                "--url",
                "http://a.test/",
                "--absent",
                "vpc",
                "--absent",
                "request:SourceVpc",
            ],
            "is given twice",
        ),
        (&[], "--url"),
    ] {
        let (code, _, errors) = ends(folder, &[&["explain", "rules.toml"], arguments].concat());
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

/// Cases of `test` say the same, and what each phase decides.
#[test]
fn cases_can_be_told_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rules = deny("pre_request", r#""request:Ja4" = { StringLike = "t10*" }"#)
        + "[[group.pre_dns]]\nname = \"in\"\naction = \"allow\"\n";
    write(folder, "rules.toml", &rules);
    let cases = r#"
[[case]]
name = "old clients"
request = { url = "https://a.test/", fact = ["request:Ja4=t10d1516h2_8daaf6152771_02713d6af862"] }
expect = "deny"
pre_dns = { expect = "allow", rule = "in" }
pre_request = { expect = "deny", rule = "g/r" }
post_response = { expect = "not_reached" }

[[case]]
name = "no TLS at all"
request = { phase = "pre_request", absent = ["request:Ja4"] }
expect = "allow"
pre_request = { rule = "default" }

[[case]]
name = "nothing is known"
request = { phase = "pre_request" }
expect = "undetermined"
"#;
    std::fs::write(folder.join("cases.toml"), cases).unwrap();
    let (code, said, errors) = ends(folder, &["test", "rules.toml", "cases.toml"]);
    assert_eq!(code, Some(0), "{said}{errors}");
    assert!(said.ends_with("3 passed, 0 failed\n"), "{said}");
}

/// Patterns see path and query, each by itself or both together; whole values the path alone.
#[test]
fn patterns_for_a_path_see_the_query() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (condition, path, expected) in [
        (r#"StringLike = "*token=*""#, "/a?token=x", "deny"),
        (r#"StringLike = "*token=*""#, "/token=/a", "deny"),
        (r#"StringLike = "*token=*""#, "/a?tokens", "allow"),
        (r#"StringLike = "*token=""#, "/a?b&token=", "deny"),
        (r#"StringMatches = "token=[0-9]+$""#, "/a?token=12", "deny"),
        (r#"StringMatches = "^/a$""#, "/a?token=12", "deny"),
        (r#"StringMatches = '^/[^?]*\.png$'"#, "/a?x=.png", "allow"),
        (
            r#"StringMatches = '^/[^?]*\.png$'"#,
            "/a.png?x=.gif",
            "deny",
        ),
        (r#"StringLike = "/admin/*""#, "/admin/?x", "deny"),
        (r#"StringLike = "*.png""#, "/a.png?x=1", "deny"),
        (r#"StringLike = "*.png""#, "/a?x=.png", "deny"),
        (r#"StringLike = "/admin""#, "/admin?x=1", "deny"),
        (
            r#"StringNotLike = "*token=*", Null = false"#,
            "/a?token=x",
            "allow",
        ),
        (r#"StringEquals = "/a""#, "/a?b", "deny"),
        (
            r#""ForAllValues:StringLike" = "*token=*", Null = false"#,
            "/a?token=x",
            "deny",
        ),
    ] {
        write(
            folder,
            "rules.toml",
            &deny(
                "pre_request",
                &format!("\"request:Http:Uri\" = {{ {condition} }}"),
            ),
        );
        let url = format!("http://a.test{path}");
        let said = json(folder, &["explain", "rules.toml", "--url", &url]);
        assert_eq!(said["decision"], expected, "{condition} {path}");
    }
}

/// The compiler takes interception for granted where rules need it, and says so.
#[test]
fn what_compile_assumes_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let of_tunnels = deny(
        "pre_dns",
        r#""request:DestinationPort" = { NumericEquals = 22 }"#,
    );
    let of_heads = deny(
        "pre_request",
        r#""request:Http:Method" = { StringEquals = "PUT" }"#,
    );
    let of_responses = "[[group.post_response]]\nname = \"s\"\naction = \"allow\"\n";
    for (rules, more, expected) in [
        (of_tunnels.clone(), &[][..], None),
        (
            of_heads.clone(),
            &[],
            Some("TLS is intercepted: 1 rule needs what is inside it"),
        ),
        (
            [of_heads.as_str(), of_responses].concat(),
            &[],
            Some("TLS is intercepted: 2 rules need"),
        ),
        (of_heads.clone(), &["--tls", "passthrough"], None),
    ] {
        write(folder, "rules.toml", &rules);
        let (code, said, _) = ends(folder, &[&["check", "rules.toml"], more].concat());
        assert_eq!(code, Some(0));
        match expected {
            Some(expected) => assert!(said.contains(expected), "{said}"),
            None => assert!(!said.contains("TLS is intercepted"), "{said}"),
        }
    }
}
