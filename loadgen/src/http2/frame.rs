//! Frames (RFC 9113 section 4): taken from bytes, put into bytes. What they mean the two ends know.

/// Octets of a frame's header.
pub(crate) const HEADER_BYTES: usize = 9;
/// Longest payload that is received: the size every implementation starts with.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 16_384;
/// The window every stream and connection starts with.
pub(crate) const WINDOW_DEFAULT: i64 = 65_535;
/// The largest window.
pub(crate) const WINDOW_MAX: i64 = (1 << 31) - 1;
/// What a client sends first.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// RFC 9113 section 6.
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// Flags of frames; some share a bit.
pub(crate) mod flag {
    pub(crate) const END_STREAM: u8 = 0x1;
    pub(crate) const ACK: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// RFC 9113 section 6.5.2.
pub(crate) mod setting {
    pub(crate) const ENABLE_PUSH: u16 = 2;
    pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(crate) const MAX_FRAME_SIZE: u16 = 5;
}

/// RFC 9113 section 7.
pub(crate) mod code {
    pub(crate) const PROTOCOL_ERROR: u32 = 1;
    pub(crate) const INTERNAL_ERROR: u32 = 2;
    pub(crate) const CANCEL: u32 = 8;
}

/// What the other end did wrong: the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Violation(pub(crate) &'static str);

impl From<super::hpack::BrokenBlock> for Violation {
    fn from(_: super::hpack::BrokenBlock) -> Self {
        Self("header block broken")
    }
}

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first frame in `input`, if it is complete, and what follows it.
    pub(crate) fn take(input: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, Violation> {
        let Some((header, rest)) = input.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *header;
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        if length > PAYLOAD_BYTES_MAX {
            return Err(Violation("frame too large"));
        }
        let Some((payload, rest)) = rest.split_at_checked(length) else {
            return Ok(None);
        };
        // The highest bit is reserved.
        let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
        let frame = Self {
            kind,
            flags,
            stream,
            payload,
        };
        Ok(Some((frame, rest)))
    }

    /// Whether a flag is set.
    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload without padding and priority.
    pub(crate) fn content(&self) -> Result<&'a [u8], Violation> {
        let mut content = self.payload;
        let mut padding = 0;
        if self.has(flag::PADDED) {
            let (length, rest) = content
                .split_first()
                .ok_or(Violation("no padding length"))?;
            padding = usize::from(*length);
            content = rest;
        }
        if self.kind == kind::HEADERS && self.has(flag::PRIORITY) {
            content = content.get(5..).ok_or(Violation("no priority"))?;
        }
        let end = content.len().checked_sub(padding);
        end.and_then(|end| content.get(..end))
            .ok_or(Violation("padding longer than the frame"))
    }

    /// The payload as one number.
    pub(crate) fn number(&self) -> Result<u32, Violation> {
        let bytes = self
            .payload
            .first_chunk::<4>()
            .ok_or(Violation("frame too short"))?;
        Ok(u32::from_be_bytes(*bytes))
    }

    /// The pairs of a SETTINGS frame.
    pub(crate) fn settings(&self) -> Result<impl Iterator<Item = (u16, u32)> + use<'a>, Violation> {
        if self.stream != 0 || !self.payload.len().is_multiple_of(6) {
            return Err(Violation("settings frame broken"));
        }
        let pair = |bytes: &'a [u8]| match *bytes {
            [k0, k1, v0, v1, v2, v3] => Some((
                u16::from_be_bytes([k0, k1]),
                u32::from_be_bytes([v0, v1, v2, v3]),
            )),
            _ => None,
        };
        Ok(self.payload.chunks_exact(6).filter_map(pair))
    }
}

/// Appends a frame.
pub(crate) fn put(kind: u8, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let [_, l0, l1, l2] = length.to_be_bytes();
    out.extend_from_slice(&[l0, l1, l2, kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Appends a header block in as many frames as it needs.
pub(crate) fn put_headers(stream: u32, block: &[u8], is_end: bool, out: &mut Vec<u8>) {
    let end_stream = if is_end { flag::END_STREAM } else { 0 };
    let (mut rest, mut kind, mut flags) = (block, kind::HEADERS, end_stream);
    loop {
        let (piece, after) = rest.split_at(rest.len().min(PAYLOAD_BYTES_MAX));
        rest = after;
        if rest.is_empty() {
            return put(kind, flags | flag::END_HEADERS, stream, piece, out);
        }
        put(kind, flags, stream, piece, out);
        (kind, flags) = (kind::CONTINUATION, 0);
    }
}

/// Appends a SETTINGS frame.
pub(crate) fn put_settings(settings: &[(u16, u32)], out: &mut Vec<u8>) {
    let mut payload = Vec::with_capacity(settings.len() * 6);
    for (key, value) in settings {
        payload.extend(key.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    put(kind::SETTINGS, 0, 0, &payload, out);
}

/// Appends a frame whose payload is one number: WINDOW_UPDATE, RST_STREAM.
pub(crate) fn put_number(kind: u8, stream: u32, number: u32, out: &mut Vec<u8>) {
    put(kind, 0, stream, &number.to_be_bytes(), out);
}

/// Appends a GOAWAY frame.
pub(crate) fn put_goaway(last_stream: u32, code: u32, out: &mut Vec<u8>) {
    let mut payload = last_stream.to_be_bytes().to_vec();
    payload.extend(code.to_be_bytes());
    put(kind::GOAWAY, 0, 0, &payload, out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn content_has_no_padding() {
        let frame = |flags, payload| Frame {
            kind: kind::HEADERS,
            flags,
            stream: 1,
            payload,
        };
        assert_eq!(frame(0, b"abc").content(), Ok(&b"abc"[..]));
        assert_eq!(frame(flag::PADDED, b"\x02abcde").content(), Ok(&b"abc"[..]));
        let both = flag::PADDED | flag::PRIORITY;
        assert_eq!(frame(both, b"\x01ppppwabx").content(), Ok(&b"ab"[..]));
        assert!(frame(flag::PADDED, b"\x04abc").content().is_err());
        assert!(frame(flag::PADDED, b"").content().is_err());
    }

    #[test]
    fn long_blocks_are_continued() {
        let mut out = Vec::new();
        put_headers(3, &[7; 40_000], true, &mut out);
        let (first, rest) = Frame::take(&out).unwrap().unwrap();
        let (second, rest) = Frame::take(rest).unwrap().unwrap();
        let (third, rest) = Frame::take(rest).unwrap().unwrap();
        assert!(rest.is_empty());
        assert_eq!((first.kind, first.flags), (kind::HEADERS, flag::END_STREAM));
        assert_eq!((second.kind, second.flags), (kind::CONTINUATION, 0));
        assert_eq!(
            (third.flags, third.payload.len()),
            (flag::END_HEADERS, 40_000 - 32_768)
        );
    }

    proptest! {
        #[test]
        fn frames_there_and_back(
            kind: u8, flags: u8, stream in 0_u32..1 << 31,
            payload in prop::collection::vec(any::<u8>(), 0..500),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut out = Vec::new();
            put(kind, flags, stream, &payload, &mut out);
            prop_assert_eq!(Frame::take(&out[..cut.index(out.len())]), Ok(None));
            let frame = Frame { kind, flags, stream, payload: &payload };
            prop_assert_eq!(Frame::take(&out), Ok(Some((frame, &[][..]))));
        }
    }
}
