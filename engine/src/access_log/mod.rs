//! One JSON object a line for each transaction, alert and denial, and for what has none of them yet,
//! off the data path.
//!
//! ```text
//! shard: Record ─json─▶ chunk ─bounded channel─▶ writer thread ─▶ sink
//!          ▲                                        │
//!          └──────────── written chunks ◀───────────┘
//! ```
//!
//! The shards never block and never wait for a sink; `main` starts the writer and ends it.

mod buffer;
mod digits;
mod escape;
mod fields;
mod followers;
mod json;
mod outcomes;
pub mod record;
mod sinks;
mod syslog;
mod writer;

#[cfg(test)]
pub(crate) use buffer::KeptLines;
pub use buffer::ShardLog;
pub use outcomes::{PhaseOutcome, RuleNames};
pub use record::{CacheOutcome, ConnectionId, Event, Record, TlsHandling, TransactionId};
pub use writer::{LogError, LogSource, Writer, WriterCounters};

#[cfg(test)]
mod tests;
