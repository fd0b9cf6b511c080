//! `explain`: what a bundle decides for a request, phase by phase.

use sallyport_ruleset::explain::{
    ConditionExplanation, Found, PhaseExplanation, explain_phase, explain_rule,
};
use sallyport_ruleset::{Bundle, Decision, Facts, Outcome, Phase, RuleIndex, Verdict};
use serde_json::{Value, json};
use std::path::PathBuf;

use crate::diagnostic::printable;
use crate::terminal::{CliError, Status, Terminal};
use crate::tools::bundle_file::load_or_compile;
use crate::tools::request::Request;
use crate::tools::request_args::RequestArgs;

/// A request to explain. What is not given is unknown.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The bundle file, or a ruleset (.toml, .json)
    pub bundle: PathBuf,
    /// The request
    #[command(flatten)]
    pub request: RequestArgs,
    /// Also show each condition of this rule: NAME or GROUP/NAME
    #[arg(long, value_name = "RULE")]
    pub why: Option<String>,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// Explains a request.
///
/// # Errors
/// When the bundle cannot be read, the request makes no sense, or the terminal cannot be written.
pub fn run(args: &Args, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let Some(bundle) = load_or_compile(&args.bundle, terminal)? else {
        return Ok(Status::Problems);
    };
    let now = jiff::Timestamp::now().as_second();
    let request = Request::new(&args.request, Some(now))?;
    let phases = explain(&bundle, &request);
    let wanted = args.why.as_deref();
    let reasons = wanted
        .map(|rule| reasons(&bundle, &request, rule))
        .transpose()?;
    let reasons = reasons.unwrap_or_default();
    if args.json {
        let mut value = as_value(&bundle, &args.request, &phases, &reasons);
        let assumed = request.assumed(&bundle).into_iter();
        let assumed: Value = assumed.map(|(key, what)| (key, json!(what))).collect();
        if let Some(object) = value.as_object_mut() {
            object.insert("assumed".to_owned(), assumed);
        }
        writeln!(terminal.out, "{value:#}")?;
    } else {
        let mut text = as_text(&bundle, &args.request, &phases);
        text.push_str(&assumed_text(&request.assumed(&bundle)));
        text.extend(reasons.iter().map(reason_text));
        terminal.out.write_all(text.as_bytes())?;
    }
    Ok(Status::Good)
}

/// What an ordinary client is taken to be, and how to say that it is not.
fn assumed_text(assumed: &[(String, &str)]) -> String {
    if assumed.is_empty() {
        return String::new();
    }
    let listed: Vec<_> = assumed
        .iter()
        .map(|(key, what)| format!("{key} is {what}"))
        .collect();
    format!(
        "assumed of an ordinary client: {} (`--fact KEY=VALUE`, `--unknown KEY`)\n",
        listed.join("; ")
    )
}

/// What one phase says.
#[derive(Debug)]
pub(super) struct Explained {
    pub(super) phase: Phase,
    pub(super) answer: Answer,
    pub(super) alerts: Vec<RuleIndex>,
}

#[derive(Debug)]
pub(super) enum Answer {
    Decided(Verdict),
    /// The answer depends on what was not given.
    Undetermined(Option<OpenQuestion>),
    /// An earlier phase denied.
    NotReached,
    /// What the phase looks at is inside a tunnel.
    NotSeen,
}

/// A rule that may or may not hold.
#[derive(Debug)]
pub(super) struct OpenQuestion {
    rule: RuleIndex,
    keys: Vec<String>,
}

/// A rule and its conditions.
#[derive(Debug)]
pub(super) struct Reason {
    phase: Phase,
    title: String,
    conditions: Vec<ConditionExplanation>,
}

impl Reason {
    /// Asks each condition of a rule.
    pub(super) fn new(bundle: &Bundle, phase: Phase, rule: RuleIndex, facts: &Facts<'_>) -> Self {
        Self {
            phase,
            title: title(bundle, phase, rule),
            conditions: explain_rule(bundle, phase, rule, facts),
        }
    }

    /// `GROUP/NAME` of the rule.
    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// Whether a condition fails, so that the rule does not hold.
    pub(super) fn fails(&self) -> bool {
        let mut conditions = self.conditions.iter();
        conditions.any(|condition| condition.holds == Some(false))
    }
}

