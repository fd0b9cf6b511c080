//! Domain lists of AWS Network Firewall: the `RulesSourceList` of a stateful rule group, as
//! `CreateRuleGroup` takes it and `DescribeRuleGroup` gives it.
//!
//! A target that begins with a dot is the name and all names under it; one without is just the
//! name. An allow list also drops what it does not name, of the protocols that it is about.

use std::rc::Rc;

use sallyport_ruleset::{Action, Field, Phase, Protocol};

use super::condition::{Checker, Condition, Formula, Values, operator};
use super::draft::{ALLOW_BY_DEFAULT, DefaultsBy, Draft, DraftGroup, DraftRule, Names};
use super::input::InputFiles;
use super::json::Json;
use super::outcome::{Import, ImportError, Origin};
use super::report::{Effect, Entry, Fate, Place, Report};
use crate::operator::Question;

/// Imports the one domain list in a JSON file.
///
/// # Errors
/// When the file cannot be read, holds no domain list or several, or its result does not compile.
pub fn import(files: &dyn InputFiles, path: &str) -> Result<Import, ImportError> {
    let text = files.text(path).map_err(|why| ImportError::Unreadable {
        path: path.to_owned(),
        why,
    })?;
    let malformed = |why: &str| ImportError::Malformed(format!("`{path}`: {why}"));
    let json = Json::parse(&text).map_err(|error| ImportError::Document {
        path: path.to_owned(),
        error,
    })?;
    let source = source(&json).map_err(malformed)?;
    let mut work = Work {
        file: path.into(),
        report: Report::default(),
        checker: Checker::default(),
    };
    let kind = work
        .list_kind(source.list)
        .map_err(|why| malformed(&why.to_string()))?;
    let targets = work.targets(source.list, kind);
    let home = work.home(&source, kind.list);
    work.unread(source.list, kind.list);
    let draft = work.draft(path, kind, &targets, home);
    let what = "is a domain list";
    Import::new(draft, work.report, Origin { path, what })
}

/// Why a list does not say what it does, and to which protocols.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum KindError {
    /// What becomes of its names.
    #[error("there is no `GeneratedRulesType`")]
    NoRulesType,
    /// None that is known.
    #[error("unknown `GeneratedRulesType` {0}")]
    RulesType(String),
    /// Which protocols it is about.
    #[error("there are no `TargetTypes`")]
    NoTargetTypes,
    /// Neither HTTP nor TLS.
    #[error("unknown `TargetTypes` {0}")]
    TargetType(String),
    /// It is about none.
    #[error("`TargetTypes` is empty")]
    EmptyTargetTypes,
}

/// The parts of a rule group that matter.
struct Source<'j> {
    list: &'j Json,
    variables: Option<&'j Json>,
}

fn source(json: &Json) -> Result<Source<'_>, &'static str> {
    let mut holders = Vec::new();
    json.holders("RulesSourceList", &mut holders);
    let list = match holders.as_slice() {
        [] if json.get("Targets").is_some() => json,
        [] => {
            return Err(
                "there is no `RulesSourceList`; rules in Suricata's language are imported by `import suricata`",
            );
        }
        [only] => only.get("RulesSourceList").unwrap_or(json),
        _ => return Err("there is more than one domain list; import them one by one"),
    };
    let mut holders = Vec::new();
    json.holders("RuleVariables", &mut holders);
    Ok(Source {
        list,
        variables: holders
            .first()
            .and_then(|holder| holder.get("RuleVariables")),
    })
}

/// What a list does, and about which protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    list: ListKind,
    http: bool,
    tls: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListKind {
    Allow,
    Deny,
    Alert,
}

impl ListKind {
    /// What is done with a name on it.
    const fn of_name(self) -> Action {
        match self {
            Self::Allow => Action::Allow,
            Self::Deny => Action::Deny,
            Self::Alert => Action::Alert,
        }
    }

    /// The effect of something that is not as it was: an alert list decides nothing.
    const fn or_nothing(self, effect: Effect) -> Effect {
        match self {
            Self::Allow | Self::Deny => effect,
            Self::Alert => Effect::Neither,
        }
    }
}

/// Names of a list, as conditions over a field ask for them.
struct Targets {
    trees: Vec<String>,
    names: Vec<String>,
}

