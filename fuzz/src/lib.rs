//! Fuzz targets of the pure crates, of the configuration and of whole transactions.
//!
//! A target is a function of arbitrary bytes that returns when all is well and panics when an
//! invariant is broken. It demands more than "does not panic": the same answer however the input
//! is cut, agreement with a slow obvious twin, and that what is written can be read back. The
//! targets stand here, in the order of a request's way through the proxy; `fuzz_targets` hands
//! them to libFuzzer, `tests/targets.rs` replays the corpus and mutations of it, and `run-short` is
//! what CI does. How to use all that is in `README.md`.
#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a target tells of a fault by panicking, one of its own included"
)]

mod proxy_protocol;

mod tls;

mod identity;

mod request_target;

mod heads;

mod forwarding;

mod bodies;

mod http2_connection;

mod dns;

mod bundles;

mod sources;

mod imports;

mod normal_forms;

mod configuration;

mod transaction;

mod input;
mod mutation;

pub use bodies::{body_reader, chunked_body};
pub use bundles::{bundle_bytes, bundle_forged, evaluation};
pub use configuration::configuration;
pub use dns::dns_messages;
pub use forwarding::{forwarded_request, forwarded_response};
pub use heads::{request_head, response_head};
pub use http2_connection::http2_connection;
pub use identity::identity;
pub use imports::imports;
pub use mutation::Mutator;
pub use normal_forms::normal_forms;
pub use proxy_protocol::proxy_protocol;
pub use request_target::request_target;
pub use sources::{aws_json_source, ruleset_source};
pub use tls::{client_hello, sniff, tls_records};
pub use transaction::transaction;
