//! Logs decided again: `replay` and `stats`, through the real binary, on real files and pipes.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot run the binary has failed"
)]

mod common;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use common::{compiled, ends, succeeds, text, write};

/// Its words with one space between them: how wide columns are is no matter.
fn squeezed(text: &str) -> String {
    let line = |line: &str| {
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let end = if line.ends_with('\n') { "\n" } else { "" };
        words + end
    };
    text.split_inclusive('\n').map(line).collect()
}

/// Lines as the engine writes them, with what the example rules of the demo decide.
fn log() -> String {
    let mut log = String::new();
    let head = r#"{"ts":"2026-11-20T12:00:00.000001Z","event":"#;
    let client = r#""conn":"00000000000000aa","core":0,"client_ip":"127.0.0.1","client_port":40000,"proto":"http","method":"GET""#;
    let mut line = |event: &str, txn: u32, rest: &str| {
        writeln!(
            log,
            "{head}\"{event}\",\"txn\":\"{txn:016x}\",{client},{rest}}}"
        )
        .unwrap();
    };
    let ok = r#""port":8080,"dst_ip":"127.0.0.1","tls_mode":"none","uri":"/","status":200,"phase":"PostRESPONSE","action":"allow""#;
    line(
        "transaction",
        1,
        &format!(r#""domain":"api.allowed.test",{ok}"#),
    );
    line("deny", 2, r#""domain":"denied.test","port":8080"#);
    // Denied by the demo's rules; the log says it was allowed.
    line("transaction", 2, &format!(r#""domain":"denied.test",{ok}"#));
    line(
        "transaction",
        3,
        r#""domain":"unlisted.test","port":80,"tls_mode":"none","uri":"/","status":403,"phase":"PreDNS","action":"deny","error":"http_request_denied""#,
    );
    line(
        "transaction",
        4,
        r#""status":400,"error":"http_request_error""#,
    );
    log.push_str("not json\n");
    log
}

#[test]
fn logs_are_decided_again() {
    let folder = compiled("demo.toml");
    let folder = folder.path();
    write(folder, "access.jsonl", &log());
    let (_, said, _) = ends(folder, &["replay", "rules.spb", "access.jsonl"]);
    assert!(
        said.contains("           1  request:Http:ContentLength\n"),
        "{said}"
    );
    let arguments = ["replay", "rules.spb", "access.jsonl", "--assume-absent"];
    let (code, said, _) = ends(folder, &arguments);
    assert_eq!(code, Some(1), "{said}");
    for expected in [
        "4 transactions in ",
        "allow                            2           1\n",
        "deny                             1           2\n",
        "not decided by rules             1\n",
        "other lines                      1\n",
        "unreadable lines                 1\n",
        "1 would be decided differently\n",
        "allow by default -> deny by demo/demo-denied-host (PreDNS)\n",
        "0000000000000002: GET denied.test:8080/: ",
    ] {
        assert!(
            squeezed(&said).contains(&squeezed(expected)),
            "{expected}\n{said}"
        );
    }
    for threads in ["1", "3"] {
        let arguments = [
            "replay",
            "rules.spb",
            "access.jsonl",
            "--json",
            "--threads",
            threads,
        ];
        let (_, json, _) = ends(folder, &arguments);
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["transactions"], 4);
        assert_eq!(json["changed"], 1);
        assert_eq!(json["now"]["deny"], 2);
        assert_eq!(json["changes"][0]["now"]["by"]["rule"], "demo-denied-host");
    }
    assert_eq!(
        ends(folder, &["replay", "rules.spb", "gone.jsonl"]).0,
        Some(2)
    );
}

#[test]
fn threads_do_not_change_a_report() {
    let folder = compiled("demo.toml");
    let folder = folder.path();
    let (good, bad): (Vec<_>, Vec<_>) = log()
        .lines()
        .map(|line| format!("{line}\n"))
        .partition(|line| line.starts_with('{'));
    assert_eq!(bad.len(), 1);
    let good = good.concat();
    let late = [good.repeat(40), bad.concat(), good.repeat(3)].concat();
    for (log, expected) in [
        (log().repeat(50), 50),
        (late, 1),
        (good, 0),
        (String::new(), 0),
    ] {
        write(folder, "access.jsonl", &log);
        let report = |threads: &[&str]| {
            let arguments = ["replay", "rules.spb", "access.jsonl", "--assume-absent"];
            let (code, said, errors) = ends(folder, &[&arguments, threads].concat());
            assert_eq!(errors, "");
            let lines = said.lines().filter(|line| !line.contains("/s"));
            let lines = lines.map(|line| line.split(" s, decided").last().unwrap().to_owned());
            (code, lines.collect::<Vec<_>>())
        };
        let one = report(&["--threads", "1"]);
        for threads in ["2", "7", "64", "100000"] {
            assert_eq!(report(&["--threads", threads]), one, "{threads} threads");
        }
        assert_eq!(report(&[]), one);
        if let Some(at) = log.lines().position(|line| !line.starts_with('{')) {
            let before: usize = log.lines().take(at).map(|line| line.len() + 1).sum();
            let said = format!("the first unreadable line, at byte {before}: no JSON object");
            assert!(one.1.contains(&said), "{one:?}");
            let count = format!("unreadable lines {expected}");
            let is_count = |line: &String| squeezed(line).starts_with(&count);
            assert!(one.1.iter().any(is_count), "{one:?}");
        }
    }
}

#[test]
fn what_a_log_lacks_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(
        folder,
        "rules.toml",
        "[defaults]\npre_dns = \"allow\"\npre_request = \"allow\"\npost_response = \"allow\"\n[[group]]\npriority = 1\nname = \"g\"\n[[group.pre_request]]\nname = \"r\"\naction = \"deny\"\nwhen.\"request:Http:Header/X-Team\" = { StringEquals = \"a\" }\n",
    );
    succeeds(folder, &["compile", "rules.toml", "-q", "-o", "rules.spb"]);
    write(folder, "access.jsonl", &log());
    let (code, said, _) = ends(folder, &["replay", "rules.spb", "access.jsonl"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(squeezed(&said).contains("cannot be replayed 3\n"), "{said}");
    assert!(
        said.contains("           3  request:Http:Header\n"),
        "{said}"
    );
}

#[test]
fn rules_that_are_never_hit_are_found() {
    let folder = compiled("demo.toml");
    let folder = folder.path();
    write(folder, "access.jsonl", &log());
    let said = succeeds(folder, &["stats", "rules.spb", "--log", "access.jsonl"]);
    assert!(
        said.contains("4 logged transactions, decided again"),
        "{said}"
    );
    let never: usize = said
        .lines()
        .last()
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let json = succeeds(
        folder,
        &["stats", "rules.spb", "--log", "access.jsonl", "--json"],
    );
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["never_hit"].as_array().unwrap().len(), never);
    let of = |name: &str| {
        let rules = json["rules"].as_array().unwrap();
        rules.iter().find(|rule| rule["rule"] == name).unwrap()["hits"]
            .as_u64()
            .unwrap()
    };
    assert_eq!((of("demo-denied-host"), of("demo-allowed-hosts")), (1, 1));

    let id = json["bundle"].as_str().unwrap();
    let hits = format!(
        r#"{{"bundle":"{id}","since":"2026-11-01T00:00:00Z","rules":[
        {{"phase":"PreDNS","group":"demo","rule":"demo-denied-host","hits":7,"last_hit":"2026-11-20T12:00:00Z"}},
        {{"phase":"PreDNS","group":"demo","rule":"gone","hits":1,"last_hit":null}}]}}"#
    );
    write(folder, "hits.json", &hits);
    let said = succeeds(folder, &["stats", "rules.spb", "--hits", "hits.json"]);
    for expected in [
        "hits since 2026-11-01T00:00:00Z\n",
        "1 counted rules are not in this bundle\n",
        "           7 100.00 %  PreDNS        deny   demo-denied-host  2026-11-20T12:00:00Z\n",
    ] {
        assert!(
            squeezed(&said).contains(&squeezed(expected)),
            "{expected}\n{said}"
        );
    }
    write(folder, "hits.json", "{");
    assert_eq!(
        ends(folder, &["stats", "rules.spb", "--hits", "hits.json"]).0,
        Some(2)
    );
    assert_eq!(ends(folder, &["stats", "rules.spb"]).0, Some(2));
}

