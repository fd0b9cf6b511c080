//! Where reports are written to, and read from.

use std::io::Write as _;
use std::path::Path;

use super::json::{Report, SCHEMA_VERSION};
use super::{hgrm, hlog, html, text, threshold};
use crate::cli::{OutputArgs, ReportArgs, ThresholdArgs};
use crate::error::LoadError;
use crate::status::Status;

/// `sallyport-load report`: renders a report again.
pub(crate) fn again(args: &ReportArgs) -> Result<Status, LoadError> {
    let reports = read(&args.file)?;
    let [report] = reports.as_slice() else {
        return Err(LoadError::Content {
            path: args.file.clone(),
            reason: format!("{} reports in it, not one", reports.len()),
        });
    };
    write(report, &args.output)?;
    // That it is void was said when it was measured.
    Ok(match conclude(report, &args.thresholds) {
        Status::Undecided if args.thresholds.fail_on.is_empty() => Status::Holds,
        status => status,
    })
}

/// The exit status of a run, after saying which thresholds it exceeds.
pub(crate) fn conclude(report: &Report, args: &ThresholdArgs) -> Status {
    let (status, exceeded) = threshold::hold(report, &args.fail_on);
    for line in exceeded {
        eprintln!("sallyport-load: {line}");
    }
    status
}

/// Prints a report and writes it in every other form that was asked for.
pub(crate) fn write(report: &Report, output: &OutputArgs) -> Result<(), LoadError> {
    let json = report
        .to_json()
        .map_err(|error| LoadError::io("report")(error.into()))?;
    let rendered = if output.json {
        json.clone()
    } else {
        text::render(report)
    };
    print(&rendered)?;
    if let Some(path) = &output.json_file {
        save(path, json.as_bytes())?;
    }
    if let Some(path) = &output.html {
        save(path, html::page(report).as_bytes())?;
    }
    if let Some(path) = &output.hgrm {
        save(path, hgrm::render(report).as_bytes())?;
    }
    if let Some(path) = &output.hlog {
        save(path, hlog::render(report).as_bytes())?;
    }
    Ok(())
}

/// Prints to stdout.
pub(crate) fn print(text: &str) -> Result<(), LoadError> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(LoadError::io("stdout"))
}

/// Reads the reports in a file, one after the other.
pub(super) fn read(path: &Path) -> Result<Vec<Report>, LoadError> {
    let text = std::fs::read_to_string(path).map_err(|source| LoadError::File {
        path: path.to_owned(),
        source,
    })?;
    let wrong = |reason: String| LoadError::Content {
        path: path.to_owned(),
        reason,
    };
    let reports = serde_json::Deserializer::from_str(&text).into_iter::<Report>();
    let reports = reports
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    match reports
        .iter()
        .find(|report| report.schema_version != SCHEMA_VERSION)
    {
        Some(other) => Err(wrong(format!("schema version {}", other.schema_version))),
        None => Ok(reports),
    }
}

/// Writes a file.
pub(crate) fn save(path: &Path, bytes: &[u8]) -> Result<(), LoadError> {
    std::fs::write(path, bytes).map_err(|source| LoadError::File {
        path: path.to_owned(),
        source,
    })
}
