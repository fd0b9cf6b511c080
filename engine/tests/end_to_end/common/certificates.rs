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
