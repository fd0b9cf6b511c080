//! Problems of a configuration file, and how they are shown to a person. Nothing here decides what
//! is a problem.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Characters of a line that are shown.
const SHOWN_CHARS_MAX: usize = 160;

/// Every problem of one configuration, in the order of the file; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The problems.
    pub problems: Vec<Problem>,
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
    /// Characters that are meant, at least one, all on that line.
    pub width: usize,
    /// The line, safe to print: controls are replaced.
    pub text: String,
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
        let meant = text.get(start..end).unwrap_or_default();
        let width = meant.lines().next().unwrap_or_default().chars().count();
        Self {
            line: before.matches('\n').count() + 1,
            column,
            width: width.max(1),
            text: line_text
                .chars()
                .map(printable)
                .take(SHOWN_CHARS_MAX)
                .collect(),
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

fn printable(character: char) -> char {
    if character == '\t' {
        ' '
    } else if character.is_control() {
        char::REPLACEMENT_CHARACTER
    } else {
        character
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(place) = &self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        if let Some(key) = &self.key {
            // Part of it is what the file says.
            let key: String = key.chars().map(printable).collect();
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
        write!(f, "\n {gutter} |\n {number} | {}", self.text)?;
        if self.column <= SHOWN_CHARS_MAX {
            let indent = " ".repeat(self.column - 1);
            let width = self.width.min(SHOWN_CHARS_MAX + 1 - self.column);
            write!(f, "\n {gutter} | {indent}{}", "^".repeat(width))?;
        }
        Ok(())
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
