//! What an import gives: files, and the report. It is compiled in memory before anybody sees it.

use super::document_error::DocumentError;
use super::draft::{DefaultsBy, Draft};
use super::report::{Fate, Report};
use super::toml_text;
use crate::diagnostic::Colors;
use crate::pipeline::{self, Options};
use crate::source::{LoadError, MemoryFiles, ReadError};

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
        why: ReadError,
    },
    /// The source is read as a ruleset itself, and is none.
    #[error("cannot read `{path}`: {error}")]
    Unloaded {
        /// Its path.
        path: String,
        /// Why.
        error: LoadError,
    },
    /// The source is no JSON, YAML or Terraform.
    #[error("`{path}`: {error}")]
    Document {
        /// Its path.
        path: String,
        /// What is wrong with it.
        error: DocumentError,
    },
    /// The source is not what it should be.
    #[error("{0}")]
    Malformed(String),
    /// No line of it could be used: it is most likely something else.
    #[error("`{path}`: nothing in it {what}, so there is nothing to import")]
    Nothing {
        /// Its path.
        path: String,
        /// What was looked for, as "is a rule of Suricata".
        what: &'static str,
    },
    /// Every request would pass, and the source does not say that.
    #[error("`{path}`: the ruleset would allow everything, and {why}")]
    AllowsEverything {
        /// Its path.
        path: String,
        /// Why that is not what the source says, and what can be done.
        why: String,
    },
    /// What was made of it does not compile: too much of something, or a fault of the importer.
    #[error("the result does not compile:\n{0}")]
    DoesNotCompile(String),
}

/// What was imported: for errors.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Its path.
    pub path: &'a str,
    /// What a line of it should be, as "is a rule of Suricata".
    pub what: &'static str,
}

impl Import {
    /// Writes the draft and compiles it.
    ///
    /// # Errors
    /// When nothing of the source could be used; when the result would let everything pass and the
    /// source does not say that; when it does not compile.
    pub fn new(draft: Draft, report: Report, origin: Origin<'_>) -> Result<Self, ImportError> {
        refuse_nothing(&draft, &report, origin)?;
        refuse_allow_all(&draft, &report, origin.path)?;
        let rules_count = draft.rules_count();
        let files = toml_text::files(&draft.cut());
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

fn refuse_nothing(draft: &Draft, report: &Report, origin: Origin<'_>) -> Result<(), ImportError> {
    let is_left = |fate: Fate| matches!(fate, Fate::Left(_));
    let is_of_use = report.entries.iter().any(|entry| !is_left(entry.fate));
    // Defaults alone are a ruleset too, if the source says them.
    let says_defaults = report.entries.is_empty() && draft.defaults_by == DefaultsBy::Source;
    if draft.rules_count() > 0 || is_of_use || says_defaults {
        return Ok(());
    }
    Err(ImportError::Nothing {
        path: origin.path.to_owned(),
        what: origin.what,
    })
}

fn refuse_allow_all(draft: &Draft, report: &Report, path: &str) -> Result<(), ImportError> {
    if !draft.allows_everything() {
        return Ok(());
    }
    // What is there with a difference would deny something if it could.
    let lost = |fate: Fate| matches!(fate, Fate::Left(effect) if effect.allows_more());
    let first = report.entries.iter().find(|entry| lost(entry.fate));
    let why = match (first, draft.defaults_by) {
        (Some(entry), _) => {
            let reason = entry.notes.first().map_or("", String::as_str);
            format!(
                "that is because of {} of its lines, the first of them\n{}: {}: {}\n    {reason}",
                report
                    .entries
                    .iter()
                    .filter(|entry| lost(entry.fate))
                    .count(),
                entry.place,
                entry.fate.word(),
                entry.text
            )
        }
        (None, DefaultsBy::Assumption(remedy)) => {
            format!("the source does not say that: {remedy}")
        }
        (None, DefaultsBy::Source) => return Ok(()),
    };
    Err(ImportError::AllowsEverything {
        path: path.to_owned(),
        why,
    })
}
