//! Where endpoints stand, and the rules that they become: one for each port.

use std::collections::BTreeMap;

use sallyport_ruleset::Action;

use super::super::book::{Book, End, Rule, Targets, documents, ports, source};
use super::super::draft::{DefaultAction, DefaultsBy};
use super::super::input::InputFiles;
use super::super::json::Json;
use super::super::outcome::{Import, ImportError};
use super::super::report::{Difference, Effect};
use super::endpoint;
use crate::import::json::Kind;

/// What a list of endpoints does not say.
#[derive(Clone, Debug)]
pub struct EndpointsOptions {
    /// What becomes of the endpoints; the rest gets the contrary.
    pub action: DefaultAction,
    /// The job of a workflow whose list is meant.
    pub job: Option<String>,
}

/// Imports a list.
///
/// # Errors
/// When it cannot be read, when jobs have different lists and none is chosen, or when the result does
/// not compile.
pub fn import(
    files: &dyn InputFiles,
    path: &str,
    options: &EndpointsOptions,
) -> Result<Import, ImportError> {
    let text = source(files, path)?;
    let mut walk = Walk {
        book: Book::new(path),
        action: options.action.action(),
        by_port: BTreeMap::new(),
    };
    if text
        .lines()
        .any(|line| line.trim_start().starts_with("allowed-endpoints:"))
    {
        let documents = documents(files, path)?;
        let malformed = |why: ChoiceError| ImportError::Malformed(format!("`{path}`: {why}"));
        let with = chosen(&documents, options.job.as_deref()).map_err(malformed)?;
        walk.settings(with, &text);
    } else {
        walk.plain(&text);
    }
    walk.finish(path)
}

struct Walk {
    book: Book,
    action: Action,
    /// Targets and their entries; `None`: every port.
    by_port: BTreeMap<Option<String>, (Targets, Vec<usize>)>,
}

impl Walk {
    fn plain(&mut self, text: &str) {
        for (line, number) in text.lines().zip(1..) {
            let content = line.split('#').next().unwrap_or("").trim();
            for word in content
                .split([',', ' ', '\t'])
                .filter(|word| !word.is_empty())
            {
                self.endpoint(number, word.trim_matches(['"', '\'', '-']));
            }
        }
    }

    fn endpoint(&mut self, line: usize, text: &str) {
        const KIND: &str = "endpoint";
        if text.is_empty() {
            return;
        }
        let read = endpoint::read(text).and_then(|endpoint| {
            let (targets, _) = self.by_port.entry(endpoint.port.clone()).or_default();
            self.book.add(targets, endpoint.target.clone())?;
            Ok(endpoint)
        });
        match read {
            Ok(endpoint) => {
                let entry = self.book.carried(line, text, KIND);
                if endpoint.is_port_assumed {
                    self.book.note(
                        entry,
                        "no port is given: 443 is meant, as harden-runner takes it",
                    );
                }
                if let Some((_, entries)) = self.by_port.get_mut(&endpoint.port) {
                    entries.push(entry);
                }
            }
            Err(why) => {
                let why = Difference::new(Effect::of_leaving(self.action), why);
                self.book.left(line, text, KIND, why);
            }
        }
    }

    /// The inputs of the action: what stands under `with`.
    fn settings(&mut self, with: &Json, text: &str) {
        for (name, value) in with.members() {
            let shown = format!("{name}: {}", value.shown());
            match name.as_str() {
                "allowed-endpoints" => self.endpoints(value, text),
                "egress-policy" => match value.text() {
                    Some("block") => {
                        self.book.carried(value.line, &shown, name);
                    }
                    _ => {
                        let entry = self.book.carried(value.line, &shown, name);
                        let note =
                            "it only watches what the list does not name; here that is denied";
                        self.book.differ(entry, Effect::Narrower, note);
                    }
                },
                "policy" => {
                    let note = "a policy that is kept elsewhere is not read";
                    let why = Difference::new(Effect::Narrower, note);
                    self.book.left(value.line, &shown, name, why);
                }
                _ => {
                    let note = "it is about the runner, not about what it may ask for";
                    self.book.unneeded(value.line, &shown, name, note);
                }
            }
        }
    }

    /// The words of one scalar, each with the line that it stands on.
    fn endpoints(&mut self, value: &Json, text: &str) {
        let words = value.text().unwrap_or("").split_whitespace();
        let mut lines = text
            .lines()
            .enumerate()
            .skip(value.line.saturating_sub(1))
            .peekable();
        for word in words {
            while lines.peek().is_some_and(|(_, line)| !line.contains(word)) {
                lines.next();
            }
            let line = lines.peek().map_or(value.line, |(at, _)| at + 1);
            self.endpoint(line, word);
        }
    }

    fn finish(mut self, path: &str) -> Result<Import, ImportError> {
        for (port, (targets, entries)) in std::mem::take(&mut self.by_port) {
            let name = port
                .as_ref()
                .map_or_else(|| "every-port".to_owned(), |port| format!("port-{port}"));
            let port: Vec<String> = port.into_iter().collect();
            let formula =
                super::super::condition::Formula::all([ports(&port), targets.formula(&name)]);
            self.book
                .rule(Rule::new(name, self.action, formula).from(entries));
        }
        let deny = self.action == Action::Deny;
        self.book.finish(&End {
            path,
            format: "endpoints",
            what: "is an endpoint such as `example.com:443`",
            default: if deny { Action::Allow } else { Action::Deny },
            default_by: DefaultsBy::Assumption("there is no endpoint on the list that is denied"),
        })
    }
}

/// Why no list of a workflow is the one that is meant. The names of jobs stand between backquotes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum ChoiceError {
    /// The one that was asked for.
    #[error("there is no job `{job}` with a list; there are `{known}`")]
    NoJob {
        /// Its name.
        job: String,
        /// Those with a list.
        known: String,
    },
    /// In the whole file.
    #[error("there are no `allowed-endpoints` in it")]
    NoList,
    /// None was asked for.
    #[error("its jobs have different lists: `--job` says which is meant, one of `{0}`")]
    Differ(String),
}

/// What stands under `with` of the step that counts.
fn chosen<'j>(documents: &'j [Json], job: Option<&str>) -> Result<&'j Json, ChoiceError> {
    let mut found: Vec<(String, &Json)> = Vec::new();
    for document in documents {
        let jobs = document.get("jobs").map_or(&[][..], Json::members);
        if jobs.is_empty() {
            push_holders(document, "", &mut found);
        }
        for (name, job) in jobs {
            push_holders(job, name, &mut found);
        }
    }
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    if let Some(job) = job {
        let with = found.iter().find(|(name, _)| name == job);
        return with
            .map(|(_, with)| *with)
            .ok_or_else(|| ChoiceError::NoJob {
                job: job.to_owned(),
                known: names.join("`, `"),
            });
    }
    let words = |with: &Json| {
        let text = with
            .get("allowed-endpoints")
            .and_then(Json::text)
            .unwrap_or("");
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        words.sort();
        words
    };
    let (_, first) = found.first().ok_or(ChoiceError::NoList)?;
    if found.iter().any(|(_, with)| words(with) != words(first)) {
        return Err(ChoiceError::Differ(names.join("`, `")));
    }
    Ok(first)
}

fn push_holders<'j>(json: &'j Json, job: &str, found: &mut Vec<(String, &'j Json)>) {
    let mut holders = Vec::new();
    json.holders("allowed-endpoints", &mut holders);
    let with = holders
        .into_iter()
        .filter(|holder| matches!(holder.kind, Kind::Object(_)));
    found.extend(with.map(|with| (job.to_owned(), with)));
}
