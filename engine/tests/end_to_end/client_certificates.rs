//! Origins that want a certificate which only the client has: `tls.client_certificate_fallback`.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use nix::sys::signal::Signal;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use serde_json::Value;

use crate::common::certificates::client_hello;
use crate::common::pki::{Flaw, Pki};
use crate::common::proxy::Setup;
use crate::common::tls_bridge::{ClientAuth, tls_before, tls_before_in, tls_tunnel_over};
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Connection, Proxy, Rules, ScriptedOrigin};
use crate::curl::Curl;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// An intercepting proxy with the fallback on.
fn falling_back() -> (Setup, Pki) {
    let (setup, pki) = Setup::intercepting();
    (setup.key("tls.client_certificate_fallback", "true"), pki)
}

/// A client at `source`.
fn client(proxy: &Proxy, source: Ipv4Addr) -> Connection {
    let domain = socket2::Domain::IPV4;
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&proxy.address.into()).unwrap();
    Connection::over(TcpStream::from(socket))
}

/// The status and the body that a request inside a tunnel gets.
fn get(proxy: &Proxy, pki: &Pki, host: &str, port: u16) -> (u16, String) {
    let authority = format!("{host}:{port}");
    let tunnel = client(proxy, Ipv4Addr::LOCALHOST);
    let mut client = tls_tunnel_over(tunnel, &pki.authority(), &authority, host);
    client.send(format!(
        "GET / HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    ));
    let response = client.response();
    (response.status, String::from_utf8(response.body).unwrap())
}

/// What is done with a tunnel of a client at `source`: the `tls_mode` of its line.
fn mode(proxy: &Proxy, source: Ipv4Addr, host: &str, port: u16) -> String {
    let mut tunnel = client(proxy, source);
    let own = tunnel.stream.local_addr().unwrap();
    tunnel.connect(&format!("{host}:{port}")).unwrap();
    tunnel.send(client_hello(host));
    // An answer, or the end of a tunnel that a reload has cut.
    let _ = tunnel.stream.peek(&mut [0]);
    drop(tunnel);
    let line = wait_for("the line of the tunnel", || {
        let mut lines = proxy.log.of("transaction");
        lines.retain(|line| {
            // Two addresses may have used the same port.
            let is_own =
                line["client_port"] == own.port() && line["client_ip"] == own.ip().to_string();
            is_own && line["method"] == "CONNECT"
        });
        lines.pop()
    });
    line["tls_mode"].as_str().unwrap().to_owned()
}

fn mode_of_next(proxy: &Proxy, port: u16) -> String {
    mode(proxy, Ipv4Addr::LOCALHOST, "a.test", port)
}

fn notices(proxy: &Proxy) -> Vec<String> {
    let lines = proxy.log.of("alert");
    let detail = |line: &Value| line["detail"].as_str().unwrap_or_default().to_owned();
    lines.iter().map(detail).collect()
}

/// An origin that serves nobody without a certificate, speaking one version of TLS.
fn demanding(pki: &Pki, name: &str, version: &'static SupportedProtocolVersion) -> u16 {
    let origin = ScriptedOrigin::answering(OK);
    let identity = pki.origin(&[name]);
    let everybody = ClientAuth::Everybody;
    tls_before_in(&[version], origin.address, &identity, pki, everybody).port()
}

/// The client is told what is missing, the next tunnel is its own affair, and all of it is written.
#[test]
fn origins_that_demand_one_are_left_alone_from_then_on() {
    for version in [&TLS12, &TLS13] {
        let (setup, pki) = falling_back();
        let mut proxy = setup.key("shards", "2").start(ALLOW_ALL);
        let Some(curl) = Curl::through(&proxy) else {
            return;
        };
        let port = demanding(&pki, "a.test", version);
        let (status, body) = get(&proxy, &pki, "a.test", port);
        assert_eq!(status, 502, "{version:?}: {body}");
        assert!(body.contains("wants a client certificate"), "{body}");
        let warning = proxy.wait_message("the warning", |level, text| {
            level == "WARN" && text.contains("wants a certificate of the client")
        });
        assert_eq!(warning["host"], "a.test");
        assert_eq!(warning["origins"], 1);
        let notice = proxy.log.wait("alert", 1).remove(0);
        let detail = notice["detail"].as_str().unwrap();
        assert!(detail.contains("from the next one on"), "{detail}");
        let somebody = pki.client("somebody");
        let (roots, url) = (pki.roots(), format!("https://a.test:{port}/"));
        // On whichever shard they come in.
        for tunnel in 1..=4 {
            let outcome = curl.run(&[
                "--http1.1",
                "--cacert",
                &roots,
                "--cert",
                somebody.certificate.to_str().unwrap(),
                "--key",
                somebody.key.to_str().unwrap(),
                &url,
            ]);
            assert_eq!((outcome.exit, outcome.code), (Some(0), 200));
            let notices = proxy.log.wait("alert", 1 + tunnel);
            let detail = notices[tunnel]["detail"].as_str().unwrap();
            assert!(detail.contains("passed through"), "{detail}");
        }
    }
}

/// Off as it comes: whoever demands one is refused, and stays under the rules.
#[test]
fn nothing_is_left_alone_unless_it_is_asked_for() {
    let (setup, pki) = Setup::intercepting();
    let proxy = setup.start(ALLOW_ALL);
    let port = demanding(&pki, "a.test", &TLS13);
    for _ in 0..2 {
        let (status, body) = get(&proxy, &pki, "a.test", port);
        assert_eq!(status, 502);
        assert!(body.contains("client_certificate_fallback"), "{body}");
    }
    assert_eq!(mode_of_next(&proxy, port), "intercept");
    proxy.log.wait("alert", 2);
    assert_eq!(notices(&proxy).len(), 2);
}

/// To ask is not to demand: who serves without a certificate is inspected as any other.
#[test]
fn origins_that_only_ask_are_not_left_alone() {
    for version in [&TLS12, &TLS13] {
        let (setup, pki) = falling_back();
        let proxy = setup.start(ALLOW_ALL);
        let origin = ScriptedOrigin::answering(OK);
        let identity = pki.origin(&["a.test"]);
        let anybody = ClientAuth::Anybody;
        let address = tls_before_in(&[version], origin.address, &identity, &pki, anybody);
        for _ in 0..2 {
            let answer = get(&proxy, &pki, "a.test", address.port());
            assert_eq!(answer, (200, "ok".to_owned()), "{version:?}");
        }
        assert_eq!(mode_of_next(&proxy, address.port()), "intercept");
        assert_eq!(notices(&proxy), [""; 0]);
    }
}

/// An origin that is not the one that was meant has nothing to ask for, let pass or not.
#[test]
fn origins_that_are_not_believed_are_not_left_alone() {
    for verify in ["deny", "alert"] {
        for version in [&TLS12, &TLS13] {
            let (setup, pki) = falling_back();
            let proxy = setup
                .key("tls.upstream.verify", &format!("\"{verify}\""))
                .start(ALLOW_ALL);
            let origin = ScriptedOrigin::answering(OK);
            let identity = pki.flawed(&["a.test"], Flaw::SelfSigned);
            let everybody = ClientAuth::Everybody;
            let address = tls_before_in(&[version], origin.address, &identity, &pki, everybody);
            let (status, body) = get(&proxy, &pki, "a.test", address.port());
            assert_eq!(status, 502, "{body}");
            assert_eq!(mode_of_next(&proxy, address.port()), "intercept");
        }
    }
}

/// What was learned of one origin says nothing of another port, another name, or another scope.
#[test]
fn only_the_origin_that_demanded_is_left_alone() {
    let (setup, pki) = falling_back();
    let scope = r#"[{ clients = ["127.0.0.2/32"], mode = "intercept" }]"#;
    let proxy = setup.key("tls.scope", scope).start(ALLOW_ALL);
    let port = demanding(&pki, "a.test", &TLS13);
    let other = demanding(&pki, "b.test", &TLS13);
    assert_eq!(get(&proxy, &pki, "a.test", port).0, 502);
    assert_eq!(mode_of_next(&proxy, port), "passthrough");
    assert_eq!(mode_of_next(&proxy, other), "intercept");
    let here = Ipv4Addr::LOCALHOST;
    assert_eq!(mode(&proxy, here, "b.test", port), "intercept");
    let scoped = Ipv4Addr::new(127, 0, 0, 2);
    assert_eq!(mode(&proxy, scoped, "a.test", port), "intercept");
}

/// Clients whose scope shows a certificate are served whatever befell the others, and their tunnels
/// are not left alone for it.
#[test]
fn clients_without_a_certificate_do_not_take_it_from_others() {
    let (setup, pki) = falling_back();
    pki.client("us");
    let scope = r#"[{ clients = ["127.0.0.2/32"], mode = "intercept", client_certificate = "us.pem", client_key = "us.key" }]"#;
    let proxy = setup.key("tls.scope", scope).start(ALLOW_ALL);
    let port = demanding(&pki, "a.test", &TLS13);
    assert_eq!(get(&proxy, &pki, "a.test", port).0, 502);
    assert_eq!(mode_of_next(&proxy, port), "passthrough");
    let authority = format!("a.test:{port}");
    let tunnel = client(&proxy, Ipv4Addr::new(127, 0, 0, 2));
    let mut client = tls_tunnel_over(tunnel, &pki.authority(), &authority, "a.test");
    client.send(format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    assert_eq!(client.response().status, 200);
}

/// A name with two addresses is left alone at the one that demanded, and the tunnel goes there.
#[test]
fn only_the_address_that_demanded_is_left_alone() {
    let (setup, pki) = falling_back();
    // Nobody listens at the first.
    let proxy = setup
        .key("hosts.\"a.test\"", r#"["127.0.0.9", "127.0.0.1"]"#)
        .start(ALLOW_ALL);
    let port = demanding(&pki, "a.test", &TLS13);
    assert_eq!(get(&proxy, &pki, "a.test", port).0, 502);
    assert_eq!(mode_of_next(&proxy, port), "passthrough");
    let last = proxy.log.of("transaction").pop().unwrap();
    assert_eq!(last["dst_ip"], "127.0.0.1");
}

/// Where rules look inside, nothing escapes them.
#[test]
fn nothing_is_left_alone_where_rules_look_inside() {
    let rules = [
        r#"
[[group]]
priority = 1
name = "inside"
[[group.pre_request]]
name = "no-secrets"
action = "deny"
when."request:Http:Uri" = { StringLike = "/secret*" }
"#,
        r#"
[[group]]
priority = 1
name = "inside"
[[group.post_response]]
name = "no-programs"
action = "deny"
when."response:Http:ContentType" = { StringEquals = "application/x-msdownload" }
"#,
    ];
    for rules in rules {
        let (setup, pki) = falling_back();
        let proxy = setup.start(Rules(rules));
        let port = demanding(&pki, "a.test", &TLS13);
        let (status, body) = get(&proxy, &pki, "a.test", port);
        assert_eq!(status, 502);
        assert!(body.contains("rules look inside"), "{body}");
        assert_eq!(mode_of_next(&proxy, port), "intercept");
    }
}

/// A reload forgets, whether it changes a key or not.
#[test]
fn a_reload_begins_anew() {
    for edit in [
        ("", ""),
        (
            "tls.client_certificate_fallback = true",
            "tls.client_certificate_fallback = false",
        ),
    ] {
        let (setup, pki) = falling_back();
        let mut proxy = setup.start(ALLOW_ALL);
        let port = demanding(&pki, "a.test", &TLS12);
        assert_eq!(get(&proxy, &pki, "a.test", port).0, 502);
        assert_eq!(mode_of_next(&proxy, port), "passthrough");
        let config = proxy.folder().join("sallyport.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace(edit.0, edit.1)).unwrap();
        proxy.signal(Signal::SIGHUP);
        proxy.wait_message("the reload", |_, text| text.starts_with("reloaded"));
        wait_for("tunnels that are intercepted", || {
            (mode_of_next(&proxy, port) == "intercept").then_some(())
        });
    }
}

/// What an origin answers in HTTP its client can have provoked: that is no demand.
#[test]
fn a_status_is_not_a_demand() {
    let (setup, pki) = falling_back();
    let proxy = setup.start(ALLOW_ALL);
    let origin =
        ScriptedOrigin::answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno");
    let identity = pki.origin(&["a.test"]);
    let address = tls_before(origin.address, &identity, &pki, ClientAuth::Anybody);
    assert_eq!(get(&proxy, &pki, "a.test", address.port()).0, 400);
    assert_eq!(mode_of_next(&proxy, address.port()), "intercept");
}