/// What a line names was hit, though the line tells too little of to be decided again, whichever bundle
/// named it. Lines of what goes on, and of connections without a request, are no transactions.
#[test]
fn rules_that_a_line_names_were_hit() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(
        folder,
        "rules.toml",
        "[defaults]\npre_dns = \"allow\"\npre_request = \"allow\"\npost_response = \"allow\"\n[[group]]\npriority = 1\nname = \"g\"\n[[group.pre_request]]\nname = \"r\"\naction = \"deny\"\nwhen.\"request:Http:Header/X-Team\" = { StringEquals = \"a\" }\n",
    );
    succeeds(folder, &["compile", "rules.toml", "-q", "-o", "rules.spb"]);
    let inspected = succeeds(folder, &["inspect", "rules.spb", "--json"]);
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let id = inspected["id"].as_str().unwrap();
    let line = |event: &str, bundle: &str, more: &str| {
        format!(
            r#"{{"ts":"2026-11-20T12:00:00.000001Z","event":"{event}","conn":"00000000000000aa","core":0,"bundle":"{bundle}","client_ip":"127.0.0.1","client_port":40000{more}}}"#
        ) + "\n"
    };
    let denied = r#","txn":"0000000000000001","proto":"http","method":"GET","domain":"a.test","port":80,"tls_mode":"none","uri":"/","status":403,"phase":"PreREQUEST","action":"deny","rule":"r","group":"g","decisions":[{"phase":"PreDNS","action":"allow"},{"phase":"PreREQUEST","action":"deny","rule":"r","group":"g"}]"#;
    let log = [
        line("transaction", id, denied),
        line("transaction", "another", denied),
        line("start", id, denied),
        line("progress", id, denied),
        line(
            "connection",
            id,
            r#","error":"tls_protocol_error","detail":"no TLS""#,
        ),
    ];
    write(folder, "access.jsonl", &log.concat());
    let said = succeeds(
        folder,
        &["stats", "rules.spb", "--log", "access.jsonl", "--json"],
    );
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["rules"][0]["hits"], 2, "{said:#}");
    assert_eq!(said["rules"][0]["mentions"], 2, "{said:#}");
    let lines = &said["lines"];
    assert_eq!(lines["transactions"], 2);
    assert_eq!(lines["cannot_be_decided"], 2);
    assert_eq!(lines["missing"]["request:Http:Header"], 2);
    assert_eq!(lines["of_other_bundles"], 1);
    assert_eq!(lines["other_lines"], 3);
    let (_, said, _) = ends(folder, &["replay", "rules.spb", "access.jsonl", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["transactions"], 2, "{said:#}");
}

