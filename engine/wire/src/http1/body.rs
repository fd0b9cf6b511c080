//! Reading a body, whatever its framing, and re-framing it as chunks.
//!
//! `framing` says how a body ends, `chunked` knows the coding; here both meet
//! the bytes. Called by the engine while it forwards.

use thiserror::Error;

use super::chunked::{self, ChunkError, ChunkEvent, ChunkLimits, ChunkedDecoder, write_last_chunk};
use super::framing::BodyFraming;
use crate::invariant::{part, part_mut};

/// Why a body cannot be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// The chunked coding is broken.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// The connection ended before the body did.
    #[error("body cut short")]
    Truncated,
}

/// What was found in the bytes consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEvent {
    /// Nothing yet; all input is consumed.
    NeedMore,
    /// Body data: a range of the input given.
    Data {
        /// Offset of the first byte.
        start: usize,
        /// Number of bytes, at least one.
        len: usize,
    },
    /// The body is complete.
    End,
}

/// What [`BodyReader::recode_chunked`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recoded {
    /// Bytes of the input that belong to the body and were taken.
    pub consumed: usize,
    /// The body is complete and its last chunk written.
    pub ended: bool,
}

/// Finds the data of one body in the bytes of a connection.
#[derive(Clone, Debug)]
pub struct BodyReader {
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
    /// `End` was reported; trailers, if any, are kept.
    Ended(Option<ChunkedDecoder>),
}

impl BodyReader {
    /// A reader at the first byte of a body. Nothing is allocated before a
    /// trailer arrives.
    pub fn new(framing: BodyFraming, limits: &ChunkLimits) -> Self {
        let state = match framing {
            BodyFraming::None => State::Length(0),
            BodyFraming::Length(bytes) => State::Length(bytes),
            BodyFraming::Chunked => State::Chunked(ChunkedDecoder::new(limits)),
            BodyFraming::UntilClose => State::UntilClose,
        };
        Self { state }
    }

    /// Consumes bytes up to the next event; returns how many, the data that
    /// the event points at included, and the event.
    pub fn next(&mut self, input: &[u8]) -> Result<(usize, BodyEvent), BodyError> {
        let (consumed, event) = match &mut self.state {
            State::Length(0) => (0, BodyEvent::End),
            State::Length(remaining) => {
                let len = usize::try_from(*remaining)
                    .unwrap_or(usize::MAX)
                    .min(input.len());
                *remaining -= len as u64;
                (len, BodyEvent::of_data(0, len))
            }
            State::UntilClose => (input.len(), BodyEvent::of_data(0, input.len())),
            State::Chunked(decoder) => {
                let (consumed, event) = decoder.decode(input)?;
                let event = match event {
                    ChunkEvent::NeedMore => BodyEvent::NeedMore,
                    ChunkEvent::Data { start, len } => BodyEvent::Data { start, len },
                    ChunkEvent::End => BodyEvent::End,
                };
                (consumed, event)
            }
            State::Ended(_) => (0, BodyEvent::End),
        };
        if event == BodyEvent::End {
            self.end();
        }
        Ok((consumed, event))
    }

    /// Takes all body data in `input` and appends it to `out` as one chunk,
    /// however many it arrived in, then, at the end of the body, the last chunk
    /// with the trailers. One write then carries what one read brought.
    pub fn recode_chunked(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Recoded, BodyError> {
        if matches!(self.state, State::Ended(_)) {
            return Ok(Recoded {
                consumed: 0,
                ended: true,
            });
        }
        let chunk = OpenChunk::begin(out, input.len());
        let mut consumed = 0;
        let mut ended = false;
        while !ended {
            let rest = part(input, consumed..);
            let (taken, event) = match self.next(rest) {
                Ok(next) => next,
                Err(error) => {
                    chunk.finish(out);
                    return Err(error);
                }
            };
            consumed += taken;
            match event {
                BodyEvent::NeedMore => break,
                BodyEvent::Data { start, len } => {
                    out.extend_from_slice(part(rest, start..start + len));
                }
                BodyEvent::End => ended = true,
            }
        }
        chunk.finish(out);
        if ended {
            write_last_chunk(out, self.trailers());
        }
        Ok(Recoded { consumed, ended })
    }

    /// Whether the body's last byte has been consumed.
    pub fn is_complete(&self) -> bool {
        match &self.state {
            State::Length(remaining) => *remaining == 0,
            State::Chunked(decoder) => decoder.is_complete(),
            State::UntilClose => false,
            State::Ended(_) => true,
        }
    }

    /// Tells that the connection has ended. That completes a body of framing
    /// `UntilClose`; any other must be complete already.
    pub fn at_eof(&mut self) -> Result<(), BodyError> {
        if !self.is_complete() && !matches!(self.state, State::UntilClose) {
            return Err(BodyError::Truncated);
        }
        self.end();
        Ok(())
    }

    /// [`at_eof`](Self::at_eof) where trailers came beside the content, as in streams of HTTP/2: field lines
    /// with their line ends, which are held to the same rules as those of a last chunk.
    pub fn at_eof_with(&mut self, trailers: &[u8], limits: &ChunkLimits) -> Result<(), BodyError> {
        self.at_eof()?;
        if !trailers.is_empty() {
            let decoder = ChunkedDecoder::of_trailers(trailers, limits)?;
            self.state = State::Ended(Some(decoder));
        }
        Ok(())
    }

    /// The trailer lines of a complete body; see
    /// [`ChunkedDecoder::trailers`].
    pub fn trailers(&self) -> &[u8] {
        match &self.state {
            State::Chunked(decoder) | State::Ended(Some(decoder)) => decoder.trailers(),
            _ => &[],
        }
    }

    fn end(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Ended(None)) {
            State::Chunked(decoder) => State::Ended(Some(decoder)),
            State::Ended(decoder) => State::Ended(decoder),
            State::Length(_) | State::UntilClose => State::Ended(None),
        };
    }
}

impl BodyEvent {
    fn of_data(start: usize, len: usize) -> Self {
        if len == 0 {
            Self::NeedMore
        } else {
            Self::Data { start, len }
        }
    }
}

/// A chunk whose size is filled in when its data is known. The data is never
/// longer than the input, so its digits are reserved beforehand; a smaller size
/// gets leading zeros, which the grammar allows.
struct OpenChunk {
    header_start: usize,
    data_start: usize,
}

impl OpenChunk {
    fn begin(out: &mut Vec<u8>, data_bytes_max: usize) -> Self {
        let header_start = out.len();
        chunked::write_chunk_header(out, data_bytes_max);
        Self {
            header_start,
            data_start: out.len(),
        }
    }

    fn finish(&self, out: &mut Vec<u8>) {
        let data_bytes = out.len().saturating_sub(self.data_start);
        if data_bytes == 0 {
            out.truncate(self.header_start);
            return;
        }
        let digits = self.header_start..self.data_start.saturating_sub(2);
        chunked::fill_hex(part_mut(out, digits), data_bytes);
        out.extend_from_slice(b"\r\n");
    }
}
