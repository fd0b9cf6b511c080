//! What shards count, where another thread can read it.
//!
//! ```text
//! shard: a load and a store ─▶ its own sheet ◀─ loads, sums over all sheets ─ admin thread
//! ```
//!
//! Each metric is declared once, in `declared.rs`: its name, its help, its unit and its labels. A shard has a
//! sheet of cells that it alone writes: no lock, no atomic exchange, no allocation after the start. What a
//! part of a shard counts anyway is copied there at each tick. The listener that serves the metrics is
//! `admin`'s.

mod cell;
mod declared;
mod family;
mod label;
mod labels;
mod reading;
mod rule_hits;
mod traffic;

pub(crate) use declared::{BUILD, BUNDLE, IO_DRIVER, ProcessMetrics, ShardMetrics};
pub(crate) use family::{Description, Kind, Unit, nanos};
pub(crate) use label::Names;
pub(crate) use labels::{
    Action, AuthenticationFailure, ConnectResult, DnsTransport, GuardReason, HandshakeResult, Leg,
    Limit, ListenerIndex, LookupResult, MintResult, Phase, ReloadResult, Resumed, Reused,
    StatusClass, TransactionKind, TunnelKind,
};
pub(crate) use reading::{Number, Reading, Series, Value, read};
pub(crate) use rule_hits::{RuleHit, RuleHits};
pub(crate) use traffic::Traffic;

#[cfg(test)]
mod tests;
