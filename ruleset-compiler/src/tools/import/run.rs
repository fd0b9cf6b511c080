//! The command, and what is said of an import.

use std::path::{Path, PathBuf};

use super::args::ImportArgs;
use super::auto;
use super::format::Format;
use crate::diagnostic::counted;
use crate::import::aws::{self, AwsOptions};
use crate::import::hosts::{self, HostsOptions};
use crate::import::input::{DiskInput, InputFiles};
use crate::import::recognize::likenesses;
use crate::import::squid::{self, SquidOptions};
use crate::import::suricata::{self, SuricataOptions};
use crate::import::{Import, ImportError, aws_domain_list, write_folder};
use crate::source::{DiskFiles, NoFileName};
use crate::terminal::{CliError, Status, Terminal};
use crate::tools::table;

/// More lines than this are not shown on the terminal but in the folder's report.
const SHOWN_ENTRIES_MAX: usize = 200;

/// Imports, writes the folder, and says what became of each line.
///
/// # Errors
/// When the source cannot be read, or the folder or the terminal cannot be written.
pub fn run(format: &Format, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let (format, told) = match format {
        Format::Auto(args) => {
            let (format, told) = auto::recognized(args, &text_of(&args.common)?)?;
            (&{ format }, Some(told))
        }
        format => (format, None),
    };
    let args = format.args();
    let mut import = format.import().map_err(|error| with_hint(error, format))?;
    if let Some(told) = told {
        import.report.remark(told);
    }
    write_folder(&args.out, &import.folder_files(), args.force)?;
    let said = if args.json {
        json(&import, &args.out)
    } else {
        text(&import, &args.out)
    };
    terminal.out.write_all(said.as_bytes())?;
    let report = &import.report;
    let is_good = args.strict.is_none_or(|strict| strict.is_satisfied(report));
    Ok(if is_good && report.is_complete() {
        Status::Good
    } else {
        Status::Problems
    })
}

/// An error about what is in the file, with what the file looks like.
fn with_hint(error: CliError, format: &Format) -> CliError {
    let said = match &error {
        CliError::Import(
            said @ (ImportError::Nothing { .. }
            | ImportError::AllowsEverything { .. }
            | ImportError::Document { .. }
            | ImportError::Malformed(_)),
        ) => said.to_string(),
        _ => return error,
    };
    let own = format!("`import {}", format.name());
    let found = text_of(format.args()).map_or(Vec::new(), |text| likenesses(&text));
    let mut kinds: Vec<&str> = found.iter().map(|one| one.what).collect();
    kinds.retain(|kind| !kind.contains(&own));
    // What says least is told only if nothing says more.
    if kinds.len() > 1 {
        kinds.retain(|kind| !kind.starts_with("YAML"));
    }
    match kinds.join(", or ") {
        kinds if !kinds.is_empty() => CliError::Import(ImportError::Malformed(format!(
            "{said}\nthe file looks like {kinds}"
        ))),
        _ => error,
    }
}

impl Format {
    fn import(&self) -> Result<Import, CliError> {
        let root = match self {
            Self::Squid(args) => args.root.as_deref(),
            Self::Lists(format) => format.root(),
            _ => None,
        };
        let (files, name) = input(self.args(), root)?;
        Ok(match self {
            Self::Aws(args) => {
                let (files, name) = DiskFiles::beside(&args.common.source)?;
                let suffix_equals = args.aws_suffix_equals;
                let default = args.default;
                let options = AwsOptions {
                    suffix_equals,
                    default,
                };
                aws::import(&files, &name, options)?
            }
            Self::Squid(args) => {
                let zone = args.zone.clone();
                let decrypt = args.decrypt;
                let options = SquidOptions {
                    zone,
                    decrypt,
                    authority: args.ca.clone(),
                };
                squid::import(&files, &name, &options)?
            }
            Self::Suricata(args) => {
                let options = SuricataOptions {
                    order: args.order,
                    default: args.default,
                    variables: args.var.iter().cloned().collect(),
                    tls_inspection: args.tls_inspection,
                };
                suricata::import(&files, &name, &options)?
            }
            Self::AwsDomainList(_) => aws_domain_list::import(&files, &name)?,
            Self::Hosts(args) => {
                let options = HostsOptions {
                    format: args.format,
                    action: args.action,
                    exact: args.exact,
                };
                hosts::import(&files, &name, &options)?
            }
            Self::Lists(format) => format.import(&files, &name)?,
            Self::Auto(_) => return Err(CliError::Usage("a file is recognized once".to_owned())),
        })
    }
}

/// The text of the file that is imported.
fn text_of(args: &ImportArgs) -> Result<String, CliError> {
    let (files, name) = input(args, None)?;
    let text = files.text(&name);
    let unreadable = |why| ImportError::Unreadable { path: name, why };
    Ok(text.map_err(unreadable)?)
}

/// The files beside the one that is imported, and its own name.
fn input(args: &ImportArgs, root: Option<&Path>) -> Result<(DiskInput, String), CliError> {
    let source = &args.source;
    let name = source
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| NoFileName(source.clone()))?;
    let folder = source.parent().map_or_else(PathBuf::new, Path::to_owned);
    Ok((DiskInput::new(&folder, root), name.to_owned()))
}

fn text(import: &Import, out: &Path) -> String {
    let report = &import.report;
    let lines = if report.entries.len() <= SHOWN_ENTRIES_MAX {
        report.lines_text()
    } else {
        format!(
            "{} lines; each of them is in {}\n",
            report.entries.len(),
            out.join("import-report.txt").display()
        )
    };
    let title = format!(
        "{}: {} in {}, {} as a bundle; {} of the compiler",
        out.display(),
        counted(import.rules_count, "rule"),
        counted(import.files.len(), "file"),
        table::bytes(import.bundle_bytes),
        counted(import.warnings_count, "warning"),
    );
    format!(
        "{lines}\n{}\n{}{title}\n{}\n",
        report.kinds_text(),
        report.remarks_text(),
        report.summary()
    )
}

fn json(import: &Import, out: &Path) -> String {
    let mut value = import.report.json();
    if let Some(object) = value.as_object_mut() {
        let files: Vec<&str> = import.files.iter().map(|(path, _)| path.as_str()).collect();
        object.insert("folder".to_owned(), out.display().to_string().into());
        object.insert("files".to_owned(), files.into());
        object.insert("rules".to_owned(), import.rules_count.into());
        object.insert("warnings".to_owned(), import.warnings_count.into());
        object.insert("bundle_bytes".to_owned(), import.bundle_bytes.into());
    }
    format!("{value:#}\n")
}
