//! What a request can cost at worst is said, and refused where it is more than was asked for.
#![expect(clippy::unwrap_used, reason = "a test that cannot compile has failed")]

use std::fmt::Write;

use sallyport_rules::diagnostic::Code;
use sallyport_rules::pipeline::{self, Options};
use sallyport_rules::source::MemoryFiles;

/// The codes that are said of a list of so many patterns, and whether there is a bundle.
fn said(operator: &str, count: usize, options: &Options) -> (Vec<Code>, bool) {
    let mut list = String::new();
    for number in 0..count {
        let pattern = match operator {
            "StringLike" => format!("*/common/prefix?{number}*x"),
            "StringMatches" => format!("/{number:03}/.*{number:03}$"),
            _ => format!("/common/prefix/[a-z]+/{number}$"),
        };
        writeln!(list, "{pattern}").unwrap();
    }
    let operator = operator.strip_suffix(" alike").unwrap_or(operator);
    let text = format!(
        "[defaults]\npre_dns = \"allow\"\npre_request = \"allow\"\npost_response = \"allow\"\n\
         [lists]\nlist = \"list.txt\"\n[[group]]\npriority = 1\nname = \"g\"\n\
         [[group.pre_request]]\nname = \"few\"\naction = \"deny\"\nwhen.\"request:Http:UserAgent\" = {{ StringLike = \"*curl*\" }}\n\
         [[group.pre_request]]\nname = \"many\"\naction = \"deny\"\nwhen.\"request:Http:Uri\" = {{ {operator} = \"@list\" }}\n"
    );
    let files = MemoryFiles::default().with("list.txt", list);
    let compiled = pipeline::compile_str(&text, files, options).unwrap();
    let diagnostics = compiled.checked.diagnostics;
    let sources = compiled.checked.sources;
    let items = diagnostics.sorted();
    for item in &items {
        assert_eq!(sources.snippet(item.span), "\"many\"");
    }
    let codes = items.iter().map(|item| item.code).collect();
    (codes, compiled.emitted.is_some())
}

#[test]
fn much_is_warned_of_and_more_than_the_budget_refused() {
    let with = |steps_max| Options {
        steps_max,
        ..Options::default()
    };
    for operator in ["StringLike", "StringMatches"] {
        assert_eq!(said(operator, 5, &with(None)), (vec![], true));
        assert_eq!(
            said(operator, 700, &with(None)),
            (vec![Code::CostlyPatterns], true)
        );
        assert_eq!(
            said(operator, 5, &with(Some(1_000))),
            (vec![Code::OverBudget], false)
        );
        assert_eq!(said(operator, 700, &with(Some(u64::MAX))), (vec![], true));
    }
    // What begins alike is tried together.
    let alike = "StringMatches alike";
    assert_eq!(said(alike, 700, &with(None)), (vec![], true));
    let denied = Options {
        deny_warnings: true,
        ..Options::default()
    };
    assert_eq!(
        said("StringMatches", 700, &denied),
        (vec![Code::CostlyPatterns], false)
    );
    assert_eq!(said("StringMatches", 5, &denied), (vec![], true));
}
