//! The test of rooms: no files of a crate import each other in a circle. A circle of files is one room that
//! cannot be read, tested or moved but as a whole.
//!
//! An arrow leads from a file to the file that defines what it names: in a `use`, or in a path that begins
//! with `crate`, `super`, `self`, a module below it or one that it has imported. A module that only passes an
//! item on is looked through. Declarations of modules, what is passed on and what only tests see are no
//! arrows.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

/// The crates that are held to it, by the folder of their sources.
const CRATES: &[&str] = &[
    "ruleset/src",
    "ruleset-compiler/src",
    "loadgen/src",
    "excerpt/src",
    "engine/wire/src",
    "engine/dns/src",
    "engine/pki/src",
    "engine/identity/src",
    "engine/src",
];

/// A path of modules from the root of the crate.
type ModulePath = Vec<String>;

/// Files by their path from the folder of sources.
type Files = BTreeMap<String, String>;

#[test]
fn no_crate_has_a_circle_of_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let problems: Vec<String> = CRATES
        .iter()
        .flat_map(|folder| {
            let mut files = Files::new();
            collect(&root.join(folder), "", &mut files);
            circles(&arrows(&files))
                .into_iter()
                .map(move |circle| format!("{folder}: {circle}"))
        })
        .collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

fn collect(folder: &Path, prefix: &str, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), files);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).unwrap();
            files.insert(format!("{prefix}{name}"), text);
        }
    }
}

/// Words and signs of a source file, without comments, texts and what only tests see. `::` is one token.
fn tokens(text: &str) -> Vec<String> {
    without_tests(&all_tokens(text))
}

fn all_tokens(text: &str) -> Vec<String> {
    let mut rest = text;
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let len = if let Some(len) = comment(rest).or_else(|| literal(rest)) {
            len
        } else if is_word(first) {
            let len = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            tokens.push(rest[..len].to_owned());
            len
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[len..];
    }
    tokens
}

/// Length of a comment at the beginning.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let body = text.strip_prefix("/*")?;
    Some(body.find("*/").map_or(text.len(), |end| end + 4))
}

/// Length of a text or character at the beginning; of a lifetime too.
fn literal(text: &str) -> Option<usize> {
    let plain = text.strip_prefix('b').unwrap_or(text);
    let before = text.len() - plain.len();
    if let Some(raw) = plain.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = &raw[hashes + 1..];
            let found = body.find(&end).map_or(body.len(), |at| at + end.len());
            return Some(before + 1 + hashes + 1 + found);
        }
    }
    let quote = plain.chars().next().filter(|c| "\"'".contains(*c))?;
    let mut is_escaped = false;
    for (at, c) in plain.char_indices().skip(1) {
        if c == quote && !is_escaped {
            return Some(before + at + 1);
        }
        // `'a` without an end is a lifetime.
        if quote == '\'' && at > 1 && !plain.starts_with("'\\") {
            return Some(before + 1);
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    Some(text.len())
}

fn without_tests(tokens: &[String]) -> Vec<String> {
    const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].iter().take(7).eq(TEST) {
            at = end_of_item(tokens, at + 7);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Behind the item that begins at `at`: at its semicolon, or at the end of its braces.
fn end_of_item(tokens: &[String], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends = token == ";" || token == "}";
        if depth == 0 && ends {
            break;
        }
    }
    at
}

/// The modules of a crate, and where they are.
struct Crate {
    modules: BTreeMap<ModulePath, Module>,
}

struct Module {
    file: String,
    tokens: Vec<String>,
    /// What it passes on: a name, and the path from the root of the crate. `*` for all.
    passed_on: Vec<(String, ModulePath)>,
}

impl Crate {
    /// Follows the declarations of modules from the root.
    fn of(files: &Files) -> Self {
        let mut modules = BTreeMap::new();
        let mut root = ["lib.rs", "main.rs"].into_iter();
        let root = root.find(|name| files.contains_key(*name)).unwrap();
        let mut open = vec![(ModulePath::new(), root.to_owned())];
        while let Some((path, file)) = open.pop() {
            let tokens = tokens(&files[&file]);
            for pair in tokens.windows(3) {
                if pair[0] == "mod" && pair[2] == ";" {
                    let child: ModulePath = path.iter().chain([&pair[1]]).cloned().collect();
                    let stem = child.join("/");
                    let names = [format!("{stem}.rs"), format!("{stem}/mod.rs")];
                    let file = names.into_iter().find(|name| files.contains_key(name));
                    open.push((child, file.unwrap_or_else(|| panic!("no file of {stem}"))));
                }
            }
            let module = Module {
                file,
                tokens,
                passed_on: Vec::new(),
            };
            modules.insert(path, module);
        }
        let mut new = Self { modules };
        let passed_on: Vec<(ModulePath, Vec<(String, ModulePath)>)> = new
            .modules
            .iter()
            .map(|(path, module)| {
                let uses = uses(&module.tokens)
                    .into_iter()
                    .filter(|one| one.is_passed_on);
                let absolute =
                    uses.filter_map(|one| Some((one.name, new.absolute(path, &one.path)?)));
                (path.clone(), absolute.collect())
            })
            .collect();
        for (path, passed_on) in passed_on {
            new.modules.get_mut(&path).unwrap().passed_on = passed_on;
        }
        new
    }

    /// A path as written in a module, from the root; `None` when it leads out of the crate.
    fn absolute(&self, module: &[String], written: &[String]) -> Option<ModulePath> {
        let mut base = module.to_vec();
        let mut rest = written;
        match written.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &written[1..];
            }
            "self" => rest = &written[1..],
            "super" => {
                while rest.first().is_some_and(|word| word == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            first => {
                let child: ModulePath = module.iter().cloned().chain([first.to_owned()]).collect();
                if !self.modules.contains_key(&child) {
                    return None;
                }
            }
        }
        Some(base.into_iter().chain(rest.iter().cloned()).collect())
    }

    /// The module that a path leads to, and what is named in it.
    fn module_of<'p>(&self, path: &'p [String]) -> (ModulePath, &'p [String]) {
        let longest = (0..=path.len()).rev();
        let mut known = longest.filter(|len| self.modules.contains_key(&path[..*len]));
        let len = known.next().unwrap();
        (path[..len].to_vec(), &path[len..])
    }

    /// The file that defines what a path from the root names.
    fn definer(&self, path: &[String]) -> &str {
        let mut path = path.to_vec();
        // A path that is passed on in a circle is passed on by nobody.
        for _ in 0..8 {
            let (module, named) = self.module_of(&path);
            let found = &self.modules[&module];
            let item = named.first();
            let next = found.passed_on.iter().find(|(name, _)| Some(name) == item);
            match (next, item) {
                (Some((_, next)), _) => path = next.iter().chain(&named[1..]).cloned().collect(),
                _ => return &found.file,
            }
        }
        &self.modules[&self.module_of(&path).0].file
    }
}

