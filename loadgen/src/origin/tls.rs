//! The origin's certificate and key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::LoadError;

/// Reads a PEM chain and key; offers `h2` and `http/1.1` by ALPN.
pub(super) fn server_config(
    certificate: &Path,
    key: &Path,
) -> Result<Arc<ServerConfig>, LoadError> {
    let wrong = |path: &Path| {
        let path: PathBuf = path.to_owned();
        move |error: rustls::pki_types::pem::Error| LoadError::Certificate {
            path,
            reason: error.to_string(),
        }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(wrong(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(wrong(key))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
