//! HTTP/2 on both legs: the codec of `sallyport_wire` over our transports, and streams that look like
//! connections.
//!
//! ```text
//! client ══ transport ══ link ── stream ─┐                  ┌─ stream ── link ══ transport ══ origin
//!                          └──── stream ─┴─▶ transaction ▶ ─┴─ or a connection of its own (HTTP/1.1)
//! ```
//!
//! Knows no policy: `transaction` serves what comes out of a stream as it does a connection's
//! requests. How it works and what bounds it: `docs/internals/http2.md`.

pub(crate) mod error_code;
mod held;
pub(crate) mod lease;
pub(crate) mod link;
mod link_events;
pub(crate) mod liveness;
pub(crate) mod pumps;
mod settings;
mod stream;
mod stream_send;
mod stream_state;
mod websocket;

pub(crate) use held::Holders;
pub(crate) use settings::{Pings, Settings};
pub(crate) use stream::{OutboundHead, StreamTransport};
pub(crate) use stream_state::Declined;
pub(crate) use websocket::accept as websocket_accept;
