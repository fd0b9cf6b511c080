//! Random lists of patterns that are so many and so alike that they are searched for together. Not
//! used outside tests.

use crate::ValueList;
use crate::entropy::Entropy;

/// So many of one shape that they are found by it, and some that are more than that.
pub(crate) fn globs(entropy: &mut Entropy<'_>) -> ValueList {
    let letters: Vec<char> = entropy
        .word(&["ab/", "abc", "a/.", "exa", "com"])
        .chars()
        .collect();
    let pairs: Vec<String> = letters
        .iter()
        .flat_map(|one| letters.iter().map(move |two| format!("{one}{two}")))
        .collect();
    let gap = entropy.word(&["?", "?", "??"]);
    let other = entropy.word(&["*", "", "*a", "*b*"]);
    let mut values = Vec::new();
    for front in &pairs {
        for back in &pairs {
            values.push(match entropy.below(8) {
                0 => format!("*{front}{gap}{back}{other}"),
                1 => format!("{front}{gap}{back}*"),
                _ => format!("*{front}{gap}{back}*"),
            });
        }
    }
    values.into_iter().collect()
}

/// So many that begin alike that they are tried together.
pub(crate) fn regexes(entropy: &mut Entropy<'_>) -> ValueList {
    const ENDS: [&str; 12] = [
        "", "$", "a", "b", "c", "[a-c]+", ".*b", "/", "com", "b+$", r"\b", "[^/]*$",
    ];
    let front = entropy.word(&["", "^", "/", "^[a-z]*", "[ab]+", "^.*"]);
    let middle = entropy.word(&["ab", "a.b", "com", "/ab", "a+b", "exa", "(?i)ab", "[ab]bc"]);
    let end = |number: usize| ENDS.get(number % ENDS.len()).copied().unwrap_or_default();
    let (first, step) = (entropy.below(144), 1 + entropy.below(5) * 2);
    let numbers = (0..16 + entropy.below(32)).map(|at| first + at * step);
    let values = numbers.map(|n| format!("{front}{middle}{}{}", end(n), end(n / ENDS.len())));
    let distinct: std::collections::BTreeSet<String> = values.collect();
    distinct.into_iter().collect()
}
