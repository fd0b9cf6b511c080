//! NTLM and its like, which authenticate a connection: what Alice has proved serves nobody else, and her
//! next requests need prove nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::common::connection::Connection;
use crate::common::process::Process;
use crate::common::programs::node_with;
use crate::common::proxy::Setup;
use crate::common::response::Response;
use crate::common::tls_bridge::{ClientAuth, tls_before, tls_tunnel};
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Proxy, ScriptedOrigin};
use crate::curl::Curl;

/// A NEGOTIATE message ([MS-NLMP] section 2.2.1.1).
const NEGOTIATE: &str = "TlRMTVNTUAABAAAAAgIAAAAAAAAAAAAAAAAAAAAAAAA=";

/// An AUTHENTICATE message of `user`, proofs left out.
fn authenticate(user: &str) -> String {
    let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
    message.resize(64, 0);
    let length = u16::try_from(user.len()).unwrap().to_le_bytes();
    message[36..38].copy_from_slice(&length);
    message[38..40].copy_from_slice(&length);
    message[40] = 64;
    message.extend_from_slice(user.as_bytes());
    BASE64.encode(&message)
}

fn user_of(message: &str) -> String {
    let message = BASE64.decode(message.as_bytes()).unwrap();
    let number = |at: usize| usize::from(message[at]) + 256 * usize::from(message[at + 1]);
    let (length, start) = (number(36), number(40));
    String::from_utf8_lossy(&message[start..start + length]).into_owned()
}

/// A CHALLENGE message: NTLM, OEM characters, no target.
fn challenge() -> String {
    let mut message = b"NTLMSSP\0\x02\0\0\0".to_vec();
    message.resize(48, 0);
    message[16] = 48;
    message[20..24].copy_from_slice(&[0x02, 0x02, 0, 0]);
    message[24..32].copy_from_slice(b"nonce123");
    message[44] = 48;
    BASE64.encode(&message)
}

/// Authenticates connections, and says in each 200 whom it takes the client for.
fn origin(ended: &Arc<AtomicUsize>) -> ScriptedOrigin {
    let ended = Arc::clone(ended);
    ScriptedOrigin::start(move |mut accepted, notebook| {
        let (mut user, mut challenged) = (None, false);
        while accepted.has_more() {
            let request = accepted.request();
            let credentials = request.header("authorization");
            notebook.note(request);
            let (scheme, message) = credentials
                .as_deref()
                .and_then(|value| value.split_once(' '))
                .unwrap_or_default();
            let offer = match message {
                "" if user.is_some() => None,
                _ if message.starts_with("TlRMTVNTUAAB") => {
                    (user, challenged) = (None, true);
                    Some(format!("WWW-Authenticate: {scheme} {}\r\n", challenge()))
                }
                _ if message.starts_with("TlRMTVNTUAAD") && challenged => {
                    (user, challenged) = (Some(user_of(message)), false);
                    None
                }
                _ => {
                    (user, challenged) = (None, false);
                    Some("WWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\n".to_owned())
                }
            };
            let body = user.clone().unwrap_or_default();
            let status = if offer.is_some() {
                "401 Unauthorized"
            } else {
                "200 OK"
            };
            accepted.send(format!(
                "HTTP/1.1 {status}\r\n{}Content-Length: {}\r\n\r\n{body}",
                offer.unwrap_or_default(),
                body.len()
            ));
        }
        ended.fetch_add(1, SeqCst);
    })
}

fn ask(client: &mut Connection, target: &str, host: &str, credentials: &str) -> Response {
    let field = match credentials {
        "" => String::new(),
        _ => format!("Authorization: {credentials}\r\n"),
    };
    client.send(format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\n{field}\r\n"
    ));
    client.response()
}

/// Alice authenticates her connection; then Bob comes.
fn assert_nobody_else_is_alice(
    connect: impl Fn() -> Connection,
    target: &str,
    host: &str,
    scheme: &str,
) {
    let mut alice = connect();
    let offered = ask(&mut alice, target, host, "");
    assert_eq!(offered.status, 401);
    let support = Some("Session-Based-Authentication".to_owned());
    assert_eq!(offered.header("proxy-support"), support);
    let first = ask(&mut alice, target, host, &format!("{scheme} {NEGOTIATE}"));
    assert_eq!(first.status, 401);
    assert_eq!(first.header("proxy-support"), support);
    // Whatever others do meanwhile.
    for _ in 0..3 {
        assert_eq!(ask(&mut connect(), target, host, "").status, 401);
    }
    let answer = format!("{scheme} {}", authenticate("alice"));
    let welcome = ask(&mut alice, target, host, &answer);
    assert_eq!((welcome.status, welcome.text()), (200, "alice".to_owned()));
    for _ in 0..3 {
        assert_eq!(
            ask(&mut connect(), target, host, "").status,
            401,
            "{scheme}"
        );
        let again = ask(&mut alice, target, host, "");
        assert_eq!((again.status, again.text()), (200, "alice".to_owned()));
    }
    drop(alice);
    let mut later = connect();
    for _ in 0..3 {
        assert_eq!(ask(&mut later, target, host, "").status, 401, "{scheme}");
    }
}

#[test]
fn an_authenticated_connection_serves_its_client_alone() {
    for scheme in ["NTLM", "Negotiate", "ntlm"] {
        let ended = Arc::default();
        let origin = origin(&ended);
        let proxy = Proxy::open();
        let (url, host) = (origin.url("/"), origin.address.to_string());
        assert_nobody_else_is_alice(|| proxy.connection(), &url, &host, scheme);
        let tunnel = || {
            let mut tunnel = proxy.connection();
            tunnel.connect(&host).unwrap();
            tunnel
        };
        assert_nobody_else_is_alice(tunnel, "/", &host, scheme);
        // With the client's connection the origin's ends.
        wait_for("all connections to the origin to end", || {
            (ended.load(SeqCst) == origin.connections()).then_some(())
        });
    }
}

