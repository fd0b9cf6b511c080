//! Runs a log through a bundle, on one thread or several, and adds up.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use sallyport_ruleset::{Bundle, Decision, Phase, RuleIndex};

use super::decide::{Again, Decider};
use super::missing::Missing;
use super::report;
use crate::cli::{CliError, Status, Terminal};
use crate::tools::log::{self, Event, LogReader, LogRecord, Part};

/// More threads are not started.
const THREADS_MAX: usize = 256;

/// What to replay.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The bundle file
    pub bundle: PathBuf,
    /// The access log, as the proxy wrote it, or compressed by gzip or zstd; `-` is standard input
    pub log: PathBuf,
    /// How many threads read the log [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// How many of the transactions that would change are shown
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub list: usize,
    /// Take for absent what a log never tells (labels, most headers, lengths), instead of unknown
    #[arg(long)]
    pub assume_absent: bool,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

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

/// Replays a log.
///
/// # Errors
/// When the bundle or the log cannot be read. A decision that would change is
/// [`Status::Problems`].
pub fn run(args: &Args, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let bundle = crate::source::load_bundle(&args.bundle)?;
    let started = Instant::now();
    let unreadable = |error| CliError::Read {
        path: args.log.clone(),
        error,
    };
    let parts = log::open(&args.log, threads(args)).map_err(unreadable)?;
    let tallies = std::thread::scope(|scope| {
        let threads: Vec<_> = parts
            .into_iter()
            .map(|part| scope.spawn(|| replay(&bundle, args, part)))
            .collect();
        let joined = threads.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(std::io::Error::other("a thread failed")))
        });
        joined.collect::<Result<Vec<_>, _>>()
    });
    let mut sum = Tally::default();
    for tally in tallies.map_err(unreadable)? {
        sum.add(tally, args.list);
    }
    if let Some((offset, why)) = sum.first_bad.as_ref()
        && sum.transactions + sum.others == 0
    {
        return Err(CliError::no_log(&args.log, *offset, why));
    }
    let seconds = started.elapsed().as_secs_f64();
    let said = if args.json {
        format!("{:#}\n", report::as_value(&bundle, &sum, seconds))
    } else {
        report::as_text(&bundle, &sum, seconds)
    };
    terminal.out.write_all(said.as_bytes())?;
    Ok(if sum.changed.is_empty() {
        Status::Good
    } else {
        Status::Problems
    })
}

fn threads(args: &Args) -> usize {
    let cores = || std::thread::available_parallelism().ok();
    let wanted = args.threads.or_else(cores);
    wanted.map_or(1, NonZeroUsize::get).min(THREADS_MAX)
}

fn replay(bundle: &Bundle, args: &Args, part: Part) -> std::io::Result<Tally> {
    let mut decider = if args.assume_absent {
        Decider::assuming_absent(bundle)
    } else {
        Decider::new(bundle)
    };
    let mut tally = Tally::default();
    let mut reader = LogReader::default();
    part.for_each_line(|offset, line| match reader.read_logged(line) {
        Ok(record) if record.event == Event::Transaction => {
            tally.transactions += 1;
            tally.judge(&mut decider, &record, offset, args.list);
        }
        Ok(_) => tally.others += 1,
        Err(error) => {
            tally.bad += 1;
            tally
                .first_bad
                .get_or_insert_with(|| (offset, error.to_string()));
        }
    })?;
    Ok(tally)
}

impl Tally {
    fn judge(
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
    fn add(&mut self, other: Self, examples_max: usize) {
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
