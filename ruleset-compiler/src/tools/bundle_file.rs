//! The bundle that a tool is to look at: a file of one, or rule text that is compiled for it.

use std::path::Path;

use sallyport_ruleset::Bundle;

use crate::pipeline::{self, Options};
use crate::source::{BundleFileError, DiskFiles, load_bundle};
use crate::terminal::{CliError, Terminal};

/// Reads a bundle, or compiles rule text (`.toml`, `.json`); problems of rule text are said as `check`
/// says them. `None`: there were some.
///
/// # Errors
/// When the file cannot be read, or is no bundle.
pub(super) fn load_or_compile(
    path: &Path,
    terminal: &mut Terminal<'_>,
) -> Result<Option<Bundle>, CliError> {
    let is_text = path
        .extension()
        .is_some_and(|extension| extension == "toml" || extension == "json");
    let bundle = if is_text {
        let (files, name) = DiskFiles::beside(path)?;
        let options = Options {
            group_rules_max: usize::MAX,
            ..Options::default()
        };
        let compiled = pipeline::compile(&files, &name, &options)?;
        let checked = &compiled.checked;
        let Some(emitted) = compiled.emitted else {
            let said = checked
                .diagnostics
                .render(&checked.sources, terminal.colors);
            terminal.err.write_all(said.as_bytes())?;
            return Ok(None);
        };
        Bundle::load(emitted.bytes).map_err(|error| BundleFileError::Bad {
            path: path.to_owned(),
            error,
        })?
    } else {
        load_bundle(path)?
    };
    Ok(Some(bundle))
}
