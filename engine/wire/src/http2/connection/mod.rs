//! One HTTP/2 connection, of either side, without I/O (RFC 9113).
//!
//! ```text
//! bytes in ─▶ receive ─▶ control, heads, content ─▶ events
//! bytes out ◀─ transmit ◀─────── send, leave ◀───── calls
//! ```

mod content;
mod control;
mod heads;
mod leave;
mod receive;
mod send;
mod state;
#[cfg(test)]
mod tests;

pub use send::{RequestStart, SendFault, SendField};
pub use state::Connection;
