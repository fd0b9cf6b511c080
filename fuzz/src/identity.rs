//! Who a client is: what is read as credentials says the same when it is written again, no problem of a
//! file can write to a terminal, and nobody forges a token.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use sallyport_identity::{
    Algorithm, Authority, Authorization, CertificateIdentity, ClaimPath, Jwt, JwtIssuer, KeySet,
    PasswordFile, REMEMBERED_SECONDS_MAX, SpiffeId, TokenFile, TokenFileError,
};
use serde_json::Value;

/// When tokens are verified.
const NOW: i64 = 1_800_000_000;

/// Tokens that the owners of the keys have signed, each behind the byte that says what it is.
const GENUINE: [&str; 3] = [
    include_str!("../corpus/identity/token_rs256"),
    include_str!("../corpus/identity/token_es256"),
    include_str!("../corpus/identity/token_eddsa"),
];

/// Keys of RFC 7515 appendix A and RFC 8037 appendix A, all of one `kid`.
static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let document = include_str!("../corpus/identity/keys");
    KeySet::parse(&document.as_bytes()[1..]).expect("a seed that is read")
});

/// The private part of the last one, which RFC 8037 appendix A.1 publishes.
static SIGNING_KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let seed = seed.expect("base64url").try_into().expect("32 bytes");
    SigningKey::from_bytes(&seed)
});

static ISSUER: LazyLock<JwtIssuer> = LazyLock::new(|| {
    let path = |text| ClaimPath::parse(text).expect("a path");
    JwtIssuer {
        authority: Authority::Issuer {
            issuer: "joe".to_owned(),
            principal: path("sub"),
        },
        audiences: vec!["sallyport".to_owned()],
        algorithms: Algorithm::ALL.to_vec(),
        labels: BTreeMap::from([("groups".to_owned(), path("/groups"))]),
        leeway_seconds: 0,
    }
});

/// The first byte says what the rest is.
pub fn identity(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    match (kind, str::from_utf8(rest)) {
        (b'c', _) => certificate(rest),
        (b'h', _) => credentials(rest),
        (b'k', _) => keys(rest),
        (b'p', Ok(text)) => passwords(text),
        (b't', Ok(text)) => tokens(text),
        (b's', Ok(text)) => signed(text),
        (_, Ok(text)) => token(text),
        (_, Err(_)) => {}
    }
}

/// An error says something, and nothing that moves a cursor.
fn told(error: &impl Display) {
    let shown = error.to_string();
    let is_shown = |shown: char| shown == '\n' || !shown.is_control();
    assert!(
        !shown.is_empty() && shown.chars().all(is_shown),
        "{shown:?}"
    );
}

fn certificate(der: &[u8]) {
    let identity = match CertificateIdentity::parse(der) {
        Ok(identity) => identity,
        Err(error) => return told(&error),
    };
    for name in identity.dns_names.iter().chain(&identity.common_name) {
        assert!(!name.is_empty() && !name.contains(char::is_control));
    }
    if let Some(id) = identity.spiffe_id {
        assert_eq!(SpiffeId::parse(id.as_str()), Ok(id));
    }
}

fn credentials(value: &[u8]) {
    let authorization = match Authorization::parse(value) {
        Ok(authorization) => authorization,
        Err(error) => return told(&error),
    };
    let written = match &authorization {
        Authorization::Basic { user, password } => {
            let both = format!("{user}:{}", password.expose());
            assert!(!user.contains(':') && !both.contains(char::is_control));
            format!("basic {}", STANDARD_NO_PAD.encode(both))
        }
        Authorization::Bearer(token) => format!("BEARER {}", token.expose()),
    };
    if let Some(presented) = authorization.token() {
        let bearer = Authorization::parse(format!("Bearer {presented}").as_bytes());
        assert_eq!(bearer.expect("one token").token(), Some(presented));
        token(presented);
    }
    assert_eq!(
        Authorization::parse(written.as_bytes()),
        Ok(authorization),
        "written again, it says something else"
    );
}

