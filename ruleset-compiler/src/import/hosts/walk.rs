//! The walk over a list, and the rules that its names become: what is important first, then the
//! exceptions, then the rest.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use sallyport_ruleset::{Field, Phase, Protocol};

use super::super::condition::{Checker, Condition, Formula, ValueError, Values, operator};
use super::super::draft::{ALLOW_BY_DEFAULT, DefaultsBy, Draft, DraftGroup, DraftRule, Names};
use super::super::input::InputFiles;
use super::super::outcome::{Import, ImportError, Origin};
use super::super::report::{Difference, Effect, Entry, Fate, Matching, Place, Report};
use super::adblock::{self, Filter, Scope, Target};
use super::name::Name;
use super::options::{Action, Format, HostsOptions};
use super::plain;
use crate::operator::Question;

/// What a filter does: `@@` begins an exception.
fn of_filter(line: &str) -> sallyport_ruleset::Action {
    if line.trim_start().starts_with("@@") {
        sallyport_ruleset::Action::Allow
    } else {
        sallyport_ruleset::Action::Deny
    }
}

/// Imports a list.
///
/// # Errors
/// When it cannot be read, or its result does not compile.
pub fn import(
    files: &dyn InputFiles,
    path: &str,
    options: &HostsOptions,
) -> Result<Import, ImportError> {
    let text = files.text(path).map_err(|why| ImportError::Unreadable {
        path: path.to_owned(),
        why,
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let format = options.format.unwrap_or_else(|| guess(text));
    if format == Format::Adblock && options.action == Action::Allow {
        let why = "the filters of an ad blocker deny; `--action allow` is for lists of names";
        return Err(ImportError::Malformed(why.to_owned()));
    }
    let mut walk = Walk {
        file: path.into(),
        report: Report::default(),
        checker: Checker::default(),
        lists: BTreeMap::new(),
    };
    match format {
        Format::Adblock => walk.filters(text),
        Format::Hosts | Format::Plain => walk.names(text, format, options),
    }
    let draft = walk.draft(path, options.action);
    let what = "is a name or a filter over a host";
    Import::new(draft, walk.report, Origin { path, what })
}

/// Told from the first lines that say something.
fn guess(text: &str) -> Format {
    const LOOKED_AT_MAX: usize = 1_000;
    let mut format = Format::Plain;
    for line in text.lines().take(LOOKED_AT_MAX) {
        let line = line.trim();
        if line.starts_with('!')
            || line.starts_with("||")
            || line.starts_with("@@")
            || line.starts_with("[Adblock")
            || line.contains("##") && !line.starts_with('#')
        {
            return Format::Adblock;
        }
        let read = plain::content(line).map(plain::read);
        if matches!(
            read,
            Some(plain::Line::Hosts(_) | plain::Line::Local | plain::Line::Mapping(_))
        ) {
            format = Format::Hosts;
        }
    }
    format
}

/// Which rule a name belongs to; the order of the variants is that of the rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Important(Scope),
    Exception,
    Listed(Scope),
}

/// The names of one rule.
#[derive(Debug, Default)]
struct List {
    exact: Vec<String>,
    trees: Vec<String>,
    patterns: Vec<String>,
    addresses: Vec<String>,
}

struct Walk {
    file: Rc<str>,
    report: Report,
    checker: Checker,
    lists: BTreeMap<Part, List>,
}

impl Walk {
    fn push(&mut self, number: usize, line: &str, kind: &str, fate: Fate, notes: &[&str]) {
        let place = Place {
            file: Rc::clone(&self.file),
            line: number,
        };
        let mut entry = Entry::new(place, line, kind, fate);
        entry
            .notes
            .extend(notes.iter().map(|note| (*note).to_owned()));
        self.report.push(entry);
    }

    fn names(&mut self, text: &str, format: Format, options: &HostsOptions) {
        let part = Part::Listed(Scope::All);
        let left = Effect::of_leaving(options.action.ours());
        for (line, number) in text.lines().zip(1..) {
            let Some(content) = plain::content(line) else {
                continue;
            };
            match plain::read(content) {
                plain::Line::Local => {
                    let note = ["these names mean the machine itself"];
                    self.push(number, content, "hosts line", Fate::Unneeded, &note);
                }
                plain::Line::Mapping(_) => {
                    let note = ["it gives a name an address: that is configuration, `[hosts]`"];
                    self.push(
                        number,
                        content,
                        "hosts line",
                        Fate::Left(Effect::Neither),
                        &note,
                    );
                }
                plain::Line::Hosts(names) => {
                    for name in names {
                        self.name(
                            number,
                            name,
                            "hosts line",
                            left,
                            (part.clone(), Name::Exact(name.to_owned())),
                        );
                    }
                }
                plain::Line::Plain(text) => {
                    let exact = options.exact || format == Format::Hosts;
                    let name = (part.clone(), plain::name(text, exact));
                    self.name(number, text, "name", left, name);
                }
            }
        }
    }

    fn name(&mut self, number: usize, text: &str, kind: &str, left: Effect, name: (Part, Name)) {
        match self.add(name.0, &name.1) {
            Ok(()) => self.push(number, text, kind, Fate::Carried, &[]),
            Err(why) => {
                let note = why.to_string();
                self.push(number, text, kind, Fate::Left(left), &[&note]);
            }
        }
    }

    /// Takes a name up if the compiler will.
    fn add(&mut self, part: Part, name: &Name) -> Result<(), ValueError> {
        let (question, text) = match name {
            Name::Exact(text) => (Question::Equals, text),
            Name::Tree(text) => (Question::Domain, text),
            Name::Pattern(text) => (Question::Like, text),
        };
        self.checker
            .check(&Field::DestinationDomain, question, text)?;
        let list = self.lists.entry(part).or_default();
        match name {
            Name::Exact(text) => list.exact.push(text.clone()),
            Name::Tree(text) => list.trees.push(text.clone()),
            Name::Pattern(text) => list.patterns.push(text.clone()),
        }
        Ok(())
    }

    fn filters(&mut self, text: &str) {
        let canceled = canceled(text);
        let mut open_conditions = 0_usize;
        for (line, number) in text.lines().zip(1..) {
            match adblock::read(line) {
                adblock::Line::Nothing => {}
                adblock::Line::Condition(begins) => {
                    open_conditions = if begins {
                        open_conditions + 1
                    } else {
                        open_conditions.saturating_sub(1)
                    };
                    self.push(
                        number,
                        line,
                        "condition",
                        Fate::Left(Effect::Neither),
                        &["it asks which program reads the list"],
                    );
                }
                _ if open_conditions > 0 => {
                    self.push(
                        number,
                        line,
                        "conditional filter",
                        Fate::Left(Matching::Fewer.under(of_filter(line))),
                        &["it is for certain programs only"],
                    );
                }
                adblock::Line::Cancels(_) => {
                    self.push(
                        number,
                        line,
                        "filter that cancels another",
                        Fate::Carried,
                        &[],
                    );
                }
                adblock::Line::Left(kind, why, left) => {
                    self.left_filter(number, line, left, (kind, why));
                }
                adblock::Line::Filter(filter) => match canceled.get(&adblock::canonical(line)) {
                    Some(by) => {
                        let note = format!("line {by} cancels it");
                        self.push(number, line, "host filter", Fate::Unneeded, &[&note]);
                    }
                    None => self.filter(number, line, &filter),
                },
            }
        }
        self.report.remark(
            "a filter without options blocks what pages load, not the pages themselves; here the whole host is denied",
        );
    }

    fn left_filter(
        &mut self,
        number: usize,
        line: &str,
        left: adblock::Left,
        (kind, why): (&str, &str),
    ) {
        let effect = match left {
            adblock::Left::Requests => Effect::of_leaving(of_filter(line)),
            adblock::Left::Pages => Effect::Neither,
        };
        self.push(number, line, kind, Fate::Left(effect), &[why]);
    }

    fn filter(&mut self, number: usize, line: &str, filter: &Filter) {
        let part = match (filter.exception, filter.important) {
            (true, _) => Part::Exception,
            (false, true) => Part::Important(filter.scope.clone()),
            (false, false) => Part::Listed(filter.scope.clone()),
        };
        let kind = if filter.exception {
            "host exception"
        } else {
            "host filter"
        };
        let added = match &filter.name {
            Target::Address(address) => {
                self.lists
                    .entry(part)
                    .or_default()
                    .addresses
                    .push(address.to_string());
                Ok(())
            }
            Target::Name(Name::Pattern(pattern)) => {
                let below = Name::Pattern(format!("*.{pattern}"));
                self.add(part.clone(), &Name::Pattern(pattern.clone()))
                    .and_then(|()| {
                        if pattern.starts_with('*') {
                            Ok(())
                        } else {
                            self.add(part, &below)
                        }
                    })
            }
            Target::Name(name) => self.add(part, name),
        };
        let action = of_filter(line);
        match added {
            Ok(()) => self.push(number, line, kind, Fate::Carried, &[]),
            Err(why) => {
                let left = Fate::Left(Effect::of_leaving(action));
                return self.push(number, line, kind, left, &[&why.to_string()]);
            }
        }
        if let Some(entry) = self.report.entries.last_mut() {
            for (matching, note) in &filter.differences {
                entry.differ(Difference::new(matching.under(action), *note));
            }
        }
    }

    fn draft(&mut self, path: &str, action: Action) -> Draft {
        let mut draft = Draft::new(
            ALLOW_BY_DEFAULT,
            DefaultsBy::Assumption("there is no name on the list that is denied"),
        );
        draft.about = vec![
            format!("Imported from {path} by `sallyport-rules import hosts`."),
            "import-report.txt says line by line what became of it.".to_owned(),
        ];
        let decided = action.ours();
        if action == Action::Allow {
            draft.defaults.pre_dns = sallyport_ruleset::Action::Deny;
        }
        let mut group = DraftGroup::new("names");
        let mut names = Names::default();
        let late = self.lists.keys().any(|part| {
            matches!(part, Part::Important(scope) | Part::Listed(scope) if *scope != Scope::All)
        });
        for (part, list) in &self.lists {
            let (action, name, scope) = match part {
                Part::Important(scope) => (decided, "important", scope),
                Part::Exception => (sallyport_ruleset::Action::Allow, "exceptions", &Scope::All),
                Part::Listed(scope) => (decided, "listed", scope),
            };
            let mut rules = Rules {
                group: &mut group,
                names: &mut names,
                action,
                name,
                path,
            };
            let hosts = by_name(list, name);
            if *scope == Scope::All {
                rules.push(Phase::PreDns, &hosts);
            }
            // What some rules of PreREQUEST are about must hold there too.
            if *scope != Scope::All || (late && *part == Part::Exception) {
                rules.push(
                    Phase::PreRequest,
                    &Formula::all([scope_formula(scope), hosts]),
                );
            }
            rules.push(
                Phase::PreRequest,
                &Formula::all([scope_formula(scope), by_address(list, name)]),
            );
        }
        draft.groups.push(group);
        draft
    }
}

/// Filters that `$badfilter` takes back, and the line that does.
fn canceled(text: &str) -> HashMap<String, usize> {
    let lines = text.lines().zip(1..);
    let canceled = lines.filter_map(|(line, number)| match adblock::read(line) {
        adblock::Line::Cancels(what) => Some((what, number)),
        _ => None,
    });
    canceled.collect()
}

struct Rules<'a> {
    group: &'a mut DraftGroup,
    names: &'a mut Names,
    action: sallyport_ruleset::Action,
    name: &'a str,
    path: &'a str,
}

