//! The stages in order: load and parse, check, lower, look for what is doubtful, emit.
//!
//! The table of contents of this crate. Works on any [`SourceFiles`]; writes nothing.

use std::collections::HashMap;

use sallyport_ruleset::{Defaults, Phase, RuleGroup, Ruleset, WriteError};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::emit::{self, EmitError, Emitted};
use crate::ir::{self, GroupBody, GroupEntry, PHASES};
use crate::limits::GROUP_RULES_MAX_DEFAULT;
use crate::lower::Lowering;
use crate::parse;
use crate::source::{LoadError, Located, MemoryFiles, SourceFiles, Sources, Span};
use crate::validate::doubtful::Doubts;
use crate::validate::{names, shadowed};

/// What a caller may ask of a run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Most rules in one group, over its phases.
    pub group_rules_max: usize,
    /// Warn of conditions that see nothing inside a tunnel that is not decrypted.
    pub tls_passthrough: bool,
    /// Warnings keep a bundle from being made.
    pub deny_warnings: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            group_rules_max: GROUP_RULES_MAX_DEFAULT,
            tls_passthrough: false,
            deny_warnings: false,
        }
    }
}

/// What a run found, and the ruleset if nothing speaks against it.
#[derive(Debug)]
pub struct Checked {
    /// The files that were read.
    pub sources: Sources,
    /// Errors and warnings.
    pub diagnostics: Diagnostics,
    /// `None` if there were errors, or warnings that the options deny.
    pub ruleset: Option<Ruleset>,
    /// Where the names of the rules stand, in the order of evaluation.
    name_spans: ir::PerPhase<Vec<Span>>,
}

impl Checked {
    /// Where the rule stands that cannot be written.
    fn place(&self, ruleset: &Ruleset, error: &EmitError) -> Span {
        let at = match error {
            EmitError::Write(
                WriteError::Regex { at, .. }
                | WriteError::TestDoesNotFit { at }
                | WriteError::ValueTooLong { at },
            ) => at,
            EmitError::Write(WriteError::TooLarge) | EmitError::Load(_) => {
                return self.sources.start();
            }
        };
        let earlier = ruleset.groups.iter().take(at.group);
        let rules_before: usize = earlier.map(|group| group.rules(at.phase).len()).sum();
        let span = self.name_spans.of(at.phase).get(rules_before + at.rule);
        span.copied().unwrap_or_else(|| self.sources.start())
    }
}

/// A run that was to make a bundle.
#[derive(Debug)]
pub struct Compiled {
    /// What was found.
    pub checked: Checked,
    /// `None` if [`Checked::ruleset`] is.
    pub emitted: Option<Emitted>,
}

/// The ruleset file itself cannot be read; all other problems are diagnostics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the ruleset `{path}`: {error}")]
pub struct RootError {
    /// As it was given.
    pub path: String,
    /// Why.
    pub error: LoadError,
}

/// Checks a ruleset and all files that it names.
///
/// # Errors
/// When the ruleset file itself cannot be read.
pub fn check(files: &dyn SourceFiles, path: &str, options: &Options) -> Result<Checked, RootError> {
    let mut diagnostics = Diagnostics::default();
    let (sources, parsed) = load(files, path, &mut diagnostics)?;
    names::priorities(&parsed.entries, &mut diagnostics);
    names::group_names(parsed.groups(), &mut diagnostics);
    for group in parsed.groups() {
        names::rules(group, options.group_rules_max, &mut diagnostics);
    }
    let (ruleset, name_spans) = lower(&sources, &parsed, options, &mut diagnostics);
    if diagnostics.errors_count() == 0 {
        for phase in PHASES {
            shadowed::warn(&ruleset, phase, name_spans.of(phase), &mut diagnostics);
        }
    }
    let denied = options.deny_warnings && diagnostics.warnings_count() > 0;
    let good = diagnostics.errors_count() == 0 && !denied;
    Ok(Checked {
        sources,
        diagnostics,
        ruleset: good.then_some(ruleset),
        name_spans,
    })
}

/// Compiles a ruleset and all files that it names into a bundle.
///
/// # Errors
/// When the ruleset file itself cannot be read.
pub fn compile(
    files: &dyn SourceFiles,
    path: &str,
    options: &Options,
) -> Result<Compiled, RootError> {
    let mut checked = check(files, path, options)?;
    let Some(ruleset) = &checked.ruleset else {
        return Ok(Compiled {
            checked,
            emitted: None,
        });
    };
    let emitted = match emit::bundle(ruleset, &checked.sources) {
        Ok(emitted) => Some(emitted),
        Err(error) => {
            let span = checked.place(ruleset, &error);
            checked
                .diagnostics
                .report(Diagnostic::new(Code::BundleLimit, span, error.to_string()));
            checked.ruleset = None;
            None
        }
    };
    Ok(Compiled { checked, emitted })
}

