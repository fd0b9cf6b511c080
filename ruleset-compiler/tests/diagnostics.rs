//! What the compiler says about rule text: each `tests/cases/NAME.toml` and `NAME.json`
//! against `NAME.txt`.
//!
//! `UPDATE_CASES=1 cargo test -p sallyport-rules --test diagnostics` rewrites the expected texts;
//! read the difference before you commit it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its cases has failed"
)]

use std::path::{Path, PathBuf};

use sallyport_rules::diagnostic::{Colors, counted};
use sallyport_rules::pipeline::{self, Options};
use sallyport_rules::source::DiskFiles;

fn cases_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// The first line of a case may ask for options: `# options: tls_passthrough`.
fn options(text: &str) -> Options {
    let first = text.lines().next().unwrap_or("");
    Options {
        tls_passthrough: first.contains("tls_passthrough"),
        group_rules_max: if first.contains("group_rules_max=2") {
            2
        } else {
            1_000
        },
        deny_warnings: first.contains("deny_warnings"),
        ..Options::default()
    }
}

fn said(name: &str) -> String {
    let folder = cases_folder();
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let checked = pipeline::check(&DiskFiles::new(folder), name, &options(&text)).unwrap();
    let diagnostics = &checked.diagnostics;
    format!(
        "{}{}, {}, {}\n",
        diagnostics.render(&checked.sources, Colors::NONE),
        counted(diagnostics.errors_count(), "error"),
        counted(diagnostics.warnings_count(), "warning"),
        if checked.ruleset.is_some() {
            "accepted"
        } else {
            "refused"
        },
    )
}

#[test]
fn every_case_says_what_is_expected() {
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let mut wrong = Vec::new();
    let mut cases_count = 0;
    for entry in std::fs::read_dir(cases_folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        // A hyphen is in the names of files that cases refer to.
        let is_case = [".toml", ".json"].iter().any(|end| name.ends_with(end));
        if !is_case || name.contains('-') {
            continue;
        }
        cases_count += 1;
        let said = said(&name);
        let expected_path = path.with_extension("txt");
        if update {
            std::fs::write(&expected_path, &said).unwrap();
        }
        let expected = std::fs::read_to_string(&expected_path).unwrap_or_default();
        if said != expected {
            wrong.push(format!(
                "==== {name}\n---- expected\n{expected}---- said\n{said}"
            ));
        }
    }
    assert!(cases_count >= 10, "only {cases_count} cases found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
