//! HTTP/2 on both legs: the `h2` crate over our transports, and streams that look like connections.
//!
//! ```text
//! client ══ transport ══ link ══ codec ── stream ─┐                  ┌─ stream ── codec ══ link ══ transport ══ origin
//!                                 └────── stream ─┴─▶ transaction ▶ ─┴─ or a connection of its own (HTTP/1.1)
//! ```
//!
//! Knows no policy: `transaction` serves what comes out of a stream as it does a connection's
//! requests. How it works and what bounds it: `docs/internals/http2.md`.

pub(crate) mod error_code;
mod heads;
mod held;
mod incoming;
pub(crate) mod lease;
pub(crate) mod link;
pub(crate) mod liveness;
mod messages;
mod outgoing;
mod settings;
mod stream;
mod websocket;

pub(crate) use heads::{HeadFault, TargetForm};
pub(crate) use held::Holders;
pub(crate) use incoming::Declined;
pub(crate) use settings::{Pings, Settings};
pub(crate) use stream::StreamTransport;
