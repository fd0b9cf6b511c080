//! Names and what is under them: one walk over the labels from the right, one probe per level.
//! The hash of a suffix continues that of the shorter suffix, so the whole walk hashes each byte
//! once. Not here: the table itself (`hash.rs`) and comparing the found entry (the caller).

use super::hash::{SEED, hash};

/// How many labels the deepest distinguished level has; deeper ones share its bit.
const DEPTH_MAX: u32 = 31;

/// A suffix of a name that starts at a label.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suffix<'n> {
    pub(crate) name: &'n [u8],
    pub(crate) hash: u64,
    /// Bit of the number of labels.
    pub(crate) depth_bit: u32,
    /// It is the whole name.
    pub(crate) is_whole: bool,
}

/// The suffixes of a name, from the top level down. Any bytes will do: a label is what lies
/// between dots.
pub(crate) fn suffixes(name: &[u8]) -> impl Iterator<Item = Suffix<'_>> {
    let mut state = SEED;
    let mut depth = 0;
    // End of the label to hash next; `None` when the whole name has been given.
    let mut label_end = Some(name.len());
    std::iter::from_fn(move || {
        let end = label_end?;
        let rest = name.get(..end)?;
        let dot = rest.iter().rposition(|byte| *byte == b'.');
        let start = dot.map_or(0, |dot| dot + 1);
        state = hash(state, rest.get(start..)?);
        depth = DEPTH_MAX.min(depth + 1);
        label_end = dot;
        Some(Suffix {
            name: name.get(start..)?,
            hash: state,
            depth_bit: 1 << depth,
            is_whole: dot.is_none(),
        })
    })
}

/// Hash and depth bit of a whole name, as the walk sees it.
pub(crate) fn whole(name: &[u8]) -> (u64, u32) {
    suffixes(name)
        .last()
        .map_or((SEED, 0), |suffix| (suffix.hash, suffix.depth_bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_from_the_right() {
        let names: Vec<_> = suffixes(b"a.bc.d").map(|s| (s.name, s.is_whole)).collect();
        assert_eq!(
            names,
            [(&b"d"[..], false), (b"bc.d", false), (b"a.bc.d", true)]
        );
        let names: Vec<_> = suffixes(b".x").map(|s| (s.name, s.is_whole)).collect();
        assert_eq!(names, [(&b"x"[..], false), (b".x", true)]);
        assert_eq!(suffixes(b"").count(), 1);
    }

    #[test]
    fn a_suffix_hashes_as_the_name_it_is() {
        for suffix in suffixes(b"www.some-name.example.co.uk") {
            assert_eq!(whole(suffix.name), (suffix.hash, suffix.depth_bit));
        }
    }
}
