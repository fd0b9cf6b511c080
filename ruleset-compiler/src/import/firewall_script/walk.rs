//! The walk over a script: sets are filled, rules of the chain OUTPUT are read in their order, and its
//! policy is the default.

use std::collections::{BTreeMap, HashMap, HashSet};

use sallyport_ruleset::{Action, Field};

use super::super::book::{Book, End, Rule, Target, Targets, one, source};
use super::super::condition::Formula;
use super::super::draft::DefaultsBy;
use super::super::input::InputFiles;
use super::super::outcome::{Import, ImportError};
use super::super::report::{Difference, Effect};
use super::shell::{Statement, Value, Variables, statements, words};
use crate::operator::Question;

/// Functions that call each other, at most so deep.
const CALLS_MAX: usize = 8;

/// Imports a script.
///
/// # Errors
/// When it cannot be read, or its result does not compile.
pub fn import(files: &dyn InputFiles, path: &str) -> Result<Import, ImportError> {
    let text = source(files, path)?;
    let all = statements(&text);
    let mut walk = Walk {
        denied_sets: denied_sets(&all),
        files,
        book: Book::new(path),
        variables: Variables::default(),
        functions: HashMap::new(),
        sets: BTreeMap::new(),
        rules: Vec::new(),
        policy: None,
        policy_v6: None,
        conditions: 0,
    };
    walk.run(&all, 0);
    walk.finish(path)
}

/// Targets, and the entries of the lines that named them.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    pub(super) targets: Targets,
    pub(super) entries: Vec<usize>,
}

/// A rule of OUTPUT; its set is looked up at the end, when it is full.
pub(super) struct Output {
    pub(super) action: Action,
    pub(super) formula: Formula,
    pub(super) set: Option<(bool, String)>,
    pub(super) entries: Vec<usize>,
}

pub(super) struct Walk<'a> {
    files: &'a dyn InputFiles,
    pub(super) book: Book,
    pub(super) variables: Variables,
    functions: HashMap<String, Vec<Statement>>,
    sets: BTreeMap<String, Set>,
    /// Sets that a rule denies, or allows what is not in them.
    denied_sets: HashSet<String>,
    pub(super) rules: Vec<Output>,
    pub(super) policy: Option<Action>,
    /// That of `ip6tables`.
    pub(super) policy_v6: Option<Action>,
    /// How many `if` are open.
    pub(super) conditions: usize,
}

