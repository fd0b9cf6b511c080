//! Rules in the making for sources that are lists and policies: what they go to, in the order in
//! which it is asked, with the lines that each rule comes from. Phases are found at the end.
//!
//! A policy whose every question can be answered before the name is resolved is decided there. Else
//! all of it is decided in PreREQUEST, and what no rule can allow is not even resolved.

use std::fmt::Display;
use std::rc::Rc;

use sallyport_ruleset::{Action, Field, Phase, Protocol};

use super::condition::{Checker, Condition, Formula, ValueError};
use super::draft::{
    ALLOW_BY_DEFAULT, DefaultsBy, Draft, DraftGroup, DraftRule, Names, description,
};
use super::input::InputFiles;
use super::json::Json;
use super::outcome::{Import, ImportError, Origin};
use super::report::{Difference, Effect, Entry, Fate, Place, Report};
pub(super) use super::target::{Target, Targets, one, port, ports, protocols};
use crate::operator::Question;

/// A rule, and what it comes from.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) action: Action,
    pub(super) formula: Formula,
    /// Its entries in the report.
    pub(super) entries: Vec<usize>,
}

impl Rule {
    /// A rule without a description.
    pub(super) fn new(name: impl Into<String>, action: Action, formula: Formula) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            action,
            formula,
            entries: Vec::new(),
        }
    }

    /// With the entries that it comes from.
    pub(super) fn from(mut self, entries: impl IntoIterator<Item = usize>) -> Self {
        self.entries.extend(entries);
        self
    }
}

/// What becomes of a source.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) report: Report,
    checker: Checker,
    file: Rc<str>,
    rules: Vec<Rule>,
}

/// What is said at the end.
pub(super) struct End<'a> {
    /// The path of the source.
    pub(super) path: &'a str,
    /// What is written behind `import`.
    pub(super) format: &'static str,
    /// What a line of it should be, as "is a Cilium policy".
    pub(super) what: &'static str,
    /// What is decided where no rule does, and who says so.
    pub(super) default: Action,
    pub(super) default_by: DefaultsBy,
}

impl Book {
    /// An empty one for a file.
    pub(super) fn new(path: &str) -> Self {
        Self {
            report: Report::default(),
            checker: Checker::default(),
            file: path.into(),
            rules: Vec::new(),
        }
    }

    /// Lines from now on are those of another file; the one before.
    pub(super) fn enter(&mut self, path: &str) -> String {
        std::mem::replace(&mut self.file, path.into()).to_string()
    }

    fn push(&mut self, line: usize, text: &str, kind: &str, fate: Fate) -> usize {
        let place = Place {
            file: Rc::clone(&self.file),
            line,
        };
        self.report.push(Entry::new(place, text, kind, fate));
        self.report.entries.len() - 1
    }

    /// A line that is carried over, unless something is said against it later.
    pub(super) fn carried(&mut self, line: usize, text: &str, kind: &str) -> usize {
        self.push(line, text, kind, Fate::Carried)
    }

    /// A line that is left.
    pub(super) fn left(&mut self, line: usize, text: &str, kind: &str, why: Difference) {
        let entry = self.push(line, text, kind, Fate::Left(why.effect));
        self.note(entry, why.note);
    }

    /// A line that nothing has to be there for.
    pub(super) fn unneeded(&mut self, line: usize, text: &str, kind: &str, why: &str) {
        let entry = self.push(line, text, kind, Fate::Unneeded);
        self.note(entry, why);
    }

    /// Something about a line that makes no difference.
    pub(super) fn note(&mut self, entry: usize, note: impl Into<String>) {
        if let Some(entry) = self.report.entries.get_mut(entry) {
            entry.notes.push(note.into());
        }
    }

    /// Something about a line that is different here.
    pub(super) fn differ(&mut self, entry: usize, effect: Effect, note: impl Display) {
        if let Some(entry) = self.report.entries.get_mut(entry) {
            entry.differ(Difference::new(effect, note));
        }
    }

    /// A line that was taken for carried and is left after all.
    pub(super) fn lost(&mut self, entry: usize, effect: Effect, why: impl Into<String>) {
        if let Some(entry) = self.report.entries.get_mut(entry) {
            entry.fate = Fate::Left(effect);
            entry.notes.push(why.into());
        }
    }

