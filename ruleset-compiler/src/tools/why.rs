//! `why`: what a line of the access log says was decided, and which conditions of the rules that did it
//! held, by what the line itself tells.

use std::io::{self, BufRead};
use std::path::PathBuf;

use sallyport_ruleset::{Action, Bundle, Facts, Phase, RuleIndex};
use serde_json::{Value, json};

use crate::diagnostic::printable;
use crate::terminal::{CliError, Status, Terminal};
use crate::tools::bundle_file::load_or_compile;
use crate::tools::explain::{Reason, conditions_text, conditions_value, description};
use crate::tools::log::{LogReader, LogRecord, LoggedDecision, NormalForms, Told};

/// A line to explain.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The bundle that the line names, or the ruleset that it was made of (.toml, .json)
    pub bundle: PathBuf,
    /// The line of the access log; - takes the first of standard input
    pub line: String,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// Explains a line. The answer is no if it names a rule that the bundle does not have.
///
/// # Errors
/// When the bundle or the line cannot be read, or the terminal cannot be written.
pub fn run(args: &Args, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let Some(bundle) = load_or_compile(&args.bundle, terminal)? else {
        return Ok(Status::Problems);
    };
    let line = whole_line(&args.line)?;
    let unreadable = |why: String| CliError::Usage(format!("the line cannot be explained: {why}"));
    let record = LogReader::default()
        .read_logged(line.as_bytes())
        .map_err(|error| unreadable(error.to_string()))?;
    let members: Value =
        serde_json::from_str(&line).map_err(|error| unreadable(error.to_string()))?;
    let steps = steps(&bundle, &record);
    if args.json {
        let value = as_value(&bundle, &members, &steps);
        writeln!(terminal.out, "{value:#}")?;
    } else {
        let text = as_text(&bundle, &members, &steps);
        terminal.out.write_all(text.as_bytes())?;
    }
    let is_known = |step: &Step| !matches!(step.by, By::Stranger(_));
    Ok(if steps.iter().all(is_known) {
        Status::Good
    } else {
        Status::Problems
    })
}

fn whole_line(argument: &str) -> Result<String, CliError> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|error| CliError::Read {
        path: argument.into(),
        error,
    })?;
    Ok(line)
}

/// Something that the line says a phase did.
#[derive(Debug)]
struct Step {
    phase: Phase,
    /// As the log has it.
    action: String,
    by: By,
}

#[derive(Debug)]
enum By {
    Rule(RuleIndex, Reason),
    Default,
    /// A rule that this bundle does not have.
    Stranger(String),
}

/// What each phase did in their order, its alerts first. The facts grow from phase to phase.
fn steps(bundle: &Bundle, record: &LogRecord<'_>) -> Vec<Step> {
    let decisions = record.decisions();
    let alerts = record.alerts();
    let mut forms = NormalForms::default();
    let mut facts = Facts::unknown();
    let told = Told::begin(record, &mut forms, &mut facts);
    let mut steps = Vec::new();
    for phase in Phase::ALL {
        if let Some(told) = &told {
            told.enter(phase, &mut facts);
        }
        let by_rule = |rule| By::Rule(rule, Reason::new(bundle, phase, rule, &facts));
        let fired = alerts
            .iter()
            .filter_map(|name| str::from_utf8(name).ok())
            .flat_map(|name| alert_rules(bundle, phase, name));
        steps.extend(fired.map(|rule| Step {
            phase,
            action: Action::Alert.name().to_owned(),
            by: by_rule(rule),
        }));
        let decided = decisions
            .iter()
            .filter(|decision| decision.phase == phase.name());
        steps.extend(decided.map(|decision| Step {
            phase,
            action: decision.action.to_string(),
            by: match named(bundle, phase, decision) {
                Named::Rule(rule) => by_rule(rule),
                Named::Default => By::Default,
                Named::Stranger(title) => By::Stranger(title),
            },
        }));
    }
    steps
}

enum Named {
    Rule(RuleIndex),
    Default,
    Stranger(String),
}

