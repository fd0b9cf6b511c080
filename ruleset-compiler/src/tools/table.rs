//! Figures about a bundle, as lines for a person.

use bytesize::ByteSize;
use comfy_table::{CellAlignment, Row, Table};
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
                "{} behind literals ({} at load), {} by their shape, {} on demand",
                sizes.patterns_count,
                bytes(sizes.searcher_bytes),
                sizes.window_keys_count,
                sizes.residuals_count
            ),
        ),
        (
            "automata",
            format!(
                "{}, {} of several expressions, {}, {}",
                sizes.automata_count,
                sizes.families_count,
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
    let rows = lines
        .iter()
        .map(|(name, text)| vec![(*name).to_owned(), text.clone()]);
    columns(&[CellAlignment::Left, CellAlignment::Left], rows)
}

/// Rows of equal length with their cells under each other, two spaces apart and two in.
#[must_use]
pub fn columns(sides: &[CellAlignment], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.add_rows(rows.into_iter().map(Row::from));
    if table.is_empty() {
        return String::new();
    }
    for (column, side) in table.column_iter_mut().zip(sides) {
        column.set_padding((2, 0));
        column.set_cell_alignment(*side);
    }
    table.trim_fmt() + "\n"
}

/// A size as people read it.
#[must_use]
pub fn bytes(count: usize) -> String {
    if count < 1 << 10 {
        return counted(count, "byte");
    }
    ByteSize::b(count as u64).display().iec().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_under_each_other() {
        let rows = [["a", "10", "x"], ["long", "5", ""]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let (left, right) = (CellAlignment::Left, CellAlignment::Right);
        assert_eq!(
            columns(&[left, right, left], rows),
            "  a     10  x\n  long   5\n"
        );
        assert_eq!(columns(&[left], []), "");
    }

    #[test]
    fn sizes_for_people() {
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(1_023), "1023 bytes");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(5 << 20), "5.0 MiB");
    }
}
