//! `request:Url`, `request:Authority` and `request:DestinationHost` as rules see them: of plain
//! requests, of tunnels that nobody looks into, of requests inside tunnels.

use crate::common::certificates::client_hello;
use crate::common::proxy::Setup;
use crate::common::{Certificate, Origin, Proxy, Rules};
use crate::curl::Curl;

fn start(rule: &str) -> Proxy {
    let rules = format!(
        "[defaults]\npre_dns = \"allow\"\npre_request = \"deny\"\npost_response = \"allow\"\n\
         [[group]]\npriority = 1\nname = \"g\"\n[[group.pre_request]]\nname = \"r\"\n\
         action = \"allow\"\n{rule}\n"
    );
    Setup::new()
        .host("a.test", "127.0.0.1")
        .start(Rules(&rules))
}

fn get(proxy: &Proxy, url: &str, host: &str) -> u16 {
    let mut client = proxy.connection();
    client.send(format!(
        "GET {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    ));
    client.response().status
}

/// One resource has one spelling, however the client writes it.
#[test]
fn plain_requests_are_seen_whole_and_in_normal_form() {
    let origin = Origin::start();
    let port = origin.port();
    let proxy = start(&format!(
        r#"when."request:Url" = {{ StringMatches = '^http://a\.test:{port}/bytes/1\?x$' }}"#
    ));
    for (url, status) in [
        (format!("http://a.test:{port}/bytes/1?x"), 200),
        (format!("HTTP://A.TEST.:{port}/a/../%62ytes/1?x"), 200),
        (format!("http://a.test:{port}/bytes/1"), 403),
        (format!("http://127.0.0.1:{port}/bytes/1?x"), 403),
    ] {
        let host = url.split('/').nth(2).unwrap().to_owned();
        assert_eq!(get(&proxy, &url, &host), status, "{url}");
    }
    let address = start(&format!(
        r#"when."request:DestinationHost" = {{ StringEquals = "127.0.0.1" }}
when."request:Authority" = {{ StringEquals = "127.0.0.1:{port}" }}"#
    ));
    let url = format!("http://127.0.0.1:{port}/bytes/1");
    assert_eq!(get(&address, &url, &format!("127.0.0.1:{port}")), 200);
    let url = format!("http://a.test:{port}/bytes/1");
    assert_eq!(get(&address, &url, &format!("a.test:{port}")), 403);
}

/// A rule that allows `https://…` opens no tunnel that nobody looks into; what the CONNECT names does.
#[test]
fn a_tunnel_that_is_passed_through_is_host_and_port() {
    let hello = client_hello("a.test");
    let is_open = |rule: &dyn Fn(u16) -> String| {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::for_names(&["a.test"], folder.path());
        let origin = Origin::start_tls(&certificate);
        let proxy = start(&rule(origin.port()));
        let mut client = proxy.connection();
        client
            .connect(&format!("a.test:{}", origin.port()))
            .unwrap();
        client.send(&hello);
        client.bytes(1) == [22]
    };
    assert!(is_open(&|port| format!(
        r#"when."request:Url" = {{ StringEquals = "a.test:{port}" }}"#
    )));
    assert!(!is_open(&|port| format!(
        r#"when."request:Url" = {{ StringMatches = '^https://a\.test(:{port})?' }}"#
    )));
}

/// Requests inside have URLs of their own.
#[test]
fn requests_inside_are_seen_whole() {
    let (setup, pki) = Setup::intercepting();
    let origin = Origin::certified(&pki.origin(&["a.test"]));
    let port = origin.port();
    let proxy = setup.start(Rules(
        r#"
[[group]]
priority = 1
name = "g"
[[group.pre_request]]
name = "secret"
action = "deny"
when."request:Url" = { StringMatches = '^https://a\.test:[0-9]+/secret' }
"#,
    ));
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    for (path, code) in [("/bytes/1", 200), ("/%73ecret", 403)] {
        let authority = pki.authority();
        let url = format!("https://a.test:{port}{path}");
        let outcome = curl.run(&["--cacert", &authority, &url]);
        assert_eq!(outcome.code, code, "{path}");
    }
}
