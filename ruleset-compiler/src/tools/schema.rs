//! `schema`: the JSON Schema of ruleset or group files, for editors.

use clap::ValueEnum;

use crate::schema;
use crate::terminal::{CliError, Status, Terminal};

/// Which files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Ruleset files
    Ruleset,
    /// Group files
    Group,
}

/// Prints a schema.
///
/// # Errors
/// When the terminal cannot be written.
pub fn run(of: SchemaOf, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let schema = match of {
        SchemaOf::Ruleset => schema::ruleset(),
        SchemaOf::Group => schema::group(),
    };
    writeln!(terminal.out, "{schema:#}")?;
    Ok(Status::Good)
}
