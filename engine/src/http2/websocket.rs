//! The handshake of HTTP/1.1 WebSockets (RFC 6455 section 4), which HTTP/2 ones do without
//! (RFC 8441 section 5): made up and checked where one side speaks the one and the other the other.

use data_encoding::BASE64;
use sha1::{Digest, Sha1};

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A `Sec-WebSocket-Key`. It proves that the other side speaks WebSocket and hides nothing.
pub(super) fn new_key() -> Vec<u8> {
    let mut nonce = [0; 16];
    // Without entropy the key is still a valid one.
    let _ = getrandom::fill(&mut nonce);
    BASE64.encode(&nonce).into_bytes()
}

/// The `Sec-WebSocket-Accept` that answers `key` (RFC 6455 section 4.2.2).
pub(crate) fn accept(key: &[u8]) -> Vec<u8> {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(GUID);
    BASE64.encode(&hash.finalize()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let answer = accept(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(answer, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn keys_are_sixteen_bytes_and_differ() {
        let (one, other) = (new_key(), new_key());
        assert_eq!(BASE64.decode(&one).unwrap().len(), 16);
        assert_ne!(one, other);
    }
}
