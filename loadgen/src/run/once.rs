//! `sallyport-load run`: one run, one report.

use std::io::IsTerminal as _;
use std::time::Duration;

use super::ceiling;
use super::measure::{Audience, measure};
use crate::cli::RunArgs;
use crate::error::LoadError;
use crate::plan::overlay;
use crate::plan::run::Plan;
use crate::report;
use crate::status::Status;

/// How long the meter's own ceiling is measured.
const CEILING_TIME: Duration = Duration::from_secs(1);

/// Runs the plan and prints the report.
pub(crate) fn once(args: &RunArgs) -> Result<Status, LoadError> {
    let (file, place) = overlay::plan_file(&args.plan)?;
    let plan = Plan::new(&file, &place)?;
    let audience = if args.quiet || !std::io::stderr().is_terminal() {
        Audience::Nobody
    } else {
        Audience::Person
    };
    let ceiling = if args.ceiling {
        Some(ceiling::of(&file, &place, CEILING_TIME, None)?)
    } else {
        None
    };
    let outcome = measure(&plan, audience)?;
    let mut report = report::build(&plan, outcome);
    if let Some(ceiling) = ceiling {
        report::hold_against(&mut report, ceiling.requests_per_second);
    }
    report::write(&report, &args.output)?;
    Ok(report::conclude(&report, &args.thresholds))
}
