//! The JSON of the AWS Network Firewall Proxy preview, as TOML that a person would keep. The
//! compiler reads that JSON as it is; this is for those who want to go on in the native form.

use sallyport_ruleset::{Action, Field};

use super::condition::{Condition, Values};
use super::draft::{ALLOW_BY_DEFAULT, DefaultAction, DefaultsBy, Draft, DraftGroup, DraftRule};
use super::outcome::{Import, ImportError, Origin};
use super::report::{Difference, Effect, Entry, Fate, Place, Report};
use crate::diagnostic::{Colors, Diagnostics};
use crate::ir::{self, PHASES};
use crate::limits::GROUP_RULES_MAX_DEFAULT;
use crate::load::{self, Parsed};
use crate::operator::Operator;
use crate::parse::aws_json::JsonDialect;
use crate::pipeline::{self, Options};
use crate::source::{ReadError, SourceFiles, Sources, Span};

/// What the JSON does not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsOptions {
    /// `StringEquals ".example.com"` over a domain means the names under `example.com`.
    pub suffix_equals: bool,
    /// What a rule group alone does not say: what is decided where no rule of it does. `None`: deny.
    pub default: Option<DefaultAction>,
}

/// The ruleset around a group that is imported alone.
const WRAPPER: &str = "sallyport-import-of-one-group.toml";

/// Imports a proxy configuration with its rule groups, or one rule group.
///
/// # Errors
/// When something cannot be read or is refused, told with its place; the result would not mean the
/// same.
pub fn import(
    files: &dyn SourceFiles,
    path: &str,
    options: AwsOptions,
) -> Result<Import, ImportError> {
    let unreadable = |why| ImportError::Unreadable {
        path: path.to_owned(),
        why,
    };
    let bytes = files.read(path).map_err(unreadable)?;
    let text = String::from_utf8_lossy(&bytes);
    if is_table(&text) {
        return Err(ImportError::Malformed(format!(
            "`{path}`: this looks like a table (CSV), as the console exports it, which does not say all of a rule; `aws network-firewall describe-proxy-rule-group --proxy-rule-group-name NAME` gives the JSON that is read here"
        )));
    }
    let is_configuration = text.contains("\"DefaultRulePhaseActions\"");
    let wrapped = Wrapped { files, path };
    let (files, root): (&dyn SourceFiles, &str) = if is_configuration {
        (files, path)
    } else {
        (&wrapped, WRAPPER)
    };
    if is_configuration && options.default.is_some() {
        let why = "a proxy configuration says its defaults itself: `--default` is for rule groups";
        return Err(ImportError::Malformed(why.to_owned()));
    }
    let dialect = JsonDialect {
        suffix_equals: options.suffix_equals,
    };
    check(files, root, options)?;
    let mut diagnostics = Diagnostics::default();
    let (sources, parsed) =
        load::load(files, root, dialect, &mut diagnostics).map_err(|error| {
            ImportError::Unloaded {
                path: path.to_owned(),
                error,
            }
        })?;
    let mut walk = Walk {
        sources: &sources,
        suffixes: options
            .suffix_equals
            .then(|| as_written(files, root))
            .flatten(),
        report: Report::default(),
    };
    let mut draft = walk.draft(path, &parsed);
    if !is_configuration {
        walk.defaults_of_group(&mut draft, options.default);
    }
    let what = "is a rule";
    Import::new(draft, walk.report, Origin { path, what })
}

/// Whether a text is lines of cells with a head, and no JSON.
fn is_table(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let mut lines = text.lines();
    let head = lines.next().unwrap_or("");
    let cells_count = head.split([',', ';', '\t']).count();
    let is_document = head.starts_with(['{', '[', '#']) || head.contains(" = ");
    cells_count >= 3
        && !is_document
        && lines
            .next()
            .is_some_and(|line| line.contains([',', ';', '\t']))
}

/// The same without the habit, to see where it applied.
fn as_written(files: &dyn SourceFiles, root: &str) -> Option<Parsed> {
    let mut unheard = Diagnostics::default();
    let loaded = load::load(files, root, JsonDialect::default(), &mut unheard).ok();
    loaded.map(|(_, parsed)| parsed)
}

/// Refuses what the compiler refuses: the places in its words are those of the JSON.
fn check(files: &dyn SourceFiles, root: &str, options: AwsOptions) -> Result<(), ImportError> {
    let options = Options {
        aws_suffix_equals: options.suffix_equals,
        ..Options::default()
    };
    let checked = pipeline::check(files, root, &options)
        .map_err(|error| ImportError::Malformed(error.to_string()))?;
    if checked.diagnostics.errors_count() == 0 {
        return Ok(());
    }
    let said = checked.diagnostics.render(&checked.sources, Colors::NONE);
    Err(ImportError::Malformed(said))
}

/// One group, with a ruleset around it.
struct Wrapped<'a> {
    files: &'a dyn SourceFiles,
    path: &'a str,
}

