//! Choices out of raw bytes, for `generate` and the fuzz targets. Not used outside tests.

/// Choices, taken from bytes; when they run out, every choice is the first.
#[derive(Clone, Copy, Debug)]
pub struct Entropy<'b>(&'b [u8]);

impl<'b> Entropy<'b> {
    /// Choices out of these bytes.
    #[must_use]
    pub const fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// A number below `count` (0 when `count` is 0).
    pub fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first) % count.max(1)
    }

    /// Eight bytes as a number, for subsets.
    pub fn mask(&mut self) -> u64 {
        (0..8).fold(0, |mask, _| mask << 8 | self.below(256) as u64)
    }

    pub(crate) fn chance(&mut self, of_16: usize) -> bool {
        self.below(16) >= 16 - of_16.min(16)
    }

    pub(crate) fn pick<'i, T>(&mut self, items: &'i [T]) -> Option<&'i T> {
        items.get(self.below(items.len()))
    }

    pub(crate) fn word(&mut self, words: &[&str]) -> String {
        self.pick(words).copied().unwrap_or_default().to_owned()
    }

    pub(crate) fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = 1 + self.below(most);
        (0..count).map(|_| make(self)).collect()
    }
}