impl Walk<'_> {
    fn run(&mut self, all: &[Statement], depth: usize) {
        let mut at = 0;
        while let Some(statement) = all.get(at) {
            at += 1;
            let first = statement.text.split_whitespace().next().unwrap_or("");
            match first {
                "for" => self.bind_for(statement),
                "while" | "until" => {
                    let end = all.get(block_end(all, at)..).and_then(<[Statement]>::first);
                    self.bind_while(statement, end);
                }
                "if" | "case" => self.conditions += 1,
                "fi" | "esac" => self.conditions = self.conditions.saturating_sub(1),
                _ => match function_name(&statement.text) {
                    Some(name) => {
                        let end = all
                            .iter()
                            .skip(at)
                            .position(|one| one.text == "}")
                            .map_or(all.len(), |length| at + length);
                        let body = all.get(at..end).unwrap_or(&[]).to_vec();
                        self.functions.insert(name.to_owned(), body);
                        at = end + 1;
                    }
                    None => self.command(statement, depth),
                },
            }
        }
    }

    /// `for x in words`: the variable stands for all of them at once.
    fn bind_for(&mut self, statement: &Statement) {
        let rest = statement.text.strip_prefix("for").unwrap_or("");
        if let Some((name, list)) = rest.split_once(" in ") {
            let before = name.matches('\n').count();
            let value = self.variables.value(list, statement.line + before);
            self.variables.set(name.trim(), value);
        } else if let Some((name, list)) = rest.split_once(" in\n") {
            let value = self.variables.value(list, statement.line + 1);
            self.variables.set(name.trim(), value);
        }
    }

    /// `… | while read x` or `while read x … done < …`.
    fn bind_while(&mut self, statement: &Statement, end: Option<&Statement>) {
        self.bind_read(&statement.text, statement.line, end);
    }

    fn bind_read(&mut self, text: &str, line: usize, end: Option<&Statement>) {
        let Some((before, after)) = text.split_once("read") else {
            return;
        };
        let name = after
            .split_whitespace()
            .find(|word| !word.starts_with('-'))
            .unwrap_or("");
        let piped = before.rsplit_once('|').map(|(source, _)| source);
        let value = match (piped, end) {
            (Some(source), _) => self.variables.value(&format!("$({source})"), line),
            (None, Some(end)) => self.redirected(end),
            (None, None) => Value::Unknown,
        };
        self.variables.set(name, value);
    }

    /// What `done` reads: a here-document, a string, a command, a file.
    fn redirected(&mut self, end: &Statement) -> Value {
        if !end.document.is_empty() {
            let lines = end
                .document
                .iter()
                .flat_map(|(line, text)| words(text, *line));
            return Value::Words(lines.collect());
        }
        let text = &end.text;
        if let Some((_, string)) = text.split_once("<<<") {
            return self.variables.value(string, end.line);
        }
        match text.split_once('<') {
            Some((_, command)) if command.trim_start().starts_with("<(") => self
                .variables
                .value(&command.replacen("<(", "$(", 1), end.line),
            Some((_, file)) => {
                let Value::Words(path) = self.variables.value(file, end.line) else {
                    return Value::Unknown;
                };
                let path = path.first().map_or("", |(path, _)| path.as_str());
                match self.files.text(path) {
                    Ok(list) => {
                        let lines = list
                            .lines()
                            .map(|line| line.split('#').next().unwrap_or(""));
                        // The lines of that file are not those of the script: the loop's is told.
                        Value::Words(lines.flat_map(|line| words(line, end.line)).collect())
                    }
                    Err(why) => {
                        let why = Difference::new(
                            Effect::Narrower,
                            format!("`{path}` cannot be read: {why}"),
                        );
                        self.book.left(end.line, text, "list", why);
                        self.book.report.unread(path);
                        Value::Unknown
                    }
                }
            }
            None => Value::Unknown,
        }
    }

    fn command(&mut self, statement: &Statement, depth: usize) {
        let text = statement.text.as_str();
        if let Some((name, value)) = assignment(text) {
            let value = self.variables.value(value, statement.line);
            self.variables.set(name, value);
            return;
        }
        if text.contains("while read") || text.contains("while IFS= read") {
            self.bind_read(text, statement.line, None);
            return;
        }
        let all: Vec<String> = words(text, statement.line)
            .into_iter()
            .map(|(word, _)| word)
            .collect();
        let Some((first, rest)) = all.split_first() else {
            return;
        };
        let program = first.rsplit('/').next().unwrap_or(first);
        match program {
            "iptables" | "iptables-legacy" | "iptables-nft" => {
                self.iptables(statement, rest, false)
            }
            "ip6tables" | "ip6tables-legacy" | "ip6tables-nft" => {
                self.iptables(statement, rest, true);
            }
            "ipset" => self.ipset(statement, rest),
            "nft" | "ufw" | "firewall-cmd" | "iptables-restore" | "ip6tables-restore" => {
                let why = "of firewall commands only `iptables` and `ipset` are read";
                self.book.left(
                    statement.line,
                    text,
                    program,
                    Difference::new(Effect::Either, why),
                );
            }
            _ => {
                if let Some(body) = self.functions.get(program).cloned()
                    && depth < CALLS_MAX
                {
                    for (number, argument) in rest.iter().enumerate() {
                        let value = self.variables.value(argument, statement.line);
                        self.variables.set(&(number + 1).to_string(), value);
                    }
                    self.run(&body, depth + 1);
                }
            }
        }
    }

    fn ipset(&mut self, statement: &Statement, rest: &[String]) {
        let mut words = rest
            .iter()
            .map(String::as_str)
            .filter(|word| !word.starts_with('-') || ["-A", "-N"].contains(word));
        let (command, name, item) = (
            words.next().unwrap_or(""),
            words.next().unwrap_or(""),
            words.next().unwrap_or(""),
        );
        if !["add", "-A"].contains(&command) {
            let why = "making, emptying and removing sets is the script's own affair";
            self.book
                .unneeded(statement.line, &statement.text, "ipset", why);
            return;
        }
        let mut set = self.sets.remove(name).unwrap_or_default();
        let value = self.variables.value(item, statement.line);
        let effect = if self.denied_sets.contains(name) {
            Effect::Either
        } else {
            Effect::Narrower
        };
        self.fill(&mut set, &value, statement, effect);
        self.sets.insert(name.to_owned(), set);
    }

    /// Adds what a word stands for to a set.
    pub(super) fn fill(
        &mut self,
        set: &mut Set,
        value: &Value,
        statement: &Statement,
        effect: Effect,
    ) {
        const RESOLVED: &str = "the script allows the addresses that the name has when it runs; here it is the name itself, and other names at these addresses are not meant";
        match value {
            Value::Unknown => {
                let why = "what it adds is known only when the script runs (it comes from the network, or from the machine): name the hosts or networks";
                self.book.left(
                    statement.line,
                    &statement.text,
                    "ipset",
                    Difference::new(effect, why),
                );
            }
            Value::AddressesOf(names) => {
                for (name, line) in names {
                    match self.book.add(&mut set.targets, Target::Exact(name.clone())) {
                        Ok(()) => {
                            let entry = self.book.carried(*line, name, "name");
                            self.book.differ(entry, effect, RESOLVED);
                            set.entries.push(entry);
                        }
                        Err(why) => {
                            self.book
                                .left(*line, name, "name", Difference::new(effect, why))
                        }
                    }
                }
            }
            Value::Words(words) => {
                for (word, line) in words {
                    match self
                        .book
                        .add(&mut set.targets, Target::Network(word.clone()))
                    {
                        Ok(()) => set.entries.push(self.book.carried(*line, word, "network")),
                        Err(_) if is_host(word) => {
                            self.fill(
                                set,
                                &Value::AddressesOf(vec![(word.clone(), *line)]),
                                statement,
                                effect,
                            );
                        }
                        Err(why) => {
                            self.book
                                .left(*line, word, "network", Difference::new(effect, why))
                        }
                    }
                }
            }
        }
    }

    fn finish(mut self, path: &str) -> Result<Import, ImportError> {
        let mut default = self.policy;
        for (number, output) in std::mem::take(&mut self.rules).into_iter().enumerate() {
            let mut formula = output.formula;
            let mut entries = output.entries;
            if let Some((negated, name)) = &output.set {
                let set = self.sets.get(name).cloned().unwrap_or_default();
                let within = set.targets.formula(name);
                entries.extend(set.entries);
                formula = Formula::all([formula, if *negated { within.negated() } else { within }]);
            }
            if formula == Formula::Always && output.action != Action::Alert {
                // What comes after it is never asked.
                default = Some(output.action);
                for entry in entries {
                    self.book.note(entry, "it is the default");
                }
                break;
            }
            let name = match output.action {
                Action::Allow => "allow",
                Action::Deny => "deny",
                Action::Alert => "log",
            };
            let name = format!("{name}-{}", number + 1);
            self.book
                .rule(Rule::new(name, output.action, formula).from(entries));
        }
        if self.policy_v6 == Some(Action::Deny) && default != Some(Action::Deny) {
            self.book
                .rule(Rule::new("deny-ipv6", Action::Deny, all_v6()));
        }
        self.book.finish(&End {
            path,
            format: "firewall-script",
            what: "is a rule of `iptables` about what may go out",
            default: default.unwrap_or(Action::Allow),
            default_by: DefaultsBy::Assumption("its chain OUTPUT denies nothing"),
        })
    }
}

