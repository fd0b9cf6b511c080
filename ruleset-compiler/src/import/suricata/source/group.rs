//! Rule groups in a tree: wherever something has rules.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::super::json::{Json, Kind};
use super::super::super::report::{Effect, Entry, Fate, Place, Report};
use super::content::{Body, Line, RuleGroup, rule_lines};
use super::policy::single;
use super::{list, policy, stateful};

/// Members that hold rules.
const RULES: [&str; 4] = [
    "RulesString",
    "RulesSourceList",
    "StatefulRules",
    "StatelessRulesAndCustomActions",
];

/// All rule groups, in the order of the file.
pub(super) fn groups(file: &Rc<str>, tree: &Json, report: &mut Report) -> Vec<RuleGroup> {
    let mut finder = Finder {
        file,
        report,
        groups: Vec::new(),
    };
    finder.find(tree, "");
    finder.groups
}

struct Finder<'a> {
    file: &'a Rc<str>,
    report: &'a mut Report,
    groups: Vec<RuleGroup>,
}

impl Finder<'_> {
    /// `name` is that of the nearest thing that has one.
    fn find(&mut self, value: &Json, name: &str) {
        let own = own_name(value);
        let name = own.as_deref().unwrap_or(name);
        if let Some(rules) = value.get("RulesSource") {
            let rules = single(rules);
            return self.group(value, rules, name);
        }
        if RULES.iter().any(|member| value.get(member).is_some()) {
            return self.group(value, value, name);
        }
        if let Some(rules) = value.get("Rules").filter(|rules| is_text(rules)) {
            let lines = self.strings(rules);
            self.push(value, lines, name);
            return;
        }
        for (member, below) in value.members() {
            // A resource stands under its own name.
            let resource = below.get("Type").and_then(Json::text);
            let is_named = resource.is_some_and(|kind| kind.starts_with("AWS::"));
            self.find(below, if is_named { member } else { name });
        }
        for below in value.elements() {
            self.find(below, name);
        }
    }

    fn group(&mut self, context: &Json, rules: &Json, name: &str) {
        let mut lines = Vec::new();
        if let Some(text) = rules.get("RulesString") {
            lines.extend(self.strings(text));
        }
        if let Some(listed) = rules.get("RulesSourceList") {
            lines.extend(list::lines(self.file, single(listed), self.report));
        }
        for rule in rules.get("StatefulRules").map_or(&[][..], Json::elements) {
            let place = self.place(rule);
            match stateful::text(rule) {
                Some(text) => lines.push(Line {
                    place,
                    text,
                    body: Body::Rule,
                }),
                None => self.left(
                    rule,
                    "stateful rule",
                    "a part of it is missing or has to be evaluated",
                ),
            }
        }
        if let Some(stateless) = rules.get("StatelessRulesAndCustomActions") {
            const WHY: &str =
                "rules over single packets are asked before these, and are not carried over";
            self.left(stateless, "stateless rules", WHY);
        }
        self.push(context, lines, name);
    }

    fn push(&mut self, context: &Json, lines: Vec<Line>, name: &str) {
        let mut variables = BTreeMap::new();
        if let Some(found) = context.get("RuleVariables") {
            for kind in ["IPSets", "PortSets"] {
                if let Some(sets) = found.get(kind) {
                    self.variables(sets, &mut variables);
                }
            }
        }
        let order = context
            .get("StatefulRuleOptions")
            .and_then(|options| single(options).get("RuleOrder"));
        self.groups.push(RuleGroup {
            name: name.to_owned(),
            lines,
            variables,
            strict_order: order
                .and_then(Json::text)
                .map(|order| order == "STRICT_ORDER"),
        });
    }

    fn variables(&mut self, sets: &Json, into: &mut BTreeMap<String, String>) {
        policy::variables(self.file, sets, into, self.report);
    }

    fn strings(&mut self, text: &Json) -> Vec<Line> {
        match &text.kind {
            Kind::Text(rules) => rule_lines(self.file, rules, text.line, Body::Rule),
            Kind::Template(rules) if rules.contains("%{") => {
                const WHY: &str = "which rules it has is decided by a directive of the template";
                self.left(text, "rules", WHY);
                Vec::new()
            }
            Kind::Template(rules) => {
                let why = "a part of it has to be evaluated (`${…}`): put the value in its place, or a variable (`$NAME`) that `--var` gives";
                rule_lines(self.file, rules, text.line, Body::Template(why.to_owned()))
            }
            _ => {
                self.left(text, "rules", "they have to be evaluated");
                Vec::new()
            }
        }
    }

    fn place(&self, json: &Json) -> Place {
        Place {
            file: Rc::clone(self.file),
            line: json.line,
        }
    }

    fn left(&mut self, json: &Json, kind: &str, why: &str) {
        let fate = Fate::Left(Effect::Either);
        let text = json.shown().replace('\n', " ");
        self.report
            .push(Entry::new(self.place(json), &text, kind, fate).note(why));
    }
}

fn is_text(value: &Json) -> bool {
    matches!(value.kind, Kind::Text(_) | Kind::Template(_))
}

/// The last label of a block.
fn own_name(value: &Json) -> Option<String> {
    let labels = value.get("#labels")?.elements();
    labels.last().and_then(Json::text).map(str::to_owned)
}
