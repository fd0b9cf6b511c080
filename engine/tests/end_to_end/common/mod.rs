//! The harness: real binaries, real sockets, everything ended with the test that started it.
//!
//! Nothing here knows what a test wants to show. A test starts a [`Proxy`] with rules and keys of
//! its own, origins behind it, speaks to it through a [`Connection`], a curl or whatever it needs,
//! and reads what was logged from [`Proxy::log`].

pub(crate) mod access_log;
pub(crate) mod certificates;
pub(crate) mod connection;
pub(crate) mod message;
pub(crate) mod nginx;
pub(crate) mod origin;
pub(crate) mod pki;
pub(crate) mod process;
pub(crate) mod programs;
pub(crate) mod proxy;
pub(crate) mod response;
pub(crate) mod rules;
pub(crate) mod tls_bridge;
pub(crate) mod vanishing;
pub(crate) mod wait;

pub(crate) use certificates::Certificate;
pub(crate) use connection::Connection;
pub(crate) use origin::{Origin, ScriptedOrigin};
pub(crate) use proxy::Proxy;
pub(crate) use response::Response;
pub(crate) use rules::{ALLOW_ALL, Rules};
