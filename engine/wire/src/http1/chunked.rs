//! The chunked transfer coding (RFC 9112 section 7.1), both ways.
//!
//! The decoder is strict, since the sizes it reads decide where the next
//! message begins: plain hexadecimal, CR LF only, bounded extensions and
//! trailers. Extensions are dropped (section 7.1.1 says a recipient ignores
//! what it does not know). `body` is the usual caller.

use thiserror::Error;

use super::hop_by_hop;
use super::request_head::is_token_byte;
use crate::invariant::{part, part_mut};

/// Bounds of what a chunked body may carry besides its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkLimits {
    /// The extensions of one chunk: all between its size and the end of its
    /// line. 0 refuses them. Default 4 KiB.
    pub extension_bytes_max: usize,
    /// The field lines of the trailer section with their line ends, not the
    /// empty line behind them. 0 refuses trailers. Default 8 KiB.
    pub trailer_bytes_max: usize,
    /// Blanks may stand behind a chunk size and before the colon of a trailer, and are dropped. For
    /// responses: many servers pad the sizes, and who reads a number reads the same one. Default no.
    pub tolerates_blanks: bool,
}

impl Default for ChunkLimits {
    fn default() -> Self {
        Self {
            extension_bytes_max: 4 * 1024,
            trailer_bytes_max: 8 * 1024,
            tolerates_blanks: false,
        }
    }
}

/// Why a chunked body was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ChunkError {
    /// Not one to sixteen hexadecimal digits, or too large.
    #[error("invalid chunk size")]
    Size,
    /// A control character in a chunk extension.
    #[error("invalid chunk extension")]
    Extension,
    /// More than `ChunkLimits::extension_bytes_max` in a chunk, or much more
    /// than content in the whole body.
    #[error("chunk extensions too large")]
    ExtensionTooLarge,
    /// CR LF is missing after a size or after the data.
    #[error("malformed chunk line end")]
    LineEnd,
    /// A trailer line that is no field line.
    #[error("invalid trailer field")]
    Trailer,
    /// More than `ChunkLimits::trailer_bytes_max`.
    #[error("trailers too large")]
    TrailersTooLarge,
}

/// What the decoder found in the bytes it consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkEvent {
    /// Nothing yet; all input is consumed.
    NeedMore,
    /// Body data: a range of the input given.
    Data {
        /// Offset of the first byte.
        start: usize,
        /// Number of bytes, at least one.
        len: usize,
    },
    /// The last chunk and the trailers have been read.
    End,
}

/// A decoder fed with input as it arrives, cut anywhere.
#[derive(Clone, Debug)]
pub struct ChunkedDecoder {
    state: State,
    /// The size read so far, then what remains of the chunk.
    remaining: u64,
    size_digits: u8,
    /// Of the chunk being read.
    extension_bytes: usize,
    /// Of all chunks.
    all_extension_bytes: u64,
    data_bytes: u64,
    limits: ChunkLimits,
    /// Trailer lines that were accepted, and the one being read.
    trailers: Vec<u8>,
    trailer_line_start: usize,
    /// Bytes of the whole trailer lines seen, dropped ones included.
    trailer_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    /// Whitespace after the size; only an extension may follow.
    BeforeExtension,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
    End,
}

/// By how many bytes the extensions of a whole body may exceed its data so far:
/// so tiny chunks with fat extensions do not cost much more than they carry.
const EXTENSION_EXCESS_BYTES_MAX: u64 = 16 * 1024;
/// Blanks behind a chunk size.
const PADDING_BYTES_MAX: usize = 32;
/// Digits of a chunk size, leading zeros included.
const SIZE_DIGITS_MAX: u8 = 16;

impl ChunkedDecoder {
    /// A decoder at the first byte of a body.
    pub fn new(limits: &ChunkLimits) -> Self {
        Self {
            state: State::Size,
            remaining: 0,
            size_digits: 0,
            extension_bytes: 0,
            all_extension_bytes: 0,
            data_bytes: 0,
            limits: *limits,
            trailers: Vec::new(),
            trailer_line_start: 0,
            trailer_bytes: 0,
        }
    }

