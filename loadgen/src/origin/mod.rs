//! The test origin: what was asked for by path and query (`behavior`), how it is answered
//! (`responses`), one connection's life (`connection`), the event loops (`server`), and its TLS.

pub(crate) mod behavior;
mod connection;
mod counters;
mod http2;
mod responses;
pub(crate) mod server;
mod tls;
