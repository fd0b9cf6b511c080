//! Where nobody gets through: addresses inside, in every disguise, and the proxy itself.

use std::net::{Ipv6Addr, SocketAddr};

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Connection, Origin, Proxy, Rules, ScriptedOrigin, programs};

/// Hosts that would lead inside: an address is prohibited, what only looks like one is refused.
const HOSTS: &[(&str, &[u16])] = &[
    ("127.0.0.1", &[403]),
    ("127.1.2.3", &[403]),
    ("0.0.0.0", &[403]),
    ("0", &[400, 403]),
    ("127.1", &[400, 403]),
    ("127.0.1", &[400, 403]),
    ("2130706433", &[400, 403]),
    ("0x7f000001", &[400, 403]),
    ("0x7f.0.0.1", &[400, 403]),
    ("0x7f.1", &[400, 403]),
    ("017700000001", &[400, 403]),
    ("0177.0.0.1", &[400, 403]),
    ("127.0.0.01", &[400, 403]),
    ("127.0.0.1.", &[400, 403]),
    ("[::1]", &[403]),
    ("[::]", &[403]),
    ("[::ffff:127.0.0.1]", &[403]),
    ("[::ffff:7f00:1]", &[403]),
    ("[::127.0.0.1]", &[403]),
    ("[64:ff9b::7f00:1]", &[403]),
    ("[2002:7f00:1::]", &[403]),
    ("[fe80::1]", &[403]),
    ("[fe80::1%25lo]", &[400, 403]),
    ("[fd00:ec2::254]", &[403]),
    ("[fd20:ce::254]", &[403]),
    ("168.63.129.16", &[403]),
    ("100.100.100.200", &[403]),
    ("192.0.0.192", &[403]),
    ("[fe80::a9fe:a9fe]", &[403]),
    ("10.0.0.1", &[403]),
    ("172.16.0.1", &[403]),
    ("192.168.0.1", &[403]),
    ("100.64.0.1", &[403]),
    ("[fd00::1]", &[403]),
    ("[fec0::1]", &[403]),
    ("[64:ff9b:1:7f00:0:100::]", &[403]),
    ("[2001:0:808:808::80ff:fffe]", &[403]),
    ("[2001:db8::5efe:7f00:1]", &[403]),
    ("[::ffff:0:127.0.0.1]", &[400, 403]),
    ("private.test", &[403]),
    ("169.254.169.254", &[403]),
    ("[::ffff:169.254.169.254]", &[403]),
    ("2852039166", &[400, 403]),
    ("0xa9fea9fe", &[400, 403]),
    ("0251.0376.0251.0376", &[400, 403]),
    ("169.254.43518", &[400, 403]),
    ("224.0.0.1", &[403]),
    ("255.255.255.255", &[403]),
    ("rebound.test", &[403]),
    ("metadata.test", &[403]),
    ("REBOUND.test.", &[403]),
    // Full-width digits and enclosed letters, which become ASCII in IDNA.
    ("xn--127-0-0-1", &[400, 403, 502, 504]),
    ("%31%32%37.0.0.1", &[400]),
    ("127.0.0.1%00.example.test", &[400]),
    ("\u{ff11}\u{ff12}\u{ff17}.0.0.1", &[400]),
    ("127\u{3002}0\u{3002}0\u{3002}1", &[400]),
];

