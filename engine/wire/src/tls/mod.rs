//! What both sides of TLS say before anything is encrypted, and how to refuse a client.

mod alert;
mod client_hello;
mod ja4;
mod records;
#[cfg(test)]
mod sample;

pub use alert::{AlertDescription, fatal_alert};
pub use client_hello::{
    CLIENT_HELLO_BYTES_MAX, ClientHello, HelloError, HelloParse, OddServerName,
};
pub use ja4::Ja4;
pub use records::{NotTls, RecordFollower};
