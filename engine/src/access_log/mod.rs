//! One JSON object a line for each transaction, alert and denial, off the data path.
//!
//! ```text
//! shard: Record ─json─▶ chunk ─bounded channel─▶ writer thread ─▶ sink
//!          ▲                                        │
//!          └──────────── written chunks ◀───────────┘
//! ```
//!
//! The shards never block and never wait for a sink; `main` starts the writer and ends it.

pub mod record;

pub use record::{CacheOutcome, ConnectionId, Event, Record, TlsHandling, TransactionId};
