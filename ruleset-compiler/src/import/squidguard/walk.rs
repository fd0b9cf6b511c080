//! The walk over a configuration: sources, destinations, times, and access lists in their order.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_ruleset::{Action, Field};

use super::super::addresses::networks;
use super::super::book::{Book, End, Rule, one, source};
use super::super::condition::{Condition, Formula};
use super::super::draft::DefaultsBy;
use super::super::input::InputFiles;
use super::super::outcome::{Import, ImportError};
use super::super::report::{Difference, Effect};
use super::expressions;
use super::lists::{self, Destination, Use};
use super::read::{Node, read};
use crate::operator::Question;

/// Imports a configuration and its lists.
///
/// # Errors
/// When it cannot be read, or its result does not compile.
pub fn import(files: &dyn InputFiles, path: &str) -> Result<Import, ImportError> {
    let text = source(files, path)?;
    let nodes = read(&text).map_err(|why| ImportError::Malformed(format!("`{path}`: {why}")))?;
    let mut walk = Walk {
        files,
        book: Book::new(path),
        home: String::new(),
        uses: uses(&nodes),
        sources: BTreeMap::new(),
        destinations: BTreeMap::new(),
        others: Formula::Always,
        default: Action::Allow,
        has_access: false,
    };
    for node in &nodes {
        walk.node(node);
    }
    walk.finish(path)
}

/// What access lists do with each destination; both: it cannot be told.
fn uses(nodes: &[Node]) -> BTreeMap<String, BTreeSet<bool>> {
    let mut found: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for node in nodes {
        if node.words.first().is_some_and(|word| word == "pass") {
            for word in node.words.iter().skip(1) {
                let name = word.trim_start_matches('!');
                found
                    .entry(name.to_owned())
                    .or_default()
                    .insert(word.starts_with('!'));
            }
        }
        for (name, more) in uses(node.block.as_deref().unwrap_or(&[])) {
            found.entry(name).or_default().extend(more);
        }
    }
    found
}

