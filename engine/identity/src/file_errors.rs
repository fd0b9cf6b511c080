//! All that is wrong with a file, line by line.

use std::fmt;

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError<E> {
    /// From 1.
    pub line_number: usize,
    /// What is wrong with it.
    pub error: E,
}

/// All that is wrong with a file, in its order; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileErrors<E>(pub Vec<LineError<E>>);

impl<E: fmt::Display> fmt::Display for LineError<E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}", self.line_number, self.error)
    }
}

impl<E: fmt::Display> fmt::Display for FileErrors<E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { "\n" };
            write!(out, "{between}{error}")?;
        }
        Ok(())
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for FileErrors<E> {}
