//! The ACLs of a configuration by their names, and what they mean once somebody has asked: also
//! those that refer to others, and where asking one makes Squid ask for credentials.

use std::collections::HashMap;

use sallyport_ruleset::{Action, Field};

use super::super::condition::{Condition, Formula};
use super::super::report::{Difference, Effect, Fate, Matching, Place, Report};
use super::acl::{Acl, Meaning, Translator, View};
use super::unsupported::Unsupported;

/// ACLs that refer to ACLs, at most so deep.
const NESTING_MAX: usize = 32;

/// ACLs by name, in lower case: Squid takes names without regard to case.
#[derive(Debug)]
pub(super) struct Acls {
    pub(super) by_name: HashMap<String, Acl>,
    /// In source order.
    pub(super) names: Vec<String>,
    pub(super) translator: Translator,
    /// Helpers that are told the user's name, which must then be known.
    pub(super) helpers_with_login: Vec<String>,
    /// Those that settings are about.
    pub(super) in_settings: Vec<String>,
    meanings: HashMap<(String, View), Meaning>,
    /// Rules that use an ACL.
    used_by: HashMap<String, Vec<String>>,
}

/// `!name` or `name`, the name in lower case.
pub(super) fn acl_reference(word: &str) -> (bool, String) {
    let (negated, name) = word
        .strip_prefix('!')
        .map_or((false, word), |name| (true, name));
    (negated, name.to_ascii_lowercase())
}

impl Acls {
    pub(super) fn new(translator: Translator) -> Self {
        Self {
            by_name: HashMap::new(),
            names: Vec::new(),
            translator,
            helpers_with_login: Vec::new(),
            in_settings: Vec::new(),
            meanings: HashMap::new(),
            used_by: HashMap::new(),
        }
    }

    /// What an ACL asks.
    ///
    /// # Errors
    /// Why it cannot be carried over.
    pub(super) fn formula(&mut self, name: &str, view: View) -> Result<Formula, Unsupported> {
        self.nested(name, view, 0)
    }

    fn nested(&mut self, name: &str, view: View, depth: usize) -> Result<Formula, Unsupported> {
        let key = (name.to_owned(), view);
        if let Some(known) = self.meanings.get(&key) {
            return known.formula.clone();
        }
        if depth > NESTING_MAX {
            return Err(Unsupported::Nesting(NESTING_MAX));
        }
        let Some(acl) = self.by_name.get(name) else {
            return Err(Unsupported::NoAcl(name.to_owned()));
        };
        let meaning = match group_of(acl) {
            Some((is_any, lines)) => self.combined(&lines, is_any, view, depth),
            None => self.translator.meaning(acl, view),
        };
        let formula = meaning.formula.clone();
        self.meanings.insert(key, meaning);
        formula
    }

    /// The meaning of an ACL that refers to others, with what is different about them.
    fn combined(
        &mut self,
        lines: &[Vec<String>],
        is_any: bool,
        view: View,
        depth: usize,
    ) -> Meaning {
        let mut alternatives = Vec::new();
        let mut differences = Vec::new();
        for line in lines {
            let mut parts = Vec::new();
            for word in line {
                let (negated, name) = acl_reference(word);
                match self.nested(&name, view, depth + 1) {
                    Ok(formula) if negated => parts.push(formula.negated()),
                    Ok(formula) => parts.push(formula),
                    Err(why) => return Meaning::unknown(why.within(&name)),
                }
                let matching = self.matching(&name, view);
                let matching = if negated {
                    matching.negated()
                } else {
                    matching
                };
                if matching != Matching::Same {
                    differences.push((matching, format!("`{name}` is different")));
                }
            }
            alternatives.push(if is_any {
                Formula::any(parts)
            } else {
                Formula::all(parts)
            });
        }
        Meaning {
            formula: Ok(Formula::any(alternatives)),
            differences,
            left: Vec::new(),
        }
    }

