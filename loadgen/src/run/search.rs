//! `sallyport-load search`: the highest rate at which a percentile of latency stays under a target.
//!
//! First the rate is doubled (or halved) until a pass and a failure enclose the answer, then the
//! bracket is bisected on a logarithmic scale. Each rate is decided by the majority of several runs,
//! since one stall of the machine must not decide. A meter that falls behind only adds latency: a run
//! that meets the target nevertheless passes, one that misses it decides nothing and is repeated.
//! Where that happens again and again, the meter is the limit, and the result says so.

use std::time::Duration;

use super::measure::measure;
use super::progress::Viewer;
use crate::cli::SearchArgs;
use crate::error::LoadError;
use crate::plan::defaults::Defaults;
use crate::plan::file::PlanFile;
use crate::plan::overlay;
use crate::plan::period::Period;
use crate::plan::problem::Place;
use crate::plan::run::Plan;
use crate::report::machine::Machine;
use crate::report::search::{Found, Mark, Trial};
use crate::report::words::Grouped;
use crate::report::{self, Report};
use crate::status::Status;

/// Below this the search gives up, requests a second.
const RATE_MIN: f64 = 1.0;

/// Searches and prints.
pub(crate) fn search(args: &SearchArgs) -> Result<Status, LoadError> {
    let (mut file, place) = overlay::plan_file(&args.plan)?;
    // Each step has its own rate.
    file.arrivals.steps.clear();
    file.arrivals.recorded = None;
    Defaults::SEARCH.fill(&mut file);
    let wrong = |message: &str| Err(LoadError::Usage(message.to_owned()));
    if !(args.from >= RATE_MIN && args.from <= args.to && args.to.is_finite()) {
        return wrong("--from and --to: rates from 1 on, in this order");
    }
    if !(args.precision > 0.0 && args.precision < 1.0) {
        return wrong("--precision: a share, such as 0.05");
    }
    if !(args.percentile > 0.0 && args.percentile <= 100.0) {
        return wrong("--percentile: from 0 to 100");
    }
    let viewer = Viewer::unless(args.quiet);
    let mut trials = Vec::new();
    let outcome = bracket_and_bisect(args.from, args.to, args.precision, |rate, bracket| {
        let viewer = viewer.as_ref().map(|_| Viewer {
            label: format!("{}/s: ", Grouped(rate.round())),
            later: later(args, &file, bracket),
        });
        decide(args.repeats, || {
            let trial = run_trial(args, &mut file, &place, (rate, viewer.as_ref()))?;
            if !args.quiet {
                eprintln!("{}", trial.line(args.percentile));
            }
            let mark = trial.mark;
            trials.push(trial);
            Ok(mark)
        })
    })?;
    let first = file.request.first().and_then(|request| request.url.clone());
    let found = Found {
        schema_version: 1,
        name: file.name.or(first).unwrap_or_default(),
        percentile: args.percentile,
        below_us: args.below.as_secs_f64() * 1e6,
        rate: outcome.passed,
        rate_failed: outcome.failed.map(|(rate, _)| rate),
        limited_by: match outcome.failed {
            Some((_, Mark::Void)) => "meter",
            Some(_) => "subject",
            None => "bounds",
        },
        trials,
        machine: Machine::here(),
    };
    write(args, &found)?;
    Ok(match (found.rate, found.limited_by) {
        (Some(_), _) => Status::Holds,
        (None, "meter") => Status::Undecided,
        (None, _) => Status::Fails,
    })
}

fn write(args: &SearchArgs, found: &Found) -> Result<(), LoadError> {
    let json = found.to_json()?;
    let sentence = found.sentence() + "\n";
    report::print(if args.json { &json } else { &sentence })?;
    if let Some(path) = &args.json_file {
        report::save(path, json.as_bytes())?;
    }
    if let Some(path) = &args.html {
        report::save(path, found.page().as_bytes())?;
    }
    Ok(())
}

