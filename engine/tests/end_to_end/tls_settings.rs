//! What keys of `[tls]` change that no other subject is about.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, Stream,
};

use crate::common::pki::{Flaw, Identity, Pki};
use crate::common::programs::sallyport;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Origin, Proxy};
use crate::curl::Curl;

/// The leaf that a client gets for `host`.
fn leaf(proxy: &Proxy, pki: &Pki, host: &str, port: u16) -> Vec<u8> {
    let mut tunnel = proxy.connection();
    tunnel.connect(&format!("{host}:{port}")).unwrap();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(pki.authority()).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut tunnel.stream).unwrap();
    }
    tls.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn minted_certificates_that_are_kept() {
    for (entries, is_kept) in [("1", false), ("2", true)] {
        let (setup, pki) = Setup::intercepting();
        let proxy = setup
            .key("shards", "1")
            .key("tls.certificate_cache_entries", entries)
            .start(ALLOW_ALL);
        let port = Origin::certified(&pki.origin(&["a.test", "b.test"]));
        let leaves =
            ["a.test", "b.test", "a.test"].map(|host| leaf(&proxy, &pki, host, port.port()));
        assert_eq!(leaves[0] == leaves[2], is_kept, "{entries}");
    }
}

#[test]
fn the_key_of_the_authority_may_be_elsewhere() {
    let (setup, pki) = Setup::intercepting();
    std::fs::rename(setup.path("ca.key"), setup.path("elsewhere.pem")).unwrap();
    let proxy = setup
        .key("tls.ca_key", "\"elsewhere.pem\"")
        .start(ALLOW_ALL);
    let origin = Origin::certified(&pki.origin(&["a.test"]));
    assert!(!leaf(&proxy, &pki, "a.test", origin.port()).is_empty());
}

#[test]
fn versions_of_clients() {
    for (version, exit) in [("1.2", Some(0)), ("1.3", Some(35))] {
        let (setup, pki) = Setup::intercepting();
        let proxy = setup
            .key("tls.version_min", &format!("\"{version}\""))
            .start(ALLOW_ALL);
        let Some(curl) = Curl::through(&proxy) else {
            return;
        };
        let origin = Origin::certified(&pki.origin(&["a.test"]));
        let (authority, url) = (
            pki.authority(),
            format!("https://a.test:{}/", origin.port()),
        );
        let outcome = curl.run(&["--cacert", &authority, "--tls-max", "1.2", &url]);
        assert_eq!(outcome.exit, exit, "{version}");
    }
}

/// An origin that speaks no newer TLS than 1.2, and answers each connection once.
fn old_origin(identity: &Identity) -> SocketAddr {
    let chain = CertificateDer::pem_file_iter(&identity.certificate).unwrap();
    let chain = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
    let config = ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS12])
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    // Ends with the test process: a blocked accept holds nothing but a socket.
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = Stream::new(&mut tls, &mut stream);
            if matches!(stream.read(&mut [0; 4096]), Ok(1..)) {
                let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(answer).unwrap();
            }
        }
    });
    address
}

#[test]
fn versions_of_origins() {
    for (version, code) in [("1.2", 200), ("1.3", 502)] {
        let (setup, pki) = Setup::intercepting();
        let proxy = setup
            .key("tls.upstream.version_min", &format!("\"{version}\""))
            .start(ALLOW_ALL);
        let Some(curl) = Curl::through(&proxy) else {
            return;
        };
        let origin = old_origin(&pki.origin(&["a.test"]));
        let (authority, url) = (
            pki.authority(),
            format!("https://a.test:{}/", origin.port()),
        );
        assert_eq!(
            curl.run(&["--cacert", &authority, &url]).code,
            code,
            "{version}"
        );
    }
}

#[test]
fn origins_that_are_not_believed() {
    for (verify, code) in [("deny", 502), ("alert", 200)] {
        let (setup, pki) = Setup::intercepting();
        let proxy = setup
            .key("tls.upstream.verify", &format!("\"{verify}\""))
            .start(ALLOW_ALL);
        let Some(curl) = Curl::through(&proxy) else {
            return;
        };
        let origin = Origin::certified(&pki.flawed(&["a.test"], Flaw::UnknownIssuer));
        let (authority, url) = (
            pki.authority(),
            format!("https://a.test:{}/", origin.port()),
        );
        assert_eq!(
            curl.run(&["--cacert", &authority, &url]).code,
            code,
            "{verify}"
        );
    }
}

/// The roots of the operating system, here those of a file that OpenSSL would take for it.
#[test]
fn roots_of_the_system() {
    for (system_roots, code) in [("true", 200), ("false", 502)] {
        let (setup, pki) = Setup::intercepting();
        let setup = setup
            .key("tls.upstream.roots", "[]")
            .key("tls.upstream.built_in_roots", "true")
            .key("tls.upstream.system_roots", system_roots);
        ALLOW_ALL.compile(&setup.path("rules.spb"));
        let proxy = setup.start_with(sallyport().env("SSL_CERT_FILE", pki.roots()));
        let Some(curl) = Curl::through(&proxy) else {
            return;
        };
        let origin = Origin::certified(&pki.origin(&["a.test"]));
        let (authority, url) = (
            pki.authority(),
            format!("https://a.test:{}/", origin.port()),
        );
        assert_eq!(
            curl.run(&["--cacert", &authority, &url]).code,
            code,
            "{system_roots}"
        );
    }
}
