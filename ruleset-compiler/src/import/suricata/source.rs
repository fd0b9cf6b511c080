//! Where rules stand: a file of rules, or the JSON of a rule group with rules in it.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::json::Json;
use super::super::report::{Effect, Entry, Fate, Place, Report};

/// The text of one rule.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) place: Place,
    pub(super) text: String,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) lines: Vec<Line>,
    /// Without the `$`.
    pub(super) variables: BTreeMap<String, String>,
    /// `StatefulRuleOptions.RuleOrder`
    pub(super) strict_order: Option<bool>,
}

/// Reads a file; JSON is told by its first brace.
///
/// # Errors
/// When it is JSON that cannot be read.
pub(super) fn read(file: &Rc<str>, text: &str, report: &mut Report) -> Result<Source, String> {
    if !text.trim_start().starts_with('{') {
        return Ok(Source {
            lines: rule_lines(file, text, 1),
            ..Source::default()
        });
    }
    let json = Json::parse(text)?;
    let mut source = Source::default();
    variables(&json, &mut source);
    let mut holders = Vec::new();
    json.holders("RulesString", &mut holders);
    for rules in holders
        .iter()
        .filter_map(|holder| holder.get("RulesString"))
    {
        // The string is on one line of the file; its own lines are counted from there.
        source
            .lines
            .extend(rule_lines(file, rules.text().unwrap_or(""), rules.line));
        report.remark("rules come from a `RulesString`: line numbers count on from the line that the string is on");
    }
    let mut holders = Vec::new();
    json.holders("StatefulRules", &mut holders);
    for rule in holders
        .iter()
        .filter_map(|holder| holder.get("StatefulRules"))
        .flat_map(Json::elements)
    {
        let place = Place {
            file: Rc::clone(file),
            line: rule.line,
        };
        match stateful_rule(rule) {
            Some(text) => source.lines.push(Line { place, text }),
            None => report.push(
                Entry::new(
                    place,
                    &rule.shown(),
                    "stateful rule",
                    Fate::Left(Effect::Either),
                )
                .note("a part of its header is missing"),
            ),
        }
    }
    let mut holders = Vec::new();
    json.holders("RuleOrder", &mut holders);
    let order = holders.first().and_then(|holder| holder.get("RuleOrder"));
    source.strict_order = order
        .and_then(Json::text)
        .map(|order| order == "STRICT_ORDER");
    Ok(source)
}

/// Rules are a line each; a backslash at its end continues one.
fn rule_lines(file: &Rc<str>, text: &str, first: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut numbered = text.lines().zip(first..);
    while let Some((line, number)) = numbered.next() {
        let mut whole = line.trim().to_owned();
        if whole.is_empty() || whole.starts_with('#') {
            continue;
        }
        while whole.ends_with('\\') {
            whole.pop();
            let Some((next, _)) = numbered.next() else {
                break;
            };
            whole.push_str(next.trim());
        }
        lines.push(Line {
            place: Place {
                file: Rc::clone(file),
                line: number,
            },
            text: whole,
        });
    }
    lines
}

fn variables(json: &Json, source: &mut Source) {
    let mut holders = Vec::new();
    json.holders("RuleVariables", &mut holders);
    for kind in ["IPSets", "PortSets"] {
        let sets = holders
            .iter()
            .filter_map(|holder| holder.at(&["RuleVariables", kind]));
        for (name, set) in sets.flat_map(Json::members) {
            let items = set.get("Definition").map_or(&[][..], Json::elements);
            let items: Vec<&str> = items.iter().filter_map(Json::text).collect();
            source
                .variables
                .insert(name.clone(), format!("[{}]", items.join(",")));
        }
    }
}

/// A rule that the console made: a header and options, as the text that it stands for.
fn stateful_rule(rule: &Json) -> Option<String> {
    let part = |name: &str| rule.at(&["Header", name]).and_then(Json::text);
    let arrow = match part("Direction")? {
        "ANY" => "<>",
        _ => "->",
    };
    let mut options = String::new();
    for option in rule.get("RuleOptions").map_or(&[][..], Json::elements) {
        options.push_str(option.get("Keyword").and_then(Json::text)?);
        let settings = option.get("Settings").map_or(&[][..], Json::elements);
        let settings: Vec<&str> = settings.iter().filter_map(Json::text).collect();
        if !settings.is_empty() {
            options.push(':');
            options.push_str(&settings.join(","));
        }
        options.push_str("; ");
    }
    Some(format!(
        "{} {} {} {} {arrow} {} {} ({options})",
        rule.get("Action")
            .and_then(Json::text)?
            .to_ascii_lowercase(),
        part("Protocol")?.to_ascii_lowercase(),
        any(part("Source")?),
        any(part("SourcePort")?),
        any(part("Destination")?),
        any(part("DestinationPort")?),
    ))
}

fn any(text: &str) -> &str {
    if text.eq_ignore_ascii_case("any") {
        "any"
    } else {
        text
    }
}
