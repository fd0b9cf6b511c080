//! The order of the engine's rooms: a room takes from those below it and from none above it.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From the roof to the ground, as `docs/internals/architecture.md` has them. Those of one line stand
/// beside each other and do not know of each other.
const ROOMS: &[&[&str]] = &[
    &["cli"],
    &["demo", "accounts", "ca", "process"],
    &["unseen", "listener", "admin"],
    &["transaction"],
    &["client"],
    &["upstream"],
    &["shard"],
    &["enforcement"],
    &["decisions", "destination"],
    &["transport"],
    &["access_log"],
    &["identity", "tls", "http2"],
    &["io"],
    &["messages", "observe"],
    &["config"],
    &["proxy_error", "fair_share", "clock", "hashing", "limits"],
];

fn engine() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap().join("engine/src")
}

/// The rooms within `transaction/`, in the same way. What stands in its `mod.rs` is the order of the phases,
/// which takes from all of them.
const ROOMS_OF_TRANSACTION: &[&[&str]] = &[
    &["connection"],
    &["tunnel"],
    &["exchange"],
    &["phases"],
    &["request"],
];

/// The storey of a room, from the ground.
fn storey(rooms: &[&[&str]], room: &str) -> Option<usize> {
    rooms.iter().rev().position(|rooms| rooms.contains(&room))
}

/// Files of a room that run in the proxy.
fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            files(&entry.unwrap().path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(path) {
        found.push(path.to_owned());
    }
}

fn is_test(path: &Path) -> bool {
    path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests")
}

/// The words that follow `parent` in a text, tests within it aside.
fn named(text: &str, parent: &str) -> BTreeSet<String> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let text = lines.join("\n");
    let mut words = BTreeSet::new();
    for (at, _) in text.match_indices(parent) {
        let path = &text[at + parent.len()..];
        let paths = match path.strip_prefix('{') {
            Some(several) => several.split('}').next().unwrap(),
            None => path,
        };
        let several = paths
            .split(',')
            .take(if path.starts_with('{') { usize::MAX } else { 1 });
        words.extend(several.map(|path| {
            let path = path.trim_start();
            let end = path.find(|letter: char| {
                !letter.is_ascii_lowercase() && letter != '_' && !letter.is_ascii_digit()
            });
            path[..end.unwrap_or(path.len())].to_owned()
        }));
    }
    words.remove("");
    words
}

/// All pairs of a room in `folder` and one that it takes from although it stands no lower.
fn climbs(folder: &Path, rooms: &[&[&str]], parent: &str) -> BTreeSet<(String, String)> {
    let mut climbs = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_string_lossy().into_owned();
        if ["lib", "main", "mod"].contains(&room.as_str()) {
            continue;
        }
        let own = storey(rooms, &room).unwrap_or_else(|| panic!("{room} is no known room"));
        let mut of_room = Vec::new();
        files(&path, &mut of_room);
        for file in of_room {
            for other in named(&fs::read_to_string(&file).unwrap(), parent) {
                // What is no room is an item of the room that they are in.
                let its = storey(rooms, &other).filter(|_| other != room);
                if its.is_some_and(|its| its >= own) {
                    climbs.insert((file.display().to_string(), other));
                }
            }
        }
    }
    climbs
}

#[test]
fn nothing_climbs() {
    let mut found = climbs(&engine(), ROOMS, "crate::");
    found.extend(climbs(
        &engine().join("transaction"),
        ROOMS_OF_TRANSACTION,
        "crate::transaction::",
    ));
    assert!(
        found.is_empty(),
        "rooms that take from above or beside: {found:#?}"
    );
}

#[test]
fn every_room_is_known() {
    let mut all = Vec::new();
    files(&engine(), &mut all);
    for file in all {
        for room in named(&fs::read_to_string(&file).unwrap(), "crate::") {
            let path = engine().join(&room);
            if path.is_dir() || path.with_extension("rs").is_file() {
                assert!(storey(ROOMS, &room).is_some(), "{room}: {}", file.display());
            }
        }
    }
}

#[test]
fn a_line_that_climbs_is_seen() {
    let storey = |room| storey(ROOMS, room);
    assert!(storey("limits") < storey("io") && storey("io") < storey("listener"));
    let text = "use crate::listener::bind;\n// crate::demo\nfn f(x: crate::tls::T) {}\nuse crate::{\n    config,\n    io::buffers,\n};\n#[cfg(test)]\nmod tests {\n use crate::ca;\n}";
    let rooms: Vec<_> = named(text, "crate::").into_iter().collect();
    assert_eq!(rooms, ["config", "io", "listener", "tls"]);
}
