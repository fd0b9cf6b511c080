//! Codecs without I/O: HTTP/1 heads and bodies, targets, HTTP/2 frame counts, ClientHello,
//! WebSocket frames, PROXY protocol headers.
//!
//! Everything here is a function from bytes to values or back. Nothing reads a
//! socket or a clock, and nothing knows a policy: what a request *is* is said
//! here, what becomes of it is said in the engine, the only caller.
//!
//! Parsers take the whole input received so far and answer "incomplete" until
//! it is enough. They store offsets ([`Span`]) into the caller's buffer, so
//! one value serves many messages without allocation.
#![forbid(unsafe_code)]

mod cursor;
pub mod http1;
pub mod http2;
pub mod invariant;
pub mod proxy_protocol;
pub mod sniff;
mod span;
pub mod tls;
pub mod websocket;

pub use span::Span;
