//! Frame headers (RFC 9113 section 4.1), read out of bytes that are cut anywhere.

use super::limits::FRAME_BYTES_MAX;

/// Length of a frame header.
pub(super) const HEADER_BYTES: usize = 9;

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
pub(super) const PRIORITY: u8 = 0x2;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const SETTINGS: u8 = 0x4;
pub(super) const PUSH_PROMISE: u8 = 0x5;
pub(super) const PING: u8 = 0x6;
pub(super) const GOAWAY: u8 = 0x7;
pub(super) const WINDOW_UPDATE: u8 = 0x8;
pub(super) const CONTINUATION: u8 = 0x9;

pub(super) const END_STREAM: u8 = 0x1;
pub(super) const ACK: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
pub(super) const PADDED: u8 = 0x8;
pub(super) const PRIORITIZED: u8 = 0x20;

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FrameHeader {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl FrameHeader {
    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether frames of this type can have this length (RFC 9113 section 6).
    pub(super) fn fits(self) -> bool {
        let length = self.length;
        match self.kind {
            PRIORITY => length == 5,
            RST_STREAM | WINDOW_UPDATE => length == 4,
            SETTINGS if self.has(ACK) => length == 0,
            SETTINGS => length.is_multiple_of(6) && length <= FRAME_BYTES_MAX,
            PING => length == 8,
            GOAWAY => (8..=FRAME_BYTES_MAX).contains(&length),
            _ => length <= FRAME_BYTES_MAX,
        }
    }

    fn of(bytes: [u8; HEADER_BYTES]) -> Self {
        let [high, middle, low, kind, flags, stream @ ..] = bytes;
        let length = u32::from_be_bytes([0, high, middle, low]);
        Self {
            length: usize::try_from(length).unwrap_or(usize::MAX),
            kind,
            flags,
            // The highest bit is reserved.
            stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
        }
    }
}

/// Collects the bytes of one header.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HeaderReader {
    bytes: [u8; HEADER_BYTES],
    filled: usize,
}

impl HeaderReader {
    /// Takes what is still missing from the front of `input`; how much, and the header once it is whole.
    pub(super) fn take(&mut self, input: &[u8]) -> (usize, Option<FrameHeader>) {
        if self.filled == 0
            && let Some(bytes) = input.first_chunk()
        {
            return (HEADER_BYTES, Some(FrameHeader::of(*bytes)));
        }
        let taken = (HEADER_BYTES - self.filled).min(input.len());
        let places = self.bytes.iter_mut().skip(self.filled);
        for (place, byte) in places.zip(input.iter().take(taken)) {
            *place = *byte;
        }
        self.filled += taken;
        if self.filled < HEADER_BYTES {
            return (taken, None);
        }
        self.filled = 0;
        (taken, Some(FrameHeader::of(self.bytes)))
    }
}

/// Appends a frame header. Lengths of more than three bytes are nobody's.
pub(super) fn write_header(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let [.., high, middle, low] = length.to_be_bytes();
    let [a, b, c, d] = stream.to_be_bytes();
    out.extend_from_slice(&[high, middle, low, kind, flags, a, b, c, d]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut frame = Vec::new();
        write_header(&mut frame, 8, GOAWAY, 0, 0);
        let (taken, header) = HeaderReader::default().take(&frame);
        let header = header.unwrap();
        assert_eq!((taken, header.length, header.kind), (9, 8, GOAWAY));
        let mut frame = Vec::new();
        write_header(&mut frame, 4, RST_STREAM, 0, 0x7fff_fffd);
        let mut reader = HeaderReader::default();
        assert!(reader.take(&frame[..4]).1.is_none());
        let (taken, header) = reader.take(&frame[4..]);
        let header = header.unwrap();
        assert_eq!((taken, header.stream, header.length), (5, 0x7fff_fffd, 4));
    }
}
