//! `diff`: both answers, for people and for programs.

use std::path::PathBuf;

use sallyport_ruleset::reference::Reference;
use sallyport_ruleset::{Decision, Phase, Ruleset};
use serde_json::{Value, json};

use super::regions::{self, AlertChange, DecisionChange, Findings};
use super::side::{CompareError, Side};
use super::textual::{self, Change};
use super::witness::Witness;
use crate::diagnostic::{counted, printable};
use crate::terminal::{CliError, Status, Terminal};

/// What to compare.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Exit status: 0 equal on every request (with --only-narrower: nothing more is allowed), 1 not so, 2 bad usage or a file could not be read, 3 it could not be found out."
)]
pub struct Args {
    /// The old bundle, or a ruleset (.toml, .json)
    pub old: PathBuf,
    /// The new one
    pub new: PathBuf,
    /// Fail only if a request is allowed that was denied before
    #[arg(long)]
    pub only_narrower: bool,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// Compares two rulesets.
///
/// # Errors
/// When one of them cannot be read.
pub fn run(args: &Args, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let (Some(old), Some(new)) = (
        Side::load(&args.old, terminal)?,
        Side::load(&args.new, terminal)?,
    ) else {
        return Ok(Status::Problems);
    };
    let text = textual::compare(&old.ruleset, &new.ruleset);
    let findings = decide(&old, &new)?;
    let said = if args.json {
        format!("{:#}\n", as_value(&old, &new, &text, &findings))
    } else {
        as_text(&old, &new, &text, &findings)
    };
    terminal.out.write_all(said.as_bytes())?;
    Ok(findings.status(args.only_narrower))
}

fn decide(old: &Side, new: &Side) -> Result<Findings, CliError> {
    let reference = |side: &Side, ruleset| {
        Reference::new(ruleset).map_err(|error| CliError::Content {
            path: side.path.clone(),
            problem: error.to_string(),
        })
    };
    let old_reference = reference(old, &old.ruleset)?;
    let new_reference = reference(new, &new.ruleset)?;
    let mut all = Findings::default();
    for phase in Phase::ALL {
        let found = regions::compare([old, new], [&old_reference, &new_reference], phase);
        all.decisions.extend(found.decisions);
        all.alerts.extend(found.alerts);
        all.undecided.extend(found.undecided);
    }
    Ok(all)
}

impl DecisionChange {
    fn is_wider(&self) -> bool {
        self.decisions == [Decision::Deny, Decision::Allow]
    }
}

impl Findings {
    fn status(&self, only_narrower: bool) -> Status {
        let is_wider = self.decisions.iter().any(DecisionChange::is_wider);
        let differs = !self.decisions.is_empty() || !self.alerts.is_empty();
        if is_wider || differs && !only_narrower {
            Status::Problems
        } else if self.undecided.is_empty() {
            Status::Good
        } else {
            Status::Undecided
        }
    }
}

fn as_text(old: &Side, new: &Side, text: &[Change], findings: &Findings) -> String {
    let mut out = format!(
        "old  {}  {}\nnew  {}  {}\n\nrules\n",
        old.path.display(),
        old.bundle.id(),
        new.path.display(),
        new.bundle.id()
    );
    if text.is_empty() {
        out.push_str("  the same\n");
    }
    for change in text {
        out.push_str(&format!(
            "  {} {} {}\n",
            change.kind.sign(),
            printable(&change.what),
            change.kind.name()
        ));
        for detail in &change.details {
            out.push_str(&format!("      {}\n", printable(detail)));
        }
    }
    out.push_str("\nrequests\n");
    for change in &findings.decisions {
        out.push_str(&decision_text(new, change));
    }
    for change in &findings.alerts {
        out.push_str(&alert_text(new, change));
    }
    out.push_str(&conclusion(findings));
    out
}

fn named(rule: Option<&String>) -> String {
    rule.map_or_else(|| "default".to_owned(), Clone::clone)
}

fn decision_text(new: &Side, change: &DecisionChange) -> String {
    let [old_rule, new_rule] = &change.rules;
    let [old_decision, new_decision] = change.decisions;
    let sign = if change.is_wider() {
        "WIDER   "
    } else {
        "narrower"
    };
    let line = format!(
        "{sign} {}: {old_decision} by {} -> {new_decision} by {}",
        change.phase,
        named(old_rule.as_ref()),
        named(new_rule.as_ref()),
    );
    with_witness(&line, change.phase, new, &change.witness)
}

fn alert_text(new: &Side, change: &AlertChange) -> String {
    let what = if change.is_new { "now" } else { "no longer" };
    let line = format!(
        "alert    {}: {what} raised by {}",
        change.phase, change.rule
    );
    with_witness(&line, change.phase, new, &change.witness)
}

/// A request that shows the difference, and the command that explains it.
fn with_witness(line: &str, phase: Phase, new: &Side, witness: &Witness) -> String {
    let mut out = format!("  {}\n", printable(line));
    let lines = witness.lines();
    if lines.is_empty() {
        out.push_str("      for example every request\n");
    }
    for line in lines {
        out.push_str(&format!("      {}\n", printable(&line)));
    }
    let words: Vec<_> = witness
        .arguments(phase)
        .iter()
        .map(|word| quoted(word))
        .collect();
    let path = quoted(&new.path.display().to_string());
    let command = format!("sallyport-rules explain {path} {}", words.join(" "));
    out.push_str(&format!("      {}\n", printable(&command)));
    out
}

/// A word of a POSIX shell's command line.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn conclusion(findings: &Findings) -> String {
    let mut out = String::new();
    for what in &findings.undecided {
        out.push_str(&format!("  undecided: {}\n", printable(what)));
    }
    let wider = findings
        .decisions
        .iter()
        .filter(|change| change.is_wider())
        .count();
    let narrower = findings.decisions.len() - wider;
    let differs = wider + narrower > 0;
    out.push_str(&match (differs, findings.undecided.is_empty()) {
        (false, true) => "  every request is decided as before".to_owned(),
        (false, false) => "  no request was found that is decided differently".to_owned(),
        (true, _) => format!(
            "  {} in which more is allowed, {} in which less is",
            counted(wider, "region"),
            narrower
        ),
    });
    if !findings.undecided.is_empty() {
        out.push_str(&format!("; {} undecided", findings.undecided.len()));
    } else if findings.alerts.is_empty() {
        out.push_str(", and raises the same alerts");
    }
    out.push('\n');
    out
}

