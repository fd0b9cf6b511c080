//! What stands behind a CONNECT in the same write is for its tunnel: if that is refused, whatever the
//! cause, it is not read as a request, and the connection ends (RFC 9931).

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::proxy::Setup;
use crate::common::{Proxy, Rules, ScriptedOrigin};
use crate::origin_failures::taken_address;

const RULES: &str = r#"
[[group]]
priority = 10
name = "tunnels"
[[group.pre_dns]]
name = "bad-name"
action = "deny"
when."request:DestinationDomain" = { StringEquals = "bad.test" }
[[group.pre_request]]
name = "bad-address"
action = "deny"
when."request:DestinationIp" = { IpAddress = "127.66.0.0/16" }
"#;

fn start(keys: &[(&str, &str)]) -> Proxy {
    let setup = Setup::new()
        .host("a.test", "127.0.0.1")
        .host("bad.test", "127.0.0.1")
        .host("inside.test", "127.66.0.1")
        .host("metadata.test", "169.254.169.254");
    let setup = keys
        .iter()
        .fold(setup, |setup, (key, value)| setup.key(key, value));
    setup.start(Rules(RULES))
}

/// A CONNECT and, behind it, a request that would be served on a connection of its own.
fn assert_ends(proxy: &Proxy, connect: &str, status: u16) {
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let behind = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Length: 2\r\n\r\nhi",
        origin.url("/"),
        origin.address
    );
    let mut client = proxy.connection();
    client.send(format!("{connect}{behind}"));
    let response = client.response_to("CONNECT");
    assert_eq!(response.status, status, "{connect}: {response:?}");
    assert!(response.says_close(), "{connect}: {response:?}");
    client.assert_closed();
    // What is sent later is not read either.
    let mut client = proxy.connection();
    client.send(connect);
    assert_eq!(client.response_to("CONNECT").status, status);
    client.send_in_vain(behind);
    assert_eq!(client.rest().0, b"", "{connect}");
    assert_eq!(origin.connections(), 0, "{connect}");
}

#[test]
fn nothing_behind_a_refused_connect_is_a_request() {
    let proxy = start(&[]);
    let (_taken, closed) = taken_address();
    let cases = [
        ("bad.test:443".to_owned(), 403),
        ("inside.test:443".to_owned(), 403),
        ("metadata.test:443".to_owned(), 403),
        (proxy.address.to_string(), 403),
        (closed.to_string(), 502),
        ("nowhere.test:443".to_owned(), 502),
        ("a.test".to_owned(), 400),
        ("http://a.test/".to_owned(), 400),
        ("127.1:443".to_owned(), 400),
    ];
    for (target, status) in &cases {
        let connect = format!("CONNECT {target} HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert_ends(&proxy, &connect, *status);
    }
    let looped = "CONNECT a.test:443 HTTP/1.1\r\nVia: 1.1 sallyport\r\n\r\n";
    assert_ends(&proxy, looped, 403);
    assert_eq!(proxy.log.transactions(2 * (cases.len() + 1)).len(), 20);
}

#[test]
fn nor_is_it_behind_one_that_is_over_a_limit() {
    let proxy = start(&[("guard.ports", "[443]")]);
    let connect = "CONNECT a.test:444 HTTP/1.1\r\nHost: a.test:444\r\n\r\n";
    assert_ends(&proxy, connect, 403);
    let proxy = start(&[("limits.tunnels_per_client", "1")]);
    let origin = ScriptedOrigin::silent();
    let mut holder = proxy.connection();
    holder.connect(&origin.address.to_string()).unwrap();
    assert_ends(
        &proxy,
        "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
        429,
    );
}

/// With an answer of 200 it is the tunnel's.
#[test]
fn behind_an_accepted_connect_it_is_the_tunnels() {
    let proxy = start(&[]);
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let (port, mut client) = (origin.port(), proxy.connection());
    client.send(format!(
        "CONNECT a.test:{port} HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\nHost: a.test:{port}\r\n\r\n"
    ));
    assert_eq!(client.response_to("CONNECT").status, 200);
    assert_eq!(client.response().body, b"ok");
    drop(client);
    let lines = proxy.log.transactions(2);
    assert_fields(
        &lines[0],
        &json!({ "method": "GET", "proto": "http", "uri": "/x" }),
    );
}