/// Compiles a ruleset in memory; `files` are the group files and lists that it may name. The
/// entry for tests and fuzzing: whatever the text, it ends and does not panic.
///
/// # Errors
/// When the text is larger than a source file may be.
pub fn compile_str(
    text: &str,
    files: MemoryFiles,
    options: &Options,
) -> Result<Compiled, RootError> {
    const NAME: &str = "rules.toml";
    compile(&files.with(NAME, text), NAME, options)
}

/// Everything that was parsed, with the files' contents joined to where they belong.
#[derive(Debug)]
struct Parsed {
    defaults: ir::PerPhase<Option<sallyport_ruleset::Action>>,
    lists: Vec<ir::List>,
    entries: Vec<GroupEntry>,
    /// Groups from files, by the position of their entry.
    files: HashMap<usize, ir::Group>,
}

impl Parsed {
    /// Groups in source order.
    fn groups(&self) -> impl Iterator<Item = &ir::Group> {
        (0..self.entries.len()).filter_map(|at| self.group(at))
    }

    fn group(&self, at: usize) -> Option<&ir::Group> {
        match &self.entries.get(at)?.body {
            GroupBody::Inline(group) => Some(group),
            GroupBody::File(_) => self.files.get(&at),
        }
    }

    /// Positions of groups in the order in which they are evaluated.
    fn evaluation_order(&self) -> Vec<usize> {
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

fn load(
    files: &dyn SourceFiles,
    path: &str,
    diagnostics: &mut Diagnostics,
) -> Result<(Sources, Parsed), RootError> {
    let mut sources = Sources::default();
    let root = sources.load(files, path).map_err(|error| RootError {
        path: path.to_owned(),
        error,
    })?;
    let ruleset = parse::toml::ruleset(root, sources.text(root), diagnostics);
    let mut group_files = HashMap::new();
    for (at, entry) in ruleset.groups.iter().enumerate() {
        if let GroupBody::File(path) = &entry.body
            && let Some(file) = load_named(&mut sources, files, path, diagnostics)
        {
            let group = parse::toml::group(file, sources.text(file), diagnostics);
            group_files.insert(at, group);
        }
    }
    let mut lists = Vec::with_capacity(ruleset.lists.len());
    for reference in ruleset.lists {
        let file = load_named(&mut sources, files, &reference.path, diagnostics);
        let entries = file.map_or_else(Vec::new, |file| parse::list::entries(sources.text(file)));
        lists.push(ir::List {
            name: reference.name,
            file,
            entries,
        });
    }
    let parsed = Parsed {
        defaults: ruleset.defaults,
        lists,
        entries: ruleset.groups,
        files: group_files,
    };
    Ok((sources, parsed))
}

fn load_named(
    sources: &mut Sources,
    files: &dyn SourceFiles,
    path: &Located<String>,
    diagnostics: &mut Diagnostics,
) -> Option<crate::source::FileId> {
    sources
        .load(files, &path.value)
        .map_err(|error| {
            diagnostics.report(
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

/// Lowers all groups in evaluation order; beside the ruleset, where each rule's name stands.
fn lower(
    sources: &Sources,
    parsed: &Parsed,
    options: &Options,
    diagnostics: &mut Diagnostics,
) -> (Ruleset, ir::PerPhase<Vec<Span>>) {
    let mut lowering = Lowering::new(sources, &parsed.lists);
    let mut doubts = Doubts::new(sources, &parsed.lists, options.tls_passthrough);
    doubts.lists(diagnostics);
    let mut name_spans = ir::PerPhase::<Vec<Span>>::default();
    let mut groups = Vec::with_capacity(parsed.entries.len());
    for at in parsed.evaluation_order() {
        let (Some(entry), Some(group)) = (parsed.entries.get(at), parsed.group(at)) else {
            continue;
        };
        let mut lowered = RuleGroup {
            name: group
                .name
                .as_ref()
                .map_or_else(String::new, |name| name.value.clone()),
            priority: entry.priority.as_ref().map_or(0, |priority| priority.value),
            rules: [Vec::new(), Vec::new(), Vec::new()],
        };
        for phase in PHASES {
            for rule in group.rules.of(phase) {
                let (done, conditions) = lowering.rule(rule, phase, diagnostics);
                doubts.rule(rule, &conditions, diagnostics);
                lowered.rules_mut(phase).push(done);
                name_spans.of_mut(phase).push(rule.name.span);
            }
        }
        groups.push(lowered);
    }
    // A missing default was reported; the ruleset will not be emitted.
    let default = |phase: Phase| {
        parsed
            .defaults
            .of(phase)
            .unwrap_or(sallyport_ruleset::Action::Deny)
    };
    let defaults = Defaults {
        pre_dns: default(Phase::PreDns),
        pre_request: default(Phase::PreRequest),
        post_response: default(Phase::PostResponse),
    };
    (Ruleset { defaults, groups }, name_spans)
}