    /// How the matching of an ACL whose meaning was asked for differs from Squid's.
    pub(super) fn matching(&self, name: &str, view: View) -> Matching {
        let known = self.meanings.get(&(name.to_owned(), view));
        known.map_or(Matching::Same, Meaning::matching)
    }

    /// What a line decides differently because its ACLs do.
    pub(super) fn effect(&self, acls: &[(bool, String)], action: Action, views: &[View]) -> Effect {
        let mut effect = Effect::Neither;
        for (negated, name) in acls {
            for view in views {
                let matching = self.matching(name, *view);
                let matching = if *negated {
                    matching.negated()
                } else {
                    matching
                };
                effect = effect.and(matching.under(action));
            }
        }
        effect
    }

    /// What is different about those of these ACLs that no line of the report is about: Squid says them itself.
    pub(super) fn differences_of_predefined(
        &self,
        acls: &[(bool, String)],
        views: &[View],
    ) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for (_, name) in acls {
            let has_entry = |acl: &Acl| acl.lines.iter().any(|line| line.entry.is_some());
            if self.by_name.get(name).is_none_or(has_entry) {
                continue;
            }
            let meanings = views
                .iter()
                .filter_map(|view| self.meanings.get(&(name.clone(), *view)));
            let differences = meanings.flat_map(|meaning| &meaning.differences);
            for (matching, note) in differences {
                let note = format!("`{name}`: {note}");
                if *matching != Matching::Same && !found.contains(&note) {
                    found.push(note);
                }
            }
        }
        found
    }

    /// Where Squid asks for credentials while it asks these ACLs one after the other: an ACL over users
    /// is asked, and there is no user. What cannot be told counts as asked.
    pub(super) fn challenge(&mut self, acls: &[(bool, String)], view: View) -> Formula {
        self.challenge_of(acls, view, 0)
    }

    fn challenge_of(&mut self, acls: &[(bool, String)], view: View, depth: usize) -> Formula {
        let mut before = Formula::Always;
        let mut found = Vec::new();
        for (negated, name) in acls {
            let here = self.challenge_in(name, view, depth);
            if here != Formula::Never {
                found.push(Formula::all([before.clone(), here]));
            }
            let asked = self.formula(name, view).unwrap_or(Formula::Always);
            let asked = match negated {
                true if self.formula(name, view).is_ok() => asked.negated(),
                _ => asked,
            };
            before = Formula::all([before, asked]);
        }
        Formula::any(found)
    }

    fn challenge_in(&mut self, name: &str, view: View, depth: usize) -> Formula {
        let Some(acl) = self.by_name.get(name).filter(|_| depth < NESTING_MAX) else {
            return Formula::Never;
        };
        let asks_helper = acl.kind == "external"
            && acl
                .lines
                .iter()
                .flat_map(|line| &line.values)
                .next()
                .is_some_and(|value| self.helpers_with_login.contains(&value.text));
        if ["proxy_auth", "proxy_auth_regex"].contains(&acl.kind.as_str()) || asks_helper {
            return Condition::null(Field::Principal, true).into();
        }
        let Some((is_any, lines)) = group_of(acl) else {
            return Formula::Never;
        };
        let mut before = Formula::Always;
        let mut found = Vec::new();
        for line in lines {
            let words: Vec<(bool, String)> = line.iter().map(|word| acl_reference(word)).collect();
            let groups: Vec<Vec<(bool, String)>> = if is_any {
                words.into_iter().map(|word| vec![word]).collect()
            } else {
                vec![words]
            };
            // The next is asked when those before it have not matched.
            for group in groups {
                let here = self.challenge_of(&group, view, depth + 1);
                found.push(Formula::all([before.clone(), here]));
                let parts: Result<Vec<Formula>, Unsupported> = group
                    .iter()
                    .map(|(negated, name)| {
                        let formula = self.nested(name, view, depth + 1)?;
                        Ok(if *negated { formula.negated() } else { formula })
                    })
                    .collect();
                if let Ok(parts) = parts {
                    before = Formula::all([before, Formula::all(parts).negated()]);
                }
            }
        }
        Formula::any(found)
    }

    /// Notes the rules that an ACL, and those that it refers to, have a part in.
    pub(super) fn mark_used(&mut self, name: &str, rules: &[String]) {
        self.mark_nested(name, rules, 0);
    }

    fn mark_nested(&mut self, name: &str, rules: &[String], depth: usize) {
        let used = self.used_by.entry(name.to_owned()).or_default();
        let new = rules.iter().filter(|rule| !used.contains(rule));
        let new: Vec<String> = new.cloned().collect();
        used.extend(new);
        let Some((_, lines)) = self.by_name.get(name).and_then(group_of) else {
            return;
        };
        if depth >= NESTING_MAX {
            return;
        }
        for word in lines.iter().flatten() {
            self.mark_nested(&acl_reference(word).1, rules, depth + 1);
        }
    }

    /// The meanings of an ACL that somebody has asked for, in each view.
    fn meanings_of(&self, name: &str) -> impl Iterator<Item = &Meaning> {
        let views = [View::Plain, View::Tunnel, View::Inside];
        views
            .into_iter()
            .filter_map(move |view| self.meanings.get(&(name.to_owned(), view)))
    }

    /// Brings the report's entries for ACL lines up to what was found out. The access lines say which
    /// way it errs.
    pub(super) fn settle(&self, report: &mut Report) {
        for name in &self.names {
            let Some(acl) = self.by_name.get(name) else {
                continue;
            };
            for line in &acl.lines {
                let Some(entry) = line.entry.and_then(|entry| report.entries.get_mut(entry)) else {
                    continue;
                };
                entry.rules = self.used_by.get(name).cloned().unwrap_or_default();
                let mut meanings = self.meanings_of(name).peekable();
                if meanings.peek().is_none() && self.in_settings.contains(name) {
                    entry
                        .notes
                        .push("it is part of a `[[tls.scope]]` of sallyport.toml".to_owned());
                    continue;
                }
                if meanings.peek().is_none() {
                    entry.fate = Fate::Unneeded;
                    entry.notes.push("no access rule uses it".to_owned());
                    continue;
                }
                for meaning in meanings {
                    match &meaning.formula {
                        Err(why) => {
                            entry.fate = Fate::Left(Effect::Neither);
                            entry.notes.push(why.to_string());
                        }
                        Ok(_) => {
                            let mut left = meaning.left.iter();
                            if left.any(|(place, ..)| *place == line.place) {
                                entry.fate = entry.fate.and(Effect::Neither);
                            }
                            for (_, note) in &meaning.differences {
                                entry.differ(Difference::new(Effect::Neither, note));
                            }
                        }
                    }
                }
                let mut seen: Vec<String> = Vec::new();
                entry.notes.retain(|note| {
                    let is_new = !seen.contains(note);
                    seen.push(note.clone());
                    is_new
                });
            }
        }
    }

    /// Values that are left, of ACLs that are not left as a whole, each once.
    pub(super) fn left_values(&self) -> Vec<(&Acl, (Place, String, String))> {
        let mut found: Vec<(&Acl, (Place, String, String))> = Vec::new();
        for name in &self.names {
            let Some(acl) = self.by_name.get(name) else {
                continue;
            };
            let meanings = self.meanings_of(name);
            let left = meanings
                .filter(|meaning| meaning.formula.is_ok())
                .flat_map(|meaning| &meaning.left);
            for one in left {
                if !found
                    .iter()
                    .any(|(_, known)| known.0 == one.0 && known.1 == one.1)
                {
                    found.push((acl, one.clone()));
                }
            }
        }
        found
    }
}

/// Whether any of the names is enough, and the lines of an ACL that refers to others.
fn group_of(acl: &Acl) -> Option<(bool, Vec<Vec<String>>)> {
    if !["any-of", "all-of"].contains(&acl.kind.as_str()) {
        return None;
    }
    let lines = acl
        .lines
        .iter()
        .map(|line| line.values.iter().map(|value| value.text.clone()).collect());
    Some((acl.kind == "any-of", lines.collect()))
}
