//! The example of `docs/loadgen.md` runs as it stands there, and so do lines that people bring along
//! from other load generators.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{Origin, Recorder, number, run};

const GUIDE: &str = include_str!("../../docs/loadgen.md");

/// What stands between the first fence of this kind and its end.
fn block(kind: &str) -> &'static str {
    let from = GUIDE
        .split_once(&format!("```{kind}\n"))
        .expect("a block")
        .1;
    from.split_once("```").expect("an end").0
}

/// As a person's shell does it, where the program is installed.
fn shell(line: &str, folder: &Path) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_sallyport-load"));
    let programs = program.parent().expect("a folder").display();
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", format!("{programs}:{path}"))
        .output()
        .expect("a shell")
}

#[test]
fn the_example_runs() {
    let origin = Origin::start(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let port = format!(":{}", origin.address.port());
    // Only the port is another one, and nobody waits half a minute here.
    let plan = block("toml").replace(":8080", &port);
    let plan = plan
        .replace("\"30s\"", "\"400ms\"")
        .replace("\"5s\"", "\"100ms\"");
    assert!(
        plan.contains("\"400ms\"") && plan.contains("\"100ms\""),
        "{plan}"
    );
    std::fs::write(folder.path().join("plan.toml"), plan).expect("written");
    let lines = block("sh").lines();
    let mut count = 0;
    for line in lines {
        // One origin is there already.
        if line.starts_with("sallyport-load origin") {
            continue;
        }
        let line = line.replace(":8080", &port).replace("-d 5s", "-d 300ms");
        let output = shell(&line, folder.path());
        // A machine that is busy may make the meter fall behind.
        assert!(
            matches!(output.status.code(), Some(0 | 3)),
            "{line}: {output:?}"
        );
        count += 1;
    }
    assert!(count >= 9, "{count}");
    let page = std::fs::read_to_string(folder.path().join("report.html")).expect("a page");
    assert!(page.contains("office hours"), "{page}");
    assert!(folder.path().join("report.hgrm").is_file());
}

#[test]
fn habits_of_other_load_generators() {
    let recorder = Recorder::start();
    let folder = tempfile::tempdir().expect("a folder");
    let body = folder.path().join("body");
    std::fs::write(&body, "name=value").expect("written");
    let (url, body) = (
        recorder.url("/a"),
        body.to_str().expect("a path").to_owned(),
    );
    for line in [
        &["-c", "2", "-t", "2", "-n", "4", &url][..],
        &["-c2", "-t1", "-d", "1", "--no-body-check", "-n4", &url],
        &["-z", "2s", "-n", "4", "-m", "GET", "-H", "A: b", &url],
        &["-R", "50", "-c", "2", "-n", "4", "-d1s", &url],
    ] {
        let before = recorder.heads().len();
        let report = run(line);
        assert_eq!(number(&report, "requests_total"), 4.0, "{line:?}: {report}");
        assert_eq!(recorder.heads().len() - before, 4, "{line:?}");
    }
    // A proxy as curl takes it.
    let proxy = recorder.address.to_string();
    let report = run(&["-x", &proxy, "-n", "3", "http://a.test/b"]);
    assert_eq!(number(&report, "requests_total"), 3.0, "{report}");
    let heads = recorder.heads();
    let last = String::from_utf8_lossy(heads.last().expect("one")).into_owned();
    assert!(
        last.starts_with("GET http://a.test/b HTTP/1.1\r\n"),
        "{last}"
    );
    // What is in a file is sent, and by POST: the origin says what it received.
    let origin = Origin::start(&[]);
    let report = run(&["-D", &body, "-n", "3", &origin.url("/echo")]);
    assert_eq!(number(&report, "errors_total"), 0.0, "{report}");
    assert_eq!(number(&report, "sent_body_bytes_total"), 30.0, "{report}");
    let wrong = run(&[
        "-D",
        &body,
        "-X",
        "PUT",
        "-n",
        "3",
        "--expect-bytes",
        "1B",
        &origin.url("/echo"),
    ]);
    assert_eq!(number(&wrong, "errors.body_length"), 3.0, "{wrong}");
}

#[test]
fn large_files_are_sent_whole() {
    let origin = Origin::start(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("body");
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&file, content).expect("written");
    let file = file.to_str().expect("a path");
    let report = run(&["--body-file", file, "-n", "4", "-c", "2", &origin.url("/")]);
    assert_eq!(number(&report, "errors_total"), 0.0, "{report}");
    assert_eq!(number(&report, "sent_body_bytes_total"), 12e6, "{report}");
    let certificate = common::Certificate::make();
    let secure = certificate.origin();
    let url = format!("https://localhost:{}/", secure.address.port());
    let report = run(&["-k", "--http", "2", "--body-file", file, "-n", "4", &url]);
    assert_eq!(number(&report, "errors_total"), 0.0, "{report}");
    assert_eq!(number(&report, "sent_body_bytes_total"), 12e6, "{report}");
}
