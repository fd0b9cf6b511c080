//! Sockets and threads, for both ends: readiness, plain and TLS byte streams, CPU pinning, signals.

pub(crate) mod affinity;
pub(crate) mod poller;
pub(crate) mod signal;
pub(crate) mod transport;
