//! Certificates without sockets: the authority, what it mints, and what is believed of origins.
//!
//! Bytes and time are arguments; no file, no socket and no clock is read. Keys and serial numbers are
//! drawn from the system's random source. The engine is the only caller: it reads the files, keeps the
//! minted certificates of each shard, and asks from within handshakes.
//!
//! ```text
//! PEM ─▶ Authority ─▶ MintingKeys ─▶ Minter ─▶ Minted              what clients see
//!        roots, revocation lists ─▶ Trust ─▶ judge ─▶ OriginFault   what is believed of origins
//!        DER ─▶ OriginCertificate                                   what is known of them
//! ```
#![forbid(unsafe_code)]

mod authority;
mod authority_chain;
mod authority_error;
mod leaf_key;
mod mint;

mod origin_verifier;
mod path_rules;
mod tolerance;
mod trust;
pub mod unusable;
mod verify;

mod certificate;
mod directory_constraints;
mod directory_name;
mod distinguished_name;
mod fault;
mod file_kind;
pub mod limits;
mod name;
mod name_constraints;
mod origin_certificate;
pub mod pem;

pub use authority::Authority;
pub use authority_error::AuthorityError;
pub use distinguished_name::rfc_4514;
pub use fault::{CertificateFault, OriginFault};
pub use leaf_key::LeafKey;
pub use mint::{LeafSubject, MintError, Minted, Minter, MintingKeys};
pub use name::CertificateName;
pub use origin_certificate::OriginCertificate;
pub use origin_verifier::{OriginVerifier, UpstreamVerify};
pub use trust::{Trust, TrustError, TrustSources};