/// A policy of one group `g` over open defaults, compiled; and its id.
fn policy(folder: &Path, rules: &str) -> String {
    let head = "[defaults]\npre_dns = \"allow\"\npre_request = \"allow\"\npost_response = \"allow\"\n[[group]]\npriority = 1\nname = \"g\"\n";
    write(folder, "rules.toml", &format!("{head}{rules}"));
    succeeds(folder, &["compile", "rules.toml", "-q", "-o", "rules.spb"]);
    let said = succeeds(folder, &["inspect", "rules.spb", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    said.get("id").and_then(Value::as_str).unwrap().to_owned()
}

fn stats(folder: &Path) -> Value {
    let arguments = ["stats", "rules.spb", "--log", "access.jsonl", "--json"];
    serde_json::from_str(&succeeds(folder, &arguments)).unwrap()
}

/// Each phase's rule counts, and each alert, also where a phase cannot be decided again; a rule that
/// only a transaction under way names is not called unused.
#[test]
fn all_that_lines_name_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rule = |phase: &str, name: &str, action: &str, condition: &str| {
        format!("[[group.{phase}]]\nname = \"{name}\"\naction = \"{action}\"\nwhen.{condition}\n")
    };
    let header = |name: &str| format!(r#""request:Http:Header/{name}" = {{ StringEquals = "a" }}"#);
    let rules = [
        rule(
            "pre_dns",
            "partners",
            "allow",
            r#""request:DestinationDomain" = { DomainMatch = "a.test" }"#,
        ),
        rule("pre_request", "noted", "alert", &header("X-A")),
        rule("pre_request", "labeled", "allow", &header("X-B")),
        rule("pre_request", "streams", "allow", &header("X-C")),
        rule("pre_request", "idle", "deny", &header("X-D")),
        rule(
            "post_response",
            "programs",
            "allow",
            r#""response:Http:Header/X-E" = { StringEquals = "a" }"#,
        ),
    ];
    let id = policy(folder, &rules.concat());
    let line = |event: &str, rule: &str, more: &str| {
        format!(
            r#"{{"ts":"2026-11-20T12:00:00Z","event":"{event}","txn":"01","bundle":"{id}","client_ip":"127.0.0.1","client_port":4,"proto":"http","method":"GET","domain":"x.a.test","port":80,"tls_mode":"none","uri":"/","status":200,"phase":"PostRESPONSE","action":"allow","decisions":[{{"phase":"PreDNS","action":"allow","rule":"partners","group":"g"}},{{"phase":"PreREQUEST","action":"allow","rule":"{rule}","group":"g"}}{more}"#
        ) + "\n"
    };
    let end = r#",{"phase":"PostRESPONSE","action":"allow","rule":"programs","group":"g"}],"alerts":["noted"]}"#;
    let log = [
        line("transaction", "labeled", end),
        line("transaction", "renamed", end),
        line("start", "streams", "]}"),
        "{\"ts\":1}\n".to_owned(),
    ];
    write(folder, "access.jsonl", &log.concat());
    let said = stats(folder);
    let of = |name: &str| {
        let rules = said["rules"].as_array().unwrap();
        let row = rules.iter().find(|rule| rule["rule"] == name).unwrap();
        (
            row["hits"].as_u64().unwrap(),
            row["mentions"].as_u64().unwrap(),
        )
    };
    assert_eq!(of("partners"), (2, 1));
    assert_eq!(of("labeled"), (1, 0));
    assert_eq!(of("programs"), (2, 0));
    assert_eq!(of("noted"), (2, 0));
    assert_eq!(of("streams"), (0, 1));
    assert_eq!(said["never_hit"], serde_json::json!(["g/idle"]));
    assert_eq!(said["lines"]["unknown_rules_named"], 1);
    assert_eq!(said["lines"]["unreadable_lines"], 1);
    let said = succeeds(folder, &["stats", "rules.spb", "--log", "access.jsonl"]);
    for expected in [
        "  2 logged transactions, decided again\n",
        "  2 cannot be decided to the end, as rules ask for what the log does not tell (request:Http:Header 2)",
        "  1 unreadable line not counted, the first at byte ",
        "g: 1 of 6 rules never hit\n",
    ] {
        assert!(
            squeezed(&said).contains(&squeezed(expected)),
            "{expected}\n{said}"
        );
    }
    let is_named =
        |line: &str| line.contains(" streams ") && line.ends_with("  named by 1 other line");
    assert!(said.lines().any(is_named), "{said}");
}

/// What this bundle did stands against what it would do; another bundle's names stand aside.
#[test]
fn a_logged_decision_stands_against_one_that_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rule = |name: &str, domain: &str| {
        format!(
            "[[group.pre_dns]]\nname = \"{name}\"\naction = \"deny\"\nwhen.\"request:DestinationDomain\" = {{ DomainMatch = \"{domain}\" }}\n"
        )
    };
    let id = policy(
        folder,
        &[rule("now", "a.test"), rule("then", "b.test")].concat(),
    );
    let line = |bundle: &str| {
        format!(
            r#"{{"ts":"2026-11-20T12:00:00Z","event":"transaction","bundle":"{bundle}","domain":"a.test","port":80,"method":"GET","phase":"PreDNS","action":"deny","rule":"then","group":"g"}}"#
        ) + "\n"
    };
    for (bundle, now, then) in [(id.as_str(), (0, 0), (1, 0)), ("older", (1, 0), (0, 1))] {
        write(folder, "access.jsonl", &line(bundle));
        let said = stats(folder);
        for (name, (hits, mentions)) in [("now", now), ("then", then)] {
            let rules = said["rules"].as_array().unwrap();
            let row = rules.iter().find(|rule| rule["rule"] == name).unwrap();
            assert_eq!(
                (&row["hits"], &row["mentions"]),
                (&hits.into(), &mentions.into()),
                "{bundle} {name}"
            );
        }
    }
}

/// Exit code, output, errors, with something on standard input.
fn fed(folder: &Path, arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sallyport-rules"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // What is refused by its first bytes is not read to its end.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

#[test]
fn compressed_logs_and_pipes_are_read() {
    let folder = compiled("demo.toml");
    let folder = folder.path();
    let log = log().repeat(5).into_bytes();
    let report = |said: &str| -> Value {
        let mut said: Value = serde_json::from_str(said).unwrap();
        said["seconds"] = Value::Null;
        said
    };
    let replay = |path: &str, input: &[u8]| {
        let (code, said, errors) = fed(
            folder,
            &["replay", "rules.spb", path, "--assume-absent", "--json"],
            input,
        );
        assert_eq!((code, errors.as_str()), (Some(1), ""), "{path}");
        report(&said)
    };
    let count = |path: &str, input: &[u8]| {
        let (code, said, errors) = fed(
            folder,
            &["stats", "rules.spb", "--log", path, "--json"],
            input,
        );
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{path}");
        report(&said)
    };
    std::fs::write(folder.join("plain"), &log).unwrap();
    let (replayed, counted) = (replay("plain", b""), count("plain", b""));
    assert_eq!(replayed["changed"], 5);
    for (name, bytes) in [
        ("log.gz", gzip(&log)),
        (
            "two-members",
            [gzip(&log[..100]), gzip(&log[100..])].concat(),
        ),
        ("log.zst", zstd::encode_all(&*log, 1).unwrap()),
        ("text", log.clone()),
    ] {
        std::fs::write(folder.join(name), &bytes).unwrap();
        assert_eq!(replay(name, b""), replayed, "{name}");
        assert_eq!(count(name, b""), counted, "{name}");
        assert_eq!(replay("-", &bytes), replayed, "{name}");
        assert_eq!(count("-", &bytes), counted, "{name}");
        assert_eq!(replay("/dev/stdin", &bytes), replayed, "{name}");
    }
}

#[test]
fn what_is_no_log_is_an_error() {
    let folder = compiled("demo.toml");
    let folder = folder.path();
    let mut cut = gzip(log().repeat(100).as_bytes());
    cut.truncate(cut.len() / 2);
    let utf16: Vec<u8> = log().encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (content, expected) in [
        (
            b"<html>\n<body>\n".to_vec(),
            "this is no access log: at byte 0: no JSON object",
        ),
        (b"\0\x01\x02".to_vec(), "this is no access log"),
        (
            b"{\"level\":\"info\",\"msg\":\"x\"}\n".to_vec(),
            "no `ts`, or an `event` that is not known",
        ),
        (
            b"[{\"ts\":\"2026-11-20T12:00:00Z\"}]".to_vec(),
            "this is no access log",
        ),
        (
            std::fs::read(folder.join("rules.spb")).unwrap(),
            "this is no access log",
        ),
        (b"\xfd7zXZ\0\0".to_vec(), "compressed by xz"),
        ([b"\xff\xfe".to_vec(), utf16].concat(), "text in UTF-16"),
        (gzip(b"no log\n"), "this is no access log"),
        (cut, "cannot read"),
    ] {
        std::fs::write(folder.join("file"), &content).unwrap();
        for arguments in [
            &["replay", "rules.spb", "file"][..],
            &["stats", "rules.spb", "--log", "file"],
        ] {
            let (code, said, errors) = ends(folder, arguments);
            assert_eq!(code, Some(2), "{arguments:?} {expected}\n{said}{errors}");
            assert!(
                errors.contains(expected),
                "{arguments:?} {expected}\n{errors}"
            );
        }
    }
    // A log that was just rotated has nothing in it, and nothing is said about what would change.
    write(folder, "file", "");
    let (code, said, _) = ends(folder, &["replay", "rules.spb", "file"]);
    assert_eq!(code, Some(0));
    assert!(
        said.contains("there is no transaction in this log\n"),
        "{said}"
    );
}

/// Nothing is claimed of transactions that could not be compared.
#[test]
fn what_could_not_be_compared_is_not_called_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    policy(
        folder,
        "[[group.pre_request]]\nname = \"r\"\naction = \"deny\"\nwhen.\"request:Http:Header/X-Team\" = { StringEquals = \"a\" }\n",
    );
    write(folder, "access.jsonl", &log());
    let (_, said, _) = ends(folder, &["replay", "rules.spb", "access.jsonl"]);
    assert!(
        said.contains("\nno transaction could be compared"),
        "{said}"
    );
    assert!(!said.contains("would be decided differently"), "{said}");
}

const WHY_RULES: &str = r#"
[defaults]
pre_dns = "deny"
pre_request = "allow"
post_response = "allow"
[[group]]
priority = 1
name = "g"
[[group.pre_dns]]
name = "hosts"
description = "ours"
action = "allow"
when."request:DestinationDomain" = { DomainMatch = "a.test" }
[[group.pre_request]]
name = "watch"
action = "alert"
[[group.pre_request]]
name = "reads-only"
action = "deny"
when."request:Http:Method" = { StringNotEquals = "GET" }
when."request:Http:Header/x-team" = { Null = true }
"#;

/// A line of one phase after the other, denied in the second.
fn why_line(bundle: &str, rule: &str) -> String {
    format!(
        r#"{{"ts":"2026-11-20T12:00:00.000001Z","event":"transaction","txn":"00000000000000aa","bundle":"{bundle}","client_ip":"127.0.0.1","proto":"http","method":"PUT","domain":"a.test","port":80,"dst_ip":"192.0.2.1","tls_mode":"none","uri":"/x","status":403,"phase":"PreREQUEST","action":"deny","rule":"{rule}","group":"g","decisions":[{{"phase":"PreDNS","action":"allow","rule":"hosts","group":"g"}},{{"phase":"PreREQUEST","action":"deny","rule":"{rule}","group":"g"}}],"alerts":["watch"],"error":"http_request_denied","detail":"denied by a rule"}}"#
    )
}

#[test]
fn a_line_is_explained_by_its_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "rules.toml", WHY_RULES);
    succeeds(folder, &["compile", "rules.toml", "-q", "-o", "rules.spb"]);
    let inspected = succeeds(folder, &["inspect", "rules.spb", "--json"]);
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let id = inspected["id"].as_str().unwrap();
    let line = why_line(id, "reads-only");
    let said = squeezed(&succeeds(folder, &["why", "rules.spb", &line]));
    let expected = "2026-11-20T12:00:00.000001Z transaction PUT a.test:80 /x status 403

