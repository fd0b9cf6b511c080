//! URL lists of Google's Secure Web Proxy, as `gcloud network-security url-lists export` gives them,
//! or plain, an entry a line.
//!
//! `*.example.com` is every name under it, `*example.com` also the name itself, and a path after the
//! host is asked of URLs, its end with `*` as a prefix.

use sallyport_ruleset::{Action, Field};

use super::book::{Book, End, Rule, Target, Targets, one, source};
use super::condition::{Formula, ValueError};
use super::documents;
use super::draft::{DefaultAction, DefaultsBy};
use super::input::InputFiles;
use super::outcome::{Import, ImportError};
use super::report::{Difference, Effect};
use crate::operator::Question;

/// Imports lists; what becomes of their entries is `action`, and the rest gets the contrary.
///
/// # Errors
/// When they cannot be read, or the result does not compile.
pub fn import(
    files: &dyn InputFiles,
    path: &str,
    action: DefaultAction,
) -> Result<Import, ImportError> {
    let text = source(files, path)?;
    let mut walk = Walk {
        book: Book::new(path),
        action: action.action(),
        targets: Targets::default(),
        entries: Vec::new(),
        paths: Vec::new(),
    };
    if is_plain(&text) {
        for (line, number) in text.lines().zip(1..) {
            let item = line.split('#').next().unwrap_or("").trim();
            if !item.is_empty() {
                walk.item(number, item);
            }
        }
    } else {
        let documents = documents::documents(&text).map_err(|error| ImportError::Document {
            path: path.to_owned(),
            error,
        })?;
        for document in &documents {
            let mut holders = Vec::new();
            document.holders("values", &mut holders);
            for value in holders.iter().filter_map(|holder| holder.get("values")) {
                for item in value.elements() {
                    walk.item(item.line, item.word().unwrap_or(""));
                }
            }
        }
    }
    walk.finish(path)
}

/// Whether every line is an entry.
fn is_plain(text: &str) -> bool {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.all(|line| {
        !line.contains(": ") && !line.ends_with(':') && !line.starts_with(['-', '{', '[', '"'])
    })
}

/// Why an entry is not carried over. As text it is a phrase for the report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Unsupported {
    /// A single label.
    #[error("a host has a dot in it")]
    NoDot,
    /// Elsewhere in a host.
    #[error("a `*` stands only at the start of a host")]
    WildcardInHost,
    /// Elsewhere in a path.
    #[error("a `*` stands only at the end of a path")]
    WildcardInPath,
    /// In a path.
    #[error("a `?` in a path stands for itself there, and for any character here")]
    QuestionMark,
    /// A value that the compiler would refuse.
    #[error(transparent)]
    Value(#[from] ValueError),
}

struct Walk {
    book: Book,
    action: Action,
    /// Entries without a path.
    targets: Targets,
    entries: Vec<usize>,
    /// Entries with one, a rule each.
    paths: Vec<(Formula, usize)>,
}

impl Walk {
    fn item(&mut self, line: usize, text: &str) {
        let (host, path) = text
            .split_once('/')
            .map_or((text, None), |(host, path)| (host, Some(path)));
        let done = match path {
            None | Some("*") => self.host(host).map(|target| {
                let added = self.book.add(&mut self.targets, target);
                added.map(|()| None).map_err(Unsupported::from)
            }),
            Some(path) => self
                .host(host)
                .map(|target| self.with_path(target, path).map(Some)),
        };
        match done.and_then(|done| done) {
            Ok(None) => self.entries.push(self.book.carried(line, text, "value")),
            Ok(Some(formula)) => {
                let entry = self.book.carried(line, text, "value");
                if self.action == Action::Allow {
                    self.book.note(entry, "a CONNECT to the host is not allowed by it alone: paths are seen where TLS is decrypted");
                }
                self.paths.push((formula, entry));
            }
            Err(why) => {
                let why = Difference::new(Effect::of_leaving(self.action), why);
                self.book.left(line, text, "value", why);
            }
        }
    }

    fn host(&self, host: &str) -> Result<Target, Unsupported> {
        if !host.contains('.') {
            return Err(Unsupported::NoDot);
        }
        match host.strip_prefix('*') {
            Some(rest) if rest.contains('*') => Err(Unsupported::WildcardInHost),
            Some(rest) if rest.starts_with('.') => Ok(Target::Like(host.to_owned())),
            Some(rest) => Ok(Target::Tree(rest.to_owned())),
            None if host.contains('*') => Err(Unsupported::WildcardInHost),
            None if host.parse::<std::net::IpAddr>().is_ok() => {
                Ok(Target::Literal(host.to_owned()))
            }
            None => Ok(Target::Exact(host.to_owned())),
        }
    }

    fn with_path(&mut self, target: Target, path: &str) -> Result<Formula, Unsupported> {
        let mut targets = Targets::default();
        self.book.add(&mut targets, target)?;
        let path = format!("/{path}");
        let (question, value) = match path.strip_suffix('*') {
            Some(prefix) if prefix.contains('*') => return Err(Unsupported::WildcardInPath),
            Some(_) => (Question::Like, path.clone()),
            None if path.contains('*') => return Err(Unsupported::WildcardInPath),
            None => (Question::Equals, path.clone()),
        };
        if value.contains('?') {
            return Err(Unsupported::QuestionMark);
        }
        self.book.check(&Field::HttpUri, question, &value)?;
        let uri = one(Field::HttpUri, question, "paths", &[value]);
        let mut parts = vec![targets.formula("host"), uri];
        if question == Question::Equals && self.action == Action::Allow {
            // The field is the path with its query, and also without it: a whole path has none.
            parts.push(
                one(
                    Field::HttpUri,
                    Question::Matches,
                    "query",
                    &[r"\?".to_owned()],
                )
                .negated(),
            );
        }
        Ok(Formula::all(parts))
    }

    fn finish(mut self, path: &str) -> Result<Import, ImportError> {
        let listed = self.targets.formula("hosts");
        let rule = Rule::new("listed", self.action, listed);
        self.book.rule(rule.from(self.entries));
        for (formula, entry) in self.paths {
            self.book
                .rule(Rule::new("listed-path", self.action, formula).from([entry]));
        }
        let deny = self.action == Action::Deny;
        self.book.finish(&End {
            path,
            format: "google-swp",
            what: "is an entry of a URL list",
            default: if deny { Action::Allow } else { Action::Deny },
            default_by: DefaultsBy::Assumption("there is no entry on the list that is denied"),
        })
    }
}
