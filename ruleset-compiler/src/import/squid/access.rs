//! Access lines become rules: the first line whose ACLs all match decides, as the first rule does;
//! where none does, Squid decides the opposite of the last line.

use std::collections::HashMap;

use sallyport_ruleset::{Action, Field, Phase, Protocol};

use super::super::condition::{Condition, Formula};
use super::super::draft::{Draft, DraftGroup, DraftRule, Names};
use super::super::report::{Effect, Fate, Place, Report};
use super::acl::{Acl, Meaning, Translator, predefined};

/// ACLs that refer to ACLs, at most so deep.
const NESTING_MAX: usize = 32;

/// One `http_access` or `http_reply_access` line.
#[derive(Debug)]
pub(super) struct AccessLine {
    pub(super) place: Place,
    pub(super) text: String,
    pub(super) action: Action,
    /// ACL names; true: it must not match.
    pub(super) acls: Vec<(bool, String)>,
    /// Its entry in the report.
    pub(super) entry: usize,
}

/// ACLs by name, and what they mean once somebody has asked.
#[derive(Debug)]
pub(super) struct Acls {
    pub(super) by_name: HashMap<String, Acl>,
    /// In source order.
    pub(super) names: Vec<String>,
    pub(super) translator: Translator,
    meanings: HashMap<String, Meaning>,
    /// Rules that use an ACL.
    used_by: HashMap<String, Vec<String>>,
}

impl Acls {
    pub(super) fn new(translator: Translator) -> Self {
        Self {
            by_name: HashMap::new(),
            names: Vec::new(),
            translator,
            meanings: HashMap::new(),
            used_by: HashMap::new(),
        }
    }

    /// What an ACL asks.
    ///
    /// # Errors
    /// Why it cannot be carried over.
    fn formula(&mut self, name: &str, depth: usize) -> Result<Formula, String> {
        if let Some(known) = self.meanings.get(name) {
            return known.formula.clone();
        }
        if depth > NESTING_MAX {
            return Err(format!(
                "ACLs refer to each other more than {NESTING_MAX} deep"
            ));
        }
        let Some(acl) = self.by_name.get(name) else {
            return predefined(name).ok_or_else(|| format!("there is no ACL `{name}`"));
        };
        let meaning = match acl.kind.as_str() {
            "any-of" | "all-of" => {
                let is_any = acl.kind == "any-of";
                let lines: Vec<Vec<String>> = acl
                    .lines
                    .iter()
                    .map(|line| line.values.iter().map(|value| value.text.clone()).collect())
                    .collect();
                Meaning {
                    formula: self.combined(&lines, is_any, depth),
                    differences: Vec::new(),
                    left: Vec::new(),
                }
            }
            _ => self.translator.meaning(acl),
        };
        let formula = meaning.formula.clone();
        self.meanings.insert(name.to_owned(), meaning);
        formula
    }

    fn combined(
        &mut self,
        lines: &[Vec<String>],
        is_any: bool,
        depth: usize,
    ) -> Result<Formula, String> {
        let mut alternatives = Vec::new();
        for line in lines {
            let mut parts = Vec::new();
            for word in line {
                let (negated, name) = literal(word);
                let formula = self
                    .formula(name, depth + 1)
                    .map_err(|why| format!("`{name}`: {why}"))?;
                parts.push(if negated { formula.negated() } else { formula });
            }
            alternatives.push(if is_any {
                Formula::any(parts)
            } else {
                Formula::all(parts)
            });
        }
        Ok(Formula::any(alternatives))
    }

    /// Notes the rules that an ACL, and those that it refers to, have a part in.
    fn mark_used(&mut self, name: &str, rules: &[String], depth: usize) {
        let used = self.used_by.entry(name.to_owned()).or_default();
        let new = rules.iter().filter(|rule| !used.contains(rule));
        let new: Vec<String> = new.cloned().collect();
        used.extend(new);
        let Some(acl) = self.by_name.get(name) else {
            return;
        };
        if depth >= NESTING_MAX || !["any-of", "all-of"].contains(&acl.kind.as_str()) {
            return;
        }
        let words = acl.lines.iter().flat_map(|line| &line.values);
        let inner: Vec<String> = words
            .map(|value| literal(&value.text).1.to_owned())
            .collect();
        for name in inner {
            self.mark_used(&name, rules, depth + 1);
        }
    }

