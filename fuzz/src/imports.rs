//! Other products' rules: whatever is written, an import ends, and what it gives compiles;
//! its report says the same as text and for programs.

use sallyport_rules::import::aws::{self, AwsOptions};
use sallyport_rules::import::endpoints::{self, EndpointsOptions};
use sallyport_rules::import::hosts::{self, Action, Format, HostsOptions};
use sallyport_rules::import::input::MemoryInput;
use sallyport_rules::import::squid::{self, SquidOptions};
use sallyport_rules::import::suricata::{self, SuricataOptions};
use sallyport_rules::import::tinyproxy::{self, TinyproxyOptions};
use sallyport_rules::import::{
    DefaultAction, Import, ImportError, addresses, aws_domain_list, azure, cilium, envoy_rbac,
    firewall_script, google_swp, istio, smokescreen, squidguard,
};
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
    match format % 18 {
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
        6 => check(aws::import(
            &sources,
            NAME,
            AwsOptions {
                suffix_equals: true,
                ..AwsOptions::default()
            },
        )),
        list => check(lists_and_policies(list - 7, &files, NAME)),
    }
}

/// The importers of lists and policies, by number.
fn lists_and_policies(format: u8, files: &MemoryInput, name: &str) -> Result<Import, ImportError> {
    let (allow, deny) = (DefaultAction::Allow, DefaultAction::Deny);
    match format {
        0 => addresses::import(files, name, deny),
        1 => {
            let (action, job) = (allow, None);
            endpoints::import(files, name, &EndpointsOptions { action, job })
        }
        2 => firewall_script::import(files, name),
        3 => cilium::import(files, name),
        4 => istio::import(files, name),
        5 => azure::import(files, name),
        6 => envoy_rbac::import(files, name),
        7 => google_swp::import(files, name, allow),
        8 => smokescreen::import(files, name),
        9 => squidguard::import(files, name),
        _ => {
            let action = Some(deny);
            tinyproxy::import(files, name, TinyproxyOptions { action })
        }
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
