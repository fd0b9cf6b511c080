//! The tidy test: what holds of the whole repository and no compiler checks. Who may import whom,
//! how long a file may be, that files say what they are.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What each package may import of ours, tests and benches included. A new arrow is a change of
/// design. Nobody imports the engine but the fuzz targets, which see what an input reaches only where it
/// runs in their process; the load generator shares nothing with what it measures.
const ARROWS: &[(&str, &[&str])] = &[
    ("sallyport-ruleset", &[]),
    ("sallyport-wire", &[]),
    ("sallyport-dns", &[]),
    ("sallyport-pki", &[]),
    ("sallyport-identity", &[]),
    ("sallyport-excerpt", &[]),
    (
        "sallyport-rules",
        &["sallyport-excerpt", "sallyport-ruleset"],
    ),
    (
        "sallyport",
        &[
            "sallyport-dns",
            "sallyport-excerpt",
            "sallyport-identity",
            "sallyport-pki",
            "sallyport-ruleset",
            "sallyport-wire",
        ],
    ),
    ("sallyport-load", &[]),
    (
        "sallyport-benches",
        &["sallyport-dns", "sallyport-ruleset", "sallyport-wire"],
    ),
    (
        "sallyport-fuzz",
        &[
            "sallyport",
            "sallyport-dns",
            "sallyport-identity",
            "sallyport-rules",
            "sallyport-ruleset",
            "sallyport-wire",
        ],
    ),
];

/// Programs that are measured beside ours, each a workspace of its own that only its script builds.
const PEERS: &str = "benches/peers/";

/// Lines before the tests.
const FILE_LINES_MAX: usize = 500;

/// Longer files, each with the reason why it is one.
const LONG_FILES: &[(&str, &str)] = &[(
    "engine/src/limits.rs",
    "one list of every bound, read as a table, with the relations between them",
)];

/// The only `mod.rs` files that do more than list their rooms: what they hold is the order of things.
const MODULES_WITH_CODE: &[&str] = &[
    "engine/src/transaction/mod.rs",
    "engine/src/shard/mod.rs",
    "ruleset/src/evaluate/mod.rs",
];

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap().to_owned()
}

/// Tracked files and those that will be, by their path from the root.
fn files(suffix: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(&root(), "", &mut found);
    found.retain(|path| path.ends_with(suffix));
    found.sort();
    assert!(!found.is_empty(), "no {suffix} at all");
    found
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let is_built = ["target", ".git", "fuzz/target", "fuzz/artifacts"].contains(&path.as_str());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !is_built {
            walk(&entry.path(), &format!("{path}/"), found);
        } else if kind.is_file() {
            found.push(path);
        }
    }
}

