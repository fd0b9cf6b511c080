//! The loop of one client connection.

pub(super) mod http2_server;
