//! Where a configuration comes from: the only code of this room that reads files.

use std::io::{self, Read};
use std::path::Path;

use super::check::check;
use super::checked::Config;
use super::environment::{Environment, Overrides};
use super::error::{ConfigErrors, Problem};
use super::raw::{Report, Section};
use crate::limits::CONFIG_FILE_BYTES_MAX;

impl Config {
    /// Reads and checks a configuration file and what it names: `/etc/resolv.conf` if it lists no
    /// name server, `trusted_keys` and `responses.page`. The ruleset is not opened.
    ///
    /// # Errors
    /// Every problem of the file, or that it cannot be read.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self, ConfigErrors> {
        let fault = |message| ConfigErrors {
            problems: vec![Problem::of_file(path, message)],
            is_unreadable: false,
        };
        let bytes = read(path).map_err(|error| ConfigErrors {
            is_unreadable: true,
            ..fault(format!("cannot be read: {error}"))
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            fault(format!(
                "not UTF-8 at byte {}",
                error.utf8_error().valid_up_to()
            ))
        })?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::parse(
            &text,
            &Environment {
                file: path,
                overrides,
                cores,
                read: &read,
            },
        )
    }

    /// Checks the text of a configuration. Pure, but for what `environment` reads.
    ///
    /// # Errors
    /// Every problem of the text, in its order.
    pub fn parse(text: &str, environment: &Environment<'_>) -> Result<Self, ConfigErrors> {
        let report = Report::new(environment.file, text);
        let table = report.parse();
        let config = table.as_ref().map(|table| {
            check(
                Section::root(&report, table.get_ref()),
                &report,
                text,
                environment,
            )
        });
        report.finish(config)
    }
}

/// Reads a file of a bounded size.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let bound = CONFIG_FILE_BYTES_MAX as u64 + 1;
    std::fs::File::open(path)?
        .take(bound)
        .read_to_end(&mut bytes)?;
    if bytes.len() > CONFIG_FILE_BYTES_MAX {
        let message = format!("larger than {CONFIG_FILE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}
