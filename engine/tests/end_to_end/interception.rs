//! TLS that ends at the proxy and starts again: what is inspected, what is reused, what is left alone.

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::pki::Pki;
use crate::common::programs::python_with;
use crate::common::proxy::Setup;
use crate::common::tls_bridge::{ClientAuth, tls_before, tls_tunnel};
use crate::common::{ALLOW_ALL, Origin, Proxy, Rules, ScriptedOrigin};
use crate::curl::Curl;
use crate::python;

const RULES: Rules<'_> = Rules(
    r#"
[[group]]
priority = 1
name = "inside"
[[group.pre_request]]
name = "no-secrets"
action = "deny"
when."request:Http:Uri" = { StringLike = "/secret*" }
[[group.pre_request]]
name = "watch-sni"
action = "alert"
when."request:TlsSni" = { StringEquals = "a.test" }
[[group.post_response]]
name = "no-teapots"
action = "deny"
when."response:Http:StatusCode" = { NumericEquals = "418" }
when."response:TlsIssuer" = { StringLike = "*CN=Test Origins*" }
"#,
);

fn start(rules: Rules<'_>, keys: &[(&str, &str)]) -> (Proxy, Pki) {
    let (mut setup, pki) = Setup::intercepting();
    for (key, value) in keys {
        setup = setup.key(key, value);
    }
    (setup.start(rules), pki)
}

/// Each request inside is judged on its own, in each version of TLS.
#[test]
fn every_request_inside_is_judged() {
    let (proxy, pki) = start(RULES, &[]);
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let origin = Origin::certified(&pki.origin(&["a.test"]));
    let url = |path: &str| format!("https://a.test:{}{path}", origin.port());
    let mut lines = 0;
    for (version, name) in [("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")] {
        for (path, code) in [
            ("/bytes/50000", 200),
            ("/secret/plans", 403),
            ("/teapot?status=418", 403),
        ] {
            let authority = pki.authority();
            let outcome = curl.run(&[
                "--http1.1",
                "--cacert",
                &authority,
                "--tls-max",
                version,
                "--tlsv1.2",
                &url(path),
            ]);
            assert_eq!((outcome.exit, outcome.code), (Some(0), code), "{path}");
            assert_eq!(outcome.connect_code, 200);
            lines += 2;
            let all = proxy.log.transactions(lines);
            let inner = all.iter().rfind(|line| line["method"] == "GET").unwrap();
            assert_fields(
                inner,
                &json!({ "tls_mode": "intercept", "proto": "https", "sni": "a.test",
                    "tls_version": name, "status": code, "uri": path.split('?').next(), "domain": "a.test" }),
            );
            let rule = match path {
                "/secret/plans" => Some("no-secrets"),
                "/teapot?status=418" => Some("no-teapots"),
                _ => None,
            };
            assert_eq!(inner["rule"].as_str(), rule, "{inner}");
            let tunnel = all
                .iter()
                .rfind(|line| line["method"] == "CONNECT")
                .unwrap();
            assert_fields(tunnel, &json!({ "tls_mode": "intercept", "status": 200 }));
            assert!(tunnel["t_tls_client"].as_u64().is_some());
            assert!(tunnel["tls_cipher"].as_str().unwrap().contains("AES"));
        }
    }
    assert_eq!(proxy.log.of("alert").len(), 4);
}

/// A second tunnel waits for no origin: its certificate is remembered and a connection is pooled.
#[test]
fn connections_to_origins_are_reused() {
    let (proxy, pki) = start(ALLOW_ALL, &[("shards", "1")]);
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let identity = pki.origin(&["a.test", "b.test"]);
    let address = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody);
    for (index, host) in ["a.test", "a.test", "b.test"].into_iter().enumerate() {
        let authority = format!("{host}:{}", address.port());
        let mut client = tls_tunnel(&proxy, &pki, &authority, host);
        for _ in 0..3 {
            client.send(format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
            assert_eq!(client.response().body, b"ok");
        }
        client.finish().assert_closed();
        let lines = proxy.log.transactions(4 * (index + 1));
        let of_tunnel = &lines[4 * index..];
        let first = of_tunnel
            .iter()
            .find(|line| line["method"] == "GET")
            .unwrap();
        assert_eq!(first["upstream_reused"], index == 1, "{first}");
        let tunnel = of_tunnel.iter().find(|line| line["method"] == "CONNECT");
        assert_eq!(
            tunnel.unwrap()["t_tls_origin"].is_u64(),
            index != 1,
            "{tunnel:?}"
        );
    }
    // Two hosts on one address are two origins.
    assert_eq!(origin.connections(), 2);
    assert_eq!(origin.requests(9).len(), 9);
}

