//! What carries the bytes of a socket: the kernel, or in tests what a script says.

pub(crate) use super::kernel_line::HangUp;

#[cfg(not(test))]
pub(crate) use super::kernel_line::{Line, shut_down};
#[cfg(test)]
pub(crate) use super::scripted::line::{Line, shut_down};