struct Walk<'a> {
    files: &'a dyn InputFiles,
    book: Book,
    home: String,
    uses: BTreeMap<String, BTreeSet<bool>>,
    sources: BTreeMap<String, Formula>,
    destinations: BTreeMap<String, Destination>,
    /// Clients that no access list was about so far.
    others: Formula,
    default: Action,
    has_access: bool,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node) {
        let words: Vec<&str> = node.words.iter().map(String::as_str).collect();
        let shown = node.words.join(" ");
        match (words.as_slice(), &node.block) {
            (["dbhome", path], None) => self.home = (*path).to_owned(),
            (["src" | "source", name], Some(inside)) => self.source(name, inside),
            (["dest" | "destination", name], Some(inside)) => self.destination(name, inside),
            (["acl"], Some(inside)) => self.access(inside),
            (["time", _], Some(_)) => {
                let why = "times are left: write them as `TimeOfDay` conditions";
                self.leave(node, &shown, Effect::Neither, why);
            }
            (["rew" | "rewrite", ..], _) => self.leave(
                node,
                &shown,
                Effect::Neither,
                "requests are decided on, not rewritten",
            ),
            _ => self.leave(
                node,
                &shown,
                Effect::Neither,
                "it is for the program itself",
            ),
        }
    }

    fn leave(&mut self, node: &Node, shown: &str, effect: Effect, why: &str) {
        let kind = node.words.first().map_or("line", String::as_str);
        self.book
            .left(node.line, shown, kind, Difference::new(effect, why));
    }

    /// Clients: by network, or by user.
    fn source(&mut self, name: &str, inside: &[Node]) {
        let (mut addresses, mut users) = (Vec::new(), Vec::new());
        for node in inside {
            let shown = node.words.join(" ");
            let Some((key, values)) = node.words.split_first() else {
                continue;
            };
            match key.as_str() {
                "ip" => {
                    for value in values {
                        let read = networks(value).and_then(|found| {
                            found.iter().try_for_each(|one| {
                                self.book.check(&Field::SourceIp, Question::Ip, one)
                            })?;
                            Ok(found)
                        });
                        match read {
                            Ok(found) => {
                                self.book.carried(node.line, value, "src ip");
                                addresses.extend(found);
                            }
                            Err(why) => self.book.left(
                                node.line,
                                value,
                                "src ip",
                                Difference::new(Effect::Either, why),
                            ),
                        }
                    }
                }
                "user" => {
                    self.book.carried(node.line, &shown, "src user");
                    users.extend(values.iter().cloned());
                }
                "log" | "logfile" => {
                    self.leave(node, &shown, Effect::Neither, "logs are configuration")
                }
                _ => self.leave(
                    node,
                    &shown,
                    Effect::Either,
                    "clients are known by network and by user",
                ),
            }
        }
        // A request must come from one of the networks, and from one of the users, if both are given.
        let parts = [
            (Field::SourceIp, Question::Ip, addresses),
            (Field::Principal, Question::Equals, users),
        ];
        let parts = parts.into_iter().filter(|(.., items)| !items.is_empty());
        let parts: Vec<Formula> = parts
            .map(|(field, question, items)| one(field, question, &format!("src-{name}"), &items))
            .collect();
        let formula = if parts.is_empty() {
            Formula::Never
        } else {
            Formula::all(parts)
        };
        self.sources.insert(name.to_owned(), formula);
    }

    fn destination(&mut self, name: &str, inside: &[Node]) {
        let mut destination = Destination::default();
        let used = Use {
            action: self.uses.get(name).and_then(|found| {
                match found.iter().collect::<Vec<_>>().as_slice() {
                    [true] => Some(Action::Deny),
                    [false] => Some(Action::Allow),
                    _ => None,
                }
            }),
        };
        for node in inside {
            let shown = node.words.join(" ");
            let [key, file] = node.words.as_slice() else {
                self.leave(
                    node,
                    &shown,
                    Effect::Neither,
                    "it is not about which requests are meant",
                );
                continue;
            };
            if !["domainlist", "urllist", "expressionlist"].contains(&key.as_str()) {
                self.leave(
                    node,
                    &shown,
                    Effect::Neither,
                    "where refused clients are sent, and logs, are configuration",
                );
                continue;
            }
            let path = if file.starts_with('/') || self.home.is_empty() {
                file.clone()
            } else {
                format!("{}/{file}", self.home.trim_end_matches('/'))
            };
            match self.files.text(&path) {
                Ok(text) => {
                    self.book.carried(node.line, &shown, key);
                    let before = self.book.enter(&path);
                    match key.as_str() {
                        "domainlist" => {
                            lists::domains(&mut self.book, &text, &mut destination, used)
                        }
                        "urllist" => lists::urls(&mut self.book, &text, &mut destination, used),
                        _ => {
                            expressions::read(&mut self.book, &text, &mut destination, used);
                        }
                    }
                    self.book.enter(&before);
                }
                Err(why) => {
                    let effect = used.action.map_or(Effect::Either, Effect::of_leaving);
                    self.leave(
                        node,
                        &shown,
                        effect,
                        &format!(
                            "`{path}` cannot be read: {why}; `--root` says where absolute paths are"
                        ),
                    );
                    self.book.report.unread(&path);
                }
            }
        }
        self.destinations.insert(name.to_owned(), destination);
    }

    /// Access lists: the first whose source a client is in decides, and the default for the rest.
    fn access(&mut self, inside: &[Node]) {
        self.has_access = true;
        for node in inside {
            let [name, rest @ ..] = node.words.as_slice() else {
                continue;
            };
            let body = node.block.as_deref().unwrap_or(&[]);
            let shown = format!("{} {{ … }}", node.words.join(" "));
            if name == "else" {
                self.leave(
                    node,
                    &shown,
                    Effect::Either,
                    "times are left, and so is what holds outside of them",
                );
                continue;
            }
            let who = match self.sources.get(name) {
                Some(who) => who.clone(),
                None if name == "default" => Formula::Always,
                None => {
                    self.leave(node, &shown, Effect::Either, "there is no such source");
                    continue;
                }
            };
            let entry = self.book.carried(node.line, &shown, "acl");
            if !rest.is_empty() {
                let why = "it is for certain times, which are left: here it holds at all times";
                self.book.differ(entry, Effect::Either, why);
            }
            let who = Formula::all([who, self.others.clone()]);
            let pass = body
                .iter()
                .find(|node| node.words.first().is_some_and(|word| word == "pass"));
            for node in body.iter().filter(|node| Some(*node) != pass) {
                self.leave(
                    node,
                    &node.words.join(" "),
                    Effect::Neither,
                    "where refused clients are sent, and logs, are configuration",
                );
            }
            match pass {
                Some(pass) => self.pass(name, &who, pass),
                None => self.rest(name, &who, Action::Allow, entry),
            }
            self.others = match self.sources.get(name) {
                Some(known) => Formula::all([self.others.clone(), known.clone().negated()]),
                None => self.others.clone(),
            };
        }
    }

    /// `pass !porn ok none`: the first word that fits decides; `!` refuses, `none` refuses all.
    fn pass(&mut self, name: &str, who: &Formula, node: &Node) {
        let entry = self.book.carried(node.line, &node.words.join(" "), "pass");
        let mut last = Action::Deny;
        let mut is_over = false;
        for word in node.words.iter().skip(1) {
            let (action, list) = word
                .strip_prefix('!')
                .map_or((Action::Allow, word.as_str()), |list| (Action::Deny, list));
            last = if action == Action::Deny {
                Action::Allow
            } else {
                Action::Deny
            };
            match list {
                "all" | "any" | "none" => {
                    let passes = (list != "none") == (action == Action::Allow);
                    self.rest(
                        name,
                        who,
                        if passes { Action::Allow } else { Action::Deny },
                        entry,
                    );
                    is_over = true;
                    break;
                }
                "in-addr" => {
                    let no_name: Formula = Condition::null(Field::DestinationDomain, true).into();
                    self.rule(
                        &format!("{name}-in-addr"),
                        action,
                        Formula::all([who.clone(), no_name]),
                        vec![entry],
                    );
                }
                _ => self.listed(name, who, (action, list), entry),
            }
        }
        if !is_over {
            let note = "it ends neither with `all` nor with `none`: the rest is taken for the contrary of the last word";
            self.book.differ(entry, Effect::Either, note);
            self.rest(name, who, last, entry);
        }
    }

    fn listed(&mut self, name: &str, who: &Formula, (action, list): (Action, &str), entry: usize) {
        let Some(destination) = self.destinations.get(list).cloned() else {
            let why = format!("there is no destination `{list}`");
            self.book.differ(entry, Effect::of_leaving(action), why);
            return;
        };
        let rule_name = format!("{name}-{list}");
        let mut entries = vec![entry];
        entries.extend(&destination.entries);
        let hosts = destination.hosts.formula(list);
        self.rule(
            &rule_name,
            action,
            Formula::all([who.clone(), hosts]),
            entries,
        );
        for url in &destination.urls {
            self.rule(
                &format!("{rule_name}-url"),
                action,
                Formula::all([who.clone(), url.clone()]),
                vec![entry],
            );
        }
    }

    fn rest(&mut self, name: &str, who: &Formula, action: Action, entry: usize) {
        if *who == Formula::Always {
            self.default = action;
            self.book
                .note(entry, "what it says of all the rest is the default");
            return;
        }
        self.rule(&format!("{name}-rest"), action, who.clone(), vec![entry]);
        if name == "default" {
            self.default = action;
        }
    }

    fn rule(&mut self, name: &str, action: Action, formula: Formula, entries: Vec<usize>) {
        if formula != Formula::Never {
            self.book
                .rule(Rule::new(name, action, formula).from(entries));
        }
    }

    fn finish(self, path: &str) -> Result<Import, ImportError> {
        let by = if self.has_access {
            DefaultsBy::Source
        } else {
            DefaultsBy::Assumption("there is no `acl` in it")
        };
        self.book.finish(&End {
            path,
            format: "squidguard",
            what: "is a list or an access list of SquidGuard",
            default: self.default,
            default_by: by,
        })
    }
}