fn as_value(old: &Side, new: &Side, text: &[Change], findings: &Findings) -> Value {
    let decision = |change: &DecisionChange| {
        let [old_rule, new_rule] = &change.rules;
        let [old_decision, new_decision] = change.decisions;
        json!({
            "phase": change.phase.name(),
            "old": { "decision": old_decision.name(), "rule": old_rule },
            "new": { "decision": new_decision.name(), "rule": new_rule },
            "wider": change.is_wider(),
            "witness": change.witness.as_value(),
            "explain": change.witness.arguments(change.phase),
        })
    };
    let alert = |change: &AlertChange| {
        json!({
            "phase": change.phase.name(),
            "rule": change.rule,
            "raised_by": if change.is_new { "new" } else { "old" },
            "witness": change.witness.as_value(),
            "explain": change.witness.arguments(change.phase),
        })
    };
    json!({
        "old": old.bundle.id(),
        "new": new.bundle.id(),
        "rules": text.iter().map(Change::as_value).collect::<Vec<_>>(),
        "decisions": findings.decisions.iter().map(decision).collect::<Vec<_>>(),
        "alerts": findings.alerts.iter().map(alert).collect::<Vec<_>>(),
        "undecided": findings.undecided,
        "equal": findings.decisions.is_empty() && findings.alerts.is_empty() && findings.undecided.is_empty(),
    })
}

/// What is found about two rulesets in memory, for tests and fuzzing: whether a proof of equality
/// was given, and how many differences were shown.
///
/// # Errors
/// When one of them cannot be compiled.
pub fn compare_rulesets(old: &Ruleset, new: &Ruleset) -> Result<Compared, CompareError> {
    let [old, new] = [Side::of(old)?, Side::of(new)?];
    let findings = decide(&old, &new)?;
    Ok(Compared {
        decisions: Phase::ALL.map(|phase| {
            findings
                .decisions
                .iter()
                .filter(|one| one.phase == phase)
                .count()
        }),
        alerts: Phase::ALL.map(|phase| {
            findings
                .alerts
                .iter()
                .filter(|one| one.phase == phase)
                .count()
        }),
        undecided: findings.undecided,
    })
}

/// See [`compare_rulesets`].
#[derive(Debug)]
pub struct Compared {
    /// Differences of decisions that were shown, by [`Phase::index`].
    pub decisions: [usize; 3],
    /// Differences of alerts that were shown, by [`Phase::index`].
    pub alerts: [usize; 3],
    /// What could not be found out.
    pub undecided: Vec<String>,
}
