//! Whole transactions: a proxy that runs in this process, a client and an origin that do what the input
//! says, byte for byte and in its order, and what must hold whatever that is.
//!
//! * Nothing panics, not even where the proxy would catch it.
//! * What reaches the origin is made of requests that a strict reader takes, and that the rules allow.
//! * No response reaches the client that the rules deny.
//! * There is one line in the access log for each response that the client got, and it ends in time.

mod played;
mod script;
mod seen;
mod target;
mod world;

pub use target::transaction;
