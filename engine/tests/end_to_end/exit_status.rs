//! How the three programs end: the lines of `docs/exit-status.md`, run as they stand there.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::common::ALLOW_ALL;
use crate::common::programs::{sallyport, sallyport_load, sallyport_rules};
use crate::common::proxy::Setup;

const PAGE: &str = include_str!("../../../docs/exit-status.md");

/// Lines and their statuses, of the page's second table.
fn lines() -> Vec<(Vec<String>, i32)> {
    let rows = PAGE.lines().filter_map(|row| row.strip_prefix("| `"));
    let pair = |row: &str| {
        let (line, status) = row.split_once("` | ")?;
        let status = status.strip_suffix(" |")?.parse().ok()?;
        Some((words(line), status))
    };
    rows.filter_map(pair).collect()
}

/// As a shell does it, as far as the page needs it.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn the_lines_of_the_page_end_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    for wrong in ["wrong.toml", "wrong.json"] {
        std::fs::write(folder.path().join(wrong), "nonsense = [\n").unwrap();
    }
    let good =
        "ruleset = \"gone.spb\"\nadmin.listen = \"off\"\n[[listener]]\naddress = \"127.0.0.1:0\"\n";
    std::fs::write(folder.path().join("good.toml"), good).unwrap();
    let lines = lines();
    assert!(lines.len() > 20, "{lines:?}");
    let mut wrong = Vec::new();
    for (line, expected) in &lines {
        let mut program: Command = match line[0].as_str() {
            "sallyport" => sallyport(),
            "sallyport-rules" => sallyport_rules(),
            "sallyport-load" => sallyport_load(),
            other => panic!("{other}"),
        };
        let program = program.args(&line[1..]).current_dir(folder.path());
        let output = program.output().unwrap();
        if output.status.code() != Some(*expected) {
            wrong.push(format!("{line:?}: not {expected} but {output:?}"));
        }
        // Who gets anything but 0 is told why; a report that is all bad may say it itself.
        let silent = output.stdout.is_empty() && output.stderr.is_empty();
        assert!(!silent, "{line:?}");
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What comes through a pipe can be read once, and from its first byte.
#[test]
fn a_configuration_may_come_through_a_pipe() {
    let setup = Setup::new().key("log.access", "\"off\"");
    let bundle = setup.path("rules.spb");
    ALLOW_ALL.compile(&bundle);
    let mut check = sallyport()
        .args(["check", "--config", "/dev/stdin", "--ruleset"])
        .arg(&bundle)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text = std::fs::read(setup.write()).unwrap();
    check.stdin.take().unwrap().write_all(&text).unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn every_status_is_told_in_one_place() {
    for status in 0..=3 {
        assert!(PAGE.contains(&format!("\n| {status} | ")), "{status}");
    }
    for guide in [
        include_str!("../../../docs/rules.md"),
        include_str!("../../../docs/ruleset-tools.md"),
        include_str!("../../../docs/operations.md"),
        include_str!("../../../docs/loadgen.md"),
        include_str!("../../../docs/log-format.md"),
    ] {
        assert!(guide.contains("exit-status.md"), "{}", &guide[..60]);
    }
}
