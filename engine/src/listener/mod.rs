//! From a listening socket to client connections.

pub(crate) mod accept;
pub(crate) mod bind;
mod proxy_protocol;
mod tls;
