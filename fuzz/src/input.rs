//! Choices out of raw bytes, for targets whose input is more than one message, and the places where
//! an input is cut in two.

/// Bytes taken from the front; when they run out, every choice is zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'d>(&'d [u8]);

impl<'d> Input<'d> {
    pub(crate) const fn new(data: &'d [u8]) -> Self {
        Self(data)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A number below `count`.
    pub(crate) fn below(&mut self, count: u8) -> u8 {
        self.byte() % count.max(1)
    }

    /// The next `len` bytes, or as many as there are.
    pub(crate) fn take(&mut self, len: usize) -> &'d [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub(crate) fn rest(&mut self) -> &'d [u8] {
        std::mem::take(&mut self.0)
    }
}

/// Lengths of prefixes worth trying: all of a short input, some thirty of a long one, the shortest
/// and the longest among them.
pub(crate) fn cuts(len: usize) -> impl Iterator<Item = usize> {
    let step = len.div_ceil(32).max(1);
    (0..len).step_by(step).chain(len.checked_sub(1))
}
