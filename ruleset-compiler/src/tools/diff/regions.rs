//! Which requests two rulesets decide differently in a phase. For each pair of a rule that decides
//! in one and a rule that decides in the other, and does otherwise, there either is a request that
//! both meet before any other rule, or there is none.
//!
//! Most pairs need no search. Take a sequence of rules that both rulesets have in the same order
//! (`claims.rs`). When both deciding rules are in it, one stands before the other in both, and
//! would decide in both. So one of the two is new, gone, changed or moved, or both are defaults.

use std::collections::HashSet;

use sallyport_ruleset::reference::Reference;
use sallyport_ruleset::{Action, Decision, Phase, Verdict};

use super::claims::{Claim, RuleClaims, Vocabulary, in_common};
use super::consistent;
use super::fields::Found;
use super::pinned;
use super::search::Search;
use super::side::{Said, Side};
use super::witness::Witness;

/// What was found in a phase.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) decisions: Vec<DecisionChange>,
    pub(super) alerts: Vec<AlertChange>,
    /// What could not be found out, in words.
    pub(super) undecided: Vec<String>,
}

/// Requests that are decided differently.
#[derive(Debug)]
pub(super) struct DecisionChange {
    pub(super) phase: Phase,
    /// The deciding rules; `None` for the default.
    pub(super) rules: [Option<String>; 2],
    pub(super) decisions: [Decision; 2],
    pub(super) witness: Witness,
}

/// Requests for which an alert is raised by one ruleset only.
#[derive(Debug)]
pub(super) struct AlertChange {
    pub(super) phase: Phase,
    pub(super) rule: String,
    /// It is the new ruleset that raises it.
    pub(super) is_new: bool,
    pub(super) witness: Witness,
}

/// What is said of the default where a rule is named.
const DEFAULT: &str = "default";

/// Two rulesets in a phase.
struct Comparison<'s> {
    sides: [&'s Side; 2],
    references: [&'s Reference<'s>; 2],
    phase: Phase,
    vocabulary: Vocabulary,
    /// For each rule the same one in the other ruleset.
    common: [Vec<Option<usize>>; 2],
    findings: Findings,
}

/// Compares a phase.
pub(super) fn compare<'s>(
    sides: [&'s Side; 2],
    references: [&'s Reference<'s>; 2],
    phase: Phase,
) -> Findings {
    let [old, new] = sides;
    let vocabulary = Vocabulary::new([&old.ruleset, &new.ruleset], phase);
    let [old_rules, new_rules] = &vocabulary.rules;
    let mut comparison = Comparison {
        common: in_common(old_rules, new_rules),
        sides,
        references,
        phase,
        vocabulary,
        findings: Findings::default(),
    };
    comparison.compare_decisions();
    comparison.compare_alerts();
    comparison.findings
}

