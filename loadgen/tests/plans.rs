//! Plans: what is written is what is sent, by file and by flags, and what is wrong is told with its
//! place.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod common;

use std::collections::BTreeMap;

use common::{Certificate, Origin, Recorder, connect_proxy, number, plan, run, run_output};
use serde_json::Value;

fn run_plan(text: &str, extra: &[&str]) -> Value {
    let (_folder, path) = plan(text);
    run(&[&["--plan", path.as_str()], extra].concat())
}

fn assert_clean(report: &Value) {
    assert_eq!(number(report, "errors_total"), 0.0, "{report}");
}

/// The first line of each head, counted.
fn lines(recorder: &Recorder) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for head in recorder.heads() {
        let text = String::from_utf8_lossy(&head).into_owned();
        let line = text.lines().next().unwrap_or_default().to_owned();
        *counts.entry(line).or_insert(0) += 1;
    }
    counts
}

#[test]
fn everything_wrong_is_told_with_its_place() {
    let (_folder, path) = plan(
        "connections = 0\nkeep_alive = 0\nthink_time = \"1ms\"\n\n[arrivals]\nrate = -1.0\n\n\
         [hosts]\nnames = [\"a\"]\n\n[[request]]\nurl = \"ftp://a/\"\n\n[[request]]\n\
         url = \"http://127.0.0.1/\"\nmethod = \"A B\"\nexpect_crc32c = \"xyz\"\n\n[[client]]\nweight = 0\n",
    );
    let output = run_output(&["--plan", &path]);
    let text = String::from_utf8(output.stderr).unwrap();
    for (line, key) in [
        (1, "connections"),
        (2, "keep_alive"),
        (3, "think_time"),
        (6, "arrivals.rate"),
        (8, "hosts"),
        (12, "request.0.url"),
        (16, "request.1.method"),
        (17, "request.1.expect_crc32c"),
        (20, "client.0.weight"),
    ] {
        let is_it = |told: &str| {
            told.contains(&format!("plan.toml:{line}:")) && told.contains(&format!(" {key}: "))
        };
        assert!(text.lines().any(is_it), "{key}: {text}");
    }
    assert!(!output.status.success());
    for (text, message) in [
        (
            "conections = 1\n",
            "plan.toml:1:1: conections: unknown field `conections`",
        ),
        (
            "name = \"x\"\nduration = \"5 parsecs\"\n",
            "plan.toml:2:12: duration: ",
        ),
        (
            "[arrivals]\nspacing = \"odd\"\n",
            "plan.toml:2:11: arrivals.spacing: unknown variant `odd`",
        ),
    ] {
        let (_folder, path) = plan(text);
        let stderr = run_output(&["--plan", &path]).stderr;
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        assert!(stderr.contains(message), "{message}: {stderr}");
    }
}

#[test]
fn flags_and_files_are_the_same_thing() {
    let (by_flags, by_file) = (Recorder::start(), Recorder::start());
    assert_clean(&run(&[
        "--url",
        &by_flags.url("/a"),
        "-n",
        "12",
        "-c",
        "1",
        "-X",
        "PUT",
        "--body-bytes",
        "0",
        "-H",
        "X-A: b",
        "--keep-alive",
        "2",
    ]));
    let text = format!(
        "requests = 12\nconnections = 1\nkeep_alive = 2\n[defaults]\nmethod = \"PUT\"\n\
         headers = [\"X-A: b\"]\n[[request]]\nurl = \"{}\"\n",
        by_file.url("/a")
    );
    assert_clean(&run_plan(&text, &[]));
    let without_port = |recorder: &Recorder| {
        let port = format!(":{}", recorder.address.port());
        let heads = recorder.heads().into_iter();
        let mut heads: Vec<_> = heads
            .map(|head| String::from_utf8(head).unwrap().replace(&port, ""))
            .collect();
        heads.sort();
        heads
    };
    assert_eq!(without_port(&by_flags), without_port(&by_file));
    assert_eq!((by_flags.connections(), by_file.connections()), (6, 6));
    // Half of them announce that they are the last.
    let heads = without_port(&by_file);
    let last = heads
        .iter()
        .filter(|head| head.contains("Connection: close"));
    assert_eq!((heads.len(), last.count()), (12, 6));
    // A flag overrides the file.
    assert_eq!(
        number(&run_plan(&text, &["-n", "4"]), "requests_total"),
        4.0
    );
}

