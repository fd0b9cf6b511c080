//! `test`: unit tests of a policy. Each case is a request as `explain` takes it, and what must
//! come of it. The format is described in `docs/ruleset-tools.md`.

use std::path::{Path, PathBuf};

use sallyport_ruleset::{Bundle, Phase, RuleIndex, Verdict};
use serde::Deserialize;
use serde_json::{Value, json};
use toml::Spanned;

use crate::diagnostic::printable;
use crate::terminal::{CliError, Format, Status, Terminal};
use crate::tools::bundle_file::load_or_compile;
use crate::tools::explain::{self, Answer, Explained};
use crate::tools::request::Request;
use crate::tools::request_args::RequestArgs;

/// What to test.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The bundle file, or a ruleset (.toml, .json)
    pub bundle: PathBuf,
    /// The cases
    #[arg(required = true, value_name = "CASES.toml")]
    pub cases: Vec<PathBuf>,
    /// For people, or for programs
    #[arg(long, default_value = "text")]
    pub format: Format,
}

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    /// What the requests of all cases have in common.
    #[serde(default)]
    request: RequestArgs,
    #[serde(default)]
    case: Vec<Spanned<Case>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    request: RequestArgs,
    /// Of the whole.
    expect: Decision,
    /// The rule that decides last.
    rule: Option<String>,
    /// All that fire, in their order.
    alerts: Option<Vec<String>>,
    pre_dns: Option<PhaseCase>,
    pre_request: Option<PhaseCase>,
    post_response: Option<PhaseCase>,
}

/// What one phase must say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PhaseCase {
    expect: Option<Decision>,
    rule: Option<String>,
    alerts: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Allow,
    Deny,
    Undetermined,
    NotReached,
    NotEvaluated,
}

impl Decision {
    const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Undetermined => "undetermined",
            Self::NotReached => "not_reached",
            Self::NotEvaluated => "not_evaluated",
        }
    }
}

/// A case that was run.
struct Outcome {
    file: String,
    line: usize,
    name: String,
    /// What is not as it should be; none: passed.
    failures: Vec<String>,
    explained: String,
    explained_value: Value,
}

/// Runs all cases.
///
/// # Errors
/// When the bundle or a file of cases cannot be read or understood. Cases that fail are
/// [`Status::Problems`].
pub fn run(args: &Args, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let Some(bundle) = load_or_compile(&args.bundle, terminal)? else {
        return Ok(Status::Problems);
    };
    let mut outcomes = Vec::new();
    for path in &args.cases {
        run_file(&bundle, path, &mut outcomes)?;
    }
    let failed = outcomes
        .iter()
        .filter(|one| !one.failures.is_empty())
        .count();
    let passed = outcomes.len() - failed;
    let said = match args.format {
        Format::Text => as_text(&outcomes, passed, failed),
        Format::Json => format!("{:#}\n", as_value(&bundle, &outcomes, passed, failed)),
    };
    terminal.out.write_all(said.as_bytes())?;
    Ok(if failed == 0 {
        Status::Good
    } else {
        Status::Problems
    })
}

fn run_file(bundle: &Bundle, path: &Path, outcomes: &mut Vec<Outcome>) -> Result<(), CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| CliError::Read {
        path: path.to_owned(),
        error,
    })?;
    let content = |problem: String| CliError::Content {
        path: path.to_owned(),
        problem,
    };
    let file: CaseFile = toml::from_str(&text).map_err(|error| content(error.to_string()))?;
    if file.case.is_empty() {
        return Err(content("there is no `[[case]]`".to_owned()));
    }
    for case in file.case {
        let before = text.get(..case.span().start).unwrap_or_default();
        let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
        let case = case.into_inner();
        let bad = |why: String| content(format!("line {line}: case `{}`: {why}", case.name));
        let described = case.request.clone().or(&file.request);
        let request = Request::new(&described, None).map_err(|error| bad(error.to_string()))?;
        for rule in case.rules() {
            if !has_rule(bundle, rule) {
                return Err(bad(format!("the bundle has no rule `{rule}`")));
            }
        }
        let phases = explain::explain(bundle, &request);
        outcomes.push(Outcome {
            file: path.display().to_string(),
            line,
            failures: case.failures(bundle, &phases),
            explained: explain::as_text(bundle, &described, &phases),
            explained_value: explain::as_value(bundle, &described, &phases, &[]),
            name: case.name,
        });
    }
    Ok(())
}

/// Whether a rule of that name is there; `default` stands for the default action.
fn has_rule(bundle: &Bundle, wanted: &str) -> bool {
    wanted == DEFAULT
        || Phase::ALL.into_iter().any(|phase| {
            let mut rules = (0..).map(RuleIndex).take(bundle.rules_count(phase));
            rules.any(|rule| is_named(bundle, phase, rule, wanted))
        })
}

/// What stands for the default action where a rule is named.
const DEFAULT: &str = "default";

fn is_named(bundle: &Bundle, phase: Phase, rule: RuleIndex, wanted: &str) -> bool {
    bundle.rule_name(phase, rule) == wanted || explain::title(bundle, phase, rule) == wanted
}

impl Case {
    fn phases(&self) -> [(Phase, Option<&PhaseCase>); 3] {
        [
            (Phase::PreDns, self.pre_dns.as_ref()),
            (Phase::PreRequest, self.pre_request.as_ref()),
            (Phase::PostResponse, self.post_response.as_ref()),
        ]
    }

