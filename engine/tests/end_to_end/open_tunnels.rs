//! Tunnels that are open while configuration or rules change: each is judged again, also while nothing
//! happens in it, and ends if it would not be let in any more.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::common::access_log::assert_fields;
use crate::common::connection::{Connection, End};
use crate::common::pki::{Flaw, Pki};
use crate::common::proxy::Setup;
use crate::common::tls_bridge::{ClientAuth, tls_before, tls_tunnel, tls_tunnel_trusting};
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Proxy, Rules, ScriptedOrigin};
use crate::operation::held_origin;

/// What a tunnel holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http,
    Http2,
    Intercepted,
    PassedTls,
    Other,
    WebSocket,
    WebSocketInside,
    WebSocketInTls,
}

const KINDS: [Kind; 8] = [
    Kind::Http,
    Kind::Http2,
    Kind::Intercepted,
    Kind::PassedTls,
    Kind::Other,
    Kind::WebSocket,
    Kind::WebSocketInside,
    Kind::WebSocketInTls,
];

/// A proxy, and origins for all kinds of tunnels.
struct World {
    proxy: Proxy,
    pki: Pki,
    /// Answers `ok` to each request, switches where it is asked to, and then echoes four bytes at a time.
    origin: ScriptedOrigin,
    tls_port: u16,
}

