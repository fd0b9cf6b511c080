//! Reads one HTTP/1.1 response from bytes cut anywhere; `check` holds it against what was expected.
//!
//! Own parsing on httparse, shared with nobody: see `main`. Keeps no bytes; what it does not
//! consume the caller shows again with more behind it.

use std::mem::MaybeUninit;

use super::check::Check;
use super::failure::Failure;
use crate::http::chunked::ChunkedDecoder;
use crate::http::framing::{FramingFields, Malformed};
use crate::plan::mix::{Expectation, Sent};

/// Longest response head, octets.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most header fields of a response.
const HEADERS_MAX: usize = 128;

#[derive(Debug)]
enum State {
    Head,
    Sized(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
    Done,
}

/// What one call of `feed` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fed {
    pub(super) consumed: usize,
    pub(super) done: bool,
}

/// Reader of one response.
#[derive(Debug)]
pub(super) struct ResponseReader {
    state: State,
    check: Check,
    persistent: bool,
    /// The request was CONNECT.
    connect: bool,
}

impl ResponseReader {
    /// A reader at the start of a response.
    pub(super) fn new(expectation: Expectation) -> Self {
        Self {
            state: State::Head,
            check: Check::new(expectation),
            persistent: false,
            connect: false,
        }
    }

    /// A reader of the answer to CONNECT, where a 2xx ends with its head (RFC 9110 section 9.3.6).
    pub(super) fn for_connect() -> Self {
        let expectation = Expectation {
            status: 200,
            body_bytes: None,
            pattern: false,
            crc32c: None,
            sent: Sent::default(),
            head_only: true,
        };
        Self {
            connect: true,
            ..Self::new(expectation)
        }
    }

    /// 0 until the head was read.
    pub(super) fn status(&self) -> u16 {
        self.check.status()
    }

    /// Whether another exchange may follow on the connection.
    pub(super) fn is_persistent(&self) -> bool {
        self.persistent
    }

    pub(super) fn body_bytes(&self) -> u64 {
        self.check.body_bytes()
    }

