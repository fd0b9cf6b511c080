//! Reports in every form, runs against runs, and what the meter says of itself.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod common;

use std::path::Path;
use std::process::Output;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Origin, binary, number, run};
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;

fn load(args: &[&str]) -> Output {
    binary().args(args).output().expect("it runs")
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("written")
}

#[test]
fn one_run_in_every_form() {
    let origin = Origin::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (json, html, hgrm, hlog) = (
        path("a.json"),
        path("a.html"),
        path("a.hgrm"),
        path("a.hlog"),
    );
    let pid = origin.child.id().to_string();
    let url = origin.url("/?delay=2");
    let output = load(&[
        "run",
        "--url",
        &url,
        "--rate",
        "300",
        "-c",
        "8",
        "-d",
        "1s",
        "--name",
        "<b>bold & \"quoted\"</b>",
        "--pid",
        &pid,
        "--json-file",
        &json,
        "--html",
        &html,
        "--hgrm",
        &hgrm,
        "--hlog",
        &hlog,
    ]);
    // On a busy machine the meter may fall behind; it writes its reports nevertheless.
    assert!(matches!(output.status.code(), Some(0 | 3)), "{output:?}");
    let report: Value = serde_json::from_str(&read(Path::new(&json))).unwrap();
    assert_eq!(number(&report, "latency_us.count"), 300.0);
    check_html(&read(Path::new(&html)));
    check_hgrm(&read(Path::new(&hgrm)), &report);
    check_hlog(&read(Path::new(&hlog)), &report);
    // Rendered again from its JSON alone, all is the same.
    let again = path("again");
    let output = load(&["report", &json, "--html", &again]);
    assert!(text(&output).contains("p99.9"), "{output:?}");
    assert_eq!(read(Path::new(&again)), read(Path::new(&html)));
    let output = load(&["report", &json, "--json", "--hlog", &again]);
    assert_eq!(text(&output), read(Path::new(&json)));
    assert_eq!(read(Path::new(&again)), read(Path::new(&hlog)));
}

