//! Rule groups: what `CreateProxyRuleGroup` and `CreateProxyRules` take and `DescribeProxyRuleGroup`
//! gives.

use jsonc_parser::ast::Object;
use sallyport_ruleset::Phase;

use super::dialect::JsonDialect;
use super::position::Placed;
use super::reader::{Member, Reader, phase_of};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::ir;
use crate::parse::document::Document;
use crate::source::{Located, Span};

const KNOWN: [&str; 3] = ["ProxyRuleGroupName", "ProxyRuleGroupArn", "Rules"];

/// Parses a group file. Problems are reported, and what can be understood is returned. Rules alone,
/// as the `--rules` of `create-proxy-rule-group` are, have the name of their file.
pub fn group(document: &Document<'_>, diagnostics: &mut Diagnostics) -> ir::Group {
    let group = Reader::new(document.file, diagnostics)
        .document(document.text, |reader, object| {
            Some(reader.group_document(object, document))
        });
    group.unwrap_or_default()
}

/// The name of a file without its folders and its ending, of the letters that names have.
fn file_stem(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.split('.').next().unwrap_or(file);
    let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = stem
        .chars()
        .map(|c| if is_good(c) { c } else { '-' })
        .collect();
    if name.is_empty() {
        "rules".to_owned()
    } else {
        name
    }
}

impl Reader<'_> {
    /// A group, perhaps in the envelope of an answer.
    fn group_document(&mut self, object: &Object<'_>, document: &Document<'_>) -> ir::Group {
        let dialect = document.dialect;
        let members = self.members(object);
        let span = self.span_of(object);
        let are_rules = |member: &Member<'_, '_>| phase_of(&member.name.value).is_some();
        if !members.is_empty() && members.iter().all(are_rules) {
            return ir::Group {
                name: Some(Located {
                    value: file_stem(document.name),
                    span,
                }),
                rules: self.rules_of(object, dialect),
            };
        }
        let Some(wrapped) = find(&members, "ProxyRuleGroup") else {
            return self.group(span, &members, dialect);
        };
        for member in &members {
            if member.name.value != "ProxyRuleGroup" {
                self.unknown(member, "an answer", &["ProxyRuleGroup"]);
            }
        }
        let Some(object) = self.object(wrapped.value, "a rule group") else {
            return ir::Group::default();
        };
        let members = self.members(object);
        self.group(self.span_of(object), &members, dialect)
    }

    fn group(&mut self, span: Span, members: &[Member<'_, '_>], dialect: JsonDialect) -> ir::Group {
        let mut group = ir::Group::default();
        let configuration = ["DefaultRulePhaseActions", "ProxyConfiguration"];
        if let Some(member) = configuration.iter().find_map(|name| find(members, name)) {
            self.report(
                Diagnostic::new(
                    Code::WrongFile,
                    member.name.span,
                    "this is a proxy configuration, not a rule group",
                )
                .expected("`ProxyRuleGroupName` and `Rules`")
                .help("give it to the compiler as the ruleset file"),
            );
            return group;
        }
        let (mut name, mut arn) = (None, None);
        for member in members {
            match member.name.value.as_str() {
                "ProxyRuleGroupName" => name = Some(self.group_name(member)),
                "ProxyRuleGroupArn" => arn = Some(self.arn(member)),
                "Rules" => group.rules = self.rules_by_phase(member, dialect),
                _ => self.unknown(member, "a rule group", &KNOWN),
            }
        }
        match name.or(arn) {
            Some(name) => group.name = name,
            None => self.report(
                Diagnostic::new(Code::MissingName, span, "the group has no name").expected(
                    "`\"ProxyRuleGroupName\": \"…\"`, unique in the ruleset; it appears in the log",
                ),
            ),
        }
        group
    }

    pub(super) fn group_name(&mut self, member: &Member<'_, '_>) -> Option<Located<String>> {
        let name = self.text(member.value, "the name of a rule group")?;
        self.name_is_good(&name).then_some(name)
    }

    /// The name at the end of an ARN.
    pub(super) fn arn(&mut self, member: &Member<'_, '_>) -> Option<Located<String>> {
        let arn = self.text(member.value, "the ARN of a rule group")?;
        let name = match arn.value.rsplit_once('/') {
            Some((head, name)) if head.starts_with("arn:") => name.to_owned(),
            _ => String::new(),
        };
        let good = !name.is_empty();
        if !good {
            self.report(
                Diagnostic::new(
                    Code::BadName,
                    arn.span,
                    format!("`{}` is not the ARN of a rule group", arn.value),
                )
                .expected("`arn:…:proxy-rule-group/NAME`"),
            );
        }
        let name = Located {
            value: name,
            span: arn.span,
        };
        (good && self.name_is_good(&name)).then_some(name)
    }

    pub(super) fn name_is_good(&mut self, name: &Located<String>) -> bool {
        let problem = crate::parse::name::check(name);
        let good = problem.is_none();
        problem.into_iter().for_each(|problem| self.report(problem));
        good
    }

    fn rules_by_phase(
        &mut self,
        member: &Member<'_, '_>,
        dialect: JsonDialect,
    ) -> ir::PerPhase<Vec<ir::Rule>> {
        let expected = "an object with `PreDNS`, `PreREQUEST` and `PostRESPONSE`";
        match self.object(member.value, expected) {
            Some(object) => self.rules_of(object, dialect),
            None => ir::PerPhase::default(),
        }
    }

    fn rules_of(
        &mut self,
        object: &Object<'_>,
        dialect: JsonDialect,
    ) -> ir::PerPhase<Vec<ir::Rule>> {
        let mut rules = ir::PerPhase::default();
        let mut seen: ir::PerPhase<Option<Span>> = ir::PerPhase::default();
        for list in self.members(object) {
            let Some(phase) = self.phase(&list.name) else {
                continue;
            };
            self.once(phase, &list, &mut seen);
            *rules.of_mut(phase) = self.rules(&list, dialect);
        }
        rules
    }

    /// Reports a phase that an object names twice, however it is spelled.
    pub(super) fn once(
        &mut self,
        phase: Phase,
        member: &Member<'_, '_>,
        seen: &mut ir::PerPhase<Option<Span>>,
    ) {
        let span = member.name.span;
        if let Some(first) = seen.of_mut(phase).replace(span) {
            self.report(
                Diagnostic::new(Code::DuplicateKey, span, format!("{phase} a second time"))
                    .expected("each phase once, however it is spelled")
                    .related(first, "the first is"),
            );
        }
    }

    fn rules(&mut self, list: &Member<'_, '_>, dialect: JsonDialect) -> Vec<ir::Rule> {
        let Some(array) = self.array(list.value, "an array of rules") else {
            return Vec::new();
        };
        let mut rules = Vec::with_capacity(array.elements.len());
        for element in &array.elements {
            if let Some(object) = self.object(element, "a rule") {
                let (rule, position) = self.rule(object, dialect);
                rules.push(Placed {
                    span: rule.name.span,
                    item: rule,
                    position,
                });
            }
        }
        self.by_position(rules)
    }
}

pub(super) fn find<'m, 'v, 'i>(
    members: &'m [Member<'v, 'i>],
    name: &str,
) -> Option<&'m Member<'v, 'i>> {
    members.iter().find(|member| member.name.value == name)
}