    /// Brings the report's entries for ACL lines up to what was found out.
    pub(super) fn settle(&self, report: &mut Report) {
        for name in &self.names {
            let Some(acl) = self.by_name.get(name) else {
                continue;
            };
            for line in &acl.lines {
                let Some(entry) = report.entries.get_mut(line.entry) else {
                    continue;
                };
                entry.rules = self.used_by.get(name).cloned().unwrap_or_default();
                match self.meanings.get(name) {
                    None => {
                        entry.fate = Fate::Unneeded;
                        entry.notes.push("no access rule uses it".to_owned());
                    }
                    Some(Meaning {
                        formula: Err(why), ..
                    }) => {
                        // The lines that ask it are left too, and say which way that errs.
                        entry.fate = Fate::Left(Effect::Neither);
                        entry.notes.push(why.clone());
                    }
                    Some(meaning) => {
                        let some_left = meaning.left.iter().any(|(place, ..)| *place == line.place);
                        let is_changed = some_left || !meaning.differences.is_empty();
                        entry.fate = if is_changed {
                            Fate::Changed(Effect::Either)
                        } else {
                            Fate::Carried
                        };
                        entry.notes.extend(meaning.differences.iter().cloned());
                    }
                }
            }
        }
    }

    /// Values that are left, of ACLs that are not left as a whole.
    pub(super) fn left_values(&self) -> impl Iterator<Item = (&Acl, &(Place, String, String))> {
        self.names.iter().flat_map(|name| {
            let meaning = self
                .meanings
                .get(name)
                .filter(|meaning| meaning.formula.is_ok());
            let acl = self.by_name.get(name);
            let left = meaning.map_or(&[][..], |meaning| meaning.left.as_slice());
            acl.into_iter()
                .flat_map(move |acl| left.iter().map(move |left| (acl, left)))
        })
    }
}

/// `!name` or `name`.
pub(super) fn literal(word: &str) -> (bool, &str) {
    word.strip_prefix('!')
        .map_or((false, word), |name| (true, name))
}

/// What a line became.
enum Outcome {
    /// These conjunctions, any of which decides.
    Rules(Vec<Vec<Condition>>),
    /// Nothing, and why.
    Left(String),
}

impl Outcome {
    /// Whether all that it looks at is known before the name is resolved.
    fn is_early(&self) -> bool {
        match self {
            Self::Rules(rules) => {
                let mut conditions = rules.iter().flatten();
                conditions.all(is_early)
            }
            Self::Left(_) => true,
        }
    }

    /// Whether it holds for every request.
    fn is_all(&self) -> bool {
        matches!(self, Self::Rules(rules) if rules.iter().any(Vec::is_empty))
    }
}

/// What runs inside a CONNECT is known once its first bytes have come, which is after the name has
/// been resolved.
fn is_early(condition: &Condition) -> bool {
    let mut words = condition.values.items.iter();
    let asks_for_tls = condition.field == Field::Protocol
        && words
            .any(|word| [Protocol::Https.name(), Protocol::Wss.name()].contains(&word.as_str()));
    condition.field.is_available(Phase::PreDns) && !asks_for_tls
}

/// The rules of a list of access lines, in the phases where they can be decided: all of it before
/// the name is resolved if that can be. Else what denies at the start and can be decided then goes
/// there: denials may change places with each other, but not with what allows.
pub(super) fn request_rules(
    lines: &[AccessLine],
    acls: &mut Acls,
    report: &mut Report,
    draft: &mut Draft,
) {
    let outcomes: Vec<Outcome> = lines.iter().map(|line| outcome(line, acls)).collect();
    let all_early = outcomes.iter().all(Outcome::is_early);
    let last_phase = if all_early {
        Phase::PreDns
    } else {
        Phase::PreRequest
    };
    let mut writer = Writer::new("http-access", acls, report);
    let mut default = Action::Deny;
    let mut only_denied = true;
    for (at, (line, outcome)) in lines.iter().zip(outcomes).enumerate() {
        only_denied &= line.action == Action::Deny;
        let phase = if only_denied && outcome.is_early() {
            Phase::PreDns
        } else {
            last_phase
        };
        if at + 1 == lines.len() {
            default = writer.last_line(line, outcome, last_phase);
        } else {
            writer.line(line, outcome, phase);
        }
    }
    *draft.defaults.of_mut(last_phase) = default;
    draft.groups.push(writer.group);
}

/// The rules of `http_reply_access`; without any, everything is allowed.
pub(super) fn response_rules(
    lines: &[AccessLine],
    acls: &mut Acls,
    report: &mut Report,
    draft: &mut Draft,
) {
    let Some((last, earlier)) = lines.split_last() else {
        return;
    };
    let outcomes: Vec<Outcome> = lines.iter().map(|line| outcome(line, acls)).collect();
    let mut outcomes = outcomes.into_iter();
    let mut writer = Writer::new("http-reply-access", acls, report);
    for (line, outcome) in earlier.iter().zip(&mut outcomes) {
        writer.line(line, outcome, Phase::PostResponse);
    }
    for outcome in outcomes {
        draft.defaults.post_response = writer.last_line(last, outcome, Phase::PostResponse);
    }
    draft.groups.push(writer.group);
}

