//! One thread that sends and times: its event loop (`event_loop`, `settle`), what comes next (`draw`), a
//! connection's life (`link`, `connection`, `transfer`, `session`, `streams`, `job`), how sockets are opened
//! (`dial`), reading and judging responses (`response`, `check`), TLS (`tls`), how exchanges end (`outcome`,
//! `failure`), and what was counted (`pulse`, `tally`).

mod check;
mod connection;
mod dial;
mod draw;
pub(crate) mod event_loop;
pub(crate) mod failure;
mod job;
mod link;
mod outcome;
pub(crate) mod pulse;
mod response;
mod session;
mod settle;
mod streams;
pub(crate) mod tally;
pub(crate) mod tls;
mod transfer;
