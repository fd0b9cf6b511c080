//! Runs a log through a bundle, on one thread or several.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use sallyport_ruleset::Bundle;

use super::decide::Decider;
use super::report;
use super::tally::Tally;
use crate::terminal::{CliError, Status, Terminal};
use crate::tools::log::{self, Event, LogReader, Part};

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
