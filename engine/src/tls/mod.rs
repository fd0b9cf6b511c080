//! TLS of this process: keys and roots read from files, what is handed to rustls, and connections.
//!
//! What a certificate is, who signs one and who is believed is told by `sallyport_pki`. `records`,
//! `stream` and the rooms after them are what connections use: rustls driven over this shard's ring.

mod certificate_cache;
pub(crate) mod client_certificate;
pub(crate) mod client_identity;
pub(crate) mod fallback;
mod files;
pub(crate) mod handshakes;

pub(crate) mod caches;
pub(crate) mod configs;
pub(crate) mod credentials;
mod provider;
mod records;
pub(crate) mod sessions;
pub(crate) mod stream;
mod tickets;
pub(crate) mod words;

pub use certificate_cache::CertificateCache;
pub use files::{
    FileError, read_authority, read_certificates, read_private_key, read_revocation_lists,
};

#[cfg(test)]
mod tests;
