//! Origins that only OpenSSL can play: each fault of a certificate that rustls would not serve, each
//! chain that is sent in part, old versions of TLS. The other faults are in `intercepted_origins`.

use std::process::Command;

use crate::common::pki::Pki;
use crate::common::process::Process;
use crate::common::proxy::Setup;
use crate::common::tls_bridge::tls_tunnel;
use crate::common::{ALLOW_ALL, Proxy};
use crate::openssl::{OpenSsl, P256, RSA, RSA_1024};

const LEAF: &str = "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n";
const AUTHORITY: &str = "keyUsage=critical,keyCertSign,cRLSign\n";

/// An origin and what must come of it.
struct Case {
    /// `NAME.pem`, `NAME.key` and, if it sends one, `NAME.chain`.
    name: &'static str,
    /// The words on the page and in the log; none if nothing is wrong.
    words: &'static str,
}

const fn case(name: &'static str, words: &'static str) -> Case {
    Case { name, words }
}

/// All but those that no configuration lets pass.
const CASES: [Case; 13] = [
    case("good", ""),
    case("wildcard", ""),
    case("many-names", ""),
    case("missing", "missing intermediate"),
    case("revoked", "revoked"),
    case("short", "weak key"),
    case("sha1", "weak signature"),
    case(
        "common-name",
        "common name without subject alternative name",
    ),
    case("deep", "path length exceeded"),
    case("constrained", "name constraints violated"),
    case("critical", "unknown critical extension"),
    case("apex", "name mismatch"),
    case("address", "name mismatch"),
];

/// Makes what the cases need, in one folder.
fn make(openssl: &OpenSsl) {
    let named = |names: &str, rest: &str| format!("{LEAF}subjectAltName={names}\n{rest}");
    let a_test = named("DNS:a.test", "");
    openssl.root("root", P256);
    let middle = format!("{AUTHORITY}basicConstraints=critical,CA:TRUE,pathlen:0\n");
    openssl.sign("middle", P256, "root", &middle, "");
    openssl.sign("low", P256, "middle", &middle, "");
    let narrow = format!("{middle}nameConstraints=critical,permitted;DNS:b.test\n");
    openssl.sign("narrow", P256, "root", &narrow, "");
    let sends = |name: &str, authorities: &[&str]| {
        let chain: Vec<u8> = authorities
            .iter()
            .flat_map(|authority| openssl.read(&format!("{authority}.pem")))
            .collect();
        openssl.write(&format!("{name}.chain"), chain);
    };
    openssl.sign("good", RSA, "middle", &a_test, "");
    sends("good", &["middle"]);
    openssl.sign(
        "wildcard",
        P256,
        "root",
        &named("DNS:*.test,DNS:*.a.test,DNS:a.test", ""),
        "",
    );
    let access = "authorityInfoAccess=caIssuers;URI:http://127.0.0.1:9/middle\n";
    openssl.sign("missing", P256, "middle", &named("DNS:a.test", access), "");
    openssl.sign("revoked", P256, "root", &a_test, "");
    openssl.sign("short", RSA_1024, "root", &a_test, "");
    openssl.sign("sha1", P256, "root", &a_test, "-sha1");
    openssl.sign("common-name", P256, "root", LEAF, "");
    openssl.sign("deep", P256, "low", &a_test, "");
    sends("deep", &["low", "middle"]);
    openssl.sign("constrained", P256, "narrow", &a_test, "");
    sends("constrained", &["narrow"]);
    openssl.sign(
        "critical",
        P256,
        "root",
        &named("DNS:a.test", "1.2.3.4=critical,DER:0500\n"),
        "",
    );
    openssl.sign(
        "apex",
        P256,
        "root",
        &named("DNS:*.a.test,DNS:*.test", ""),
        "",
    );
    openssl.sign("address", P256, "root", &named("IP:127.0.0.1", ""), "");
    for (name, count) in [("many-names", 3_000), ("too-many-names", 10_000)] {
        let mut list = named("@names", "[names]\nDNS.0=a.test\n");
        for number in 1..count {
            list.push_str(&format!("DNS.{number}=n{number}.test\n"));
        }
        openssl.sign(name, P256, "root", &list, "");
    }
    revoke(openssl, "revoked");
}