    /// Whether the compiler will take a value.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check(
        &mut self,
        field: &Field,
        question: Question,
        value: &str,
    ) -> Result<(), ValueError> {
        self.checker.check(field, question, value)
    }

    /// Takes a target up if the compiler will.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn add(&mut self, targets: &mut Targets, target: Target) -> Result<(), ValueError> {
        let name = Field::DestinationDomain;
        let (field, question, text) = match &target {
            Target::Any => {
                targets.any = true;
                return Ok(());
            }
            Target::Exact(text) => (name, Question::Equals, text),
            Target::Tree(text) => (name, Question::Domain, text),
            Target::Like(text) => (name, Question::Like, text),
            Target::Matches(text) => (name, Question::Matches, text),
            Target::Network(text) | Target::Literal(text) => {
                (Field::DestinationIp, Question::Ip, text)
            }
        };
        self.checker.check(&field, question, text)?;
        let list = match target {
            Target::Any => return Ok(()),
            Target::Exact(_) => &mut targets.exact,
            Target::Tree(_) => &mut targets.trees,
            Target::Like(_) => &mut targets.patterns,
            Target::Matches(_) => &mut targets.expressions,
            Target::Network(_) => &mut targets.networks,
            Target::Literal(_) => &mut targets.literals,
        };
        let text = text.clone();
        if !list.contains(&text) {
            list.push(text);
        }
        Ok(())
    }

    /// Adds a rule behind those that there are.
    pub(super) fn rule(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Writes the rules in their phases, and compiles them.
    ///
    /// # Errors
    /// See [`Import::new`].
    pub(super) fn finish(mut self, end: &End<'_>) -> Result<Import, ImportError> {
        let mut draft = Draft::new(ALLOW_BY_DEFAULT, end.default_by);
        draft.about = vec![
            format!(
                "Imported from {} by `sallyport-rules import {}`.",
                end.path, end.format
            ),
            "import-report.txt says line by line what became of it.".to_owned(),
        ];
        let rules = std::mem::take(&mut self.rules);
        let rules: Vec<Written> = rules
            .into_iter()
            .filter_map(|rule| self.written(rule))
            .collect();
        let mut group = DraftGroup::new(end.format);
        let mut names = Names::default();
        let mut writer = Writer {
            group: &mut group,
            names: &mut names,
            report: &mut self.report,
        };
        if rules.iter().all(Written::is_early) {
            draft.defaults.pre_dns = end.default;
            for rule in &rules {
                writer.write(Phase::PreDns, &rule.rule.name, rule, &rule.alternatives);
            }
        } else {
            draft.defaults.pre_request = end.default;
            if end.default == Action::Deny && writer.resolve_only_what_may_pass(&rules) {
                draft.defaults.pre_dns = Action::Deny;
            }
            for rule in &rules {
                writer.write(Phase::PreRequest, &rule.rule.name, rule, &rule.alternatives);
            }
        }
        draft.groups.push(group);
        in_source_order(&mut self.report, end.path);
        let origin = Origin {
            path: end.path,
            what: end.what,
        };
        Import::new(draft, self.report, origin)
    }

    /// The rule as conjunctions; its lines are told if it has none.
    fn written(&mut self, rule: Rule) -> Option<Written> {
        let told = match rule.formula.alternatives() {
            Ok(alternatives) if !alternatives.is_empty() => {
                return Some(Written { alternatives, rule });
            }
            Ok(_) => None,
            Err(why) => Some(why.to_string()),
        };
        let effect = Effect::of_leaving(rule.action);
        for at in &rule.entries {
            if let Some(entry) = self.report.entries.get_mut(*at) {
                entry.fate = told.as_ref().map_or(Fate::Unneeded, |_| Fate::Left(effect));
                let note = told
                    .clone()
                    .unwrap_or_else(|| "it never matches".to_owned());
                entry.notes.push(note);
            }
        }
        None
    }
}

/// By file in the order in which files were met, then by line.
fn in_source_order(report: &mut Report, first: &str) {
    let mut files: Vec<Rc<str>> = vec![first.into()];
    for entry in &report.entries {
        if !files.contains(&entry.place.file) {
            files.push(Rc::clone(&entry.place.file));
        }
    }
    report.entries.sort_by_key(|entry| {
        let file = files.iter().position(|file| *file == entry.place.file);
        (file, entry.place.line)
    });
}

