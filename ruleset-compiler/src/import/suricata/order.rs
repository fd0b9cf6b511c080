//! Rules in the order in which they are asked: what they remember for each other is worked in, and
//! they become a draft.

use std::collections::HashMap;

use sallyport_ruleset::{Action, Field, Phase};

use super::super::condition::{Condition, Formula, Values, operator};
use super::super::draft::{
    ALLOW_BY_DEFAULT, DefaultsBy, Draft, DraftGroup, DraftRule, Names, description,
};
use super::super::report::{Difference, Effect, Fate, Report};
use super::flowbit::{BitTest, Bits};
use super::rule::SuricataAction;
use super::settings::{Default, Order};
use super::unsupported::Unsupported;
use crate::operator::{Comparison, Question};

/// A rule that was read.
#[derive(Debug)]
pub(super) struct Ruled {
    pub(super) action: SuricataAction,
    /// What must hold, beside what was remembered.
    pub(super) formula: Formula,
    pub(super) sets: Vec<String>,
    pub(super) bits: Vec<BitTest>,
    /// The formula is just what the rule says.
    pub(super) is_exact: bool,
    /// It lets pass and tells it.
    pub(super) tells: bool,
    /// It tells nobody: it is there for what it remembers.
    pub(super) is_silent: bool,
    pub(super) name: String,
    pub(super) message: String,
    pub(super) origin: String,
    pub(super) looks_inside: bool,
    /// It may meet the first packet of a connection, which has no name yet.
    pub(super) meets_handshakes: bool,
    /// Its place in the report.
    pub(super) entry: usize,
}

/// All rules of an import.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) rules: Vec<Ruled>,
    /// Flowbits of rules that could not be read.
    pub(super) unknown_bits: Vec<String>,
    pub(super) report: Report,
    /// The policy or the user says what happens where no rule decides.
    pub(super) is_default_given: bool,
}

const LATER: &str = "a rule sets it that is asked later";
const INEXACT: &str = "a rule sets it that is not carried over exactly";
const SEVERAL: &str = "it is remembered from one request of a connection to the next";
const LEFT: &str = "a rule sets it that is not carried over";

impl Rules {
    /// The draft, and the report with what became of each rule.
    pub(super) fn draft(mut self, path: &str, order: Order, default: Default) -> (Draft, Report) {
        if order == Order::Action {
            self.rules.sort_by_key(|rule| rule.action);
        }
        let alternatives = self.decided();
        self.tell_of_handshakes();
        let by = if self.is_default_given {
            DefaultsBy::Source
        } else {
            DefaultsBy::Assumption(
                "what no rule decides is the policy's default action, which is not in the rules: `--default allow` or `--default deny` says it",
            )
        };
        let mut draft = Draft::new(ALLOW_BY_DEFAULT, by);
        draft.about = vec![
            format!("Imported from {path} by `sallyport-rules import suricata`."),
            "import-report.txt says line by line what became of it.".to_owned(),
        ];
        draft.defaults.pre_request = match default {
            Default::Allow => Action::Allow,
            Default::Alert => Action::Alert,
            Default::Deny => Action::Deny,
        };
        let mut group = DraftGroup::new("suricata");
        let mut names = Names::default();
        for (rule, alternatives) in self.rules.iter().zip(alternatives) {
            for conditions in alternatives {
                let conditions: Vec<Condition> = conditions.into_iter().map(simplified).collect();
                let mut emit = |action: Action, wanted: &str| {
                    let name = names.unique(wanted);
                    if let Some(entry) = self.report.entries.get_mut(rule.entry) {
                        entry.rules.push(format!("{}/{name}", group.name));
                    }
                    let drafted = DraftRule {
                        name,
                        description: description(&rule.message),
                        action,
                        conditions: conditions.clone(),
                        origin: vec![rule.origin.clone()],
                    };
                    group.push(Phase::PreRequest, drafted);
                };
                if rule.tells {
                    emit(Action::Alert, &format!("{}-alert", rule.name));
                }
                emit(rule.action.ours(), &rule.name);
            }
        }
        draft.groups.push(group);
        (draft, self.report)
    }

    /// For each rule the conjunctions any of which must hold; none of a rule that has no place.
    fn decided(&mut self) -> Vec<Vec<Vec<Condition>>> {
        let mut bits = self.bits_of_deciders();
        let last_set = self.last_alert_that_sets();
        let mut all = Vec::with_capacity(self.rules.len());
        for at in 0..self.rules.len() {
            let Some(rule) = self.rules.get(at) else {
                break;
            };
            let found = remembered(rule, at, &bits, &last_set).and_then(|remembered| {
                let whole = Formula::all([rule.formula.clone(), remembered]);
                let alternatives = whole.alternatives()?;
                Ok((whole, alternatives))
            });
            if rule.action == SuricataAction::Alert {
                remember(rule, found.as_ref().ok().map(|(whole, _)| whole), &mut bits);
            }
            let is_silent = rule.is_silent && rule.action == SuricataAction::Alert;
            let entry = rule.entry;
            let left = Fate::Left(Effect::of_leaving(rule.action.ours()));
            all.push(match found {
                Ok((_, alternatives)) if alternatives.is_empty() => {
                    self.conclude(entry, Fate::Unneeded, "it never matches");
                    Vec::new()
                }
                Ok(_) if is_silent => {
                    const ONLY: &str = "it tells nobody (`noalert`); what it remembers is worked into the rules that ask for it";
                    self.conclude(entry, Fate::Unneeded, ONLY);
                    Vec::new()
                }
                Ok((_, alternatives)) => alternatives,
                Err(_) if is_silent => {
                    self.conclude(entry, Fate::Unneeded, "it tells nobody (`noalert`)");
                    Vec::new()
                }
                Err(why) => {
                    self.conclude(entry, left, &why.to_string());
                    Vec::new()
                }
            });
        }
        all
    }

