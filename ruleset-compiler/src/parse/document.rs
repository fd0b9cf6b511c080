//! Which of the two forms a ruleset or group file has, and so who reads it.

use crate::diagnostic::Diagnostics;
use crate::ir;
use crate::parse::aws_json::{self, Habits};
use crate::parse::toml;
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
    pub habits: Habits,
}

impl Document<'_> {
    /// Reads a ruleset. Problems are reported, and what can be understood is returned.
    pub fn ruleset(&self, diagnostics: &mut Diagnostics) -> ir::Ruleset {
        if self.is_json() {
            aws_json::ruleset(self.file, self.text, diagnostics)
        } else {
            toml::ruleset(self.file, self.text, diagnostics)
        }
    }

    /// Reads a rule group. Problems are reported, and what can be understood is returned.
    pub fn group(&self, diagnostics: &mut Diagnostics) -> ir::Group {
        if self.is_json() {
            aws_json::group(self, diagnostics)
        } else {
            toml::group(self.file, self.text, diagnostics)
        }
    }

    /// No TOML document begins with a brace.
    fn is_json(&self) -> bool {
        let text = self.text.trim_start_matches('\u{feff}').trim_start();
        text.starts_with('{') || self.name.ends_with(".json")
    }
}
