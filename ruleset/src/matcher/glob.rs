//! Globs: `*` any run of bytes, `?` one byte. Matched piece by piece: what stands between two
//! stars is found at its first place, and never has to be looked for again.

/// Whether the glob matches the whole text. Allocates nothing; linear for globs with short pieces,
/// at worst the product of the lengths.
#[must_use]
pub fn matches(glob: &[u8], text: &[u8]) -> bool {
    let Some((head, rest)) = split_at_star(glob) else {
        return glob.len() == text.len() && fits(glob, text);
    };
    let Some((start, mut text)) = text.split_at_checked(head.len()) else {
        return false;
    };
    if !fits(head, start) {
        return false;
    }
    let mut rest = rest;
    while let Some((piece, after)) = split_at_star(rest) {
        match find(piece, text) {
            Some(behind) => text = behind,
            None => return false,
        }
        rest = after;
    }
    let Some(tail_at) = text.len().checked_sub(rest.len()) else {
        return false;
    };
    text.split_at_checked(tail_at)
        .is_some_and(|(_, tail)| fits(rest, tail))
}

/// Whether the value has a wildcard at all.
#[must_use]
pub fn has_wildcard(glob: &str) -> bool {
    glob.bytes().any(|byte| matches!(byte, b'*' | b'?'))
}

/// What follows the first place where the piece fits.
fn find<'t>(piece: &[u8], text: &'t [u8]) -> Option<&'t [u8]> {
    if piece.is_empty() {
        return Some(text);
    }
    let at = text
        .windows(piece.len())
        .position(|window| fits(piece, window))?;
    text.get(at + piece.len()..)
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
            prop_assert_eq!(matches(glob.as_bytes(), text.as_bytes()), expected);
        }
    }
}
