//! The compiler as tests start it, and a folder of files for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn rules(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sallyport-rules"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap().to_owned()
}

/// A folder with a compiled example as `rules.spb`.
pub(crate) fn compiled(example: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("rules.spb");
    let arguments = ["compile", example, "-q", "-o", bundle.to_str().unwrap()];
    succeeds(&root().join("examples"), &arguments);
    folder
}

pub(crate) fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = rules(folder, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Exit code, output, errors.
pub(crate) fn ends(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = rules(folder, arguments);
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

pub(crate) fn write(folder: &Path, name: &str, content: &str) {
    std::fs::write(folder.join(name), content).unwrap();
}
