//! Hits of rules from an access log. What a line of this very bundle says was decided counts as it
//! stands; the rest is decided again, and what cannot be is counted by the names that the line has.

use std::collections::HashMap;
use std::path::Path;

use sallyport_ruleset::{Action, Bundle, Phase, RuleIndex};
use serde_json::{Value, json};

use super::counts::{Counts, Places, places};
use crate::diagnostic::counted;
use crate::terminal::CliError;
use crate::tools::log::{self, Event, LogReader, LogRecord, LoggedDecision};
use crate::tools::replay::{self, Decider, Missing};

/// Counts the hits that a log tells of.
///
/// # Errors
/// When it cannot be read, or is none.
pub(super) fn count(bundle: &Bundle, path: &Path) -> Result<Counts, CliError> {
    let unreadable = |error| CliError::Read {
        path: path.to_owned(),
        error,
    };
    let mut counter = Counter::new(bundle);
    let mut reader = LogReader::default();
    for part in log::open(path, 1).map_err(unreadable)? {
        let read = part.for_each_line(|offset, line| match reader.read_logged(line) {
            Ok(record) => counter.line(&record),
            Err(error) => {
                counter.lines.unreadable += 1;
                let bad = || (offset, error.to_string());
                counter.lines.first_unreadable.get_or_insert_with(bad);
            }
        });
        read.map_err(unreadable)?;
    }
    let Counter {
        mut counts, lines, ..
    } = counter;
    if let Some((offset, why)) = &lines.first_unreadable
        && lines.transactions + lines.others == 0
    {
        return Err(CliError::no_log(path, *offset, why));
    }
    counts.notes = lines.notes();
    counts.lines = Some(lines.as_value());
    Ok(counts)
}

/// What the lines of a log were.
#[derive(Debug, Default)]
struct Lines {
    transactions: usize,
    /// Of other kinds.
    others: usize,
    unreadable: usize,
    /// Where the first of them is, and what is wrong with it.
    first_unreadable: Option<(u64, String)>,
    /// Transactions that the log tells too little of to be decided again.
    undecided: usize,
    missing: Missing,
    /// Transactions that no rule ever saw: malformed, or without a destination.
    without_destination: usize,
    /// Transactions that another bundle decided.
    of_other_bundles: usize,
    /// Names of rules that this bundle does not have.
    strangers: usize,
}

struct Counter<'b> {
    bundle: &'b Bundle,
    decider: Decider<'b>,
    places: Places<'b>,
    /// Alert rules by their names; `None` where several have the same.
    alerts: HashMap<&'b str, Option<Place>>,
    counts: Counts,
    lines: Lines,
}

type Place = (Phase, RuleIndex);

/// What a line says about a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Rule(Place),
    Default,
    /// A rule that this bundle does not have.
    Stranger,
}

impl<'b> Counter<'b> {
    fn new(bundle: &'b Bundle) -> Self {
        Self {
            bundle,
            decider: Decider::new(bundle),
            places: places(bundle),
            alerts: alert_rules(bundle),
            counts: Counts::new(bundle),
            lines: Lines::default(),
        }
    }

    fn line(&mut self, record: &LogRecord<'_>) {
        if record.event == Event::Transaction {
            return self.transaction(record);
        }
        self.lines.others += 1;
        for (_, named) in self.decisions(record) {
            match named {
                Named::Rule(place) => self.mention(place),
                Named::Default | Named::Stranger => {}
            }
        }
    }

    fn transaction(&mut self, record: &LogRecord<'_>) {
        let is_its_own = record.bundle.as_deref() == Some(self.bundle.id().as_bytes());
        self.lines.transactions += 1;
        self.lines.of_other_bundles += usize::from(!is_its_own && record.bundle.is_some());
        let Again { hits, phases } = self.decide(record);
        let logged = self.decisions(record);
        // What this bundle is logged to have decided stands against what is decided again: a fact may
        // have been another one then.
        let is_logged = |phase| is_its_own && logged.iter().any(|(logged, _)| *logged == phase);
        let mut hits: Vec<Place> = hits
            .into_iter()
            .filter(|place| self.is_alert(*place) || !is_logged(place.0))
            .collect();
        let alerts = self.named_alerts(record);
        for named in logged.into_iter().map(|(_, named)| named).chain(alerts) {
            match named {
                Named::Rule(place) if hits.contains(&place) => {}
                Named::Rule(place) if is_its_own || !phases.contains(&place.0) => hits.push(place),
                Named::Rule(place) => self.mention(place),
                Named::Stranger => self.lines.strangers += 1,
                Named::Default => {}
            }
        }
        for (phase, rule) in hits {
            if let Some(count) = self.counts.of(phase, rule) {
                count.hits += 1;
            }
        }
    }

