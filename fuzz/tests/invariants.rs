//! The test of invariants: where `ruleset` follows an index that validation has seen, nothing stands ready
//! for the case that it leads nowhere. An empty slice, a zero or a return would be another rule than the one
//! that was compiled; `ruleset/src/invariant.rs` ends the evaluation instead.
#![cfg(test)]

use std::fs;
use std::path::Path;

/// Where all data has been validated, or was built here.
const FOLDERS: &[&str] = &["evaluate", "matcher", "index", "bundle", "cost"];

/// Where it is being validated.
const VALIDATION: &str = "bundle/validate.rs";

/// Where nothing at a place is an answer: file, what is asked, and why.
const ALLOWED: &[(&str, &str, &str)] = &[
    (
        "bundle/plan.rs",
        "buffer.get_mut(..name.len())",
        "a name that is longer than the buffer is looked for in another way",
    ),
    (
        "index/families.rs",
        "rest.get(skipped..)",
        "fewer expressions are left than are passed over at once",
    ),
    (
        "matcher/family/build.rs",
        "numbers.get(&next)",
        "what is not among the states is the dead one",
    ),
    (
        "matcher/glob.rs",
        "pieces.get(1..pieces.len().saturating_sub(1))",
        "between two stars there is nothing where there are no two",
    ),
];

/// What a look at a place is followed by where its failure is passed over.
const PASSED_OVER: &[&str] = &[
    ".unwrap_or",
    ".map_or",
    ".is_some_and(",
    ".is_none_or(",
    ".is_ok_and(",
    "else{return",
    "else{break",
    "else{continue",
];

/// Looks at a place that may fail without notice, as they are written but for white space.
fn offenders(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect();
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let mut found = Vec::new();
    for look in [".get(", ".get_mut("] {
        for (at, _) in code.match_indices(look) {
            let end = after_arguments(&code, at + look.len());
            let mut rest = &code[end..];
            for neutral in [".copied()", ".cloned()", ".as_ref()", ".and_then("] {
                if let Some(after) = rest.strip_prefix(neutral) {
                    let begin = code.len() - after.len();
                    rest = match neutral.ends_with('(') {
                        true => &code[after_arguments(&code, begin)..],
                        false => after,
                    };
                }
            }
            if PASSED_OVER.iter().any(|next| rest.starts_with(next)) {
                let is_part = |c: char| !(c.is_alphanumeric() || "_.".contains(c));
                let begin = code[..at].rfind(is_part).map_or(0, |before| before + 1);
                found.push(code[begin..end].to_owned());
            }
        }
    }
    found
}

/// Where the parenthesis that is open at `at` has been closed.
fn after_arguments(code: &str, at: usize) -> usize {
    let mut depth = 1;
    for (offset, c) in code[at..].char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + offset + 1;
        }
    }
    code.len()
}

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn an_index_that_leads_nowhere_is_never_passed_over() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ruleset/src");
    let mut paths = Vec::new();
    for folder in FOLDERS {
        files(&root.join(folder), &mut paths);
    }
    let mut problems = Vec::new();
    let mut used = 0;
    for path in paths {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        if name == VALIDATION || name.contains("/tests") {
            continue;
        }
        for offender in offenders(&fs::read_to_string(&path).unwrap()) {
            match ALLOWED
                .iter()
                .any(|(file, look, _)| (*file, *look) == (name, &offender))
            {
                true => used += 1,
                false => problems.push(format!("ruleset/src/{name}: {offender}")),
            }
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    assert_eq!(used, ALLOWED.len(), "an exception is not needed any more");
}

#[test]
fn offenders_are_found() {
    for (code, expected) in [
        (
            "index.rules.get(span.range()).unwrap_or_default()",
            "index.rules.get(span.range())",
        ),
        (
            "let x = self\n    .nodes\n    .get(node)\n    .copied()\n    .unwrap_or(0);",
            "self.nodes.get(node)",
        ),
        (
            "let Some(rule) = rules.get(at) else {\n    return;\n};",
            "rules.get(at)",
        ),
        (
            "a.get(b.of(c)).and_then(|x| x.first_chunk()).is_some_and(d)",
            "a.get(b.of(c))",
        ),
    ] {
        assert_eq!(offenders(code), [expected], "{code}");
    }
    for code in [
        "index.rules.get(at).or_broken(\"a rule\")",
        "// a.get(b).unwrap_or(0)",
        "if let Some(x) = a.get(b) {}",
        "a.max().unwrap_or(0)",
        "#[cfg(test)]\nmod tests {\n    fn f() { a.get(b).unwrap_or(0) }\n}",
    ] {
        assert_eq!(offenders(code), [""; 0], "{code}");
    }
}
