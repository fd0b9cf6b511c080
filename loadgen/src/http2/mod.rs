//! HTTP/2 bytes, for both ends: frames (RFC 9113) and header compression (RFC 7541). Own code, since
//! the proxy stands on a library whose faults must not be the meter's too.

pub(crate) mod frame;
pub(crate) mod hpack;
mod huffman;
mod static_table;
