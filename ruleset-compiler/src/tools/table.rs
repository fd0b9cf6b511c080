//! Figures about a bundle, as lines for a person.

use sallyport_ruleset::bundle::Sizes;

use crate::diagnostic::counted;

/// What a bundle holds, one name and one text a line.
#[must_use]
pub fn sizes(sizes: &Sizes) -> Vec<(&'static str, String)> {
    let [pre_dns, pre_request, post_response] = sizes.rules_count;
    vec![
        (
            "rules",
            format!("PreDNS {pre_dns}, PreREQUEST {pre_request}, PostRESPONSE {post_response}"),
        ),
        ("groups", sizes.groups_count.to_string()),
        (
            "predicates",
            format!(
                "{} over {}",
                sizes.predicates_count,
                counted(sizes.fields_count, "field")
            ),
        ),
        (
            "hash tables",
            format!(
                "{}, {}",
                counted(sizes.table_entries_count, "value"),
                bytes(sizes.table_bytes)
            ),
        ),
        ("ranges", counted(sizes.bounds_count, "bound")),
        (
            "patterns",
            format!(
                "{} behind literals ({} at load), {} on demand",
                sizes.patterns_count,
                bytes(sizes.searcher_bytes),
                sizes.residuals_count
            ),
        ),
        (
            "automata",
            format!(
                "{}, {}, {}",
                sizes.automata_count,
                counted(sizes.automata_states_count, "state"),
                bytes(sizes.automata_bytes)
            ),
        ),
        ("strings", bytes(sizes.strings_bytes)),
        ("file", bytes(sizes.bytes)),
    ]
}

/// The lines with their texts under each other.
#[must_use]
pub fn render(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines
        .iter()
        .map(|(name, text)| format!("  {name:width$}  {text}\n"))
        .collect()
}

/// A size as people read it.
#[must_use]
pub fn bytes(count: usize) -> String {
    const UNITS: [(usize, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.into_iter().find(|(unit, _)| count >= *unit) {
        Some((unit, name)) => {
            let tenths = count.saturating_mul(10) / unit;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => counted(count, "byte"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(1_023), "1023 bytes");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(5 << 20), "5.0 MiB");
    }
}
