//! A second handshake within a TLS 1.2 connection, which either end may ask for and rustls declines.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::pki::{Identity, Pki};
use crate::common::process::Process;
use crate::common::programs::system;
use crate::common::proxy::Setup;
use crate::common::tls_bridge::tls_tunnel;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Origin};

/// Apache, which wants a certificate for `/secret` only. Nothing is there, and `/open` says so.
struct Apache {
    port: u16,
    _process: Process,
}

impl Apache {
    fn start(folder: &Path, identity: &Identity, pki: &Pki) -> Option<Self> {
        let program = system("apache2")?;
        Some(wait_for("Apache on a free port", || {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let file = folder.join("apache.conf");
            std::fs::write(&file, configuration(folder, port, identity, pki)).unwrap();
            let mut process = Process::start(Command::new(&program).arg("-X").arg("-f").arg(&file));
            let is_up = wait_for("Apache", || {
                match std::net::TcpStream::connect(("127.0.0.1", port)) {
                    Ok(_) => Some(true),
                    Err(_) if !process.is_running() => Some(false),
                    Err(_) => None,
                }
            });
            is_up.then_some(Self {
                port,
                _process: process,
            })
        }))
    }
}

fn configuration(folder: &Path, port: u16, identity: &Identity, pki: &Pki) -> String {
    let modules: String = ["mpm_event", "authz_core", "alias", "ssl"]
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat();
    let folder = folder.display();
    format!(
        "ServerRoot {folder}\nPidFile {folder}/apache.pid\nErrorLog {folder}/apache.log\n\
         DocumentRoot {folder}\nMutex pthread\nListen 127.0.0.1:{port}\nServerName a.test\n\
         User www-data\nGroup www-data\n{modules}\
         SSLEngine on\nSSLProtocol TLSv1.2\nSSLCertificateFile {}\nSSLCertificateKeyFile {}\n\
         SSLCACertificateFile {}\nRedirect gone /open\n\
         <Location /secret>\nSSLVerifyClient require\n</Location>\n",
        identity.certificate.display(),
        identity.key.display(),
        pki.roots(),
    )
}

/// An origin that renegotiates is told no at once, and its client why nothing came of it.
#[test]
fn an_origin_that_renegotiates_is_answered() {
    let (setup, pki) = Setup::intercepting();
    let identity = pki.origin(&["a.test"]);
    let Some(apache) = Apache::start(setup.folder.path(), &identity, &pki) else {
        return;
    };
    let proxy = setup.start(ALLOW_ALL);
    let authority = format!("a.test:{}", apache.port);
    let mut client = tls_tunnel(&proxy, &pki, &authority, "a.test");
    client.send(format!("GET /open HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    assert_eq!(client.response().status, 410);
    let started = Instant::now();
    client.send(format!("GET /secret HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    let response = client.response();
    assert_eq!(response.status, 502);
    // timeouts.response is a minute.
    assert!(started.elapsed() < Duration::from_secs(20));
    let body = String::from_utf8(response.body).unwrap();
    assert!(body.contains("renegotiation"), "{body}");
    drop(client);
    let lines = proxy.log.transactions(3);
    let secret = lines.iter().find(|line| line["uri"] == "/secret").unwrap();
    assert_fields(
        secret,
        &json!({ "status": 502, "error": "tls_protocol_error" }),
    );
}

/// OpenSSL's client renegotiates when it reads an `R`. It is told no, and ends.
#[test]
fn a_client_that_renegotiates_is_told_no() {
    let Some(openssl) = system("openssl") else {
        return;
    };
    let (setup, pki) = Setup::intercepting();
    let origin = Origin::certified(&pki.origin(&["a.test"]));
    let proxy = setup.start(ALLOW_ALL);
    let mut client = s_client(&openssl, proxy.address.port(), origin.port());
    let mut child = client.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("Extended master secret") {
        line.clear();
        assert_ne!(
            output.read_line(&mut line).unwrap(),
            0,
            "before the handshake was over"
        );
    }
    let started = Instant::now();
    input.write_all(b"R\n").unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success());
    // Before, it hung until the tunnel was idle for too long.
    assert!(started.elapsed() < Duration::from_secs(20));
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert!(said.contains("no renegotiation"), "{said}");
}

fn s_client(openssl: &PathBuf, proxy: u16, origin: u16) -> Command {
    let mut command = Command::new(openssl);
    command
        .args(["s_client", "-tls1_2", "-servername", "a.test"])
        .args(["-proxy", &format!("127.0.0.1:{proxy}")])
        .args(["-connect", &format!("a.test:{origin}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}