fn named(bundle: &Bundle, phase: Phase, decision: &LoggedDecision<'_>) -> Named {
    let Some(name) = decision.rule.as_deref() else {
        return Named::Default;
    };
    let group = decision.group.as_deref().unwrap_or_default();
    let mut rules = rules(bundle, phase);
    rules
        .find(|rule| {
            bundle.rule_group(phase, *rule) == group && bundle.rule_name(phase, *rule) == name
        })
        .map_or_else(|| Named::Stranger(format!("{group}/{name}")), Named::Rule)
}

/// The alert rules of a phase that have a name: the log does not say of which group one is.
fn alert_rules<'b>(
    bundle: &'b Bundle,
    phase: Phase,
    name: &str,
) -> impl Iterator<Item = RuleIndex> + use<'b> {
    let name = name.to_owned();
    rules(bundle, phase).filter(move |rule| {
        bundle.rule_action(phase, *rule) == Some(Action::Alert)
            && bundle.rule_name(phase, *rule) == name
    })
}

fn rules(bundle: &Bundle, phase: Phase) -> impl Iterator<Item = RuleIndex> + use<> {
    (0..).map(RuleIndex).take(bundle.rules_count(phase))
}

/// A member of the line that is text.
fn member<'v>(members: &'v Value, name: &str) -> Option<&'v str> {
    members.get(name).and_then(Value::as_str)
}

fn as_text(bundle: &Bundle, members: &Value, steps: &[Step]) -> String {
    let mut out = String::new();
    let mut say = |line: &str| {
        out.push_str(printable(line).trim_end());
        out.push('\n');
    };
    say(&headline(members));
    let of_other = member(members, "bundle").filter(|id| *id != bundle.id());
    if let Some(other) = of_other {
        say(&format!(
            "the line is of bundle {other}, this is {}: its rules of the same names are shown",
            bundle.id()
        ));
    }
    for step in steps {
        let by = match &step.by {
            By::Rule(rule, reason) => format!(
                "{}{}{}",
                reason.title(),
                description(bundle, step.phase, *rule),
                if reason.fails() {
                    ": by what the line tells it does not hold"
                } else {
                    ""
                }
            ),
            By::Default => "by default: no rule decided".to_owned(),
            By::Stranger(title) => format!("{title}, a rule that the bundle does not have"),
        };
        say("");
        say(&format!("{:12} {:5} {by}", step.phase.name(), step.action));
        if let By::Rule(_, reason) = &step.by {
            // It ends its lines itself, and has made them printable.
            conditions_text(reason).lines().for_each(&mut say);
        }
    }
    if steps.is_empty() {
        say("");
        say("no phase decided anything");
    }
    if let Some(error) = member(members, "error") {
        let detail = member(members, "detail").unwrap_or_default();
        say("");
        say(&format!("error: {error} {detail}"));
    }
    out
}

/// What was asked for, and what came of it.
fn headline(members: &Value) -> String {
    let words = ["ts", "event", "method", "domain"].map(|name| member(members, name));
    let mut words: Vec<String> = words.into_iter().flatten().map(str::to_owned).collect();
    if let (Some(last), Some(port)) = (words.last_mut(), members.get("port")) {
        last.push_str(&format!(":{port}"));
    }
    words.extend(member(members, "uri").map(str::to_owned));
    words.extend(
        members
            .get("status")
            .map(|status| format!("status {status}")),
    );
    words.join(" ")
}

fn as_value(bundle: &Bundle, members: &Value, steps: &[Step]) -> Value {
    let steps: Vec<Value> = steps
        .iter()
        .map(|step| {
            let (rule, known, reason) = match &step.by {
                By::Rule(_, reason) => (Some(reason.title()), true, Some(reason)),
                By::Default => (None, true, None),
                By::Stranger(title) => (Some(title.as_str()), false, None),
            };
            json!({
                "phase": step.phase.name(),
                "action": step.action,
                "rule": rule,
                "is_known": known,
                "holds": reason.map(|reason| !reason.fails()),
                "conditions": reason.map(conditions_value),
            })
        })
        .collect();
    json!({
        "bundle": bundle.id(),
        "logged_bundle": member(members, "bundle"),
        "txn": member(members, "txn"),
        "error": member(members, "error"),
        "detail": member(members, "detail"),
        "steps": steps,
    })
}
