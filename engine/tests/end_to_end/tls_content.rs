//! What a tunnel may hold behind a ClientHello, which ClientHellos are understood, and what a client is
//! told when its tunnel ends for a reason of TLS.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::certificates::{client_hello, client_hello_with};
use crate::common::connection::End;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Certificate, Connection, Origin, Proxy, Rules, ScriptedOrigin};
use crate::intercepted_clients::with_https;
use crate::tunnels::ACCESS_DENIED;

const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
const RECORD_BYTES: usize = 1 << 14;
const SSH: &[u8] = b"SSH-2.0-OpenSSH_9.2p1\r\n";

/// A fatal alert in the clear.
fn alert(description: u8) -> [u8; 7] {
    [21, 3, 3, 0, 2, 2, description]
}

const UNEXPECTED_MESSAGE: u8 = 10;
const ILLEGAL_PARAMETER: u8 = 47;
const DECODE_ERROR: u8 = 50;

fn start(keys: &[(&str, &str)]) -> Proxy {
    let setup = Setup::new().host("a.test", "127.0.0.1");
    keys.iter()
        .fold(setup, |setup, (key, value)| setup.key(key, value))
        .start(ALLOW_ALL)
}

/// A tunnel to `port`, and what was sent in it.
fn tunnel(proxy: &Proxy, port: u16, first: &[u8]) -> Connection {
    let mut client = proxy.connection();
    client.connect(&format!("a.test:{port}")).unwrap();
    client.send(first);
    client
}

/// A server of anything: says `greeting` at once, and `answer` when it has heard something.
fn server(greeting: &'static [u8], answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Ends with the test process: a blocked accept holds nothing but a socket.
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.write_all(greeting);
            let mut heard = [0; 65536];
            if stream.read(&mut heard).is_ok_and(|bytes| bytes > 0) {
                let _ = stream.write_all(answer);
                while stream.read(&mut heard).is_ok_and(|bytes| bytes > 0) {}
            }
        }
    });
    port
}

/// Not a byte of what is not TLS reaches the client, whoever speaks first; it gets an alert.
#[test]
fn a_forged_hello_opens_nothing_else() {
    let servers: [(&[u8], &[u8]); 6] = [
        (b"", SSH),
        (SSH, SSH),
        (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        (b"", b"\x16\x03\x03\x00\x04SSH-"),
        (b"", b"\x17\x03\x03\x00\x04SSH-"),
        // A ServerHello with a suite that nobody offered.
        (b"", b"\x16\x03\x03\x00\x2c\x02\x00\x00\x28\x03\x03................................\x00\xfe\xfe\x00\x00\x00"),
    ];
    for (greeting, answer) in servers {
        let proxy = start(&[]);
        let port = server(greeting, answer);
        let mut client = tunnel(&proxy, port, &client_hello("a.test"));
        let (told, _) = client.rest();
        let said = answer.escape_ascii();
        assert_eq!(told, alert(UNEXPECTED_MESSAGE), "{said}");
        let line = proxy.log.transaction();
        assert_fields(
            &line,
            &json!({ "status": 200, "error": "tls_protocol_error" }),
        );
        assert!(
            line["detail"].as_str().unwrap().contains("origin"),
            "{line}"
        );
    }
}

#[test]
fn any_protocol_passes_where_that_is_asked_for() {
    let proxy = start(&[("tunnel.unknown_protocol", "\"allow\"")]);
    let port = server(b"", SSH);
    let mut client = tunnel(&proxy, port, &client_hello("a.test"));
    assert_eq!(client.bytes(SSH.len()), SSH);
}

/// What the client sends behind its ClientHello must be TLS too, at once or later.
#[test]
fn a_client_must_go_on_in_tls() {
    let proxy = start(&[]);
    let certificate = Certificate::for_names(&["a.test"], proxy.folder());
    let origin = Origin::start_tls(&certificate);
    let hello = client_hello("a.test");
    let mut client = tunnel(&proxy, origin.port(), &[&*hello, SSH].concat());
    assert_eq!(client.rest().0, alert(UNEXPECTED_MESSAGE));
    let mut client = tunnel(&proxy, origin.port(), &hello);
    // The ServerHello, and what belongs to it.
    client.bytes(100);
    client.send(SSH);
    client.rest();
    for line in proxy.log.transactions(2) {
        assert_eq!(line["error"], "tls_protocol_error", "{line}");
        assert!(
            line["detail"].as_str().unwrap().contains("client"),
            "{line}"
        );
    }
}

/// Before `origin`, a way that lets the answers through byte by byte.
fn trickling(origin: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let mut server = TcpStream::connect(("127.0.0.1", origin)).unwrap();
            client.set_nodelay(true).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
            let mut byte = [0];
            while server.read(&mut byte).is_ok_and(|bytes| bytes > 0) {
                if client.write_all(&byte).is_err() {
                    break;
                }
            }
        }
    });
    port
}