    /// The decoder of a body that has ended with these field lines.
    pub(crate) fn of_trailers(lines: &[u8], limits: &ChunkLimits) -> Result<Self, ChunkError> {
        let mut decoder = Self {
            state: State::Trailers,
            ..Self::new(limits)
        };
        decoder.decode(lines)?;
        let ended_early = decoder.is_complete();
        decoder.decode(b"\r\n")?;
        match decoder.is_complete() && !ended_early {
            true => Ok(decoder),
            false => Err(ChunkError::Trailer),
        }
    }

    /// Consumes bytes up to the next event; returns how many and the event.
    ///
    /// The consumed count includes the data that the event points at. After
    /// `End` nothing is consumed: the rest belongs to the next message.
    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, ChunkEvent), ChunkError> {
        let mut at = 0;
        while let Some(rest) = input.get(at..)
            && let Some(byte) = rest.first()
        {
            match self.state {
                State::Data => {
                    let len = usize::try_from(self.remaining)
                        .unwrap_or(usize::MAX)
                        .min(rest.len());
                    self.remaining -= len as u64;
                    self.data_bytes = self.data_bytes.saturating_add(len as u64);
                    if self.remaining == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok((at + len, ChunkEvent::Data { start: at, len }));
                }
                State::Trailers => at += self.take_trailer(rest)?,
                State::End => break,
                _ => {
                    self.step(*byte)?;
                    at += 1;
                }
            }
        }
        let event = if self.is_complete() {
            ChunkEvent::End
        } else {
            ChunkEvent::NeedMore
        };
        Ok((at, event))
    }

    /// Whether the last byte of the body has been consumed.
    pub fn is_complete(&self) -> bool {
        self.state == State::End
    }

    /// The trailer section after `End`: valid field lines, each with its CR LF,
    /// without those that a trailer may not carry (RFC 9110 section 6.5.1).
    pub fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    /// One byte of a chunk's frame.
    fn step(&mut self, byte: u8) -> Result<(), ChunkError> {
        self.state = match (self.state, byte) {
            (State::Size, _) => return self.step_size(byte),
            (State::BeforeExtension, b' ' | b'\t') => self.count_blank()?,
            (State::BeforeExtension, b'\r') if self.limits.tolerates_blanks => State::SizeLf,
            (State::BeforeExtension, b';') => self.count_extension(State::Extension)?,
            (State::BeforeExtension, _) => return Err(ChunkError::Size),
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, b'\t' | b' '..=b'~' | 0x80..) => {
                self.count_extension(State::Extension)?
            }
            (State::Extension, _) => return Err(ChunkError::Extension),
            (State::SizeLf, b'\n') if self.remaining == 0 => State::Trailers,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.size_digits = 0;
                self.extension_bytes = 0;
                State::Size
            }
            _ => return Err(ChunkError::LineEnd),
        };
        Ok(())
    }

    fn step_size(&mut self, byte: u8) -> Result<(), ChunkError> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ if self.size_digits == 0 => return Err(ChunkError::Size),
            b'\r' => {
                self.state = State::SizeLf;
                return Ok(());
            }
            b';' => {
                self.state = self.count_extension(State::Extension)?;
                return Ok(());
            }
            b' ' | b'\t' => {
                self.state = self.count_blank()?;
                return Ok(());
            }
            _ => return Err(ChunkError::Size),
        };
        // Room for one more digit, within what signed 64-bit arithmetic holds.
        if self.size_digits >= SIZE_DIGITS_MAX || self.remaining > (i64::MAX as u64) >> 4 {
            return Err(ChunkError::Size);
        }
        self.size_digits += 1;
        self.remaining = (self.remaining << 4) | u64::from(digit);
        Ok(())
    }

    /// A blank behind the size: padding, or the beginning of an extension.
    fn count_blank(&mut self) -> Result<State, ChunkError> {
        if !self.limits.tolerates_blanks {
            return self.count_extension(State::BeforeExtension);
        }
        self.extension_bytes = self.extension_bytes.saturating_add(1);
        match self.extension_bytes > PADDING_BYTES_MAX {
            true => Err(ChunkError::Size),
            false => Ok(State::BeforeExtension),
        }
    }

    fn count_extension(&mut self, next: State) -> Result<State, ChunkError> {
        self.extension_bytes = self.extension_bytes.saturating_add(1);
        self.all_extension_bytes = self.all_extension_bytes.saturating_add(1);
        let excess = self.all_extension_bytes.saturating_sub(self.data_bytes);
        let is_too_large = self.extension_bytes > self.limits.extension_bytes_max
            || excess > EXTENSION_EXCESS_BYTES_MAX;
        match is_too_large {
            true => Err(ChunkError::ExtensionTooLarge),
            false => Ok(next),
        }
    }

    /// Takes up to the end of the current trailer line; returns how many bytes.
    fn take_trailer(&mut self, input: &[u8]) -> Result<usize, ChunkError> {
        let newline = memchr::memchr(b'\n', input);
        let taken = newline.map_or(input.len(), |at| at + 1);
        self.trailers.extend_from_slice(part(input, ..taken));
        let line = part(&self.trailers, self.trailer_line_start..);
        // The empty line at the end, or its begin, is no trailer.
        let is_empty = b"\r\n".starts_with(line);
        let trailer_bytes = self.trailer_bytes.saturating_add(line.len());
        if trailer_bytes > self.limits.trailer_bytes_max && !is_empty {
            return Err(ChunkError::TrailersTooLarge);
        }
        if newline.is_some() {
            self.trailer_bytes = trailer_bytes;
            if self.limits.tolerates_blanks {
                drop_blanks_before_colon(&mut self.trailers, self.trailer_line_start);
            }
            let line = part(&self.trailers, self.trailer_line_start..);
            match judge_trailer(line)? {
                Trailer::Keep => self.trailer_line_start = self.trailers.len(),
                Trailer::Drop => self.trailers.truncate(self.trailer_line_start),
                Trailer::LastLine => {
                    self.trailers.truncate(self.trailer_line_start);
                    self.state = State::End;
                }
            }
        }
        Ok(taken)
    }
}