impl World {
    fn new(rules: Rules<'_>, keys: &[(&str, &str)]) -> Self {
        let (setup, pki) = Setup::intercepting();
        let setup = setup
            .key("tunnel.unknown_protocol", "\"allow\"")
            .host("passed.test", "127.0.0.1")
            .append("[[tls.scope]]\ndomains = [\"passed.test\"]\nmode = \"passthrough\"\n");
        let setup = keys
            .iter()
            .fold(setup, |setup, (key, value)| setup.key(key, value));
        let origin = ScriptedOrigin::start(|mut accepted, _| {
            let mut first = [0];
            accepted.connection.stream.peek(&mut first).unwrap();
            if first == *b"P" {
                // HTTP/2, which nobody wants anything of.
                accepted.connection.rest();
                return;
            }
            let mut echoes = first == [0];
            while accepted.has_more() {
                if echoes {
                    let said = accepted.connection.bytes(4);
                    accepted.send(said);
                    continue;
                }
                echoes = accepted.request().header("upgrade").is_some();
                accepted.send(match echoes {
                    true => {
                        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                             Upgrade: websocket\r\n\r\n"
                    }
                    false => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                });
            }
        });
        let identity = pki.origin(&["a.test", "passed.test"]);
        let tls_port = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody).port();
        Self {
            proxy: setup.start(rules),
            pki,
            origin,
            tls_port,
        }
    }

    fn open(&self, kind: Kind) -> Tunnel {
        let name = match kind {
            Kind::PassedTls => "passed.test",
            _ => "a.test",
        };
        let port = match kind {
            Kind::Intercepted | Kind::PassedTls | Kind::WebSocketInTls => self.tls_port,
            _ => self.origin.port(),
        };
        let authority = format!("{name}:{port}");
        let client = match kind {
            Kind::Intercepted | Kind::WebSocketInTls => {
                tls_tunnel(&self.proxy, &self.pki, &authority, name)
            }
            Kind::PassedTls => {
                tls_tunnel_trusting(&self.proxy, &self.pki.roots(), &authority, name)
            }
            Kind::WebSocket => self.proxy.connection(),
            _ => {
                let mut client = self.proxy.connection();
                client.connect(&authority).unwrap();
                client
            }
        };
        let mut tunnel = Tunnel {
            kind,
            client,
            authority,
        };
        tunnel.begin();
        tunnel.use_it();
        tunnel
    }

    /// Has configuration and rules be read; the message that says so.
    fn reload(&mut self) -> Value {
        self.proxy.signal(Signal::SIGHUP);
        let is_it = |_: &str, text: &str| text.starts_with("reloaded");
        self.proxy.wait_message("the reload", is_it)
    }

    /// Changes the text of the configuration file.
    fn reconfigure(&self, from: &str, to: &str) {
        let path = self.proxy.folder().join("sallyport.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }

    fn rules(&self, rules: &str) {
        Rules(rules).compile(&self.proxy.bundle());
    }
}

struct Tunnel {
    kind: Kind,
    client: Connection,
    authority: String,
}

impl Tunnel {
    /// Says what tells the proxy what the tunnel holds.
    fn begin(&mut self) {
        let authority = &self.authority;
        match self.kind {
            Kind::WebSocket | Kind::WebSocketInside | Kind::WebSocketInTls => {
                let target = match self.kind {
                    Kind::WebSocket => format!("http://{authority}/"),
                    _ => "/".to_owned(),
                };
                self.client.send(format!(
                    "GET {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\n\
                     Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                     Sec-WebSocket-Version: 13\r\n\r\n"
                ));
                assert_eq!(self.client.response().status, 101);
            }
            Kind::Http2 => {
                self.client
                    .send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
                let frame = self.frame();
                assert_eq!(frame[3], 4, "SETTINGS");
            }
            _ => {}
        }
    }

    /// A frame of HTTP/2.
    fn frame(&mut self) -> Vec<u8> {
        let mut frame = self.client.bytes(9);
        let length = usize::from(frame[1]) << 8 | usize::from(frame[2]);
        frame.extend(self.client.bytes(length));
        frame
    }

    /// One exchange.
    fn use_it(&mut self) {
        match self.kind {
            Kind::Http | Kind::Intercepted | Kind::PassedTls => {
                let authority = &self.authority;
                self.client
                    .send(format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
                let response = self.client.response();
                assert_eq!((response.status, &*response.body), (200, &b"ok"[..]));
            }
            Kind::Http2 => {
                self.client.send("\0\0\x08\x06\0\0\0\0\0pingpong");
                while self.frame()[3] != 6 {}
            }
            _ => {
                self.client.send("\0ab!");
                assert_eq!(self.client.bytes(4), b"\0ab!");
            }
        }
    }

    /// Asserts that it ends, and in order where it can.
    fn assert_ends(&mut self) {
        if self.kind == Kind::Http2 {
            while self.frame()[3] != 7 {}
        }
        let (rest, end) = self.client.rest();
        assert!(rest.is_empty() || self.kind == Kind::Http2, "{rest:?}");
        let is_cut = matches!(self.kind, Kind::PassedTls | Kind::WebSocketInTls);
        assert!(end == End::Closed || is_cut, "{:?} {end:?}", self.kind);
    }
}

/// The line of the tunnel that was cut, which is a CONNECT unless a request of its own was switched.
fn line_of(world: &World, kind: Kind) -> Value {
    let method = match kind {
        Kind::WebSocket | Kind::WebSocketInside | Kind::WebSocketInTls => "GET",
        _ => "CONNECT",
    };
    wait_for("the line of the tunnel", || {
        let mut lines = world.proxy.log.of("transaction");
        lines.retain(|line| {
            let detail = line["detail"].as_str().unwrap_or_default();
            line["method"] == method && detail.contains("after a reload")
        });
        lines.pop()
    })
}

const DENY_NAMES: &str = r#"
[[group]]
priority = 1
name = "closing"
[[group.pre_dns]]
name = "closed"
action = "deny"
when."request:DestinationDomain" = { StringEquals = ["a.test", "passed.test"] }
"#;

const DENY_ADDRESSES: &str = r#"
[[group]]
priority = 1
name = "closing"
[[group.pre_request]]
name = "closed"
action = "deny"
when."request:DestinationIp" = { IpAddress = "127.0.0.0/8" }
"#;

/// Whatever it holds, a tunnel whose name or address is denied now ends at once, and its line says by
/// which rule of which bundle.
#[test]
fn rules_reach_open_tunnels() {
    for (rules, phase) in [(DENY_NAMES, "PreDNS"), (DENY_ADDRESSES, "PreREQUEST")] {
        for kind in KINDS {
            let mut world = World::new(ALLOW_ALL, &[]);
            let mut tunnel = world.open(kind);
            world.rules(rules);
            let message = world.reload();
            tunnel.assert_ends();
            let line = line_of(&world, kind);
            assert_fields(
                &line,
                &json!({ "phase": phase, "action": "deny", "rule": "closed", "group": "closing",
                    "error": "http_request_denied", "bundle": message["bundle"] }),
            );
            let deny = world.proxy.log.wait("deny", 1).remove(0);
            assert_eq!(deny["rule"], "closed", "{kind:?}");
        }
    }
}

/// The guard and its ports as well.
#[test]
fn the_guard_reaches_open_tunnels() {
    let cases = [
        (
            "guard.allow = [\"127.0.0.0/8\"]",
            "guard.allow = []",
            "destination_ip_prohibited",
        ),
        (
            "guard.ports = \"any\"",
            "guard.ports = [443]",
            "http_request_denied",
        ),
    ];
    for (from, to, error) in cases {
        for kind in KINDS {
            if error == "http_request_denied" && kind == Kind::WebSocket {
                continue;
            }
            let mut world = World::new(ALLOW_ALL, &[]);
            let mut tunnel = world.open(kind);
            world.reconfigure(from, to);
            world.reload();
            tunnel.assert_ends();
            assert_fields(
                &line_of(&world, kind),
                &json!({ "action": "deny", "error": error, "rule": null }),
            );
        }
    }
}

/// What only the ClientHello has shown is asked about again too.
#[test]
fn rules_about_tls_reach_open_tunnels() {
    let rules = r#"
[[group]]
priority = 1
name = "closing"
[[group.pre_request]]
name = "closed"
action = "deny"
when."request:TlsSni" = { StringLike = "*.test" }
when."request:Ja4" = { StringLike = "t13*" }
"#;
    for kind in [Kind::Intercepted, Kind::PassedTls] {
        let mut world = World::new(ALLOW_ALL, &[]);
        let mut tunnel = world.open(kind);
        world.rules(rules);
        world.reload();
        tunnel.assert_ends();
        assert_fields(
            &line_of(&world, kind),
            &json!({ "phase": "PreREQUEST", "rule": "closed" }),
        );
    }
}

/// A request that is under way when its tunnel is denied is answered, and told that it was the last one.
#[test]
fn what_is_under_way_ends_as_it_began() {
    let mut world = World::new(ALLOW_ALL, &[]);
    let (held, release) = held_origin();
    let mut client = world.proxy.connection();
    let authority = format!("a.test:{}", held.port());
    client.connect(&authority).unwrap();
    client.send(format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    client.head();
    world.rules(DENY_NAMES);
    world.reload();
    let idle = wait_for("the new rules", || {
        let mut other = world.proxy.connection();
        other.connect(&authority).err()
    });
    assert_eq!(idle.status, 403);
    release.send(()).unwrap();
    assert_eq!(client.bytes(8), b"halfhalf");
    client.assert_closed();
    let line = line_of(&world, Kind::Http);
    assert_fields(
        &line,
        &json!({ "method": "CONNECT", "status": 200, "rule": "closed" }),
    );
}

/// What is to be done with TLS has changed: neither is it looked into any longer, nor any longer not.
#[test]
fn another_handling_ends_tunnels() {
    let cases = [
        (
            Kind::Intercepted,
            "tls.mode = \"intercept\"",
            "tls.mode = \"passthrough\"",
        ),
        (
            Kind::PassedTls,
            "mode = \"passthrough\"",
            "mode = \"intercept\"",
        ),
    ];
    for (kind, from, to) in cases {
        let mut world = World::new(ALLOW_ALL, &[]);
        let mut tunnel = world.open(kind);
        world.reconfigure(from, to);
        world.reload();
        tunnel.assert_ends();
        let line = line_of(&world, kind);
        assert_fields(&line, &json!({ "error": "connection_terminated" }));
        assert!(
            line["detail"].as_str().unwrap().contains("tls.scope"),
            "{line}"
        );
    }
    let mut world = World::new(ALLOW_ALL, &[]);
    let mut tunnel = world.open(Kind::Other);
    world.reconfigure(
        "tunnel.unknown_protocol = \"allow\"",
        "tunnel.unknown_protocol = \"deny\"",
    );
    world.reload();
    tunnel.assert_ends();
}

/// How an origin is spoken to changes for the next request of a tunnel that stays open.
#[test]
fn another_trust_reaches_open_tunnels() {
    let (setup, pki) = Setup::intercepting();
    let mut proxy = setup
        .key("tls.upstream.verify", "\"alert\"")
        .start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let identity = pki.flawed(&["a.test"], Flaw::UnknownIssuer);
    let port = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody).port();
    let authority = format!("a.test:{port}");
    let mut client = tls_tunnel(&proxy, &pki, &authority, "a.test");
    let mut get = || {
        client.send(format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
        client.response()
    };
    assert_eq!(get().status, 200);
    let config = proxy.folder().join("sallyport.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let strict = text.replace("verify = \"alert\"", "verify = \"deny\"");
    std::fs::write(&config, strict).unwrap();
    proxy.signal(Signal::SIGHUP);
    proxy.wait_message("the reload", |_, text| text.starts_with("reloaded"));
    let refused = wait_for("the new trust", || {
        let response = get();
        (response.status != 200).then_some(response)
    });
    refused.assert_refusal(502, "tls_certificate_error");
}

/// Nothing is cut without a reason: not by a reload that changes nothing that concerns the tunnel, and
/// not by any where the operator does not want it.
#[test]
fn tunnels_stay_open_otherwise() {
    let mut world = World::new(ALLOW_ALL, &[]);
    let mut tunnels: Vec<_> = KINDS.map(|kind| world.open(kind)).into();
    for _ in 0..3 {
        world.reconfigure("[[listener]]", "# another text\n[[listener]]");
        world.rules("[[group]]\npriority = 1\nname = \"other\"\n");
        world.reload();
        // Each shard takes it up at its next tick.
        std::thread::sleep(Duration::from_millis(250));
        for tunnel in &mut tunnels {
            tunnel.use_it();
        }
    }
    let mut world = World::new(ALLOW_ALL, &[("reload.tunnels", "\"leave\"")]);
    let mut tunnels: Vec<_> = KINDS.map(|kind| world.open(kind)).into();
    world.rules(DENY_NAMES);
    world.reload();
    wait_for("the new rules", || {
        let mut other = world.proxy.connection();
        other.connect("a.test:443").err()
    });
    for tunnel in &mut tunnels {
        tunnel.use_it();
    }
}

/// A reload each few milliseconds, in tunnels of which some are judged again with each request.
#[test]
fn reloads_under_load_break_no_tunnel() {
    let world = World::new(ALLOW_ALL, &[("shards", "2")]);
    std::thread::scope(|scope| {
        let clients: Vec<_> = [
            Kind::Http,
            Kind::Intercepted,
            Kind::PassedTls,
            Kind::WebSocketInTls,
            Kind::Http,
            Kind::Intercepted,
        ]
        .into_iter()
        .map(|kind| {
            let world = &world;
            scope.spawn(move || {
                let mut tunnel = world.open(kind);
                for _ in 0..100 {
                    tunnel.use_it();
                }
            })
        })
        .collect();
        while clients.iter().any(|client| !client.is_finished()) {
            world.proxy.signal(Signal::SIGHUP);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
}
