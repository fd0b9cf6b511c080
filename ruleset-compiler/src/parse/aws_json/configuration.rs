//! Proxy configurations: what `CreateProxyConfiguration` takes and `DescribeProxyConfiguration`
//! gives. They name their rule groups; a group's rules are in a file of its name.

use jsonc_parser::ast::Object;
use sallyport_ruleset::{Action, Phase};

use super::group::find;
use super::position::Placed;
use super::reader::{Member, Reader, phase_of};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::ir::{self, PHASES};
use crate::source::{FileId, Located, Span};

const KNOWN: [&str; 6] = [
    "ProxyConfigurationName",
    "ProxyConfigurationArn",
    "DefaultRulePhaseActions",
    "RuleGroupNames",
    "RuleGroupArns",
    "RuleGroups",
];

/// Parses a ruleset file. Problems are reported, and what can be understood is returned.
pub fn ruleset(file: FileId, text: &str, diagnostics: &mut Diagnostics) -> ir::Ruleset {
    Reader::new(file, diagnostics).document(text, Reader::configuration_document)
}

impl Reader<'_> {
    /// A configuration, perhaps in the envelope of an answer.
    fn configuration_document(&mut self, object: &Object<'_>) -> ir::Ruleset {
        let members = self.members(object);
        let Some(wrapped) = find(&members, "ProxyConfiguration") else {
            return self.configuration(self.span_of(object), &members);
        };
        for member in &members {
            if member.name.value != "ProxyConfiguration" {
                self.unknown(member, "an answer", &["ProxyConfiguration"]);
            }
        }
        let Some(object) = self.object(wrapped.value, "a proxy configuration") else {
            return ir::Ruleset::default();
        };
        let members = self.members(object);
        self.configuration(self.span_of(object), &members)
    }

    fn configuration(&mut self, span: Span, members: &[Member<'_, '_>]) -> ir::Ruleset {
        let mut ruleset = ir::Ruleset::default();
        let group = ["Rules", "ProxyRuleGroup", "ProxyRuleGroupName"];
        let mut phases = members.iter();
        let phase = phases.find(|member| phase_of(&member.name.value).is_some());
        if let Some(member) = group.iter().find_map(|name| find(members, name)).or(phase) {
            self.report(
                Diagnostic::new(
                    Code::WrongFile,
                    member.name.span,
                    "this is a rule group, not a proxy configuration",
                )
                .expected("`DefaultRulePhaseActions` and `RuleGroupNames`")
                .help("name this file in a ruleset: `[[group]]`, `priority = 1`, `file = \"…\"`"),
            );
            return ruleset;
        }
        let mut defaults_seen = false;
        let (mut names, mut arns) = (Vec::new(), Vec::new());
        for member in members {
            match member.name.value.as_str() {
                "DefaultRulePhaseActions" => {
                    defaults_seen = true;
                    ruleset.defaults = self.defaults(member);
                }
                "RuleGroupNames" => names = self.references(member, Self::group_name),
                "RuleGroupArns" => arns = self.references(member, Self::arn),
                "RuleGroups" => ruleset.groups = self.attachments(member),
                "ProxyConfigurationName" | "ProxyConfigurationArn" => {}
                _ => self.unknown(member, "a proxy configuration", &KNOWN),
            }
        }
        if !defaults_seen {
            self.report(
                Diagnostic::new(
                    Code::MissingDefault,
                    span,
                    "the configuration has no `DefaultRulePhaseActions`",
                )
                .expected("an action for each of `PreDNS`, `PreREQUEST` and `PostRESPONSE`"),
            );
        }
        // Both may be given, and may name the same group.
        arns.retain(|arn: &Located<String>| names.iter().all(|name| name.value != arn.value));
        names.extend(arns);
        let priorities = ruleset.groups.len()..;
        for (name, priority) in names.into_iter().zip(priorities) {
            let priority = u32::try_from(priority).ok();
            ruleset.groups.push(entry(name, priority));
        }
        ruleset
    }

    fn defaults(&mut self, member: &Member<'_, '_>) -> ir::PerPhase<Option<Action>> {
        let mut defaults = ir::PerPhase::default();
        let Some(object) = self.object(member.value, "an object with an action for each phase")
        else {
            return defaults;
        };
        let mut seen: ir::PerPhase<Option<Span>> = ir::PerPhase::default();
        for default in self.members(object) {
            if let Some(phase) = self.phase(&default.name) {
                self.once(phase, &default, &mut seen);
                *defaults.of_mut(phase) = self.action(default.value);
            }
        }
        for phase in PHASES.into_iter().filter(|phase| seen.of(*phase).is_none()) {
            let name = api_name(phase);
            self.report(
                Diagnostic::new(
                    Code::MissingDefault,
                    member.name.span,
                    format!("the default action of `{name}` is missing"),
                )
                .expected(format!(
                    "`\"{name}\": \"ALLOW\"`, `\"DENY\"` or `\"ALERT\"`"
                )),
            );
        }
        defaults
    }

    /// Names of groups, from an array of strings.
    fn references(
        &mut self,
        member: &Member<'_, '_>,
        read: impl Fn(&mut Self, &Member<'_, '_>) -> Option<Located<String>>,
    ) -> Vec<Located<String>> {
        let Some(array) = self.array(member.value, "an array of rule groups") else {
            return Vec::new();
        };
        let mut names = Vec::with_capacity(array.elements.len());
        for value in &array.elements {
            let element = Member {
                name: member.name.clone(),
                value,
            };
            names.extend(read(self, &element));
        }
        names
    }

    /// Groups with their priorities, as an answer lists them.
    fn attachments(&mut self, member: &Member<'_, '_>) -> Vec<ir::GroupEntry> {
        let Some(array) = self.array(member.value, "an array of rule groups") else {
            return Vec::new();
        };
        let mut entries = Vec::with_capacity(array.elements.len());
        for element in &array.elements {
            if let Some(object) = self.object(element, "a rule group with its priority") {
                entries.extend(self.attachment(object));
            }
        }
        let entries = self.by_position(entries);
        (0..)
            .zip(entries)
            .map(|(position, mut entry)| {
                entry.priority.get_or_insert(Located {
                    value: position,
                    span: entry.span,
                });
                entry
            })
            .collect()
    }

    fn attachment(&mut self, object: &Object<'_>) -> Option<Placed<ir::GroupEntry>> {
        let (mut name, mut arn, mut priority, mut position) = (None, None, None, None);
        for member in self.members(object) {
            match member.name.value.as_str() {
                "ProxyRuleGroupName" => name = self.group_name(&member),
                "ProxyRuleGroupArn" => arn = self.arn(&member),
                "Priority" => priority = self.number(member.value, Code::BadPriority),
                "InsertPosition" => position = self.number(member.value, Code::BadPosition),
                "Type" => {}
                _ => self.unknown(
                    &member,
                    "the reference to a rule group",
                    &["ProxyRuleGroupName", "ProxyRuleGroupArn", "Priority"],
                ),
            }
        }
        let span = self.span_of(object);
        let Some(name) = name.or(arn) else {
            self.report(
                Diagnostic::new(Code::MissingName, span, "the rule group has no name")
                    .expected("`\"ProxyRuleGroupName\": \"…\"`"),
            );
            return None;
        };
        let entry = ir::GroupEntry {
            span,
            priority,
            body: ir::GroupBody::Named(name),
        };
        Some(Placed {
            item: entry,
            span,
            position,
        })
    }
}

/// A group in its place among others.
fn entry(name: Located<String>, priority: Option<u32>) -> ir::GroupEntry {
    let span = name.span;
    ir::GroupEntry {
        span,
        priority: priority.map(|value| Located { value, span }),
        body: ir::GroupBody::Named(name),
    }
}

const fn api_name(phase: Phase) -> &'static str {
    match phase {
        Phase::PreDns => "PreDNS",
        Phase::PreRequest => "PreREQUEST",
        Phase::PostResponse => "PostRESPONSE",
    }
}
