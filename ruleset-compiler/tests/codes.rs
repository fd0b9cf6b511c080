//! Every code of a problem is in the tables of `docs/rules.md`, with an example that gives it and
//! nothing else.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot read the documentation has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sallyport_rules::diagnostic::{Code, Severity};
use sallyport_rules::pipeline::{self, Options};
use sallyport_rules::source::MemoryFiles;

const DEFAULTS: &str =
    "defaults = { pre_dns = \"deny\", pre_request = \"allow\", post_response = \"allow\" }\n";

/// A row of one of the tables.
struct Row {
    severity: Severity,
    meaning: String,
    /// The code spans of the last cell.
    example: Vec<String>,
}

fn rows() -> BTreeMap<String, Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let section = guide.split("\n## Diagnostics\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let (errors, warnings) = section.split_once("\n**Warnings**").unwrap();
    let mut rows = BTreeMap::new();
    for (severity, table) in [(Severity::Error, errors), (Severity::Warning, warnings)] {
        for line in table.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.trim_matches('|').splitn(3, " | ").collect();
            let [code, meaning, example] = *cells.as_slice() else {
                panic!("not three cells: {line}");
            };
            let row = Row {
                severity,
                meaning: meaning.to_owned(),
                example: spans(example),
            };
            let code = code.trim().trim_matches('`').to_owned();
            assert!(rows.insert(code, row).is_none(), "twice: {line}");
        }
    }
    rows
}

/// What stands between backticks.
fn spans(cell: &str) -> Vec<String> {
    let parts = cell.split('`').enumerate();
    let inside = parts.filter(|(position, _)| position % 2 == 1);
    inside.map(|(_, text)| text.to_owned()).collect()
}

/// The files around an example, and the options that it asks for.
fn set_up(example: &[String]) -> (MemoryFiles, &'static str, Options) {
    let mut options = Options::default();
    let mut phase = "pre_dns";
    let mut lines = Vec::new();
    for span in example {
        match span.as_str() {
            "--tls passthrough" => options.tls_passthrough = true,
            "--max-steps 1" => options.steps_max = Some(1),
            "--max-group-rules 1" => options.group_rules_max = 1,
            "pre_request" => phase = "pre_request",
            "post_response" => phase = "post_response",
            _ => lines.push(span.as_str()),
        }
    }
    let text = lines.join("\n");
    let begins = |word: &str| text.starts_with(word);
    let files = MemoryFiles::default()
        .with("lists/empty.txt", "# none yet\n")
        .with("g.toml", "name = \"other\"\n");
    let (group, ruleset) = if begins("defaults") {
        (String::new(), text)
    } else if begins("lists") || begins("group") {
        (String::new(), format!("{DEFAULTS}{text}\n"))
    } else {
        let group = if begins("when") {
            let head = format!("name = \"g\"\n[[{phase}]]\nname = \"r\"\naction = \"deny\"\n");
            format!("{head}{text}\n")
        } else if begins("{") {
            text
        } else {
            format!("name = \"g\"\n{text}\n")
        };
        let ruleset = format!("{DEFAULTS}[[group]]\npriority = 1\nfile = \"group\"\n");
        (group, ruleset)
    };
    let files = files.with("group", group).with("ruleset", ruleset);
    (files, "ruleset", options)
}

fn codes(files: &MemoryFiles, path: &str, options: &Options) -> BTreeSet<&'static str> {
    let compiled = pipeline::compile(files, path, options).unwrap();
    let found = compiled.checked.diagnostics.sorted();
    found.iter().map(|item| item.code.name()).collect()
}

/// A group with one rule in PreREQUEST.
fn one_rule(rest: &str) -> Vec<String> {
    let head = "pre_request = []";
    let rule = format!("[[pre_dns]]\nname = \"r\"\naction = \"deny\"\n{rest}");
    vec![head.to_owned(), rule]
}

/// Examples too long for a table, and one that would take gigabytes to make.
fn long_example(code: Code) -> Option<Vec<String>> {
    match code {
        Code::DescriptionTooLong => Some(one_rule(&format!(
            "description = \"{}\"",
            "a".repeat(1_025)
        ))),
        Code::ValueTooLong => Some(one_rule(&format!(
            "when.\"request:SourceVpc\" = {{ StringEquals = \"{}\" }}",
            "a".repeat(8_193)
        ))),
        Code::BundleLimit => {
            let values: Vec<String> = (0..4_000_u64)
                .map(|n| format!("\"{:x}\"", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
                .collect();
            Some(one_rule(&format!(
                "when.\"request:SourceLabel/x\" = {{ \"ForAllValues:StringEquals\" = [{}], Null = false }}",
                values.join(", ")
            )))
        }
        // `budget.rs` has some.
        Code::CostlyPatterns | Code::TooManyListValues => None,
        _ => panic!("{} has no example", code.name()),
    }
}

#[test]
fn every_code_has_an_example_that_gives_it() {
    let rows = rows();
    let mut wrong = Vec::new();
    for code in Code::ALL {
        let name = code.name();
        let row = rows
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not documented"));
        assert_eq!(
            row.severity,
            code.severity(),
            "{name} is in the wrong table"
        );
        assert!(row.meaning.len() > 10, "{name}");
        let example = if row.example.is_empty() {
            long_example(*code)
        } else {
            Some(row.example.clone())
        };
        let Some(example) = example else { continue };
        let (files, path, options) = set_up(&example);
        let found = codes(&files, path, &options);
        if found != BTreeSet::from([name]) {
            wrong.push(format!("{name}: {found:?} from {example:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let known: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    let stray: Vec<&String> = rows
        .keys()
        .filter(|name| !known.contains(name.as_str()))
        .collect();
    assert!(
        stray.is_empty(),
        "documented, but there is no such code: {stray:?}"
    );
}
