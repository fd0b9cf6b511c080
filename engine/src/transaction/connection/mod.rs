//! The loop of one client connection, and each request on it.

pub(crate) mod absolute;
pub(crate) mod conclude;
pub(crate) mod ending;
pub(crate) mod http2_server;
pub(crate) mod inside;
pub(crate) mod one_request;
pub(crate) mod session;
pub(crate) mod streams;
pub(crate) mod unasked;
