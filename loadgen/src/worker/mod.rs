//! One thread that sends and times: its event loop (`event_loop`), a connection's life
//! (`connection`), how sockets are opened (`dial`), reading responses (`response`), TLS (`tls`),
//! what can go wrong (`failure`), and what was counted (`tally`).

mod connection;
mod dial;
pub(crate) mod event_loop;
pub(crate) mod failure;
mod response;
pub(crate) mod tally;
pub(crate) mod tls;