/// Sets of which less would not just allow less.
fn denied_sets(all: &[Statement]) -> HashSet<String> {
    let mut found = HashSet::new();
    for statement in all {
        let words: Vec<&str> = statement.text.split_whitespace().collect();
        let Some(at) = words.iter().position(|word| *word == "--match-set") else {
            continue;
        };
        let negated = at > 0 && words.get(at - 1) == Some(&"!");
        if negated || words.contains(&"DROP") || words.contains(&"REJECT") {
            found.extend(words.get(at + 1).map(|name| (*name).to_owned()));
        }
    }
    found
}

fn is_host(word: &str) -> bool {
    word.contains('.')
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
        && word.chars().any(|c| c.is_ascii_alphabetic())
}

/// `NAME=value`, also behind `local`, `declare`, `export`, `readonly`.
fn assignment(text: &str) -> Option<(&str, &str)> {
    let mut text = text.trim_start();
    for word in [
        "local ",
        "export ",
        "readonly ",
        "declare -a ",
        "declare -r ",
        "declare ",
    ] {
        text = text.strip_prefix(word).unwrap_or(text).trim_start();
    }
    let (name, value) = text.split_once('=')?;
    let name = name.trim_end_matches('+');
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((name, value))
}

/// `name() {` or `function name {`.
fn function_name(text: &str) -> Option<&str> {
    let text = text.trim_end_matches('{').trim();
    if let Some(name) = text.strip_suffix("()") {
        return Some(name.trim_start_matches("function").trim());
    }
    text.strip_prefix("function ").map(str::trim)
}

/// Where the block that begins before `from` ends: at its `done`.
fn block_end(all: &[Statement], from: usize) -> usize {
    let mut depth = 1_usize;
    for (at, statement) in all.iter().enumerate().skip(from) {
        match statement.text.split_whitespace().next().unwrap_or("") {
            "for" | "while" | "until" => depth += 1,
            "done" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    all.len()
}

/// What `ip6tables` is about.
pub(super) fn all_v6() -> Formula {
    one(
        Field::DestinationIp,
        Question::Ip,
        "ipv6",
        &["::/0".to_owned()],
    )
}
