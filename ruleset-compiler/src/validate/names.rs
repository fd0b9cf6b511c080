//! Names and priorities that must be unique, and the bound on a group's size.

use std::collections::HashMap;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, counted};
use crate::ir::{Group, GroupEntry, PHASES};
use crate::source::{Located, Span};

/// Reports priorities that two groups share.
pub fn priorities(groups: &[GroupEntry], diagnostics: &mut Diagnostics) {
    let mut seen: HashMap<u32, Span> = HashMap::new();
    for priority in groups.iter().filter_map(|group| group.priority.as_ref()) {
        if let Some(first) = seen.insert(priority.value, priority.span) {
            let message = format!("two groups have the priority {}", priority.value);
            diagnostics.report(
                Diagnostic::new(Code::DuplicatePriority, priority.span, message)
                    .expected("a number of its own for each group: it decides which comes first")
                    .related(first, "the other group has it"),
            );
        }
    }
}

/// Reports group names that occur twice.
pub fn group_names<'a>(groups: impl Iterator<Item = &'a Group>, diagnostics: &mut Diagnostics) {
    unique(
        "group",
        "the ruleset",
        groups.filter_map(|group| group.name.as_ref()),
        diagnostics,
    );
}

/// Reports rule names that occur twice in the group, and a group with more rules than `rules_max`.
pub fn rules(group: &Group, rules_max: usize, diagnostics: &mut Diagnostics) {
    let all = || PHASES.into_iter().flat_map(|phase| group.rules.of(phase));
    // A missing name was reported where the rule begins.
    let names = all()
        .map(|rule| &rule.name)
        .filter(|name| !name.value.is_empty());
    unique("rule", "the group", names, diagnostics);
    let rules_count = all().count();
    if rules_count > rules_max
        && let Some(span) = group.name.as_ref().map(|name| name.span)
    {
        diagnostics.report(
            Diagnostic::new(
                Code::TooManyRules,
                span,
                format!("the group has {}", counted(rules_count, "rule")),
            )
            .expected(format!("at most {rules_max}"))
            .help("`--max-group-rules N` lifts the bound"),
        );
    }
}

fn unique<'a>(
    what: &str,
    place: &str,
    names: impl Iterator<Item = &'a Located<String>>,
    diagnostics: &mut Diagnostics,
) {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for name in names {
        if let Some(first) = seen.get(name.value.as_str()) {
            let message = format!("a second {what} `{}`", name.value);
            diagnostics.report(
                Diagnostic::new(Code::DuplicateName, name.span, message)
                    .expected(format!(
                        "a name that no other {what} of {place} has: the log tells them apart by it"
                    ))
                    .related(*first, "the first is"),
            );
        } else {
            seen.insert(&name.value, name.span);
        }
    }
}
