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

/// A folder for outputs, and a path in it that is not there yet.
fn nowhere() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    (folder, out)
}

fn case(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/import").join(path)
}

/// Imports a hosts file with these names into `out`, with one option.
fn import_names(names: &[&str], out: &Path, option: &str) -> (u8, String, String) {
    let source = tempfile::NamedTempFile::new().unwrap();
    let lines: String = names
        .iter()
        .map(|name| format!("0.0.0.0 {name}\n"))
        .collect();
    fs::write(source.path(), lines).unwrap();
    let (source, out) = (source.path().to_str().unwrap(), out.to_str().unwrap());
    run(&[
        "import", "hosts", source, "--format", "hosts", "--out", out, option,
    ])
}

#[test]
fn json_tells_what_the_report_in_the_folder_tells() {
    for (format, source) in [
        ("squid", "squid/debian/squid.conf"),
        ("suricata", "suricata/action/mixed.rules"),
        ("aws-domain-list", "aws-domain-list/allow/rule-group.json"),
        ("hosts", "hosts/adblock/list.txt"),
        ("aws", "aws/configuration/configuration.json"),
    ] {
        let (_folder, out) = nowhere();
        let (source, folder) = (case(source), out.to_str().unwrap());
        let source = source.to_str().unwrap();
        let (status, said, err) = run(&["import", format, source, "--out", folder, "--json"]);
        assert_eq!((status, err.as_str()), (0, ""), "{source}");
        let said: Value = serde_json::from_str(&said).unwrap();
        let mut written = tree(&out);
        let report = written.remove("import-report.txt").unwrap();
        let counts = ["carried", "changed", "left", "unneeded"]
            .map(|fate| format!("{} {fate}", said["counts"][fate]));
        let first = report.lines().next().unwrap();
        assert_eq!(Some(first), report.lines().last());
        let (fates, effects) = first.split_once("; ").unwrap();
        assert_eq!(fates, counts.join(", "));
        let expected = format!(
            "allows more: {}, denies more: {}",
            said["counts"]["allows_more"], said["counts"]["denies_more"]
        );
        assert_eq!(effects, expected);
        for line in said["lines"].as_array().unwrap() {
            let word = |key: &str| line[key].as_str().unwrap();
            let (file, number) = (word("file"), &line["line"]);
            let text = format!("{file}:{number}: {}: {}\n", word("fate"), word("text"));
            assert!(report.contains(&text), "{source}: {text}");
            for note in line["notes"].as_array().unwrap() {
                assert!(report.contains(&format!("    {}\n", note.as_str().unwrap())));
            }
        }
        let files = said["files"].as_array().unwrap().iter();
        let mut files: Vec<&str> = files.map(|file| file.as_str().unwrap()).collect();
        files.sort_unstable();
        assert_eq!(files, written.keys().collect::<Vec<_>>(), "{source}");
        assert_eq!(said["folder"], folder);
        assert_eq!(said["rules"], rules_count(&written), "{source}");
    }
}

fn rules_count(files: &BTreeMap<String, String>) -> usize {
    let is_rule =
        |line: &&str| ["[[pre_dns]]", "[[pre_request]]", "[[post_response]]"].contains(line);
    let groups = files.iter().filter(|(path, _)| path.starts_with("groups/"));
    groups
        .map(|(_, text)| text.lines().filter(is_rule).count())
        .sum()
}

#[test]
fn strict_fails_if_something_is_left_and_writes_it_all_the_same() {
    for (format, source, expected) in [
        ("squid", "squid/debian/squid.conf", 1),
        ("squid", "squid/scheme/squid.conf", 0),
        ("aws", "aws/configuration/configuration.json", 0),
    ] {
        let source = case(source);
        let folder = tempfile::tempdir().unwrap();
        let (strict, plain) = (folder.path().join("strict"), folder.path().join("plain"));
        let source = source.to_str().unwrap();
        let import = ["import", format, source, "--out"];
        let (status, said, _) =
            run(&[&import[..], &[strict.to_str().unwrap(), "--strict"]].concat());
        assert_eq!(status, expected, "{source}: {said}");
        let (status, _, _) = run(&[&import[..], &[plain.to_str().unwrap()]].concat());
        assert_eq!(status, 0, "{source}");
        assert_eq!(tree(&strict), tree(&plain), "{source}");
    }
}

#[test]
fn force_replaces_an_earlier_import_and_nothing_else() {
    let (_folder, out) = nowhere();
    let (status, _, err) = import_names(&["a.test"], &out, "--force");
    assert_eq!(status, 0, "{err}");
    let first = tree(&out);
    let (status, said, err) = import_names(&["b.test"], &out, "--json");
    assert_eq!((status, said.as_str()), (2, ""));
    assert!(err.contains("is there already; `--force`"), "{err}");
    assert_eq!(tree(&out), first);
    let (status, _, err) = import_names(&["b.test"], &out, "--force");
    assert_eq!(status, 0, "{err}");
    let second = tree(&out);
    assert!(second.values().any(|text| text.contains("b.test")));
    assert!(second.values().all(|text| !text.contains("a.test")));
    fs::write(out.join("groups/mine.txt"), "not from an import").unwrap();
    let (status, _, err) = import_names(&["c.test"], &out, "--force");
    assert_eq!(status, 2);
    assert!(err.contains("mine.txt`, which no import wrote"), "{err}");
    fs::remove_file(out.join("groups/mine.txt")).unwrap();
    assert_eq!(tree(&out), second);
    let (source, out_path) = (out.join("absent"), out.to_str().unwrap());
    let source = source.to_str().unwrap();
    let (status, _, err) = run(&["import", "squid", source, "--out", out_path, "--force"]);
    assert_eq!(status, 2);
    assert!(err.contains("cannot read `absent`"), "{err}");
    assert_eq!(tree(&out), second);
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
