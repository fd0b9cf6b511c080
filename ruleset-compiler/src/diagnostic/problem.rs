//! One problem, and the problems of a run.
//!
//! Stages report into [`Diagnostics`] and go on, so that one run tells everything.

use std::collections::{BTreeMap, HashSet};

use super::{Code, Severity};
use crate::limits::FILE_DIAGNOSTICS_MAX;
use crate::source::{FileId, Span};

/// One problem: where it is, what was found, what was expected and what may help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem it is.
    pub code: Code,
    /// What was found, as one sentence without a full stop.
    pub message: String,
    /// Where it was found.
    pub span: Span,
    /// What was expected instead.
    pub expected: Option<String>,
    /// A way out.
    pub help: Option<String>,
    /// Another place that belongs to the problem, and what is there.
    pub related: Option<(Span, String)>,
}

impl Diagnostic {
    /// A problem at `span`.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            span,
            expected: None,
            help: None,
            related: None,
        }
    }

    /// Error or warning.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Says what was expected.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Says what may help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what may help, if there is something to say.
    #[must_use]
    pub fn help_if(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// Points to another place that belongs to the problem.
    #[must_use]
    pub fn related(mut self, span: Span, message: impl Into<String>) -> Self {
        self.related = Some((span, message.into()));
        self
    }
}

/// Problems of one file that are counted but not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// The file.
    pub file: FileId,
    /// How bad they are.
    pub severity: Severity,
    /// How many.
    pub count: usize,
}

/// The problems of one run, without repetitions and bounded per file.
#[derive(Debug, Default)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
    seen: HashSet<(Span, String)>,
    per_file: BTreeMap<(FileId, Severity), usize>,
    errors_count: usize,
    warnings_count: usize,
}

impl Diagnostics {
    /// Records a problem, unless the same was already said about the same place.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        if !self
            .seen
            .insert((diagnostic.span, diagnostic.message.clone()))
        {
            return;
        }
        match diagnostic.severity() {
            Severity::Error => self.errors_count += 1,
            Severity::Warning => self.warnings_count += 1,
        }
        let count = self
            .per_file
            .entry((diagnostic.span.file, diagnostic.severity()))
            .or_default();
        *count += 1;
        if *count <= FILE_DIAGNOSTICS_MAX {
            self.items.push(diagnostic);
        }
    }

    /// How many errors were found, shown or not.
    #[must_use]
    pub const fn errors_count(&self) -> usize {
        self.errors_count
    }

    /// How many warnings were found, shown or not.
    #[must_use]
    pub const fn warnings_count(&self) -> usize {
        self.warnings_count
    }

    /// The problems kept, in the order of the source.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut items: Vec<_> = self.items.iter().collect();
        items.sort_by_key(|item| (item.span, item.severity()));
        items
    }

    /// What was counted but not kept.
    pub fn hidden(&self) -> impl Iterator<Item = Hidden> {
        self.per_file
            .iter()
            .filter_map(|((file, severity), count)| {
                let count = count
                    .checked_sub(FILE_DIAGNOSTICS_MAX)
                    .filter(|more| *more > 0)?;
                Some(Hidden {
                    file: *file,
                    severity: *severity,
                    count,
                })
            })
    }
}
