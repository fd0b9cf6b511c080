//! Rulesets, compiled by the real compiler.

use std::path::Path;

use super::programs::sallyport_rules;

/// Defaults that allow everything, for tests that are not about rules.
pub(crate) const ALLOW_ALL: Rules = Rules("");

/// The groups and rules of a ruleset whose defaults allow everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a>(pub(crate) &'a str);

const DEFAULTS: &str = "[defaults]
pre_dns = \"allow\"
pre_request = \"allow\"
post_response = \"allow\"
";

impl Rules<'_> {
    /// Compiles to `bundle`. A ruleset with a `[defaults]` table of its own is taken as it is.
    pub(crate) fn compile(self, bundle: &Path) {
        let text = match self.0.contains("[defaults]") {
            true => self.0.to_owned(),
            false => format!("{DEFAULTS}{}", self.0),
        };
        let source = bundle.with_extension("toml");
        std::fs::write(&source, text).unwrap();
        let output = sallyport_rules()
            .args(["compile", "--quiet", "--max-group-rules", "200000"])
            .arg(&source)
            .arg("--output")
            .arg(bundle)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "the ruleset does not compile:\n{said}"
        );
    }
}
