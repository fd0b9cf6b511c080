//! The tables of the file, one room for those that belong together. Each function reads one table,
//! reports what is wrong with it, and returns something that the caller may use only if nothing was.

mod admin;
mod auth;
mod destinations;
mod headers;
mod http;
mod identity;
mod listeners;
mod log;
mod names;
mod serving;
mod tcp;
mod tls;

pub(super) use admin::admin;
pub(super) use auth::auth;
pub(super) use destinations::{guard, hosts};
pub(super) use headers::{headers, responses};
pub(super) use http::http;
pub(super) use identity::identity_sources;
pub(super) use listeners::listeners;
pub(super) use log::log;
pub(super) use names::dns;
pub(super) use serving::{connect, drain, http2, io, limits, pool, reload, timeouts, tunnel};
pub(super) use tcp::tcp;
pub(super) use tls::{listener_tls, tls};
