//! A ruleset or group file as text, and which of the two forms it has.

use crate::parse::aws_json::JsonDialect;
use crate::source::FileId;

/// A text that was read, and how to take what its form leaves open.
#[derive(Clone, Copy, Debug)]
pub struct Document<'t> {
    /// Where it stands.
    pub file: FileId,
    /// Its path; `.json` at its end says what it holds.
    pub name: &'t str,
    /// All of it.
    pub text: &'t str,
    /// How JSON is taken.
    pub dialect: JsonDialect,
}

impl Document<'_> {
    /// No TOML document begins with a brace.
    pub(super) fn is_json(&self) -> bool {
        let text = self.text.trim_start_matches('\u{feff}').trim_start();
        text.starts_with('{') || self.name.ends_with(".json")
    }
}
