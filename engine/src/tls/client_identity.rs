//! Who the client of an `https` listener has proved to be, and whether that is still believed.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use sallyport_identity::CertificateIdentity;

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

/// Whom a certificate names.
#[derive(Debug)]
pub(crate) struct CertificateNames {
    pub(crate) principal: Rc<str>,
    /// The same, if it is a SPIFFE id.
    pub(crate) spiffe: Option<Rc<str>>,
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

    /// Whom the certificate names: its SPIFFE id, or else its common name, or else its first host. One that
    /// names two names nobody.
    pub(crate) fn names(&self) -> Option<CertificateNames> {
        let identity = CertificateIdentity::parse(self.chain.first()?).ok()?;
        let spiffe: Option<Rc<str>> = identity.spiffe_id.map(|id| id.as_str().into());
        let principal = match &spiffe {
            Some(id) => Rc::clone(id),
            None => {
                let hosts = identity.dns_names.into_iter();
                identity.common_name.into_iter().chain(hosts).next()?.into()
            }
        };
        Some(CertificateNames { principal, spiffe })
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
            return !verifier.client_auth_mandatory();
        };
        let holds = verifier.verify_client_cert(leaf, rest, unix_time()).is_ok();
        if holds {
            self.believed_by.replace(Some(Arc::clone(verifier)));
        }
        holds
    }
}
