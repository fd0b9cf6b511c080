//! Globs of one shape: pieces with `?` at the same places, all found in one pass over the text.
//!
//! `*ab?cd*` has only literals of two bytes, which are in every text, and so have ten thousand like it.
//! But of each run of five bytes of a text one look into a hash table tells which of them it is:
//!
//! ```text
//! text  …xxabycdzz…      the run abycd, what is not fixed as ?: ab?cd ──▶ table of pieces of that shape
//!          ab?cd
//! ```
//! Where nothing but the piece is asked for, that is the proof. Not here: which globs are found like
//! this (`index/windows.rs`), and the table (`hash.rs`).

use super::hash::{SEED, hash};
use crate::invariant::Invariant;

/// Longest piece, in bytes: one bit each.
pub(crate) const BYTES_MAX: usize = 64;

/// The places of a piece that are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Shape {
    /// How long the piece is.
    pub(crate) bytes: u32,
    /// Bit of each place that is not `?`.
    pub(crate) fixed: u64,
}

impl Shape {
    /// The shape of a piece; `None` when it is too long, or nothing.
    pub(crate) fn of(piece: &[u8]) -> Option<Self> {
        let places = piece.iter().enumerate();
        let fixed = places.filter(|(_, byte)| **byte != b'?');
        let bytes = u32::try_from(piece.len()).ok()?;
        let is_short = (1..=BYTES_MAX).contains(&piece.len());
        is_short.then(|| Self {
            bytes,
            fixed: fixed.fold(0, |bits, (at, _)| bits | 1 << at),
        })
    }

    /// Whether it is the shape of a piece.
    pub(crate) fn is_possible(self) -> bool {
        (1..=BYTES_MAX).contains(&(self.bytes as usize))
    }

    pub(crate) const fn fixed_count(self) -> usize {
        self.fixed.count_ones() as usize
    }

    /// Shows each run of the text of this length, with `?` where nothing is fixed, and its hash.
    pub(crate) fn for_each_run(self, text: &[u8], mut found: impl FnMut(&[u8], u64)) {
        let length = self.bytes as usize;
        let mut buffer = [b'?'; BYTES_MAX];
        let key = buffer.get_mut(..length).filter(|key| !key.is_empty());
        let key = key.or_broken("the length of a piece");
        for run in text.windows(length) {
            let mut fixed = self.fixed;
            for (place, byte) in key.iter_mut().zip(run) {
                *place = if fixed & 1 == 1 { *byte } else { b'?' };
                fixed >>= 1;
            }
            found(key, key_hash(key));
        }
    }
}

/// The hash of a piece.
pub(crate) fn key_hash(piece: &[u8]) -> u64 {
    hash(SEED, piece)
}

/// A piece of a glob that whatever it matches has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'g> {
    pub(crate) text: &'g [u8],
    pub(crate) shape: Shape,
    /// A text that has the piece matches.
    pub(crate) is_all: bool,
}

/// The piece of a glob with the most fixed places, if it has a `?` at all.
pub(crate) fn piece(glob: &[u8]) -> Option<Piece<'_>> {
    let pieces = || glob.split(|byte| *byte == b'*');
    let with_any = pieces().filter(|piece| piece.contains(&b'?'));
    let shaped = with_any.filter_map(|text| Some((text, Shape::of(text)?)));
    let (text, shape) = shaped.max_by_key(|(_, shape)| shape.fixed_count())?;
    let is_inside = glob.starts_with(b"*") && glob.ends_with(b"*");
    let others = pieces().filter(|piece| !piece.is_empty()).count();
    Some(Piece {
        text,
        shape,
        is_all: is_inside && others == 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::glob;
    use proptest::prelude::*;

    #[test]
    fn pieces() {
        let found = |glob: &'static str| {
            let piece = piece(glob.as_bytes())?;
            Some((str::from_utf8(piece.text).unwrap(), piece.is_all))
        };
        assert_eq!(found("*ab?cd*"), Some(("ab?cd", true)));
        assert_eq!(found("**?ab?**"), Some(("?ab?", true)));
        assert_eq!(found("ab?cd*"), Some(("ab?cd", false)));
        assert_eq!(found("*ab?cd"), Some(("ab?cd", false)));
        assert_eq!(found("*a?b*ab?cd*"), Some(("ab?cd", false)));
        assert_eq!(found("*abcd*"), None);
        let long = format!("*{}*", "a?".repeat(33));
        assert_eq!(piece(long.as_bytes()), None);
    }

    proptest! {
        /// The runs of a text tell what its globs match.
        #[test]
        fn agrees_with_globs(glob in r"[ab*]{0,2}[ab?]{1,6}[ab*]{0,2}", text in "[ab?]{0,12}") {
            if let Some(piece) = piece(glob.as_bytes()) {
                let (glob, text) = (glob.as_bytes(), text.as_bytes());
                let mut is_met = false;
                piece.shape.for_each_run(text, |run, hash| {
                    is_met |= run == piece.text;
                    assert_eq!(hash, key_hash(run));
                });
                let is_match = glob::matches(glob, text);
                prop_assert!(is_met || !is_match);
                prop_assert!(!piece.is_all || is_met == is_match);
            }
        }
    }
}
