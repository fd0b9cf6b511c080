//! Files of users.

use std::path::Path;

use sallyport_identity::{PasswordFile, Secret, hash_password};

use super::error::AccountError;
use super::file;

/// The hash of a password, with a salt of its own.
pub(super) fn hash(password: &Secret) -> Result<String, AccountError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt)?;
    hash_password(password.expose(), &salt)
        .map_err(|error| AccountError::Refused(error.to_string()))
}

/// Whether there can be a user of this name.
pub(super) fn check_name(name: &str) -> Result<(), AccountError> {
    // By the reader itself; the hash is a good one of nothing.
    const SOME: &str = "$2y$05$l5gRcPjdU3ReKzYQtbYZIeWhv96Y.8yw6kMX78EqRatEnMWNybOB6";
    let is_read = PasswordFile::parse(&format!("{name}:{SOME}"))
        .is_ok_and(|file| file.entry_digest(name).is_some());
    match is_read {
        true => Ok(()),
        false => Err(AccountError::Refused(format!(
            "{name:?} can be no user: expected 1 to 256 bytes without colons and control characters, \
             which do not begin with #"
        ))),
    }
}

/// Adds a user to a file, or gives one another password.
pub(super) fn add(path: &Path, name: &str, password: &Secret) -> Result<String, AccountError> {
    let text = read(path)?;
    let (mut kept, was_there) = without(&text, name);
    kept.push_str(&format!("{name}:{}\n", hash(password)?));
    file::replace(path, &kept)?;
    let done = if was_there { "changed" } else { "added" };
    Ok(format!("{done} {name} in {}", path.display()))
}

/// Removes a user from a file.
pub(super) fn remove(path: &Path, name: &str) -> Result<String, AccountError> {
    let text = read(path)?;
    let (kept, was_there) = without(&text, name);
    if !was_there {
        return Err(AccountError::NoUser {
            path: path.to_owned(),
            name: name.to_owned(),
        });
    }
    file::replace(path, &kept)?;
    Ok(format!("removed {name} from {}", path.display()))
}

/// The text of a file without faults.
fn read(path: &Path) -> Result<String, AccountError> {
    let text = file::text(path)?;
    PasswordFile::parse(&text).map_err(|errors| AccountError::Content {
        path: path.to_owned(),
        reason: errors.to_string(),
    })?;
    Ok(text)
}

/// The lines that are not of a user, and whether there was one that is.
fn without(text: &str, name: &str) -> (String, bool) {
    let is_of = |line: &str| {
        !line.starts_with('#') && line.split_once(':').is_some_and(|(of, _)| of == name)
    };
    let kept = text.lines().filter(|line| !is_of(line));
    let kept = kept.map(|line| format!("{line}\n")).collect();
    (kept, text.lines().any(is_of))
}
