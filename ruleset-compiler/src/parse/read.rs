//! Reads a ruleset or group file, whichever of the two forms it has.

use super::document::Document;
use super::{aws_json, toml};
use crate::diagnostic::Diagnostics;
use crate::ir;

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
}
