//! Other products' rules: whatever is written, an import ends, and what it gives compiles;
//! its report says the same as text and for programs.

use sallyport_rules::import::aws::{self, AwsOptions};
use sallyport_rules::import::hosts::{self, Action, Format, HostsOptions};
use sallyport_rules::import::input::MemoryInput;
use sallyport_rules::import::squid::{self, SquidOptions};
use sallyport_rules::import::suricata::{self, SuricataOptions};
use sallyport_rules::import::{Import, ImportError, aws_domain_list};
use sallyport_rules::source::MemoryFiles;

/// The first byte says the format, the rest is the file; a line `--- name` begins another one,
/// which the text before it may name. A result that does not compile is a fault of the importer.
pub fn imports(data: &[u8]) {
    let Some((format, rest)) = data.split_first() else {
        return;
    };
    let Ok(text) = str::from_utf8(rest) else {
        return;
    };
    const NAME: &str = "rules";
    let (mut files, mut sources) = (MemoryInput::default(), MemoryFiles::default());
    let mut name = NAME;
    for (at, part) in text.split("\n--- ").enumerate() {
        let mut content = part;
        if at > 0 {
            (name, content) = part.split_once('\n').unwrap_or((part, ""));
        }
        files = files.with(name, content);
        sources = sources.with(name, content);
    }
    let lists = |format, action| HostsOptions {
        format,
        action,
        exact: false,
    };
    match format % 7 {
        0 => check(squid::import(&files, NAME, &SquidOptions::default())),
        1 => check(suricata::import(&files, NAME, &SuricataOptions::default())),
        2 => check(aws_domain_list::import(&files, NAME)),
        3 => check(hosts::import(
            &files,
            NAME,
            &lists(Some(Format::Adblock), Action::Deny),
        )),
        4 => check(hosts::import(&files, NAME, &lists(None, Action::Deny))),
        5 => check(hosts::import(
            &files,
            NAME,
            &lists(Some(Format::Plain), Action::Allow),
        )),
        _ => check(aws::import(
            &sources,
            NAME,
            AwsOptions {
                suffix_equals: true,
                ..AwsOptions::default()
            },
        )),
    }
}

fn check(result: Result<Import, ImportError>) {
    let is_fault = matches!(result, Err(ImportError::DoesNotCompile(_)));
    assert!(!is_fault, "{result:?}");
    let Ok(import) = result else {
        return;
    };
    assert!(!import.files.is_empty(), "a ruleset has a file");
    let text = import.report.text();
    assert!(text.starts_with(&import.report.summary()));
    let json = import.report.json();
    let lines = json["lines"].as_array().map_or(0, Vec::len);
    assert_eq!(lines, import.report.entries.len());
}