pub(super) fn explain(bundle: &Bundle, request: &Request) -> Vec<Explained> {
    let mut denied = false;
    let mut explained = Vec::new();
    for phase in Phase::ALL.into_iter().filter(|phase| request.asks(*phase)) {
        if denied || (phase == Phase::PostResponse && request.is_opaque()) {
            let answer = if denied {
                Answer::NotReached
            } else {
                Answer::NotSeen
            };
            explained.push(Explained {
                phase,
                answer,
                alerts: Vec::new(),
            });
            continue;
        }
        let (answer, alerts) = request.with_facts(phase, |facts| ask(bundle, phase, facts));
        denied = answer.denies();
        explained.push(Explained {
            phase,
            answer,
            alerts,
        });
    }
    explained
}

fn ask(bundle: &Bundle, phase: Phase, facts: &Facts<'_>) -> (Answer, Vec<RuleIndex>) {
    let PhaseExplanation {
        outcome, alerts, ..
    } = explain_phase(bundle, phase, facts);
    let answer = match outcome {
        Outcome::Decided(verdict) => Answer::Decided(verdict),
        Outcome::Undetermined => Answer::Undetermined(open_question(bundle, phase, facts)),
    };
    (answer, alerts)
}

impl Answer {
    const fn denies(&self) -> bool {
        matches!(
            self,
            Self::Decided(Verdict {
                action: Decision::Deny,
                ..
            })
        )
    }
}

/// The first rule that may or may not hold, and the keys that it hangs on.
fn open_question(bundle: &Bundle, phase: Phase, facts: &Facts<'_>) -> Option<OpenQuestion> {
    (0..)
        .map(RuleIndex)
        .take(bundle.rules_count(phase))
        .find_map(|rule| {
            let conditions = explain_rule(bundle, phase, rule, facts);
            let is_open = conditions
                .iter()
                .all(|condition| condition.holds != Some(false))
                && conditions.iter().any(|condition| condition.holds.is_none());
            let unknown = conditions
                .into_iter()
                .filter(|condition| condition.holds.is_none());
            is_open.then(|| OpenQuestion {
                rule,
                keys: unknown.map(|condition| condition.field).collect(),
            })
        })
}

/// The conditions of the rules that `--why` names.
fn reasons(bundle: &Bundle, request: &Request, wanted: &str) -> Result<Vec<Reason>, CliError> {
    let mut found = Vec::new();
    for phase in Phase::ALL.into_iter().filter(|phase| request.asks(*phase)) {
        for rule in (0..).map(RuleIndex).take(bundle.rules_count(phase)) {
            let is_wanted =
                title(bundle, phase, rule) == wanted || bundle.rule_name(phase, rule) == wanted;
            if is_wanted {
                let reason = |facts: &Facts<'_>| Reason::new(bundle, phase, rule, facts);
                found.push(request.with_facts(phase, reason));
            }
        }
    }
    if found.is_empty() {
        return Err(CliError::Usage(format!(
            "the bundle has no rule `{wanted}`"
        )));
    }
    Ok(found)
}

const fn answer_word(holds: Option<bool>) -> &'static str {
    match holds {
        Some(true) => "holds",
        Some(false) => "fails",
        None => "unknown",
    }
}

fn reason_text(reason: &Reason) -> String {
    let title = format!("\n{} {}\n", reason.phase, printable(&reason.title));
    title + &conditions_text(reason)
}

/// A line for each condition.
pub(super) fn conditions_text(reason: &Reason) -> String {
    let mut out = String::new();
    for condition in &reason.conditions {
        let text = format!("{condition}; the field is {}", condition.found);
        out.push_str(&format!(
            "  {:8} {}\n",
            answer_word(condition.holds),
            printable(&text)
        ));
    }
    if reason.conditions.is_empty() {
        out.push_str("  holds    always: the rule has no condition\n");
    }
    out
}

fn reason_value(reason: &Reason) -> Value {
    json!({
        "phase": reason.phase.name(),
        "rule": reason.title,
        "conditions": conditions_value(reason),
    })
}

/// An object for each condition.
pub(super) fn conditions_value(reason: &Reason) -> Vec<Value> {
    let condition = |condition: &ConditionExplanation| {
        json!({
            "key": condition.field,
            "operator": condition.operator,
            "values": condition.values,
            "holds": condition.holds,
            "found": found_value(&condition.found),
        })
    };
    reason.conditions.iter().map(condition).collect()
}

/// `"unknown"`, `null` for an absent field, or a list of values.
fn found_value(found: &Found) -> Value {
    match found {
        Found::Unknown => json!("unknown"),
        Found::Absent => Value::Null,
        Found::Values(values) => json!(values),
    }
}

