//! HTTP/2 (RFC 9113) as far as it can be judged from the bytes alone. Frames are read and written by
//! the `h2` crate; here is what it does not look at.

mod frame_guard;

pub use frame_guard::{FloodLimits, FrameFault, FrameGuard, ReceivingSide};
