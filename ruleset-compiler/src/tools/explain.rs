//! `explain`: what a bundle decides for a request, phase by phase.

use sallyport_ruleset::{
    Bundle, Decision, Facts, Field, Outcome, Phase, RuleIndex, Source, Verdict, evaluate,
};
use serde_json::{Value, json};

use crate::cli::{CliError, ExplainArgs, Status, Terminal};
use crate::diagnostic::printable;
use crate::tools::request::Request;

/// Explains a request.
///
/// # Errors
/// When the bundle cannot be read, the request makes no sense, or the terminal cannot be written.
pub fn run(args: &ExplainArgs, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let bundle = crate::source::load_bundle(&args.bundle)?;
    let request = Request::new(args).map_err(CliError::Usage)?;
    let phases = explain(&bundle, &request);
    if args.json {
        let value = as_value(&bundle, args, &phases);
        writeln!(terminal.out, "{value:#}")?;
    } else {
        terminal
            .out
            .write_all(as_text(&bundle, args, &phases).as_bytes())?;
    }
    Ok(Status::Good)
}

/// What one phase says.
#[derive(Debug)]
struct Explained {
    phase: Phase,
    answer: Answer,
    alerts: Vec<RuleIndex>,
}

#[derive(Debug)]
enum Answer {
    Decided(Verdict),
    /// The answer depends on what was not given: these keys, as far as rules of the phase ask.
    Undetermined(Vec<String>),
    /// An earlier phase denied.
    NotReached,
    /// What the phase looks at is inside a tunnel.
    NotSeen,
}

fn explain(bundle: &Bundle, request: &Request) -> Vec<Explained> {
    let mut scratch = bundle.scratch();
    let mut denied = false;
    let mut explained = Vec::new();
    for phase in Phase::ALL {
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
        let facts = request.facts(phase);
        let outcome = evaluate(bundle, phase, &facts, &mut scratch);
        let answer = match outcome {
            Outcome::Decided(verdict) => Answer::Decided(verdict),
            Outcome::Undetermined => Answer::Undetermined(unknown_keys(bundle, phase, &facts)),
        };
        denied = matches!(
            outcome,
            Outcome::Decided(Verdict {
                action: Decision::Deny,
                ..
            })
        );
        explained.push(Explained {
            phase,
            answer,
            alerts: scratch.alerts().to_vec(),
        });
    }
    explained
}

fn unknown_keys(bundle: &Bundle, phase: Phase, facts: &Facts<'_>) -> Vec<String> {
    let unknown = bundle
        .sources(phase)
        .iter()
        .filter(|source| source.is_unknown(facts));
    unknown.map(|source| source_name(*source)).collect()
}

fn source_name(source: Source) -> String {
    match source {
        Source::RequestHeaders => "request:Http:Header/…".to_owned(),
        Source::ResponseHeaders => "response:Http:Header/…".to_owned(),
        _ => Field::words()
            .find(|(_, field)| field.source() == source)
            .map_or_else(String::new, |(word, _)| word.to_owned()),
    }
}

/// The decision over all phases: the first that denies, else what is missing, else allow.
fn decision(phases: &[Explained]) -> &'static str {
    let denied = |one: &Explained| matches!(one.answer, Answer::NotReached);
    let last_denies = phases.last().is_some_and(|one| {
        matches!(
            one.answer,
            Answer::Decided(Verdict {
                action: Decision::Deny,
                ..
            })
        )
    });
    let undetermined = phases
        .iter()
        .any(|one| matches!(one.answer, Answer::Undetermined(_)));
    match (phases.iter().any(denied) || last_denies, undetermined) {
        // A denial after an open question is only sure if the question is answered with allow,
        // and otherwise it is a denial all the same.
        (true, _) => "deny",
        (false, true) => "undetermined",
        (false, false) => "allow",
    }
}

fn title(bundle: &Bundle, phase: Phase, rule: RuleIndex) -> String {
    format!(
        "{}/{}",
        bundle.rule_group(phase, rule),
        bundle.rule_name(phase, rule)
    )
}

fn as_text(bundle: &Bundle, args: &ExplainArgs, phases: &[Explained]) -> String {
    let mut out = format!("{} {}\n\n", printable(&args.method), printable(&args.url));
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
        Answer::Undetermined(keys) => {
            format!(
                "undetermined  it depends on what was not given: {}",
                keys.join(", ")
            )
        }
        Answer::NotReached => "not reached".to_owned(),
        Answer::NotSeen => {
            "not evaluated the response is inside a tunnel (`--intercept` looks into it)".to_owned()
        }
    });
    lines
}

fn description(bundle: &Bundle, phase: Phase, rule: RuleIndex) -> String {
    match bundle.rule_description(phase, rule) {
        "" => String::new(),
        text => format!(" ({text})"),
    }
}

fn as_value(bundle: &Bundle, args: &ExplainArgs, phases: &[Explained]) -> Value {
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
                Answer::Undetermined(keys) => ("undetermined", None, Some(keys)),
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
                "depends_on": depends_on,
            })
        })
        .collect();
    json!({
        "bundle": bundle.id(),
        "method": args.method,
        "url": args.url,
        "phases": values,
        "decision": decision(phases),
    })
}
