//! A range of the caller's buffer, stored as offsets instead of a borrow.
//!
//! Heads keep spans so that they can outlive one read and be reused for the
//! next message. Every head in `http1` is made of them.

/// A range of the buffer that was parsed.
///
/// It is only meaningful together with that buffer (or a longer one with the
/// same first bytes).
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// The `len` bytes from `start` on. Offsets past 4 GiB give the empty span.
    pub fn new(start: usize, len: usize) -> Self {
        match (u32::try_from(start), u32::try_from(len)) {
            (Ok(start), Ok(len)) => Self { start, len },
            _ => Self::default(),
        }
    }

    /// Where `part` lies in `buf`; the empty span when it lies elsewhere.
    pub(crate) fn locate(buf: &[u8], part: &[u8]) -> Self {
        let Some(start) = part.as_ptr().addr().checked_sub(buf.as_ptr().addr()) else {
            return Self::default();
        };
        if start > buf.len() || part.len() > buf.len() - start {
            return Self::default();
        }
        Self::new(start, part.len())
    }

    /// The bytes of this span.
    ///
    /// # Panics
    /// When `buf` is too short to hold it, so that it cannot be the buffer that was parsed. An empty value
    /// in its place would be one that rules judge and an origin never sees.
    #[inline]
    #[track_caller]
    pub fn of(self, buf: &[u8]) -> &[u8] {
        match buf.get(self.start()..self.end()) {
            Some(bytes) => bytes,
            None => self.broken(buf.len()),
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    #[expect(
        clippy::panic,
        reason = "to go on would be to judge something else than what is sent"
    )]
    fn broken(self, buf_bytes: usize) -> ! {
        panic!(
            "broken invariant: a span of {}..{} in {buf_bytes} bytes",
            self.start(),
            self.end()
        )
    }

    /// Offset of the first byte.
    #[inline]
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// Offset just past the last byte.
    #[inline]
    pub fn end(self) -> usize {
        self.start as usize + self.len as usize
    }

    /// Number of bytes.
    #[inline]
    pub fn len(self) -> usize {
        self.len as usize
    }

    /// Whether there is nothing in it.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_where_it_lies_and_nowhere_else() {
        let buf = b"GET /path".to_vec();
        let span = Span::locate(&buf, &buf[4..]);
        assert_eq!((span.start(), span.end(), span.len()), (4, 9, 5));
        assert_eq!(span.of(&buf), b"/path");
        assert!(Span::locate(&buf[..3], &buf[4..]).is_empty());
        assert!(Span::locate(&buf[4..], &buf[..3]).is_empty());
        assert!(Span::locate(&buf, b"static").is_empty());
        assert_eq!(Span::default().of(b""), b"");
    }

    #[test]
    #[should_panic(expected = "a span of 4..9 in 6 bytes")]
    fn another_buffer_is_not_taken_for_the_one_that_was_parsed() {
        let buf = b"GET /path".to_vec();
        let _ = Span::locate(&buf, &buf[4..]).of(&buf[..6]);
    }
}
