//! Large rulesets, the same bytes each time, and text that nobody meant to write.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot compile its rules has failed"
)]

use std::fmt::Write as _;
use std::time::Instant;

use proptest::prelude::*;
use sallyport_rules::diagnostic::Colors;
use sallyport_rules::pipeline::{self, Compiled, Options};
use sallyport_rules::source::MemoryFiles;
use sallyport_ruleset::{Bundle, Decision, Fact, Facts, Outcome, Phase, evaluate};

const HEAD: &str = "[defaults]\npre_dns = \"allow\"\npre_request = \"allow\"\n\
                    post_response = \"allow\"\n[lists]\nblocked = \"blocked.txt\"\n";

fn compile(text: &str, files: MemoryFiles) -> Compiled {
    pipeline::compile_str(text, files, &Options::default()).unwrap()
}

/// A hosts file of 100 000 names and 1 000 rules of all kinds beside it.
fn large() -> (String, MemoryFiles) {
    let mut hosts = String::new();
    for number in 0..100_000u32 {
        let mixed = number.wrapping_mul(2_654_435_761);
        writeln!(hosts, "0.0.0.0 w{mixed:x}.site{}.example", number % 977).unwrap();
    }
    let mut text = format!(
        "{HEAD}[[group]]\npriority = 1\nname = \"g\"\n[[group.pre_dns]]\nname = \"list\"\n\
         action = \"deny\"\nwhen.\"request:DestinationDomain\" = {{ DomainMatch = \"@blocked\" }}\n"
    );
    for number in 0..999 {
        let condition = match number % 5 {
            0 => format!("\"request:DestinationDomain\" = {{ StringLike = \"*.cdn{number}.*\" }}"),
            1 => format!(
                "\"request:SourceIp\" = {{ IpAddress = \"10.{}.{}.0/24\" }}",
                number / 250,
                number % 250
            ),
            2 => format!("\"request:Http:Uri\" = {{ StringMatches = \"^/api/v{number}/\" }}"),
            3 => format!("\"request:DestinationPort\" = {{ NumericEquals = {number} }}"),
            _ => format!(
                "\"request:Http:Header/x-{}\" = {{ StringEquals = \"{number}\" }}",
                number % 7
            ),
        };
        let rule = format!(
            "[[group.pre_request]]\nname = \"r{number}\"\naction = \"deny\"\nwhen.{condition}\n"
        );
        text.push_str(&rule);
    }
    (text, MemoryFiles::default().with("blocked.txt", hosts))
}

#[test]
fn a_hundred_thousand_names_and_a_thousand_rules() {
    let (text, files) = large();
    let started = Instant::now();
    let compiled = compile(&text, files.clone());
    // Generous: what explodes takes far longer, and the machine may be busy.
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
    let checked = &compiled.checked;
    let said = checked.diagnostics.render(&checked.sources, Colors::NONE);
    let bytes = compiled.emitted.expect(&said).bytes;
    let bundle = Bundle::load(bytes.clone()).unwrap();
    assert_eq!(bundle.sizes().rules_count, [1, 999, 0]);
    let decide = |domain| {
        let facts = Facts {
            destination_domain: Fact::Known(domain),
            ..Facts::unknown()
        };
        match evaluate(&bundle, Phase::PreDns, &facts, &mut bundle.scratch()) {
            Outcome::Decided(verdict) => verdict.action,
            Outcome::Undetermined => panic!("{domain}"),
        }
    };
    assert_eq!(decide("w0.site0.example"), Decision::Deny);
    assert_eq!(decide("deep.w0.site0.example"), Decision::Deny);
    assert_eq!(decide("site0.example"), Decision::Allow);
    assert_eq!(
        compile(&text, files).emitted.unwrap().bytes,
        bytes,
        "same text, same bytes"
    );
}

/// Lists that differ in one value only, compared with each other.
#[test]
fn many_conditions_on_one_long_list() {
    let names: String = (0..20_000)
        .map(|number| format!("n{number}.example\n"))
        .collect();
    let mut text = format!("{HEAD}[[group]]\npriority = 1\nname = \"g\"\n");
    for number in 0..100 {
        let values = format!("[\"@blocked\", \"extra{number}.example\"]");
        let rule = format!("[[group.pre_dns]]\nname = \"r{number}\"\naction = \"deny\"\n");
        text.push_str(&rule);
        writeln!(
            text,
            "when.\"request:DestinationDomain\" = {{ DomainMatch = {values} }}"
        )
        .unwrap();
    }
    let started = Instant::now();
    let compiled = compile(&text, MemoryFiles::default().with("blocked.txt", names));
    assert!(compiled.emitted.is_some());
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}

/// Pieces of rule text, so that what is generated gets past the first line now and then.
fn piece() -> impl Strategy<Value = String> {
    let known = [
        "[defaults]\n",
        "pre_dns = \"allow\"\n",
        "pre_request = \"deny\"\n",
        "post_response = \"alert\"\n",
        "[lists]\n",
        "blocked = \"blocked.txt\"\n",
        "[[group]]\n",
        "priority = 1\n",
        "file = \"blocked.txt\"\n",
        "name = \"g\"\n",
        "[[group.pre_dns]]\n",
        "[[group.pre_request]]\n",
        "[[group.post_response]]\n",
        "action = \"deny\"\n",
        "when.\"request:DestinationDomain\" = { DomainMatch = [\"@blocked\", \"x\"] }\n",
        "when.\"request:Http:Uri\" = { StringMatches = \"a{1,9}(b|c)*\" }\n",
        "when.\"request:Time\" = ",
        "{ TimeOfDay = \"Mon-Fri 08:00-18:00 Europe/Zurich\" }\n",
        "{ DateLessThan = 2026-01-01 }\n",
        "when.\"request:SourceIp\" = { NotIpAddress = \"10.0.0.0/8\" }\n",
        "{ NumericBetween = [[1, 2], \"3-4\"] }",
    ];
    prop_oneof![
        6 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => "[ -~\n]{0,12}",
        1 => "\\PC{0,4}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_text_ends_in_a_bundle_or_in_diagnostics(
        pieces in proptest::collection::vec(piece(), 0..40),
        list in "[ -~\n]{0,60}",
    ) {
        let compiled = compile(&pieces.concat(), MemoryFiles::default().with("blocked.txt", list));
        let checked = &compiled.checked;
        let said = checked.diagnostics.render(&checked.sources, Colors::NONE);
        prop_assert_eq!(compiled.emitted.is_some(), checked.diagnostics.errors_count() == 0, "{}", said);
        prop_assert_eq!(said.is_empty(), checked.diagnostics.sorted().is_empty());
    }
}