/// One name that a `use` brings in.
#[derive(Debug, PartialEq, Eq)]
struct Use {
    path: Vec<String>,
    name: String,
    is_passed_on: bool,
}

/// All names that `use` brings in.
fn uses(tokens: &[String]) -> Vec<Use> {
    let mut found = Vec::new();
    let words = tokens.iter().enumerate();
    for (at, _) in words.filter(|(_, token)| *token == "use") {
        // `impl Trait + use<'a>` says what is captured.
        if tokens.get(at + 1).is_some_and(|token| token == "<") {
            continue;
        }
        // `pub use` or `pub(crate) use`.
        let before = &tokens[..at];
        let scope = before.iter().rposition(|token| token == "(");
        let is_passed_on = match before.last().map(String::as_str) {
            Some("pub") => true,
            Some(")") => scope.is_some_and(|scope| tokens[..scope].ends_with(&["pub".to_owned()])),
            _ => false,
        };
        let mut tree = &tokens[at + 1..end_of_item(tokens, at + 1)];
        branch(&mut tree, &[], &mut |path, name| {
            found.push(Use {
                path,
                name,
                is_passed_on,
            });
        });
    }
    found
}

/// One path behind a `use`, and what branches off it.
fn branch(tokens: &mut &[String], before: &[String], take: &mut dyn FnMut(Vec<String>, String)) {
    let mut path = before.to_vec();
    let mut alias = None;
    while let Some((token, rest)) = tokens.split_first() {
        match token.as_str() {
            "," | "}" | ";" => break,
            "{" => {
                *tokens = rest;
                while let Some((sign, rest)) = tokens.split_first() {
                    match sign.as_str() {
                        "," => *tokens = rest,
                        "}" => {
                            *tokens = rest;
                            return;
                        }
                        _ => branch(tokens, &path, take),
                    }
                }
                return;
            }
            "as" => alias = rest.first().cloned(),
            "::" => {}
            _ if alias.is_some() => {}
            word => path.push(word.to_owned()),
        }
        *tokens = rest;
    }
    if path.last().is_some_and(|word| word == "self") {
        path.pop();
    }
    if let Some(name) = alias.or_else(|| path.last().cloned()) {
        take(path, name);
    }
}

/// Paths of more than one word outside of `use`, as written.
fn paths(tokens: &[String]) -> Vec<Vec<String>> {
    let is_word = |token: &String| token.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let captures = tokens.get(at + 1).is_some_and(|token| token == "<");
        if tokens[at] == "use" && !captures {
            at = end_of_item(tokens, at);
            continue;
        }
        let mut path = Vec::new();
        let begin = at;
        while is_word(&tokens[at]) {
            path.push(tokens[at].clone());
            let goes_on = tokens.get(at + 1).is_some_and(|token| token == "::");
            if !goes_on || !tokens.get(at + 2).is_some_and(is_word) {
                break;
            }
            at += 2;
        }
        at += 1;
        // Who may see an item: `pub(in crate::a)`.
        let is_scope = tokens[..begin].ends_with(&["(".to_owned(), "in".to_owned()]);
        let goes_before = tokens[..begin].last().is_some_and(|token| token == "::");
        if path.len() > 1 && !is_scope && !goes_before {
            found.push(path);
        }
    }
    found
}

