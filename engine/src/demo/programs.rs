//! The other programs of the project: beside this one, or built by the cargo that runs it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{DemoError, doing};

/// Where the programs are.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) proxy: PathBuf,
    pub(super) compiler: PathBuf,
    pub(super) load: PathBuf,
}

const COMPILER: &str = "sallyport-rules";
const LOAD: &str = "sallyport-load";

impl Programs {
    /// Finds them. Under `cargo run` they are built first, which does nothing when they are new.
    pub(super) fn locate() -> Result<Self, DemoError> {
        let proxy = env::current_exe().map_err(doing("finding this program"))?;
        let folder = proxy.parent().map(Path::to_owned).unwrap_or_default();
        if let Some(cargo) = env::var_os("CARGO") {
            build(Path::new(&cargo), &folder)?;
        }
        let find = |name: &'static str| {
            let path = folder.join(name);
            match path.is_file() {
                true => Ok(path),
                false => Err(DemoError::Missing {
                    name,
                    beside: proxy.clone(),
                }),
            }
        };
        Ok(Self {
            compiler: find(COMPILER)?,
            load: find(LOAD)?,
            proxy,
        })
    }
}

/// Builds both in the profile whose folder this program is in.
fn build(cargo: &Path, folder: &Path) -> Result<(), DemoError> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    if !manifest.is_file() {
        return Ok(());
    }
    let profile = folder
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("debug");
    let profile = if profile == "debug" { "dev" } else { profile };
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--profile", profile, "--manifest-path"])
        .arg(manifest)
        .args(["--bin", COMPILER, "--bin", LOAD])
        .args(
            target_folder(folder)
                .into_iter()
                .flat_map(|target| ["--target-dir".into(), target]),
        )
        .status()
        .map_err(doing("running cargo"))?;
    match status.success() {
        true => Ok(()),
        false => Err(DemoError::Failed {
            program: "cargo",
            output: status.to_string(),
        }),
    }
}

fn target_folder(folder: &Path) -> Option<std::ffi::OsString> {
    folder.parent().map(|target| target.as_os_str().to_owned())
}
