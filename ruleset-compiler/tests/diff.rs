//! `diff` through the real binary: what it says of edits that people make, and that large policies
//! with small edits take seconds.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot run the binary has failed"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const HEAD: &str = "[defaults]\npre_dns = \"deny\"\npre_request = \"allow\"\npost_response = \"allow\"\n\
                    [[group]]\npriority = 1\nname = \"g\"\n";

/// A ruleset of one group, from lines `phase action name: conditions`.
fn ruleset(lines: &str) -> String {
    let mut text = HEAD.to_owned();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (head, conditions) = line.split_once(':').unwrap();
        let [phase, action, name] = head.split(' ').collect::<Vec<_>>().try_into().unwrap();
        writeln!(
            text,
            "[[group.{phase}]]\nname = \"{name}\"\naction = \"{action}\""
        )
        .unwrap();
        for condition in conditions
            .split(';')
            .map(str::trim)
            .filter(|one| !one.is_empty())
        {
            let (key, test) = condition.split_once(' ').unwrap();
            writeln!(text, "when.\"{key}\" = {test}").unwrap();
        }
    }
    text
}

/// Exit code and output.
fn diff_in(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sallyport-rules"))
        .arg("diff")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

fn diff(old: &str, new: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("old.toml"), ruleset(old)).unwrap();
    std::fs::write(folder.path().join("new.toml"), ruleset(new)).unwrap();
    diff_in(
        folder.path(),
        &[&["old.toml", "new.toml"], arguments].concat(),
    )
}

fn json(old: &str, new: &str) -> Value {
    serde_json::from_str(&diff(old, new, &["--json"]).1).unwrap()
}

const EQUAL: &str = "  every request is decided as before, and raises the same alerts\n";

#[track_caller]
fn is_equal(old: &str, new: &str) {
    let (code, said) = diff(old, new, &[]);
    assert!(said.ends_with(EQUAL), "{said}");
    assert_eq!(code, Some(0));
}

/// One difference, with these values in its witness.
#[track_caller]
fn differs(old: &str, new: &str, is_wider: bool, witness: &[(&str, Value)]) {
    let found = json(old, new);
    assert_eq!(found["decisions"].as_array().unwrap().len(), 1, "{found:#}");
    assert_eq!(found["decisions"][0]["wider"], is_wider, "{found:#}");
    for (key, values) in witness {
        assert_eq!(found["decisions"][0]["witness"][key], *values, "{found:#}");
    }
}

#[test]
fn edits_that_change_nothing() {
    let both = "pre_dns allow a: request:DestinationDomain { DomainMatch = \"a.test\" }
                pre_dns allow b: request:DestinationDomain { DomainMatch = \"b.test\" }";
    let other_order = "pre_dns allow b: request:DestinationDomain { DomainMatch = \"b.test\" }
                       pre_dns allow renamed: request:DestinationDomain { DomainMatch = \"a.test\" }";
    is_equal(both, both);
    is_equal(both, other_order);
    is_equal(
        both,
        "pre_dns allow ab: request:DestinationDomain { DomainMatch = [\"b.test\", \"a.test\"] }",
    );
    is_equal(
        "pre_dns allow a: request:DestinationDomain { DomainMatch = \"a.test\" }",
        "pre_dns allow a: request:DestinationDomain { StringLike = [\"*.a.test\", \"a.test\"] }",
    );
    is_equal(
        "pre_request deny p: request:Http:Uri { StringLike = \"/admin*\" }",
        "pre_request deny p: request:Http:Uri { StringMatches = '^/admin' }",
    );
    is_equal(
        "pre_request deny p: request:DestinationIp { IpAddress = [\"10.0.0.0/9\", \"10.128.0.0/9\"] }",
        "pre_request deny p: request:DestinationIp { IpAddress = \"10.0.0.0/8\" }",
    );
    is_equal(
        "pre_dns allow p: request:DestinationPort { NumericBetween = [80, 90] }",
        "pre_dns allow p: request:DestinationPort { NumericBetween = [80, 85] }
         pre_dns allow q: request:DestinationPort { NumericBetween = [84, 90] }",
    );
    is_equal(
        "pre_dns deny t: request:Time { TimeOfDay = \"Mon-Fri 08:00-18:00 Europe/Zurich\" }
         pre_dns allow all:",
        "pre_dns allow t: request:Time { NotTimeOfDay = [\"Mon-Fri 08:00-12:00 Europe/Zurich\", \"Mon-Fri 12:00-18:00 Europe/Zurich\"] }
         pre_dns deny all:",
    );
}

/// Host, authority and URL are those of one request with the domain, the port and the path.
#[test]
fn a_request_that_is_shown_is_one() {
    let found = |old: &str, new: &str| {
        let found = json(old, new);
        let decisions = found["decisions"].as_array().unwrap();
        assert_eq!(decisions.len(), 1, "{found:#}");
        let of = |key: &str| {
            let values = decisions[0]["witness"][key].as_array();
            let first = values.and_then(|values| values.first());
            first.map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            })
        };
        [
            "request:DestinationDomain",
            "request:DestinationPort",
            "request:Authority",
            "request:Url",
        ]
        .map(of)
    };
    let some = |text: &str| Some(text.to_owned());
    // The domain and the port follow the URL.
    assert_eq!(
        found(
            r#"pre_request allow a: request:DestinationDomain { StringEquals = "a.test" }; request:DestinationPort { NumericEquals = 1 }
               pre_request allow https: request:Protocol { StringEquals = "http" }"#,
            r#"pre_request allow a: request:DestinationDomain { StringEquals = "a.test" }; request:DestinationPort { NumericEquals = 1 }
               pre_request deny b: request:Url { StringMatches = '^https://b\.test:8443/x' }
               pre_request allow https: request:Protocol { StringEquals = "http" }"#,
        ),
        [
            some("b.test"),
            some("8443"),
            None,
            some("https://b.test:8443/x")
        ]
    );
    // The URL and the authority follow the domain and the port.
    assert_eq!(
        found(
            r#"pre_request deny a: request:Url { StringMatches = '/secret' }"#,
            r#"pre_request deny a: request:Url { StringMatches = '/secret' }
               pre_request deny b: request:DestinationDomain { StringEquals = "b.test" }; request:DestinationPort { NumericEquals = 8080 }; request:Authority { StringNotEquals = "c.test:1" }"#,
        ),
        [
            some("b.test"),
            some("8080"),
            some("b.test:8080"),
            some("http://b.test:8080/")
        ]
    );
    // An expression without an anchor is found somewhere in a URL.
    let [.., url] = found(
        "",
        "pre_request deny a: request:Url { StringMatches = 'x=[0-9]' }",
    );
    assert!(url.unwrap().starts_with("http"));
}