impl Rules<'_> {
    fn push(&mut self, phase: Phase, formula: &Formula) {
        // Three kinds of names at most: far below the bound.
        for conditions in formula.alternatives().unwrap_or_default() {
            let rule = DraftRule {
                name: self.names.unique(self.name),
                description: String::new(),
                action: self.action,
                conditions,
                origin: vec![self.path.to_owned()],
            };
            self.group.push(phase, rule);
        }
    }
}

fn by_name(list: &List, name: &str) -> Formula {
    let field = Field::DestinationDomain;
    Formula::any([
        condition(field.clone(), Question::Domain, name, &list.trees),
        condition(
            field.clone(),
            Question::Equals,
            &format!("{name}-exact"),
            &list.exact,
        ),
        condition(
            field,
            Question::Like,
            &format!("{name}-patterns"),
            &list.patterns,
        ),
    ])
}

/// Hosts without a name: the request is for the address itself.
fn by_address(list: &List, name: &str) -> Formula {
    let addresses = condition(
        Field::DestinationIp,
        Question::Ip,
        &format!("{name}-addresses"),
        &list.addresses,
    );
    Formula::all([
        Condition::null(Field::DestinationDomain, true).into(),
        addresses,
    ])
}

fn scope_formula(scope: &Scope) -> Formula {
    match scope {
        Scope::All => Formula::Always,
        Scope::WebSocket => {
            let words = [Protocol::Ws, Protocol::Wss].map(|word| word.name().to_owned());
            condition(Field::Protocol, Question::Equals, "protocols", &words)
        }
        Scope::Methods(methods) => {
            condition(Field::HttpMethod, Question::Equals, "methods", methods)
        }
    }
}

fn condition(field: Field, question: Question, name: &str, items: &[String]) -> Formula {
    if items.is_empty() {
        return Formula::Never;
    }
    let values = Values {
        name: name.to_owned(),
        origin: String::new(),
        items: once_each(items),
    };
    Condition::new(field, operator(question, false), values).into()
}

/// Without repetitions: lists have many.
fn once_each(items: &[String]) -> Vec<String> {
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    items
        .iter()
        .filter(|item| seen.insert(*item))
        .cloned()
        .collect()
}
