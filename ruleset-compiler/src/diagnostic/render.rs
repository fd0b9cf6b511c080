//! Problems as text for a person: each with its line, the place marked, and what may help. Pure:
//! text in, text out.

use std::fmt::Write as _;

use sallyport_excerpt::Excerpt;

use super::{Diagnostic, Diagnostics, Severity};
use crate::limits::SHOWN_LINE_CHARS_MAX;
use crate::source::{Place, Sources, Span};

impl Diagnostics {
    /// Everything as text for a person: each problem with its line, then what was left out. Empty
    /// if there is nothing to say.
    #[must_use]
    pub fn render(&self, sources: &Sources, colors: Colors) -> String {
        let mut out = String::new();
        for item in self.sorted() {
            render_one(&mut out, item, sources, &colors);
        }
        for hidden in self.hidden() {
            let noun = counted(hidden.count, hidden.severity.name());
            let name = printable(sources.name(hidden.file));
            let _ = writeln!(
                out,
                "{}: {noun} more in {name} not shown\n",
                colors.paint(hidden.severity)
            );
        }
        out
    }
}

/// `1 error`, `2 errors`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Escape sequences around the parts of a rendered diagnostic; empty ones when the reader is not
/// a terminal.
#[derive(Clone, Copy, Debug)]
pub struct Colors {
    error: &'static str,
    warning: &'static str,
    frame: &'static str,
    bold: &'static str,
    reset: &'static str,
}

impl Colors {
    /// Plain text.
    pub const NONE: Self = Self {
        error: "",
        warning: "",
        frame: "",
        bold: "",
        reset: "",
    };
    /// For terminals.
    pub const ANSI: Self = Self {
        error: "\u{1b}[1;31m",
        warning: "\u{1b}[1;33m",
        frame: "\u{1b}[1;34m",
        bold: "\u{1b}[1m",
        reset: "\u{1b}[0m",
    };

    const fn of(&self, severity: Severity) -> &'static str {
        match severity {
            Severity::Error => self.error,
            Severity::Warning => self.warning,
        }
    }

    fn paint(&self, severity: Severity) -> String {
        format!("{}{}{}", self.of(severity), severity.name(), self.reset)
    }
}

fn render_one(out: &mut String, item: &Diagnostic, sources: &Sources, colors: &Colors) {
    let place = sources.place(item.span);
    let number = place.line_number.to_string();
    let gutter = " ".repeat(number.len());
    let Colors {
        frame, bold, reset, ..
    } = colors;
    let message = printable(&item.message);
    let _ = writeln!(
        out,
        "{}{bold}[{}]: {message}{reset}",
        colors.paint(item.severity()),
        item.code.name()
    );
    let _ = writeln!(
        out,
        "{gutter}{frame}-->{reset} {}",
        position(sources, item.span, &place)
    );
    let excerpt = Excerpt::new(place.line, place.covered.clone(), SHOWN_LINE_CHARS_MAX);
    let (shown, underline) = (&excerpt.line, excerpt.underline());
    let color = colors.of(item.severity());
    let _ = writeln!(out, "{gutter} {frame}|{reset}");
    let _ = writeln!(out, "{frame}{number} |{reset} {shown}");
    let _ = writeln!(out, "{gutter} {frame}|{reset} {color}{underline}{reset}");
    let mut note = |word: &str, text: &str| {
        let text = printable(text);
        let _ = writeln!(out, "{gutter} {frame}={reset} {bold}{word}:{reset} {text}");
    };
    if let Some(expected) = &item.expected {
        note("expected", expected);
    }
    if let Some((span, text)) = &item.related {
        let there = position(sources, *span, &sources.place(*span));
        note("note", &format!("{text} at {there}"));
    }
    if let Some(help) = &item.help {
        note("help", help);
    }
    out.push('\n');
}

fn position(sources: &Sources, span: Span, place: &Place<'_>) -> String {
    format!(
        "{}:{}:{}",
        printable(sources.name(span.file)),
        place.line_number,
        place.column
    )
}

/// A character that is safe on a terminal.
fn harmless(c: char) -> char {
    match sallyport_excerpt::visible(c) {
        '\t' => ' ',
        c => c,
    }
}

