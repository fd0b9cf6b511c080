//! The meter against the real origin: it counts right, sees every fault, and does not lie about
//! time.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use common::{
    Certificate, Origin, binary, connect_proxy, number, parrot, parse_report, run, run_output,
};
use serde_json::Value;

/// Runs a few requests against `url`; the report must show `kind` and no other error.
fn expect_error(url: &str, kind: &str, extra: &[&str]) {
    let args = [&["--url", url, "--requests", "5"], extra].concat();
    let report = run(&args);
    assert_eq!(number(&report, "requests_total"), 0.0, "{url}: {report}");
    assert_eq!(
        report["errors"],
        serde_json::json!({ kind: 5 }),
        "{url}: {report}"
    );
}

fn assert_clean(report: &Value) {
    assert_eq!(number(report, "errors_total"), 0.0, "{report}");
}

#[test]
fn counts_are_those_of_the_origin() {
    let origin = Origin::start(&[]);
    let report = run(&[
        "--url",
        &origin.url("/bytes/1000"),
        "--requests",
        "1001",
        "-c",
        "10",
        "--threads",
        "3",
    ]);
    assert_clean(&report);
    assert_eq!(number(&report, "requests_total"), 1_001.0);
    assert_eq!(number(&report, "body_bytes_total"), 1_001_000.0);
    assert_eq!(number(&report, "latency_us.count"), 1_001.0);
    assert_eq!(number(&report, "connections_opened_total"), 10.0);
    assert_eq!(origin.count(), (11, 1_002));
}

#[test]
fn every_way_to_frame_a_body_is_checked_and_found_good() {
    let origin = Origin::start(&[]);
    for query in [
        "",
        "?chunked=1",
        "?chunk=7",
        "?interim=103",
        "?trailer=A:b",
        "?trickle=1&piece=5000",
    ] {
        let url = origin.url(&format!("/bytes/20000{query}"));
        assert_clean(&run(&["--url", &url, "--requests", "20", "-c", "2"]));
    }
    for path in ["/", "/bytes/0", "/echo", "/?close=after"] {
        let report = run(&[
            "--url",
            &origin.url(path),
            "--requests",
            "20",
            "--new-connections",
        ]);
        assert_clean(&report);
        assert_eq!(number(&report, "connections_opened_total"), 20.0);
    }
    let old = parrot(b"HTTP/1.0 200 OK\r\n\r\nuntil the end");
    assert_clean(&run(&[
        "--url",
        &format!("http://{old}/"),
        "--requests",
        "5",
        "--expect-bytes",
        "13",
    ]));
}

#[test]
fn methods_bodies_and_statuses() {
    let origin = Origin::start(&[]);
    let url = origin.url("/bytes/500");
    assert_clean(&run(&["--url", &url, "--requests", "9", "-X", "HEAD"]));
    assert_clean(&run(&[
        "--url",
        &url,
        "--requests",
        "9",
        "-X",
        "POST",
        "--body-bytes",
        "300000",
    ]));
    let url = origin.url("/?status=404");
    assert_clean(&run(&[
        "--url",
        &url,
        "--requests",
        "9",
        "--expect-status",
        "404",
    ]));
}

#[test]
fn faults_are_told_apart() {
    let origin = Origin::start(&[]);
    for (path, kind) in [
        ("/?status=500", "bad_status_500"),
        ("/bytes/10?close=before", "early_close"),
        ("/bytes/10?close=head", "early_close"),
        ("/bytes/10?close=body", "early_close"),
        ("/bytes/90000?close=body&chunked=1", "early_close"),
        ("/bytes/10?reset=1", "reset"),
        ("/bytes/10?reset=1&close=body", "reset"),
        ("/bytes/200001?corrupt=1", "body_mismatch"),
        ("/bytes/50000?corrupt=1&chunk=100", "body_mismatch"),
    ] {
        expect_error(&origin.url(path), kind, &[]);
    }
    expect_error(&origin.url("/stall"), "timeout", &["--timeout", "300ms"]);
    expect_error(
        &origin.url("/bytes/10"),
        "body_length",
        &["--expect-bytes", "11"],
    );
}

#[test]
fn malformed_responses_are_seen() {
    for bytes in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc",
        b"SMTP ready\r\n\r\n",
    ] {
        expect_error(&format!("http://{}/", parrot(bytes)), "malformed", &[]);
    }
}

#[test]
fn connections_that_cannot_be_made() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    expect_error(&format!("http://{closed}/"), "connect_refused", &[]);
    let origin = Origin::start(&[]);
    let proxy = origin.url("");
    let tunnel = ["--connect", "--proxy", &proxy];
    expect_error("http://a.test/", "tunnel_status_405", &tunnel);
}