impl Comparison<'_> {
    fn compare_decisions(&mut self) {
        let [old, new] = [0, 1].map(|side| self.deciders(side));
        for (old_at, old_decision) in &old {
            for (new_at, new_decision) in &new {
                let may_differ = match (old_at, new_at) {
                    (None, None) => true,
                    _ => !(self.is_common(0, *old_at) && self.is_common(1, *new_at)),
                };
                if old_decision != new_decision && may_differ {
                    self.decide_pair([*old_at, *new_at], [*old_decision, *new_decision]);
                }
            }
        }
    }

    /// Decisive rules by position, and the default as `None`.
    fn deciders(&self, side: usize) -> Vec<(Option<usize>, Decision)> {
        let rules = self.rules(side).iter().enumerate();
        let decisive = rules.filter_map(|(at, rule)| Some((Some(at), rule.decision()?)));
        decisive
            .chain([(None, Verdict::of_default(self.default(side)).action)])
            .collect()
    }

    fn rules(&self, side: usize) -> &[RuleClaims] {
        self.vocabulary.rules.get(side).map_or(&[], Vec::as_slice)
    }

    fn default(&self, side: usize) -> Action {
        let side = self.sides.get(side);
        side.map_or(Action::Deny, |side| {
            side.ruleset.defaults.action(self.phase)
        })
    }

    /// The default is the end of what is common.
    fn is_common(&self, side: usize, at: Option<usize>) -> bool {
        at.is_none_or(|at| self.partner(side, at).is_some())
    }

    fn partner(&self, side: usize, at: usize) -> Option<usize> {
        self.common.get(side)?.get(at).copied().flatten()
    }

    fn claims(&self, side: usize, at: Option<usize>) -> Vec<Claim> {
        let rule = at.and_then(|at| self.rules(side).get(at));
        rule.map(|rule| rule.claims.clone()).unwrap_or_default()
    }

    /// The decisive rules before a position, of both sides: none of them may match.
    fn excluded(&self, before: [Option<usize>; 2]) -> Vec<Vec<Claim>> {
        let mut seen = HashSet::new();
        let mut excluded = Vec::new();
        for (side, before) in before.into_iter().enumerate() {
            let rules = self.rules(side);
            let rules = rules
                .get(..before.unwrap_or(rules.len()))
                .unwrap_or_default();
            for rule in rules.iter().filter(|rule| rule.decision().is_some()) {
                if seen.insert(rule.claims.clone()) {
                    excluded.push(rule.claims.clone());
                }
            }
        }
        excluded
    }

    fn title(&self, side: usize, at: Option<usize>) -> Option<String> {
        let rule = self.rules(side).get(at?)?;
        Some(rule.title.clone())
    }

    fn decide_pair(&mut self, at: [Option<usize>; 2], decisions: [Decision; 2]) {
        let [old, new] = at;
        let claims = [self.claims(0, old), self.claims(1, new)].concat();
        if !Search::is_possible(&mut self.vocabulary, &claims) {
            return;
        }
        let excluded = self.excluded(at);
        let rules = [self.title(0, old), self.title(1, new)];
        let phase = self.phase;
        let pair = || {
            let [old, new] = rules
                .clone()
                .map(|rule| rule.unwrap_or_else(|| DEFAULT.to_owned()));
            format!("{}: {old} against {new}", phase)
        };
        match Search::run(&mut self.vocabulary, &claims, excluded.clone()) {
            Found::Empty => {}
            Found::Unknown => {
                let what = pair();
                self.findings.undecided.push(what);
            }
            Found::Value(values) => {
                let shows = |said: &[Said; 2], is_changed: bool| {
                    let [old, new] = said;
                    let rules =
                        [old, new].map(|said| said.verdict.rule.map(|rule| rule.0 as usize));
                    [old.verdict.action, new.verdict.action] == decisions
                        && (!is_changed || rules == at)
                };
                let witness = match self.shown(values, shows) {
                    Ok(witness) => witness,
                    Err(_) if self.is_impossible(at, &claims, &excluded) => return,
                    Err(why) => {
                        let what = format!("{} ({why})", pair());
                        self.findings.undecided.push(what);
                        return;
                    }
                };
                self.findings.decisions.push(DecisionChange {
                    phase: self.phase,
                    rules,
                    decisions,
                    witness,
                });
            }
        }
    }

    fn witness(&self, values: Vec<super::fields::FieldValue>) -> Witness {
        let fields = self.vocabulary.fields.iter().cloned();
        Witness {
            values: fields.zip(values).collect(),
        }
    }

    /// Whether what one of the deciding rules lists leaves no request that both meet.
    fn is_impossible(
        &mut self,
        at: [Option<usize>; 2],
        claims: &[Claim],
        excluded: &[Vec<Claim>],
    ) -> bool {
        let rules = self.sides.into_iter().zip(at);
        let rules = rules.filter_map(|(side, at)| side.ruleset.rules(self.phase).nth(at?));
        let lists: Vec<_> = rules
            .flat_map(|(_, rule)| &rule.conditions)
            .filter_map(pinned::listed)
            .collect();
        let mut lists = lists.into_iter();
        lists.any(|list| pinned::is_impossible(&mut self.vocabulary, list, claims, excluded))
    }

    /// A request that shows what was looked for: the one that was found, or, where fields are put together
    /// of others, one made of its parts in which they fit. Which of the two it is, is told.
    fn shown(
        &self,
        values: Vec<super::fields::FieldValue>,
        shows: impl Fn(&[Said; 2], bool) -> bool,
    ) -> Result<Witness, &'static str> {
        let witness = self.witness(values);
        let is_shown = |witness: &Witness, is_changed: bool| {
            let said = self.ask(witness);
            said.is_some_and(|said| shows(&said, is_changed))
        };
        if !consistent::has_composed(&witness) {
            return if is_shown(&witness, false) {
                Ok(witness)
            } else {
                Err("a request that was found does not show it")
            };
        }
        let mut requests = consistent::requests(&witness).into_iter();
        requests
            .find(|request| is_shown(request, true))
            .ok_or("of the URL, the host and the port that were found none fit each other")
    }

    /// What both rulesets say, by both evaluators.
    fn ask(&self, witness: &Witness) -> Option<[Said; 2]> {
        let ([old, new], [old_reference, new_reference]) = (self.sides, self.references);
        witness.with(|facts| {
            Some([
                old.ask(old_reference, self.phase, facts)?,
                new.ask(new_reference, self.phase, facts)?,
            ])
        })
    }

    /// Alert rules are the same when their names are; a default that alerts is one too.
    fn compare_alerts(&mut self) {
        for side in [0, 1] {
            let alerts: Vec<usize> = (0..self.rules(side).len())
                .filter(|at| {
                    self.rules(side)
                        .get(*at)
                        .is_some_and(|rule| rule.decision().is_none())
                })
                .collect();
            for at in alerts {
                self.compare_alert(side, Some(at));
            }
            if self.default(side) == Action::Alert {
                self.compare_alert(side, None);
            }
        }
    }

    /// Whether `side` raises an alert for a request for which the other does not.
    fn compare_alert(&mut self, side: usize, at: Option<usize>) {
        let other = 1 - side;
        let title = self.title(side, at).unwrap_or_else(|| DEFAULT.to_owned());
        let partner = match at {
            None => (self.default(other) == Action::Alert).then_some(None),
            Some(_) => {
                let same = |rule: &RuleClaims| rule.title == title && rule.decision().is_none();
                self.rules(other).iter().position(same).map(Some)
            }
        };
        let claims = self.claims(side, at);
        let before = |at: Option<usize>, other_at: Option<usize>| {
            if side == 0 {
                [at, other_at]
            } else {
                [other_at, at]
            }
        };
        let Some(partner) = partner else {
            // None of the other side's rules matters: it never raises this one.
            let excluded = self.excluded(before(at, Some(0)));
            self.search_alert(side, &title, &claims, excluded);
            return;
        };
        let theirs = self.claims(other, partner);
        if !theirs.iter().all(|claim| claims.contains(claim)) {
            let mut excluded = self.excluded(before(at, Some(0)));
            excluded.push(theirs);
            self.search_alert(side, &title, &claims, excluded);
        }
        let end = partner.unwrap_or_else(|| self.rules(other).len());
        for earlier in 0..end {
            let is_decisive = self
                .rules(other)
                .get(earlier)
                .is_some_and(|rule| rule.decision().is_some());
            let decides_here_too = self
                .partner(other, earlier)
                .is_some_and(|here| at.is_none_or(|at| here < at));
            if is_decisive && !decides_here_too {
                let claims = [claims.clone(), self.claims(other, Some(earlier))].concat();
                if !Search::is_possible(&mut self.vocabulary, &claims) {
                    continue;
                }
                let excluded = self.excluded(before(at, Some(earlier)));
                if self.search_alert(side, &title, &claims, excluded) {
                    return;
                }
            }
        }
    }

    /// Whether there is such a request, which is then noted.
    fn search_alert(
        &mut self,
        side: usize,
        title: &str,
        claims: &[Claim],
        excluded: Vec<Vec<Claim>>,
    ) -> bool {
        let known = |change: &AlertChange| change.rule == title && change.is_new == (side == 1);
        if self.findings.alerts.iter().any(known) {
            return true;
        }
        let found = Search::run(&mut self.vocabulary, claims, excluded);
        let Found::Value(values) = found else {
            if found == Found::Unknown {
                let what = format!("{}: the alert {title}", self.phase);
                self.findings.undecided.push(what);
            }
            return false;
        };
        let shows = |said: &[Said; 2], _: bool| {
            let [old, new] = said;
            let [old_side, new_side] = self.sides;
            [
                self.raises(old_side, old, title),
                self.raises(new_side, new, title),
            ] == [side == 0, side == 1]
        };
        let witness = match self.shown(values, shows) {
            Ok(witness) => witness,
            Err(why) => {
                let what = format!("{}: the alert {title} ({why})", self.phase);
                self.findings.undecided.push(what);
                return false;
            }
        };
        self.findings.alerts.push(AlertChange {
            phase: self.phase,
            rule: title.to_owned(),
            is_new: side == 1,
            witness,
        });
        true
    }

    fn raises(&self, side: &Side, said: &Said, title: &str) -> bool {
        if title == DEFAULT {
            return said.verdict.default_alert;
        }
        said.alerts.iter().any(|rule| {
            let (group, name) = (
                side.bundle.rule_group(self.phase, *rule),
                side.bundle.rule_name(self.phase, *rule),
            );
            title
                .strip_prefix(group)
                .and_then(|rest| rest.strip_prefix('/'))
                == Some(name)
        })
    }
}
