//! From the values of a file to a [`Config`]: the tables in the order of the documentation, and
//! what concerns more than one of them.

use std::path::PathBuf;

use sallyport_ruleset::PublicKey;
use sha2::{Digest, Sha256};

use super::checked::Config;
use super::environment::Environment;
use super::raw::{Report, Section};
use super::sections;
use super::values::{self, Wrong};
use crate::limits::{SHARDS_MAX, TRUSTED_KEYS_MAX};

/// Reads everything. The result is right only if nothing was reported.
pub(super) fn check(
    root: Section<'_>,
    report: &Report<'_>,
    text: &str,
    environment: &Environment<'_>,
) -> Config {
    let shards_default = environment.cores.clamp(1, SHARDS_MAX);
    let shards = root.count("shards", shards_default, 1..=SHARDS_MAX).value;
    let config = Config {
        id: id(text, environment),
        text: text.into(),
        ruleset: ruleset(&root, environment),
        trusted_keys: trusted_keys(&root, environment),
        shards,
        io: sections::io(root.section("io")),
        admin: sections::admin(root.section("admin"), &environment.base_dir()),
        listeners: sections::listeners(&root, environment),
        auth: sections::auth(root.section("auth"), report, environment),
        identity_sources: sections::identity_sources(root.section("identity"), report),
        dns: sections::dns(root.section("dns"), environment),
        hosts: sections::hosts(&root, report),
        guard: sections::guard(root.section("guard")),
        tls: sections::tls(root.section("tls"), environment),
        tunnel: sections::tunnel(root.section("tunnel")),
        reload: sections::reload(root.section("reload")),
        timeouts: sections::timeouts(root.section("timeouts")),
        tcp: sections::tcp(root.section("tcp")),
        limits: sections::limits(root.section("limits"), shards),
        http: sections::http(root.section("http")),
        pool: sections::pool(root.section("pool")),
        http2: sections::http2(root.section("http2")),
        connect: sections::connect(root.section("connect")),
        headers: sections::headers(root.section("headers"), report),
        responses: sections::responses(root.section("responses"), environment),
        log: sections::log(root.section("log"), &environment.base_dir()),
        drain: sections::drain(root.section("drain")),
    };
    root.finish();
    config
}

/// The command line's ruleset, or the file's.
fn ruleset(root: &Section<'_>, environment: &Environment<'_>) -> PathBuf {
    const EXPECTED: &str = "the path of a compiled ruleset (.spb)";
    let ruleset = root.read("ruleset", |value| match values::text(value, EXPECTED)? {
        "" => Err(Wrong::value(value, EXPECTED)),
        path => Ok(environment.base_dir().join(path)),
    });
    if let Some(path) = &environment.overrides.ruleset {
        return path.clone();
    }
    if let Some(placed) = ruleset {
        return placed.value;
    }
    if !root.is_present("ruleset") {
        let found = "nothing".to_owned();
        let expected = format!("{EXPECTED}, here or with --ruleset");
        root.wrong("ruleset", None, &Wrong { found, expected });
    }
    PathBuf::new()
}

/// Who may sign the ruleset; nobody needs to if there is no key.
fn trusted_keys(root: &Section<'_>, environment: &Environment<'_>) -> Vec<PublicKey> {
    const EXPECTED: &str = "files with ed25519 public keys in PEM";
    let keys = root.list("trusted_keys", 0..=TRUSTED_KEYS_MAX, EXPECTED, |value| {
        let path = environment
            .base_dir()
            .join(values::text(value, "the path of a public key")?);
        let key = (environment.read)(&path)
            .map_err(|error| format!("a file that can be read ({}: {error})", path.display()))
            .and_then(|pem| public_key(&pem));
        key.map_err(|expected| Wrong::value(value, expected))
    });
    let keys = keys.unwrap_or_default().into_iter();
    keys.map(|key| key.value).collect()
}

fn public_key(pem: &[u8]) -> Result<PublicKey, String> {
    let text = str::from_utf8(pem).unwrap_or_default();
    PublicKey::from_pem(text).map_err(|error| format!("a public key; it is {error}"))
}

fn id(text: &str, environment: &Environment<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(text.as_bytes());
    if let Some(ruleset) = &environment.overrides.ruleset {
        // No text contains this byte, so no text looks like another with an override.
        hash.update([0xff]);
        hash.update(ruleset.as_os_str().as_encoded_bytes());
    }
    hash.finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
