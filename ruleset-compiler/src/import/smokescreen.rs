//! Access lists of Smokescreen: which role may ask for which hosts.
//!
//! Smokescreen asks in this order: the hosts that the role's entry allows, the global deny list, the
//! global allow list, and then the entry's action. The rules stand in that order.

use sallyport_ruleset::{Action, Field};

use super::book::{Book, End, Rule, Target, Targets, documents, one};
use super::condition::{Condition, Formula, ValueError};
use super::draft::DefaultsBy;
use super::input::InputFiles;
use super::json::Json;
use super::outcome::{Import, ImportError};
use super::report::{Difference, Effect};
use crate::operator::Question;

/// Imports an access list.
///
/// # Errors
/// When it cannot be read, is none, or its result does not compile.
pub fn import(files: &dyn InputFiles, path: &str) -> Result<Import, ImportError> {
    let documents = documents(files, path)?;
    let malformed = |why: &str| ImportError::Malformed(format!("`{path}`: {why}"));
    let [acl] = documents.as_slice() else {
        return Err(malformed("expected one YAML document"));
    };
    if acl.get("services").is_none() && acl.get("default").is_none() {
        return Err(malformed("it has neither `services` nor `default`"));
    }
    let mut walk = Walk {
        book: Book::new(path),
        services: Vec::new(),
        default: None,
        denied: (Targets::default(), Vec::new()),
        allowed: (Targets::default(), Vec::new()),
    };
    walk.list(acl);
    walk.finish(path)
}

/// Why a host is not carried over. As text it is a phrase for the report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Unsupported {
    /// Elsewhere in a name.
    #[error("a `*` stands only for the first labels, as in `*.example.com`")]
    Wildcard,
    /// A value that the compiler would refuse.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// What is done with a host that no list names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    Open,
    Report,
    Enforce,
}

#[derive(Debug)]
struct Service {
    name: String,
    policy: Policy,
    policy_entry: usize,
    domains: Targets,
    entries: Vec<usize>,
}

struct Walk {
    book: Book,
    services: Vec<Service>,
    default: Option<Service>,
    denied: (Targets, Vec<usize>),
    allowed: (Targets, Vec<usize>),
}

impl Walk {
    fn list(&mut self, acl: &Json) {
        for (name, value) in acl.members() {
            match name.as_str() {
                "version" => {
                    self.book.unneeded(
                        value.line,
                        &format!("version: {}", value.shown()),
                        "version",
                        "it is the list's own",
                    );
                }
                "services" => {
                    for service in value.elements() {
                        let name = service.get("name").and_then(Json::word).unwrap_or("");
                        if name.is_empty() || self.services.iter().any(|known| known.name == name) {
                            let why = "it has no name of its own: Smokescreen does not start";
                            let why = Difference::new(Effect::Either, why);
                            self.book
                                .left(service.line, &service.shown(), "service", why);
                            continue;
                        }
                        let service = self.service(service, name);
                        self.services.push(service);
                    }
                }
                "default" => {
                    let service = self.service(value, "");
                    self.default = Some(service);
                }
                "global_deny_list" => {
                    let (targets, entries) = self.hosts(value, name, Effect::Wider);
                    self.denied = (targets, entries);
                }
                "global_allow_list" => {
                    let (targets, entries) = self.hosts(value, name, Effect::Narrower);
                    self.allowed = (targets, entries);
                }
                _ => self.unknown(name, value),
            }
        }
    }

    fn unknown(&mut self, name: &str, value: &Json) {
        let why = Difference::new(
            Effect::Either,
            "it is no part of an access list that is known here",
        );
        self.book
            .left(value.line, &format!("{name}: {}", value.shown()), name, why);
    }

    fn service(&mut self, json: &Json, name: &str) -> Service {
        let shown = if name.is_empty() {
            "default".to_owned()
        } else {
            format!("name: {name}")
        };
        let entry = self.book.carried(json.line, &shown, "service");
        let mut service = Service {
            name: name.to_owned(),
            policy: Policy::Enforce,
            policy_entry: entry,
            domains: Targets::default(),
            entries: vec![entry],
        };
        let mut has_action = false;
        for (key, value) in json.members() {
            let shown = format!("{key}: {}", value.shown());
            match key.as_str() {
                "name" => {}
                "project" => self
                    .book
                    .unneeded(value.line, &shown, key, "it is for logs"),
                "action" => {
                    has_action = true;
                    (service.policy, service.policy_entry) = self.policy(value, &shown);
                }
                "allowed_domains" => {
                    let (targets, entries) = self.hosts(value, key, Effect::Narrower);
                    service.domains = targets;
                    service.entries.extend(entries);
                }
                "mitm_domains" => {
                    let why = "what is decrypted is configuration, `[[tls.scope]]`";
                    let why = Difference::new(Effect::Neither, why);
                    self.book.left(value.line, &shown, key, why);
                }
                "allowed_external_proxies" | "allowed_external_proxy_globs" => {
                    let why = "a client does not choose the proxy that it is passed on to";
                    let why = Difference::new(Effect::Narrower, why);
                    self.book.left(value.line, &shown, key, why);
                }
                _ => self.unknown(key, value),
            }
        }
        if !has_action {
            self.book.differ(
                entry,
                Effect::Narrower,
                "it has no `action`: Smokescreen does not start; here it enforces",
            );
        }
        service
    }

