//! The process's own messages: lines on standard error, for which nobody ever waits.
//!
//! ```text
//! any thread: tracing ─limiter─▶ line ─bounded queue─▶ thread of its own ─▶ standard error
//! ```
//!
//! A pipe that nobody reads costs messages, which are counted, and nothing else. A kind of message, which
//! is a place in the code, gets through only so often; how many were held back is told.

mod limiter;
mod outlet;
mod setup;

pub(crate) use outlet::complain;
pub(crate) use setup::Messages;
