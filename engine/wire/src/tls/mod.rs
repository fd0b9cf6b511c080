//! What a TLS client says before anything is encrypted, and how to refuse it.

mod alert;
mod client_hello;
mod ja4;
#[cfg(test)]
mod sample;

pub use alert::{AlertDescription, fatal_alert};
pub use client_hello::{ClientHello, HelloError, HelloParse};
pub use ja4::Ja4;