    fn policy(&mut self, value: &Json, shown: &str) -> (Policy, usize) {
        let word = value.word().unwrap_or("");
        let entry = self.book.carried(value.line, shown, "action");
        let policy = match word.to_ascii_lowercase().as_str() {
            "open" => Policy::Open,
            "report" => Policy::Report,
            "enforce" => Policy::Enforce,
            _ => {
                let note = "it is not `open`, `report` or `enforce`; here it enforces";
                self.book.differ(entry, Effect::Narrower, note);
                Policy::Enforce
            }
        };
        (policy, entry)
    }

    /// Hosts: a name, an address, or `*.name` for all names under it.
    fn hosts(&mut self, list: &Json, kind: &str, of_leaving: Effect) -> (Targets, Vec<usize>) {
        let (mut targets, mut entries) = (Targets::default(), Vec::new());
        for host in list.elements() {
            let text = host.word().unwrap_or("").trim_end_matches('.');
            let is_address = text.parse::<std::net::IpAddr>().is_ok();
            let target = match text.strip_prefix("*.") {
                _ if is_address => Ok(Target::Literal(text.to_owned())),
                Some(rest) if !rest.contains('*') => Ok(Target::Like(text.to_owned())),
                None if !text.contains('*') => Ok(Target::Exact(text.to_owned())),
                _ => Err(Unsupported::Wildcard),
            };
            let added = target.and_then(|target| Ok(self.book.add(&mut targets, target)?));
            match added {
                Ok(()) => entries.push(self.book.carried(host.line, text, kind)),
                Err(why) => {
                    let why = Difference::new(of_leaving, why);
                    self.book.left(host.line, &host.shown(), kind, why);
                }
            }
        }
        (targets, entries)
    }

    fn finish(mut self, path: &str) -> Result<Import, ImportError> {
        let no_role: Formula = Condition::null(Field::Principal, true).into();
        self.book.rule(Rule::new("no-role", Action::Deny, no_role));
        let names: Vec<String> = self
            .services
            .iter()
            .map(|service| service.name.clone())
            .collect();
        let others = if names.is_empty() {
            Formula::Always
        } else {
            role("services", &names).negated()
        };
        let mut all: Vec<(Formula, Service)> = std::mem::take(&mut self.services)
            .into_iter()
            .map(|service| {
                (
                    role(&service.name, std::slice::from_ref(&service.name)),
                    service,
                )
            })
            .collect();
        all.extend(self.default.take().map(|mut service| {
            service.name = "default".to_owned();
            (others.clone(), service)
        }));
        let has_default = all.iter().any(|(who, _)| *who == others);
        for (who, service) in &mut all {
            let name = format!("{}-allowed", service.name);
            let formula = Formula::all([who.clone(), service.domains.formula(&name)]);
            if formula != Formula::Never {
                let entries = std::mem::take(&mut service.entries);
                self.book
                    .rule(Rule::new(name, Action::Allow, formula).from(entries));
            }
        }
        if !has_default {
            // What has no entry is refused before the global lists are asked.
            self.book
                .rule(Rule::new("unknown-role", Action::Deny, others));
        }
        self.globals();
        for (who, service) in all {
            self.policy_rules(who, &service);
        }
        self.book.report.remark(
            "roles are principals: how clients prove theirs is configuration (`listener.auth`); who has none is denied, as without `--allow-missing-role`",
        );
        self.book.finish(&End {
            path,
            format: "smokescreen",
            what: "is an entry of an access list of Smokescreen",
            default: Action::Deny,
            default_by: DefaultsBy::Source,
        })
    }

    fn globals(&mut self) {
        let (denied, entries) = std::mem::take(&mut self.denied);
        if !entries.is_empty() {
            let formula = denied.formula("global-deny");
            self.book
                .rule(Rule::new("global-deny", Action::Deny, formula).from(entries));
        }
        let (allowed, entries) = std::mem::take(&mut self.allowed);
        if !entries.is_empty() {
            let formula = allowed.formula("global-allow");
            self.book
                .rule(Rule::new("global-allow", Action::Allow, formula).from(entries));
        }
    }

    fn policy_rules(&mut self, who: Formula, service: &Service) {
        let entries = [service.policy_entry];
        let rule =
            |what: &str, action| Rule::new(format!("{}-{what}", service.name), action, who.clone());
        match service.policy {
            Policy::Open => self.book.rule(rule("open", Action::Allow).from(entries)),
            Policy::Enforce => self.book.rule(rule("enforce", Action::Deny).from(entries)),
            Policy::Report => {
                self.book.rule(rule("report", Action::Alert).from(entries));
                self.book
                    .rule(rule("reported", Action::Allow).from(entries));
            }
        }
    }
}

fn role(list: &str, names: &[String]) -> Formula {
    one(Field::Principal, Question::Equals, list, names)
}