/// One page without anything from elsewhere, in which nothing is taken for markup.
fn check_html(page: &str) {
    for word in [
        "<svg class=\"wide\"",
        "<svg class=\"narrow\"",
        "prefers-color-scheme: dark",
    ] {
        assert!(page.contains(word), "{word}");
    }
    assert_eq!(page.matches("<svg").count(), 6);
    assert!(page.contains("&lt;b&gt;bold &amp; &quot;quoted&quot;&lt;/b&gt;"));
    for foreign in [
        "<b>bold", "<script", "src=", "href=", "@import", "url(", "NaN", "inf",
    ] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

fn check_hgrm(lines: &str, report: &Value) {
    assert!(
        lines
            .trim_start()
            .starts_with("Value     Percentile TotalCount 1/(1-Percentile)")
    );
    let rows = lines
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let rows: Vec<Vec<f64>> = rows
        .map(|line| {
            line.split_whitespace()
                .map(|field| field.parse().unwrap())
                .collect()
        })
        .collect();
    let median = rows.iter().find(|row| row[1] >= 0.5).unwrap();
    assert!(
        (median[0] * 1_000.0 - number(report, "latency_us.p50")).abs() < 20.0,
        "{median:?}"
    );
    let last = rows.last().unwrap();
    assert_eq!((last[1], last[2]), (1.0, 300.0));
    assert!(
        rows.windows(2)
            .all(|pair| pair[0][0] <= pair[1][0] && pair[0][2] <= pair[1][2])
    );
    assert!(lines.contains("#[Max     = ") && lines.contains("Total count    =          300]"));
}

/// The crate's own reader of the format finds every request.
fn check_hlog(log: &str, report: &Value) {
    let (mut count, mut starts) = (0, Vec::new());
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        let Ok(LogEntry::Interval(interval)) = entry else {
            continue;
        };
        starts.push(interval.start_timestamp());
        let bytes = STANDARD.decode(interval.encoded_histogram()).unwrap();
        let histogram = Deserializer::new()
            .deserialize::<u64, _>(&mut bytes.as_slice())
            .unwrap();
        count += histogram.len();
    }
    assert_eq!(count, 300);
    assert!((9..=11).contains(&starts.len()), "{starts:?}");
    let sum: f64 = report["intervals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|interval| number(interval, "requests"))
        .sum();
    assert_eq!(sum, number(report, "requests_total"));
}

#[test]
fn progress_is_for_terminals_only() {
    let origin = Origin::start(&[]);
    let output = load(&["run", "--url", &origin.url("/"), "-d", "700ms"]);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    // script(1) gives it a terminal.
    let command = format!(
        "{} run --url {} -d 1200ms 2>&1 >/dev/null",
        env!("CARGO_BIN_EXE_sallyport-load"),
        origin.url("/")
    );
    let output = std::process::Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .output()
        .expect("script, of bsdutils");
    let seen = String::from_utf8_lossy(&output.stdout).into_owned();
    for word in ["s left", "/s", "p99.9", "0 errors"] {
        assert!(seen.contains(word), "{word}: {seen}");
    }
}

#[test]
fn a_real_difference_is_told_from_none() {
    let origin = Origin::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let runs = |name: &str, path: &str| {
        let inside = folder.path().join(name);
        std::fs::create_dir(&inside).unwrap();
        for index in 0..5 {
            let file = inside.join(format!("{index}.json"));
            let (url, file) = (origin.url(path), file.to_str().unwrap().to_owned());
            text(&load(&[
                "run",
                "--url",
                &url,
                "-c",
                "4",
                "-d",
                "200ms",
                "--json-file",
                &file,
            ]));
        }
        inside.to_str().unwrap().to_owned()
    };
    let (fast, slow) = (runs("fast", "/?delay=2"), runs("slow", "/?delay=60"));
    let compare = |a: &str, b: &str| -> Value {
        serde_json::from_str(&text(&load(&["compare", "--json", a, b]))).unwrap()
    };
    let finding = |comparison: &Value, figure: &str| {
        let figures = comparison["figures"].as_array().unwrap();
        figures
            .iter()
            .find(|line| line["figure"] == figure)
            .unwrap()
            .clone()
    };
    let worse = compare(&fast, &slow);
    let line = finding(&worse, "latency p50");
    assert_eq!(line["finding"], "worse", "{worse}");
    assert!(number(&line, "change_low") > 0.0, "{line}");
    assert_eq!(finding(&worse, "requests/s")["finding"], "worse");
    assert_eq!(
        finding(&compare(&slow, &fast), "requests/s")["finding"],
        "better"
    );
    let same = finding(&compare(&fast, &fast), "latency p50");
    assert_eq!(
        (&same["finding"], number(&same, "change")),
        (&"not_shown".into(), 0.0)
    );
    let single = format!("{fast}/0.json");
    assert_eq!(
        finding(&compare(&single, &slow), "latency p50")["finding"],
        "too_few_runs"
    );
    let table = text(&load(&["compare", &fast, &slow]));
    assert!(table.contains("B is worse"), "{table}");
    let status = load(&["compare", "--fail-if-worse", &fast, &slow]).status;
    assert_eq!(status.code(), Some(1));
}

#[test]
fn the_highest_rate_is_found() {
    // Four connections, each answered after 200 ms: no more than 20 requests a second.
    let origin = Origin::start(&[]);
    let url = origin.url("/?delay=200");
    let args = [
        "search",
        "--url",
        &url,
        "-c",
        "4",
        "-d",
        "600ms",
        "--below",
        "300ms",
        "--percentile",
        "50",
        "--from",
        "8",
        "--precision",
        "0.5",
        "--json",
    ];
    let search = || -> Value {
        let output = load(&args);
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    // Where all CPUs are taken by others, the meter says that it was the limit; then once more.
    let mut found = search();
    for _ in 0..3 {
        if found["limited_by"] == "meter" {
            found = search();
        }
    }
    let rate = number(&found, "rate");
    assert!((15.0..=28.0).contains(&rate), "{found}");
    assert!(number(&found, "rate_failed") > rate, "{found}");
    assert!(found["trials"].as_array().unwrap().len() >= 3, "{found}");
    let output = load(&[
        "search",
        "--url",
        &origin.url("/?delay=10"),
        "-c",
        "4",
        "-d",
        "100ms",
        "--below",
        "1ms",
        "--from",
        "4",
        "--repeats",
        "1",
    ]);
    // A machine that is too busy to say so says that instead.
    assert!(matches!(output.status.code(), Some(1 | 3)), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("no rate passes"));
}

#[test]
fn the_meter_knows_its_own_ceiling() {
    let ceiling = |url: &str, extra: &[&str]| -> Value {
        let args = ["ceiling", "--url", url, "-c", "8", "-d", "300ms", "--json"];
        serde_json::from_str(&text(&load(&[&args, extra].concat()))).unwrap()
    };
    let url = "http://a.test:1/bytes/100";
    let resolve = ["--resolve", "*:1:127.0.0.1"];
    let plain = ceiling(url, &resolve);
    assert!(number(&plain, "requests_per_second") > 500.0, "{plain}");
    assert!(number(&plain, "by_cpu_per_second") > 500.0, "{plain}");
    let secure = "https://a.test:1/bytes/100";
    let h2 = [
        &resolve[..],
        &["--insecure", "--http", "2", "--streams", "4"],
    ]
    .concat();
    let secure = ceiling(secure, &h2);
    assert!(number(&secure, "requests_per_second") > 200.0, "{secure}");
    // A subject that takes its time is far below it.
    let origin = Origin::start(&[]);
    let slow = run(&[
        "--url",
        &origin.url("/?delay=50"),
        "-d",
        "300ms",
        "--ceiling",
    ]);
    let held_against = |report: &Value| {
        report["meter"]["warnings"]
            .to_string()
            .contains("its own ceiling")
    };
    assert!(!held_against(&slow), "{slow}");
    assert!(
        number(&slow, "meter.ceiling_per_second") > 10.0 * number(&slow, "requests_per_second")
    );
}

#[test]
fn stalls_show_only_where_time_is_counted_from_when_requests_were_due() {
    let origin = Origin::start(&["--freeze", "100ms", "--freeze-every", "1s"]);
    let url = origin.url("/");
    let open = run(&["--url", &url, "--rate", "200", "-c", "4", "-d", "2s"]);
    assert_eq!(number(&open, "latency_us.count"), 400.0);
    // A tenth of all were due during a stall, evenly: a hundredth waited 90 ms or longer.
    assert!(number(&open, "latency_us.p99") >= 80_000.0, "{open}");
    assert!(number(&open, "latency_us.p50") < 40_000.0, "{open}");
    // A closed loop sends one request into each stall, and thousands between them.
    let closed = run(&["--url", &url, "-c", "1", "-d", "2s"]);
    assert!(number(&closed, "latency_us.p99") < 40_000.0, "{closed}");
    assert!(number(&closed, "latency_us.max") >= 80_000.0, "{closed}");
}
