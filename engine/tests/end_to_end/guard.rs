//! Where nobody gets through: addresses inside, in every disguise, and the proxy itself.

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Connection, Proxy, Rules, ScriptedOrigin};

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
