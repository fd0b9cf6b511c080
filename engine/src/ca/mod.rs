//! `sallyport ca`: making a certificate authority, showing it, asking for one to be signed.
//!
//! The face of `sallyport_pki`: arguments in, files and text out. The proxy itself never writes a
//! key or a certificate.

mod arguments;
mod create;
mod error;
mod files;
mod show;

#[cfg(test)]
mod tests;

pub(crate) use arguments::CaCommand;