struct Work {
    file: Rc<str>,
    report: Report,
    checker: Checker,
}

impl Work {
    fn entry(&mut self, json: &Json, text: &str, kind: &str, fate: Fate, note: &str) {
        let place = Place {
            file: Rc::clone(&self.file),
            line: json.line,
        };
        let mut entry = Entry::new(place, text, kind, fate);
        if !note.is_empty() {
            entry.notes.push(note.to_owned());
        }
        self.report.push(entry);
    }

    fn list_kind(&mut self, list: &Json) -> Result<Kind, KindError> {
        let word = list
            .get("GeneratedRulesType")
            .ok_or(KindError::NoRulesType)?;
        let (kind, note) = match word.text() {
            Some("ALLOWLIST") => (ListKind::Allow, ""),
            Some("DENYLIST") => (ListKind::Deny, ""),
            Some("REJECTLIST") => (
                ListKind::Deny,
                "the client is answered 403 instead of a TCP reset",
            ),
            Some("ALERTLIST") => (ListKind::Alert, ""),
            _ => return Err(KindError::RulesType(word.shown())),
        };
        let fate = if note.is_empty() {
            Fate::Carried
        } else {
            Fate::Changed(Effect::Neither)
        };
        self.entry(word, &word.shown(), "GeneratedRulesType", fate, note);
        let types = list.get("TargetTypes").ok_or(KindError::NoTargetTypes)?;
        let mut found = Kind {
            list: kind,
            http: false,
            tls: false,
        };
        for one in types.elements() {
            match one.text() {
                Some("HTTP_HOST") => found.http = true,
                Some("TLS_SNI") => found.tls = true,
                _ => return Err(KindError::TargetType(one.shown())),
            }
            self.entry(one, &one.shown(), "TargetTypes", Fate::Carried, "");
        }
        if found.http || found.tls {
            Ok(found)
        } else {
            Err(KindError::EmptyTargetTypes)
        }
    }

    fn targets(&mut self, list: &Json, kind: Kind) -> Targets {
        let left = Fate::Left(Effect::of_leaving(kind.list.of_name()));
        let mut targets = Targets {
            trees: Vec::new(),
            names: Vec::new(),
        };
        let elements = list.get("Targets").map_or(&[][..], Json::elements);
        for target in elements {
            let text = target.text().unwrap_or("");
            let (question, name, into) = match text.strip_prefix('.') {
                Some(tree) => (Question::Domain, tree, &mut targets.trees),
                None => (Question::Equals, text, &mut targets.names),
            };
            match self
                .checker
                .check(&Field::DestinationDomain, question, name)
            {
                Ok(()) => {
                    into.push(name.to_owned());
                    self.entry(target, text, "Targets", Fate::Carried, "");
                }
                Err(why) => self.entry(target, &target.shown(), "Targets", left, &why.to_string()),
            }
        }
        targets
    }

    /// The clients that the list is about; `None`: all of them.
    fn home(&mut self, source: &Source<'_>, kind: ListKind) -> Option<Vec<String>> {
        let definition = source
            .variables
            .and_then(|variables| variables.at(&["IPSets", "HOME_NET", "Definition"]));
        let Some(definition) = definition else {
            self.report.remark(
                "no `HOME_NET` is given: on the firewall the list is about clients in its own VPC, here about all clients of the proxy",
            );
            return None;
        };
        let mut networks = Vec::new();
        for network in definition.elements() {
            let text = network.text().unwrap_or("");
            match self.checker.check(&Field::SourceIp, Question::Ip, text) {
                Ok(()) => {
                    networks.push(text.to_owned());
                    self.entry(network, text, "HOME_NET", Fate::Carried, "");
                }
                // What is denied, and what is not on an allow list is, is denied to fewer clients.
                Err(why) => {
                    let left = Fate::Left(kind.or_nothing(Effect::Wider));
                    self.entry(
                        network,
                        &network.shown(),
                        "HOME_NET",
                        left,
                        &why.to_string(),
                    );
                }
            }
        }
        Some(networks)
    }

    fn unread(&mut self, list: &Json, kind: ListKind) {
        const KNOWN: [&str; 3] = ["Targets", "TargetTypes", "GeneratedRulesType"];
        for (name, value) in list.members() {
            if !KNOWN.contains(&name.as_str()) {
                self.entry(
                    value,
                    &format!("\"{name}\": {}", value.shown()),
                    name,
                    Fate::Left(kind.or_nothing(Effect::Either)),
                    "it is no part of a domain list that is known here",
                );
            }
        }
    }