#[test]
fn the_same_inside_tls() {
    let (setup, pki) = Setup::intercepting();
    let origin = origin(&Arc::default());
    let identity = pki.origin(&["a.test"]);
    let address = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody);
    let proxy = setup.start(ALLOW_ALL);
    let host = format!("a.test:{}", address.port());
    let tunnel = || tls_tunnel(&proxy, &pki, &host, "a.test");
    assert_nobody_else_is_alice(tunnel, "/", &host, "NTLM");
}

/// Two origins, and more than are kept for one client: the one that was used longest ago is closed.
#[test]
fn each_origin_has_a_connection_of_its_own() {
    let origins: Vec<_> = (0..9).map(|_| origin(&Arc::default())).collect();
    let proxy = Proxy::open();
    let mut client = proxy.connection();
    for origin in &origins {
        let (url, host) = (origin.url("/"), origin.address.to_string());
        let first = ask(&mut client, &url, &host, &format!("NTLM {NEGOTIATE}"));
        assert_eq!(first.status, 401);
        let answer = format!("NTLM {}", authenticate("alice"));
        assert_eq!(ask(&mut client, &url, &host, &answer).status, 200);
    }
    for (index, origin) in origins.iter().enumerate().rev() {
        let host = origin.address.to_string();
        let status = ask(&mut client, &origin.url("/"), &host, "").status;
        assert_eq!(status, if index == 0 { 401 } else { 200 }, "{index}");
    }
}

/// When the origin ends an authenticated connection, its client is told, and begins anew.
#[test]
fn the_end_of_an_authenticated_connection_is_passed_on() {
    let origin = ScriptedOrigin::answering_once(
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
    let proxy = Proxy::open();
    let host = origin.address.to_string();
    let mut client = proxy.connection();
    assert!(!ask(&mut client, &origin.url("/"), &host, "").says_close());
    let credentials = format!("NTLM {}", authenticate("alice"));
    let last = ask(&mut client, &origin.url("/"), &host, &credentials);
    assert!(last.says_close());
    client.assert_closed();
}

/// curl does NTLM as it is meant, with a user for each of several at once.
#[test]
fn handshakes_of_curl_side_by_side() {
    let origin = origin(&Arc::default());
    let proxy = Proxy::open();
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let url = origin.url("/");
    thread::scope(|scope| {
        for index in 0..8 {
            let (curl, url) = (&curl, &url);
            scope.spawn(move || {
                let user = format!("user{index}");
                let login = format!("{user}:secret");
                for tunnel in [&[][..], &["--proxytunnel"]] {
                    let mut arguments = vec!["--ntlm", "--user", &login, url, url];
                    arguments.extend(tunnel);
                    let outcome = curl.run(&arguments);
                    assert_eq!((outcome.exit, outcome.code), (Some(0), 200));
                    let body = String::from_utf8(outcome.body).unwrap();
                    assert_eq!(body.to_lowercase(), format!("{user}{user}"));
                }
            });
        }
    });
}

/// Handshakes in streams of one HTTP/2 connection wait for each other, and other requests for them.
#[test]
fn handshakes_in_streams_do_not_break_each_other() {
    let Some(mut node) = node_with("http2") else {
        return;
    };
    let (setup, pki) = Setup::intercepting();
    let origin = origin(&Arc::default());
    let identity = pki.origin(&["a.test"]);
    let address = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody);
    let proxy = setup.start(ALLOW_ALL);
    let target = format!("a.test:{}", address.port());
    let output = node
        .arg(data("session_auth_client.js"))
        .args([&proxy.address.to_string(), &pki.authority(), &target])
        .args([NEGOTIATE, &authenticate("alice")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = json!({ "outcomes": vec!["200 alice"; 8], "stranger": "401 " });
    assert_eq!(seen, expected);
}

fn data(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/data");
    folder.join(name)
}

/// An origin that would speak HTTP/2 is asked in HTTP/1.1, where its connection can be authenticated.
#[test]
fn an_origin_of_http2_is_authenticated_over_http1() {
    let Some(mut node) = node_with("http2") else {
        return;
    };
    let (setup, pki) = Setup::intercepting();
    let identity = pki.origin(&["a.test"]);
    node.arg(data("session_auth_origin.js"))
        .arg(&identity.certificate)
        .arg(&identity.key);
    let mut process = Process::start(&mut node);
    let port: u16 = process.wait_line("the origin", |line| line.parse().ok());
    let proxy = setup.start(ALLOW_ALL);
    let host = format!("a.test:{port}");
    let mut alice = tls_tunnel(&proxy, &pki, &host, "a.test");
    assert_eq!(ask(&mut alice, "/", &host, "").text(), "2.0 ");
    let first = ask(&mut alice, "/", &host, &format!("NTLM {NEGOTIATE}"));
    assert_eq!((first.status, first.text()), (401, "1.1 ".to_owned()));
    let answer = format!("NTLM {}", authenticate("alice"));
    assert_eq!(ask(&mut alice, "/", &host, &answer).text(), "1.1 known");
    assert_eq!(ask(&mut alice, "/", &host, "").text(), "1.1 known");
    let mut bob = tls_tunnel(&proxy, &pki, &host, "a.test");
    assert_eq!(ask(&mut bob, "/", &host, "").text(), "2.0 ");
}