/// The first scope that matches decides.
#[test]
fn scopes_choose() {
    let scopes = r#"[
        { domains = ["a.test"], ports = [1], mode = "intercept" },
        { domains = ["a.test"], clients = ["127.0.0.0/8"], mode = "passthrough" },
        { destinations = ["127.0.0.0/8"], mode = "intercept" },
    ]"#;
    let keys = [("tls.scope", scopes), ("tls.mode", "\"passthrough\"")];
    let (proxy, pki) = start(ALLOW_ALL, &keys);
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let origin = Origin::certified(&pki.origin(&["a.test", "b.test"]));
    let cases = [
        ("a.test", pki.roots(), "passthrough"),
        ("b.test", pki.authority(), "intercept"),
    ];
    for (index, (host, trusted, mode)) in cases.into_iter().enumerate() {
        let url = format!("https://{host}:{}/bytes/10", origin.port());
        let outcome = curl.run(&["--http1.1", "--cacert", &trusted, &url]);
        assert_eq!((outcome.exit, outcome.code), (Some(0), 200), "{host}");
        let lines = proxy.log.transactions(1 + 2 * index);
        assert_eq!(lines.last().unwrap()["tls_mode"], mode);
    }
}

/// A rule that must see the request is asked before the origin sees a packet.
#[test]
fn nothing_leaves_before_the_verdict() {
    let rules = r#"
[defaults]
pre_dns = "allow"
pre_request = "deny"
post_response = "allow"
[[group]]
priority = 1
name = "inside"
[[group.pre_request]]
name = "only-open"
action = "allow"
when."request:Http:Uri" = { StringLike = "/open*" }
"#;
    let (proxy, pki) = start(Rules(rules), &[]);
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let identity = pki.origin(&["a.test"]);
    let address = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody);
    let authority = format!("a.test:{}", address.port());
    let mut client = tls_tunnel(&proxy, &pki, &authority, "a.test");
    client.send(format!("GET /shut HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    assert_eq!(client.response().status, 403);
    assert_eq!(origin.connections(), 0);
    client.send(format!("GET /open HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    assert_eq!(client.response().body, b"ok");
    assert_eq!(origin.connections(), 1);
}

/// An upgrade, and bytes both ways after it.
#[test]
fn upgrades_inside() {
    let (proxy, pki) = start(ALLOW_ALL, &[]);
    let origin = ScriptedOrigin::start(|mut accepted, notebook| {
        let request = accepted.request();
        notebook.note(request);
        accepted.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nfirst",
        );
        let asked = accepted.connection.bytes(100_000);
        accepted.send(asked);
        accepted.connection.finish();
        accepted.connection.rest();
    });
    let identity = pki.origin(&["a.test"]);
    let address = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody);
    let authority = format!("a.test:{}", address.port());
    let mut client = tls_tunnel(&proxy, &pki, &authority, "a.test");
    client.send(format!(
        "GET /chat HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ));
    assert_eq!(client.response().status, 101);
    assert_eq!(client.bytes(5), b"first");
    client.send(vec![b'x'; 100_000]);
    assert_eq!(client.bytes(100_000).len(), 100_000);
    client.finish().assert_closed();
    let lines = proxy.log.transactions(2);
    assert_fields(&lines[0], &json!({ "proto": "wss", "status": 101 }));
}

/// Large bodies both ways, `Expect: 100-continue`, and events that are not held back.
#[test]
fn bodies_flow() {
    let (proxy, pki) = start(ALLOW_ALL, &[]);
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let origin = Origin::certified(&pki.origin(&["a.test"]));
    let url = |path: &str| format!("https://a.test:{}{path}", origin.port());
    let authority = pki.authority();
    for path in ["/bytes/20000000", "/bytes/3000000?chunked=1"] {
        let outcome = curl.run(&["--http1.1", "--cacert", &authority, &url(path)]);
        let bytes: usize = path[7..].split('?').next().unwrap().parse().unwrap();
        assert_eq!((outcome.code, outcome.body.len()), (200, bytes), "{path}");
    }
    let upload = proxy.folder().join("upload");
    std::fs::write(&upload, vec![b'u'; 9_000_000]).unwrap();
    let upload = format!("@{}", upload.display());
    let sink = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let identity = pki.origin(&["a.test"]);
    let address = tls_before(sink.address, &identity, &pki, ClientAuth::Nobody);
    let target = format!("https://a.test:{}/", address.port());
    for (index, header) in ["X-Plain: 1", "Transfer-Encoding: chunked"]
        .into_iter()
        .enumerate()
    {
        let arguments = ["--http1.1", "--cacert", &authority, "--header", header];
        let outcome = curl.run(&[&arguments[..], &["--data-binary", &upload, &target]].concat());
        assert_eq!(outcome.code, 200, "{header}");
        assert_eq!(
            sink.requests(index + 1)[index].body.len(),
            9_000_000,
            "{header}"
        );
    }
    let echo = url("/echo");
    let expecting = [
        "--cacert",
        &authority,
        "--header",
        "Expect: 100-continue",
        "--data",
        "abc",
    ];
    let outcome = curl.run(&[&expecting[..], &["--http1.1", &echo]].concat());
    let echoed: serde_json::Value = serde_json::from_slice(&outcome.body).unwrap();
    assert_eq!(echoed["body"], "abc");
}

/// What the origin sends is forwarded when it is there, not when there is more.
#[test]
fn events_are_not_held_back() {
    let (proxy, pki) = start(ALLOW_ALL, &[]);
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let origin = ScriptedOrigin::start(move |mut accepted, _| {
        accepted.request();
        accepted.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ndata: 1\r\n");
        wait.lock().unwrap().recv().unwrap();
        accepted.send("7\r\ndata: 2\r\n0\r\n\r\n");
        accepted.connection.rest();
    });
    let identity = pki.origin(&["a.test"]);
    let address = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody);
    let authority = format!("a.test:{}", address.port());
    let mut client = tls_tunnel(&proxy, &pki, &authority, "a.test");
    client.send(format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    client.head();
    assert_eq!(client.bytes(12), b"7\r\ndata: 1\r\n");
    go.send(()).unwrap();
    let more = client.bytes(18);
    assert_eq!(more, b"07\r\ndata: 2\r\n0\r\n\r\n", "{more:?}");
}

/// A body that ends with the connection is whole only if the end was said (RFC 9112 section 9.8).
#[test]
fn a_cut_body_is_not_a_whole_one() {
    let (proxy, pki) = start(ALLOW_ALL, &[]);
    let identity = pki.origin(&["a.test"]);
    for is_cut in [false, true] {
        let origin = ScriptedOrigin::start(move |mut accepted, _| {
            accepted.request();
            accepted.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome bytes");
            if is_cut {
                std::thread::sleep(std::time::Duration::from_millis(200));
                let socket = socket2::SockRef::from(&accepted.connection.stream);
                socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
            } else {
                accepted.connection.finish();
                accepted.connection.rest();
            }
        });
        let address = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody);
        let authority = format!("a.test:{}", address.port());
        let mut client = tls_tunnel(&proxy, &pki, &authority, "a.test");
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
        ));
        client.head();
        let (body, _) = client.rest();
        let is_whole = body.ends_with(b"0\r\n\r\n");
        assert_eq!(is_whole, !is_cut, "{:?}", String::from_utf8_lossy(&body));
    }
    let lines = proxy.log.transactions(4);
    let cut = lines
        .iter()
        .filter(|line| line["error"] == "connection_terminated");
    assert_eq!(cut.count(), 1, "{lines:#?}");
}

#[test]
fn python_requests_inside() {
    let Some(python) = python_with(&["requests"]) else {
        return;
    };
    let (proxy, pki) = start(
        Rules(
            r#"
[[group]]
priority = 1
name = "python"
[[group.pre_dns]]
name = "no-denied"
action = "deny"
when."request:DestinationDomain" = { StringEquals = "b.test" }
"#,
        ),
        &[],
    );
    let (plain, tls) = (Origin::start(), Origin::certified(&pki.origin(&["a.test"])));
    let seen = python::run(
        &python,
        "requests_client.py",
        &[
            &proxy.url(),
            &format!("http://a.test:{}", plain.port()),
            &format!("https://a.test:{}", tls.port()),
            &pki.authority(),
            &format!("http://b.test:{}/", plain.port()),
        ],
    );
    // The version is that of the origin's response.
    for (scheme, via) in [("http", "1.1 sallyport"), ("https", "2 sallyport")] {
        let expected = json!({
            "status": 200, "bytes": 100_000, "posted": 5000, "put": "onetwo", "streamed": 3_000_000,
            "head": "12", "via": via,
        });
        assert_eq!(seen[scheme], expected, "{scheme}");
    }
}