    fn draft(
        &mut self,
        path: &str,
        kind: Kind,
        targets: &Targets,
        home: Option<Vec<String>>,
    ) -> Draft {
        let by = match kind.list {
            ListKind::Allow | ListKind::Alert => DefaultsBy::Source,
            ListKind::Deny => DefaultsBy::Assumption("its deny list names nothing"),
        };
        let mut draft = Draft::new(ALLOW_BY_DEFAULT, by);
        draft.about = vec![
            format!("Imported from {path} by `sallyport-rules import aws-domain-list`."),
            "import-report.txt says line by line what became of it.".to_owned(),
        ];
        let clients = home.map_or(Formula::Always, |networks| {
            condition(Field::SourceIp, Question::Ip, "home-net", networks)
        });
        let mut group = DraftGroup::new("domain-list");
        let mut names = Names::default();
        for (phase, field, scope) in scopes(kind) {
            let listed = Formula::any([
                condition(
                    field.clone(),
                    Question::Domain,
                    "domains",
                    targets.trees.clone(),
                ),
                condition(field, Question::Equals, "names", targets.names.clone()),
            ]);
            let (action, name, formula) = match kind.list {
                ListKind::Allow => (Action::Deny, "not-listed", listed.negated()),
                ListKind::Deny => (Action::Deny, "listed", listed),
                ListKind::Alert => (Action::Alert, "listed", listed),
            };
            let formula = Formula::all([clients.clone(), scope, formula]);
            // At most four networks, protocols and kinds of names: far below the bound.
            for conditions in formula.alternatives().unwrap_or_default() {
                let rule = DraftRule {
                    name: names.unique(name),
                    description: String::new(),
                    action,
                    conditions,
                    origin: vec![format!("{path}: {}", about(kind))],
                };
                group.push(phase, rule);
            }
        }
        draft.groups.push(group);
        self.remarks(kind);
        draft
    }

    fn remarks(&mut self, kind: Kind) {
        if kind.http && kind.tls {
            self.report.remark(
                "the list is asked of the name that the request is for, before it is resolved; a ClientHello or a Host that names another is refused by `tunnel.fronting`",
            );
        } else {
            self.report
                .remark("the list is about one protocol: the other passes, as on the firewall");
        }
        if kind.list == ListKind::Allow {
            self.report.remark(
                "what the list does not name is denied, requests for addresses without a name among it; everything else the default allows",
            );
        }
    }
}

/// Where a list is asked: the phase, the field that has the name, and what else must hold.
fn scopes(kind: Kind) -> Vec<(Phase, Field, Formula)> {
    let is_one_of = |words: &[Protocol]| {
        let items = words.iter().map(|word| word.name().to_owned()).collect();
        condition(Field::Protocol, Question::Equals, "protocols", items)
    };
    let name = Field::DestinationDomain;
    match (kind.http, kind.tls) {
        (true, true) => vec![(Phase::PreDns, name, Formula::Always)],
        // Plain requests are known before the name is resolved; those inside a CONNECT are not.
        (true, false) => {
            let plain = is_one_of(&[Protocol::Http, Protocol::Ws]);
            let late = (Phase::PreRequest, name.clone(), plain.clone());
            if kind.list == ListKind::Alert {
                // Once is enough.
                return vec![late];
            }
            vec![(Phase::PreDns, name, plain), late]
        }
        _ => {
            let tls = is_one_of(&[Protocol::Https, Protocol::Wss]);
            vec![(Phase::PreRequest, Field::TlsSni, tls)]
        }
    }
}

fn condition(field: Field, question: Question, name: &str, items: Vec<String>) -> Formula {
    if items.is_empty() {
        return Formula::Never;
    }
    let values = Values {
        name: name.to_owned(),
        origin: String::new(),
        items,
    };
    Condition::new(field, operator(question, false), values).into()
}

const fn about(kind: Kind) -> &'static str {
    match kind.list {
        ListKind::Allow => "the allow list: what it does not name is denied",
        ListKind::Deny => "the deny list",
        ListKind::Alert => "the alert list",
    }
}
