//! Domain lists among rule groups, as the rules that AWS makes of them: the names may pass, or are
//! dropped; what an allow list does not name is dropped, of the protocols that it is about.

use std::rc::Rc;

use sallyport_ruleset::{Action, Field, Protocol};

use super::super::super::condition::{Checker, Condition, Formula, Values, operator};
use super::super::super::json::Json;
use super::super::super::report::{Effect, Entry, Fate, Place, Report};
use super::super::rule::SuricataAction;
use super::content::{Body, Line, ListRule};
use crate::operator::Question;

/// The rules of a list, each with the list's place; what cannot be read goes to the report.
pub(super) fn lines(file: &Rc<str>, list: &Json, report: &mut Report) -> Vec<Line> {
    let mut reader = Reader { file, report };
    let kind = list.get("GeneratedRulesType").and_then(Json::text);
    let action = match kind {
        Some("ALLOWLIST") => SuricataAction::Pass,
        Some("DENYLIST") => SuricataAction::Drop,
        Some("REJECTLIST") => SuricataAction::Reject,
        Some("ALERTLIST") => SuricataAction::Alert,
        _ => {
            let why = "its `GeneratedRulesType` is not known here";
            reader.left(list, Effect::Either, why);
            return Vec::new();
        }
    };
    let targets = reader.targets(list, action);
    let mut rules = Vec::new();
    for one in list.get("TargetTypes").map_or(&[][..], Json::elements) {
        let Some(kind) = ListedProtocol::of(one) else {
            let why = "it is no target that is known here";
            reader.left(one, Effect::of_leaving(action.ours()), why);
            continue;
        };
        let protocol = super::super::ask::protocols(&kind.words);
        let listed = Formula::all([protocol.clone(), targets.formula(&kind.field)]);
        rules.push((action, listed, kind.listed));
        if action == SuricataAction::Pass {
            rules.push((SuricataAction::Drop, protocol, kind.not_listed));
        }
    }
    // What an allow list names passes before the rest of its protocol is dropped.
    rules.sort_by_key(|(action, _, _)| action.ours() == Action::Deny);
    let line = |(action, formula, name): (SuricataAction, Formula, &'static str)| Line {
        place: reader.place(list),
        text: format!("{} {}", kind.unwrap_or_default(), name),
        body: Body::Listed(ListRule {
            action,
            formula,
            name,
        }),
    };
    rules.into_iter().map(line).collect()
}

struct Reader<'a> {
    file: &'a Rc<str>,
    report: &'a mut Report,
}

impl Reader<'_> {
    fn place(&self, json: &Json) -> Place {
        Place {
            file: Rc::clone(self.file),
            line: json.line,
        }
    }

    fn left(&mut self, json: &Json, effect: Effect, why: &str) {
        let fate = Fate::Left(effect);
        let entry = Entry::new(self.place(json), &json.shown(), "domain list", fate);
        self.report.push(entry.note(why));
    }

    fn targets(&mut self, list: &Json, action: SuricataAction) -> Targets {
        let mut checker = Checker::default();
        let mut targets = Targets::default();
        for target in list.get("Targets").map_or(&[][..], Json::elements) {
            let text = target.text().unwrap_or("");
            let (question, name, into) = match text.strip_prefix('.') {
                Some(tree) => (Question::Domain, tree, &mut targets.trees),
                None => (Question::Equals, text, &mut targets.names),
            };
            match checker.check(&Field::DestinationDomain, question, name) {
                Ok(()) => into.push(name.to_owned()),
                Err(why) => self.left(target, Effect::of_leaving(action.ours()), &why.to_string()),
            }
        }
        targets
    }
}

/// Names of a list: with all names under them, and alone.
#[derive(Debug, Default)]
struct Targets {
    trees: Vec<String>,
    names: Vec<String>,
}

impl Targets {
    fn formula(&self, field: &Field) -> Formula {
        Formula::any([
            values(field, Question::Domain, &self.trees),
            values(field, Question::Equals, &self.names),
        ])
    }
}

/// What a list is about.
struct ListedProtocol {
    field: Field,
    words: [Protocol; 2],
    /// Names of the rules that it makes.
    listed: &'static str,
    not_listed: &'static str,
}

impl ListedProtocol {
    fn of(target_type: &Json) -> Option<Self> {
        match target_type.text()? {
            "TLS_SNI" => Some(Self {
                field: Field::TlsSni,
                words: [Protocol::Https, Protocol::Wss],
                listed: "listed-tls",
                not_listed: "not-listed-tls",
            }),
            "HTTP_HOST" => Some(Self {
                field: Field::DestinationDomain,
                words: [Protocol::Http, Protocol::Ws],
                listed: "listed-http",
                not_listed: "not-listed-http",
            }),
            _ => None,
        }
    }
}

fn values(field: &Field, question: Question, items: &[String]) -> Formula {
    if items.is_empty() {
        return Formula::Never;
    }
    let values = Values {
        name: "domains".to_owned(),
        origin: String::new(),
        items: items.to_vec(),
    };
    Condition::new(field.clone(), operator(question, false), values).into()
}
