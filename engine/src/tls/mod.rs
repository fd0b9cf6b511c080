//! TLS: the certificate authority and what it mints, and what is believed of origins.
//!
//! The rooms of certificates are pure but for `files`: bytes and time come in. They are listed in
//! the order in which one leads to the next.

mod authority;
mod certificate_cache;
mod distinguished_name;
mod fault;
mod files;
mod mint;
mod name;
mod name_constraints;
mod origin_certificate;
mod origin_verifier;
mod path_rules;
mod trust;
mod verify;

pub use authority::{Authority, AuthorityError};
pub use certificate_cache::CertificateCache;
pub(crate) use distinguished_name::rfc_4514;
pub use fault::{CertificateFault, OriginFault};
pub use files::{FileError, read_authority, read_certificates, read_revocation_lists};
pub use mint::{LeafSubject, MintError, Minted, Minter, MintingKeys};
pub use name::CertificateName;
pub use origin_certificate::OriginCertificate;
pub use origin_verifier::{OriginVerifier, UpstreamVerify};
pub use trust::{Trust, TrustError, TrustSources};

#[cfg(test)]
mod tests;
