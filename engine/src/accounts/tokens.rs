//! Files of tokens.

use std::path::Path;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jiff::Timestamp;
use sallyport_identity::TokenFile;
use sha2::{Digest, Sha256};

use super::error::AccountError;
use super::file;

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// Whose a token is to be.
#[derive(Debug)]
pub(super) struct NewToken {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) expires: Option<Timestamp>,
}

/// Draws a token, adds it to a file, and returns it.
pub(super) fn add(path: &Path, new: &NewToken) -> Result<String, AccountError> {
    let text = file::text(path)?;
    TokenFile::parse(&text).map_err(|error| AccountError::Content {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let mut random = [0; TOKEN_BYTES];
    getrandom::fill(&mut random)?;
    let token = BASE64URL_NOPAD.encode(&random);
    let more = format!("{text}{}{}", separator(&text), entry(new, &token));
    // What the reader would refuse is not written.
    TokenFile::parse(&more).map_err(|error| AccountError::Refused(error.to_string()))?;
    file::replace(path, &more)?;
    Ok(token)
}

/// An empty line behind what is there.
fn separator(text: &str) -> &'static str {
    match (text.is_empty(), text.ends_with('\n')) {
        (true, _) => "",
        (false, true) => "\n",
        (false, false) => "\n\n",
    }
}

fn entry(new: &NewToken, token: &str) -> String {
    let string = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let digest = HEXLOWER.encode(&Sha256::digest(token.as_bytes()));
    let mut entry = format!(
        "[[token]]\nname = {}\nsha256 = \"{digest}\"\n",
        string(&new.name)
    );
    if !new.labels.is_empty() {
        let labels = new.labels.iter();
        let labels = labels.map(|(name, value)| format!("{} = {}", string(name), string(value)));
        let labels: Vec<_> = labels.collect();
        entry.push_str(&format!("labels = {{ {} }}\n", labels.join(", ")));
    }
    if let Some(end) = new.expires {
        let whole = Timestamp::from_second(end.as_second()).unwrap_or(end);
        entry.push_str(&format!("expires = {whole}\n"));
    }
    entry
}