    fn decide(&mut self, record: &LogRecord<'_>) -> Again {
        let mut again = Again::default();
        let answer = self.decider.decide(record, |phase, verdict, alerts| {
            again.phases.push(phase);
            let rules = alerts.iter().chain(&verdict.rule);
            again.hits.extend(rules.map(|rule| (phase, *rule)));
        });
        match answer {
            replay::Again::Decided { .. } => {}
            replay::Again::Unknown(mask) => {
                self.lines.undecided += 1;
                self.lines.missing.add(mask);
            }
            replay::Again::NoDestination => self.lines.without_destination += 1,
        }
        again
    }

    /// What a line says that phases decided, each once.
    fn decisions(&self, record: &LogRecord<'_>) -> Vec<(Phase, Named)> {
        let named = |decision: LoggedDecision<'_>| {
            let phase = Phase::ALL
                .into_iter()
                .find(|phase| phase.name() == decision.phase)?;
            let Some(rule) = decision.rule else {
                return Some((phase, Named::Default));
            };
            let group = decision.group.unwrap_or_default();
            let place = self.places.get(&(phase.name(), &*group, &*rule));
            Some((
                phase,
                place.map_or(Named::Stranger, |place| Named::Rule(*place)),
            ))
        };
        record.decisions().into_iter().filter_map(named).collect()
    }

    /// The alerts that a line of a transaction names, as far as their names say which they are.
    fn named_alerts(&self, record: &LogRecord<'_>) -> Vec<Named> {
        let names = record.alerts();
        let found = names.iter().filter_map(|name| {
            let name = str::from_utf8(name).ok()?;
            self.alerts.get(name).copied().flatten()
        });
        found.map(Named::Rule).collect()
    }

    fn is_alert(&self, (phase, rule): Place) -> bool {
        self.bundle.rule_action(phase, rule) == Some(Action::Alert)
    }

    fn mention(&mut self, (phase, rule): Place) {
        if let Some(count) = self.counts.of(phase, rule) {
            count.mentions += 1;
        }
    }
}

/// What a transaction meets when it is decided again.
#[derive(Debug, Default)]
struct Again {
    hits: Vec<Place>,
    /// Those that could be decided.
    phases: Vec<Phase>,
}

fn alert_rules(bundle: &Bundle) -> HashMap<&str, Option<Place>> {
    let mut alerts = HashMap::new();
    for phase in Phase::ALL {
        for rule in (0..).map(RuleIndex).take(bundle.rules_count(phase)) {
            if bundle.rule_action(phase, rule) == Some(Action::Alert) {
                alerts
                    .entry(bundle.rule_name(phase, rule))
                    .and_modify(|place| *place = None)
                    .or_insert(Some((phase, rule)));
            }
        }
    }
    alerts
}

impl Lines {
    /// For people.
    fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!(
            "{}, decided again",
            counted(self.transactions, "logged transaction")
        )];
        let mut note = |count: usize, text: String| {
            if count > 0 {
                notes.push(text);
            }
        };
        let keys = self.missing.keys().into_iter();
        let keys: Vec<_> = keys.map(|(key, count)| format!("{key} {count}")).collect();
        note(
            self.undecided,
            format!(
                "{} cannot be decided to the end, as rules ask for what the log does not tell ({}): \
                 of these count what could be decided, and the rules that the lines name",
                self.undecided,
                keys.join(", ")
            ),
        );
        note(
            self.without_destination,
            format!(
                "{} met no rule: they have no destination",
                self.without_destination
            ),
        );
        note(
            self.of_other_bundles,
            format!(
                "{} were decided by other bundles: rules are found by their names",
                self.of_other_bundles
            ),
        );
        note(
            self.strangers,
            format!(
                "{} times a rule is named that this bundle does not have",
                self.strangers
            ),
        );
        if let Some((offset, why)) = &self.first_unreadable {
            notes.push(format!(
                "{} not counted, the first at byte {offset}: {why}",
                counted(self.unreadable, "unreadable line")
            ));
        }
        notes
    }

    /// For programs.
    fn as_value(&self) -> Value {
        let missing: serde_json::Map<String, Value> = self
            .missing
            .keys()
            .into_iter()
            .map(|(key, count)| (key, count.into()))
            .collect();
        json!({
            "transactions": self.transactions,
            "cannot_be_decided": self.undecided,
            "missing": missing,
            "without_destination": self.without_destination,
            "of_other_bundles": self.of_other_bundles,
            "unknown_rules_named": self.strangers,
            "other_lines": self.others,
            "unreadable_lines": self.unreadable,
        })
    }
}
