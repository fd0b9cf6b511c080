//! A file of users: `name:hash`, one a line, as `htpasswd -B` writes it too. Empty lines and those that
//! begin with `#` say nothing.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::file_errors::{FileErrors, LineError};
use crate::limits::{ENTRIES_MAX, NAME_BYTES_MAX};
use crate::password_hash::{HashError, PasswordHash};

/// Users and the hashes of their passwords.
#[derive(Clone, Debug, Default)]
pub struct PasswordFile {
    users: HashMap<String, User>,
    /// What is verified for a user who is not there: the hash that costs as much as most do.
    decoy: Option<PasswordHash>,
}

#[derive(Clone, Debug)]
struct User {
    hash: PasswordHash,
    /// Of the hash as it is written.
    digest: [u8; 32],
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PasswordLineError {
    /// There is no colon.
    #[error("expected `name:hash`")]
    NoColon,
    /// RFC 7617 knows no such user, or the name is longer than [`NAME_BYTES_MAX`].
    #[error("expected a name of 1 to {NAME_BYTES_MAX} bytes without control characters")]
    Name,
    /// The hash is none.
    #[error("{name}: {error}")]
    Hash {
        /// Whose.
        name: String,
        /// What is wrong with it.
        error: HashError,
    },
    /// The user has a line already.
    #[error("{name} has a line already")]
    Repeated {
        /// Who.
        name: String,
    },
    /// There are more than [`ENTRIES_MAX`] users.
    #[error("more than {ENTRIES_MAX} users")]
    TooMany,
}

impl PasswordFile {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, FileErrors<PasswordLineError>> {
        let mut file = Self::default();
        let mut errors = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let added = if file.users.len() < ENTRIES_MAX {
                file.add(line)
            } else {
                Err(PasswordLineError::TooMany)
            };
            if let Err(error) = added {
                let is_last = error == PasswordLineError::TooMany;
                let line_number = index + 1;
                errors.push(LineError { line_number, error });
                if is_last {
                    break;
                }
            }
        }
        if errors.is_empty() {
            Ok(file)
        } else {
            Err(FileErrors(errors))
        }
    }

    fn add(&mut self, line: &str) -> Result<(), PasswordLineError> {
        let (name, hash) = line.split_once(':').ok_or(PasswordLineError::NoColon)?;
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
            return Err(PasswordLineError::Name);
        }
        let name = name.to_owned();
        if self.users.contains_key(&name) {
            return Err(PasswordLineError::Repeated { name });
        }
        let text = hash.trim_end();
        match PasswordHash::parse(text) {
            Ok(hash) => {
                self.decoy.get_or_insert_with(|| hash.clone());
                let digest = Sha256::digest(text.as_bytes()).into();
                self.users.insert(name, User { hash, digest });
                Ok(())
            }
            Err(error) => Err(PasswordLineError::Hash { name, error }),
        }
    }

    /// Whether the user is there and the password is theirs. Takes about as long for users who are not
    /// there, so that the time does not tell who is.
    #[must_use]
    pub fn verify(&self, user: &str, password: &str) -> bool {
        match (self.users.get(user), &self.decoy) {
            (Some(user), _) => user.hash.verify(password),
            (None, Some(decoy)) => {
                let _ = decoy.verify(password);
                false
            }
            (None, None) => false,
        }
    }

    /// What changes when the user gets another password, if there is such a user: a password that was
    /// verified counts as long as this is the same.
    #[must_use]
    pub fn entry_digest(&self, user: &str) -> Option<[u8; 32]> {
        Some(self.users.get(user)?.digest)
    }

    /// How many users there are.
    #[must_use]
    pub fn users_count(&self) -> usize {
        self.users.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ARGON2ID: &str =
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    const BCRYPT: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

    #[test]
    fn users_and_their_passwords() {
        let text = format!("# people\n\nann:{ARGON2ID}\r\nBob Ü:{BCRYPT}  \n");
        let file = PasswordFile::parse(&text).unwrap();
        assert_eq!(file.users_count(), 2);
        assert!(file.verify("ann", "password"));
        assert!(file.verify("Bob Ü", "U*U"));
        for (user, password) in [
            ("ann", "U*U"),
            ("Ann", "password"),
            ("bob", "U*U"),
            ("", "password"),
            // What the hash of the first user is of.
            ("nobody", "password"),
        ] {
            assert!(!file.verify(user, password), "{user} {password}");
        }
        assert!(!PasswordFile::parse("").unwrap().verify("ann", "password"));
    }

    #[test]
    fn an_entry_is_its_hash() {
        let file = |text: &str| PasswordFile::parse(text).unwrap();
        let one = file(&format!("ann:{ARGON2ID}\n")).entry_digest("ann");
        assert_eq!(
            one,
            file(&format!("bob:{BCRYPT}\nann:{ARGON2ID} ")).entry_digest("ann")
        );
        assert_ne!(one, file(&format!("ann:{BCRYPT}")).entry_digest("ann"));
        assert_eq!(file(&format!("ann:{BCRYPT}")).entry_digest("bob"), None);
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        let text = format!(
            "ann\n:{BCRYPT}\n{long}:{BCRYPT}\na\tb:{BCRYPT}\nann:secret\nbob:{BCRYPT}\nbob:{BCRYPT}\n"
        );
        let errors = PasswordFile::parse(&text).unwrap_err();
        let name = |name: &str| name.to_owned();
        let expected = [
            (1, PasswordLineError::NoColon),
            (2, PasswordLineError::Name),
            (3, PasswordLineError::Name),
            (4, PasswordLineError::Name),
            (
                5,
                PasswordLineError::Hash {
                    name: name("ann"),
                    error: HashError::Kind,
                },
            ),
            (7, PasswordLineError::Repeated { name: name("bob") }),
        ];
        let expected = expected.map(|(line_number, error)| LineError { line_number, error });
        assert_eq!(errors, FileErrors(expected.to_vec()));
        let shown = errors.to_string();
        assert!(
            shown.starts_with("line 1: expected `name:hash`\nline 2: "),
            "{shown}"
        );
        assert!(!shown.contains("secret"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_text(text: String) {
            let _ = PasswordFile::parse(&text);
            let _ = PasswordFile::parse(&format!("a:$argon2id${text}"));
            let _ = PasswordFile::parse(&format!("a:$2b${text}"));
        }
    }
}