/// What no line decides is the opposite of the last one.
const fn opposite(action: Action) -> Action {
    match action {
        Action::Deny => Action::Allow,
        Action::Allow | Action::Alert => Action::Deny,
    }
}

fn outcome(line: &AccessLine, acls: &mut Acls) -> Outcome {
    let mut parts = Vec::new();
    for (negated, name) in &line.acls {
        match acls.formula(name, 0) {
            Ok(formula) if *negated => parts.push(formula.negated()),
            Ok(formula) => parts.push(formula),
            Err(why) => return Outcome::Left(format!("`{name}`: {why}")),
        }
    }
    match Formula::all(parts).alternatives() {
        Ok(rules) => Outcome::Rules(rules),
        Err(why) => Outcome::Left(why.to_string()),
    }
}

/// Writes the rules of one list of lines.
struct Writer<'a> {
    group: DraftGroup,
    names: Names,
    acls: &'a mut Acls,
    report: &'a mut Report,
}

impl<'a> Writer<'a> {
    fn new(name: &str, acls: &'a mut Acls, report: &'a mut Report) -> Self {
        Self {
            group: DraftGroup::new(name),
            names: Names::default(),
            acls,
            report,
        }
    }

    /// The last line, and what is decided where no line does. A last line for all requests is that
    /// decision itself.
    fn last_line(&mut self, line: &AccessLine, outcome: Outcome, phase: Phase) -> Action {
        if !outcome.is_all() {
            let is_left = matches!(outcome, Outcome::Left(_));
            self.line(line, outcome, phase);
            if is_left && line.action == Action::Deny {
                // What it denies cannot be told from the rest: all of the rest is denied.
                if let Some(entry) = self.report.entries.get_mut(line.entry) {
                    entry.fate = Fate::Changed(Effect::Narrower);
                    entry.notes.push(format!(
                        "it is the last line: instead of what it denies, everything that no line decides is denied, as the default of {phase}"
                    ));
                }
                return Action::Deny;
            }
            return opposite(line.action);
        }
        let origin = format!("{}: {}", line.place, line.text.trim());
        self.group.remark(
            phase,
            vec![
                origin,
                "This is the default of the phase, in ruleset.toml.".to_owned(),
            ],
        );
        let note = format!("it is the default of {phase}");
        self.report_line(line, Fate::Carried, Some(note), Vec::new());
        line.action
    }

    fn line(&mut self, line: &AccessLine, outcome: Outcome, phase: Phase) {
        let origin = format!("{}: {}", line.place, line.text.trim());
        match outcome {
            Outcome::Left(why) => {
                let remark = vec![origin, format!("Left: {why}")];
                self.group.remark(phase, remark);
                let left = Fate::Left(Effect::of_leaving(line.action));
                self.report_line(line, left, Some(why), Vec::new());
            }
            Outcome::Rules(rules) if rules.is_empty() => {
                self.report_line(
                    line,
                    Fate::Unneeded,
                    Some("it never matches".to_owned()),
                    Vec::new(),
                );
            }
            Outcome::Rules(rules) => {
                let names = self.rules(line, &rules, phase, &origin);
                self.report_line(line, Fate::Carried, None, names);
            }
        }
    }

    fn report_line(
        &mut self,
        line: &AccessLine,
        fate: Fate,
        note: Option<String>,
        names: Vec<String>,
    ) {
        for (_, name) in &line.acls {
            self.acls.mark_used(name, &names, 0);
        }
        if let Some(entry) = self.report.entries.get_mut(line.entry) {
            entry.fate = fate;
            entry.notes.extend(note);
            entry.rules = names;
        }
    }

    fn rules(
        &mut self,
        line: &AccessLine,
        rules: &[Vec<Condition>],
        phase: Phase,
        origin: &str,
    ) -> Vec<String> {
        let mut names = Vec::with_capacity(rules.len());
        for conditions in rules {
            let name = self.names.unique(&rule_name(line));
            names.push(format!("{}/{name}", self.group.name));
            self.group.push(
                phase,
                DraftRule {
                    name,
                    description: String::new(),
                    action: line.action,
                    conditions: conditions.clone(),
                    origin: vec![origin.to_owned()],
                },
            );
        }
        names
    }
}

/// `deny-CONNECT-not-SSL_ports`
fn rule_name(line: &AccessLine) -> String {
    let mut name = match line.action {
        Action::Allow => "allow".to_owned(),
        Action::Deny | Action::Alert => "deny".to_owned(),
    };
    for (negated, acl) in &line.acls {
        name.push_str(if *negated { "-not-" } else { "-" });
        name.push_str(acl);
    }
    name
}
