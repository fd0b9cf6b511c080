//! What a request is: who asks, for what, what is told of it. Knows no origin.

pub(crate) mod accept;
pub(crate) mod addresses;
pub(crate) mod admission;
pub(crate) mod after;
pub(crate) mod arrival;
pub(crate) mod client;
pub(crate) mod context;
pub(crate) mod date;
pub(crate) mod destination;
pub(crate) mod forwarded;
pub(crate) mod grounds;
pub(crate) mod identify;
pub(crate) mod measure;
pub(crate) mod path;
pub(crate) mod progress;
pub(crate) mod proxy;
pub(crate) mod record;
pub(crate) mod record_builder;
pub(crate) mod refuse;
pub(crate) mod reply;
pub(crate) mod reply_body;
pub(crate) mod target;
pub(crate) mod tls_notes;
pub(crate) mod told;
pub(crate) mod workspace;
