//! The client's side of HTTP/2 (RFC 9113) without I/O: requests become frames in an outbox (`send`),
//! frames from the inbox become outcomes (`receive`, `head`). Strict, since a meter that guesses hides
//! the fault it was built to find.

mod head;
mod receive;
mod send;
mod state;

#[cfg(test)]
mod tests;

pub(super) use state::{Ended, Streams};
