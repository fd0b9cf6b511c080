//! Clients of interception and of `https` listeners: what they may speak, what they resume, what they
//! refuse, and what they try.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::pki::Pki;
use crate::common::programs::system;
use crate::common::proxy::Setup;
use crate::common::tls_bridge::{ClientAuth, tls_before, tls_tunnel};
use crate::common::{ALLOW_ALL, Origin, Proxy, Rules, ScriptedOrigin};
use crate::curl::Curl;
use crate::vectors::{Vector, parse_vectors};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// `openssl s_client` with one request through the tunnel; what it said.
fn s_client(openssl: &Path, proxy: &Proxy, pki: &Pki, port: u16, more: &[&str]) -> String {
    let mut child = Command::new(openssl)
        .args(["s_client", "-proxy", &proxy.address.to_string()])
        .args([
            "-connect",
            &format!("a.test:{port}"),
            "-servername",
            "a.test",
        ])
        .args([
            "-CAfile",
            &pki.authority(),
            "-verify_return_error",
            "-ign_eof",
        ])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: a.test:{port}\r\nConnection: close\r\n\r\n");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

/// Each version, cipher and group that is offered.
#[test]
fn versions_ciphers_and_groups() {
    let Some(openssl) = system("openssl") else {
        return;
    };
    let (setup, pki) = Setup::intercepting();
    let proxy = setup.start(ALLOW_ALL);
    let origin = Origin::certified(&pki.origin(&["a.test"]));
    let cases: [(&[&str], &str); 9] = [
        (&["-tls1_3", "-groups", "X25519"], "X25519"),
        (&["-tls1_3", "-groups", "P-256"], "prime256v1"),
        (&["-tls1_3", "-groups", "P-384"], "secp384r1"),
        (
            &["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"],
            "TLS_AES_128_GCM_SHA256",
        ),
        (
            &["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"],
            "TLS_AES_256_GCM_SHA384",
        ),
        (
            &["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
            "TLS_CHACHA20_POLY1305_SHA256",
        ),
        (
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
            "TLSv1.2",
        ),
        (
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
            "CHACHA20",
        ),
        (&["-tls1_2", "-groups", "X25519:P-256"], "X25519"),
    ];
    for (arguments, expected) in cases {
        let said = s_client(&openssl, &proxy, &pki, origin.port(), arguments);
        assert!(said.contains("HTTP/1.1 200"), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(
            said.contains("Verify return code: 0"),
            "{arguments:?}: {said}"
        );
    }
    for refused in [&["-tls1_1"][..], &["-tls1_2", "-cipher", "AES128-SHA"]] {
        let said = s_client(&openssl, &proxy, &pki, origin.port(), refused);
        assert!(!said.contains("HTTP/1.1 200"), "{refused:?}: {said}");
    }
}

/// A session goes on at any shard, and after a reload.
#[test]
fn sessions_are_resumed_everywhere() {
    let Some(openssl) = system("openssl") else {
        return;
    };
    let (setup, pki) = Setup::intercepting();
    let mut proxy = setup.key("shards", "2").start(ALLOW_ALL);
    let origin = Origin::certified(&pki.origin(&["a.test"]));
    for version in ["-tls1_2", "-tls1_3"] {
        let session = pki.path("session");
        let first = s_client(
            &openssl,
            &proxy,
            &pki,
            origin.port(),
            &[version, "-sess_out", &session],
        );
        assert!(first.contains("New, TLSv1"), "{first}");
        for round in 0..6 {
            if round == 3 {
                proxy.signal(Signal::SIGHUP);
                proxy.wait_message("the reload", |_, text| text.starts_with("reloaded"));
            }
            let arguments = [version, "-sess_in", &session];
            let again = s_client(&openssl, &proxy, &pki, origin.port(), &arguments);
            assert!(
                again.contains("Reused, TLSv1"),
                "{version} {round}: {again}"
            );
            assert!(again.contains("HTTP/1.1 200"), "{version} {round}: {again}");
        }
    }
}

/// Clients that do not know our authority are counted and logged by host.
#[test]
fn clients_that_refuse_our_certificate() {
    let (setup, pki) = Setup::intercepting();
    let mut proxy = setup.start(ALLOW_ALL);
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let origin = Origin::certified(&pki.origin(&["a.test"]));
    let url = format!("https://a.test:{}/", origin.port());
    for (index, version) in ["1.2", "1.3"].into_iter().enumerate() {
        let roots = pki.roots();
        let outcome = curl.run(&["--cacert", &roots, "--tls-max", version, &url]);
        assert_eq!(outcome.exit, Some(60));
        let line = proxy.log.transactions(index + 1).remove(index);
        assert_fields(
            &line,
            &json!({ "error": "tls_alert_received", "sni": "a.test", "tls_mode": "intercept" }),
        );
        assert!(
            line["detail"].as_str().unwrap().contains("unknown_ca"),
            "{line}"
        );
    }
    let message = proxy.wait_message("the refusal", |_, text| {
        text == "a client refused our certificate"
    });
    assert_fields(
        &message,
        &json!({ "host": "a.test", "alert": "unknown_ca", "count": 1 }),
    );
}

/// TLS to the proxy itself: absolute form, passthrough and interception inside.
#[test]
fn https_listeners() {
    let (setup, pki) = Setup::intercepting();
    pki.origin(&["proxy.test"]);
    let (setup, https) = with_https(setup, "");
    let proxy = setup
        .key(
            "tls.scope",
            r#"[{ domains = ["b.test"], mode = "passthrough" }]"#,
        )
        .start(ALLOW_ALL);
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let plain = Origin::start();
    let tls = Origin::certified(&pki.origin(&["a.test", "b.test"]));
    let (authority, roots) = (pki.authority(), pki.roots());
    let through = format!("https://proxy.test:{https}");
    let resolve = format!("proxy.test:{https}:127.0.0.1");
    let cases = [
        (
            format!("http://a.test:{}/bytes/9", plain.port()),
            &authority,
            "none",
        ),
        (
            format!("https://a.test:{}/bytes/9", tls.port()),
            &authority,
            "intercept",
        ),
        (
            format!("https://b.test:{}/bytes/9", tls.port()),
            &roots,
            "passthrough",
        ),
    ];
    for (url, trusted, mode) in cases {
        let before = proxy.log.of("transaction").len();
        let outcome = curl.run(&[
            "--http1.1",
            "--proxy",
            &through,
            "--proxy-cacert",
            &roots,
            "--resolve",
            &resolve,
            "--cacert",
            trusted,
            &url,
        ]);
        assert_eq!((outcome.exit, outcome.code), (Some(0), 200), "{url}");
        // The request inside has a line too.
        let lines = if mode == "intercept" { 2 } else { 1 };
        let line = proxy.log.wait("transaction", before + lines).remove(before);
        assert_eq!(line["tls_mode"], mode, "{line}");
    }
    let refused = curl.run(&["--proxy", &through, "--resolve", &resolve, "http://a.test/"]);
    assert_eq!(
        refused.exit,
        Some(60),
        "the proxy's certificate is not believed unasked"
    );
}

/// Clients that prove who they are: a fact for rules.
#[test]
fn clients_with_certificates() {
    let (setup, pki) = Setup::intercepting();
    pki.origin(&["proxy.test"]);
    let client = pki.client("alice");
    let (setup, https) = with_https(setup, "client_ca = \"roots.pem\"\n");
    let proxy = setup.start(Rules(
        r#"
[defaults]
pre_dns = "deny"
pre_request = "allow"
post_response = "allow"
[[group]]
priority = 1
name = "people"
[[group.pre_dns]]
name = "alice"
action = "allow"
when."request:Principal" = { StringEquals = "alice" }
"#,
    ));
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let plain = Origin::start();
    let (roots, url) = (
        pki.roots(),
        format!("http://a.test:{}/bytes/9", plain.port()),
    );
    let through = format!("https://proxy.test:{https}");
    let resolve = format!("proxy.test:{https}:127.0.0.1");
    let base = [
        "--proxy",
        &through,
        "--proxy-cacert",
        &roots,
        "--resolve",
        &resolve,
    ];
    let (certificate, key) = (&client.certificate, &client.key);
    let shown = [
        "--proxy-cert",
        certificate.to_str().unwrap(),
        "--proxy-key",
        key.to_str().unwrap(),
        &url,
    ];
    let outcome = curl.run(&[&base[..], &shown].concat());
    assert_eq!((outcome.exit, outcome.code), (Some(0), 200));
    let line = proxy.log.transaction();
    assert_fields(&line, &json!({ "principal": "alice", "status": 200 }));
    let nobody = curl.run(&[&base[..], &[&url]].concat());
    assert_ne!(nobody.exit, Some(0));
    let unproved = curl.run(&[&url]);
    assert_eq!(unproved.code, 403, "the plain listener knows no principal");
}

/// The setup with an `https` listener besides, and its port.
pub(crate) fn with_https(setup: Setup, more: &str) -> (Setup, u16) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let setup = setup.append(&format!(
        "[[listener]]\naddress = \"127.0.0.1:{port}\"\nprotocol = \"https\"\n\
         certificate = \"proxy.test-None.pem\"\nkey = \"proxy.test-None.key\"\n{more}"
    ));
    (setup, port)
}

/// `Host` that is not the host of the CONNECT, inside TLS.
#[test]
fn fronting_inside() {
    for (fronting, status, alerts) in [("deny", 421, 0), ("alert", 200, 1), ("allow", 200, 0)] {
        let (setup, pki) = Setup::intercepting();
        let proxy = setup
            .key("tunnel.fronting", &format!("\"{fronting}\""))
            .start(ALLOW_ALL);
        let origin = ScriptedOrigin::answering(OK);
        let identity = pki.origin(&["a.test"]);
        let address = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody);
        let authority = format!("a.test:{}", address.port());
        let mut client = tls_tunnel(&proxy, &pki, &authority, "a.test");
        client.send("GET / HTTP/1.1\r\nHost: b.test\r\n\r\n");
        assert_eq!(client.response().status, status, "{fronting}");
        assert_eq!(proxy.log.wait("alert", alerts).len(), alerts, "{fronting}");
    }
}

/// What is refused in the clear is refused inside TLS.
#[test]
fn ambiguous_requests_inside_reach_no_origin() {
    let vectors = parse_vectors(include_str!("data/hostile_requests.txt"));
    let (setup, pki) = Setup::intercepting();
    let proxy = setup.start(ALLOW_ALL);
    // These two are wrong only where a proxy is asked, not where the origin seems to be.
    let well_formed = ["origin form at a proxy", "https without a tunnel"];
    let failures: Vec<String> = vectors
        .iter()
        .filter(|vector| !well_formed.contains(&vector.name.as_str()))
        .filter_map(|vector| check(&proxy, &pki, vector).err())
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        vectors.len(),
        failures.join("\n")
    );
}

fn check(proxy: &Proxy, pki: &Pki, vector: &Vector) -> Result<(), String> {
    let origin = ScriptedOrigin::start(|mut accepted, notebook| {
        let request = accepted.request();
        notebook.note(request);
    });
    let identity = pki.origin(&["a.test"]);
    let address = tls_before(origin.address, &identity, pki, ClientAuth::Nobody);
    let authority = format!("a.test:{}", address.port());
    let mut client = tls_tunnel(proxy, pki, &authority, "a.test");
    client.send_in_vain(vector.bytes(&authority));
    let response = client.response();
    let name = &vector.name;
    // In a tunnel some are wrong in another way: the form of their target, or whom they name.
    if !(400..=599).contains(&response.status) || !response.says_close() {
        return Err(format!("{name}: {response:?}"));
    }
    let (rest, _) = client.rest();
    if !rest.is_empty() {
        return Err(format!("{name}: the connection goes on"));
    }
    if !origin.requests(0).is_empty() {
        return Err(format!("{name}: a whole request reached the origin"));
    }
    Ok(())
}