    /// All rules that are named.
    fn rules(&self) -> impl Iterator<Item = &String> {
        let phases = self.phases().into_iter().filter_map(|(_, phase)| phase);
        let of_phases =
            phases.flat_map(|phase| phase.rule.iter().chain(phase.alerts.iter().flatten()));
        let own = self.rule.iter().chain(self.alerts.iter().flatten());
        own.chain(of_phases)
    }

    fn failures(&self, bundle: &Bundle, phases: &[Explained]) -> Vec<String> {
        let mut failures = Vec::new();
        let decision = explain::decision(phases);
        if decision != self.expect.name() {
            failures.push(format!("expected {}, found {decision}", self.expect.name()));
        }
        if let Some(rule) = &self.rule {
            let last = phases.iter().rfind(|phase| {
                matches!(phase.answer, Answer::Decided(_) | Answer::Undetermined(_))
            });
            let found = last.and_then(|phase| Some((phase.phase, decided(phase)?)));
            failures.extend(wrong_rule(bundle, rule, found));
        }
        if let Some(expected) = &self.alerts {
            let fired = phases.iter().flat_map(|phase| alerts(bundle, phase));
            failures.extend(wrong_alerts(expected, &fired.collect::<Vec<_>>()));
        }
        for (phase, case) in self.phases() {
            let explained = phases.iter().find(|one| one.phase == phase);
            let (Some(case), Some(explained)) = (case, explained) else {
                continue;
            };
            let of_phase = case.failures(bundle, explained);
            failures.extend(
                of_phase
                    .into_iter()
                    .map(|failure| format!("{phase}: {failure}")),
            );
        }
        failures
    }
}

impl PhaseCase {
    fn failures(&self, bundle: &Bundle, explained: &Explained) -> Vec<String> {
        let mut failures = Vec::new();
        let found = outcome_name(&explained.answer);
        if let Some(expect) = self.expect
            && expect.name() != found
        {
            failures.push(format!("expected {}, found {found}", expect.name()));
        }
        if let Some(rule) = &self.rule {
            let found = decided(explained).map(|verdict| (explained.phase, verdict));
            failures.extend(wrong_rule(bundle, rule, found));
        }
        if let Some(expected) = &self.alerts {
            failures.extend(wrong_alerts(expected, &alerts(bundle, explained)));
        }
        failures
    }
}

const fn outcome_name(answer: &Answer) -> &'static str {
    match answer {
        Answer::Decided(verdict) => verdict.action.name(),
        Answer::Undetermined(_) => "undetermined",
        Answer::NotReached => "not_reached",
        Answer::NotSeen => "not_evaluated",
    }
}

const fn decided(explained: &Explained) -> Option<Verdict> {
    match explained.answer {
        Answer::Decided(verdict) => Some(verdict),
        _ => None,
    }
}

fn wrong_rule(bundle: &Bundle, wanted: &str, found: Option<(Phase, Verdict)>) -> Option<String> {
    let found = match found {
        Some((
            phase,
            Verdict {
                rule: Some(rule), ..
            },
        )) => {
            if is_named(bundle, phase, rule, wanted) {
                return None;
            }
            format!("rule `{}`", explain::title(bundle, phase, rule))
        }
        Some((_, Verdict { rule: None, .. })) if wanted == DEFAULT => return None,
        Some(_) => "the default".to_owned(),
        None => "no decision".to_owned(),
    };
    Some(format!("expected rule `{wanted}` to decide, found {found}"))
}

/// The alert rules of a phase by name, and with their group.
fn alerts(bundle: &Bundle, explained: &Explained) -> Vec<(String, String)> {
    let phase = explained.phase;
    let name = |rule: &RuleIndex| {
        (
            bundle.rule_name(phase, *rule).to_owned(),
            explain::title(bundle, phase, *rule),
        )
    };
    let mut fired: Vec<_> = explained.alerts.iter().map(name).collect();
    if decided(explained).is_some_and(|verdict| verdict.default_alert) {
        fired.push((DEFAULT.to_owned(), DEFAULT.to_owned()));
    }
    fired
}

fn wrong_alerts(expected: &[String], found: &[(String, String)]) -> Option<String> {
    let is_same = |(expected, (name, title)): (&String, &(String, String))| {
        expected == name || expected == title
    };
    if expected.len() == found.len() && expected.iter().zip(found).all(is_same) {
        return None;
    }
    let titles: Vec<&str> = found.iter().map(|(_, title)| title.as_str()).collect();
    Some(format!(
        "expected the alerts [{}], found [{}]",
        expected.join(", "),
        titles.join(", ")
    ))
}

fn as_text(outcomes: &[Outcome], passed: usize, failed: usize) -> String {
    let mut out = String::new();
    for one in outcomes {
        let name = printable(&one.name);
        if one.failures.is_empty() {
            out.push_str(&format!("ok      {name}\n"));
            continue;
        }
        out.push_str(&format!("FAILED  {name} ({}:{})\n", one.file, one.line));
        for failure in &one.failures {
            out.push_str(&format!("        {}\n", printable(failure)));
        }
        for line in one.explained.lines() {
            let line = format!("        | {line}");
            out.push_str(&format!("{}\n", line.trim_end()));
        }
    }
    out.push_str(&format!("{passed} passed, {failed} failed\n"));
    out
}

fn as_value(bundle: &Bundle, outcomes: &[Outcome], passed: usize, failed: usize) -> Value {
    let cases: Vec<Value> = outcomes
        .iter()
        .map(|one| {
            json!({
                "file": one.file,
                "line": one.line,
                "name": one.name,
                "passed": one.failures.is_empty(),
                "failures": one.failures,
                "explained": one.explained_value,
            })
        })
        .collect();
    json!({ "bundle": bundle.id(), "passed": passed, "failed": failed, "cases": cases })
}
