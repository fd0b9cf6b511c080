//! `sallyport-load run`: one run, one report.

use std::time::Duration;

use super::ceiling::{self, Own};
use super::measure::measure;
use super::progress::Viewer;
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
    let viewer = Viewer::unless(args.quiet);
    let ceiling = if args.ceiling {
        Some(ceiling::of(
            &file,
            &place,
            &Own {
                duration: CEILING_TIME,
                origin_pin: None,
                viewer: viewer.as_ref(),
            },
        )?)
    } else {
        None
    };
    let outcome = measure(&plan, viewer.as_ref())?;
    let mut report = report::build(&plan, outcome);
    if let Some(ceiling) = ceiling {
        report::hold_against(&mut report, ceiling.requests_per_second);
    }
    report::write(&report, &args.output)?;
    Ok(report::conclude(&report, &args.thresholds))
}