/// Text that is safe on a terminal and not longer than a screen or two.
pub(crate) fn printable(text: &str) -> String {
    const SHOWN_TEXT_CHARS_MAX: usize = 600;
    let mut shown: String = text
        .chars()
        .take(SHOWN_TEXT_CHARS_MAX)
        .map(harmless)
        .collect();
    if text.chars().nth(SHOWN_TEXT_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthChar as _;

    use super::*;
    use crate::diagnostic::Code;
    use crate::limits::FILE_DIAGNOSTICS_MAX;
    use crate::source::{FileId, MemoryFiles};

    fn loaded(text: &str) -> (Sources, FileId) {
        let mut sources = Sources::default();
        let file = sources
            .load(&MemoryFiles::default().with("r.toml", text), "r.toml")
            .unwrap();
        (sources, file)
    }

    fn rendered(text: &str, range: std::ops::Range<usize>) -> String {
        let (sources, file) = loaded(text);
        let mut diagnostics = Diagnostics::default();
        diagnostics
            .report(Diagnostic::new(Code::BadName, Span::new(file, range), "bad").expected("good"));
        diagnostics.render(&sources, Colors::NONE)
    }

    #[test]
    fn shows_the_line_and_marks_it() {
        assert_eq!(
            rendered("a = 1\nwörd = 2\n", 6..11),
            "error[bad-name]: bad\n --> r.toml:2:1\n  |\n2 | wörd = 2\n  | ^^^^\n  = expected: good\n\n"
        );
    }

    /// Marks stand under what they mark where characters take two columns, none, or those of a tab.
    #[test]
    fn marks_are_counted_in_columns() {
        for (text, range, line, mark) in [
            ("日本 = x", 9..10, "日本 = x", "       ^"),
            ("日本 = x", 0..6, "日本 = x", "^^^^"),
            ("e\u{301}a = x", 3..4, "e\u{301}a = x", " ^"),
            ("\ta = x", 1..2, "    a = x", "    ^"),
            ("a\t= x", 2..3, "a    = x", "     ^"),
        ] {
            let out = rendered(text, range.clone());
            let lines: Vec<_> = out.lines().collect();
            assert_eq!(lines[3], format!("1 | {line}"), "{text} {range:?}");
            assert_eq!(lines[4], format!("  | {mark}"), "{text} {range:?}");
        }
        let text = format!("{}X", "日".repeat(300));
        let out = rendered(&text, 900..901);
        let lines: Vec<_> = out.lines().collect();
        let (shown, marks) = (lines[3], lines[4]);
        let before: usize = shown
            .split('X')
            .next()
            .unwrap()
            .chars()
            .map(|c| c.width().unwrap())
            .sum();
        assert_eq!(marks.find('^'), Some(before), "{out}");
    }

    #[test]
    fn an_empty_span_at_the_end_is_marked() {
        assert_eq!(
            rendered("a\n", 2..2),
            "error[bad-name]: bad\n --> r.toml:2:1\n  |\n2 | \n  | ^\n  = expected: good\n\n"
        );
    }

    #[test]
    fn long_lines_are_cut_around_the_mark() {
        let text = format!("{}X{}", "a".repeat(5_000), "b".repeat(5_000));
        let out = rendered(&text, 5_000..5_001);
        let lines: Vec<_> = out.lines().collect();
        assert!(
            lines[3].chars().count() < SHOWN_LINE_CHARS_MAX + 10,
            "{out}"
        );
        let column = lines[4].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[3].chars().nth(column), Some('X'), "{out}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let out = rendered("a\u{1b}[31m\u{202e}\tb", 0..1);
        assert!(!out.contains('\u{1b}') && !out.contains('\u{202e}') && !out.contains('\t'));
    }

    #[test]
    fn says_each_thing_once_and_bounds_the_rest() {
        let (sources, file) = loaded(&"x\n".repeat(300));
        let mut diagnostics = Diagnostics::default();
        for _ in 0..2 {
            for line in 0..300 {
                let span = Span::new(file, line * 2..line * 2 + 1);
                diagnostics.report(Diagnostic::new(Code::BadName, span, "bad"));
            }
        }
        assert_eq!(diagnostics.errors_count(), 300);
        assert_eq!(diagnostics.sorted().len(), FILE_DIAGNOSTICS_MAX);
        let out = diagnostics.render(&sources, Colors::NONE);
        assert!(
            out.ends_with("error: 200 errors more in r.toml not shown\n\n"),
            "{out}"
        );
    }
}
