//! A line of a text and what of it is meant, as a person is shown it: cut around the mark, safe to
//! print, with the mark under what it marks in the columns of a terminal, where a character may take
//! two, none, or as many as a tab does.
//!
//! Problems of configurations and of rulesets are told by it. Pure: text in, text out; what a problem
//! is, and how it is framed and colored, is the callers' matter.

#![forbid(unsafe_code)]

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

/// Columns of a tab, wherever it stands: editors and terminals differ on its stops.
const TAB_COLUMNS: usize = 4;
/// Columns of a mark that are to be seen with the line.
const MARK_COLUMNS_WANTED: usize = 20;

/// A line with a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// What is shown of the line: no control characters, no tabs, nothing that reorders text.
    pub line: String,
    /// Columns before the mark.
    pub indent: usize,
    /// Columns of the mark, at least one.
    pub width: usize,
}

impl Excerpt {
    /// Shows at most `columns_max` columns of `line`, of which the octets `marked` are meant. A range that
    /// is empty, or beyond the end, marks one column. Dots stand for what is cut.
    #[must_use]
    pub fn new(line: &str, marked: Range<usize>, columns_max: usize) -> Self {
        let mut cells = Cells::of(line);
        let before = cells.columns_up_to(marked.start);
        let end = cells.columns_up_to(marked.end).max(before + 1);
        // A long line is cut so that the mark stays visible with some text before it.
        let skipped = if before + (end - before).min(MARK_COLUMNS_WANTED) > columns_max {
            before.saturating_sub(columns_max / 4)
        } else {
            0
        };
        let mut shown = String::from(if skipped > 0 { "…" } else { "" });
        let lead = usize::from(skipped > 0);
        let mut first = None;
        let mut is_cut = false;
        for cell in &mut cells {
            if cell.column < skipped {
                continue;
            }
            let from = *first.get_or_insert(cell.column);
            if cell.column + cell.width > from + columns_max {
                is_cut = true;
                break;
            }
            cell.show(&mut shown);
        }
        // A wide character may lie across the cut: what follows begins a column later.
        let from = first.unwrap_or(skipped);
        let limit = from + columns_max;
        if is_cut {
            shown.push('…');
        }
        Self {
            line: shown.trim_end().to_owned(),
            indent: before.saturating_sub(from) + lead,
            width: end.min(limit).saturating_sub(before).max(1),
        }
    }

    /// The line that goes below: spaces and carets.
    #[must_use]
    pub fn underline(&self) -> String {
        format!("{}{}", " ".repeat(self.indent), "^".repeat(self.width))
    }
}

/// One character as it is shown.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Where it begins in the line, octets.
    at: usize,
    column: usize,
    width: usize,
    shown: char,
}

impl Cell {
    fn show(self, out: &mut String) {
        if self.shown == '\t' {
            out.extend(std::iter::repeat_n(' ', self.width));
        } else {
            out.push(self.shown);
        }
    }
}

/// The characters of a line with their columns.
#[derive(Debug, Clone)]
struct Cells<'a> {
    rest: std::str::CharIndices<'a>,
    column: usize,
}

impl<'a> Cells<'a> {
    fn of(line: &'a str) -> Self {
        Self {
            rest: line.char_indices(),
            column: 0,
        }
    }

    /// Columns before the character at octet `at`, or behind the last.
    fn columns_up_to(&self, at: usize) -> usize {
        let before = self.clone().take_while(|cell| cell.at < at);
        before.last().map_or(0, |cell| cell.column + cell.width)
    }
}

impl Iterator for Cells<'_> {
    type Item = Cell;

    fn next(&mut self) -> Option<Cell> {
        let (at, character) = self.rest.next()?;
        let shown = visible(character);
        let width = match shown {
            '\t' => TAB_COLUMNS,
            other => other.width().unwrap_or(0),
        };
        let column = self.column;
        self.column += width;
        Some(Cell {
            at,
            column,
            width,
            shown,
        })
    }
}

/// Control characters in a source must not reach a terminal, and marks that reorder text would show a
/// line other than it is. Tabs stay, for who knows how wide they are.
#[must_use]
pub fn visible(character: char) -> char {
    match character {
        '\t' => '\t',
        other if other.is_control() => char::REPLACEMENT_CHARACTER,
        '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn shown(line: &str, marked: &str) -> (String, String) {
        let at = line.find(marked).expect("in the line");
        let excerpt = Excerpt::new(line, at..at + marked.len(), 60);
        (excerpt.line.clone(), excerpt.underline())
    }

    fn both(line: &str, underline: &str) -> (String, String) {
        (line.to_owned(), underline.to_owned())
    }

    #[test]
    fn carets_stand_in_columns() {
        assert_eq!(shown("a = bad", "bad"), both("a = bad", "    ^^^"));
        assert_eq!(shown("wörd = 2", "wörd"), both("wörd = 2", "^^^^"));
        assert_eq!(shown("漢字 = 値", "値"), both("漢字 = 値", "       ^^"));
        assert_eq!(shown("e\u{301}e = x", "x"), both("e\u{301}e = x", "     ^"));
        assert_eq!(shown("\ta\tb", "b"), both("    a    b", "         ^"));
        assert_eq!(shown("ab\tc", "\t"), both("ab    c", "  ^^^^"));
        assert_eq!(
            shown("a\u{1b}[31mb", "b"),
            both("a\u{fffd}[31mb", "      ^")
        );
    }

    #[test]
    fn what_is_empty_or_beyond_is_marked_once() {
        for range in [3..3, 3..9, 7..9] {
            let excerpt = Excerpt::new("abc", range, 60);
            assert_eq!((excerpt.indent, excerpt.width), (3, 1));
        }
        assert_eq!(Excerpt::new("", 0..0, 60).underline(), "^");
    }

    #[test]
    fn long_lines_are_cut_around_the_mark() {
        for wide in ["a", "漢", "\t", "e\u{301}"] {
            let line = format!("{}X{}", wide.repeat(500), wide.repeat(500));
            let at = line.find('X').expect("there");
            let excerpt = Excerpt::new(&line, at..at + 1, 60);
            assert!(excerpt.line.width() <= 62, "{excerpt:?}");
            let before = excerpt.line.split('X').next().expect("a part");
            assert_eq!(before.width(), excerpt.indent, "{excerpt:?}");
            assert_eq!(excerpt.width, 1);
        }
    }

    proptest! {
        /// Whatever the line: the mark begins where what it marks does, and neither leaves the window.
        #[test]
        fn the_mark_is_under_what_it_marks(
            before in "[ -~漢\u{301}\t\u{1b}]{0,80}",
            after in "[ -~漢\t]{0,80}",
            columns_max in 30_usize..70,
        ) {
            let line = format!("{before}§{after}");
            let at = before.len();
            let excerpt = Excerpt::new(&line, at..at + '§'.len_utf8(), columns_max);
            let shown = excerpt.line.split('§').next().unwrap_or_default();
            prop_assert_eq!(shown.width(), excerpt.indent, "{:?}", excerpt);
            prop_assert!(excerpt.indent + excerpt.width <= columns_max + 1);
            prop_assert!(excerpt.line.width() <= columns_max + 2);
            prop_assert!(!excerpt.line.chars().any(char::is_control));
        }

        #[test]
        fn any_range_is_survived(line in "\\PC{0,40}", start in 0_usize..60, length in 0_usize..60) {
            let excerpt = Excerpt::new(&line, start..start + length, 30);
            prop_assert!(excerpt.width >= 1);
        }
    }
}