#[test]
fn mixes_follow_their_weights() {
    let recorder = Recorder::start();
    let text = format!(
        "proxy = \"{}\"\nrequests = 3000\nconnections = 4\n\
         [hosts]\npattern = \"h{{n}}.test\"\ncount = 50\nzipf = 1.0\n\
         [[request]]\nurl = \"http://{{host}}/get\"\nweight = 9\n\
         [[request]]\nurl = \"http://{{host}}/post\"\nmethod = \"POST\"\nweight = 1\n",
        recorder.url("")
    );
    assert_clean(&run_plan(&text, &["--no-body-check"]));
    let lines = lines(&recorder);
    let sum = |part: &str| -> usize {
        let fitting = lines.iter().filter(|(line, _)| line.contains(part));
        fitting.map(|(_, count)| count).sum()
    };
    assert!((2_550..2_850).contains(&sum("GET ")), "{lines:?}");
    // The most popular of 50 has 1/4.5 of all, the tenth a tenth of that.
    assert!((550..790).contains(&sum("//h1.test/")), "{lines:?}");
    assert!((35..105).contains(&sum("//h10.test/")), "{lines:?}");
}

#[test]
fn connections_that_move_on_visit_every_origin() {
    let (first, second) = (Recorder::start(), Recorder::start());
    let text = format!(
        "requests = 40\nconnections = 1\nkeep_alive = 4\n[[request]]\nurl = \"{}\"\n[[request]]\nurl = \"{}\"\n",
        first.url("/"),
        second.url("/")
    );
    assert_clean(&run_plan(&text, &[]));
    assert_eq!((first.connections(), second.connections()), (5, 5));
    assert_eq!((first.heads().len(), second.heads().len()), (20, 20));
    // Connections that stay could not serve both.
    let (_folder, path) = plan(&text.replace("keep_alive = 4\n", ""));
    let stderr = run_output(&["--plan", &path]).stderr;
    assert!(
        String::from_utf8_lossy(&stderr).contains("1 of 2 origins"),
        "{stderr:?}"
    );
}

#[test]
fn a_share_of_connections_is_new() {
    let recorder = Recorder::start();
    let text = format!(
        "requests = 1000\nconnections = 2\nnew_connections = 0.2\n[[request]]\nurl = \"{}\"\n",
        recorder.url("/")
    );
    assert_clean(&run_plan(&text, &[]));
    assert!(
        (150..260).contains(&recorder.connections()),
        "{}",
        recorder.connections()
    );
}

#[test]
fn clients_have_fields_and_addresses_of_their_own() {
    let recorder = Recorder::start();
    let text = format!(
        "proxy = \"{}\"\nrequests = 40\nconnections = 4\nkeep_alive = 2\n\
         [[request]]\nurl = \"http://a.test/\"\n\
         [[client]]\nweight = 3\nheaders = [\"User-Agent: build\"]\nproxy_headers = [\"Proxy-Authorization: Basic eDp5\"]\n\
         proxy_protocol = {{ clients = \"10.7.0.0/16\", vpce = [\"vpce-1\"] }}\n\
         [[client]]\nheaders = [\"User-Agent: people\"]\n",
        recorder.url("")
    );
    assert_clean(&run_plan(&text, &[]));
    let heads = recorder.heads();
    let text = |head: &Vec<u8>| String::from_utf8_lossy(head).into_owned();
    let announced: Vec<_> = heads
        .iter()
        .filter(|head| head.starts_with(b"\r\n\r\n\0\r\nQUIT\n"))
        .collect();
    // Three of four connections, of which there are about twenty: how long one lives is drawn.
    let (announced_count, connections) = (announced.len(), recorder.connections());
    // A busy machine may serve one more often than the others.
    let few = connections / 2..=connections * 19 / 20;
    assert!(
        few.contains(&announced_count),
        "{announced_count} of {connections}"
    );
    let mut addresses: Vec<_> = announced.iter().map(|head| head[16..20].to_vec()).collect();
    assert!(addresses.iter().all(|address| address[..2] == [10, 7]));
    addresses.sort();
    addresses.dedup();
    assert!(addresses.len() > 10, "{addresses:?}");
    assert!(
        announced
            .iter()
            .all(|head| text(head).contains("\u{1}vpce-1GET http://a.test/"))
    );
    let build = heads
        .iter()
        .filter(|head| text(head).contains("User-Agent: build\r\n"));
    assert!(
        build
            .clone()
            .all(|head| text(head).contains("Proxy-Authorization: "))
    );
    let people = heads
        .iter()
        .filter(|head| text(head).contains("User-Agent: people\r\n"));
    assert!(
        people
            .clone()
            .all(|head| !text(head).contains("Proxy-Authorization"))
    );
    assert_eq!(build.count() + people.count(), 40);
}

