//! Certificates made on the spot, and TLS clients that trust them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// A self-signed certificate, as files and in memory.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Makes one for `names` and writes it into `folder`.
    pub(crate) fn for_names(names: &[&str], folder: &Path) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let (certificate, key) = (folder.join("origin.pem"), folder.join("origin.key"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        Self {
            certificate,
            key,
            der: made.cert.der().clone(),
        }
    }

    /// A client that trusts this certificate and asks for `name`.
    pub(crate) fn client(&self, name: &str) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        tls_client(roots, name)
    }
}

/// What a TLS client that asks for `name` sends first.
pub(crate) fn client_hello(name: &str) -> Vec<u8> {
    let mut client = tls_client(RootCertStore::empty(), name);
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

fn tls_client(roots: RootCertStore, name: &str) -> ClientConnection {
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// The same with one extension more, in records of at most `record_bytes`.
pub(crate) fn client_hello_with(
    name: &str,
    (kind, data): (u16, &[u8]),
    record_bytes: usize,
) -> Vec<u8> {
    const HEADERS: usize = 5 + 4;
    let hello = client_hello(name);
    let mut body = hello[HEADERS..].to_vec();
    // Version, random, session id, cipher suites, compression methods; then the extensions.
    let mut at = 2 + 32;
    at += 1 + usize::from(body[at]);
    at += 2 + usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
    at += 1 + usize::from(body[at]);
    body.extend(kind.to_be_bytes());
    body.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    body.extend(data);
    let extensions = u16::try_from(body.len() - at - 2).unwrap();
    body[at..at + 2].copy_from_slice(&extensions.to_be_bytes());
    let mut message = vec![1];
    message.extend(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
    message.extend(body);
    let records = message.chunks(record_bytes).map(|fragment| {
        let length = u16::try_from(fragment.len()).unwrap().to_be_bytes();
        [&[22, 3, 1][..], &length, fragment].concat()
    });
    records.collect::<Vec<_>>().concat()
}
