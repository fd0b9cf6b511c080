//! Why the process did not start, or ended.

use std::io;

use thiserror::Error;

use crate::access_log::LogError;
use crate::admin::AdminBindError;
use crate::io::driver::DriverError;
use crate::listener::bind::BindError;

/// Why the proxy did not start, or ended otherwise than asked.
#[derive(Debug, Error)]
pub enum RunError {
    /// A file that the command line names cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The configuration or the ruleset cannot be used.
    #[error("{0}")]
    Load(String),
    /// The kernel interface that the configuration asks for cannot be used.
    #[error("{0}")]
    Driver(String),
    /// A listener could not be set up.
    #[error("{0}")]
    Bind(String),
    /// The access log could not be opened.
    #[error("access log: {0}")]
    Log(#[from] LogError),
    /// The operating system refused something else.
    #[error("{what}: {source}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What it answered.
        source: io::Error,
    },
    /// A shard ended by itself.
    #[error("shard {0} ended unexpectedly; see the messages before this one")]
    ShardLost(usize),
    /// Shards that did not end when they were to.
    #[error("{0} shards did not end in time and were abandoned")]
    ShardsStuck(usize),
}

impl From<DriverError> for RunError {
    fn from(error: DriverError) -> Self {
        Self::Driver(error.to_string())
    }
}

impl From<AdminBindError> for RunError {
    fn from(error: AdminBindError) -> Self {
        Self::Bind(error.to_string())
    }
}

impl From<BindError> for RunError {
    fn from(error: BindError) -> Self {
        Self::Bind(error.to_string())
    }
}