/// The decision over all phases. A denial after an open question is a denial either way.
pub(super) fn decision(phases: &[Explained]) -> &'static str {
    if phases.iter().any(|one| one.answer.denies()) {
        "deny"
    } else if phases
        .iter()
        .any(|one| matches!(one.answer, Answer::Undetermined(_)))
    {
        "undetermined"
    } else {
        "allow"
    }
}

pub(super) fn title(bundle: &Bundle, phase: Phase, rule: RuleIndex) -> String {
    format!(
        "{}/{}",
        bundle.rule_group(phase, rule),
        bundle.rule_name(phase, rule)
    )
}

pub(super) fn as_text(bundle: &Bundle, args: &RequestArgs, phases: &[Explained]) -> String {
    let mut out = match args.url {
        Some(_) => format!("{} {}\n\n", printable(args.method()), printable(args.url())),
        None => "a request as given by its facts\n\n".to_owned(),
    };
    for one in phases {
        let lines = lines(bundle, one);
        for (at, line) in lines.iter().enumerate() {
            let name = if at == 0 { one.phase.name() } else { "" };
            out.push_str(&format!("{name:13} {}\n", printable(line)));
        }
    }
    out.push_str(&format!("\ndecision: {}\n", decision(phases)));
    out
}

fn lines(bundle: &Bundle, one: &Explained) -> Vec<String> {
    let mut lines: Vec<String> = one
        .alerts
        .iter()
        .map(|rule| {
            format!(
                "alert         {}{}",
                title(bundle, one.phase, *rule),
                description(bundle, one.phase, *rule)
            )
        })
        .collect();
    lines.push(match &one.answer {
        Answer::Decided(verdict) => {
            let by = match verdict.rule {
                Some(rule) => format!(
                    "{}{}",
                    title(bundle, one.phase, rule),
                    description(bundle, one.phase, rule)
                ),
                None if verdict.default_alert => "by default, with an alert".to_owned(),
                None => "by default: no rule decides".to_owned(),
            };
            format!("{:13} {by}", verdict.action.name())
        }
        Answer::Undetermined(question) => undetermined(bundle, one.phase, question.as_ref()),
        Answer::NotReached => "not reached".to_owned(),
        Answer::NotSeen => {
            "not evaluated the response is inside a tunnel; `--intercept` looks into it".to_owned()
        }
    });
    lines
}

fn undetermined(bundle: &Bundle, phase: Phase, question: Option<&OpenQuestion>) -> String {
    let what = question.map_or_else(String::new, |OpenQuestion { rule, keys }| {
        format!(
            " {} hangs on {}, which was not given (`--fact KEY=VALUE`, `--absent KEY`)",
            title(bundle, phase, *rule),
            keys.join(", ")
        )
    });
    format!("undetermined {what}")
}

pub(super) fn description(bundle: &Bundle, phase: Phase, rule: RuleIndex) -> String {
    match bundle.rule_description(phase, rule) {
        "" => String::new(),
        text => format!(" ({text})"),
    }
}

pub(super) fn as_value(
    bundle: &Bundle,
    args: &RequestArgs,
    phases: &[Explained],
    reasons: &[Reason],
) -> Value {
    let of_rule = |phase: Phase, rule: RuleIndex| json!({ "group": bundle.rule_group(phase, rule), "rule": bundle.rule_name(phase, rule) });
    let values: Vec<Value> = phases
        .iter()
        .map(|one| {
            let (outcome, by, depends_on) = match &one.answer {
                Answer::Decided(verdict) => (
                    verdict.action.name(),
                    verdict.rule.map(|rule| of_rule(one.phase, rule)),
                    None,
                ),
                Answer::Undetermined(question) => ("undetermined", None, question.as_ref()),
                Answer::NotReached => ("not_reached", None, None),
                Answer::NotSeen => ("not_evaluated", None, None),
            };
            let alerts: Vec<Value> = one
                .alerts
                .iter()
                .map(|rule| of_rule(one.phase, *rule))
                .collect();
            json!({
                "phase": one.phase.name(),
                "outcome": outcome,
                "by": by,
                "by_default": matches!(one.answer, Answer::Decided(Verdict { rule: None, .. })),
                "alerts": alerts,
                "open_rule": depends_on.map(|question| of_rule(one.phase, question.rule)),
                "depends_on": depends_on.map(|question| &question.keys),
            })
        })
        .collect();
    json!({
        "bundle": bundle.id(),
        "method": args.method(),
        "url": args.url(),
        "phases": values,
        "decision": decision(phases),
        "why": reasons.iter().map(reason_value).collect::<Vec<_>>(),
    })
}
