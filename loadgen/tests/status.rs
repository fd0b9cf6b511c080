//! How a run ends: what the exit status and the words say when nothing is answered, when a threshold is
//! exceeded, when the plan is wrong.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod common;

use std::net::TcpListener;
use std::process::Output;

use common::{Origin, binary, parse_report, plan};

fn load(args: &[&str]) -> Output {
    binary().args(args).output().expect("it runs")
}

fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}/", listener.local_addr().expect("an address"))
}

/// However busy the meter was with failing, it was not its fault.
#[test]
fn where_nothing_is_answered_the_run_fails_and_the_meter_is_not_to_blame() {
    let origin = Origin::start(&[]);
    let (closed, wrong) = (closed_port(), origin.url("/?status=500"));
    for line in [
        &["run", "-d", "300ms", "-c", "4", "--json", &closed][..],
        &["run", "-r", "200", "-d", "300ms", "--json", &closed],
        &["run", "-d", "300ms", "-c", "8", "--json", &wrong],
        &[
            "run",
            "-n",
            "5",
            "--scenario",
            "handshakes",
            "--json",
            &closed,
        ],
        &[
            "run",
            "-d",
            "300ms",
            "--scenario",
            "hold",
            "--json",
            &closed,
        ],
        &["run", "-n", "5", "--scenario", "bulk", "--json", &closed],
    ] {
        let output = load(line);
        let report = parse_report(&output);
        assert_eq!(output.status.code(), Some(1), "{line:?}: {report}");
        assert_eq!(report["nothing_answered"], true, "{line:?}: {report}");
        assert_eq!(report["meter"]["void"], false, "{line:?}: {report}");
        assert_eq!(
            report["meter"]["warnings"],
            serde_json::json!([]),
            "{report}"
        );
    }
    let text = load(&["run", "-n", "5", &closed]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(
        text.contains("FAILED: not one request was answered"),
        "{text}"
    );
    assert!(
        text.contains("5 errors, most often connect_refused"),
        "{text}"
    );
    // Some that fail are told and change nothing.
    let slow = origin.url("/?delay=20");
    let both = ["run", "-n", "6", "--json", &slow, &wrong];
    let output = load(&both);
    let report = parse_report(&output);
    assert_eq!(report["errors_total"], 3, "{report}");
    assert_eq!(output.status.code(), Some(0), "{report}");
}

#[test]
fn a_search_against_nobody_fails_and_says_why() {
    let line = [
        "search",
        "-d",
        "50ms",
        "--below",
        "1s",
        "--from",
        "4",
        "--repeats",
        "1",
    ];
    let closed = closed_port();
    let output = load(&[&line[..], &["--json", &closed]].concat());
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(1), "{found}");
    assert_eq!(found["limited_by"], "subject", "{found}");
    assert_eq!(found["trials"][0]["mark"], "fail", "{found}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("most often connect_refused"), "{said}");
}

#[test]
fn thresholds_decide_the_status() {
    let origin = Origin::start(&[]);
    let (url, wrong) = (origin.url("/?delay=20"), origin.url("/?status=503"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.json");
    let file = file.to_str().expect("a path");
    let line = ["run", "-n", "20", "-c", "2", &url, "--json-file", file];
    let status = |extra: &[&str]| load(&[&line[..], extra].concat());
    assert_eq!(status(&["--fail-on", "p99>10s"]).status.code(), Some(0));
    let output = status(&["--fail-on", "p50>5ms", "--fail-on", "p99.9>10s"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("failed on p50>5ms: it is ") && !said.contains("p99.9"),
        "{said}"
    );
    assert!(
        !output.stdout.is_empty(),
        "the report is there nevertheless"
    );
    // The same later, from the report.
    assert_eq!(
        load(&["report", file, "--fail-on", "mean>5ms"])
            .status
            .code(),
        Some(1)
    );
    assert_eq!(
        load(&["report", file, "--fail-on", "rate>1"]).status.code(),
        Some(1)
    );
    assert_eq!(
        load(&["report", file, "--fail-on", "errors>0"])
            .status
            .code(),
        Some(0)
    );
    let output = load(&[
        "run",
        "-n",
        "8",
        &origin.url("/"),
        &wrong,
        "--fail-on",
        "errors>40%",
    ]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    for nonsense in ["p99", "p99>5", "slow>1s", "errors>many"] {
        let output = status(&["--fail-on", nonsense]);
        assert_eq!(output.status.code(), Some(2), "{nonsense}: {output:?}");
    }
}

/// What a file holds and what it means, what flags say and what the machine lacks: all in one go, each
/// with its place.
#[test]
fn all_that_is_wrong_with_a_plan_is_told_at_once() {
    let (_folder, path) = plan(
        "conections = 2\nkeep_alive = 0\nduration = 5\npids = [2147483647]\nsources = [\"192.0.2.1\"]\n\
         resolve = [\"nonsense\", \"*:80:127.0.0.1\", \"a:b:c\"]\nproxy = \"https://a/\"\n\n\
         [tls]\nca = \"missing.pem\"\n\n[defaults]\nheaders = [\"no colon\", \"neither\"]\n\n\
         [[request]]\nurl = \"https://nowhere.invalid/\"\nbody_bytes = \"64k\"\n\n\
         [[request]]\nurl = \"http://u:p@a/\"\nbody_file = \"missing.bin\"\nexpect_status = 1000\n",
    );
    let output = load(&["run", "--plan", &path, "-t", "0"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    for expected in [
        "plan.toml:1:1: conections: unknown field",
        "plan.toml:2:14: keep_alive: ",
        "plan.toml:3:12: duration: ",
        "plan.toml:4:9: pids.0: 2147483647: no such process",
        "plan.toml:5:12: sources.0: 192.0.2.1: ",
        "plan.toml:6:12: resolve.0: nonsense: ",
        "plan.toml:6:42: resolve.2: a:b:c: ",
        "plan.toml:7:9: proxy: only http",
        "plan.toml:10:6: tls.ca: missing.pem: ",
        "plan.toml:13:11: defaults.headers: \"no colon\", \"neither\": ",
        "plan.toml:17:14: request.0.body_bytes: `64k` is not a size",
        "plan.toml:20:7: request.1.url: ",
        "plan.toml:21:13: request.1.body_file: missing.bin: ",
        "plan.toml:22:17: request.1.expect_status: ",
        "--threads: not from 1 to 256",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert_eq!(text.matches("defaults.headers").count(), 1, "{text}");
    let told = text
        .lines()
        .all(|line| line.starts_with("sallyport-load: "));
    assert!(told, "{text}");
    // A name that is not there, by itself: nothing else hides it.
    let (_folder, path) = plan("[[request]]\nurl = \"http://nowhere.invalid/\"\n");
    let output = load(&["run", "--plan", &path]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("plan.toml:2:7: request.0.url: nowhere.invalid:80 does not resolve"),
        "{text}"
    );
    // What a flag overrides is not held against the file, and the other way round.
    let (_folder, path) = plan("connections = 0\nduration = 7\n[[request]]\nurl = \"nonsense\"\n");
    let output = load(&[
        "run",
        "--plan",
        &path,
        "-c",
        "1",
        "-d",
        "1s",
        "-n",
        "1",
        "--url",
        &closed_port(),
    ]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let output = load(&["run", "--plan", &path, "-c", "0", "-d", "1s", "ftp://a/"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("--connections: not from 1") && text.contains("--url: ftp://a/"),
        "{text}"
    );
    assert!(!text.contains("plan.toml"), "{text}");
}