fn read(path: &str) -> String {
    let bytes = fs::read(root().join(path)).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Fails with all offenders at once.
fn none(problems: impl IntoIterator<Item = String>) {
    let problems: Vec<String> = problems.into_iter().collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What each package imports of ours.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    let imports = packages.iter().map(|package| {
        let own = name(package);
        let all = package["dependencies"].as_array().unwrap().iter().map(name);
        // A package that names itself does so for the features that its tests need.
        let imported = all.filter(|name| ours.contains(name) && *name != own);
        let imported = imported.collect();
        (own, imported)
    });
    imports.collect()
}

/// A skip that is only printed counts as passed; that of `skip.rs` fails where none is allowed.
#[test]
fn tests_skip_in_one_way() {
    // Not written out, so that this file has none itself.
    let mark = ["SKIPPED", ": "].concat();
    let others = files(".rs").into_iter();
    none(
        others
            .filter(|path| path != "engine/tests/skip.rs" && read(path).contains(&mark))
            .map(|path| format!("{path}: skips by itself instead of by engine/tests/skip.rs")),
    );
}

#[test]
fn crates_import_only_what_is_drawn() {
    let imports = imports();
    let drawn: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let known: BTreeSet<&str> = drawn.keys().copied().collect();
    let found: BTreeSet<&str> = imports.keys().map(String::as_str).collect();
    assert_eq!(found, known, "a crate came or went");
    none(imports.iter().flat_map(|(package, imported)| {
        let allowed = drawn[package.as_str()];
        let excess = imported
            .iter()
            .filter(|name| !allowed.contains(&name.as_str()));
        excess.map(move |name| format!("{package} must not import {name}"))
    }));
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let mut manifests = files("/Cargo.toml");
    manifests.retain(|path| !path.starts_with(PEERS));
    assert_eq!(manifests.len(), ARROWS.len());
    let lacks = |path: &&String| !read(path).contains("[lints]\nworkspace = true");
    none(
        manifests
            .iter()
            .filter(lacks)
            .map(|path| format!("{path}: no `[lints] workspace = true`")),
    );
}

#[test]
fn pure_crates_reach_for_no_clock_socket_or_file() {
    for folder in [
        "ruleset",
        "engine/wire",
        "engine/dns",
        "engine/pki",
        "engine/identity",
    ] {
        let text = read(&format!("{folder}/clippy.toml"));
        for banned in [
            "Instant::now",
            "SystemTime::now",
            "env::var",
            "TcpStream",
            "UdpSocket",
            "File",
            "Mutex",
        ] {
            assert!(
                text.contains(banned),
                "{folder}/clippy.toml allows {banned}"
            );
        }
    }
}

/// Lines of a source file up to its tests.
fn lines_before_tests(text: &str) -> usize {
    let is_test_module = |pair: &[&str]| {
        pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    };
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(is_test_module);
    tests.unwrap_or(lines.len())
}

/// A file that holds tests and nothing else.
fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

#[test]
fn files_are_rooms_not_halls() {
    let is_long = |path: &str| lines_before_tests(&read(path)) > FILE_LINES_MAX;
    let listed = |path: &str| LONG_FILES.iter().any(|(long, _)| *long == path);
    let files = files(".rs");
    let long = files
        .iter()
        .filter(|path| !is_test_file(path) && is_long(path) && !listed(path));
    none(long.map(|path| {
        let lines = lines_before_tests(&read(path));
        format!("{path}: {lines} lines without tests, more than {FILE_LINES_MAX}")
    }));
    for (path, reason) in LONG_FILES {
        assert!(is_long(path), "{path} need not be listed any more");
        assert!(reason.len() > 20, "{path}: a reason is a sentence");
    }
}

#[test]
fn files_say_what_they_are() {
    let silent = |path: &String| !read(path).starts_with("//! ");
    let files = files(".rs");
    none(
        files
            .iter()
            .filter(|path| silent(path))
            .map(|path| format!("{path} begins without `//!`")),
    );
}

#[test]
fn module_files_list_and_do_nothing_else() {
    let files = files("/mod.rs");
    let modules = files
        .iter()
        .filter(|path| !is_test_file(path) && !MODULES_WITH_CODE.contains(&path.as_str()));
    none(modules.flat_map(|path| {
        let text = read(path);
        let lines = text.lines().filter(|line| is_function(line));
        lines
            .map(|line| format!("{path}: {}", line.trim()))
            .collect::<Vec<_>>()
    }));
}

/// Whether a line begins a function, whatever stands before `fn`.
fn is_function(line: &str) -> bool {
    let line = line.trim_start();
    let is_comment = line.starts_with("//");
    let mut words = line.split(' ');
    !is_comment
        && words.any(|word| word == "fn")
        && line.split(" fn ").next().is_some_and(|before| {
            let mut before = before.split(' ').filter(|word| *word != "fn");
            line.starts_with("fn ")
                || before.all(|word| {
                    word.starts_with("pub")
                        || word.ends_with(')')
                        || ["async", "const", "unsafe"].contains(&word)
                })
        })
}

#[test]
fn functions_are_told_from_what_mentions_them() {
    for line in [
        "fn a() {",
        "    pub fn a()",
        "pub(crate) async fn a(",
        "pub(in crate::b) const fn a()",
    ] {
        assert!(is_function(line), "{line}");
    }
    for line in [
        "/// A fn of bytes",
        "pub mod a;",
        "pub use a::{b, c};",
        "type F = fn(u8);",
    ] {
        assert!(!is_function(line), "{line}");
    }
}

#[test]
fn every_dependency_has_its_sentence() {
    let manifest = read("Cargo.toml");
    let table = manifest.split("[workspace.dependencies]\n").nth(1).unwrap();
    let table = table.split("\n[").next().unwrap();
    let mut above = "";
    let mut problems = Vec::new();
    for line in table.lines() {
        if let Some((name, value)) = line.split_once(" = ")
            && !line.starts_with('#')
            && !value.contains("path = ")
        {
            if !(above.starts_with("# ") && above.ends_with('.')) {
                problems.push(format!("{name}: what is it for?"));
            }
            if !value.contains("\"=") {
                problems.push(format!("{name}: not an exact version"));
            }
        }
        above = line;
    }
    none(problems);
}

#[test]
fn the_papers_are_there() {
    for path in [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "LICENSE",
        "deny.toml",
        "docs/internals/testing.md",
    ] {
        assert!(root().join(path).is_file(), "{path} is missing");
    }
}

/// Pages whose paths are followed by those who change something.
const GUIDES: &[&str] = &["CONTRIBUTING.md", "SECURITY.md", "docs/threat-model.md"];

#[test]
fn the_paths_that_guides_name_are_there() {
    let is_path = |word: &&str| {
        let first = word.split('/').next().unwrap_or_default();
        // NAME stands for any.
        let is_one = !word.contains(' ') && !word.contains("NAME");
        word.contains('/') && is_one && !first.is_empty() && root().join(first).is_dir()
    };
    let mut found = 0;
    let mut missing = Vec::new();
    for guide in GUIDES {
        let text = read(guide);
        // What stands between backticks is every second piece.
        for path in text.split('`').skip(1).step_by(2).filter(is_path) {
            found += 1;
            if !root().join(path).exists() {
                missing.push(format!("{guide} names {path}, which is not there"));
            }
        }
    }
    assert!(found > 50, "only {found} paths were found");
    none(missing);
}

/// Whoever looks for something in the engine begins with that page.
#[test]
fn the_architecture_has_every_room_of_the_engine() {
    let page = read("docs/internals/architecture.md");
    let part = |title: &str| {
        let behind = page.split(title).nth(1).unwrap();
        behind.split("\n#").next().unwrap().to_owned()
    };
    let rooms = part("## The engine's rooms");
    let rows = rooms.lines().filter(|line| line.starts_with("| `"));
    let first_cells = rows.filter_map(|line| line.split(" | ").next());
    let rooms: BTreeSet<String> = first_cells.flat_map(named).collect();
    let mut expected = entries("engine/src");
    // What is declared there, and folders of a file beside them.
    let files: Vec<String> = expected.iter().cloned().collect();
    let has_file = |name: &str| {
        let folder = name.strip_suffix('/');
        folder.is_some_and(|folder| files.contains(&format!("{folder}.rs")))
    };
    expected.retain(|name| name != "lib.rs" && !has_file(name));
    assert_eq!(rooms, expected);
    let steps: BTreeSet<String> = named(&part("### Inside `transaction/`")).collect();
    let missing = entries("engine/src/transaction").into_iter();
    none(
        missing
            .filter(|name| !steps.contains(name))
            .map(|name| format!("docs/internals/architecture.md: where is transaction/{name}?")),
    );
}

/// What stands between backticks and is the name of a file or a folder.
fn named(text: &str) -> impl Iterator<Item = String> {
    let words = text.split('`').skip(1).step_by(2);
    words
        .filter(|word| word.ends_with(".rs") || word.ends_with('/'))
        .map(str::to_owned)
}

/// Files and folders, the latter with a slash.
fn entries(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder))
        .unwrap()
        .map(Result::unwrap);
    entries
        .map(|entry| {
            let slash = if entry.path().is_dir() { "/" } else { "" };
            format!("{}{slash}", entry.file_name().to_string_lossy())
        })
        .collect()
}

/// Such a path works on one machine only.
#[test]
fn nobodys_home_is_mentioned() {
    let homes = ["/home", "/root", "/Users"].map(|home| format!("{home}/"));
    let problems = files("").into_iter().filter(|path| {
        let text = read(path);
        homes.iter().any(|home| text.contains(home.as_str()))
    });
    none(problems.map(|path| format!("{path} mentions a home folder")));
}
