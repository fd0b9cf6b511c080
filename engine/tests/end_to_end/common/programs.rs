//! Where programs are: the workspace's own binaries, and those of the system, which may be absent.

#[path = "system.rs"]
mod system_programs;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub(crate) use system_programs::{skip, system};

/// The proxy under test.
pub(crate) fn sallyport() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sallyport"))
}

/// The ruleset compiler.
pub(crate) fn sallyport_rules() -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    Command::new(PATH.get_or_init(|| sibling("sallyport-rules")))
}

/// The test origin.
pub(crate) fn sallyport_load() -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    Command::new(PATH.get_or_init(|| sibling("sallyport-load")))
}

/// A binary of another package of the workspace. `cargo test --workspace` has built it beside ours;
/// a test run of this package alone builds it now.
fn sibling(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_sallyport")).parent().unwrap();
    let path = folder.join(name);
    if path.exists() {
        return path;
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    eprintln!("{} is not there: building it", path.display());
    let built = Command::new(cargo)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
        .args([
            "build",
            "--package",
            name,
            "--bin",
            name,
            "--profile",
            profile,
            "--target-dir",
        ])
        .arg(folder.parent().unwrap())
        .status();
    assert!(
        built.is_ok_and(|status| status.success()) && path.exists(),
        "cannot build {name}; `cargo build --bin {name}` says why, `cargo test --workspace` builds all"
    );
    path
}

/// A Python that has `packages`: the one that `SALLYPORT_TEST_PYTHON` names, or `python3`.
pub(crate) fn python_with(packages: &[&str]) -> Option<PathBuf> {
    let python = match env::var_os("SALLYPORT_TEST_PYTHON") {
        Some(python) => PathBuf::from(python),
        None => system("python3")?,
    };
    let imports = format!("import {}", [&["sys"], packages].concat().join(", "));
    let imported = Command::new(&python).args(["-c", &imports]).output();
    if imported.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    skip(&format!(
        "{} lacks {}",
        python.display(),
        packages.join(" or ")
    ));
    None
}

/// Node with a package of npm, from the folder that `SALLYPORT_TEST_NODE_MODULES` names or from where
/// Node looks by itself.
pub(crate) fn node_with(package: &str) -> Option<Command> {
    let node = system("node")?;
    let command = || {
        let mut command = Command::new(&node);
        if let Some(modules) = env::var_os("SALLYPORT_TEST_NODE_MODULES") {
            command.env("NODE_PATH", modules);
        }
        command
    };
    let required = command()
        .args(["-e", &format!("require('{package}')")])
        .output();
    if required.is_ok_and(|output| output.status.success()) {
        return Some(command());
    }
    skip(&format!("{} lacks {package}", node.display()));
    None
}