/// However it is cut, TLS is TLS.
#[test]
fn an_answer_byte_by_byte_is_an_answer() {
    let proxy = start(&[]);
    let certificate = Certificate::for_names(&["a.test"], proxy.folder());
    let origin = Origin::start_tls(&certificate);
    let mut client = proxy.connection();
    let authority = format!("a.test:{}", trickling(origin.port()));
    client.connect(&authority).unwrap();
    let mut session = certificate.client("a.test");
    let mut tls = rustls::Stream::new(&mut session, &mut client.stream);
    tls.write_all(b"GET /bytes/1000 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut response = Vec::new();
    tls.read_to_end(&mut response).unwrap();
    assert!(response.starts_with(b"HTTP/1.1 200"));
}

/// `request:TlsEch` in a rule, and the key that needs none.
#[test]
fn encrypted_hellos_are_seen_and_can_be_refused() {
    const RULES: Rules<'_> = Rules(
        r#"
[[group]]
priority = 1
name = "ech"
[[group.pre_request]]
name = "no-ech"
action = "deny"
when."request:TlsEch" = { StringEquals = "present" }
"#,
    );
    let plain = client_hello("a.test");
    // RFC 9849 section 5: outer, a suite, a configuration, a key, and what is encrypted.
    let key = [&b"\x00\x00\x01\x00\x01\x07\x00\x20"[..], &[9; 32]].concat();
    let outer = [&key[..], b"\x00\x40", &[7; 64]].concat();
    let encrypted = client_hello_with("a.test", (ENCRYPTED_CLIENT_HELLO, &outer), RECORD_BYTES);
    let by_rule = Setup::new().host("a.test", "127.0.0.1").start(RULES);
    let by_key = start(&[("tls.ech", "\"deny\"")]);
    for proxy in [&by_rule, &by_key, &start(&[])] {
        let certificate = Certificate::for_names(&["a.test"], proxy.folder());
        let origin = Origin::start_tls(&certificate);
        let mut client = tunnel(proxy, origin.port(), &plain);
        assert_eq!(client.bytes(3), [22, 3, 3]);
        drop(client);
        let mut client = tunnel(proxy, origin.port(), &encrypted);
        let is_open = !std::ptr::eq(proxy, &by_rule) && !std::ptr::eq(proxy, &by_key);
        if is_open {
            assert_eq!(client.bytes(3), [22, 3, 3]);
        } else {
            assert_eq!(client.rest().0, ACCESS_DENIED);
            let deny = proxy.log.wait("deny", 1).remove(0);
            assert_eq!(deny["error"], "http_request_denied");
        }
    }
    let rule = by_rule.log.wait("deny", 1).remove(0);
    assert_eq!(rule["rule"], "no-ech");
    let key = by_key.log.wait("deny", 1).remove(0);
    assert!(key["detail"].as_str().unwrap().contains("tls.ech"), "{key}");
}

/// Names that RFC 6066 forbids and clients send all the same.
#[test]
fn odd_server_names_close_nothing() {
    for (placeholder, odd, sni) in [
        ("aaaa.test", "127.0.0.1", None),
        ("aa.test", "a.test.", Some("a.test")),
        ("a.tst", "[::1]", None),
        ("aaa.test", "[a.test]", None),
        ("a.b", "::1", None),
    ] {
        let proxy = start(&[]);
        let certificate = Certificate::for_names(&["a.test"], proxy.folder());
        let origin = Origin::start_tls(&certificate);
        let mut hello = client_hello(placeholder);
        let at = hello
            .windows(placeholder.len())
            .position(|window| window == placeholder.as_bytes());
        let at = at.unwrap();
        hello[at..at + odd.len()].copy_from_slice(odd.as_bytes());
        let mut client = tunnel(&proxy, origin.port(), &hello);
        // What the origin thinks of such a name is its own affair.
        client.bytes(3);
        drop(client);
        let line = proxy.log.transaction();
        assert_fields(&line, &json!({ "sni": sni, "error": null }));
        let detail = line["detail"].as_str().unwrap();
        assert!(detail.contains("server name"), "{odd}: {detail}");
    }
}

