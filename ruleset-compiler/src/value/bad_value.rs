//! What is wrong with a value; `lower` adds the place.

use crate::diagnostic::Code;

/// Why a value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    /// What kind of problem it is.
    pub code: Code,
    /// What was found.
    pub message: String,
    /// What was expected.
    pub expected: String,
    /// What may help.
    pub help: Option<String>,
}

impl BadValue {
    /// A value that is not what was expected.
    pub fn new(code: Code, message: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            expected: expected.into(),
            help: None,
        }
    }

    /// Says what may help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
