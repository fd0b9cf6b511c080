//! Every target over its corpus and over mutations of it from a fixed seed; and that targets,
//! corpora and binaries are complete.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sallyport_fuzz::Mutator;

/// A test for each target, with the number of mutations to try: about a second's worth.
macro_rules! targets {
    ($($target:ident $mutations:literal,)+) => {
        const TARGETS: &[&str] = &[$(stringify!($target)),+];
        $(
            #[test]
            fn $target() {
                drive(stringify!($target), sallyport_fuzz::$target, $mutations);
            }
        )+
    };
}

targets! {
    proxy_protocol 200_000,
    sniff 400_000,
    client_hello 100_000,
    tls_records 50_000,
    identity 100_000,
    request_target 500_000,
    request_head 100_000,
    forwarded_request 100_000,
    response_head 50_000,
    forwarded_response 100_000,
    chunked_body 200_000,
    body_reader 200_000,
    http2_connection 30_000,
    dns_messages 30_000,
    bundle_bytes 50_000,
    bundle_forged 1_000,
    evaluation 500,
    ruleset_source 5_000,
    aws_json_source 5_000,
    imports 2_000,
    normal_forms 100_000,
    configuration 20_000,
    transaction 100,
}

const SEED: u64 = 20_250_614;

fn drive(name: &str, target: fn(&[u8]), mutations: u32) {
    let files = files(&folder("corpus").join(name));
    assert!(!files.is_empty(), "{name} has no corpus");
    let mut seeds = Vec::new();
    for file in &files {
        let input = fs::read(file).unwrap();
        let report = Report {
            name,
            input: &input,
            origin: file.display().to_string(),
        };
        target(&input);
        drop(report);
        seeds.push(input);
    }
    let mut mutator = Mutator::new(SEED);
    for round in 0..mutations {
        let input = mutator.next_input(&seeds);
        let origin = format!("mutation {round} of seed {SEED}");
        let _report = Report {
            name,
            input: &input,
            origin,
        };
        target(&input);
    }
}

/// Keeps the input of a target that panics, and tells where.
struct Report<'i> {
    name: &'i str,
    input: &'i [u8],
    origin: String,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-{}", self.name));
            let kept = match fs::write(&path, self.input) {
                Ok(()) => path.display().to_string(),
                Err(error) => format!("nowhere ({error})"),
            };
            eprintln!(
                "{}: {}, kept in {kept}:\n{}",
                self.name,
                self.origin,
                self.input.escape_ascii()
            );
        }
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// In an order that does not depend on the file system.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn stems(folder: &Path) -> BTreeSet<String> {
    let files = files(folder);
    let stems = files
        .iter()
        .map(|file| file.file_stem().unwrap().to_string_lossy());
    stems.map(String::from).collect()
}

#[test]
fn every_target_has_a_corpus_and_a_binary() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(stems(&folder("corpus")), targets);
    assert_eq!(stems(&folder("fuzz_targets")), targets);
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for target in &targets {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")),
            "{target}"
        );
        let path = folder("fuzz_targets").join(format!("{target}.rs"));
        let text = fs::read_to_string(path).unwrap();
        assert!(
            text.contains(&format!("sallyport_fuzz::{target}(data)")),
            "{target}"
        );
    }
}

#[test]
fn the_corpus_stays_small() {
    let folders = files(&folder("corpus"));
    let files = folders.iter().flat_map(|folder| files(folder));
    let bytes: u64 = files.map(|file| file.metadata().unwrap().len()).sum();
    assert!(bytes <= 200_000, "{bytes} bytes");
}

/// Otherwise the mutations of these seeds would never get past the first check.
#[test]
fn seeds_reach_what_they_are_for() {
    let load = |file: &PathBuf| sallyport_ruleset::Bundle::load(fs::read(file).unwrap()).is_ok();
    assert!(
        files(&folder("corpus/bundle_bytes")).iter().any(load),
        "the bundle format has changed: compile new seeds, as fuzz/README.md says"
    );
}

#[test]
fn the_same_seed_gives_the_same_inputs() {
    let seeds = [b"GET / HTTP/1.1".to_vec(), b"0\r\n\r\n".to_vec()];
    let inputs = |seed| {
        let mut mutator = Mutator::new(seed);
        (0..100)
            .map(|_| mutator.next_input(&seeds))
            .collect::<Vec<_>>()
    };
    assert_eq!(inputs(1), inputs(1));
    assert_ne!(inputs(1), inputs(2));
    let distinct: BTreeSet<_> = inputs(1).into_iter().collect();
    assert!(distinct.len() > 50);
}