#[test]
fn a_proxy_gets_absolute_form() {
    // The origin understands what a proxy would be sent.
    let origin = Origin::start(&[]);
    let proxy = origin.url("");
    let report = run(&[
        "--proxy",
        &proxy,
        "--url",
        "http://a.test/bytes/10",
        "--url",
        "http://b.test/bytes/20",
        "--requests",
        "10",
    ]);
    assert_clean(&report);
    assert_eq!(number(&report, "body_bytes_total"), 150.0);
}

#[test]
fn tunnels_with_and_without_tls() {
    let proxy = format!("http://{}", connect_proxy());
    let origin = Origin::start(&[]);
    let port = origin.address.port();
    let url = format!("http://localhost:{port}/bytes/100");
    assert_clean(&run(&[
        "--proxy",
        &proxy,
        "--connect",
        "--url",
        &url,
        "--requests",
        "20",
        "-c",
        "2",
    ]));
    let report = run(&[
        "--proxy",
        &proxy,
        "--connect",
        "--url",
        &url,
        "--requests",
        "20",
        "--new-connections",
    ]);
    assert_clean(&report);
    assert_eq!(number(&report, "connection_setup_us.count"), 20.0);

    let certificate = Certificate::make();
    let secure = certificate.origin();
    let cacert = certificate.certificate.to_str().unwrap();
    let url = format!("https://localhost:{}/bytes/100000", secure.address.port());
    for more in [&["--proxy", &proxy][..], &[], &["--new-connections"]] {
        let args = [
            &[
                "--url",
                &url,
                "--requests",
                "20",
                "-c",
                "2",
                "--cacert",
                cacert,
            ],
            more,
        ]
        .concat();
        let report = run(&args);
        assert_clean(&report);
        assert_eq!(number(&report, "requests_total"), 20.0);
    }
}

#[test]
fn certificates_are_verified() {
    let certificate = Certificate::make();
    let other = Certificate::make();
    let secure = certificate.origin();
    let url = format!("https://localhost:{}/", secure.address.port());
    expect_error(
        &url,
        "tls",
        &["--cacert", other.certificate.to_str().unwrap()],
    );
    let by_address = format!("https://{}/", secure.address);
    expect_error(
        &by_address,
        "tls",
        &["--cacert", certificate.certificate.to_str().unwrap()],
    );
    assert_clean(&run(&[
        "--url",
        &by_address,
        "--requests",
        "5",
        "--insecure",
    ]));
}

#[test]
fn a_known_distribution_is_reported_as_it_is() {
    let origin = Origin::start(&[]);
    let (fast, slow) = (origin.url("/?delay=10"), origin.url("/?delay=120"));
    let mut args = vec!["--rate", "400", "-c", "64", "-d", "2s"];
    for _ in 0..9 {
        args.extend(["--url", fast.as_str()]);
    }
    args.extend(["--url", &slow]);
    let report = run(&args);
    assert_clean(&report);
    assert_eq!(number(&report, "latency_us.count"), 800.0);
    // Never sooner than the origin answers; later only by what a busy machine adds.
    for (path, least, most) in [
        ("latency_us.min", 10_000.0, 14_000.0),
        ("latency_us.p50", 10_000.0, 30_000.0),
        ("latency_us.p99", 120_000.0, 160_000.0),
    ] {
        let value = number(&report, path);
        assert!(value >= least && value <= most, "{path} {value}: {report}");
    }
}

#[test]
fn a_stalling_origin_shows_in_an_open_loop() {
    let origin = Origin::start(&["--freeze", "100ms", "--freeze-every", "500ms"]);
    let report = run(&[
        "--url",
        &origin.url("/bytes/100"),
        "--rate",
        "500",
        "-c",
        "2",
        "-d",
        "2s",
        "--warmup",
        "100ms",
    ]);
    assert_clean(&report);
    // A fifth of the requests were due while nothing answered. A meter that waits politely would
    // have sent two in each stall, and shown them at p99.9 at most.
    assert!(number(&report, "latency_us.p90") >= 40_000.0, "{report}");
    assert!(number(&report, "latency_us.p99") >= 85_000.0, "{report}");
    assert_eq!(number(&report, "latency_us.count"), 1_000.0);
}

#[test]
fn what_was_never_sent_is_not_left_out() {
    let origin = Origin::start(&[]);
    let report = run(&[
        "--url",
        &origin.url("/stall"),
        "--rate",
        "100",
        "-c",
        "1",
        "-d",
        "500ms",
        "--timeout",
        "400ms",
    ]);
    let errors = number(&report, "errors.unsent") + number(&report, "errors.timeout");
    assert_eq!(errors, 50.0, "{report}");
    assert!(number(&report, "latency_us.max") >= 400_000.0, "{report}");
}