/// Makes `root.crl`, which names the certificate.
fn revoke(openssl: &OpenSsl, name: &str) {
    openssl.write("index.txt", "");
    openssl.write("crlnumber", "01\n");
    openssl.write(
        "ca.cnf",
        "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\n\
         default_crl_days=30\ncrl_extensions=list\n[list]\nauthorityKeyIdentifier=keyid\n",
    );
    let authority = "ca -config ca.cnf -cert root.pem -keyfile root.key";
    openssl.run(&format!("{authority} -revoke {name}.pem"));
    openssl.run(&format!("{authority} -gencrl -out root.crl"));
}

/// A running `openssl s_server` that answers 200 to everything.
struct Server {
    port: u16,
    _process: Process,
}

impl Server {
    fn start(openssl: &OpenSsl, name: &str, options: &[&str]) -> Self {
        let mut command = Command::new(openssl.program());
        command
            .args(["s_server", "-accept", "127.0.0.1:0", "-www"])
            // It refuses to serve what is weak unless told so.
            .args(["-cipher", "DEFAULT@SECLEVEL=0"])
            .args(options)
            .arg("-cert")
            .arg(openssl.path(&format!("{name}.pem")))
            .arg("-key")
            .arg(openssl.path(&format!("{name}.key")));
        let chain = openssl.path(&format!("{name}.chain"));
        if chain.exists() {
            command.arg("-cert_chain").arg(chain);
        }
        let mut process = Process::start(&mut command);
        let port = process.wait_line("the address of s_server", |line| {
            line.strip_prefix("ACCEPT 127.0.0.1:")?.trim().parse().ok()
        });
        Self {
            port,
            _process: process,
        }
    }
}

/// An intercepting proxy that believes `root.pem` and has its revocation list.
fn start(openssl: &OpenSsl, scope: &str) -> (Proxy, Pki) {
    let (setup, pki) = Setup::intercepting();
    for file in ["root.pem", "root.crl"] {
        setup.write_file(file, &openssl.read(file));
    }
    let proxy = setup
        .key("tls.upstream.roots", "[\"root.pem\"]")
        .key("tls.upstream.crls", "[\"root.crl\"]")
        .key("tls.scope", scope)
        .start(ALLOW_ALL);
    (proxy, pki)
}

/// Status and body of a request inside an intercepted tunnel.
fn get(proxy: &Proxy, pki: &Pki, port: u16) -> (u16, String) {
    let authority = format!("a.test:{port}");
    let mut client = tls_tunnel(proxy, pki, &authority, "a.test");
    client.send(format!(
        "GET / HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    ));
    let response = client.response();
    let body = String::from_utf8_lossy(&response.body).into_owned();
    (response.status, body)
}

#[test]
fn each_fault_is_told_and_can_be_let_pass() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    make(&openssl);
    let (strict, strict_pki) = start(&openssl, "[]");
    let lenient = r#"[{ mode = "intercept", upstream_verify = "alert" }]"#;
    let (lenient, lenient_pki) = start(&openssl, lenient);
    let mut alerts = 0;
    for Case { name, words } in CASES {
        let server = Server::start(&openssl, name, &[]);
        let (status, body) = get(&strict, &strict_pki, server.port);
        let expected = if words.is_empty() { 200 } else { 502 };
        assert_eq!(status, expected, "{name}: {body}");
        assert!(body.contains(words), "{name}: {body}");
        let (status, body) = get(&lenient, &lenient_pki, server.port);
        assert_eq!(status, 200, "{name}, let pass: {body}");
        if !words.is_empty() {
            alerts += 1;
            let alert = lenient.log.wait("alert", alerts).remove(alerts - 1);
            let detail = alert["detail"].as_str().unwrap();
            assert!(detail.contains(words), "{name}: {detail}");
        }
    }
    assert!(strict.log.of("alert").is_empty());
}

/// No setting helps: more than a message of TLS holds, or a version that is not spoken.
#[test]
fn what_cannot_be_let_pass() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    make(&openssl);
    let scope = r#"[{ mode = "intercept", upstream_verify = "alert" }]"#;
    let (proxy, pki) = start(&openssl, scope);
    let server = Server::start(&openssl, "too-many-names", &[]);
    let (status, body) = get(&proxy, &pki, server.port);
    assert_eq!(status, 502, "{body}");
    assert!(body.contains("too large"), "{body}");
    let server = Server::start(&openssl, "good", &["-tls1_1"]);
    let (status, body) = get(&proxy, &pki, server.port);
    assert_eq!(status, 502, "{body}");
    let server = Server::start(&openssl, "good", &["-tls1_2"]);
    assert_eq!(get(&proxy, &pki, server.port).0, 200);
}
