//! The engine of Sallyport: an egress forward proxy that decides in three phases what may leave.
//!
//! ```text
//! accept ▶ read head ▶ PreDNS ▶ resolve ▶ guard ▶ PreREQUEST ▶ dial ▶ forward ▶ PostRESPONSE ▶ record
//! ```
//!
//! A library only so that `main`, the tests and the fuzz targets can reach it; nothing else imports it.

#![deny(unsafe_code)]

pub mod access_log;
pub mod cli;
mod clock;
pub mod config;
pub mod enforcement;
pub mod limits;
pub mod process;
pub mod tls;

mod accounts;
mod admin;
mod ca;
mod client;
mod decisions;
mod demo;
mod destination;
mod fair_share;
mod hashing;
mod http2;
mod identity;
mod io;
mod listener;
mod messages;
mod observe;
pub mod proxy_error;
mod shard;
mod transaction;
mod transport;
mod unseen;
mod upstream;
