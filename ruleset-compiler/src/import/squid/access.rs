//! Access lines become rules: the first line whose ACLs all match decides, as the first rule does;
//! where none does, Squid decides the opposite of the last line.
//!
//! Squid judges a CONNECT by itself, whatever it holds, and if it decrypts (`ssl_bump`) each request
//! inside besides. So a line is worked out for each [`View`], and becomes rules that say which
//! requests they are for, or one for all where that makes no difference.

use sallyport_ruleset::{Action, Field, Phase};

use super::super::condition::{Condition, Values, operator};
use super::super::draft::{Draft, DraftGroup, DraftRule};
use super::super::report::Report;
use super::acl::View;
use super::acls::Acls;
use super::writer::{AccessLine, Writer};
use crate::operator::{Comparison, Question};

/// The rules of the lines. If all of it can be decided before the name is resolved, that is where it
/// is decided. Else that phase denies what will be denied whatever comes out later: its denials are those
/// that can be decided, and it lets pass what may be allowed.
pub(super) fn request_rules(
    lines: &[AccessLine],
    decrypts: bool,
    acls: &mut Acls,
    report: &mut Report,
    draft: &mut Draft,
) {
    let second = if decrypts { View::Inside } else { View::Tunnel };
    let views = if decrypts {
        &[View::Plain, View::Tunnel, View::Inside][..]
    } else {
        &[View::Plain, View::Tunnel]
    };
    let mut writer = Writer::new("http-access", acls, report);
    let mut steps = Vec::new();
    let denies_the_rest = lines.last().is_some_and(|last| {
        last.action == Action::Deny && last.acls == [(false, "all".to_owned())]
    });
    for (at, line) in lines.iter().enumerate() {
        let mut rest = lines.iter().skip(at);
        // Where all that follows is denied, who has no credentials is denied as well.
        if !denies_the_rest || rest.any(|line| line.action == Action::Allow) {
            writer.challenge(line, views, &mut steps);
        }
        writer.line(line, views, &mut steps);
    }
    let default = writer.default(lines, &steps, second);
    let has_default_line = steps.last().is_some_and(|step| {
        !step.is_challenge
            && lines
                .last()
                .is_some_and(|last| std::ptr::eq(last, step.line))
            && [View::Plain, second]
                .into_iter()
                .all(|view| step.is_all(view))
            && step.action == default
    });
    let default_line = if has_default_line { steps.pop() } else { None };
    let all_early = steps.iter().all(|step| step.is_early(second));
    let last_phase = if all_early {
        Phase::PreDns
    } else {
        let relaxed = writer.early(&steps, default, second);
        *draft.defaults.of_mut(Phase::PreDns) = relaxed;
        Phase::PreRequest
    };
    let mut only_denied = true;
    for step in &steps {
        only_denied &= step.action == Action::Deny && step.is_early(second);
        if !(last_phase == Phase::PreRequest && only_denied) {
            writer.rules(step, [View::Plain, second], last_phase);
        }
    }
    if let Some(step) = default_line {
        writer.default_line(step.line, last_phase);
    }
    *draft.defaults.of_mut(last_phase) = default;
    writer.settle(lines, views);
    draft.groups.push(writer.group);
}

/// The rules of `http_reply_access`; without any, everything is allowed.
pub(super) fn response_rules(
    lines: &[AccessLine],
    decrypts: bool,
    acls: &mut Acls,
    report: &mut Report,
    draft: &mut Draft,
) {
    if lines.is_empty() {
        return;
    }
    let views = reply_views(decrypts);
    let second = if decrypts { View::Inside } else { View::Plain };
    let mut writer = Writer::new("http-reply-access", acls, report);
    let mut steps = Vec::new();
    for line in lines {
        writer.line(line, views, &mut steps);
    }
    let default = writer.default(lines, &steps, second);
    for step in &steps {
        let is_last = lines
            .last()
            .is_some_and(|last| std::ptr::eq(last, step.line));
        if is_last && step.is_all(View::Plain) && step.action == default {
            writer.default_line(step.line, Phase::PostResponse);
        } else {
            writer.rules(step, [View::Plain, second], Phase::PostResponse);
        }
    }
    draft.defaults.post_response = default;
    writer.settle(lines, views);
    draft.groups.push(writer.group);
}

/// What Squid looks at neither `http_reply_access` nor the length for: responses that have no content by
/// their status.
pub(super) fn always_allowed() -> DraftGroup {
    let values = Values {
        name: String::new(),
        origin: String::new(),
        items: ["101", "204", "304"].map(str::to_owned).to_vec(),
    };
    let equal = operator(Question::Number(Comparison::Equal), false);
    let mut group = DraftGroup::new("http-reply-status");
    group.push(
        Phase::PostResponse,
        DraftRule {
            name: "allow-without-content".to_owned(),
            description: String::new(),
            action: Action::Allow,
            conditions: vec![Condition::new(Field::ResponseStatusCode, equal, values)],
            origin: vec!["Squid never refuses these.".to_owned()],
        },
    );
    group
}

/// Who gets responses that Squid sees: none in a tunnel that it passes on.
pub(super) const fn reply_views(decrypts: bool) -> &'static [View] {
    if decrypts {
        &[View::Plain, View::Inside]
    } else {
        &[View::Plain]
    }
}
