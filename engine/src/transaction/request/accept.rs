//! Which of our formats an `Accept` wants (RFC 9110 sections 12.4.2 and 12.5.1).

/// How the body of an answer of ours is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    Html,
}

/// In the order that decides where `Accept` does not.
const FORMATS: [(Format, &[&str]); 3] = [
    (Format::Text, &["text/plain"]),
    (Format::Json, &["application/json"]),
    (Format::Html, &["text/html", "application/xhtml+xml"]),
];

/// A range of `Accept` that a format is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Match {
    /// 2 for a type and subtype, 1 for a type, 0 for `*/*`: the most specific range counts.
    precision: u8,
    /// In thousandths.
    quality: u16,
}

/// The format with the highest quality; of several the one that is named first, and plain text where
/// nothing says otherwise: an answer in no format at all helps nobody.
pub(crate) fn preferred<'v>(accept: impl Iterator<Item = &'v [u8]>) -> Format {
    let mut best = FORMATS.map(|(format, _)| (format, None::<(Match, usize)>));
    let ranges = accept.flat_map(|value| value.split(|byte| *byte == b','));
    for (place, range) in ranges.enumerate() {
        let Some((range, quality)) = parse(range) else {
            continue;
        };
        for ((_, found), (_, types)) in best.iter_mut().zip(FORMATS) {
            let precision = types.iter().filter_map(|name| precision(range, name)).max();
            let Some(precision) = precision else { continue };
            let new = Match { precision, quality };
            if found.is_none_or(|(before, _)| new > before) {
                *found = Some((new, place));
            }
        }
    }
    let wanted = best.into_iter().filter_map(|(format, found)| {
        let (Match { quality, .. }, place) = found?;
        (quality > 0).then_some((format, quality, place))
    });
    // Of equals the first stays.
    let best = wanted.reduce(|best, next| {
        let is_better = next.1 > best.1 || (next.1 == best.1 && next.2 < best.2);
        if is_better { next } else { best }
    });
    best.map_or(Format::Text, |(format, ..)| format)
}

/// A media range and its quality; `None` for what is no such thing.
fn parse(range: &[u8]) -> Option<(&[u8], u16)> {
    let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let weight = parts.find_map(|part| match part {
        [b'q' | b'Q', b'=', value @ ..] => Some(value),
        _ => None,
    });
    match weight {
        None => Some((name, 1000)),
        Some(value) => Some((name, quality(value)?)),
    }
}

/// `0`, `1`, or either with up to three decimals that do not make it more than one.
fn quality(value: &[u8]) -> Option<u16> {
    let (whole, decimals) = match value {
        [whole] | [whole, b'.'] => (whole, &[][..]),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut thousandths = match whole {
        b'0' => 0,
        b'1' => 1000,
        _ => return None,
    };
    for (digit, weight) in decimals.iter().zip([100, 10, 1]) {
        if !digit.is_ascii_digit() {
            return None;
        }
        thousandths += u16::from(*digit - b'0') * weight;
    }
    (thousandths <= 1000).then_some(thousandths)
}

/// How exactly a range means `media_type`; `None` if it does not.
fn precision(range: &[u8], media_type: &str) -> Option<u8> {
    if range == b"*/*" {
        return Some(0);
    }
    if range.eq_ignore_ascii_case(media_type.as_bytes()) {
        return Some(2);
    }
    let of_type = range.strip_suffix(b"*")?;
    let is_same = media_type
        .as_bytes()
        .get(..of_type.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(of_type));
    (of_type.ends_with(b"/") && is_same).then_some(1)
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_quality_wins_and_of_equals_the_first() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        let cases: &[(&[&str], Format)] = &[
            (&[], Format::Text),
            (&[""], Format::Text),
            (&["*/*"], Format::Text),
            (&["text/*"], Format::Text),
            (&["application/*"], Format::Json),
            (&[browser], Format::Html),
            (&["application/json, text/plain, */*"], Format::Json),
            (&["text/plain, application/json"], Format::Text),
            (&["text/plain;q=0.5, application/json"], Format::Json),
            (
                &["text/plain;q=0.5, application/json;q=0.499"],
                Format::Text,
            ),
            (
                &["text/html;q=0.2", "Application/JSON ; q=0.3"],
                Format::Json,
            ),
            (
                &["text/html; level=1; q=0.4, text/plain; Q=0.3"],
                Format::Html,
            ),
            (&["application/json;charset=utf-8"], Format::Json),
            // The most specific range counts, wherever it stands.
            (&["*/*, text/plain;q=0.1"], Format::Json),
            (&["text/plain;q=0, */*"], Format::Json),
            (&["text/*;q=0, */*;q=0.1"], Format::Json),
            (&["text/*;q=0.3, text/html;q=0.7"], Format::Html),
            (&["application/json;q=0, text/html;q=0.001"], Format::Html),
            // Nothing is acceptable: text all the same.
            (&["*/*;q=0"], Format::Text),
            (&["image/png"], Format::Text),
            // What is no range, or has no quality that there is, says nothing.
            (&["application/json;q=2, text/html;q=0.1"], Format::Html),
            (&["application/json;q=1.001, text/html;q=0.1"], Format::Html),
            (
                &["application/json;q=0.0001, text/html;q=0.1"],
                Format::Html,
            ),
            (&["application/json;q=, text/html;q=0.1"], Format::Html),
            (&["application/json;q=1., text/html"], Format::Json),
            (&["json, */, *, text*"], Format::Text),
        ];
        for (values, expected) in cases {
            let values = values.iter().map(|value| value.as_bytes());
            assert_eq!(preferred(values.clone()), *expected, "{values:?}");
        }
    }
}
