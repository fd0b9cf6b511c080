//! A connection, whatever carries it, and what is done with its bytes. Knows no HTTP and no policy.

mod carrier;
mod connection;
pub(crate) mod copy;
pub(crate) mod departure;
pub(crate) mod read_buffer;

pub(crate) use connection::{Bottom, TlsConnection, Transport};

#[cfg(test)]
mod tests;