    /// Whoever meets a rule that decides never comes to one that asks.
    fn bits_of_deciders(&self) -> Bits {
        let mut bits = Bits::default();
        let deciders = self
            .rules
            .iter()
            .filter(|rule| rule.action != SuricataAction::Alert);
        for name in deciders.flat_map(|rule| &rule.sets) {
            bits.set_by_decision(name);
        }
        for name in &self.unknown_bits {
            bits.unknown(name, LEFT);
        }
        bits
    }

    fn last_alert_that_sets(&self) -> HashMap<String, usize> {
        let mut last = HashMap::new();
        for (at, rule) in self.rules.iter().enumerate() {
            if rule.action == SuricataAction::Alert {
                last.extend(rule.sets.iter().map(|name| (name.clone(), at)));
            }
        }
        last
    }

    /// A rule that is not there after all.
    fn conclude(&mut self, entry: usize, fate: Fate, why: &str) {
        if let Some(entry) = self.report.entries.get_mut(entry) {
            entry.fate = fate;
            entry.notes = vec![why.to_owned()];
        }
    }

    /// On a firewall the first packet has no name: what is dropped by its address and port alone
    /// is dropped before a rule over names can let it pass.
    fn tell_of_handshakes(&mut self) {
        let mut passed_inside = false;
        for rule in &self.rules {
            passed_inside |= rule.action == SuricataAction::Pass && rule.looks_inside;
            let blocks = rule.action.ours() == Action::Deny;
            if !passed_inside || !blocks || rule.looks_inside || !rule.meets_handshakes {
                continue;
            }
            let entry = self.report.entries.get_mut(rule.entry);
            let is_there = |fate: Fate| matches!(fate, Fate::Carried | Fate::Changed(_));
            if let Some(entry) = entry.filter(|entry| is_there(entry.fate)) {
                entry.differ(Difference::new(
                    Effect::Wider,
                    "rules that let names or requests pass are asked before it; on a firewall it meets the first packet, before there is a name, unless it says `flow:established`",
                ));
            }
        }
    }
}

/// What a rule asks of what was remembered.
fn remembered(
    rule: &Ruled,
    at: usize,
    bits: &Bits,
    last_set: &HashMap<String, usize>,
) -> Result<Formula, Unsupported> {
    let mut parts = Vec::with_capacity(rule.bits.len());
    for test in &rule.bits {
        let is_later = |name: &&String| last_set.get(*name).is_some_and(|last| *last > at);
        if let Some(name) = test.names.iter().find(is_later) {
            return Err(Unsupported::BitUnknown {
                name: name.clone(),
                why: LATER,
            });
        }
        parts.push(bits.formula(test)?);
    }
    Ok(Formula::all(parts))
}

/// What a rule that is asked before others remembers for them.
fn remember(rule: &Ruled, whole: Option<&Formula>, bits: &mut Bits) {
    for name in &rule.sets {
        match whole {
            Some(whole) if rule.is_exact && is_of_connection(whole) => {
                bits.set_where(name, whole.clone());
            }
            Some(_) if rule.is_exact => bits.unknown(name, SEVERAL),
            Some(_) => bits.unknown(name, INEXACT),
            None => bits.unknown(name, LEFT),
        }
    }
}

/// Whether a formula holds for all requests of a connection or for none.
fn is_of_connection(formula: &Formula) -> bool {
    const FIELDS: [Field; 7] = [
        Field::SourceIp,
        Field::SourcePort,
        Field::DestinationIp,
        Field::DestinationPort,
        Field::Protocol,
        Field::TlsSni,
        Field::Ja4,
    ];
    match formula {
        Formula::Always | Formula::Never => true,
        Formula::One(condition) => FIELDS.contains(&condition.field),
        Formula::All(parts) | Formula::Any(parts) => parts.iter().all(is_of_connection),
    }
}

/// Ranges of one number each are numbers.
fn simplified(condition: Condition) -> Condition {
    let single = |item: &String| {
        let (from, to) = item.split_once('-')?;
        (from == to).then(|| from.to_owned())
    };
    let numbers: Option<Vec<String>> = condition.values.items.iter().map(single).collect();
    match numbers {
        Some(items) if condition.operator.question == Question::Between => {
            let equal = Question::Number(Comparison::Equal);
            let values = Values {
                name: condition.values.name.clone(),
                origin: condition.values.origin.clone(),
                items,
            };
            Condition::new(
                condition.field.clone(),
                operator(equal, condition.operator.negated),
                values,
            )
        }
        _ => condition,
    }
}