#[test]
fn the_proxy_is_told_who_asks_for_a_tunnel() {
    // The relay answers only to a CONNECT that is at the start of the stream.
    let origin = Origin::start(&[]);
    let text = format!(
        "proxy = \"http://{}\"\nform = \"connect\"\nrequests = 6\nconnections = 2\n\
         [[request]]\nurl = \"http://localhost:{}/echo\"\n\
         [[client]]\nheaders = [\"X-In: 1\"]\nproxy_headers = [\"X-Out: 1\"]\n",
        connect_proxy(),
        origin.address.port()
    );
    assert_clean(&run_plan(&text, &[]));
}

#[test]
fn recorded_and_stepped_arrivals_are_kept() {
    let origin = Origin::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let times = folder.path().join("times");
    std::fs::write(&times, "# seconds\n0.30\n0.01\n0.02\n0.02\n").unwrap();
    let text = format!(
        "connections = 4\n[arrivals]\nrecorded = \"{}\"\n[[request]]\nurl = \"{}\"\n",
        times.display(),
        origin.url("/")
    );
    let report = run_plan(&text, &[]);
    assert_clean(&report);
    assert_eq!(number(&report, "latency_us.count"), 4.0);
    assert!(
        (0.3..0.4).contains(&number(&report, "duration_s")),
        "{report}"
    );
    let text = format!(
        "connections = 8\n[arrivals]\nspacing = \"poisson\"\nsteps = [\n\
         {{ rate = 100, duration = \"300ms\" }},\n{{ rate = 1000, duration = \"300ms\" }} ]\n\
         [[request]]\nurl = \"{}\"\n",
        origin.url("/")
    );
    let report = run_plan(&text, &[]);
    assert_clean(&report);
    assert!(
        (260.0..400.0).contains(&number(&report, "latency_us.count")),
        "{report}"
    );
    assert!(
        (number(&report, "rate_intended") - 550.0).abs() < 1.0,
        "{report}"
    );
    let intervals = report["intervals"].as_array().unwrap();
    let requests = |part: &[Value]| part.iter().map(|i| number(i, "requests")).sum::<f64>();
    assert_eq!(intervals.len(), 6);
    assert!(
        requests(&intervals[..3]) < 80.0 && requests(&intervals[3..]) > 180.0,
        "{report}"
    );
}

#[test]
fn clients_think() {
    let origin = Origin::start(&[]);
    let url = origin.url("/");
    let report = run(&[
        "--url",
        &url,
        "-c",
        "5",
        "-d",
        "600ms",
        "--think-time",
        "50ms",
    ]);
    assert_clean(&report);
    // Five clients, each at most once in 50 ms.
    assert!(
        (30.0..=65.0).contains(&number(&report, "requests_total")),
        "{report}"
    );
}

#[test]
fn slow_clients_are_counted_apart() {
    let origin = Origin::start(&[]);
    let text = format!(
        "connections = 4\nduration = \"800ms\"\n[[request]]\nurl = \"{}\"\n\
         [[client]]\n[[client]]\nslow = {{ bytes = 40, every = \"20ms\" }}\n",
        origin.url("/bytes/300")
    );
    let report = run_plan(&text, &[]);
    assert_clean(&report);
    // A request of some 90 octets and a response of some 400, 2000 octets a second.
    let slow = number(&report, "slow_clients.requests_total");
    assert!((2.0..=10.0).contains(&slow), "{report}");
    assert_eq!(number(&report, "slow_clients.errors_total"), 0.0);
    assert!(number(&report, "requests_total") > 100.0, "{report}");
    assert!(number(&report, "latency_us.p99") < 100_000.0, "{report}");
}

