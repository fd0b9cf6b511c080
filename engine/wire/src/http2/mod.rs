//! HTTP/2 (RFC 9113) as far as it can be judged from the bytes alone. Frames are read and written by
//! the `h2` crate; here is what it does not look at, or answers with another code than the RFC names.

mod allowance;
mod dynamic_table;
mod fault;
mod field_reader;
mod frame_guard;
mod frames;
mod huffman;
mod name;
mod payload;
mod reset_count;
mod send_windows;
mod sent_frames;
mod static_table;
mod stream_set;

pub use allowance::FloodLimits;
pub use fault::{FrameFault, Malformed};
pub use frame_guard::{FrameGuard, GoingAway, Received, ReceivingSide};
pub use frames::{goaway_frame, reset_frame};
pub use sent_frames::{Refused, Sent};
