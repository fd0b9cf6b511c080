//! `docs/migrating/*.md` tell the truth: their commands run, their examples are what the importer
//! reads and writes, their options exist and are all of them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot read the documentation has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use sallyport_rules::cli::{Cli, Terminal};
use sallyport_rules::diagnostic::Colors;
use serde_json::Value;

const GUIDES: [&str; 4] = [
    "squid.md",
    "aws-network-firewall.md",
    "aws-preview.md",
    "lists.md",
];

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap().to_owned()
}

fn guide(name: &str) -> String {
    fs::read_to_string(root().join("docs/migrating").join(name)).unwrap()
}

/// Runs the command line in this process: its exit status and complaints.
fn run(arguments: &[String]) -> (u8, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => panic!("{arguments:?}: {error}"),
    };
    let status = cli.run(&mut Terminal {
        out: &mut out,
        err: &mut err,
        is_watched: false,
        colors: Colors::NONE,
    });
    (status, String::from_utf8(err).unwrap())
}

/// The source behind a file name of the guides, below `tests/import`.
fn source(command: &str, format: &str, name: &str) -> Option<PathBuf> {
    let case = match (command, format, name) {
        ("import", "squid", "/etc/squid/squid.conf") => "squid/debian/squid.conf",
        ("import", "suricata", "egress.rules") => "suricata/strict/egress.rules",
        ("import", "suricata", "main.tf") => "suricata/terraform/main.tf",
        ("import", "suricata", "template.yaml") => "suricata/cloudformation/template.yaml",
        ("import", "suricata", "rule-group.json") => "suricata/rule-group/rule-group.json",
        ("import", "aws-domain-list", "rule-group.json") => "aws-domain-list/allow/rule-group.json",
        ("import", "aws", "group.json") => "aws/configuration/platform.json",
        ("import", _, "policy.yaml") => "cilium/egress/policy.yaml",
        ("import", _, "service-entries.yaml") => "istio/entries/service-entries.yaml",
        ("import", _, "acl.yaml") => "smokescreen/services/acl.yaml",
        ("import", _, "policy.json") => "azure-firewall/policy/policy.json",
        ("import", _, "filter.yaml") => "envoy-rbac/allow/filter.yaml",
        ("import", _, "init-firewall.sh") => "firewall-script/devcontainer/init-firewall.sh",
        ("import", _, "build.yml") => "endpoints/workflow/build.yml",
        ("import", _, "url-list.yaml") => "google-swp/list/url-list.yaml",
        ("import", _, "drop.txt") => "addresses/blocklist/drop.txt",
        ("import", _, "filter.txt") => "tinyproxy/blocklist/filter.txt",
        ("import", _, "squidGuard.conf") => "squidguard/office/squidGuard.conf",
        ("import", _, "/etc/copied") => "squidguard/office/root",
        (_, _, "configuration.json") => "aws/configuration/configuration.json",
        _ => return None,
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Some(root.join("tests/import").join(case))
}

/// Commands that stand on lines of their own, and those with arguments within sentences.
fn commands(guide: &str) -> Vec<Vec<String>> {
    let lines = guide.lines().filter_map(|line| line.strip_prefix("    "));
    let lines = lines.map(|line| line.split('#').next().unwrap_or(line));
    let spans = guide.split('`').skip(1).step_by(2);
    let all = lines
        .chain(spans)
        .filter(|text| text.starts_with("sallyport-rules "));
    let all = all.map(|text| text.split_whitespace().map(str::to_owned).collect());
    all.filter(|words: &Vec<String>| words.len() > 2).collect()
}

#[test]
fn every_command_runs() {
    let mut commands_count = 0;
    for name in GUIDES {
        let folder = tempfile::tempdir().unwrap();
        let here = |file: &str| folder.path().join(file);
        for mut words in commands(&guide(name)) {
            let (command, format) = (words[1].clone(), words[2].clone());
            for word in &mut words[2..] {
                let path = match source(&command, &format, word) {
                    Some(path) => path,
                    None if ["rules", "rules.spb", "rules/ruleset.toml"]
                        .contains(&word.as_str()) =>
                    {
                        here(word)
                    }
                    None => continue,
                };
                *word = path.to_str().unwrap().to_owned();
            }
            if command == "import" {
                let _ = fs::remove_dir_all(here("rules"));
            }
            let (status, err) = run(&words);
            assert_eq!(status, 0, "{name}: {words:?}: {err}");
            commands_count += 1;
        }
    }
    assert!(commands_count >= 9, "only {commands_count} commands found");
}

/// The case that a guide names, with what an import of it reads and writes.
fn texts(guide: &str) -> Vec<String> {
    let marker = "`ruleset-compiler/tests/import/";
    let (_, rest) = guide.split_once(marker).unwrap();
    let path = rest.split('`').next().unwrap();
    let named = root().join("ruleset-compiler/tests/import").join(path);
    let case = if named.is_dir() {
        named
    } else {
        named.parent().unwrap().to_owned()
    };
    let format = path.split('/').next().unwrap();
    let file = [
        "squid.conf",
        "egress.rules",
        "configuration.json",
        "policy.yaml",
    ]
    .map(|name| case.join(name));
    let file = file.iter().find(|file| file.is_file()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let words = [
        "sallyport-rules",
        "import",
        format,
        file.to_str().unwrap(),
        "--out",
    ];
    let mut words: Vec<String> = words.map(str::to_owned).to_vec();
    words.push(out.to_str().unwrap().to_owned());
    let options = fs::read_to_string(case.join("options.txt")).unwrap_or_default();
    words.extend(options.split_whitespace().map(str::to_owned));
    let (status, err) = run(&words);
    assert_eq!(status, 0, "{words:?}: {err}");
    let mut texts = Vec::new();
    for folder in [case, out.join("groups"), out] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}

/// Whole lines one after the other.
fn holds(text: &str, lines: &str) -> bool {
    format!("\n{text}\n").contains(&format!("\n{}\n", lines.trim_end()))
}

fn holds_value(value: &Value, wanted: &Value) -> bool {
    value == wanted
        || match value {
            Value::Array(items) => items.iter().any(|item| holds_value(item, wanted)),
            Value::Object(members) => members.values().any(|item| holds_value(item, wanted)),
            _ => false,
        }
}

/// A line and those that are indented below it.
fn entries(text: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for line in text.lines() {
        match entries.last_mut() {
            Some(entry) if line.starts_with(' ') => *entry = format!("{entry}\n{line}"),
            _ => entries.push(line.to_owned()),
        }
    }
    entries
}

#[test]
fn every_example_is_read_or_written() {
    let mut examples_count = 0;
    for name in GUIDES {
        let guide = guide(name);
        let texts = texts(&guide);
        let mut fences = guide.split("\n```").skip(1);
        while let (Some(block), Some(_)) = (fences.next(), fences.next()) {
            let (form, example) = block.split_once('\n').unwrap();
            match form {
                "json" => {
                    let wanted: Value = serde_json::from_str(example).unwrap();
                    let mut values = texts
                        .iter()
                        .filter_map(|text| serde_json::from_str(text).ok());
                    let is_there = values.any(|value: Value| holds_value(&value, &wanted));
                    assert!(is_there, "{name}:\n{example}");
                }
                "toml" => assert!(
                    texts.iter().any(|text| holds(text, example)),
                    "{name}:\n{example}"
                ),
                _ => {
                    for entry in entries(example) {
                        assert!(
                            texts.iter().any(|text| holds(text, &entry)),
                            "{name}:\n{entry}"
                        );
                    }
                }
            }
            examples_count += 1;
        }
    }
    assert!(examples_count >= 7, "only {examples_count} examples found");
}

#[test]
fn every_option_is_described() {
    let command = Cli::command();
    let import = command.find_subcommand("import").unwrap();
    let common = guide("squid.md");
    for (format, name) in [
        ("squid", "squid.md"),
        ("suricata", "aws-network-firewall.md"),
        ("aws-domain-list", "aws-network-firewall.md"),
        ("aws", "aws-preview.md"),
        ("auto", "lists.md"),
        ("cilium", "lists.md"),
        ("istio", "lists.md"),
        ("smokescreen", "lists.md"),
        ("azure-firewall", "lists.md"),
        ("envoy-rbac", "lists.md"),
        ("firewall-script", "lists.md"),
        ("endpoints", "lists.md"),
        ("google-swp", "lists.md"),
        ("addresses", "lists.md"),
        ("tinyproxy", "lists.md"),
        ("squidguard", "lists.md"),
    ] {
        let guide = format!("{}{common}", guide(name));
        let format = import.find_subcommand(format).unwrap();
        for option in format
            .get_arguments()
            .filter_map(|argument| argument.get_long())
        {
            assert!(guide.contains(&format!("--{option}")), "{name}: --{option}");
        }
    }
    let squid = import.find_subcommand("squid").unwrap();
    let rows = common.lines().filter_map(|line| line.strip_prefix("| `--"));
    let rows: Vec<&str> = rows
        .filter_map(|row| row.split([' ', '`']).next())
        .collect();
    assert!(rows.len() >= 6, "only {rows:?} found");
    for row in rows {
        let mut options = squid
            .get_arguments()
            .filter_map(|argument| argument.get_long());
        assert!(options.any(|option| option == row), "there is no --{row}");
    }
}
