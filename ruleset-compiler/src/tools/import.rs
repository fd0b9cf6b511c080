//! `import`: other products' rules to a folder with a ruleset, and a report of every line.

use std::path::{Path, PathBuf};

use crate::cli::{CliError, ImportArgs, ImportFormat, SquidArgs, Status, Terminal};
use crate::diagnostic::counted;
use crate::import::input::DiskInput;
use crate::import::report::Fate;
use crate::import::squid::{self, SquidOptions};
use crate::import::{Import, write_folder};
use crate::tools::table;

/// More lines than this are not shown on the terminal but in the folder's report.
const SHOWN_ENTRIES_MAX: usize = 200;

/// Imports, writes the folder, and says what became of each line.
///
/// # Errors
/// When the source cannot be read, or the folder or the terminal cannot be written.
pub fn run(format: &ImportFormat, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let args = format.args();
    let import = match format {
        ImportFormat::Squid(squid) => squid_import(squid)?,
    };
    write_folder(&args.out, &import.folder_files(), args.force)?;
    let said = if args.json {
        json(&import, &args.out)
    } else {
        text(&import, &args.out)
    };
    terminal.out.write_all(said.as_bytes())?;
    let is_whole = import.report.count(Fate::Left) == 0;
    Ok(if args.strict && !is_whole {
        Status::Problems
    } else {
        Status::Good
    })
}

fn squid_import(args: &SquidArgs) -> Result<Import, CliError> {
    let (input, name) = input(&args.common, args.root.as_deref())?;
    let options = SquidOptions {
        zone: args.zone.clone(),
    };
    Ok(squid::import(&input, &name, &options)?)
}

/// The files beside the one that is imported, and its own name.
fn input(args: &ImportArgs, root: Option<&Path>) -> Result<(DiskInput, String), CliError> {
    let source = &args.source;
    let name = source
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| CliError::Usage(format!("`{}` does not name a file", source.display())))?;
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