#[test]
fn handshakes_hold_and_bulk() {
    let certificate = Certificate::make();
    let secure = certificate.origin();
    let proxy = format!("http://{}", connect_proxy());
    let url = format!("https://localhost:{}/", secure.address.port());
    let report = run(&[
        "--scenario",
        "handshakes",
        "--url",
        &url,
        "--insecure",
        "--proxy",
        &proxy,
        "-n",
        "20",
        "-c",
        "2",
    ]);
    assert_clean(&report);
    assert_eq!(number(&report, "connections_opened_total"), 20.0);
    let (_, requests) = secure_counts(&secure, &certificate);
    assert_eq!(requests, 1.0, "nothing was asked but this");

    let origin = Origin::start(&[]);
    let pid = origin.child.id().to_string();
    let url = origin.url("/");
    let args = [
        "--scenario",
        "hold",
        "--url",
        &url,
        "-c",
        "300",
        "-d",
        "600ms",
        "--pid",
        &pid,
    ];
    let report = run(&args);
    assert_clean(&report);
    assert_eq!(number(&report, "hold.connections_held"), 300.0);
    assert!(
        number(&report, "hold.rss_bytes_per_connection") >= 0.0,
        "{report}"
    );
    assert_eq!(origin.count().0, 301);

    let url = origin.url("/bytes/1000000000");
    let pid = origin.child.id().to_string();
    let args = [
        "--scenario",
        "bulk",
        "--url",
        &url,
        "-c",
        "2",
        "-d",
        "500ms",
        "--pid",
        &pid,
    ];
    let report = run(&args);
    assert_clean(&report);
    assert!(number(&report, "body_bytes_total") > 1e7, "{report}");
    assert!(number(&report, "process.cpu_s_per_gib") > 0.0, "{report}");
}

/// Connections and requests of a TLS origin.
fn secure_counts(origin: &Origin, certificate: &Certificate) -> (f64, f64) {
    let url = format!("https://localhost:{}/count", origin.address.port());
    let output = std::process::Command::new("curl")
        .args([
            "-sS",
            "--cacert",
            certificate.certificate.to_str().expect("a path"),
            &url,
        ])
        .output()
        .expect("curl");
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    (number(&value, "connections"), number(&value, "requests"))
}

#[test]
fn held_connections_that_are_dropped_are_errors() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let kept: Vec<_> = listener.incoming().flatten().take(5).collect();
        std::thread::sleep(std::time::Duration::from_millis(100));
        drop(kept);
    });
    let report = run(&[
        "--scenario",
        "hold",
        "--url",
        &url,
        "-c",
        "5",
        "-d",
        "500ms",
    ]);
    assert_eq!(
        report["errors"],
        serde_json::json!({ "dropped": 5 }),
        "{report}"
    );
    assert_eq!(number(&report, "hold.connections_held"), 0.0);
}

#[test]
fn checksums_of_both_directions() {
    let origin = Origin::start(&[]);
    let url = origin.url("/bytes/100000?digest=1");
    let body = ["-X", "POST", "--body-bytes", "200000"];
    let args = [&["--url", &url, "-n", "10"][..], &body].concat();
    assert_clean(&run(&args));
    // Without comparing octets the digest alone finds what is wrong.
    let url = origin.url("/bytes/100000?digest=1&corrupt=1");
    let report = run(&["--url", &url, "-n", "5", "--no-body-check"]);
    assert_eq!(
        report["errors"],
        serde_json::json!({ "checksum": 5 }),
        "{report}"
    );
    // What is known beforehand: CRC-32C of "Hello from the origin.\n".
    let crc = format!("{:08x}", crc32c::crc32c(b"Hello from the origin.\n"));
    let url = origin.url("/");
    assert_clean(&run(&["--url", &url, "-n", "5", "--expect-crc32c", &crc]));
    let report = run(&["--url", &url, "-n", "5", "--expect-crc32c", "00000001"]);
    assert_eq!(
        report["errors"],
        serde_json::json!({ "checksum": 5 }),
        "{report}"
    );
    let liar =
        common::parrot(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Received: 4 00000000\r\n\r\n");
    let url = format!("http://{liar}/");
    let report = run(&[
        "--url",
        &url,
        "-n",
        "3",
        "--body-bytes",
        "5",
        "--new-connections",
    ]);
    assert_eq!(
        report["errors"],
        serde_json::json!({ "upload_mismatch": 3 }),
        "{report}"
    );
}