fn passwords(text: &str) {
    let lines = text.lines();
    match PasswordFile::parse(text) {
        Ok(file) => {
            let spaced: String = lines.map(|line| format!("\n# {line}\n{line}\n")).collect();
            let spaced = PasswordFile::parse(&spaced).expect("the same with comments");
            assert_eq!(spaced.users_count(), file.users_count());
            let twice = PasswordFile::parse(&format!("{text}\n{text}"));
            assert_eq!(twice.is_err(), file.users_count() > 0);
        }
        Err(errors) => {
            told(&errors);
            let numbers = errors.0.iter().map(|error| error.line_number);
            let numbers: Vec<usize> = numbers.collect();
            assert!(!numbers.is_empty() && numbers.is_sorted_by(|one, next| one < next));
            assert!(numbers[0] >= 1 && numbers[numbers.len() - 1] <= lines.count());
        }
    }
}

fn tokens(text: &str) {
    match TokenFile::parse(text) {
        Ok(file) => {
            let twice = TokenFile::parse(&format!("{text}\n{text}"));
            assert!(twice.is_err() || file.tokens_count() == 0);
        }
        Err(error) => {
            told(&error);
            if let TokenFileError::Toml { line_number, .. } = error {
                assert!((1..=text.matches('\n').count() + 1).contains(&line_number));
            }
        }
    }
}

/// Each key is taken or told, and no private one is read past.
fn keys(document: &[u8]) {
    let set = match KeySet::parse(document) {
        Ok(set) => set,
        Err(error) => return told(&error),
    };
    let plain: Value = serde_json::from_slice(document).expect("JSON");
    let written = plain["keys"].as_array().expect("a list");
    assert_eq!(set.keys_count() + set.passed_over().len(), written.len());
    assert!(set.keys_count() > 0);
    assert!(written.iter().all(|key| key.get("d").is_none()));
    for one in set.passed_over() {
        told(one);
        assert!((1..=written.len()).contains(&one.place));
    }
}

/// What nobody has signed is refused: the header and the claims that are accepted are known, byte by byte.
fn token(text: &str) {
    if let Ok(()) = verified(text) {
        let signed = |token: &'static str| token[1..].rsplit_once('.').map(|(signed, _)| signed);
        let found = text.rsplit_once('.').map(|(signed, _)| signed);
        assert!(
            GENUINE.iter().any(|genuine| signed(genuine) == found),
            "forged"
        );
    }
}

/// A header, a line feed and claims, which are signed as they are; what is accepted holds for a plain
/// reader too.
fn signed(text: &str) {
    let (header, claims) = text.split_once('\n').unwrap_or((text, ""));
    let encode = |part: &str| URL_SAFE_NO_PAD.encode(part);
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = SIGNING_KEY.sign(signed.as_bytes()).to_bytes();
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    if let Ok(()) = verified(&token) {
        let header: Value = serde_json::from_str(header).expect("JSON");
        assert!(["EdDSA", "Ed25519"].contains(&header["alg"].as_str().expect("a text")));
        assert!(header.get("crit").is_none());
        assert!(header.get("kid").is_none_or(|kid| kid == "1"));
        let claims: Value = serde_json::from_str(claims).expect("JSON");
        let audiences = claims["aud"].as_array();
        let names_us = |audiences: &Vec<Value>| audiences.iter().any(|one| one == "sallyport");
        assert!(claims["aud"] == "sallyport" || audiences.is_some_and(names_us));
        assert_eq!(claims["iss"], "joe");
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let now = NOW as f64;
        let seconds = |claim: &str| claims[claim].as_f64();
        assert!(seconds("exp").expect("a number") > now);
        assert!(seconds("nbf").is_none_or(|start| start < now + 1.0));
        assert!(seconds("iat").is_none_or(|start| start < now + 1.0));
    }
}

fn verified(token: &str) -> Result<(), ()> {
    let verified = Jwt::parse(token).and_then(|jwt| jwt.verify(&ISSUER, &KEYS, NOW));
    let verified = verified.map_err(|error| told(&error))?;
    let remembered = verified.remembered_until - NOW;
    assert!((1..=i64::from(REMEMBERED_SECONDS_MAX)).contains(&remembered));
    let values = verified.labels.values().flatten();
    for text in values.chain([&verified.principal]) {
        assert!(!text.is_empty() && !text.contains(char::is_control));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise nothing would be asked of what is accepted.
    #[test]
    fn genuine_tokens_are_accepted() {
        for token in GENUINE {
            assert_eq!(verified(&token[1..]), Ok(()));
        }
        assert_eq!(KEYS.keys_count(), 3);
    }
}