impl SourceFiles for Wrapped<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        if path != WRAPPER {
            return self.files.read(path);
        }
        let defaults = "pre_dns = \"allow\"\npre_request = \"allow\"\npost_response = \"allow\"";
        let file = serde_json::Value::from(self.path);
        Ok(
            format!("[defaults]\n{defaults}\n[[group]]\npriority = 10\nfile = {file}\n")
                .into_bytes(),
        )
    }
}

struct Walk<'a> {
    sources: &'a Sources,
    /// What was written where a leading dot was taken for the names under it.
    suffixes: Option<Parsed>,
    report: Report,
}

impl Walk<'_> {
    fn draft(&mut self, path: &str, parsed: &Parsed) -> Draft {
        let mut draft = Draft::new(ALLOW_BY_DEFAULT, DefaultsBy::Source);
        draft.about = vec![
            format!("Imported from {path} by `sallyport-rules import aws`."),
            "import-report.txt says rule by rule what became of it.".to_owned(),
        ];
        for phase in PHASES {
            *draft.defaults.of_mut(phase) = parsed.defaults.of(phase).unwrap_or(Action::Deny);
        }
        for at in parsed.evaluation_order() {
            if let Some(group) = parsed.group(at) {
                let written = self.suffixes.take();
                let group = self.group(
                    group,
                    written.as_ref().and_then(|written| written.group(at)),
                );
                self.suffixes = written;
                draft.groups.push(group);
            }
        }
        draft
    }

    /// A rule group alone has no default actions.
    fn defaults_of_group(&mut self, draft: &mut Draft, given: Option<DefaultAction>) {
        let default = given.unwrap_or(DefaultAction::Deny);
        for phase in PHASES {
            let has_rules = draft.groups.iter().any(|group| group.has_rules_in(phase));
            *draft.defaults.of_mut(phase) = if has_rules {
                default.action()
            } else {
                Action::Allow
            };
        }
        if given.is_none() {
            self.report.remark(
                "a rule group alone has no default actions: where no rule decides, phases with rules deny; `--default allow` makes them allow",
            );
        }
    }

    /// `written` is the same group without the habit, if there is one.
    fn group(&mut self, group: &ir::Group, written: Option<&ir::Group>) -> DraftGroup {
        let name = group.name.as_ref().map_or("group", |name| &name.value);
        let mut drafted = DraftGroup::new(name);
        let rules_count: usize = PHASES
            .into_iter()
            .map(|phase| group.rules.of(phase).len())
            .sum();
        if rules_count > GROUP_RULES_MAX_DEFAULT {
            self.report.remark(format!(
                "`{name}` is cut into several groups of {GROUP_RULES_MAX_DEFAULT} rules"
            ));
        }
        for phase in PHASES {
            let mut as_written = written
                .into_iter()
                .flat_map(|written| written.rules.of(phase));
            for rule in group.rules.of(phase) {
                let place = self.place(rule.name.span);
                let is_suffix = as_written
                    .next()
                    .is_some_and(|written| !asks_the_same(rule, written));
                let mut entry = Entry::new(
                    place.clone(),
                    &rule.name.value,
                    format!("rule of {phase}"),
                    Fate::Carried,
                );
                entry.rules.push(format!("{name}/{}", rule.name.value));
                if is_suffix {
                    // The option says what is meant.
                    entry.differ(Difference::new(
                        Effect::Neither,
                        "`StringEquals` with a leading dot is taken for the name and all names under it",
                    ));
                }
                self.report.push(entry);
                drafted.push(phase, drafted_rule(rule, &place));
            }
        }
        drafted
    }

    fn place(&self, span: Span) -> Place {
        Place {
            file: self.sources.name(span.file).into(),
            line: self.sources.place(span).line_number,
        }
    }
}

fn asks_the_same(rule: &ir::Rule, other: &ir::Rule) -> bool {
    let operators = |rule: &ir::Rule| -> Vec<String> {
        let conditions = rule.conditions.iter();
        conditions
            .map(|condition| condition.operator.value.clone())
            .collect()
    };
    operators(rule) == operators(other)
}

fn drafted_rule(rule: &ir::Rule, place: &Place) -> DraftRule {
    DraftRule {
        name: rule.name.value.clone(),
        description: rule.description.clone(),
        action: rule.action.unwrap_or(Action::Deny),
        // All of them are good: the whole was checked before.
        conditions: rule
            .conditions
            .iter()
            .filter_map(|condition| drafted_condition(condition, &rule.name.value))
            .collect(),
        origin: vec![place.to_string()],
    }
}

fn drafted_condition(condition: &ir::Condition, rule: &str) -> Option<Condition> {
    let field = Field::parse(&condition.key.value)?;
    let operator = Operator::parse(&condition.operator.value)?;
    let items = condition.values.iter().map(|value| match &value.value {
        // Twice is how a text that begins with it is written.
        ir::Value::Text(text) if text.starts_with("@@") => text.get(1..).unwrap_or("").to_owned(),
        ir::Value::Text(text) | ir::Value::Bare(text) => text.clone(),
        ir::Value::Pair(from, to) => format!("{from}-{to}"),
    });
    let values = Values {
        name: rule.to_owned(),
        origin: format!("values of {rule}"),
        items: items.collect(),
    };
    Some(Condition::new(field, operator, values))
}
