//! The header fields that decide where a message ends and whether the connection lives on.
//!
//! Strict on purpose: what could be read in two ways is an error, since a meter that guesses hides
//! the fault it was built to find. RFC 9112 sections 6 and 9.

use httparse::Header;

/// Why a message cannot be framed, or breaks the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// The start line or a header line breaks the grammar.
    #[error("head breaks the grammar")]
    Head,
    /// The head is longer than the meter reads.
    #[error("head longer than 64 KiB or more than 128 headers")]
    HeadTooLarge,
    /// `Content-Length` is not a number, or there are two that differ.
    #[error("content-length is not one number")]
    ContentLength,
    /// `Transfer-Encoding` is anything but `chunked`.
    #[error("transfer-encoding is not chunked")]
    TransferEncoding,
    /// Both `Content-Length` and `Transfer-Encoding`.
    #[error("both content-length and transfer-encoding")]
    BothLengths,
    /// A chunk's size line, its end or a trailer breaks the grammar.
    #[error("chunked framing broken")]
    Chunk,
    /// Bytes follow a complete response that nobody asked for.
    #[error("bytes after the end of the response")]
    Excess,
}

/// What the header fields of one message say about its framing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FramingFields {
    /// `Content-Length`, octets.
    pub(crate) length: Option<u64>,
    /// `Transfer-Encoding: chunked`.
    pub(crate) chunked: bool,
    /// `Connection: close`.
    pub(crate) close: bool,
    /// `Connection: keep-alive`.
    pub(crate) keep_alive: bool,
    /// `Expect: 100-continue`.
    pub(crate) expect_continue: bool,
}

impl FramingFields {
    /// Reads the fields of a message.
    pub(crate) fn of(headers: &[Header<'_>]) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        for header in headers {
            match header.name.len() {
                6 if header.name.eq_ignore_ascii_case("expect") => {
                    fields.expect_continue = header.value.eq_ignore_ascii_case(b"100-continue");
                }
                10 if header.name.eq_ignore_ascii_case("connection") => {
                    fields.read_connection(header.value);
                }
                14 if header.name.eq_ignore_ascii_case("content-length") => {
                    let length = decimal(header.value).ok_or(Malformed::ContentLength)?;
                    if fields.length.is_some_and(|earlier| earlier != length) {
                        return Err(Malformed::ContentLength);
                    }
                    fields.length = Some(length);
                }
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                    if fields.chunked || !header.value.eq_ignore_ascii_case(b"chunked") {
                        return Err(Malformed::TransferEncoding);
                    }
                    fields.chunked = true;
                }
                _ => {}
            }
        }
        if fields.chunked && fields.length.is_some() {
            return Err(Malformed::BothLengths);
        }
        Ok(fields)
    }

    fn read_connection(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',') {
            let option = option.trim_ascii();
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// Whether the connection can carry another exchange; `minor_version` as in `HTTP/1.x`.
    pub(crate) fn persistent(self, minor_version: u8) -> bool {
        !self.close && (minor_version >= 1 || self.keep_alive)
    }
}

/// Digits only: no sign, no spaces, no overflow.
fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &[(&str, &str)]) -> Result<FramingFields, Malformed> {
        let headers: Vec<Header<'_>> = fields
            .iter()
            .map(|(name, value)| Header {
                name,
                value: value.as_bytes(),
            })
            .collect();
        FramingFields::of(&headers)
    }

    #[test]
    fn lengths() {
        assert_eq!(check(&[("Content-Length", "12")]).unwrap().length, Some(12));
        let twice = [("content-length", "12"), ("Content-length", "12")];
        assert_eq!(check(&twice).unwrap().length, Some(12));
        for wrong in ["", "-1", "+1", "1 2", "0x10", "18446744073709551616"] {
            assert_eq!(
                check(&[("Content-Length", wrong)]),
                Err(Malformed::ContentLength)
            );
        }
        let differ = [("Content-Length", "1"), ("Content-Length", "2")];
        assert_eq!(check(&differ), Err(Malformed::ContentLength));
    }

    #[test]
    fn transfer_encoding() {
        assert!(check(&[("Transfer-Encoding", "Chunked")]).unwrap().chunked);
        let both = [("Transfer-Encoding", "chunked"), ("Content-Length", "1")];
        assert_eq!(check(&both), Err(Malformed::BothLengths));
        for wrong in ["gzip, chunked", "identity", "chunked, chunked", "xchunked"] {
            assert_eq!(
                check(&[("Transfer-Encoding", wrong)]),
                Err(Malformed::TransferEncoding)
            );
        }
    }

    #[test]
    fn persistence() {
        assert!(check(&[]).unwrap().persistent(1));
        assert!(!check(&[]).unwrap().persistent(0));
        assert!(
            check(&[("Connection", "keep-alive")])
                .unwrap()
                .persistent(0)
        );
        assert!(!check(&[("Connection", "TE, Close")]).unwrap().persistent(1));
    }
}
