//! Numbers of bytes and ranges of them, as options give them.

use super::unsupported::Unsupported;

/// A number of bytes.
///
/// # Errors
/// When it is none, or larger than any buffer here.
pub(super) fn number(text: &str) -> Result<usize, Unsupported> {
    // As many bytes as no buffer here has; expressions could not count further either.
    const MOST: usize = 65_535;
    let number = text.parse().ok().filter(|number| *number <= MOST);
    number.ok_or_else(|| Unsupported::Number(text.to_owned()))
}

/// `N`, `<N`, `>N`, `<=N`, `>=N`, `N<>M` with both ends left out: least and most.
///
/// # Errors
/// When it is none of these, or no length is so.
pub(super) fn range(text: &str) -> Result<(usize, Option<usize>), Unsupported> {
    let text = text.replace(' ', "");
    let never = || Unsupported::NoLength(text.clone());
    if let Some((from, to)) = text.split_once("<>") {
        let (least, below) = (number(from)? + 1, number(to)?);
        let most = below.checked_sub(1).filter(|most| *most >= least);
        return Ok((least, Some(most.ok_or_else(never)?)));
    }
    if let Some(most) = text.strip_prefix("<=") {
        return Ok((0, Some(number(most)?)));
    }
    if let Some(least) = text.strip_prefix(">=") {
        return Ok((number(least)?, None));
    }
    if let Some(below) = text.strip_prefix('<') {
        return Ok((0, Some(number(below)?.checked_sub(1).ok_or_else(never)?)));
    }
    if let Some(above) = text.strip_prefix('>') {
        return Ok((number(above)? + 1, None));
    }
    let exact = number(&text)?;
    Ok((exact, Some(exact)))
}

/// `urilen`: a number of bytes of path and query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UriLength {
    pub(super) least: usize,
    pub(super) most: Option<usize>,
    /// As they were sent; else decoded, which is the default.
    pub(super) raw: bool,
}

impl UriLength {
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(value: &str) -> Result<Self, Unsupported> {
        let (length, of) = value.split_once(',').unwrap_or((value, "norm"));
        let (least, most) = range(length)?;
        let raw = match of.trim() {
            "norm" => false,
            "raw" => true,
            other => return Err(Unsupported::NormOrRaw(other.to_owned())),
        };
        Ok(Self { least, most, raw })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, expected) in [
            ("7", Ok((7, Some(7)))),
            ("<7", Ok((0, Some(6)))),
            ("> 7", Ok((8, None))),
            ("<=7", Ok((0, Some(7)))),
            (">=7", Ok((7, None))),
            ("3<>7", Ok((4, Some(6)))),
            ("3<>4", Err(())),
            ("<0", Err(())),
            ("70000", Err(())),
            ("x", Err(())),
            ("", Err(())),
        ] {
            assert_eq!(range(text).map_err(drop), expected, "{text}");
        }
    }
}
