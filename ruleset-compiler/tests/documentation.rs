//! `docs/rules.md` and the examples tell the truth: every example compiles, every key and operator
//! is described.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read the documentation has failed"
)]

use std::path::{Path, PathBuf};

use sallyport_rules::diagnostic::Colors;
use sallyport_rules::operator::OPERATORS;
use sallyport_rules::pipeline::{self, Options};
use sallyport_rules::source::{DiskFiles, MemoryFiles};
use sallyport_ruleset::{Field, Protocol};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn guide() -> String {
    std::fs::read_to_string(root().join("docs/rules.md")).unwrap()
}

const DEFAULTS: &str =
    "[defaults]\npre_dns = \"deny\"\npre_request = \"allow\"\npost_response = \"allow\"\n";

/// A whole ruleset around an example, by the word after `toml` or `json` on its fence: nothing for
/// a ruleset, `group` for a group file, a phase for conditions.
fn wrapped(kind: &str, text: &str) -> (String, MemoryFiles) {
    let files = MemoryFiles::default()
        .with("lists/saas.txt", "example.com\n")
        .with("platform.toml", "name = \"platform\"\n");
    match kind {
        "" => (text.to_owned(), files),
        "group" => {
            let ruleset = format!("{DEFAULTS}[[group]]\npriority = 1\nfile = \"group.toml\"\n");
            (ruleset, files.with("group.toml", text))
        }
        phase => {
            let head = format!("[[group]]\npriority = 1\nname = \"g\"\n[[group.{phase}]]\n");
            (
                format!("{DEFAULTS}{head}name = \"r\"\naction = \"alert\"\n{text}"),
                files,
            )
        }
    }
}

#[test]
fn every_example_of_the_guide_compiles() {
    let guide = guide();
    let mut examples_count = 0;
    let mut fences = guide.split("\n```").skip(1);
    while let (Some(block), Some(_)) = (fences.next(), fences.next()) {
        let (fence, text) = block.split_once('\n').unwrap();
        let (form, kind) = fence.split_once(' ').unwrap_or((fence, ""));
        if !["toml", "json"].contains(&form) || kind == "line" {
            continue;
        }
        let (ruleset, files) = wrapped(kind, text);
        let options = Options {
            deny_warnings: true,
            ..Options::default()
        };
        let compiled = pipeline::compile_str(&ruleset, files, &options).unwrap();
        let checked = &compiled.checked;
        let said = checked.diagnostics.render(&checked.sources, Colors::NONE);
        assert!(compiled.emitted.is_some(), "{text}\n\n{said}");
        examples_count += 1;
    }
    assert!(examples_count > 15, "only {examples_count} examples found");
}

/// The documented line of `--format json` has the members of a real one, and says the same.
#[test]
fn the_json_line_of_the_guide_is_one() {
    let guide = guide();
    let line = guide.split("\n```json line\n").nth(1).unwrap();
    let documented: Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    let text = "[[pre_dns]]\nname = \"r\"\naction = \"deny\"\n\n\n\
                when.\"request:DestinationDomain\" = { StringEqual = \"example.com\" }\n";
    let files = MemoryFiles::default()
        .with(
            "r.toml",
            format!("{DEFAULTS}[[group]]\npriority = 1\nfile = \"groups/platform.toml\"\n"),
        )
        .with(
            "groups/platform.toml",
            format!("name = \"g\" {text}").replacen(" [[", "\n[[", 1),
        );
    let checked = pipeline::check(&files, "r.toml", &Options::default()).unwrap();
    let found = checked.diagnostics.json_lines(&checked.sources);
    let mut found: Value = serde_json::from_str(&found).unwrap();
    let expected = found["expected"].as_str().unwrap();
    assert!(
        expected.starts_with("one of `StringEquals`, `StringNotEquals`, "),
        "{expected}"
    );
    found["expected"] = documented["expected"].clone();
    found["line"] = documented["line"].clone();
    found["end"]["line"] = documented["end"]["line"].clone();
    assert_eq!(found, documented);
}

#[test]
fn every_key_operator_and_protocol_is_described() {
    let guide = guide();
    let keys = Field::words().map(|(word, _)| word);
    let headers = Field::NAMED.map(|beginning| format!("{beginning}NAME"));
    let operators = OPERATORS.iter().map(|operator| operator.name);
    let protocols = Protocol::ALL.into_iter().map(Protocol::name);
    let words = keys.chain(operators).chain(protocols).map(str::to_owned);
    for word in words.chain(headers) {
        assert!(
            guide.contains(&format!("`{word}`")),
            "docs/rules.md does not describe `{word}`"
        );
    }
    for (word, field) in Field::words() {
        let row = guide
            .lines()
            .find(|line| line.starts_with(&format!("| `{word}`")))
            .unwrap();
        let phase = field.first_phase().name();
        assert!(
            row.ends_with(&format!("| {phase} |")),
            "`{word}` is known from {phase}: {row}"
        );
    }
}

#[test]
fn the_examples_compile_without_a_warning() {
    for name in ["ruleset.toml", "demo.toml", "aws-preview/estate.json"] {
        let (folder, name) = name.rsplit_once('/').unwrap_or((".", name));
        let files = DiskFiles::new(root().join("examples").join(folder));
        let options = Options {
            deny_warnings: true,
            ..Options::default()
        };
        let compiled = pipeline::compile(&files, name, &options).unwrap();
        let checked = &compiled.checked;
        let said = checked.diagnostics.render(&checked.sources, Colors::NONE);
        assert!(compiled.emitted.is_some(), "{name}\n{said}");
    }
}