/// A rule as any of several conjunctions.
struct Written {
    rule: Rule,
    alternatives: Vec<Vec<Condition>>,
}

impl Written {
    fn is_early(&self) -> bool {
        self.alternatives.iter().flatten().all(is_early)
    }
}

/// What runs inside a CONNECT is known once its first bytes have come, after resolution.
fn is_early(condition: &Condition) -> bool {
    let late = [
        Protocol::Https.name(),
        Protocol::Wss.name(),
        Protocol::H2.name(),
    ];
    let asks_for_tls = condition.field == Field::Protocol
        && condition
            .values
            .items
            .iter()
            .any(|word| late.contains(&word.as_str()));
    condition.field.is_available(Phase::PreDns) && !asks_for_tls
}

struct Writer<'a> {
    group: &'a mut DraftGroup,
    names: &'a mut Names,
    report: &'a mut Report,
}

impl Writer<'_> {
    fn write(&mut self, phase: Phase, name: &str, rule: &Written, alternatives: &[Vec<Condition>]) {
        let Rule {
            action,
            entries,
            description: about,
            ..
        } = &rule.rule;
        for conditions in alternatives {
            let name = self.names.unique(name);
            for entry in entries {
                if let Some(entry) = self.report.entries.get_mut(*entry) {
                    entry.rules.push(format!("{}/{name}", self.group.name));
                }
            }
            let drafted = DraftRule {
                name,
                description: description(about),
                action: *action,
                conditions: conditions.clone(),
                origin: origin(self.report, entries),
            };
            self.group.push(phase, drafted);
        }
    }

    /// What PreREQUEST may allow is resolved, as far as that is known before; the rest is denied.
    /// Whether that says anything.
    fn resolve_only_what_may_pass(&mut self, rules: &[Written]) -> bool {
        let mut early: Vec<(&Written, Vec<Vec<Condition>>)> = Vec::new();
        for rule in rules {
            match rule.rule.action {
                Action::Deny if rule.is_early() => early.push((rule, rule.alternatives.clone())),
                Action::Allow => {
                    let mut known: Vec<Vec<Condition>> = Vec::new();
                    for conditions in &rule.alternatives {
                        let part: Vec<Condition> = conditions
                            .iter()
                            .filter(|one| is_early(one))
                            .cloned()
                            .collect();
                        if part.is_empty() {
                            // Anything may have to be resolved for it.
                            return false;
                        }
                        if !known.contains(&part) {
                            known.push(part);
                        }
                    }
                    early.push((rule, known));
                }
                Action::Deny | Action::Alert => {}
            }
        }
        for (rule, known) in early {
            let kind = match rule.rule.action {
                Action::Deny => "early",
                Action::Allow | Action::Alert => "resolve",
            };
            let name = format!("{kind}-{}", rule.rule.name);
            self.write(Phase::PreDns, &name, rule, &known);
        }
        true
    }
}

/// The lines that a rule comes from: the first few of them.
fn origin(report: &Report, entries: &[usize]) -> Vec<String> {
    const SHOWN_MAX: usize = 3;
    let shown = entries
        .iter()
        .take(SHOWN_MAX)
        .filter_map(|at| report.entries.get(*at));
    let mut lines: Vec<String> = shown
        .map(|entry| format!("{}: {}", entry.place, entry.text))
        .collect();
    if entries.len() > SHOWN_MAX {
        lines.push(format!("and {} more lines", entries.len() - SHOWN_MAX));
    }
    lines
}

/// The text of the file that is imported.
///
/// # Errors
/// When it cannot be read.
pub(super) fn source(files: &dyn InputFiles, path: &str) -> Result<String, ImportError> {
    let text = files.text(path).map_err(|why| ImportError::Unreadable {
        path: path.to_owned(),
        why,
    })?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// The documents of a YAML or JSON file.
///
/// # Errors
/// When it cannot be read.
pub(super) fn documents(files: &dyn InputFiles, path: &str) -> Result<Vec<Json>, ImportError> {
    let text = source(files, path)?;
    super::documents::documents(&text).map_err(|error| ImportError::Document {
        path: path.to_owned(),
        error,
    })
}
