//! Connections that others make for clients: the PROXY protocol in front of requests.

use std::io::Write;
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::common::access_log::assert_fields;
use crate::common::pki::Pki;
use crate::common::proxy::Setup;
use crate::common::tls_bridge::tls_over;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Connection, Proxy, Response, Rules, ScriptedOrigin};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A header of version 2 for a client at 192.0.2.7:4000, with these TLVs.
pub(crate) fn version2(tlvs: &[(u8, &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    block.extend(Ipv4Addr::new(192, 0, 2, 7).octets());
    block.extend(Ipv4Addr::new(198, 51, 100, 1).octets());
    block.extend(4000_u16.to_be_bytes());
    block.extend(3128_u16.to_be_bytes());
    for (kind, value) in tlvs {
        block.push(*kind);
        block.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        block.extend(*value);
    }
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11".to_vec();
    header.extend(u16::try_from(block.len()).unwrap().to_be_bytes());
    header.extend(block);
    header
}

const VERSION1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 4000 3128\r\n";

fn with(policy: &str, trusted: &str) -> Setup {
    Setup::new().append(&format!(
        "proxy_protocol = \"{policy}\"\ntrusted = [\"{trusted}\"]\n"
    ))
}

fn request(origin: &ScriptedOrigin) -> String {
    let (url, authority) = (origin.url("/"), origin.address);
    format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n")
}

/// What a request gets behind these bytes.
fn get_behind(proxy: &Proxy, header: &[u8], origin: &ScriptedOrigin) -> Response {
    let mut client = proxy.connection();
    client.send([header, request(origin).as_bytes()].concat());
    client.response()
}

/// The line of a connection that was refused.
fn refused_with(proxy: &Proxy, client: &mut Connection, bytes: &[u8], before: usize) -> Value {
    client.send_in_vain(bytes);
    let (rest, _) = client.rest();
    assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    proxy.log.wait("connection", before + 1).remove(before)
}

#[test]
fn a_header_that_comes_byte_by_byte() {
    let proxy = with("v1v2-required", "127.0.0.0/8").start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(OK);
    let v2 = version2(&[(0xea, b"\x01vpce-0abc")]);
    for (index, header) in [VERSION1, &v2].into_iter().enumerate() {
        let mut client = proxy.connection();
        for byte in [header, request(&origin).as_bytes()].concat() {
            client.stream.write_all(&[byte]).unwrap();
            // So that each byte is received by itself.
            thread::sleep(Duration::from_micros(300));
        }
        assert_eq!(client.response().status, 200);
        // The header is of the connection, not of a request.
        client.send(request(&origin));
        assert_eq!(client.response().status, 200);
        let lines = proxy.log.transactions(2 * index + 2);
        for line in &lines[2 * index..] {
            let vpce = if index == 0 {
                json!(null)
            } else {
                json!("vpce-0abc")
            };
            let expected = json!({ "client_ip": "192.0.2.7", "client_port": 4000, "vpce": vpce });
            assert_fields(line, &expected);
        }
    }
    // At once with what follows, and with the end of the connection behind it.
    assert_eq!(get_behind(&proxy, &v2, &origin).status, 200);
}

#[test]
fn endpoints_of_four_clouds() {
    let proxy = with("v1v2-required", "127.0.0.0/8").start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(OK);
    let google = 72_057_594_037_927_936_u64.to_be_bytes();
    let cases: [(u8, &[u8], Value); 5] = [
        (
            0xea,
            b"\x01vpce-0123456789abcdef0",
            json!("vpce-0123456789abcdef0"),
        ),
        (0xee, b"\x01\x39\x30\0\0", json!("12345")),
        (0xe0, &google, json!("72057594037927936")),
        (0xe1, b"\x02ep-bp1234567890", json!("ep-bp1234567890")),
        (0x02, b"a.test", json!(null)),
    ];
    for (index, (kind, value, vpce)) in cases.into_iter().enumerate() {
        let header = version2(&[(kind, value)]);
        assert_eq!(get_behind(&proxy, &header, &origin).status, 200);
        let line = proxy.log.transactions(index + 1).remove(index);
        assert_fields(&line, &json!({ "vpce": vpce }));
    }
}

/// The endpoint and the client that are named are what rules of each phase see, also of what is in a tunnel.
#[test]
fn rules_see_whom_the_header_names() {
    for phase in ["pre_dns", "pre_request", "post_response"] {
        let rules = format!(
            r#"
[[group]]
priority = 1
name = "gate"
[[group.{phase}]]
name = "not-this-one"
action = "deny"
when."request:SourceVpce" = {{ StringEquals = "vpce-bad" }}
when."request:SourceIp" = {{ IpAddress = "192.0.2.7" }}
when."request:SourcePort" = {{ NumericEquals = 4000 }}
"#
        );
        let proxy = with("v1v2-optional", "127.0.0.0/8").start(Rules(&rules));
        let origin = ScriptedOrigin::answering(OK);
        let (bad, good) = (b"\x01vpce-bad", b"\x01vpce-good");
        let status = |tlv| get_behind(&proxy, &version2(&[(0xea, tlv)]), &origin).status;
        assert_eq!((status(bad), status(good)), (403, 200), "{phase}");
        let mut client = proxy.connection();
        client.send(version2(&[(0xea, bad)]));
        match client.connect(&origin.address.to_string()) {
            Ok(()) => {
                let inner = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", origin.address);
                client.send(inner);
                assert_eq!(client.response().status, 403, "{phase}");
            }
            Err(refused) => {
                assert_eq!(refused.status, 403, "{phase}");
                assert_ne!(phase, "post_response");
            }
        }
        let mut lines = proxy.log.of("deny");
        lines.retain(|line| line["rule"] == "not-this-one");
        for line in lines {
            assert_fields(
                &line,
                &json!({ "vpce": "vpce-bad", "client_ip": "192.0.2.7" }),
            );
        }
    }
}

/// Health checks of balancers, and balancers that do not know: the addresses of the socket count.
#[test]
fn senders_that_speak_for_themselves() {
    let proxy = with("v1v2-required", "127.0.0.0/8").start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(OK);
    let mut local = version2(&[(0xea, b"\x01vpce-0abc")]);
    local[12] = 0x20;
    let unspecified = b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0".as_slice();
    let unknown = b"PROXY UNKNOWN ffff:f...f:ffff 65535\r\n".as_slice();
    for (index, header) in [&*local, unspecified, unknown].into_iter().enumerate() {
        assert_eq!(get_behind(&proxy, header, &origin).status, 200);
        let line = proxy.log.transactions(index + 1).remove(index);
        assert_fields(&line, &json!({ "client_ip": "127.0.0.1", "vpce": null }));
    }
}

#[test]
fn who_is_not_trusted_is_refused_and_told() {
    let origin = ScriptedOrigin::answering(OK);
    let whole = [VERSION1, request(&origin).as_bytes()].concat();
    let mut optional = with("v1v2-optional", "127.0.0.2").start(ALLOW_ALL);
    // Their own requests are served, and what only begins like a header is none.
    assert_eq!(optional.connection().get(&origin.url("/")).status, 200);
    assert_eq!(get_behind(&optional, b"\r\n", &origin).status, 200);
    let mut stranger = optional.connection();
    let line = refused_with(&optional, &mut stranger, &whole, 0);
    let untrusted = "a PROXY protocol header is taken from listener.trusted only";
    assert_fields(
        &line,
        &json!({
            "client_ip": "127.0.0.1", "error": "http_request_denied", "detail": untrusted,
            "status": null,
        }),
    );
    let told = optional.wait_message("the warning", |level, text| {
        level == "WARN" && text.starts_with("connection refused: a PROXY protocol header")
    });
    assert_eq!(
        (&told["sender"], &told["count"]),
        (&json!("127.0.0.1"), &json!(1))
    );
    // Who is trusted is believed.
    let mut balancer = Connection::open_from("127.0.0.2", optional.address);
    balancer.send(&whole);
    assert_eq!(balancer.response().status, 200);
    let line = optional.log.transactions(3).remove(2);
    assert_fields(&line, &json!({ "client_ip": "192.0.2.7" }));
    // Where everybody needs a header, nothing of a stranger is even read.
    let required = with("v1v2-required", "127.0.0.2").start(ALLOW_ALL);
    let line = refused_with(&required, &mut required.connection(), b"", 0);
    assert_fields(&line, &json!({ "detail": untrusted }));
    let mut balancer = Connection::open_from("127.0.0.2", required.address);
    let own = request(&origin);
    let line = refused_with(&required, &mut balancer, own.as_bytes(), 1);
    let missing = "the connection has no PROXY protocol header (listener.proxy_protocol)";
    assert_fields(
        &line,
        &json!({ "client_ip": "127.0.0.2", "detail": missing }),
    );
    let mut balancer = Connection::open_from("127.0.0.2", required.address);
    let line = refused_with(&required, &mut balancer, b"PROXY TCP9 1\r\n", 2);
    assert_fields(&line, &json!({ "error": "http_request_error" }));
    let detail = line["detail"].as_str().unwrap();
    assert!(
        detail.contains("expected TCP4, TCP6 or UNKNOWN"),
        "{detail}"
    );
    assert_eq!(origin.requests(3).len(), 3);
}

/// There is no time for a header of its own: it may come with the first payload, however late that is, and
/// has to be whole in the time of a request head.
#[test]
fn a_header_has_the_time_of_a_request_head() {
    let setup = with("v1v2-required", "127.0.0.0/8").key("timeouts.head", "\"500ms\"");
    let proxy = setup.start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(OK);
    let mut patient = proxy.connection();
    let mut slow = proxy.connection();
    let line = refused_with(&proxy, &mut slow, b"PROXY TCP4 192.0.2.7", 0);
    assert_fields(
        &line,
        &json!({
            "error": "connection_read_timeout", "detail": "the PROXY protocol header took too long",
        }),
    );
    // It has waited for longer than a head may take.
    patient.send([VERSION1, request(&origin).as_bytes()].concat());
    assert_eq!(patient.response().status, 200);
}

/// A balancer has connections of many clients, each of which has its own limit.
#[test]
fn limits_are_those_of_the_client_that_is_named() {
    let setup = with("v1v2-optional", "127.0.0.0/8")
        .key("limits.connections_per_client", "1")
        .key("limits.tunnels_per_client", "1");
    let proxy = setup.start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(OK);
    let of = |client: &str| {
        let header = format!("PROXY TCP4 {client} 198.51.100.1 4000 3128\r\n");
        let mut connection = proxy.connection();
        connection.send([header.as_bytes(), request(&origin).as_bytes()].concat());
        connection
    };
    let mut first = of("192.0.2.1");
    assert_eq!(first.response().status, 200);
    let mut second = of("192.0.2.2");
    assert_eq!(second.response().status, 200);
    let mut again = of("192.0.2.1");
    let refusal = again.response();
    refusal.assert_refusal(429, "connection_limit_reached");
    let line = proxy.log.wait("connection", 1).remove(0);
    assert_fields(&line, &json!({ "client_ip": "192.0.2.1", "status": 429 }));
    // The balancer itself is a client like others, once what it was refused is gone.
    drop(again);
    wait_for("a connection of its own", || {
        let response = proxy.connection().get(&origin.url("/"));
        (response.status == 200).then_some(())
    });
}

/// On an https listener the header comes in front of TLS.
#[test]
fn in_front_of_tls() {
    let setup = Setup::new();
    let pki = Pki::new(setup.folder.path());
    pki.origin(&["proxy.test"]);
    let setup = setup.append(
        "protocol = \"https\"\ncertificate = \"proxy.test-None.pem\"\nkey = \"proxy.test-None.key\"\n\
         proxy_protocol = \"v1v2-required\"\ntrusted = [\"127.0.0.0/8\"]\n",
    );
    let proxy = setup.start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(OK);
    let mut carrier = proxy.connection();
    carrier.send(version2(&[(0xea, b"\x01vpce-0abc")]));
    let mut client = tls_over(carrier, &pki.roots(), "proxy.test");
    assert_eq!(client.get(&origin.url("/")).status, 200);
    let line = proxy.log.transaction();
    assert_fields(
        &line,
        &json!({ "client_ip": "192.0.2.7", "vpce": "vpce-0abc" }),
    );
    // Without one nothing is said, not even in TLS.
    let line = refused_with(&proxy, &mut proxy.connection(), b"\x16\x03\x01", 0);
    assert_fields(&line, &json!({ "error": "http_request_denied" }));
}

#[test]
fn a_reload_changes_who_is_trusted() {
    let mut proxy = with("v1v2-required", "127.0.0.2").start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(OK);
    let last = request(&origin).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let whole = [VERSION1, last.as_bytes()].concat();
    refused_with(&proxy, &mut proxy.connection(), &whole, 0);
    let config = proxy.setup.path("sallyport.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("127.0.0.2", "127.0.0.1")).unwrap();
    proxy.signal(Signal::SIGHUP);
    proxy.wait_message("the reload", |_, text| text.starts_with("reloaded"));
    // Each shard takes it up by itself.
    wait_for("the new network", || {
        let mut client = proxy.connection();
        client.send_in_vain(&whole);
        (!client.rest().0.is_empty()).then_some(())
    });
}
