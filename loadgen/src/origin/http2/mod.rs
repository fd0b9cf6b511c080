//! The origin's side of HTTP/2 (RFC 9113) without I/O: frames in (`session`), requests from them
//! (`requests`), frames out (`answers`). Each stream does what its path and query ask, as on HTTP/1.1;
//! where that would close the connection, the stream is reset.

mod answers;
mod requests;
mod session;

#[cfg(test)]
mod tests;

pub(super) use session::Session;
