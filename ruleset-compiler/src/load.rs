//! Reads a ruleset and the files that it names, and parses them. What a path leads to is the
//! business of `source`, what the text says that of `parse`.

use std::collections::HashMap;

use sallyport_ruleset::Action;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::ir::{self, GroupBody, GroupEntry};
use crate::parse::aws_json::JsonDialect;
use crate::parse::document::Document;
use crate::parse::list;
use crate::source::{FileId, LoadError, Located, SourceFiles, Sources};

/// Everything that was parsed, with the files' contents joined to where they belong.
#[derive(Debug)]
pub struct Parsed {
    /// Default action of each phase; `None` where it is missing or bad (already reported).
    pub defaults: ir::PerPhase<Option<Action>>,
    /// Named lists in source order.
    pub lists: Vec<ir::List>,
    /// Groups in source order.
    pub entries: Vec<GroupEntry>,
    /// Groups from files, by the position of their entry.
    files: HashMap<usize, ir::Group>,
}

impl Parsed {
    /// Groups in source order.
    pub fn groups(&self) -> impl Iterator<Item = &ir::Group> {
        (0..self.entries.len()).filter_map(|at| self.group(at))
    }

    /// The group at a position of the source; `None` if its file cannot be read.
    #[must_use]
    pub fn group(&self, at: usize) -> Option<&ir::Group> {
        match &self.entries.get(at)?.body {
            GroupBody::Inline(group) => Some(group),
            GroupBody::File(_) | GroupBody::Named(_) => self.files.get(&at),
        }
    }

    /// Positions of groups in the order in which they are evaluated.
    #[must_use]
    pub fn evaluation_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        let priority = |at: &usize| {
            self.entries
                .get(*at)
                .and_then(|entry| entry.priority.as_ref())
                .map(|priority| priority.value)
        };
        order.sort_by_key(priority);
        order
    }
}

/// Reads and parses everything. Problems are reported, and what can be understood is returned.
///
/// # Errors
/// When the ruleset file itself cannot be read.
pub fn load(
    files: &dyn SourceFiles,
    path: &str,
    dialect: JsonDialect,
    diagnostics: &mut Diagnostics,
) -> Result<(Sources, Parsed), LoadError> {
    let mut sources = Sources::default();
    let root = sources.load(files, path)?;
    let ruleset = document(&sources, root, dialect).ruleset(diagnostics);
    let mut loader = Loader {
        files,
        sources,
        dialect,
        diagnostics,
    };
    let mut group_files = HashMap::new();
    for (at, entry) in ruleset.groups.iter().enumerate() {
        if let Some(group) = loader.group(&entry.body) {
            group_files.insert(at, group);
        }
    }
    let lists = ruleset.lists.into_iter();
    let lists = lists.map(|reference| loader.list(reference)).collect();
    let parsed = Parsed {
        defaults: ruleset.defaults,
        lists,
        entries: ruleset.groups,
        files: group_files,
    };
    Ok((loader.sources, parsed))
}

fn document(sources: &Sources, file: FileId, dialect: JsonDialect) -> Document<'_> {
    Document {
        file,
        name: sources.name(file),
        text: sources.text(file),
        dialect,
    }
}

struct Loader<'l> {
    files: &'l dyn SourceFiles,
    sources: Sources,
    dialect: JsonDialect,
    diagnostics: &'l mut Diagnostics,
}

impl Loader<'_> {
    fn group(&mut self, body: &GroupBody) -> Option<ir::Group> {
        let file = match body {
            GroupBody::Inline(_) => return None,
            GroupBody::File(path) => self.named_file(path)?,
            GroupBody::Named(name) => self.file_of_group(name)?,
        };
        let group = document(&self.sources, file, self.dialect).group(self.diagnostics);
        if let (GroupBody::Named(wanted), Some(found)) = (body, &group.name)
            && wanted.value != found.value
        {
            self.diagnostics.report(
                Diagnostic::new(
                    Code::WrongFile,
                    found.span,
                    format!("this is the group `{}`", found.value),
                )
                .expected(format!(
                    "the group `{}`, as the file is called",
                    wanted.value
                ))
                .related(wanted.span, "it is asked for"),
            );
        }
        Some(group)
    }

    fn list(&mut self, reference: ir::ListReference) -> ir::List {
        let file = self.named_file(&reference.path);
        let text = file.map(|file| self.sources.text(file));
        ir::List {
            name: reference.name,
            file,
            entries: text.map_or_else(Vec::new, list::entries),
        }
    }

    fn named_file(&mut self, path: &Located<String>) -> Option<FileId> {
        let loaded = self.sources.load(self.files, &path.value);
        loaded
            .map_err(|error| {
                self.diagnostics.report(
                    Diagnostic::new(
                        Code::UnreadableFile,
                        path.span,
                        format!("cannot read `{}`: {error}", path.value),
                    )
                    .expected("a readable UTF-8 file; its path is relative to the ruleset file"),
                );
            })
            .ok()
    }

    /// A group that is only named: its file stands beside the ruleset file.
    fn file_of_group(&mut self, name: &Located<String>) -> Option<FileId> {
        let json = format!("{}.json", name.value);
        let error = match self.sources.load(self.files, &json) {
            Ok(file) => return Some(file),
            Err(error) => error,
        };
        let toml = format!("{}.toml", name.value);
        if let Ok(file) = self.sources.load(self.files, &toml) {
            return Some(file);
        }
        self.diagnostics.report(
            Diagnostic::new(
                Code::UnreadableFile,
                name.span,
                format!("cannot read `{json}`: {error}"),
            )
            .expected(format!(
                "the rule group in `{json}` or `{toml}`, beside the ruleset file"
            )),
        );
        None
    }
}
