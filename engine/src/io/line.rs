//! What carries the bytes of a socket.

pub(crate) use super::kernel_line::{HangUp, Line, shut_down};
