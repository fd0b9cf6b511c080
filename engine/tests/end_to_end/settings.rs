//! What a key of the configuration changes, for keys that no other subject is about.

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::common::process::Process;
use crate::common::programs::sallyport;
use crate::common::proxy::Setup;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Connection, Origin, Rules, ScriptedOrigin};
use crate::origin_failures::FullListener;

/// How long the connection to an origin takes whose first address does not answer, in ms.
fn connect_ms(keys: &[(&str, &str)]) -> u64 {
    let origin = Origin::start();
    let _silent = FullListener::on(&format!("127.0.0.9:{}", origin.port()));
    let mut setup = Setup::new().key("hosts.\"two.test\"", "[\"127.0.0.9\", \"127.0.0.1\"]");
    for (key, value) in keys {
        setup = setup.key(key, value);
    }
    let proxy = setup.start(ALLOW_ALL);
    let url = format!("http://two.test:{}/", origin.port());
    assert_eq!(proxy.connection().get(&url).status, 200);
    proxy.log.transaction()["t_connect"].as_u64().unwrap() / 1000
}

#[test]
fn head_start_of_an_address() {
    for (delay, least, most) in [("10ms", 0, 1_000), ("1500ms", 1_400, u64::MAX)] {
        let took = connect_ms(&[
            ("connect.happy_eyeballs_delay", &format!("\"{delay}\"")),
            ("timeouts.connect_attempt", "\"8s\""),
        ]);
        assert!((least..most).contains(&took), "{delay}: {took} ms");
    }
}

#[test]
fn time_for_one_address() {
    let took = connect_ms(&[
        ("connect.happy_eyeballs_delay", "\"2s\""),
        ("timeouts.connect_attempt", "\"200ms\""),
    ]);
    assert!((150..1_500).contains(&took), "{took} ms");
}

#[test]
fn idle_connections_to_a_destination() {
    for (most, connections) in [("0", 2), ("1", 1)] {
        let proxy = Setup::new()
            .key("shards", "1")
            .key("pool.idle_per_destination", most)
            .start(ALLOW_ALL);
        let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        for _ in 0..2 {
            assert_eq!(proxy.connection().get(&origin.url("/")).status, 200);
        }
        assert_eq!(origin.connections(), connections, "{most}");
    }
}

#[test]
fn life_of_an_idle_connection() {
    let proxy = Setup::new()
        .key("pool.idle_timeout", "\"100ms\"")
        .start(ALLOW_ALL);
    let origin = ScriptedOrigin::start(|mut accepted, notebook| {
        let request = accepted.request();
        accepted.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        // By default it would be kept longer than any test waits.
        accepted.connection.rest();
        notebook.note(request);
    });
    assert_eq!(proxy.connection().get(&origin.url("/")).status, 200);
    origin.requests(1);
}

/// After its last answer the proxy reads on for a while, and then closes.
#[test]
fn reading_on_after_the_last_answer() {
    for (linger, least, most) in [("100ms", 0, 1_500), ("3s", 2_500, u128::MAX)] {
        let proxy = Setup::new()
            .key("timeouts.linger", &format!("\"{linger}\""))
            .start(ALLOW_ALL);
        let mut client = proxy.connection();
        client.send("NONSENSE\r\n\r\n");
        assert_eq!(client.response().status, 400);
        let started = Instant::now();
        // What is written to a closed connection is answered by a reset, and the next write fails.
        wait_for("the end of the connection", || {
            client.stream.write_all(b"x").is_err().then_some(())
        });
        let took = started.elapsed().as_millis();
        assert!((least..most).contains(&took), "{linger}: {took} ms");
    }
}

#[test]
fn a_page_of_ones_own() {
    const DENY: Rules<'_> =
        Rules("[defaults]\npre_dns = \"deny\"\npre_request = \"deny\"\npost_response = \"deny\"\n");
    for (page, kind) in [("no.html", "text/html"), ("no.json", "application/json")] {
        let setup = Setup::new().key("responses.page", &format!("\"{page}\""));
        setup.write_file(page, b"<p>not here</p>");
        let proxy = setup.start(DENY);
        let response = proxy.connection().get("http://127.0.0.1:1/");
        assert_eq!(
            (response.status, response.text().as_str()),
            (403, "<p>not here</p>")
        );
        assert!(response.header("content-type").unwrap().starts_with(kind));
    }
}

#[test]
fn queries_in_the_log() {
    for (value, uri) in [("false", "/bytes/1"), ("true", "/bytes/1?secret=2")] {
        let proxy = Setup::new().key("log.query", value).start(ALLOW_ALL);
        let origin = Origin::start();
        assert_eq!(
            proxy
                .connection()
                .get(&origin.url("/bytes/1?secret=2"))
                .status,
            200
        );
        assert_eq!(proxy.log.transaction()["uri"], uri);
    }
}

/// Starts a proxy whose messages the harness does not understand, and waits until it serves.
fn started(setup: &Setup, port: u16) -> Process {
    let mut process = Process::start(sallyport().args(["run", "--config"]).arg(setup.write()));
    wait_for("the proxy", || {
        assert!(process.is_running());
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    process
}

#[test]
fn messages_of_the_process() {
    for (format, level) in [("text", "info"), ("json", "info"), ("text", "error")] {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let setup = Setup::new()
            .listener(address)
            .key("log.format", &format!("\"{format}\""))
            .key("log.level", &format!("\"{level}\""));
        ALLOW_ALL.compile(&setup.path("rules.spb"));
        let mut process = started(&setup, address.port());
        let mut client = Connection::open(address);
        // A port that no request may name.
        assert_eq!(client.get("http://127.0.0.1:1/").status, 403);
        if level == "error" {
            let lines = process.lines();
            assert!(lines.iter().all(|line| !line.contains("INFO")), "{lines:?}");
            continue;
        }
        let line = process.wait_line("the listening line", |line| {
            line.contains("listening").then(|| line.to_owned())
        });
        assert_eq!(line.starts_with('{'), format == "json", "{line}");
    }
}

/// Lines are handed over when their time has come, not before.
#[test]
fn lines_wait_for_their_time() {
    let proxy = Setup::new()
        .key("log.flush_interval", "\"1500ms\"")
        .start(ALLOW_ALL);
    let started = Instant::now();
    // A port that no request may name.
    assert_eq!(proxy.connection().get("http://127.0.0.1:1/").status, 403);
    proxy.log.transaction();
    let took = started.elapsed();
    assert!(took > Duration::from_millis(500), "{took:?}");
}
