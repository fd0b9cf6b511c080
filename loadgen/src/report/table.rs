//! Columns of text for a terminal, without lines between them.

use comfy_table::{CellAlignment, Row, Table};

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Renders rows of equal length, each line two spaces in and ended; nothing for no rows.
pub(crate) fn render(sides: &[Side], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.add_rows(rows.into_iter().map(Row::from));
    for (column, side) in table.column_iter_mut().zip(sides) {
        column.set_padding((2, 0));
        column.set_cell_alignment(match side {
            Side::Left => CellAlignment::Left,
            Side::Right => CellAlignment::Right,
        });
    }
    table.trim_fmt() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = vec![
            row(["a", "1\u{202f}000 µs", "x"]),
            row(["longer", "5 ms", ""]),
        ];
        assert_eq!(
            render(&[Side::Left, Side::Right, Side::Left], rows),
            "  a       1\u{202f}000 µs  x\n  longer      5 ms\n"
        );
        assert_eq!(render(&[Side::Left], Vec::new()), "");
    }
}
