//! The operator's side: a listener of its own, off the data path.
//!
//! ```text
//! operator ─http─▶ thread "admin" (tokio, hyper) ─▶ sheets of shards (loads) · what is in force (a lock that no
//!                                                    shard takes) · control thread (messages)
//! ```
//!
//! Nothing here is reached through the proxy's own listeners: its address is among those that the guard
//! refuses as the proxy's own. Requests that a web page has its reader's browser make are refused
//! (`origin.rs`).

mod bind;
mod connections;
mod explain;
mod instance;
mod metrics;
mod orders;
mod origin;
mod query;
mod reply;
mod route;
mod rules;
mod server;
mod settings;
mod tail;

pub(crate) use bind::{AdminBindError, AdminSocket, bind, check};
pub(crate) use instance::{Instance, InstanceParts};
pub(crate) use orders::{Orders, ShardUsage};
pub(crate) use server::start;
