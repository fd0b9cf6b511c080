//! Whom origins are believed: roots and revocation lists, gathered once at start or reload.
//!
//! Bytes come in. `verify` asks. Immutable, shared by all shards.

use std::fmt;

use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor};
use thiserror::Error;
use webpki::{CertRevocationList, OwnedCertRevocationList, anchor_from_trusted_cert};

use crate::directory_constraints::{DirectoryConstraints, hide};

/// Why a root or a revocation list cannot be used.
#[derive(Debug, Error)]
pub enum TrustError {
    /// A root does not parse.
    #[error("root certificate {number} cannot be used: {reason}")]
    BadRoot {
        /// Its place among those given, from 1.
        number: usize,
        /// What the parser says.
        reason: webpki::Error,
    },
    /// A revocation list does not parse.
    #[error("certificate revocation list {number} cannot be used: {reason}")]
    BadRevocationList {
        /// Its place among those given, from 1.
        number: usize,
        /// What the parser says.
        reason: webpki::Error,
    },
    /// Nobody would be believed.
    #[error("there is no root certificate at all, so every origin would be refused")]
    NoRoots,
}

/// Where roots come from.
#[derive(Debug, Default)]
pub struct TrustSources {
    /// Mozilla's roots, which are built in.
    pub built_in: bool,
    /// Roots of the operating system. Those that do not parse are left out, as there always are some.
    pub system: Vec<CertificateDer<'static>>,
    /// Roots of the configuration. An origin's own certificate may stand here too: then it is
    /// believed for the names that it has.
    pub extra: Vec<CertificateDer<'static>>,
    /// Revocation lists; what they do not know counts as not revoked, and an old list still counts.
    pub revocation_lists: Vec<CertificateRevocationListDer<'static>>,
}

/// Roots and revocation lists.
pub struct Trust {
    pub(crate) anchors: Vec<TrustAnchor<'static>>,
    /// Whole certificates of the first of `anchors`, one to one: for what an anchor does not tell,
    /// their validity and constraints. Of the built-in roots there are none.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    /// What those of `anchors` say of directory names that say something of them, which webpki is not to see.
    pub(crate) directory_constraints: Vec<(TrustAnchor<'static>, DirectoryConstraints)>,
    pub(crate) revocation_lists: Vec<CertRevocationList<'static>>,
}

impl Trust {
    /// Reads all of it.
    ///
    /// # Errors
    /// If an extra root or a list does not parse, or there is no root.
    pub fn new(sources: TrustSources) -> Result<Self, TrustError> {
        let mut trust = Self {
            anchors: Vec::new(),
            certificates: Vec::new(),
            directory_constraints: Vec::new(),
            revocation_lists: Vec::new(),
        };
        for (index, root) in sources.extra.into_iter().enumerate() {
            let number = index + 1;
            trust
                .add_root(root)
                .map_err(|reason| TrustError::BadRoot { number, reason })?;
        }
        for root in sources.system {
            drop(trust.add_root(root));
        }
        if sources.built_in {
            let built_in = webpki_roots::TLS_SERVER_ROOTS;
            for anchor in built_in {
                trust.add_anchor(anchor.clone());
            }
        }
        for (index, list) in sources.revocation_lists.iter().enumerate() {
            let list = OwnedCertRevocationList::from_der(list).map_err(|reason| {
                TrustError::BadRevocationList {
                    number: index + 1,
                    reason,
                }
            })?;
            trust.revocation_lists.push(list.into());
        }
        if trust.anchors.is_empty() {
            return Err(TrustError::NoRoots);
        }
        Ok(trust)
    }

    fn add_root(&mut self, root: CertificateDer<'static>) -> Result<(), webpki::Error> {
        let anchor = anchor_from_trusted_cert(&root)?.to_owned();
        self.add_anchor(anchor);
        self.certificates.push(root);
        Ok(())
    }

    fn add_anchor(&mut self, mut anchor: TrustAnchor<'static>) {
        let constraints = DirectoryConstraints::of_anchor(&anchor);
        if let Some(constraints) = constraints.filter(|constraints| !constraints.is_empty()) {
            let mut content = anchor
                .name_constraints
                .as_deref()
                .unwrap_or_default()
                .to_vec();
            hide(&mut content);
            anchor.name_constraints = Some(content.into());
            self.directory_constraints
                .push((anchor.clone(), constraints));
        }
        self.anchors.push(anchor);
    }

    /// Roots that are believed.
    #[must_use]
    pub fn roots_count(&self) -> usize {
        self.anchors.len()
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Trust")
            .field("roots", &self.anchors.len())
            .field("revocation_lists", &self.revocation_lists.len())
            .finish_non_exhaustive()
    }
}
