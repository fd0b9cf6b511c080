//! The test origin: what was asked for by path and query (`behavior`), how it is answered
//! (`request`, `responses`), one connection's life (`connection`; `http2` and `stream`) and
//! what it is lent (`context`), the event loops (`server`), and its TLS.

pub(crate) mod behavior;
mod connection;
mod context;
mod counters;
mod http2;
mod request;
mod responses;
pub(crate) mod server;
mod stream;
mod tls;
