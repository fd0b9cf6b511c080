//! The frame whose payload is coming: what is collected of it, and where its padding is. Called by
//! `frame_guard`.

use super::frames::{CONTINUATION, FrameHeader, HEADERS, PADDED, PRIORITIZED};

/// A frame, as far as it has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frame {
    pub(super) header: FrameHeader,
    /// Bytes still to come.
    pub(super) left: usize,
    /// The beginning of SETTINGS, WINDOW_UPDATE and GOAWAY, as far as it is of interest.
    word: [u8; WORD_BYTES],
    word_len: usize,
    /// Bytes before the fragment of a field block, and of the fragment or of content.
    lead: usize,
    fragment: usize,
}

/// As many bytes as GOAWAY says something in; a setting has six, a window four.
const WORD_BYTES: usize = 8;

impl Frame {
    /// What comes before the first frame.
    pub(super) fn preface(bytes: usize) -> Self {
        Self {
            left: bytes,
            ..Self::default()
        }
    }

    /// A frame behind its header, if it is long enough for what its flags say.
    pub(super) fn begin(header: FrameHeader) -> Option<Self> {
        let mut frame = Self {
            header,
            left: header.length,
            fragment: header.length,
            ..Self::default()
        };
        if matches!(header.kind, HEADERS | CONTINUATION) {
            let is_head = header.kind == HEADERS;
            let padded = usize::from(is_head && header.has(PADDED));
            let prioritized = 5 * usize::from(is_head && header.has(PRIORITIZED));
            frame.lead = padded + prioritized;
            frame.fragment = header.length.checked_sub(frame.lead)?;
        }
        Some(frame)
    }

    /// What was collected.
    pub(super) fn word(&self) -> [u8; WORD_BYTES] {
        self.word
    }

    /// Collects `size` bytes; once they are there, what they are.
    pub(super) fn collect(&mut self, byte: u8, size: usize) -> Option<[u8; WORD_BYTES]> {
        if let Some(place) = self.word.get_mut(self.word_len) {
            *place = byte;
        }
        self.word_len += 1;
        if self.word_len < size {
            return None;
        }
        self.word_len = 0;
        Some(self.word)
    }

    /// The fields in further bytes of HEADERS or CONTINUATION, which are padding length and priority,
    /// fields, padding. `None` if there is more padding than payload.
    pub(super) fn fields<'b>(&mut self, mut bytes: &'b [u8]) -> Option<&'b [u8]> {
        while self.lead > 0 {
            let Some((first, behind)) = bytes.split_first() else {
                return Some(&[]);
            };
            let is_padding = self.word_len == 0 && self.header.has(PADDED);
            if is_padding {
                self.fragment = self.fragment.checked_sub(usize::from(*first))?;
            }
            self.word_len = 1;
            self.lead -= 1;
            bytes = behind;
        }
        let size = self.fragment.min(bytes.len());
        self.fragment -= size;
        bytes.get(..size)
    }

    /// How much of further bytes of DATA is content.
    pub(super) fn content(&mut self, bytes: &[u8]) -> usize {
        let mut size = bytes.len();
        if self.header.has(PADDED) && self.word_len == 0 {
            self.word_len = 1;
            let padding = bytes.first().map_or(0, |byte| usize::from(*byte));
            // More padding than payload ends the connection: nothing of it is content.
            self.fragment = self.fragment.saturating_sub(1 + padding);
            size = size.saturating_sub(1);
        }
        let size = size.min(self.fragment);
        self.fragment -= size;
        size
    }
}