PreDNS allow g/hosts (ours)
holds request:DestinationDomain DomainMatch [\"a.test\"]; the field is \"a.test\"

PreREQUEST alert g/watch
holds always: the rule has no condition

PreREQUEST deny g/reads-only
holds request:Http:Method StringNotEquals [\"GET\"]; the field is \"PUT\"
unknown request:Http:Header/x-team Null true; the field is unknown

error: http_request_denied denied by a rule
";
    assert_eq!(said, expected);
    // By standard input, for programs.
    let mut program = Command::new(env!("CARGO_BIN_EXE_sallyport-rules"))
        .args(["why", "rules.spb", "-", "--json"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = program.stdin.take().unwrap();
    input
        .write_all(format!("{line}\nmore\n").as_bytes())
        .unwrap();
    drop(input);
    let output = program.wait_with_output().unwrap();
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["logged_bundle"], value["bundle"]);
    assert_eq!(value["steps"][2]["rule"], "g/reads-only");
    assert_eq!(value["steps"][2]["conditions"][0]["holds"], true);
    assert_eq!(value["steps"].as_array().unwrap().len(), 3);
}

#[test]
fn a_line_of_other_rules_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "rules.toml", WHY_RULES);
    let (status, said, _) = ends(folder, &["why", "rules.toml", &why_line("0a", "gone")]);
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("the line is of bundle 0a, this is "),
        "{said}"
    );
    assert!(
        said.contains("g/gone, a rule that the bundle does not have"),
        "{said}"
    );
    // What the line tells is not what the rule asks for.
    let line = why_line("0a", "reads-only").replace("PUT", "GET");
    let (status, said, _) = ends(folder, &["why", "rules.toml", &line]);
    assert_eq!(status, Some(0), "{said}");
    assert!(
        said.contains("g/reads-only: by what the line tells it does not hold"),
        "{said}"
    );
    // No rule saw it.
    let line = r#"{"ts":"2026-11-20T12:00:00Z","event":"connection","error":"tls_alert_received"}"#;
    let said = succeeds(folder, &["why", "rules.toml", line]);
    assert!(said.contains("no phase decided anything"), "{said}");
    assert!(said.contains("error: tls_alert_received"), "{said}");
    for (line, why) in [("x", "no JSON object"), ("{}", "no `ts`")] {
        let (status, _, said) = ends(folder, &["why", "rules.toml", line]);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
}
