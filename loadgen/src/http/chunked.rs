//! Decoder of the chunked transfer coding (RFC 9112 section 7.1), for input cut anywhere.
//!
//! Strict: bare LF, a missing CRLF, a size that overflows are errors. Keeps no bytes: body slices
//! are handed on as they pass.

use super::framing::Malformed;

/// Longest size line with its extensions, and longest trailer section, octets.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// Where in the grammar the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the hexadecimal digits; how many were seen.
    Size { digits: u8 },
    /// In an extension, up to CR.
    Extension,
    /// After the CR of a size line.
    SizeLf,
    /// In the data of a chunk.
    Data,
    /// After the data, before CR.
    DataCr,
    /// After the data and CR.
    DataLf,
    /// At the start of a trailer line.
    TrailerStart,
    /// In a trailer line, up to CR.
    Trailer,
    /// After the CR of a trailer line.
    TrailerLf,
    /// After the CR of the empty line.
    EndLf,
    /// All was read.
    Done,
}

/// What one call of `decode` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// How much of the input belongs to this body.
    pub(crate) consumed: usize,
    /// Whether the body is complete.
    pub(crate) done: bool,
}

/// Decoder of one body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChunkedDecoder {
    state: State,
    /// What is left of the chunk (in `Data`), or its size so far (in `Size`).
    remaining: u64,
    /// Octets of the current size line or trailer section.
    line_bytes: usize,
}

impl ChunkedDecoder {
    /// A decoder at the start of a body.
    pub(crate) fn new() -> Self {
        Self {
            state: State::Size { digits: 0 },
            remaining: 0,
            line_bytes: 0,
        }
    }

    /// Takes what it can of `input`, hands body slices to `on_body`.
    pub(crate) fn decode(
        &mut self,
        input: &[u8],
        mut on_body: impl FnMut(&[u8]),
    ) -> Result<Decoded, Malformed> {
        let mut rest = input;
        while self.state != State::Done {
            let Some((&byte, after)) = rest.split_first() else {
                break;
            };
            if self.state == State::Data {
                let length =
                    usize::try_from(self.remaining).map_or(rest.len(), |n| n.min(rest.len()));
                let (data, after) = rest.split_at(length);
                on_body(data);
                self.remaining -= length as u64;
                rest = after;
                if self.remaining == 0 {
                    self.state = State::DataCr;
                }
                continue;
            }
            self.state = self.step(byte)?;
            rest = after;
        }
        Ok(Decoded {
            consumed: input.len() - rest.len(),
            done: self.state == State::Done,
        })
    }

    fn step(&mut self, byte: u8) -> Result<State, Malformed> {
        self.line_bytes += 1;
        if self.line_bytes > LINE_BYTES_MAX {
            return Err(Malformed::Chunk);
        }
        let next = match (self.state, byte) {
            (State::Size { digits }, _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed::Chunk)?;
                if digits >= 16 {
                    return Err(Malformed::Chunk);
                }
                self.remaining = self.remaining << 4 | u64::from(digit);
                State::Size { digits: digits + 1 }
            }
            (State::Size { digits: 1.. }, b'\r') => State::SizeLf,
            (State::Size { digits: 1.. }, b';') => State::Extension,
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, byte) if byte != b'\n' => State::Extension,
            (State::SizeLf, b'\n') => {
                self.line_bytes = 0;
                if self.remaining == 0 {
                    State::TrailerStart
                } else {
                    State::Data
                }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.line_bytes = 0;
                State::Size { digits: 0 }
            }
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::TrailerStart | State::Trailer, byte) if byte != b'\r' && byte != b'\n' => {
                State::Trailer
            }
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::EndLf, b'\n') => State::Done,
            _ => return Err(Malformed::Chunk),
        };
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode_all(pieces: &[&[u8]]) -> Result<(Vec<u8>, usize, bool), Malformed> {
        let mut decoder = ChunkedDecoder::new();
        let (mut body, mut consumed, mut done) = (Vec::new(), 0, false);
        for piece in pieces {
            let step = decoder.decode(piece, |data| body.extend_from_slice(data))?;
            consumed += step.consumed;
            done = step.done;
        }
        Ok((body, consumed, done))
    }

    #[test]
    fn whole_bodies() {
        let ok = |input: &str| decode_all(&[input.as_bytes()]).unwrap();
        assert_eq!(ok("0\r\n\r\n"), (vec![], 5, true));
        assert_eq!(ok("3\r\nabc\r\n0\r\n\r\nHTTP"), (b"abc".to_vec(), 13, true));
        assert_eq!(
            ok("A;x=y\r\n0123456789\r\n00\r\nT: v\r\n\r\n").0,
            b"0123456789"
        );
        assert_eq!(ok("3\r\nab"), (b"ab".to_vec(), 5, false));
    }

    #[test]
    fn broken_bodies() {
        for wrong in [
            "\r\n",
            ";x\r\n",
            "g\r\n",
            "3\nabc",
            "3\r\nabcd",
            "3\r\nabc\n",
            "0\r\n\n",
            "-1\r\n",
            "11111111111111111\r\n",
            "3 \r\nabc\r\n",
            "0\r\nT: v\n\r\n",
        ] {
            assert_eq!(
                decode_all(&[wrong.as_bytes()]),
                Err(Malformed::Chunk),
                "{wrong:?}"
            );
        }
        let endless = format!("1;{}", "x".repeat(LINE_BYTES_MAX));
        assert_eq!(decode_all(&[endless.as_bytes()]), Err(Malformed::Chunk));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_body(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut encoded = Vec::new();
            for chunk in &chunks {
                encoded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                encoded.extend_from_slice(chunk);
                encoded.extend_from_slice(b"\r\n");
            }
            encoded.extend_from_slice(b"0\r\nA: b\r\n\r\n");
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(encoded.len())).collect();
            places.extend([0, encoded.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> =
                places.windows(2).map(|pair| &encoded[pair[0]..pair[1]]).collect();
            prop_assert_eq!(decode_all(&pieces), Ok((chunks.concat(), encoded.len(), true)));
        }
    }
}
