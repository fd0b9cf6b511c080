//! "Did you mean …": the known word nearest to one that was written.

/// The candidate nearest to `word`, if one is near enough that a slip of the fingers explains the
/// difference. Letter case and the separators `_`, `-` and `.` do not count.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const WORD_CHARS_MAX: usize = 80;
    let word = plain(word);
    let length = word.chars().count();
    if length == 0 || length > WORD_CHARS_MAX {
        return None;
    }
    let allowed = 1 + length / 4;
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// [`nearest`] as the text of a help line.
#[must_use]
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

fn plain(word: &str) -> String {
    word.chars()
        .filter(|c| !matches!(c, '_' | '-' | '.'))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_leaves_strangers_alone() {
        let known = ["StringEquals", "StringLike", "IpAddress"];
        assert_eq!(nearest("StringEqual", known), Some("StringEquals"));
        assert_eq!(nearest("stringlike", known), Some("StringLike"));
        assert_eq!(nearest("ip_adress", known), Some("IpAddress"));
        assert_eq!(nearest("Frobnicate", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"a".repeat(100_000), known), None);
    }
}
