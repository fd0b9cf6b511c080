//! Imports: each folder `tests/import/FORMAT/CASE` holds a source, what must come out of it
//! (`expected/`), and requests with the decision that each must meet (`requests.txt`).
//!
//! `UPDATE_CASES=1 cargo test -p sallyport-rules --test import` rewrites what is expected; read the
//! difference before you commit it. The requests are never rewritten.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot read its cases has failed"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use sallyport_rules::cli::{Cli, Terminal};
use sallyport_rules::diagnostic::Colors;
use serde_json::Value;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
    let mut cases: Vec<PathBuf> = children(&folder)
        .iter()
        .flat_map(|format| children(format))
        .collect();
    cases.sort();
    cases
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect()
}

/// Runs the command line in this process: its exit status, output and complaints.
fn run(arguments: &[&str]) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let cli = Cli::try_parse_from([&["sallyport-rules"], arguments].concat()).unwrap();
    let status = cli.run(&mut Terminal {
        out: &mut out,
        err: &mut err,
        is_watched: false,
        colors: Colors::NONE,
    });
    (
        status,
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    )
}

/// The file that is imported: the only one in the folder, or `configuration.json` among others.
fn source(case: &Path) -> PathBuf {
    let configuration = case.join("configuration.json");
    if configuration.is_file() {
        return configuration;
    }
    let mut files: Vec<PathBuf> = fs::read_dir(case)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let helpers = ["requests.txt", "options.txt"];
    files.retain(|path| path.is_file() && !helpers.iter().any(|name| path.ends_with(name)));
    assert_eq!(files.len(), 1, "{}", case.display());
    files.remove(0)
}

/// Imports a case into a folder; more options stand in its `options.txt`.
fn import(case: &Path, out: &Path) {
    let format = case
        .parent()
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap();
    let source = source(case);
    let options = fs::read_to_string(case.join("options.txt")).unwrap_or_default();
    let root = case.join("root");
    let mut arguments = vec![
        "import",
        format,
        source.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    arguments.extend(options.split_whitespace());
    if root.is_dir() {
        arguments.extend(["--root", root.to_str().unwrap()]);
    }
    let (status, _, err) = run(&arguments);
    assert_eq!(status, 0, "{}: {err}", case.display());
}

fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(folder)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn every_case_gives_what_is_expected() {
    let cases = cases();
    assert!(cases.len() >= 11, "only {} cases found", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        import(&case, &out);
        let expected = case.join("expected");
        if std::env::var_os("UPDATE_CASES").is_some() {
            let _ = fs::remove_dir_all(&expected);
            for (name, text) in tree(&out) {
                fs::create_dir_all(expected.join(&name).parent().unwrap()).unwrap();
                fs::write(expected.join(&name), text).unwrap();
            }
        }
        let (found, expected) = (tree(&out), tree(&expected));
        for name in found.keys().chain(expected.keys()) {
            if found.get(name) != expected.get(name) {
                let found = found.get(name).map_or("", String::as_str);
                wrong.push(format!("==== {} {name}\n{found}", case.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What an import writes is what the compiler takes, without a word about a rule that cannot be.
#[test]
fn every_output_compiles_and_decides_as_the_source_did() {
    let mut requests_count = 0;
    for case in cases() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        import(&case, &out);
        let bundle = folder.path().join("rules.spb");
        let ruleset = out.join("ruleset.toml");
        let bundle = bundle.to_str().unwrap();
        let (status, _, err) = run(&["compile", ruleset.to_str().unwrap(), "-q", "-o", bundle]);
        assert_eq!(status, 0, "{}: {err}", case.display());
        let requests = fs::read_to_string(case.join("requests.txt")).unwrap();
        for line in requests
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            check(&case, bundle, line);
            requests_count += 1;
        }
    }
    assert!(requests_count > 40, "only {requests_count} requests found");
}

/// `decision rule-or-dash | arguments of explain`; `'` keeps an argument together.
fn check(case: &Path, bundle: &str, line: &str) {
    let (expected, request) = line.split_once('|').unwrap();
    let mut expected = expected.split_whitespace();
    let (decision, rule) = (expected.next().unwrap(), expected.next().unwrap());
    let mut arguments = vec!["explain", bundle, "--json"];
    for (at, part) in request.split('\'').enumerate() {
        if at % 2 == 1 {
            arguments.push(part);
        } else {
            arguments.extend(part.split_whitespace());
        }
    }
    let (status, out, err) = run(&arguments);
    assert_eq!(status, 0, "{}: {line}: {err}", case.display());
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        answer["decision"],
        decision,
        "{}: {line}\n{answer:#}",
        case.display()
    );
    let phases = answer["phases"].as_array().unwrap();
    let decisive = phases
        .iter()
        .rev()
        .find(|phase| phase["outcome"] == decision)
        .unwrap();
    if rule == "-" {
        assert_eq!(
            decisive["by_default"],
            true,
            "{}: {line}\n{answer:#}",
            case.display()
        );
    } else if let Some(alert) = rule.strip_prefix("alert:") {
        let alerts = phases
            .iter()
            .flat_map(|phase| phase["alerts"].as_array().cloned().unwrap_or_default());
        let names: Vec<Value> = alerts.map(|found| found["rule"].clone()).collect();
        assert!(
            names.iter().any(|name| name == alert),
            "{}: {line}\n{answer:#}",
            case.display()
        );
    } else if rule != "*" {
        let by: Vec<&Value> = phases.iter().map(|phase| &phase["by"]["rule"]).collect();
        assert!(
            by.iter().any(|name| *name == rule),
            "{}: {line}\n{answer:#}",
            case.display()
        );
    }
}
