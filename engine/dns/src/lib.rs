//! A stub resolver without sockets: queries, retries, CNAME chains, cache.
//!
//! The caller owns one [`Resolver`] per core, does the sockets, and calls in with bytes and time.
//! The crate reads no clock, no socket, no file and no source of randomness; hickory-proto encodes
//! and decodes the messages. Whether an address may be dialled is judged elsewhere: addresses are
//! returned as the servers gave them.
//!
//! One lookup, from the caller's side:
//!
//! ```text
//! lookup(name) ─▶ Answer | Failed                        at once: cache, static host, localhost
//!              └▶ Pending(id) ─▶ next_transmit ─▶ a socket ─▶ on_message | on_transport_error
//!                                on_deadline   ◀─ a timer at next_deadline
//!                                finished      ─▶ (id, addresses | error)
//! ```
//!
//! After any call that takes `now`, the caller drains [`Resolver::next_transmit`] and
//! [`Resolver::finished`] and sets its timer to [`Resolver::next_deadline`].
#![forbid(unsafe_code)]

mod resolver;

mod lookup;
mod question;
mod servers;

mod answer;
mod query;

mod addresses;
mod cache;
mod name;
mod static_hosts;

mod config;
mod counters;
mod error;
pub mod limits;

pub use addresses::Addresses;
pub use config::ResolverConfig;
pub use counters::Counters;
pub use error::{DnsError, NameError};
pub use lookup::Held;
pub use query::{QueryId, Transmit, Transport};
pub use resolver::{Lookup, LookupId, MessageOutcome, Resolver};

#[cfg(test)]
mod tests;