/// RFC 9112 section 5.1, for the line that begins at `line_start`.
fn drop_blanks_before_colon(trailers: &mut Vec<u8>, line_start: usize) {
    let line = part(trailers, line_start..);
    let Some(colon) = memchr::memchr(b':', line) else {
        return;
    };
    let name = part(line, ..colon);
    let name_end = name
        .iter()
        .rposition(|byte| !matches!(byte, b' ' | b'\t'))
        .map_or(colon, |last| last + 1);
    trailers.drain(line_start + name_end..line_start + colon);
}

enum Trailer {
    Keep,
    Drop,
    LastLine,
}

/// One line of the trailer section, line end included.
fn judge_trailer(line: &[u8]) -> Result<Trailer, ChunkError> {
    let line = line.strip_suffix(b"\r\n").ok_or(ChunkError::LineEnd)?;
    if line.is_empty() {
        return Ok(Trailer::LastLine);
    }
    let colon = memchr::memchr(b':', line).ok_or(ChunkError::Trailer)?;
    let (name, value) = line.split_at_checked(colon).ok_or(ChunkError::Trailer)?;
    let is_value_byte = |byte: &u8| matches!(*byte, b'\t' | b' '..=b'~' | 0x80..);
    let is_valid = !name.is_empty()
        && name.iter().all(|byte| is_token_byte(*byte))
        && value.iter().all(is_value_byte);
    if !is_valid {
        return Err(ChunkError::Trailer);
    }
    Ok(if hop_by_hop::is_forbidden_trailer(name) {
        Trailer::Drop
    } else {
        Trailer::Keep
    })
}

/// The line before a chunk of `len` bytes. The data and a CR LF follow it. A
/// chunk of no bytes would end the body, so nothing is written for it.
pub fn write_chunk_header(out: &mut Vec<u8>, len: usize) {
    if len > 0 {
        let digits = (usize::BITS - len.leading_zeros()).div_ceil(4);
        let start = out.len();
        out.resize(start + digits as usize, b'0');
        fill_hex(part_mut(out, start..), len);
        out.extend_from_slice(b"\r\n");
    }
}

/// Writes `value` in hexadecimal, right-aligned over the digits present.
pub(crate) fn fill_hex(digits: &mut [u8], mut value: usize) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"
            .get(value & 0xf)
            .copied()
            .unwrap_or(b'0');
        value >>= 4;
    }
}

/// The last chunk, the trailer lines (each with its CR LF; see
/// [`ChunkedDecoder::trailers`]) and the empty line that ends the body.
pub fn write_last_chunk(out: &mut Vec<u8>, trailers: &[u8]) {
    out.extend_from_slice(b"0\r\n");
    out.extend_from_slice(trailers);
    out.extend_from_slice(b"\r\n");
}
