//! What came of a log: counts, and the transactions that would be decided differently.

use std::collections::BTreeMap;

use sallyport_ruleset::{Decision, Phase, RuleIndex};

use super::decide::{Again, Decider};
use super::missing::Missing;
use crate::tools::log::LogRecord;

/// What came of a log, or of a part of it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Transactions.
    pub(super) transactions: u64,
    /// Lines of other kinds.
    pub(super) others: u64,
    /// Lines that cannot be understood, and where the first is.
    pub(super) bad: u64,
    pub(super) first_bad: Option<(u64, String)>,
    /// Allowed and denied, by rules, in the log and now; only what can be compared.
    pub(super) logged: [u64; 2],
    pub(super) now: [u64; 2],
    /// Not decided by rules: denied by the configuration, malformed, failed before.
    pub(super) not_by_rules: u64,
    /// The answer hangs on what the log does not tell.
    pub(super) unknown: u64,
    /// How often that was so for lack of each source.
    pub(super) missing: Missing,
    /// Where the decision would be another one.
    pub(super) changed: BTreeMap<Change, u64>,
    /// The first of them, by their place in the log.
    pub(super) examples: Vec<Example>,
}

/// Transactions that would change in the same way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change {
    /// What the log says: denied, by what.
    pub(super) was_denied: bool,
    pub(super) logged_by: Option<String>,
    /// What decides now.
    pub(super) phase: Phase,
    pub(super) rule: Option<RuleIndex>,
}

/// A transaction that would change.
#[derive(Clone, Debug)]
pub(super) struct Example {
    pub(super) offset: u64,
    pub(super) change: Change,
    pub(super) txn: String,
    pub(super) request: String,
}

impl Tally {
    pub(super) fn judge(
        &mut self,
        decider: &mut Decider<'_>,
        record: &LogRecord<'_>,
        offset: u64,
        examples_max: usize,
    ) {
        let was_denied = match (record.action.as_deref(), &record.phase) {
            (Some(b"allow"), Some(_)) => false,
            (Some(b"deny"), Some(_)) => true,
            _ => {
                self.not_by_rules += 1;
                return;
            }
        };
        match decider.decide(record, |_, _, _| {}) {
            Again::NoDestination => self.not_by_rules += 1,
            Again::Unknown(mask) => {
                self.unknown += 1;
                self.missing.add(mask);
            }
            Again::Decided { phase, verdict } => {
                let is_denied = verdict.action == Decision::Deny;
                count(&mut self.logged, was_denied);
                count(&mut self.now, is_denied);
                if was_denied != is_denied {
                    let change = Change {
                        was_denied,
                        logged_by: logged_by(record),
                        phase,
                        rule: verdict.rule,
                    };
                    self.change(record, offset, change, examples_max);
                }
            }
        }
    }

    fn change(&mut self, record: &LogRecord<'_>, offset: u64, change: Change, examples_max: usize) {
        if self.examples.len() < examples_max {
            self.examples.push(Example {
                offset,
                change: change.clone(),
                txn: shown(record.txn.as_deref()),
                request: request_line(record),
            });
        }
        *self.changed.entry(change).or_default() += 1;
    }

    /// Adds what came of the next part of the log.
    pub(super) fn add(&mut self, other: Self, examples_max: usize) {
        self.transactions += other.transactions;
        self.others += other.others;
        self.bad += other.bad;
        self.first_bad = self.first_bad.take().or(other.first_bad);
        self.not_by_rules += other.not_by_rules;
        self.unknown += other.unknown;
        self.missing.join(&other.missing);
        let counts = self.logged.iter_mut().chain(&mut self.now);
        let others = other.logged.iter().chain(&other.now);
        counts.zip(others).for_each(|(sum, other)| *sum += other);
        for (change, count) in other.changed {
            *self.changed.entry(change).or_default() += count;
        }
        self.examples.extend(other.examples);
        self.examples.truncate(examples_max);
    }
}

fn count([allowed, denied]: &mut [u64; 2], is_denied: bool) {
    *(if is_denied { denied } else { allowed }) += 1;
}

/// `group/rule`; `None`: a default action decided.
fn logged_by(record: &LogRecord<'_>) -> Option<String> {
    let rule = record.rule.as_deref()?;
    Some(format!(
        "{}/{}",
        shown(record.group.as_deref()),
        shown(Some(rule))
    ))
}

fn request_line(record: &LogRecord<'_>) -> String {
    let port = record
        .port
        .map_or_else(String::new, |port| format!(":{port}"));
    format!(
        "{} {}{port}{}",
        shown(record.method.as_deref()),
        shown(record.domain.as_deref()),
        shown(record.uri.as_deref())
    )
}

fn shown(text: Option<&[u8]>) -> String {
    String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
}