/// How long the steps after this one take at most, once it is known how many there are. Void runs, which
/// are repeated, are not in it.
fn later(args: &SearchArgs, file: &PlanFile, bracket: Bracket) -> Option<Duration> {
    let (passed, (failed, _)) = bracket.passed.zip(bracket.failed)?;
    // Each step halves the distance on a logarithmic scale, this one too.
    let halvings = ((failed / passed).ln() / (1.0 + args.precision).ln()).log2();
    let steps = (halvings.ceil() - 1.0).max(0.0);
    let length = |period: Option<Period>| period.map_or(Duration::ZERO, |period| period.0);
    let run = length(file.warmup) + length(file.duration);
    Some(run.mul_f64(steps * f64::from(args.repeats)))
}

fn run_trial(
    args: &SearchArgs,
    file: &mut PlanFile,
    place: &Place,
    (rate, viewer): (f64, Option<&Viewer>),
) -> Result<Trial, LoadError> {
    file.arrivals.rate = Some(rate);
    let plan = Plan::new(file, place)?;
    let outcome = measure(&plan, viewer)?;
    let percentile_us = outcome
        .latency
        .at_quantile(args.percentile / 100.0)
        .as_secs_f64()
        * 1e6;
    let report = report::build(&plan, outcome);
    Ok(Trial {
        rate,
        mark: Goal {
            below_us: args.below.as_secs_f64() * 1e6,
            errors_share: args.errors,
        }
        .judge(percentile_us, &report),
        percentile_us,
        requests_per_second: report.requests_per_second,
        errors_total: report.errors_total,
        errors: report.errors,
    })
}

/// What a run must reach.
#[derive(Debug, Clone, Copy)]
struct Goal {
    below_us: f64,
    /// Share of requests that may fail.
    errors_share: f64,
}

impl Goal {
    /// Requests that were never sent are errors, and their age is in the percentile: there is no other
    /// way to fall short of the rate.
    fn judge(self, percentile_us: f64, report: &Report) -> Mark {
        let may_fail = self.errors_share * (report.requests_total + report.errors_total) as f64;
        let is_too_many = |errors: u64| errors as f64 > may_fail;
        if report.nothing_answered || is_too_many(report.errors_beyond_lateness()) {
            return Mark::Fail;
        }
        // By chance nothing may have been due.
        if report.latency_us.count == 0 {
            return Mark::Void;
        }
        if percentile_us <= self.below_us && !is_too_many(report.errors_total) {
            return Mark::Pass;
        }
        if report.meter.void {
            Mark::Void
        } else {
            Mark::Fail
        }
    }
}

/// The majority of up to `repeats` runs. Void ones are repeated as often once more.
fn decide(
    repeats: u32,
    mut run: impl FnMut() -> Result<Mark, LoadError>,
) -> Result<Mark, LoadError> {
    let majority = repeats / 2 + 1;
    let (mut passed, mut failed, mut void) = (0, 0, 0);
    loop {
        match run()? {
            Mark::Pass => passed += 1,
            Mark::Fail => failed += 1,
            Mark::Void => void += 1,
        }
        if passed >= majority {
            return Ok(Mark::Pass);
        }
        if failed >= majority {
            return Ok(Mark::Fail);
        }
        if void > repeats {
            return Ok(Mark::Void);
        }
    }
}

/// The two ends of what was found.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bracket {
    passed: Option<f64>,
    failed: Option<(f64, Mark)>,
}

