//! The stages in order: load and parse, validate, lower, optimize, emit.
//!
//! The table of contents of this crate. Works on any [`SourceFiles`]; writes nothing.

use sallyport_ruleset::{Defaults, Phase, RuleGroup, Ruleset, WriteError};

use crate::cover::{self, Covers};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::emit::{self, EmitError, Emitted};
use crate::ir::{self, PHASES};
use crate::limits::GROUP_RULES_MAX_DEFAULT;
use crate::load::{self, Parsed};
use crate::lower::Lowering;
use crate::optimize::{self, Optimizations};
use crate::parse::aws_json::JsonDialect;
use crate::progress::{Progress, Silent, Stage};
use crate::source::{LoadError, MemoryFiles, SourceFiles, Sources, Span};
use crate::validate::lint::Lints;
use crate::validate::{budget, names, shadowed};

/// What a caller may ask of a run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Most rules in one group, over its phases.
    pub group_rules_max: usize,
    /// Warn of conditions that see nothing inside a tunnel that is not decrypted.
    pub tls_passthrough: bool,
    /// Warnings keep a bundle from being made.
    pub deny_warnings: bool,
    /// In JSON, `StringEquals ".example.com"` over a domain means the names under `example.com`.
    pub aws_suffix_equals: bool,
    /// Most steps that a request may take through patterns in one phase; none: much is warned of.
    pub steps_max: Option<u64>,
    /// What is done to make the bundle cheaper to decide.
    pub optimizations: Optimizations,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            group_rules_max: GROUP_RULES_MAX_DEFAULT,
            tls_passthrough: false,
            deny_warnings: false,
            aws_suffix_equals: false,
            steps_max: None,
            optimizations: Optimizations::ALL,
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
    /// Rules that others cover.
    pub covers: Covers,
    /// Rules that may be covered all the same: the search for it was given up.
    pub uncompared_count: usize,
    /// Where the names of the rules stand, in the order of evaluation.
    name_spans: ir::PerPhase<Vec<Span>>,
}

impl Checked {
    /// Judges what a request can cost at worst. If that is refused, there is no ruleset any more.
    fn affords(&mut self, emitted: &Emitted, options: &Options) -> bool {
        let (errors, warnings) = (
            self.diagnostics.errors_count(),
            self.diagnostics.warnings_count(),
        );
        for (phase, worst) in Phase::ALL.into_iter().zip(&emitted.worst) {
            let at = worst.costliest.map(|rule| rule.rule.0 as usize);
            let span = at.and_then(|at| self.name_spans.of(phase).get(at).copied());
            let span = span.unwrap_or_else(|| self.sources.start());
            let found = budget::judge(phase, worst, options.steps_max, span);
            found
                .into_iter()
                .for_each(|found| self.diagnostics.report(found));
        }
        let is_refused = self.diagnostics.errors_count() > errors
            || options.deny_warnings && self.diagnostics.warnings_count() > warnings;
        if is_refused {
            self.ruleset = None;
        }
        !is_refused
    }

    /// Where the rule stands that cannot be written.
    fn place(&self, ruleset: &Ruleset, error: &EmitError) -> Span {
        let at = match error {
            EmitError::Write(
                WriteError::Regex { at, .. }
                | WriteError::TooCostly { at, .. }
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
    check_watched(files, path, options, &Silent)
}

/// [`check`], telling what is being done.
fn check_watched(
    files: &dyn SourceFiles,
    path: &str,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Checked, RootError> {
    progress.begin(Stage::Reading, 0);
    let mut diagnostics = Diagnostics::default();
    let dialect = JsonDialect {
        suffix_equals: options.aws_suffix_equals,
    };
    let loaded = load::load(files, path, dialect, &mut diagnostics);
    let (sources, parsed) = loaded.map_err(|error| RootError {
        path: path.to_owned(),
        error,
    })?;
    names::priorities(&parsed.entries, &mut diagnostics);
    names::group_names(parsed.groups(), &mut diagnostics);
    for group in parsed.groups() {
        names::rules(group, options.group_rules_max, &mut diagnostics);
    }
    let (ruleset, name_spans) = lower(&sources, &parsed, options, progress, &mut diagnostics);
    let mut found = cover::Found::default();
    if diagnostics.errors_count() == 0 {
        progress.begin(Stage::Comparing, 0);
        found = cover::find(&ruleset);
        for (phase, covers) in PHASES.into_iter().zip(&found.covers) {
            let names = name_spans.of(phase);
            shadowed::warn(&ruleset, phase, covers, names, &mut diagnostics);
        }
    }
    let denied = options.deny_warnings && diagnostics.warnings_count() > 0;
    let good = diagnostics.errors_count() == 0 && !denied;
    Ok(Checked {
        sources,
        diagnostics,
        ruleset: good.then_some(ruleset),
        covers: found.covers,
        uncompared_count: found.undecided_count,
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
    compile_watched(files, path, options, &Silent)
}

/// [`compile`], telling what is being done.
///
/// # Errors
/// When the ruleset file itself cannot be read.
pub fn compile_watched(
    files: &dyn SourceFiles,
    path: &str,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Compiled, RootError> {
    let mut checked = check_watched(files, path, options, progress)?;
    let Some(ruleset) = &checked.ruleset else {
        return Ok(Compiled {
            checked,
            emitted: None,
        });
    };
    progress.begin(Stage::Bundle, 0);
    let optimized = optimize::run(ruleset.clone(), &checked.covers, options.optimizations);
    let emitted = match emit::bundle(&optimized, &checked.sources) {
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
    let emitted = emitted.filter(|emitted| checked.affords(emitted, options));
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

/// Lowers all groups in evaluation order; beside the ruleset, where each rule's name stands.
fn lower(
    sources: &Sources,
    parsed: &Parsed,
    options: &Options,
    progress: &dyn Progress,
    diagnostics: &mut Diagnostics,
) -> (Ruleset, ir::PerPhase<Vec<Span>>) {
    let counts = parsed
        .groups()
        .flat_map(|group| PHASES.map(|phase| group.rules.of(phase).len()));
    progress.begin(Stage::Rules, counts.sum());
    let mut lowering = Lowering::new(sources, &parsed.lists);
    let mut lints = Lints::new(sources, &parsed.lists, options.tls_passthrough);
    lints.lists(diagnostics);
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
                lints.rule(rule, &conditions, diagnostics);
                lowered.rules_mut(phase).push(done);
                name_spans.of_mut(phase).push(rule.name.span);
                progress.step();
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