    /// What is wrong with the complete response, if anything is.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        self.check.verdict()
    }

    /// Takes what it can of `input`.
    pub(super) fn feed(&mut self, input: &[u8]) -> Result<Fed, Malformed> {
        let mut consumed = 0;
        while let State::Head = self.state {
            let head = input.get(consumed..).unwrap_or_default();
            match self.read_head(head)? {
                0 => {
                    return Ok(Fed {
                        consumed,
                        done: false,
                    });
                }
                bytes => consumed += bytes,
            }
        }
        if self.connect && !(200..300).contains(&self.status()) {
            // A refusal may have a body; the connection is of no use, so nobody reads it.
            return Ok(Fed {
                consumed: input.len(),
                done: true,
            });
        }
        let body = input.get(consumed..).unwrap_or_default();
        consumed += self.read_body(body)?;
        Ok(Fed {
            consumed,
            done: matches!(self.state, State::Done),
        })
    }

    /// The stream ended in order; `true` if that is how this response ends.
    pub(super) fn ends_with_stream(&self) -> bool {
        matches!(self.state, State::UntilClose)
    }

    /// Octets of the head, or 0 if it is not complete.
    fn read_head(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            input,
            &mut headers,
        );
        let bytes = match parsed {
            Ok(httparse::Status::Complete(bytes)) => bytes,
            Ok(httparse::Status::Partial) if input.len() < HEAD_BYTES_MAX => return Ok(0),
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Err(Malformed::HeadTooLarge);
            }
            Err(_) => return Err(Malformed::Head),
        };
        let (Some(status), Some(minor)) = (response.code, response.version) else {
            return Err(Malformed::Head);
        };
        let fields = FramingFields::of(response.headers)?;
        if (100..200).contains(&status) && status != 101 {
            return Ok(bytes);
        }
        self.check.on_status(status);
        for header in response.headers.iter() {
            self.check.on_field(header.name.as_bytes(), header.value);
        }
        self.state = self.body_state(status, fields);
        self.persistent =
            fields.persistent(minor) && !matches!(self.state, State::UntilClose) && status != 101;
        Ok(bytes)
    }

    /// RFC 9112 section 6.3.
    fn body_state(&self, status: u16, fields: FramingFields) -> State {
        if self.check.is_head_only() || matches!(status, 101 | 204 | 304) {
            State::Done
        } else if fields.chunked {
            State::Chunked(ChunkedDecoder::new())
        } else {
            match fields.length {
                Some(0) => State::Done,
                Some(length) => State::Sized(length),
                None => State::UntilClose,
            }
        }
    }

    fn read_body(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        let check = &mut self.check;
        let consumed = match &mut self.state {
            State::Head | State::Done => 0,
            State::UntilClose => {
                check.on_body(input);
                input.len()
            }
            State::Sized(left) => {
                let taken = usize::try_from(*left).map_or(input.len(), |n| n.min(input.len()));
                check.on_body(input.get(..taken).unwrap_or_default());
                *left -= taken as u64;
                if *left == 0 {
                    self.state = State::Done;
                }
                taken
            }
            State::Chunked(decoder) => {
                let decoded = decoder.decode(input, |data| check.on_body(data))?;
                if decoded.done {
                    self.state = State::Done;
                }
                decoded.consumed
            }
        };
        Ok(consumed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pattern;

    const ANY: Expectation = Expectation {
        status: 200,
        body_bytes: None,
        pattern: false,
        crc32c: None,
        sent: Sent {
            bytes: 5,
            crc32c: 0xABCD,
        },
        head_only: false,
    };

    fn read(expectation: Expectation, input: &[u8]) -> Result<(ResponseReader, Fed), Malformed> {
        let mut reader = ResponseReader::new(expectation);
        let fed = reader.feed(input)?;
        Ok((reader, fed))
    }

    #[test]
    fn framings() {
        let cases: [(&[u8], u64, bool, bool); 7] = [
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
                3,
                true,
                true,
            ),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                0,
                true,
                true,
            ),
            (
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
                1,
                true,
                true,
            ),
            (b"HTTP/1.1 204 No\r\n\r\n", 0, true, true),
            (b"HTTP/1.1 200 OK\r\n\r\nabc", 3, false, false),
            (
                b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
                1,
                true,
                false,
            ),
            (
                b"HTTP/1.1 103 E\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
                1,
                true,
                true,
            ),
        ];
        for (input, body_bytes, done, persistent) in cases {
            let (reader, fed) = read(ANY, input).unwrap();
            assert_eq!(
                fed,
                Fed {
                    consumed: input.len(),
                    done
                }
            );
            assert_eq!(
                (reader.body_bytes(), reader.is_persistent()),
                (body_bytes, persistent)
            );
        }
    }

    #[test]
    fn wrong_responses_are_told_apart() {
        let verdict = |expectation, input: &[u8]| read(expectation, input).unwrap().0.verdict();
        let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(verdict(ANY, ok), Ok(()));
        assert_eq!(
            verdict(Expectation { status: 404, ..ANY }, ok),
            Err(Failure::BadStatus(200))
        );
        let longer = Expectation {
            body_bytes: Some(4),
            ..ANY
        };
        assert_eq!(
            verdict(longer, ok),
            Err(Failure::BodyLength {
                expected: 4,
                actual: 3
            })
        );
        let pattern = Expectation {
            pattern: true,
            ..ANY
        };
        assert_eq!(verdict(pattern, ok), Err(Failure::BodyMismatch));
        assert_eq!(
            verdict(
                Expectation {
                    head_only: true,
                    body_bytes: Some(3),
                    ..ANY
                },
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
            ),
            Ok(())
        );
    }

    #[test]
    fn checksums() {
        let verdict = |expectation, fields: &str| {
            let input = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 9\r\n\r\n123456789");
            read(expectation, input.as_bytes()).unwrap().0.verdict()
        };
        // 0xE3069283, big-endian, in base64.
        assert_eq!(
            verdict(ANY, "Content-Digest: crc32c=:4waSgw==:\r\n"),
            Ok(())
        );
        let wrong = verdict(ANY, "Content-Digest: sha-256=:aaaa:, crc32c=:4waSgA==:\r\n");
        assert!(matches!(wrong, Err(Failure::Checksum { .. })), "{wrong:?}");
        let planned = |crc32c| Expectation {
            crc32c: Some(crc32c),
            ..ANY
        };
        assert_eq!(verdict(planned(0xE306_9283), ""), Ok(()));
        assert!(verdict(planned(1), "").is_err());
        assert_eq!(verdict(ANY, "X-Received: 5 0000abcd\r\n"), Ok(()));
        let lost = verdict(ANY, "X-Received: 4 0000abcd\r\n");
        assert_eq!(lost, Err(Failure::Upload("4 0000abcd".to_owned())));
    }

    #[test]
    fn malformed_heads() {
        for (input, error) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                Malformed::ContentLength,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                Malformed::BothLengths,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
                Malformed::TransferEncoding,
            ),
            ("SSH-2.0\r\n\r\n", Malformed::Head),
            ("HTTP/1.1 200 OK\r\nbad header\r\n\r\n", Malformed::Head),
        ] {
            assert_eq!(read(ANY, input.as_bytes()).unwrap_err(), error, "{input}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(HEAD_BYTES_MAX));
        assert_eq!(
            read(ANY, endless.as_bytes()).unwrap_err(),
            Malformed::HeadTooLarge
        );
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_response(
            length in 0_usize..3_000,
            chunk in 1_usize..900,
            chunked: bool,
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let body = pattern::slice(0, length);
            let mut bytes = b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\n".to_vec();
            if chunked {
                bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                for piece in body.chunks(chunk) {
                    bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                    bytes.extend_from_slice(piece);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            } else {
                bytes.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
                bytes.extend_from_slice(body);
            }
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
            places.push(bytes.len());
            places.sort_unstable();
            let expectation =
                Expectation { body_bytes: Some(length as u64), pattern: true, ..ANY };
            let mut reader = ResponseReader::new(expectation);
            let (mut start, mut done) = (0, false);
            for end in places {
                let fed = reader.feed(&bytes[start..end]).unwrap();
                start += fed.consumed;
                done = fed.done;
            }
            prop_assert!(done && start == bytes.len());
            prop_assert_eq!(reader.verdict(), Ok(()));
        }
    }
}
