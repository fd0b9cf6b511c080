//! Large bodies inside TLS, and ends that are slow: what the proxy holds of them stays small.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::common::message::parse_head;
use crate::common::nginx::Nginx;
use crate::common::origin::SeenRequest;
use crate::common::pki::Pki;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Proxy, ScriptedOrigin};
use crate::curl::Curl;

/// Far above what a request may cost: both windows of HTTP/2 (256 KiB each), buffers, TLS records, and the
/// pages that the allocator takes for each size. A quarter of what is transferred at least.
const GROWTH_MAX: u64 = 16 << 20;

const UPLOAD_BYTES: usize = 64 << 20;
const DOWNLOAD_BYTES: usize = 256 << 20;

/// The most memory that `run` makes the proxy use beyond what it used before.
fn growth(proxy: &Proxy, run: impl FnOnce()) -> u64 {
    let process = format!("/proc/{}", proxy.process.pid());
    let peak = || {
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        kib.unwrap().parse::<u64>().unwrap() * 1024
    };
    // Peaks are counted from now (proc(5)).
    fs::write(format!("{process}/clear_refs"), "5").unwrap();
    let before = peak();
    run();
    peak().saturating_sub(before)
}

/// As long as it takes: a machine may be busy with other tests.
fn curl_args<'a>(version: &'a str, authority: &'a str) -> [&'a str; 7] {
    let null = "/dev/null";
    [
        version,
        "--cacert",
        authority,
        "--output",
        null,
        "--max-time",
        "180",
    ]
}

/// An origin that first reads nothing, and then slowly: what the client may send meanwhile is bounded.
#[test]
fn an_upload_to_a_slow_origin_is_not_gathered() {
    let slow = ScriptedOrigin::start(|mut accepted, notebook| {
        let head = accepted.connection.head();
        thread::sleep(Duration::from_millis(300));
        let mut missing = UPLOAD_BYTES;
        while missing > 0 {
            missing -= accepted.connection.bytes(missing.min(256 << 10)).len();
            thread::sleep(Duration::from_millis(1));
        }
        accepted.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let (line, headers) = parse_head(&head);
        notebook.note(SeenRequest {
            line,
            headers,
            body: Vec::new(),
            trailers: Vec::new(),
        });
    });
    let locations = format!(
        "client_max_body_size 0; location / {{ proxy_pass {}; proxy_request_buffering off; }}",
        slow.url("")
    );
    let Some((proxy, pki, nginx)) = world(&locations) else {
        return;
    };
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let file = proxy.folder().join("upload");
    fs::File::create(&file)
        .and_then(|file| file.set_len(UPLOAD_BYTES as u64))
        .unwrap();
    let (authority, url) = (
        pki.authority(),
        format!("https://a.test:{}/put", nginx.port),
    );
    for version in ["--http2", "--http1.1"] {
        let upload = ["--upload-file", file.to_str().unwrap(), &*url];
        let grown = growth(&proxy, || {
            let outcome = curl.run(&[&curl_args(version, &authority)[..], &upload].concat());
            assert_eq!((outcome.exit, outcome.code), (Some(0), 200), "{version}");
        });
        assert!(grown < GROWTH_MAX, "{version}: grew by {grown} bytes");
    }
    assert_eq!(slow.requests(2).len(), 2);
}

/// A quarter of a gigabyte at full speed, and again to a client that is slower than the origin.
#[test]
fn downloads_leave_memory_as_it_was() {
    let Some((proxy, pki, nginx)) = world("") else {
        return;
    };
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    fs::File::create(proxy.folder().join("www/large"))
        .and_then(|file| file.set_len(DOWNLOAD_BYTES as u64))
        .unwrap();
    let (authority, url) = (
        pki.authority(),
        format!("https://a.test:{}/large", nginx.port),
    );
    let cases: [&[&str]; 3] = [
        &["--http2"],
        &["--http1.1"],
        &["--http2", "--limit-rate", "128M"],
    ];
    for options in cases {
        let arguments = [options, &curl_args("--globoff", &authority), &[&*url]].concat();
        let grown = growth(&proxy, || {
            let outcome = curl.run(&arguments);
            assert_eq!((outcome.exit, outcome.code), (Some(0), 200), "{options:?}");
        });
        assert!(grown < GROWTH_MAX, "{options:?}: grew by {grown} bytes");
    }
    let lines = proxy.log.transactions(2 * cases.len());
    let mut inner = lines.iter().filter(|line| line["method"] == "GET");
    assert!(inner.all(|line| line["bytes_down"].as_u64() > Some(DOWNLOAD_BYTES as u64)));
}

/// An intercepting proxy, and nginx with HTTP/2 behind it.
fn world(locations: &str) -> Option<(Proxy, Pki, Nginx)> {
    let (setup, pki) = Setup::intercepting();
    let nginx = Nginx::start_tls(setup.folder.path(), &pki.origin(&["a.test"]), locations)?;
    Some((setup.start(ALLOW_ALL), pki, nginx))
}
