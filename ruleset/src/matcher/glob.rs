//! Globs: `*` any run of bytes, `?` one byte. Matched piece by piece: what stands between two
//! stars is found at its first place, and never has to be looked for again.

/// Whether the glob matches the whole text. Allocates nothing. Takes at most the steps of `bound`.
#[must_use]
pub fn matches(glob: &[u8], text: &[u8]) -> bool {
    matches_counted(glob, text, |_| {})
}

/// What matching a glob costs at most, in bytes of text that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    /// Whatever the text.
    pub(crate) fixed: u64,
    /// For each byte of it.
    pub(crate) per_byte: u64,
}

/// A piece that must be found costs one step for each byte of the text, or, with a `?`, as many as
/// it is long.
pub(crate) fn bound(glob: &[u8]) -> Bound {
    Bound {
        fixed: glob.len() as u64,
        per_byte: searched_piece_bytes(glob).max(1) as u64,
    }
}

/// Length of the longest piece between two stars that has a `?`.
pub(crate) fn searched_piece_bytes(glob: &[u8]) -> usize {
    let pieces: Vec<&[u8]> = glob.split(|byte| *byte == b'*').collect();
    let between = pieces
        .get(1..pieces.len().saturating_sub(1))
        .unwrap_or_default();
    let with_any = between.iter().filter(|piece| piece.contains(&b'?'));
    with_any.map(|piece| piece.len()).max().unwrap_or(0)
}

/// As [`matches`]; `count` is told of the steps.
pub(crate) fn matches_counted(glob: &[u8], text: &[u8], mut count: impl FnMut(usize)) -> bool {
    let Some((head, rest)) = split_at_star(glob) else {
        count(glob.len());
        return glob.len() == text.len() && fits(glob, text);
    };
    let Some((start, mut text)) = text.split_at_checked(head.len()) else {
        return false;
    };
    count(head.len());
    if !fits(head, start) {
        return false;
    }
    let mut rest = rest;
    while let Some((piece, after)) = split_at_star(rest) {
        match find(piece, text, &mut count) {
            Some(behind) => text = behind,
            None => return false,
        }
        rest = after;
    }
    let Some(tail_at) = text.len().checked_sub(rest.len()) else {
        return false;
    };
    count(rest.len());
    text.split_at_checked(tail_at)
        .is_some_and(|(_, tail)| fits(rest, tail))
}

/// Whether the value has a wildcard at all.
#[must_use]
pub fn has_wildcard(glob: &str) -> bool {
    glob.bytes().any(|byte| matches!(byte, b'*' | b'?'))
}

/// What follows the first place where the piece fits. A piece without `?` is searched for in linear
/// time; one with it is short (`limits::GLOB_SEARCHED_BYTES_MAX`).
fn find<'t>(piece: &[u8], text: &'t [u8], count: &mut impl FnMut(usize)) -> Option<&'t [u8]> {
    if piece.is_empty() {
        return Some(text);
    }
    if !piece.contains(&b'?') {
        let at = memchr::memmem::find(text, piece);
        count(at.map_or(text.len(), |at| at + piece.len()));
        return text.get(at? + piece.len()..);
    }
    let at = text
        .windows(piece.len())
        .position(|window| fits(piece, window));
    let all = (text.len() + 1).saturating_sub(piece.len());
    let windows = at.map_or(all, |at| at + 1);
    count(windows * piece.len());
    text.get(at? + piece.len()..)
}

fn split_at_star(glob: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = glob.iter().position(|byte| *byte == b'*')?;
    Some((glob.get(..at)?, glob.get(at + 1..)?))
}

/// Piece and text are equally long.
fn fits(piece: &[u8], text: &[u8]) -> bool {
    piece
        .iter()
        .zip(text)
        .all(|(symbol, byte)| symbol == byte || *symbol == b'?')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_regular_expression(glob in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let pattern = format!("^(?s){}$", glob.replace('*', ".*").replace('?', "."));
            let regex = crate::matcher::regex::interpreter(&pattern).unwrap();
            let expected = regex.is_match(&mut regex.create_cache(), text.as_bytes());
            let mut steps = 0;
            let found = matches_counted(glob.as_bytes(), text.as_bytes(), |count| steps += count);
            prop_assert_eq!(found, expected);
            let bound = bound(glob.as_bytes());
            prop_assert!(steps as u64 <= bound.fixed + bound.per_byte * text.len() as u64);
        }
    }
}
