//! TLS: the certificate authority and what it mints, and what is believed of origins.
//!
//! The rooms of certificates are pure but for `files`: bytes and time come in. They are listed in
//! the order in which one leads to the next. `records`, `stream` and the rooms after them are what
//! connections use: rustls driven over this shard's ring.

mod authority;
mod authority_chain;
mod authority_error;
mod certificate_cache;
pub(crate) mod client_certificate;
pub(crate) mod client_identity;
mod distinguished_name;
pub(crate) mod fallback;
mod fault;
mod file_kind;
mod files;
mod leaf_key;
mod mint;
mod name;
mod name_constraints;
mod origin_certificate;
mod origin_verifier;
mod path_rules;
mod tolerance;
mod trust;
mod unusable;
mod verify;

pub(crate) mod material;
pub(crate) mod memory;
pub(crate) mod parameters;
mod records;
pub(crate) mod sessions;
pub(crate) mod stream;
mod tickets;
pub(crate) mod words;

pub use authority::Authority;
pub use authority_error::AuthorityError;
pub use certificate_cache::CertificateCache;
pub(crate) use distinguished_name::rfc_4514;
pub use fault::{CertificateFault, OriginFault};
pub use files::{
    FileError, read_authority, read_certificates, read_private_key, read_revocation_lists,
};
pub use leaf_key::LeafKey;
pub use mint::{LeafSubject, MintError, Minted, Minter, MintingKeys};
pub use name::CertificateName;
pub use origin_certificate::OriginCertificate;
pub use origin_verifier::{OriginVerifier, UpstreamVerify};
pub use trust::{Trust, TrustError, TrustSources};

#[cfg(test)]
mod tests;
