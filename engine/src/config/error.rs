//! Problems of a configuration file, and how they are shown to a person. Nothing here decides what
//! is a problem.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use sallyport_excerpt::{Excerpt, visible};

/// Columns of a line that are shown.
const SHOWN_COLUMNS_MAX: usize = 160;

/// Every problem of one configuration, in the order of the file; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The problems.
    pub problems: Vec<Problem>,
    /// The file itself cannot be read, which is then the only problem.
    pub is_unreadable: bool,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The configuration file.
    pub file: PathBuf,
    /// Where in it; `None` for what is missing, or a file that cannot be read.
    pub place: Option<Place>,
    /// The whole key, such as `timeouts.head`; `None` for a fault of the syntax.
    pub key: Option<String>,
    /// What was found and what was expected.
    pub message: String,
    /// A way out.
    pub help: Option<String>,
}

/// A place in a file, and the line there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// The line with what is meant, safe to print.
    pub excerpt: Excerpt,
}

impl Problem {
    /// A problem that concerns the file as a whole.
    pub(super) fn of_file(file: &Path, message: String) -> Self {
        Self {
            file: file.to_owned(),
            place: None,
            key: None,
            message,
            help: None,
        }
    }
}

impl Place {
    /// The place of `span`, in bytes, in `text`.
    pub(super) fn new(text: &str, span: &Range<usize>) -> Self {
        let start = floor_char_boundary(text, span.start);
        let end = floor_char_boundary(text, span.end.max(start));
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let from_line = text.get(line_start..).unwrap_or_default();
        let line_text = from_line.lines().next().unwrap_or_default();
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let meant = start - line_start..end - line_start;
        Self {
            line: before.matches('\n').count() + 1,
            column,
            excerpt: Excerpt::new(line_text, meant, SHOWN_COLUMNS_MAX),
        }
    }
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    let index = index.min(text.len());
    (0..=index)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(place) = &self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        if let Some(key) = &self.key {
            // Part of it is what the file says.
            let key: String = key.chars().map(visible).collect();
            write!(f, ": {key}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(place) = &self.place {
            write!(f, "{place}")?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  = help: {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        let Excerpt { line, .. } = &self.excerpt;
        write!(f, "\n {gutter} |\n {number} | {line}")?;
        write!(f, "\n {gutter} | {}", self.excerpt.underline())
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                write!(f, "\n\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_in_the_columns_of_a_terminal() {
        let text = "a = 1\n\tnäme = \"漢字\" # bad\n";
        let at = text.find("bad").unwrap();
        let place = Place::new(text, &(at..at + 3));
        assert_eq!((place.line, place.column), (2, 16));
        let indent = " ".repeat(20);
        assert_eq!(
            place.to_string(),
            format!("\n   |\n 2 |     näme = \"漢字\" # bad\n   | {indent}^^^")
        );
    }

    #[test]
    fn what_is_far_to_the_right_is_shown_with_its_mark() {
        let text = format!("a = [{}, bad]", "1, ".repeat(300));
        let at = text.find("bad").unwrap();
        let place = Place::new(&text, &(at..at + 3));
        let shown = place.to_string();
        let lines: Vec<_> = shown.lines().collect();
        let column = lines[3].chars().position(|c| c == '^').unwrap();
        let above: String = lines[2].chars().skip(column).take(3).collect();
        assert_eq!(above, "bad", "{shown}");
    }
}
