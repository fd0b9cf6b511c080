//! What an import gives: files, and the report. It is compiled in memory before anybody sees it.

use super::draft::Draft;
use super::report::Report;
use crate::diagnostic::Colors;
use crate::pipeline::{self, Options};
use crate::source::MemoryFiles;

/// The ruleset file among the files of an import.
pub(super) const RULESET_FILE: &str = "ruleset.toml";
/// The report among the files in the folder.
pub(super) const REPORT_FILE: &str = "import-report.txt";

/// A ruleset that compiles, and where it comes from.
#[derive(Debug)]
pub struct Import {
    /// Paths below the output folder, and contents. The ruleset file is the first.
    pub files: Vec<(String, String)>,
    /// What became of each line.
    pub report: Report,
    /// Rules over all groups and phases.
    pub rules_count: usize,
    /// Warnings of the compiler about the result.
    pub warnings_count: usize,
    /// Size of the bundle that it compiles to, in bytes.
    pub bundle_bytes: usize,
}

/// Nothing can be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The source cannot be read.
    #[error("cannot read `{path}`: {why}")]
    Unreadable {
        /// Its path.
        path: String,
        /// Why.
        why: String,
    },
    /// The source is not what it should be.
    #[error("{0}")]
    Malformed(String),
    /// What was made of it does not compile: too much of something, or a fault of the importer.
    #[error("the result does not compile:\n{0}")]
    DoesNotCompile(String),
}

impl Import {
    /// Writes the draft and compiles it.
    ///
    /// # Errors
    /// When it does not compile.
    pub fn new(draft: Draft, report: Report) -> Result<Self, ImportError> {
        let rules_count = draft.rules_count();
        let files = draft.into_files();
        let in_memory = files
            .iter()
            .fold(MemoryFiles::default(), |memory, (path, text)| {
                memory.with(path.clone(), text.clone())
            });
        let compiled = pipeline::compile(&in_memory, RULESET_FILE, &Options::default())
            .map_err(|error| ImportError::DoesNotCompile(error.to_string()))?;
        let checked = &compiled.checked;
        let Some(emitted) = &compiled.emitted else {
            let said = checked.diagnostics.render(&checked.sources, Colors::NONE);
            return Err(ImportError::DoesNotCompile(said));
        };
        Ok(Self {
            warnings_count: checked.diagnostics.warnings_count(),
            bundle_bytes: emitted.bytes.len(),
            files,
            report,
            rules_count,
        })
    }

    /// The files of the folder: the ruleset's, and the report.
    #[must_use]
    pub fn folder_files(&self) -> Vec<(String, String)> {
        let mut files = self.files.clone();
        files.push((REPORT_FILE.to_owned(), self.report.text()));
        files
    }
}
