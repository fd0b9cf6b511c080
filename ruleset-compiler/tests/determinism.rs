//! The same text gives the same bytes: in other processes, in another folder, and whatever was
//! compiled before. What the text says about order that does not matter is not in what decides.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::process::Command;

const GROUPS: [&str; 2] = [
    "[[group]]\npriority = 10\nfile = \"one.toml\"\n",
    "[[group]]\npriority = 20\nfile = \"two.toml\"\n",
];

/// Writes a ruleset of several files, its groups named in the given order.
fn write_rules(folder: &Path, order: [usize; 2]) {
    let defaults =
        "[defaults]\npre_dns = \"deny\"\npre_request = \"allow\"\npost_response = \"allow\"\n";
    let lists = "[lists]\nnames = \"names.txt\"\n";
    let root = format!("{defaults}{lists}{}{}", GROUPS[order[0]], GROUPS[order[1]]);
    std::fs::write(folder.join("ruleset.toml"), root).unwrap();
    std::fs::write(
        folder.join("one.toml"),
        r#"name = "one"
[[pre_dns]]
name = "listed"
action = "allow"
when."request:DestinationDomain" = { DomainMatch = "@names" }
[[pre_request]]
name = "patterns"
action = "deny"
when."request:Http:Uri" = { StringMatches = ["/admin/.*[.]php$", "^/[a-z]+$"] }
"#,
    )
    .unwrap();
    std::fs::write(
        folder.join("two.toml"),
        r#"name = "two"
[[pre_request]]
name = "networks"
action = "alert"
when."request:DestinationIp" = { IpAddress = ["10.0.0.0/8", "2001:db8::/32"] }
"#,
    )
    .unwrap();
    let names: String = (0..2_000)
        .map(|n| format!("host-{n}.example.com\n"))
        .collect();
    std::fs::write(folder.join("names.txt"), names).unwrap();
}

/// Compiles in a process of its own.
fn compile(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let status = Command::new(env!("CARGO_BIN_EXE_sallyport-rules"))
        .args(["compile", "ruleset.toml", "-o", "rules.spb", "-q"])
        .args(arguments)
        .current_dir(folder)
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::read(folder.join("rules.spb")).unwrap()
}

#[test]
fn the_same_text_gives_the_same_bytes() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_rules(here.path(), [0, 1]);
    write_rules(there.path(), [0, 1]);
    let first = compile(here.path(), &[]);
    assert_eq!(first, compile(here.path(), &[]));
    assert_eq!(first, compile(there.path(), &[]));
}

/// The record of the source is part of the identity, so another order of the files is another
/// bundle; but one that decides by the same rules.
#[test]
fn the_order_of_the_files_is_only_in_the_digest_of_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let mut compiled = [[0, 1], [1, 0]].map(|order| {
        write_rules(folder.path(), order);
        let bytes = compile(folder.path(), &[]);
        sallyport_ruleset::Bundle::load(bytes).unwrap()
    });
    let [first, second] = &mut compiled;
    assert_ne!(first.id(), second.id());
    assert_eq!(first.ruleset().unwrap(), second.ruleset().unwrap());
    assert_eq!(first.sizes(), second.sizes());
}

#[test]
fn optimizations_can_be_left_out() {
    let folder = tempfile::tempdir().unwrap();
    write_rules(folder.path(), [0, 1]);
    let names = std::fs::read_to_string(folder.path().join("names.txt")).unwrap();
    std::fs::write(folder.path().join("names.txt"), names + "example.com\n").unwrap();
    let all = compile(folder.path(), &[]);
    let none = compile(folder.path(), &["--no-optimize", "all"]);
    let other = compile(folder.path(), &["--no-optimize", "merge-sets"]);
    assert!(all.len() * 4 < none.len(), "{} {}", all.len(), none.len());
    assert_eq!(other.len(), all.len());
    // The flag's old spelling.
    assert_eq!(compile(folder.path(), &["--no-optimise", "all"]), none);
}