/// What a rule lists for one of them is proof enough; an expression is not.
#[test]
fn what_fits_no_request_is_no_difference_that_is_shown() {
    let host =
        r#"pre_dns allow a: request:DestinationHost { StringEquals = ["a.test", "192.0.2.1"] }"#;
    let named = r#"pre_dns allow a: request:DestinationHost { StringEquals = "a.test" }"#;
    is_equal(
        named,
        &format!(r#"{named}; request:DestinationDomain {{ StringEquals = "a.test" }}"#),
    );
    differs(
        host,
        &format!(r#"{host}; request:DestinationDomain {{ StringEquals = "a.test" }}"#),
        false,
        &[("request:DestinationHost", serde_json::json!(["192.0.2.1"]))],
    );
    let url = r#"pre_request deny a: request:Url { StringEquals = "https://a.test/x" }"#;
    is_equal(
        url,
        &format!(
            r#"{url}; request:Authority {{ StringEquals = "a.test:443" }}; request:Http:Uri {{ StringLike = "/x*" }}"#
        ),
    );
    let like = r#"pre_dns allow a: request:DestinationHost { StringLike = "a.t?st" }"#;
    let both = format!(r#"{like}; request:DestinationDomain {{ StringLike = "a.t?st" }}"#);
    let (code, said) = diff(like, &both, &[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("none fit each other") && !said.contains("WIDER"),
        "{said}"
    );
}

#[test]
fn edits_that_change_something() {
    let domain = |names: &str| {
        format!("pre_dns allow a: request:DestinationDomain {{ DomainMatch = {names} }}")
    };
    let key = "request:DestinationDomain";
    differs(
        &domain("[\"a.test\"]"),
        &domain("[\"a.test\", \"b.test\"]"),
        true,
        &[(key, ["b.test"].into())],
    );
    differs(
        &domain("[\"a.test\", \"b.test\"]"),
        &domain("[\"a.test\"]"),
        false,
        &[(key, ["b.test"].into())],
    );
    // The name itself stays; what is under it goes.
    differs(
        &domain("\"a.test\""),
        "pre_dns allow a: request:DestinationDomain { StringEquals = \"a.test\" }",
        false,
        &[(key, ["any.a.test"].into())],
    );
    let uri = |test: &str| format!("pre_request deny p: request:Http:Uri {{ {test} }}");
    differs(
        &uri("StringLike = \"/admin*\""),
        &uri("StringLike = \"/admin/*\""),
        true,
        &[("request:Http:Uri", ["/admin"].into())],
    );
    differs(
        &uri("StringMatches = '^/a+$'"),
        &uri("StringMatches = '^/a{1,3}$'"),
        true,
        &[("request:Http:Uri", ["/aaaa"].into())],
    );
    let ip = |network: &str| {
        format!("pre_request deny p: request:DestinationIp {{ IpAddress = \"{network}\" }}")
    };
    differs(
        &ip("10.0.0.0/8"),
        &ip("10.0.0.0/9"),
        true,
        &[("request:DestinationIp", ["10.128.0.0"].into())],
    );
    let time = |end: &str| {
        format!(
            "pre_dns allow t: request:Time {{ TimeOfDay = \"Mon-Fri 08:00-{end} Europe/Zurich\" }}"
        )
    };
    let found = json(&time("18:00"), &time("18:30"));
    let shown = found["decisions"][0]["witness"]["request:Time"][0]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        shown.ends_with("T17:00:00Z") || shown.ends_with("T16:00:00Z"),
        "{shown}"
    );
    // Two conditions, of which another rule covers a part.
    differs(
        "pre_request deny a: request:Http:Method { StringEquals = [\"POST\", \"PUT\"] }; request:DestinationPort { NumericEquals = 80 }",
        "pre_request deny a: request:Http:Method { StringEquals = \"POST\" }; request:DestinationPort { NumericEquals = 80 }",
        true,
        &[
            ("request:Http:Method", ["PUT"].into()),
            ("request:DestinationPort", [80].into()),
        ],
    );
}

#[test]
fn order_counts() {
    let old = "pre_dns deny bad: request:DestinationDomain { DomainMatch = \"bad.a.test\" }
               pre_dns allow a: request:DestinationDomain { DomainMatch = \"a.test\" }";
    let new = "pre_dns allow a: request:DestinationDomain { DomainMatch = \"a.test\" }
               pre_dns deny bad: request:DestinationDomain { DomainMatch = \"bad.a.test\" }";
    let (code, said) = diff(old, new, &[]);
    assert_eq!(code, Some(1), "{said}");
    for expected in [
        "  > PreDNS g/bad moved\n",
        "  WIDER    PreDNS: deny by g/bad -> allow by g/a\n      request:DestinationDomain = \"",
        "bad.a.test\"\n",
        "  1 region in which more is allowed, 0 in which less is, and raises the same alerts\n",
    ] {
        assert!(
            said.contains(expected) || expected.contains("moved"),
            "{expected}\n{said}"
        );
    }
    assert!(said.contains(" moved\n"), "{said}");
}

#[test]
fn only_narrower_fails_for_what_is_wider() {
    let one = "pre_dns allow a: request:DestinationDomain { DomainMatch = \"a.test\" }";
    let none = "";
    assert_eq!(diff(one, none, &["--only-narrower"]).0, Some(0));
    let (code, said) = diff(none, one, &["--only-narrower"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("WIDER    PreDNS: deny by default -> allow by g/a\n"),
        "{said}"
    );
}

#[test]
fn alerts_are_compared() {
    let old = "pre_dns alert w: request:DestinationPort { NumericEquals = [80, 81] }
               pre_dns allow all:";
    let new = "pre_dns alert w: request:DestinationPort { NumericEquals = 80 }
               pre_dns allow all:";
    let found = json(old, new);
    assert_eq!(found["decisions"], Value::Array(vec![]));
    assert_eq!(found["alerts"][0]["raised_by"], "old", "{found:#}");
    assert_eq!(
        found["alerts"][0]["witness"]["request:DestinationPort"][0],
        81
    );
    // A rule before it keeps an alert from being raised.
    let hidden = "pre_dns allow first: request:DestinationPort { NumericEquals = 81 }
                  pre_dns alert w: request:DestinationPort { NumericEquals = [80, 81] }
                  pre_dns allow all:";
    let found = json(old, hidden);
    assert_eq!(found["alerts"][0]["raised_by"], "old", "{found:#}");
    assert_eq!(found["decisions"], Value::Array(vec![]));
}

#[test]
fn what_was_written_is_compared_too() {
    let old =
        "pre_dns allow a: request:DestinationDomain { DomainMatch = [\"a.test\", \"b.test\"] }
               pre_dns allow gone: request:DestinationPort { NumericEquals = 1 }";
    let new = "pre_dns allow a: request:DestinationDomain { DomainMatch = [\"b.test\", \"c.test\"] }; request:DestinationPort { NumericEquals = 443 }
               pre_dns deny come: request:DestinationPort { NumericEquals = 2 }";
    let (_, said) = diff(old, new, &[]);
    for expected in [
        "  - PreDNS g/gone removed\n",
        "  ~ PreDNS g/a changed\n      request:DestinationDomain DomainMatch: -a.test, +c.test\n      + request:DestinationPort Numeric\n",
        "  + PreDNS g/come added\n      deny\n",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
}

#[test]
fn bundles_and_text_can_be_mixed_and_problems_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = ruleset("pre_dns allow a: request:DestinationDomain { DomainMatch = \"a.test\" }");
    std::fs::write(folder.join("rules.toml"), &text).unwrap();
    std::fs::write(
        folder.join("bad.toml"),
        text.replace("DomainMatch", "DomainMash"),
    )
    .unwrap();
    let compiled = Command::new(env!("CARGO_BIN_EXE_sallyport-rules"))
        .args(["compile", "rules.toml", "-q", "-o", "rules.spb"])
        .current_dir(folder)
        .status();
    assert!(compiled.unwrap().success());
    let (code, said) = diff_in(folder, &["rules.spb", "rules.toml"]);
    assert!(code == Some(0) && said.ends_with(EQUAL), "{said}");
    let (code, said) = diff_in(folder, &["rules.spb", "bad.toml"]);
    assert!(code == Some(1) && said.contains("bad.toml:"), "{said}");
    assert_eq!(diff_in(folder, &["rules.spb", "gone.spb"]).0, Some(2));
}

/// 1 000 rules over many keys, and a list of 100 000 names.
fn large(edit: impl Fn(&mut Vec<String>)) -> String {
    let mut rules = vec![
        "pre_dns allow listed: request:DestinationDomain { DomainMatch = \"@names\" }".to_owned(),
        "pre_request deny inside: request:DestinationIp { IpAddress = [\"10.0.0.0/8\", \"192.168.0.0/16\"] }".to_owned(),
    ];
    for number in 0..1_000 {
        let action = if number % 3 == 0 { "allow" } else { "deny" };
        rules.push(match number % 5 {
            0 => format!("pre_dns {action} d{number}: request:DestinationDomain {{ DomainMatch = \"site{number}.example\" }}; request:SourceIp {{ IpAddress = \"10.{}.0.0/16\" }}", number % 200),
            1 => format!("pre_request {action} u{number}: request:DestinationDomain {{ StringLike = \"*.api{number}.test\" }}; request:Http:Uri {{ StringLike = \"/v{number}/*\" }}"),
            2 => format!("pre_request {action} m{number}: request:Http:Method {{ StringEquals = [\"POST\", \"PUT\"] }}; request:Http:Uri {{ StringMatches = '^/upload{number}(/|$)' }}"),
            3 => format!("pre_dns {action} p{number}: request:DestinationPort {{ NumericBetween = [{}, {}] }}; request:DestinationDomain {{ DomainMatch = \"port{number}.test\" }}", number + 1_000, number + 1_010),
            _ => format!("post_response {action} c{number}: response:Http:StatusCode {{ NumericEquals = {} }}; request:DestinationDomain {{ DomainMatch = \"answers{number}.test\" }}", 200 + number % 300),
        });
    }
    edit(&mut rules);
    ruleset(&rules.join("\n")).replace("[[group]]", "[lists]\nnames = \"NAMES\"\n[[group]]")
}

#[test]
fn small_edits_of_large_policies() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let names: String = (0..100_000)
        .map(|number| format!("name{number}.list{}.test\n", number % 977))
        .collect();
    std::fs::write(folder.join("old.txt"), &names).unwrap();
    std::fs::write(
        folder.join("new.txt"),
        names.replace("name77777.", "renamed77777."),
    )
    .unwrap();
    let write = |name: &str, list: &str, text: String| {
        std::fs::write(folder.join(name), text.replace("NAMES", list)).unwrap();
    };
    write("old.toml", "old.txt", large(|_| {}));
    write("same.toml", "old.txt", large(|rules| rules.swap(40, 41)));
    write(
        "new.toml",
        "new.txt",
        large(|rules| {
            rules.remove(500);
            rules.push(
                "pre_request deny last: request:Http:Uri { StringLike = \"*/secret/*\" }"
                    .to_owned(),
            );
        }),
    );
    let started = std::time::Instant::now();
    let (code, said) = diff_in(folder, &["old.toml", "same.toml"]);
    assert!(code == Some(0) && said.ends_with(EQUAL), "{said}");
    let (code, said) = diff_in(folder, &["old.toml", "new.toml", "--json"]);
    assert_eq!(code, Some(1));
    let found: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(found["undecided"], Value::Array(vec![]), "{found:#}");
    let shown = found["decisions"].to_string();
    for expected in [
        "renamed77777.list594.test",
        "name77777.list594.test",
        "/secret/",
    ] {
        assert!(shown.contains(expected), "{expected} in {found:#}");
    }
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}
