//! The order of the engine's rooms: a room takes from those below it and from none above it.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From the roof to the ground, as `docs/internals/architecture.md` has them. Those of one line stand
/// beside each other and do not know of each other.
const ROOMS: &[&[&str]] = &[
    &["cli"],
    &["demo", "ca", "process"],
    &["unseen", "listener"],
    &["transaction"],
    &["upstream"],
    &["shard"],
    &["enforcement"],
    &["decisions", "destination"],
    &["transport"],
    &["access_log"],
    &["tls", "http2"],
    &["io"],
    &["messages"],
    &["config"],
    &["proxy_error", "fair_share", "clock", "limits"],
];

fn engine() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap().join("engine/src")
}

/// The storey of a room, from the ground.
fn storey(room: &str) -> Option<usize> {
    ROOMS.iter().rev().position(|rooms| rooms.contains(&room))
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

/// The rooms that a text names in paths of the crate, tests within it aside.
fn named(text: &str) -> BTreeSet<String> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let paths = lines.flat_map(|line| {
        line.match_indices("crate::")
            .map(move |(at, _)| &line[at + 7..])
    });
    let rooms = paths.map(|path| {
        let end = path.find(|letter: char| {
            !letter.is_ascii_lowercase() && letter != '_' && !letter.is_ascii_digit()
        });
        path[..end.unwrap_or(path.len())].to_owned()
    });
    rooms.filter(|room| !room.is_empty()).collect()
}

/// All pairs of a room and one that it takes from although it stands no lower.
fn climbs() -> BTreeSet<(String, String)> {
    let mut climbs = BTreeSet::new();
    for entry in fs::read_dir(engine()).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_string_lossy().into_owned();
        if ["lib", "main"].contains(&room.as_str()) {
            continue;
        }
        let own = storey(&room).unwrap_or_else(|| panic!("{room} is no known room"));
        let mut of_room = Vec::new();
        files(&path, &mut of_room);
        for file in of_room {
            for other in named(&fs::read_to_string(&file).unwrap()) {
                let its = storey(&other)
                    .unwrap_or_else(|| panic!("{}: {other} is no known room", file.display()));
                if other != room && its >= own {
                    climbs.insert((room.clone(), other));
                }
            }
        }
    }
    climbs
}

#[test]
fn nothing_climbs() {
    let found = climbs();
    assert!(
        found.is_empty(),
        "rooms that take from above or beside: {found:?}"
    );
}

#[test]
fn a_line_that_climbs_is_seen() {
    assert!(storey("limits") < storey("io") && storey("io") < storey("listener"));
    let text = "use crate::listener::bind;\n// crate::demo\nfn f(x: crate::tls::T) {}\n#[cfg(test)]\nmod tests {\n use crate::ca;\n}";
    let rooms: Vec<_> = named(text).into_iter().collect();
    assert_eq!(rooms, ["listener", "tls"]);
}