/// The same where TLS ends here, and on an https listener: OpenSSL sends what it is told to.
#[test]
fn odd_server_names_end_no_handshake() {
    let Some(openssl) = crate::programs::system("openssl") else {
        return;
    };
    let (setup, pki) = Setup::intercepting();
    let identity = pki.origin(&["a.test"]);
    let origin = Origin::certified(&identity);
    let proxy = setup.start(ALLOW_ALL);
    for name in ["a.test.", "127.0.0.1"] {
        let mut client = std::process::Command::new(&openssl)
            .args(["s_client", "-quiet", "-verify_return_error"])
            .args(["-proxy", &proxy.address.to_string()])
            .args(["-connect", &format!("a.test:{}", origin.port())])
            .args(["-servername", name, "-CAfile", &pki.authority()])
            .args(["-verify_hostname", "a.test"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: a.test:{}\r\nConnection: close\r\n\r\n",
            origin.port()
        );
        let mut input = client.stdin.take().unwrap();
        input.write_all(request.as_bytes()).unwrap();
        let output = client.wait_with_output().unwrap();
        drop(input);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.starts_with("HTTP/1.1 200"), "{name}: {output:?}");
    }
}

/// rustls refuses one in brackets, in the handshake of its own (an https listener) and in ours: if a newer one does
/// not, this fails, and both can take it as absent.
#[test]
fn server_names_in_brackets_end_tls_here() {
    let (setup, pki) = Setup::intercepting();
    pki.origin(&["proxy.test"]);
    let (setup, https) = with_https(setup, "");
    let proxy = setup.start(ALLOW_ALL);
    let origin = ScriptedOrigin::silent();
    for (placeholder, odd) in [("a.tst", "[::1]"), ("aaa.test", "[a.test]")] {
        let mut hello = client_hello(placeholder);
        let mut windows = hello.windows(placeholder.len());
        let at = windows.position(|window| window == placeholder.as_bytes());
        let at = at.unwrap();
        hello[at..at + odd.len()].copy_from_slice(odd.as_bytes());
        let mut client = tunnel(&proxy, origin.address.port(), &hello);
        assert_eq!(client.rest().0, alert(ILLEGAL_PARAMETER), "{odd}");
        let line = proxy.log.transaction();
        assert_fields(
            &line,
            &json!({ "sni": null, "error": "tls_protocol_error" }),
        );
        let detail = line["detail"].as_str().unwrap();
        assert!(detail.contains("in brackets"), "{odd}: {detail}");
        let mut client = Connection::open(([127, 0, 0, 1], https).into());
        client.send(&hello);
        assert_eq!(client.rest().0, alert(ILLEGAL_PARAMETER), "{odd}");
    }
    for line in proxy.log.wait("connection", 2) {
        let detail = line["detail"].as_str().unwrap();
        assert!(detail.ends_with("a server name that is none"), "{detail}");
    }
}

/// Up to 64 KiB, over several records, as clients that offer everything send it.
#[test]
fn large_hellos_are_read() {
    let proxy = start(&[]);
    let certificate = Certificate::for_names(&["a.test"], proxy.folder());
    let origin = Origin::start_tls(&certificate);
    for (bytes, record_bytes) in [
        (20_000, RECORD_BYTES),
        (60_000, RECORD_BYTES),
        (30_000, 1_000),
    ] {
        let hello = client_hello_with("a.test", (0x5000, &vec![0; bytes]), record_bytes);
        let mut client = tunnel(&proxy, origin.port(), &hello);
        assert_eq!(client.bytes(3), [22, 3, 3], "{bytes}");
    }
    let others = client_hello_with("a.test", (0x5000, &[]), RECORD_BYTES).len();
    let hello = client_hello_with("a.test", (0x5000, &vec![0; 65_550 - others]), RECORD_BYTES);
    let mut client = tunnel(&proxy, origin.port(), &hello);
    assert_eq!(client.rest().0, alert(DECODE_ERROR));
}

/// A tunnel that ends because of its ClientHello says so.
#[test]
fn bad_hellos_are_told() {
    let origin = ScriptedOrigin::silent();
    let proxy = start(&[("tunnel.sniff_timeout", "\"300ms\"")]);
    let hello = client_hello("a.test");
    let mut short = hello.clone();
    short.truncate(50);
    let mut malformed = hello.clone();
    // The length of the session id.
    malformed[43] = 200;
    // supported_versions, which it has already.
    let repeated = client_hello_with("a.test", (43, b"\x02\x03\x04"), RECORD_BYTES);
    for (bytes, description) in [
        (&malformed, DECODE_ERROR),
        (&repeated, ILLEGAL_PARAMETER),
        (&short, DECODE_ERROR),
    ] {
        let mut client = tunnel(&proxy, origin.port(), bytes);
        let (told, end) = client.rest();
        assert_eq!((&*told, end), (&alert(description)[..], End::Closed));
    }
    // One that ends in the middle, and still listens.
    let mut client = tunnel(&proxy, origin.port(), &short);
    client.finish();
    assert_eq!(client.rest().0, alert(DECODE_ERROR));
    proxy.log.transactions(4);
}
