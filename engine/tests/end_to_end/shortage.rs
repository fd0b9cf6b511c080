//! What runs short: descriptors, and room in the log.

use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::common::proxy::Setup;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Origin, Proxy};

/// A proxy that may have so many descriptors.
fn with_descriptors(count: usize, setup: Setup) -> Proxy {
    ALLOW_ALL.compile(&setup.path("rules.spb"));
    let mut command = Command::new("/bin/sh");
    command.args([
        "-c",
        &format!("ulimit -n {count} && exec \"$0\" \"$@\""),
        env!("CARGO_BIN_EXE_sallyport"),
    ]);
    setup.start_with(&mut command)
}

fn warnings(proxy: &Proxy) -> usize {
    let lines = proxy.process.lines();
    let about = |line: &&String| line.contains("\"WARN\"") && line.contains("want of descriptors");
    lines.iter().filter(about).count()
}

/// Out of descriptors: some are told so, nobody hangs, and afterwards all is well.
#[test]
fn it_survives_the_end_of_descriptors() {
    let mut proxy = with_descriptors(48, Setup::new().key("shards", "1"));
    let origin = Origin::start();
    let mut clients: Vec<_> = (0..60).map(|_| proxy.connection()).collect();
    proxy.wait_message("the warning", |level, text| {
        level == "WARN" && text.contains("cannot accept connections")
    });
    // Those that were accepted and are still open get a whole answer.
    let mut answered = 0;
    for client in &mut clients {
        client.send_in_vain(format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            origin.url("/"),
            origin.address
        ));
        let (answer, _) = client.rest();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.get(9..12).unwrap_or_default();
        assert!(matches!(status, "" | "200" | "503"), "{answer}");
        answered += usize::from(!status.is_empty());
    }
    assert!(answered > 10, "{answered}");
    drop(clients);
    wait_for("service as before", || {
        let mut client = proxy.connection();
        client.send_in_vain(format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            origin.url("/"),
            origin.address
        ));
        client.rest().0.starts_with(b"HTTP/1.1 200").then_some(())
    });
    assert!(proxy.process.is_running());
    let said = warnings(&proxy);
    assert!((1..=3).contains(&said), "{said} warnings");
}

/// What is idle gives way to new work: clients that keep their connection, and connections to origins.
#[test]
fn idle_connections_are_closed_for_new_work() {
    let proxy = with_descriptors(64, Setup::new().key("shards", "1"));
    let origin = Origin::start();
    let mut kept = Vec::new();
    // Each is answered and then keeps its connection: far more than there are descriptors.
    for number in 0..120 {
        let mut client = proxy.connection();
        let response = client.get(&origin.url("/bytes/2"));
        assert_eq!(response.status, 200, "client {number}: {response:?}");
        kept.push(client);
    }
    let said = warnings(&proxy);
    assert!((1..=4).contains(&said), "{said} warnings");
    // The last ones still have theirs.
    let last = kept.last_mut().unwrap();
    assert_eq!(last.get(&origin.url("/bytes/2")).status, 200);
}

/// A sink that takes nothing more holds requests back, and holds the end up for no longer than is said.
#[test]
fn a_stalled_sink_does_not_hold_up_the_end() {
    let setup = Setup::new().key("log.buffer_bytes", "\"128KiB\"");
    let pipe = setup.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut proxy = setup.key("log.access", "\"pipe\"").start(ALLOW_ALL);
    let origin = Origin::start();
    let mut client = proxy.connection();
    client
        .stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
        origin.url("/bytes/1"),
        origin.address
    );
    let mut answered = 0;
    let mut buffer = [0; 4096];
    while answered < 5000 {
        client.send(&request);
        match std::io::Read::read(&mut client.stream, &mut buffer) {
            Ok(count) if count > 0 => answered += 1,
            _ => break,
        }
    }
    assert!((100..5000).contains(&answered), "{answered} requests");
    proxy.wait_message("that requests wait", |level, text| {
        level == "WARN" && text.contains("access log takes no more")
    });
    let asked = Instant::now();
    proxy.signal(Signal::SIGTERM);
    assert_eq!(proxy.process.wait_end().code(), Some(1));
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(12), "{took:?}");
    let lines = proxy.process.lines();
    let lost = lines.iter().find_map(|line| {
        let (_, rest) = line.split_once("stuck in a write: ")?;
        rest.split(' ').next()?.parse::<u64>().ok()
    });
    assert!(lost.is_some_and(|lost| lost > 100), "{lines:#?}");
}
