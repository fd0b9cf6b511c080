//! The process: start-up and its end, signals and reloads, and the threads of the shards.

mod affinity;
mod bundle_store;
mod control_loop;
mod reload;
mod run;
mod run_error;
mod shard_gauges;
mod shard_loop;
mod shard_thread;
#[cfg(test)]
mod world;

pub use run::{RunOptions, check, run};
pub use run_error::RunError;
