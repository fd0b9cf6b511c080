//! The configuration: clients, the ports of CONNECT, and the filter.

use sallyport_ruleset::{Action, Field, Protocol};

use super::super::book::{Book, End, Rule, one, port, ports, protocols, source};
use super::super::condition::{Condition, Formula};
use super::super::draft::{DefaultAction, DefaultsBy};
use super::super::input::InputFiles;
use super::super::outcome::{Import, ImportError};
use super::super::report::{Difference, Effect};
use super::filter::{self, Filter, Kind};
use crate::operator::Question;

/// What a filter alone does not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct TinyproxyOptions {
    /// Of a filter alone: what becomes of what it names. Of a configuration `FilterDefaultDeny` says it.
    pub action: Option<DefaultAction>,
}

/// Imports a configuration with its filter, or a filter.
///
/// # Errors
/// When it cannot be read, when a filter alone comes without an action, or when the result does not
/// compile.
pub fn import(
    files: &dyn InputFiles,
    path: &str,
    options: TinyproxyOptions,
) -> Result<Import, ImportError> {
    let text = source(files, path)?;
    let mut walk = Walk {
        book: Book::new(path),
        settings: Settings::default(),
    };
    if is_configuration(&text) {
        for (line, number) in text.lines().zip(1..) {
            walk.line(number, line);
        }
        walk.configuration(files, path)
    } else {
        let action = options.action.ok_or_else(|| {
            ImportError::Malformed(format!(
                "`{path}` is a filter alone: `--action deny` or `--action allow` says what becomes of what it names (`FilterDefaultDeny` of the configuration)"
            ))
        })?;
        let filter = Filter {
            kind: Kind::Basic,
            urls: false,
            case_sensitive: false,
            action: action.action(),
        };
        walk.filter(&text, filter);
        walk.finish(path, filter.action)
    }
}

/// A configuration has at least one line with one of its words.
pub(crate) fn is_configuration(text: &str) -> bool {
    const WORDS: [&str; 9] = [
        "port",
        "listen",
        "filter",
        "filterdefaultdeny",
        "connectport",
        "maxclients",
        "allow",
        "logfile",
        "timeout",
    ];
    let mut lines = text.lines().map(words);
    lines.any(|words| matches!(words.as_slice(), [word, _, ..] if WORDS.contains(&word.to_ascii_lowercase().as_str())))
}

/// The words of a line; quotes keep one together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('"').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
            continue;
        }
        let plain = part.split('#').next().unwrap_or("");
        words.extend(plain.split_whitespace().map(str::to_owned));
        if plain.len() < part.len() {
            break;
        }
    }
    words
}

#[derive(Default)]
struct Settings {
    filter: Option<(String, usize)>,
    kind: Option<Kind>,
    urls: bool,
    case_sensitive: bool,
    default_deny: bool,
    /// Of CONNECT, and their entries. `None` in place of a port: it is refused.
    connect_ports: Vec<(Option<String>, usize)>,
    /// Clients in order: allowed or not.
    clients: Vec<(Action, String, usize)>,
}

struct Walk {
    book: Book,
    settings: Settings,
}

impl Walk {
    fn line(&mut self, number: usize, line: &str) {
        let words = words(line);
        let [word, rest @ ..] = words.as_slice() else {
            return;
        };
        let value = rest.first().map_or("", String::as_str);
        let is_on = ["on", "yes", "true", "1"].contains(&value.to_ascii_lowercase().as_str());
        let key = word.to_ascii_lowercase();
        match key.as_str() {
            "allow" | "deny" => {
                let action = if key == "allow" {
                    Action::Allow
                } else {
                    Action::Deny
                };
                self.client(number, line, action, value);
            }
            "connectport" => {
                let entry = self.book.carried(number, line, "ConnectPort");
                self.settings.connect_ports.push((port(value), entry));
            }
            "filter" => {
                let entry = self.book.carried(number, line, "Filter");
                self.settings.filter = Some((value.to_owned(), entry));
            }
            "filterurls" => self.setting(number, line, |settings| settings.urls = is_on),
            "filterextended" => {
                self.setting(number, line, |settings| {
                    settings.kind = is_on.then_some(Kind::Extended)
                });
            }
            "filtertype" => {
                let kind = match value.to_ascii_lowercase().as_str() {
                    "ere" => Some(Kind::Extended),
                    "fnmatch" => Some(Kind::Wildcard),
                    _ => None,
                };
                self.setting(number, line, |settings| settings.kind = kind);
            }
            "filtercasesensitive" => {
                self.setting(number, line, |settings| settings.case_sensitive = is_on)
            }
            "filterdefaultdeny" => {
                self.setting(number, line, |settings| settings.default_deny = is_on)
            }
            "basicauth" => {
                let why = "how clients prove who they are is configuration, `listener.auth`: without it everybody passes";
                self.book.left(
                    number,
                    word,
                    "BasicAuth",
                    Difference::new(Effect::Wider, why),
                );
            }
            _ => {
                let why = "how the proxy listens, forwards and logs is configuration, not rules";
                self.book
                    .left(number, line, word, Difference::new(Effect::Neither, why));
            }
        }
    }

