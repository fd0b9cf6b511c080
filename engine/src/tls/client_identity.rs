//! Who the client of an `https` listener has proved to be, and whether that is still believed.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use sallyport_pki::OriginCertificate;

use super::configs::TlsConfigs;
use crate::clock::unix_time;

/// The certificate that a client showed in its handshake, or that it showed none.
#[derive(Debug)]
pub(crate) struct ClientIdentity {
    /// What identifies the listener in the configuration.
    listener: SocketAddr,
    /// The leaf first; empty if none was asked for.
    chain: Vec<CertificateDer<'static>>,
    /// Who believed it last. Renewed keys change nothing of that.
    believed_by: RefCell<Option<Arc<dyn ClientCertVerifier>>>,
}

impl ClientIdentity {
    /// To be made once the handshake under `configs` is over.
    pub(crate) fn new(
        listener: SocketAddr,
        chain: Option<&[CertificateDer<'static>]>,
        configs: &TlsConfigs,
    ) -> Self {
        Self {
            listener,
            chain: chain.unwrap_or_default().to_vec(),
            believed_by: RefCell::new(configs.client_verifier(listener).cloned()),
        }
    }

    /// The common name of the certificate, or else its first alternative name.
    pub(crate) fn principal(&self) -> Option<Rc<str>> {
        let certificate = OriginCertificate::read(self.chain.first()?);
        let name = certificate.common_name().map(Rc::from);
        name.or_else(|| Some(certificate.names().first()?.to_string().into()))
    }

    /// Whether the listener would let this client in under `configs`. Verified once by each verifier.
    pub(crate) fn holds(&self, configs: &TlsConfigs) -> bool {
        let Some(verifier) = configs.client_verifier(self.listener) else {
            return true;
        };
        let is_known = |before: &Arc<_>| Arc::ptr_eq(before, verifier);
        if self.believed_by.borrow().as_ref().is_some_and(is_known) {
            return true;
        }
        let Some((leaf, rest)) = self.chain.split_first() else {
            return false;
        };
        let holds = verifier.verify_client_cert(leaf, rest, unix_time()).is_ok();
        if holds {
            self.believed_by.replace(Some(Arc::clone(verifier)));
        }
        holds
    }
}