#[test]
fn addresses_inside_are_refused_in_every_disguise() {
    // The guard as it is by default. The listener is on ::1's port as well, so nothing may connect.
    let origin = ScriptedOrigin::silent();
    let proxy = Setup::new()
        .key("guard.allow", "[]")
        .host("rebound.test", "127.0.0.1")
        .host("metadata.test", "169.254.169.254")
        .host("private.test", "10.1.2.3")
        .start(ALLOW_ALL);
    let mut failures = Vec::new();
    for (host, statuses) in HOSTS {
        let authority = format!("{host}:{}", origin.port());
        let forms = [
            format!("GET http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\n\r\n"),
            format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"),
        ];
        for form in forms {
            let mut client = proxy.connection();
            client.send(&form);
            let response = client.response();
            let prohibited = response.proxy_error().as_deref() == Some("destination_ip_prohibited");
            let fits =
                statuses.contains(&response.status) && (response.status != 403 || prohibited);
            if !fits {
                failures.push(format!("{form:?}: {response:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(origin.connections(), 0, "not a packet");
    let lines = proxy.log.transactions(2 * HOSTS.len());
    let prohibited = lines
        .iter()
        .filter(|line| line["error"] == "destination_ip_prohibited");
    assert!(prohibited.clone().count() > HOSTS.len() / 2);
    assert!(
        prohibited.clone().all(|line| line["dst_ip"].is_string()),
        "the address is logged"
    );
}

#[test]
fn further_networks_can_be_closed() {
    let origin = ScriptedOrigin::silent();
    let proxy = Setup::new()
        .key("guard.deny", "[\"127.0.5.0/24\"]")
        .host("closed.test", "127.0.5.1")
        .start(ALLOW_ALL);
    let mut client = proxy.connection();
    client
        .get(&format!("http://closed.test:{}/", origin.port()))
        .assert_refusal(403, "destination_ip_prohibited");
    assert_eq!(origin.connections(), 0);
}

/// A name with several addresses: what the guard or a rule refuses is not dialed, whatever the order.
#[test]
fn of_several_addresses_only_those_that_pass_are_dialed() {
    // Listens on the refused address only; on the other one nobody does, no other test either.
    let origin = ScriptedOrigin::silent_on("127.66.0.1:0");
    let rule = r#"
[[group]]
priority = 1
name = "addresses"
[[group.pre_request]]
name = "no-66"
action = "deny"
when."request:DestinationIp" = { IpAddress = "127.66.0.0/16" }
"#;
    let orders = [
        "[\"127.66.0.1\", \"127.67.0.1\"]",
        "[\"127.67.0.1\", \"127.66.0.1\"]",
    ];
    for order in orders {
        for (rules, deny) in [(rule, "[]"), ("", "[\"127.66.0.0/16\"]")] {
            let proxy = Setup::new()
                .key("hosts.\"two.test\"", order)
                .key("guard.deny", deny)
                .start(Rules(rules));
            let authority = format!("two.test:{}", origin.port());
            let mut client = proxy.connection();
            client
                .get(&format!("http://{authority}/"))
                .assert_refusal(502, "connection_refused");
            let line = proxy.log.transaction();
            let detail = line["detail"].as_str().unwrap();
            assert!(detail.contains("127.67.0.1:"), "{line}");
            assert_eq!(line["dst_ip"], "127.67.0.1", "{line}");
            match client.connect(&authority) {
                Err(refusal) => refusal.assert_refusal(502, "connection_refused"),
                Ok(()) => {
                    client.send(format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
                    client.response().assert_refusal(502, "connection_refused");
                }
            }
        }
    }
    assert_eq!(origin.connections(), 0);
}

/// Private networks are closed, and the refusal says which keys open them.
#[test]
fn private_networks_are_opened_by_either_key() {
    let ask = |keys: &[(&str, &str)]| {
        let setup = Setup::new()
            .host("private.test", "10.255.255.1")
            .key("timeouts.connect_attempt", "\"200ms\"");
        let setup = keys
            .iter()
            .fold(setup, |setup, (key, value)| setup.key(key, value));
        let proxy = setup.start(ALLOW_ALL);
        let response = proxy.connection().get("http://private.test/");
        (response, proxy.log.transaction())
    };
    let (refused, line) = ask(&[]);
    refused.assert_refusal(403, "destination_ip_prohibited");
    for text in [
        String::from_utf8_lossy(&refused.body).into_owned(),
        line["detail"].to_string(),
    ] {
        assert!(text.contains("guard.private"), "{text}");
        assert!(text.contains("guard.allow"), "{text}");
    }
    for keys in [
        ("guard.private", "\"allow\""),
        ("guard.allow", "[\"10.255.0.0/16\"]"),
    ] {
        // Whether anybody answers there is the network's matter.
        let (response, line) = ask(&[keys]);
        assert_ne!(response.status, 403, "{keys:?} {line}");
    }
}

/// What listens on all addresses of the machine answers on those of its interfaces as on loopback.
#[test]
fn addresses_of_this_machine_are_refused() {
    let own = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    let own = own.map(|address| address.ip());
    let Some(own) = own.ok().filter(|own| !own.is_loopback()) else {
        programs::skip("this machine has no address but loopback");
        return;
    };
    let origin = Origin::start_on("0.0.0.0:0");
    let url = format!("http://{own}:{}/bytes/3", origin.port());
    let closed = Setup::new()
        .key("guard.private", "\"allow\"")
        .start(ALLOW_ALL);
    let refused = closed.connection().get(&url);
    refused.assert_refusal(403, "destination_ip_prohibited");
    let detail = closed.log.transaction()["detail"].to_string();
    assert!(detail.contains("machine"), "{detail}");
    let open = Setup::new()
        .key("guard.allow", &format!("[\"{own}\"]"))
        .start(ALLOW_ALL);
    assert_eq!(open.connection().get(&url).status, 200);
}

/// Ports of other protocols are closed to plain requests.
#[test]
fn ports_of_plain_requests() {
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let proxy = Setup::new().start(ALLOW_ALL);
    for port in [21, 22, 25, 70, 110, 210, 1024] {
        let mut client = proxy.connection();
        let refused = client.get(&format!("http://127.0.0.1:{port}/"));
        refused.assert_refusal(403, "http_request_denied");
        let text = String::from_utf8_lossy(&refused.body).into_owned();
        assert!(text.contains("guard.http_ports"), "{text}");
    }
    assert_eq!(proxy.connection().get(&origin.url("/")).status, 200);
    let port = origin.port();
    let (low, high) = (port - 1, port + 1);
    for (ports, status) in [
        (format!("[{port}]"), 200),
        (format!("[1, \"{low}-{high}\"]"), 200),
        ("\"any\"".to_owned(), 200),
        (format!("[{low}, {high}]"), 403),
        ("[80]".to_owned(), 403),
    ] {
        let proxy = Setup::new()
            .key("guard.http_ports", &ports)
            .start(ALLOW_ALL);
        let response = proxy.connection().get(&origin.url("/"));
        assert_eq!(response.status, status, "{ports}");
    }
}

/// Whatever is allowed, and however the proxy's own address is written: it does not serve itself.
#[test]
fn the_proxy_does_not_reach_itself() {
    let here = [
        "127.0.0.1",
        "127.0.0.2",
        "0.0.0.0",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:0.0.0.0]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "myself.test",
        "nowhere.test",
    ];
    for (listener, not_there) in [
        ("127.0.0.1:0", &["127.0.0.2", "[::1]"][..]),
        ("0.0.0.0:0", &[]),
        ("[::]:0", &[]),
    ] {
        let proxy = Setup::new()
            .key("guard.allow", "[\"0.0.0.0/0\", \"::/0\"]")
            .key("guard.private", "\"allow\"")
            .host("myself.test", "127.0.0.1")
            .host("nowhere.test", "0.0.0.0")
            .listener(listener.parse().unwrap())
            .start(ALLOW_ALL);
        let port = proxy.address.port();
        let way_in = match proxy.address {
            SocketAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], port)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
        };
        for host in here.iter().filter(|host| !not_there.contains(host)) {
            let own = format!("{host}:{port}");
            let mut client = Connection::open(way_in);
            match client.connect(&own) {
                Err(refusal) => refusal.assert_refusal(403, "proxy_loop_detected"),
                Ok(()) => panic!("{listener}: a tunnel to {own}"),
            }
            let mut client = Connection::open(way_in);
            client
                .get(&format!("http://{own}/"))
                .assert_refusal(508, "proxy_loop_detected");
        }
    }
}

/// RFC 9110 section 7.6.3: a request that comes back, by its `Via` or by its destination.
#[test]
fn loops_are_detected() {
    let origin = ScriptedOrigin::silent();
    let proxy = Setup::new()
        .host("myself.test", "127.0.0.1")
        .start(ALLOW_ALL);
    let (own, port, elsewhere) = (proxy.address, proxy.address.port(), origin.address);
    let via = |value: &str| {
        format!("GET http://{elsewhere}/ HTTP/1.1\r\nHost: {elsewhere}\r\nVia: {value}\r\n\r\n")
    };
    let cases = [
        (via("1.1 sallyport"), 508),
        (via("1.0 other, 1.1 Sallyport (comment)"), 508),
        (via("1.0 other\r\nVia: HTTP/1.1 sallyport"), 508),
        (
            format!(
                "CONNECT {elsewhere} HTTP/1.1\r\nHost: {elsewhere}\r\nVia: 1.1 sallyport\r\n\r\n"
            ),
            403,
        ),
        (
            format!("GET http://{own}/ HTTP/1.1\r\nHost: {own}\r\n\r\n"),
            508,
        ),
        (
            format!("GET http://myself.test:{port}/ HTTP/1.1\r\nHost: myself.test:{port}\r\n\r\n"),
            508,
        ),
        (
            format!("CONNECT {own} HTTP/1.1\r\nHost: {own}\r\n\r\n"),
            403,
        ),
        (
            format!(
                "CONNECT [::ffff:127.0.0.1]:{port} HTTP/1.1\r\nHost: [::ffff:127.0.0.1]:{port}\r\n\r\n"
            ),
            403,
        ),
    ];
    for (index, (request, status)) in cases.iter().enumerate() {
        let mut client = Connection::open(own);
        client.send(request);
        let response = client.response_to("GET");
        assert_eq!(response.status, *status, "{request:?}: {response:?}");
        assert_eq!(
            response.proxy_error().as_deref(),
            Some("proxy_loop_detected"),
            "{request:?}"
        );
        let line = proxy.log.transactions(index + 1).remove(index);
        assert_fields(
            &line,
            &json!({ "status": status, "error": "proxy_loop_detected" }),
        );
    }
    assert_eq!(origin.connections(), 0);
    // A name that only begins alike is another proxy.
    let answering = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let (authority, url) = (answering.address, answering.url("/"));
    let mut client = proxy.connection();
    client.send(format!(
        "GET {url} HTTP/1.1\r\nHost: {authority}\r\nVia: 1.1 sallyport-2\r\n\r\n"
    ));
    assert_eq!(client.response().status, 200);
}

/// Two proxies that point at each other: the second meeting ends it.
#[test]
fn a_loop_over_two_proxies_ends() {
    let first = Proxy::open();
    let second = Proxy::open();
    let mut client = first.connection();
    let response = client.get(&format!("http://{}/", second.address));
    assert_eq!(response.status, 508, "{response:?}");
    // Through a tunnel of the first to the second and back to the first: its own listener.
    let mut client = first.connection();
    client.connect(&second.address.to_string()).unwrap();
    let own = first.address;
    client.send(format!("GET http://{own}/ HTTP/1.1\r\nHost: {own}\r\n\r\n"));
    let response = client.response();
    assert_eq!(
        response.status, 421,
        "it names another host than the tunnel: {response:?}"
    );
}
