//! `compile` and `check`: run the pipeline, say what it found, write the bundle.

use std::path::Path;
use std::time::Instant;

use crate::cli::{CliError, Status, Terminal};
use crate::diagnostic::counted;
use crate::emit::{self, Emitted};
use crate::pipeline::{self, Checked, Options};
use crate::source::DiskFiles;
use crate::tools::table;

/// Compiles a ruleset; writes the bundle if a path for it is given.
///
/// # Errors
/// When the ruleset cannot be read, or the bundle or the terminal cannot be written.
pub fn run(
    ruleset: &Path,
    bundle: Option<&Path>,
    options: &Options,
    quiet: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Status, CliError> {
    let started = Instant::now();
    let (files, name) = DiskFiles::beside(ruleset).map_err(CliError::Usage)?;
    let compiled = pipeline::compile(&files, &name, options).map_err(CliError::Root)?;
    say_problems(&compiled.checked, options, quiet, terminal)?;
    let Some(emitted) = compiled.emitted else {
        return Ok(Status::Problems);
    };
    if let Some(path) = bundle {
        emit::write_atomically(path, &emitted.bytes).map_err(|error| CliError::Write {
            path: path.to_owned(),
            error,
        })?;
    }
    if !quiet {
        let title = bundle.map_or_else(
            || format!("{} is good", ruleset.display()),
            |path| path.display().to_string(),
        );
        let seconds = started.elapsed().as_secs_f64();
        terminal
            .out
            .write_all(summary(&title, &emitted, seconds).as_bytes())?;
    }
    Ok(Status::Good)
}

/// Errors are said even when quiet; warnings then only if they are denied.
fn say_problems(
    checked: &Checked,
    options: &Options,
    quiet: bool,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let diagnostics = &checked.diagnostics;
    let (errors, warnings) = (diagnostics.errors_count(), diagnostics.warnings_count());
    if errors + warnings == 0 || (quiet && checked.ruleset.is_some()) {
        return Ok(());
    }
    terminal.err.write_all(
        diagnostics
            .render(&checked.sources, terminal.colors)
            .as_bytes(),
    )?;
    let counts = format!(
        "{}, {}",
        counted(errors, "error"),
        counted(warnings, "warning")
    );
    let outcome = match (errors, options.deny_warnings && warnings > 0) {
        (0, false) => "",
        (0, true) => "; warnings are denied, no bundle",
        _ => "; no bundle",
    };
    writeln!(terminal.err, "{counts}{outcome}")?;
    Ok(())
}

fn summary(title: &str, emitted: &Emitted, seconds: f64) -> String {
    let mut lines = table::sizes(&emitted.sizes);
    lines.push(("id", emitted.id.clone()));
    lines.push(("time", format!("{seconds:.2} s")));
    format!("{title}\n{}", table::render(&lines))
}
