//! What a file holds: rules, the groups that they are in, and what a policy says of them.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::super::condition::Formula;
use super::super::super::report::Place;
use super::super::rule::SuricataAction;
use super::super::settings::Default;

/// One rule, and where it stands.
#[derive(Clone, Debug)]
pub(in super::super) struct Line {
    pub(in super::super) place: Place,
    pub(in super::super) text: String,
    pub(in super::super) body: Body,
}

/// How a rule is given.
#[derive(Clone, Debug)]
pub(in super::super) enum Body {
    /// In the rule language.
    Rule,
    /// A part of it has to be evaluated, and is not known here; which.
    Template(String),
    /// By a domain list.
    Listed(ListRule),
}

/// A rule that a domain list makes.
#[derive(Clone, Debug)]
pub(in super::super) struct ListRule {
    pub(in super::super) action: SuricataAction,
    pub(in super::super) formula: Formula,
    pub(in super::super) name: &'static str,
}

/// Rules that are asked together.
#[derive(Clone, Debug, std::default::Default)]
pub(in super::super) struct RuleGroup {
    /// As other parts of the source name it.
    pub(in super::super) name: String,
    pub(in super::super) lines: Vec<Line>,
    /// Without the `$`.
    pub(in super::super) variables: BTreeMap<String, String>,
    /// `StatefulRuleOptions.RuleOrder`
    pub(in super::super) strict_order: Option<bool>,
}

/// What a file holds.
#[derive(Debug, std::default::Default)]
pub(in super::super) struct Source {
    /// In the order in which they are asked.
    pub(in super::super) groups: Vec<RuleGroup>,
    /// What the policy says.
    pub(in super::super) strict_order: Option<bool>,
    pub(in super::super) default: Option<Default>,
    /// Without the `$`; those of a group take their place.
    pub(in super::super) variables: BTreeMap<String, String>,
}

/// Rules are a line each; a backslash at its end continues one.
pub(super) fn rule_lines(file: &Rc<str>, text: &str, first: usize, body: Body) -> Vec<Line> {
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
        let place = Place {
            file: Rc::clone(file),
            line: number,
        };
        // What has to be evaluated is known by its sign, in strings that may have it.
        let body = match &body {
            Body::Template(what) if !["${", "%{"].iter().any(|sign| whole.contains(sign)) => {
                let _ = what;
                Body::Rule
            }
            body => body.clone(),
        };
        lines.push(Line {
            place,
            text: whole,
            body,
        });
    }
    lines
}