    fn setting(&mut self, number: usize, line: &str, set: impl FnOnce(&mut Settings)) {
        self.book.carried(number, line, "filter setting");
        set(&mut self.settings);
    }

    fn client(&mut self, number: usize, line: &str, action: Action, value: &str) {
        let kind = if action == Action::Allow {
            "Allow"
        } else {
            "Deny"
        };
        match self.book.check(&Field::SourceIp, Question::Ip, value) {
            Ok(()) => {
                let entry = self.book.carried(number, line, kind);
                self.settings
                    .clients
                    .push((action, value.to_owned(), entry));
            }
            Err(_) => {
                let why = "names of clients are not looked up: give their networks";
                self.book.left(
                    number,
                    line,
                    kind,
                    Difference::new(Effect::of_leaving(action), why),
                );
                // There is a list of clients all the same: who is not on it is refused.
                self.settings.clients.push((action, String::new(), 0));
            }
        }
    }

    fn configuration(mut self, files: &dyn InputFiles, path: &str) -> Result<Import, ImportError> {
        self.client_rules();
        self.connect_rules();
        let action = if self.settings.default_deny {
            Action::Allow
        } else {
            Action::Deny
        };
        if let Some((name, entry)) = self.settings.filter.take() {
            match files.text(&name) {
                Ok(text) => {
                    let before = self.book.enter(&name);
                    let filter = Filter {
                        kind: self.settings.kind.unwrap_or(Kind::Basic),
                        urls: self.settings.urls,
                        case_sensitive: self.settings.case_sensitive,
                        action,
                    };
                    self.filter(&text, filter);
                    self.book.enter(&before);
                }
                Err(why) => {
                    let note = format!(
                        "`{name}` cannot be read: {why}; `--root` says where absolute paths are"
                    );
                    self.book.lost(entry, Effect::of_leaving(action), note);
                    self.book.report.unread(&name);
                }
            }
        } else if self.settings.default_deny {
            self.book
                .report
                .remark("`FilterDefaultDeny` without `Filter` does nothing in Tinyproxy");
            return self.finish(path, Action::Deny);
        }
        self.finish(path, action)
    }

    /// Clients: the first line that names one decides, and who is not named is refused.
    fn client_rules(&mut self) {
        if self.settings.clients.is_empty() {
            return;
        }
        let clients = std::mem::take(&mut self.settings.clients);
        // A rule that allows a client must not end the phase: what it may ask for comes after. So
        // the refused ones are written out: those that no line before allows.
        let mut allowed = Formula::Never;
        for (action, network, entry) in &clients {
            if network.is_empty() {
                continue;
            }
            let here = one(
                Field::SourceIp,
                Question::Ip,
                "clients",
                std::slice::from_ref(network),
            );
            match action {
                Action::Allow => allowed = Formula::any([allowed, here]),
                _ => {
                    let formula = Formula::all([here, allowed.clone().negated()]);
                    self.book
                        .rule(Rule::new("client-denied", Action::Deny, formula).from([*entry]));
                }
            }
        }
        let entries = clients
            .iter()
            .filter(|(action, network, _)| *action == Action::Allow && !network.is_empty());
        let entries: Vec<usize> = entries.map(|(_, _, entry)| *entry).collect();
        let rule = Rule::new("client-not-allowed", Action::Deny, allowed.negated());
        self.book.rule(rule.from(entries));
    }

    /// With `ConnectPort` CONNECT may name these ports only.
    fn connect_rules(&mut self) {
        let given = std::mem::take(&mut self.settings.connect_ports);
        if given.is_empty() {
            return;
        }
        let numbers: Vec<String> = given.iter().filter_map(|(port, _)| port.clone()).collect();
        let connect = protocols(&[Protocol::Connect]);
        let others = if numbers.is_empty() {
            Formula::Always
        } else {
            ports(&numbers).negated()
        };
        let rule = Rule::new(
            "connect-port",
            Action::Deny,
            Formula::all([connect, others]),
        );
        self.book
            .rule(rule.from(given.iter().map(|(_, entry)| *entry)));
    }

    fn filter(&mut self, text: &str, filter: Filter) {
        let filtered = filter::read(&mut self.book, text, filter);
        if !filtered.about_addresses.is_empty() && filter.action == Action::Deny {
            let no_name: Formula = Condition::null(Field::DestinationDomain, true).into();
            let rule = Rule::new("filtered-addresses", Action::Deny, no_name);
            self.book
                .rule(rule.from(filtered.about_addresses.iter().copied()));
        }
        let rule = Rule::new("filtered", filter.action, filtered.formula());
        self.book.rule(rule.from(filtered.entries));
    }

    fn finish(self, path: &str, filtered: Action) -> Result<Import, ImportError> {
        self.book.finish(&End {
            path,
            format: "tinyproxy",
            what: "is a line of Tinyproxy's configuration or filter that says what may be requested",
            default: if filtered == Action::Allow { Action::Deny } else { Action::Allow },
            default_by: DefaultsBy::Assumption("nothing in it is refused"),
        })
    }
}
