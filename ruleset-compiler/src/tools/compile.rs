//! `compile` and `check`: run the pipeline, say what it found, write the bundle.

use std::path::Path;
use std::time::Instant;

use sallyport_ruleset::{Phase, Ruleset};

use crate::diagnostic::{counted, unreadable_json_line};
use crate::emit::{self, Emitted};
use crate::pipeline::{self, Checked, Options};
use crate::source::DiskFiles;
use crate::terminal::{CliError, Format, Status, Terminal};
use crate::tools::progress::Bar;
use crate::tools::{sign, table};
use crate::validate::condition::is_http;

/// Where a bundle goes.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The file.
    pub path: &'a Path,
    /// The private key to sign with, if it is to be signed.
    pub key: Option<&'a Path>,
}

/// How much is said, and how.
#[derive(Clone, Copy, Debug)]
pub struct Verbosity {
    /// Nothing, unless the ruleset is refused.
    pub quiet: bool,
    /// For whom.
    pub format: Format,
}

/// Compiles a ruleset; writes the bundle if a path for it is given.
///
/// # Errors
/// When the ruleset cannot be read, or the bundle or the terminal cannot be written.
pub fn run(
    ruleset: &Path,
    target: Option<Target<'_>>,
    options: &Options,
    verbosity: Verbosity,
    terminal: &mut Terminal<'_>,
) -> Result<Status, CliError> {
    let started = Instant::now();
    let (files, name) = DiskFiles::beside(ruleset)?;
    let bar = Bar::new(terminal.is_watched && !verbosity.quiet && verbosity.format == Format::Text);
    let compiled = pipeline::compile_watched(&files, &name, options, &bar);
    drop(bar);
    let compiled = match compiled {
        Ok(compiled) => compiled,
        Err(error) => {
            if verbosity.format == Format::Json {
                let line = unreadable_json_line(&name, &error.to_string());
                terminal.out.write_all(line.as_bytes())?;
            }
            return Err(CliError::Root(error));
        }
    };
    say_problems(&compiled.checked, options, verbosity, terminal)?;
    let Some(emitted) = compiled.emitted else {
        return Ok(Status::Problems);
    };
    if let Some(target) = target {
        let mut bytes = emitted.bytes.clone();
        if let Some(key) = target.key {
            bytes.extend(sign::signature(&bytes, key)?);
        }
        emit::write_atomically(target.path, &bytes).map_err(|error| CliError::Write {
            path: target.path.to_owned(),
            error,
        })?;
    }
    if !verbosity.quiet && verbosity.format == Format::Text {
        let title = target.map_or_else(
            || format!("{} is good", ruleset.display()),
            |target| target.path.display().to_string(),
        );
        let seconds = started.elapsed().as_secs_f64();
        terminal
            .out
            .write_all(summary(&title, &compiled.checked, &emitted, options, seconds).as_bytes())?;
    }
    Ok(Status::Good)
}

/// Errors are said even when quiet; warnings then only if they are denied.
fn say_problems(
    checked: &Checked,
    options: &Options,
    verbosity: Verbosity,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let diagnostics = &checked.diagnostics;
    let (errors, warnings) = (diagnostics.errors_count(), diagnostics.warnings_count());
    if errors + warnings == 0 || (verbosity.quiet && checked.ruleset.is_some()) {
        return Ok(());
    }
    if verbosity.format == Format::Json {
        let lines = diagnostics.json_lines(&checked.sources);
        return Ok(terminal.out.write_all(lines.as_bytes())?);
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

fn summary(
    title: &str,
    checked: &Checked,
    emitted: &Emitted,
    options: &Options,
    seconds: f64,
) -> String {
    let mut lines = table::sizes(&emitted.sizes);
    let inside = checked.ruleset.as_ref().map_or(0, rules_about_content);
    if inside > 0 && !options.tls_passthrough {
        let noun = if inside == 1 {
            "rule needs"
        } else {
            "rules need"
        };
        let said = format!(
            "TLS is intercepted: {inside} {noun} what is inside it (`--tls passthrough` names them)"
        );
        lines.push(("assumed", said));
    }
    if let count @ 1.. = checked.uncompared_count {
        let said = format!(
            "{}: too many earlier ones meet them",
            counted(count, "rule")
        );
        lines.push(("not known to be reached", said));
    }
    lines.push(("id", emitted.id.clone()));
    lines.push(("time", format!("{seconds:.2} s")));
    format!("{title}\n{}", table::render(&lines))
}

/// Rules that see nothing where TLS is passed through: those for responses, and those about a request head.
fn rules_about_content(ruleset: &Ruleset) -> usize {
    let heads = ruleset.rules(Phase::PreRequest).filter(|(_, rule)| {
        let mut conditions = rule.conditions.iter();
        conditions.any(|condition| is_http(&condition.field))
    });
    heads.count() + ruleset.rules(Phase::PostResponse).count()
}
