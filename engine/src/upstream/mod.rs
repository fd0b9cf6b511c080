//! Towards the origin: names to addresses, addresses to connections, connections kept for reuse.

pub(crate) mod dial;
pub(crate) mod http1_only;
pub(crate) mod origins;
pub(crate) mod pinned;
pub(crate) mod pool;
#[cfg(test)]
mod pool_model;
pub(crate) mod resolver;
pub(crate) mod session;
mod settings;
pub(crate) mod shared_dial;
pub(crate) mod tls;
