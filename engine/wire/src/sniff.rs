//! What a client speaks inside a tunnel, from its first bytes.
//!
//! Only a guess that decides which parser comes next; the parser has the last
//! word. In doubt it leans towards HTTP, since that is inspected: taking HTTP
//! for something unknown could let it pass uninspected. Called by the engine.

use crate::http1::is_token_byte;

/// What the first bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniff {
    /// The bytes so far fit several.
    NeedMore,
    /// A TLS handshake record that begins with a ClientHello.
    Tls,
    /// An HTTP/1 request line, or empty lines as servers tolerate before one.
    Http1,
    /// The connection preface of HTTP/2 (RFC 9113 section 3.4).
    Http2Preface,
    /// None of these.
    Unknown,
}

const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Longest method that is looked for.
const METHOD_BYTES_MAX: usize = 32;

impl Sniff {
    /// Judges the bytes received so far. Once it is not `NeedMore`, more bytes
    /// do not change the answer.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [] => Self::NeedMore,
            [0x16, ..] => Self::of_record(bytes),
            [b'\r' | b'\n', ..] => Self::Http1,
            _ if bytes.starts_with(HTTP2_PREFACE) => Self::Http2Preface,
            _ if HTTP2_PREFACE.starts_with(bytes) => Self::NeedMore,
            _ => Self::of_request_line(bytes),
        }
    }

    /// Type, version 3.x, length, then the handshake type (RFC 8446 section 5.1).
    fn of_record(bytes: &[u8]) -> Self {
        match bytes {
            [_] | [_, 3] | [_, 3, 0..=4] | [_, 3, 0..=4, _] | [_, 3, 0..=4, _, _] => Self::NeedMore,
            [_, 3, 0..=4, _, _, 1, ..] => Self::Tls,
            _ => Self::Unknown,
        }
    }

    /// A token, a space, and the first byte of a target: `/`, `*`, or the `h`
    /// of an absolute one.
    fn of_request_line(bytes: &[u8]) -> Self {
        let Some(end) = bytes.iter().position(|byte| !is_token_byte(*byte)) else {
            return if bytes.len() > METHOD_BYTES_MAX {
                Self::Unknown
            } else {
                Self::NeedMore
            };
        };
        match bytes.get(end..) {
            _ if end == 0 || end > METHOD_BYTES_MAX => Self::Unknown,
            Some([b' ' | b'\t']) => Self::NeedMore,
            Some([b' ' | b'\t', b'/' | b'*' | b'h' | b'H' | b' ' | b'\t', ..]) => Self::Http1,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_protocols_apart() {
        let cases: &[(&[u8], Sniff)] = &[
            (b"", Sniff::NeedMore),
            (b"\x16", Sniff::NeedMore),
            (b"\x16\x03\x01\x02\x00", Sniff::NeedMore),
            (b"\x16\x03\x01\x02\x00\x01", Sniff::Tls),
            (b"\x16\x03\x01\x02\x00\x02", Sniff::Unknown),
            (b"\x16\x02", Sniff::Unknown),
            (b"\x16\x03\x05", Sniff::Unknown),
            (b"\x80\x2e\x01", Sniff::Unknown),
            (b"GE", Sniff::NeedMore),
            (b"GET ", Sniff::NeedMore),
            (b"GET /", Sniff::Http1),
            (b"get /", Sniff::Http1),
            (b"GET  /", Sniff::Http1),
            (b"OPTIONS *", Sniff::Http1),
            (b"GET http://h/", Sniff::Http1),
            (b"\r\nGET / HTTP/1.1", Sniff::Http1),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", Sniff::NeedMore),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0", Sniff::Http2Preface),
            (b"PRI * HTTP/1.1\r\n", Sniff::Http1),
            (b"SSH-2.0-OpenSSH_9.2", Sniff::NeedMore),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Sniff::Unknown),
            (b"SSH-2.0-OpenSSH_9.2p1 Debian-2", Sniff::Unknown),
            (b"EHLO mail.example", Sniff::Unknown),
            (b"\x13BitTorrent protocol", Sniff::Unknown),
            (
                b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                Sniff::Unknown,
            ),
            (b" GET /", Sniff::Unknown),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Sniff::of(bytes), *expected, "{}", bytes.escape_ascii());
            let early = (0..bytes.len()).map(|end| Sniff::of(&bytes[..end]));
            for sniff in early {
                assert!(
                    sniff == Sniff::NeedMore || sniff == *expected,
                    "{}",
                    bytes.escape_ascii()
                );
            }
        }
    }
}