fn bracket_and_bisect(
    from: f64,
    to: f64,
    precision: f64,
    mut decide: impl FnMut(f64, Bracket) -> Result<Mark, LoadError>,
) -> Result<Bracket, LoadError> {
    let mut bracket = Bracket {
        passed: None,
        failed: None,
    };
    let mut rate = from;
    loop {
        match decide(rate, bracket)? {
            Mark::Pass => bracket.passed = Some(rate),
            mark => bracket.failed = Some((rate, mark)),
        }
        rate = match (bracket.passed, bracket.failed) {
            (Some(passed), None) if passed >= to => return Ok(bracket),
            (Some(passed), None) => (passed * 2.0).min(to),
            (None, Some((failed, _))) if failed <= RATE_MIN => return Ok(bracket),
            (None, Some((failed, _))) => (failed / 2.0).max(RATE_MIN),
            (Some(passed), Some((failed, _))) if failed / passed <= 1.0 + precision => {
                return Ok(bracket);
            }
            (Some(passed), Some((failed, _))) => (passed * failed).sqrt(),
            (None, None) => return Ok(bracket),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(limit: f64, from: f64, to: f64) -> (Bracket, usize) {
        let mut trials = 0;
        let bracket = bracket_and_bisect(from, to, 0.05, |rate, _| {
            trials += 1;
            Ok(if rate <= limit {
                Mark::Pass
            } else {
                Mark::Fail
            })
        });
        (bracket.unwrap(), trials)
    }

    /// A run's report, as far as it is judged.
    fn report(is_void: bool, errors: &[(&str, u64)]) -> Report {
        let mut report = Report {
            requests_total: 1_000,
            errors_total: errors.iter().map(|(_, count)| count).sum(),
            errors: errors
                .iter()
                .map(|(kind, count)| ((*kind).to_owned(), *count))
                .collect(),
            ..Report::default()
        };
        report.latency_us.count = 1_000;
        report.meter.void = is_void;
        report
    }

    #[test]
    fn a_meter_that_fell_behind_takes_no_pass_away_and_gives_no_fail() {
        let goal = Goal {
            below_us: 5_000.0,
            errors_share: 0.01,
        };
        let judge = |us, is_void, errors: &[_]| goal.judge(us, &report(is_void, errors));
        for is_void in [false, true] {
            assert_eq!(judge(4_000.0, is_void, &[]), Mark::Pass);
            assert_eq!(judge(4_000.0, is_void, &[("timeout", 9)]), Mark::Pass);
            // No lateness makes an origin answer 500.
            let refused = [("bad_status_500", 20)];
            assert_eq!(judge(4_000.0, is_void, &refused), Mark::Fail);
        }
        assert_eq!(judge(9_000.0, false, &[]), Mark::Fail);
        assert_eq!(judge(9_000.0, true, &[]), Mark::Void);
        assert_eq!(judge(4_000.0, false, &[("unsent", 20)]), Mark::Fail);
        assert_eq!(judge(4_000.0, true, &[("unsent", 20)]), Mark::Void);
    }

    #[test]
    fn what_was_not_answered_did_not_pass() {
        let goal = Goal {
            below_us: 5_000.0,
            errors_share: 1.0,
        };
        let mut failed = report(true, &[("connect_refused", 1_000)]);
        failed.nothing_answered = true;
        assert_eq!(goal.judge(0.0, &failed), Mark::Fail);
        let mut idle = report(false, &[]);
        idle.latency_us.count = 0;
        assert_eq!(goal.judge(0.0, &idle), Mark::Void);
    }

    #[test]
    fn the_limit_is_found_from_either_side() {
        for from in [10.0, 5_000.0, 80_000.0] {
            let (bracket, trials) = found(12_345.0, from, 1e6);
            let (passed, failed) = (bracket.passed.unwrap(), bracket.failed.unwrap().0);
            assert!(passed <= 12_345.0 && failed > 12_345.0, "{bracket:?}");
            assert!(failed / passed <= 1.05, "{bracket:?}");
            assert!(trials < 20, "{trials}");
        }
    }

    #[test]
    fn bounds_end_the_search() {
        let (bracket, _) = found(1e9, 100.0, 1_000.0);
        assert_eq!((bracket.passed, bracket.failed), (Some(1_000.0), None));
        let (bracket, _) = found(0.5, 100.0, 1_000.0);
        assert_eq!(bracket.passed, None);
    }

    #[test]
    fn one_odd_run_decides_nothing() {
        let play = |marks: &[Mark]| {
            let mut marks = marks.iter().copied();
            decide(3, || Ok(marks.next().unwrap())).unwrap()
        };
        assert_eq!(play(&[Mark::Fail, Mark::Pass, Mark::Pass]), Mark::Pass);
        assert_eq!(
            play(&[Mark::Void, Mark::Pass, Mark::Void, Mark::Pass]),
            Mark::Pass
        );
        assert_eq!(
            play(&[Mark::Pass, Mark::Fail, Mark::Void, Mark::Fail]),
            Mark::Fail
        );
        assert_eq!(play(&[Mark::Void; 4]), Mark::Void);
    }
}
