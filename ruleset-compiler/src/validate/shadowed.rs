//! Warns of rules that can never be reached because earlier rules take all they could match, of
//! rules that contradict themselves, and of alerts that say what an earlier alert says. Not here:
//! finding them, with proof (`cover`).

use sallyport_ruleset::{Phase, Ruleset};

use crate::cover::Cover;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::Span;

/// Warns of the covered rules of one phase. `names` are the places of the rules' names, in the
/// order of evaluation.
pub fn warn(
    ruleset: &Ruleset,
    phase: Phase,
    covers: &[Cover],
    names: &[Span],
    diagnostics: &mut Diagnostics,
) {
    if covers.is_empty() {
        return;
    }
    let titles: Vec<String> = ruleset
        .rules(phase)
        .map(|(group, rule)| format!("{}/{}", group.name, rule.name))
        .collect();
    let title = |at: usize| titles.get(at).map_or("", String::as_str);
    for cover in covers {
        let Some(span) = names.get(cover.rule) else {
            continue;
        };
        let message = format!("the rule `{}` {}", title(cover.rule), says(cover, title));
        let code = match cover.repeated {
            true => Code::DuplicateRule,
            false => Code::UnreachableRule,
        };
        let mut warning = Diagnostic::new(code, *span, message);
        if let Some(by) = cover.by.first()
            && let Some(other) = names.get(*by)
        {
            warning = warning.related(*other, format!("`{}` comes first,", title(*by)));
        }
        diagnostics.report(warning.help(mending(cover)));
    }
}

fn says<'t>(cover: &Cover, title: impl Fn(usize) -> &'t str) -> String {
    let by: Vec<String> = cover
        .by
        .iter()
        .map(|by| format!("`{}`", title(*by)))
        .collect();
    match (by.as_slice(), cover.repeated, cover.unreachable) {
        ([], _, _) => "has conditions that contradict each other: it never matches".into(),
        ([one], true, true) => format!("has the conditions of {one}: it is never reached"),
        ([one], true, false) => format!("alerts just like {one}"),
        ([one], false, _) => {
            format!("matches only what is decided by {one}: it is never reached")
        }
        ([first @ .., last], _, _) => format!(
            "matches only what is decided by {} and {last} together: it is never reached",
            first.join(", ")
        ),
    }
}

const fn mending(cover: &Cover) -> &'static str {
    match (cover.by.as_slice(), cover.repeated) {
        ([], _) => "all conditions of a rule must hold; for either of them, write two rules",
        (_, true) => "remove one of them",
        ([_], false) => "move it before the other, or remove it",
        (_, false) => "move it before the others, or remove it",
    }
}
