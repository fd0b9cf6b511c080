//! Moving bytes: sockets, rented buffers, deadlines. Knows no HTTP and no policy.

pub(crate) mod buffers;
pub(crate) mod carrier;
pub(crate) mod deadline;
pub(crate) mod driver;
pub(crate) mod join;
mod kernel_line;
pub(crate) mod line;
pub(crate) mod liveness;
#[cfg(test)]
pub(crate) mod scripted;
pub(crate) mod socket;
pub(crate) mod splice;
pub(crate) mod task;
pub(crate) mod tcp_info;
pub(crate) mod timer;
pub(crate) mod unless_cut;