/// Which files each file names something of.
fn arrows(files: &Files) -> BTreeMap<String, BTreeSet<String>> {
    let all = Crate::of(files);
    let mut arrows = BTreeMap::new();
    for (path, module) in &all.modules {
        let mut imported: BTreeMap<String, ModulePath> = BTreeMap::new();
        let mut named: Vec<ModulePath> = Vec::new();
        for one in uses(&module.tokens) {
            let Some(absolute) = all.absolute(path, &one.path) else {
                continue;
            };
            if all.modules.contains_key(&absolute) {
                imported.insert(one.name, absolute.clone());
            }
            if !one.is_passed_on {
                named.push(absolute);
            }
        }
        for written in paths(&module.tokens) {
            match imported.get(&written[0]) {
                Some(module) => named.push(module.iter().chain(&written[1..]).cloned().collect()),
                None => named.extend(all.absolute(path, &written)),
            }
        }
        let to = named.iter().map(|path| all.definer(path).to_owned());
        let to: BTreeSet<String> = to.filter(|file| *file != module.file).collect();
        arrows.insert(module.file.clone(), to);
    }
    arrows
}

/// For each knot of files the shortest circle in it, and how many files it ties.
fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut told: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for file in arrows.keys() {
        let Some(circle) = shortest_circle(arrows, file) else {
            continue;
        };
        if told.contains(file.as_str()) {
            continue;
        }
        let reached = reachable(arrows, file);
        let tied = reached
            .iter()
            .filter(|other| reachable(arrows, other).contains(file.as_str()));
        told.extend(tied.clone().copied());
        found.push(format!("{} ({} files)", circle.join(" → "), tied.count()));
    }
    found
}

fn reachable<'a>(arrows: &'a BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        for next in &arrows[file] {
            if reached.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    reached
}

fn shortest_circle(arrows: &BTreeMap<String, BTreeSet<String>>, from: &str) -> Option<Vec<String>> {
    let mut open = VecDeque::from([vec![from.to_owned()]]);
    let mut seen = BTreeSet::new();
    while let Some(path) = open.pop_front() {
        for next in &arrows[path.last()?] {
            let longer: Vec<String> = path.iter().chain([next]).cloned().collect();
            if next == from {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                open.push_back(longer);
            }
        }
    }
    None
}

fn found_in(files: &[(&str, &str)]) -> Vec<String> {
    let files = files.iter();
    let files = files.map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    circles(&arrows(&files.collect()))
}

#[test]
fn circles_are_found() {
    let root = ("lib.rs", "mod a;\nmod b;\npub use b::B;\n");
    let there = ("a.rs", "use crate::B;\npub struct A;\n");
    for back in [
        "use crate::a::A;\npub struct B;\n",
        "use super::a::{self, A as Other};\npub struct B;\n",
        "pub struct B(crate::a::A);\n",
        "use super::a;\npub struct B(a::A);\n",
        "pub struct B;\nfn b() { use crate::{a::A}; }\n",
    ] {
        let found = found_in(&[root, there, ("b.rs", back)]);
        assert_eq!(found, ["a.rs → b.rs → a.rs (2 files)"], "{back}");
    }
    for none in [
        "pub struct B;\n",
        "// use crate::a::A;\npub struct B(&'static str);\nconst C: &str = \"crate::a::A\";\n",
        "pub struct B;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n",
        "pub(in crate::a) struct B;\n",
        "use other::a::A;\npub struct B<'a>(&'a A, [char; 2]);\nconst C: [char; 2] = ['\\'', 'a'];\n",
    ] {
        assert_eq!(found_in(&[root, there, ("b.rs", none)]), [""; 0], "{none}");
    }
}

#[test]
fn a_module_that_passes_on_is_looked_through() {
    let listing = "mod one;\nmod two;\npub(crate) use one::One;\npub use two::Two;\n";
    let files = |one| {
        [
            ("lib.rs", "mod room;\n"),
            ("room/mod.rs", listing),
            ("room/one.rs", one),
            ("room/two.rs", "use super::One;\npub struct Two;\n"),
        ]
    };
    assert_eq!(found_in(&files("pub struct One;\n")), [""; 0]);
    let found = found_in(&files("use crate::room::Two;\npub struct One;\n"));
    assert_eq!(found, ["room/one.rs → room/two.rs → room/one.rs (2 files)"]);
}
