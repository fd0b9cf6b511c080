//! Names with several addresses (RFC 8305): one that does not answer holds nobody up, one that refuses is
//! passed over at once, and the one that is preferred is not raced when it answers.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Origin, ScriptedOrigin};

/// An address at which connections are neither accepted nor refused: the queue of its listener is full.
struct Silence {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Silence {
    fn on(address: &str) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            None,
        );
        let socket = socket.unwrap();
        socket.bind(&address.into()).unwrap();
        socket.listen(0).unwrap();
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(waiting) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            queue.push(waiting);
            assert!(queue.len() < 64, "the queue has no end");
        }
        Self {
            address,
            _listener: listener,
            _queue: queue,
        }
    }
}

/// Asks for a name with these addresses, with this head start; the line of the log.
fn ask(addresses: &[&str], port: u16, delay: &str) -> Value {
    let list = addresses.join("\", \"");
    let proxy = Setup::new()
        .key("hosts.\"two.test\"", &format!("[\"{list}\"]"))
        .key("guard.allow", "[\"127.0.0.0/8\", \"::1\"]")
        .key("connect.happy_eyeballs_delay", &format!("\"{delay}\""))
        .key("timeouts.connect_attempt", "\"15s\"")
        .key("timeouts.connect", "\"15s\"")
        .start(ALLOW_ALL);
    let url = format!("http://two.test:{port}/bytes/3");
    assert_eq!(proxy.connection().get(&url).status, 200);
    proxy.log.transaction()
}

fn connect_time(line: &Value) -> Duration {
    Duration::from_micros(line["t_connect"].as_u64().unwrap())
}

/// The next address is tried beside the one that does not answer, after its head start and not before.
#[test]
fn an_address_that_is_silent_is_overtaken() {
    let silence = Silence::on("127.68.0.1:0");
    let port = silence.address.port();
    let _origin = Origin::start_on(&format!("127.69.0.1:{port}"));
    let line = ask(&["127.68.0.1", "127.69.0.1"], port, "300ms");
    assert_eq!(line["dst_ip"], "127.69.0.1", "{line}");
    let time = connect_time(&line);
    assert!(time >= Duration::from_millis(300), "{line}");
    assert!(time < Duration::from_secs(10), "{line}");
}

/// Two that are silent: each gets its head start.
#[test]
fn the_third_address_waits_for_two_head_starts() {
    let silence = Silence::on("127.68.0.2:0");
    let port = silence.address.port();
    let _second = Silence::on(&format!("127.68.0.3:{port}"));
    let _origin = Origin::start_on(&format!("127.69.0.2:{port}"));
    let addresses = ["127.68.0.2", "127.68.0.3", "127.69.0.2"];
    let line = ask(&addresses, port, "200ms");
    assert_eq!(line["dst_ip"], "127.69.0.2", "{line}");
    assert!(connect_time(&line) >= Duration::from_millis(400), "{line}");
}

/// A refusal is an answer: the next one need not wait for its turn.
#[test]
fn after_a_refusal_the_next_is_tried_at_once() {
    let origin = Origin::start_on("127.69.0.3:0");
    let line = ask(&["127.68.0.4", "127.69.0.3"], origin.port(), "2s");
    assert_eq!(line["dst_ip"], "127.69.0.3", "{line}");
    assert!(connect_time(&line) < Duration::from_secs(2), "{line}");
}

/// Families alternate and IPv6 comes first (section 4); who answers is not raced.
#[test]
fn the_preferred_address_is_not_raced() {
    let ipv6 = Origin::start_on("[::1]:0");
    let port = ipv6.port();
    let ipv4 = ScriptedOrigin::silent_on(&format!("127.69.0.4:{port}"));
    let line = ask(&["127.69.0.4", "::1"], port, "2s");
    assert_eq!(line["dst_ip"], "::1", "{line}");
    assert_eq!(ipv4.connections(), 0);
}
