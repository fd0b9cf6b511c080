//! Families against their members one by one.

use super::build::Compiled;
use super::*;
use crate::matcher::regex;
use proptest::prelude::*;

fn build(patterns: &[String], states_max: usize) -> Option<Compiled> {
    let members = patterns.iter().map(|one| regex::parse(one).unwrap());
    let members: Vec<_> = members.collect();
    let budget = Budget {
        states_max,
        build_bytes_max: 160 * states_max,
    };
    compile(&members, budget)
}

/// Which members match.
fn matching(compiled: &Compiled, text: &[u8]) -> Vec<u32> {
    assert_eq!(compiled.shape.size(), Some(compiled.bytes.len()));
    let automaton = Automaton::cut(&compiled.bytes, compiled.shape).unwrap();
    assert!(automaton.is_sound(compiled.reports.len()));
    let mut found = Vec::new();
    automaton.scan(text, |report| {
        found.extend(&compiled.reports[usize::from(report)])
    });
    found.sort_unstable();
    found.dedup();
    found
}

fn expected(patterns: &[String], text: &[u8]) -> Vec<u32> {
    let is_match = |pattern: &String| {
        let vm = regex::interpreter(pattern).unwrap();
        vm.is_match(&mut vm.create_cache(), text)
    };
    let numbered = (0..).zip(patterns);
    numbered
        .filter(|(_, pattern)| is_match(pattern))
        .map(|(number, _)| number)
        .collect()
}

fn check(patterns: &[&str], texts: &[&str]) {
    let patterns: Vec<String> = patterns.iter().map(|one| (*one).to_owned()).collect();
    let compiled = build(&patterns, 10_000).unwrap();
    for text in texts {
        let text = text.as_bytes();
        assert_eq!(
            matching(&compiled, text),
            expected(&patterns, text),
            "{patterns:?}"
        );
    }
}

#[test]
fn all_that_match_are_told() {
    check(
        &[
            "a",
            "^a",
            "a$",
            "^a$",
            "",
            "a*",
            "[ab]+c",
            "(?i)BC?",
            r"\bab\b",
            "a{2,3}b",
            "(?u)\u{e4}+",
        ],
        &[
            "",
            "a",
            "ba",
            "ab",
            "abc",
            "aaab",
            "a ab\n",
            "bbBC",
            "xa\u{e4}\u{e4}",
        ],
    );
    check(
        &[
            "(?m)^b$",
            "(?:ab|b(?:c|))d?",
            ".*b.*c",
            "(?:^|/)a",
            "(?:a*)*b",
            "(?:a|^)*$",
        ],
        &["a\nb\n", "abd", "bcd", "x b c", "/a", "xa", "aab", ""],
    );
}

/// Whatever follows a match makes no states: each would be one for each set of what was found.
#[test]
fn families_stay_small() {
    for (what, make) in [
        (
            "ends",
            &(|n| format!("/shop/[a-z]+/x{n:03}$")) as &dyn Fn(usize) -> String,
        ),
        ("a gap", &|n| format!("/shop/.*x{n:03}$")),
        ("open ends", &|n| format!("/shop/[a-z]+/x{n:03}.*")),
        ("open beginnings", &|n| format!(".*/shop/x{n:03}[0-9]+")),
    ] {
        let patterns: Vec<String> = (0..500).map(make).collect();
        let compiled = build(&patterns, 4_000);
        assert!(compiled.is_some(), "{what}");
    }
    let patterns: Vec<String> = (0..40).map(|n| format!("/a{n}/.*b{n}c")).collect();
    assert!(
        build(&patterns, 4_000).is_none(),
        "a state for each set of the first parts"
    );
}

proptest! {
    #[test]
    fn agrees_with_one_by_one(
        patterns in proptest::collection::vec(
            r"\^?/?([ab]|[ab]\+|\(a\|b\)\*|\.|\[\^a\]|\\bb|b\{1,2\}|\(ab\|\)){0,4}\$?", 1..8),
        texts in proptest::collection::vec("[/abc ]{0,8}", 4),
    ) {
        let mut patterns = patterns;
        patterns.sort();
        let compiled = build(&patterns, 10_000).unwrap();
        for text in &texts {
            let found = matching(&compiled, text.as_bytes());
            prop_assert_eq!(found, expected(&patterns, text.as_bytes()), "{:?} on {}", patterns, text);
        }
    }
}