#[test]
fn a_late_meter_declares_its_run_void() {
    let origin = Origin::start(&[]);
    let mut child = binary()
        .args([
            "run",
            "--json",
            "--url",
            &origin.url("/"),
            "--rate",
            "500",
            "-c",
            "8",
            "-d",
            "4s",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    // Once the origin has been asked, the schedule runs; then the meter is stopped for a while.
    while origin.count().1 < 50 {
        // The origin and the meter need the processor as well.
        std::thread::sleep(Duration::from_millis(5));
    }
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
    let mut stdout = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut stdout)
        .unwrap();
    let status = child.wait().unwrap();
    let report = parse_report(&std::process::Output {
        status,
        stdout,
        stderr: Vec::new(),
    });
    assert_eq!(report["meter"]["void"], true, "{report}");
    assert!(
        number(&report, "meter.schedule_lag_us_max") > 200_000.0,
        "{report}"
    );
    assert_eq!(status.code(), Some(3));
}

#[test]
fn the_measured_process_is_reported() {
    let origin = Origin::start(&[]);
    let pid = origin.child.id().to_string();
    let report = run(&[
        "--url",
        &origin.url("/"),
        "-d",
        "300ms",
        "-c",
        "4",
        "--pid",
        &pid,
    ]);
    let each = number(&report, "process.cpu_us_per_request");
    assert!(each > 0.1 && each < 1_000.0, "{report}");
    assert!(number(&report, "process.rss_bytes") > 100_000.0, "{report}");
}

#[test]
fn warm_up_counts_for_nothing() {
    let origin = Origin::start(&[]);
    let report = run(&[
        "--url",
        &origin.url("/"),
        "--rate",
        "200",
        "-c",
        "4",
        "--warmup",
        "500ms",
        "-d",
        "500ms",
    ]);
    assert_clean(&report);
    assert_eq!(number(&report, "latency_us.count"), 100.0);
    assert_eq!(origin.count().1, 201);
}

#[test]
fn a_subject_that_hangs_from_the_start_is_an_error() {
    let origin = Origin::start(&[]);
    let url = origin.url("/stall");
    let args = [
        "--url",
        &url,
        "-c",
        "3",
        "--warmup",
        "100ms",
        "-d",
        "200ms",
        "--timeout",
        "600ms",
    ];
    let report = run(&args);
    assert_eq!(
        report["errors"],
        serde_json::json!({ "timeout": 3 }),
        "{report}"
    );
}

#[test]
fn an_early_answer_to_a_long_body_is_understood() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 100]);
            let _ = stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
            // Left open and unread: the client must not wait for its body to be taken.
            std::mem::forget(stream);
        }
    });
    let url = format!("http://{address}/");
    let args = [
        "--url",
        &url,
        "-X",
        "PUT",
        "--body-bytes",
        "30000000",
        "--requests",
        "3",
    ];
    let report = run(&[&args[..], &["--expect-status", "413", "--timeout", "3s"]].concat());
    assert_clean(&report);
}

#[test]
fn a_run_of_a_moment_is_not_void() {
    let origin = Origin::start(&[]);
    let report = run(&["--url", &origin.url("/"), "--requests", "10", "-c", "1"]);
    assert_clean(&report);
    assert!(number(&report, "duration_s") < 0.1, "{report}");
    assert_eq!(report["meter"]["void"], false, "{report}");
}

#[test]
fn text_report_and_wrong_command_lines() {
    let origin = Origin::start(&[]);
    let output = run_output(&["--url", &origin.url("/"), "--requests", "10"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["requests", "p99.9", "errors", "meter", "closed loop"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    for wrong in [
        &["--url", "ftp://a/"][..],
        &["--url", "https://localhost/"],
        &["--url", "http://127.0.0.1/", "--rate", "0"],
        &["--url", "http://127.0.0.1/", "--proxy", "https://a/"],
        &["--url", "http://127.0.0.1/", "-c", "1", "--threads", "2"],
        &["--url", "http://127.0.0.1/", "--header", "no colon"],
        &["--url", "http://127.0.0.1/", "--pid", "2147483647"],
    ] {
        let output = run_output(wrong);
        assert!(
            !output.status.success() && output.stdout.is_empty(),
            "{wrong:?}"
        );
        assert!(!output.stderr.is_empty(), "{wrong:?}");
    }
}
