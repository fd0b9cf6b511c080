//! Which requests the codec has answered by itself, seen in what it sends.
//!
//! A request that is malformed, too large or one too many is not shown to whoever serves requests:
//! all that can be seen of it is a RST_STREAM, or a HEADERS frame with status 431.

use super::frames::{DATA, HEADERS, HeaderReader, RST_STREAM};
use super::stream_set::StreamSet;
use crate::invariant::part;

/// A request that was refused before anybody saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its stream.
    pub stream: u32,
    /// The code of its RST_STREAM; `None` if it was answered.
    pub code: Option<u32>,
}

/// A frame that was sent, if it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// HEADERS.
    Head {
        /// In which stream.
        stream: u32,
    },
    /// DATA.
    Content {
        /// In which stream.
        stream: u32,
        /// How much; the codec pads nothing.
        bytes: usize,
    },
    /// RST_STREAM.
    Reset {
        /// Which stream.
        stream: u32,
        /// Why.
        code: u32,
    },
}

/// Reads what is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct SentFrames {
    header: HeaderReader,
    /// Bytes of a payload still to come.
    left: usize,
    /// The stream that is reset in it, and what its code is so far.
    reset: Option<(u32, u32)>,
    /// Streams that somebody serves.
    taken: StreamSet,
    refused: Vec<Refused>,
}

/// Refusals that wait to be looked at.
const REFUSED_MAX: usize = 1024;

impl SentFrames {
    /// Somebody serves this stream.
    pub(super) fn take(&mut self, stream: u32) {
        self.taken.insert(stream);
        if !self.refused.is_empty() {
            self.refused.retain(|refused| refused.stream != stream);
        }
    }

    /// The next refusal.
    pub(super) fn refused(&mut self) -> Option<Refused> {
        self.refused.pop()
    }

    /// Looks at further bytes; `tell` gets what is in them.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Sent)) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(bytes.len());
                let (payload, behind) = bytes.split_at_checked(taken).unwrap_or((bytes, &[]));
                if let Some((_, code)) = &mut self.reset {
                    for byte in payload {
                        *code = *code << 8 | u32::from(*byte);
                    }
                }
                self.left -= taken;
                bytes = behind;
                if self.left == 0
                    && let Some((stream, code)) = self.reset.take()
                {
                    tell(Sent::Reset { stream, code });
                    self.refuse(stream, Some(code));
                }
                continue;
            }
            let (taken, header) = self.header.take(bytes);
            bytes = part(bytes, taken..);
            let Some(header) = header else { return };
            let stream = header.stream;
            self.left = header.length;
            match header.kind {
                RST_STREAM => self.reset = Some((stream, 0)),
                HEADERS => {
                    tell(Sent::Head { stream });
                    self.refuse(stream, None);
                }
                DATA if header.length > 0 => tell(Sent::Content {
                    stream,
                    bytes: header.length,
                }),
                _ => {}
            }
        }
    }

    fn refuse(&mut self, stream: u32, code: Option<u32>) {
        let is_taken = self.taken.contains(stream) || self.taken.is_forgotten(stream);
        let is_known = self.refused.iter().any(|refused| refused.stream == stream);
        if !is_taken && !is_known && self.refused.len() < REFUSED_MAX {
            self.refused.push(Refused { stream, code });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frames::reset_frame;
    use super::*;

    #[test]
    fn only_what_nobody_serves_was_refused() {
        let mut sent = SentFrames::default();
        sent.take(1);
        let head = [0, 0, 1, HEADERS, 4, 0, 0, 0, 5, 0x88];
        let bytes = [&reset_frame(1, 8)[..], &reset_frame(3, 1), &head].concat();
        let mut told = Vec::new();
        for part in bytes.chunks(5) {
            sent.read(part, |frame| told.push(frame));
        }
        let resets = [(1, 8), (3, 1)].map(|(stream, code)| Sent::Reset { stream, code });
        assert_eq!(told, [&resets[..], &[Sent::Head { stream: 5 }]].concat());
        let answered = Refused {
            stream: 5,
            code: None,
        };
        assert_eq!(sent.refused(), Some(answered));
        let reset = Refused {
            stream: 3,
            code: Some(1),
        };
        assert_eq!(sent.refused(), Some(reset));
        assert_eq!(sent.refused(), None);
    }

    #[test]
    fn what_is_served_after_all_was_not_refused() {
        let mut sent = SentFrames::default();
        sent.read(&reset_frame(7, 3), |_| ());
        sent.take(7);
        assert_eq!(sent.refused(), None);
    }
}
