//! A salted hash of a password: argon2id in the form of the Password Hashing Competition, or bcrypt.

use std::fmt;

use argon2::{
    ARGON2ID_IDENT, Argon2, Params, PasswordHash as PhcHash, PasswordHasher as _,
    PasswordVerifier as _,
};
use thiserror::Error;

use crate::limits::{
    ARGON2_ITERATIONS_MAX, ARGON2_LANES_MAX, ARGON2_MEMORY_KIB_MAX, BCRYPT_COST_MAX,
    BCRYPT_PASSWORD_BYTES_MAX,
};

/// Why a text is no hash that passwords are verified with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HashError {
    /// Another kind: DES, MD5 and SHA hashes are fast to guess.
    #[error("expected a hash that begins with `$argon2id$`, `$2a$`, `$2b$` or `$2y$`")]
    Kind,
    /// Salt, parameters or hash are malformed or missing.
    #[error("expected argon2id as `$argon2id$v=19$m=…,t=…,p=…$salt$hash`")]
    Argon2,
    /// It would take more of the machine than passwords may.
    #[error(
        "argon2id with m={memory_kib}, t={iterations}, p={lanes}: expected at most \
         m={ARGON2_MEMORY_KIB_MAX}, t={ARGON2_ITERATIONS_MAX}, p={ARGON2_LANES_MAX}"
    )]
    Argon2Cost {
        /// KiB.
        memory_kib: u32,
        /// Passes over the memory.
        iterations: u32,
        /// Lanes of the memory.
        lanes: u32,
    },
    /// It is not of its 60 characters.
    #[error("expected bcrypt as `$2y$cost$salt-and-hash`, 60 characters")]
    Bcrypt,
    /// It is none that bcrypt has, or would take too long.
    #[error("bcrypt of cost {0}: expected 4 to {BCRYPT_COST_MAX}")]
    BcryptCost(u32),
}

/// The hash of a password by argon2id with 19 MiB and two passes (OWASP's choice), which takes some 20 ms.
/// The salt has to be another one each time.
///
/// # Errors
/// When there is not that much memory.
pub fn hash_password(password: &str, salt: &[u8; 16]) -> Result<String, HashError> {
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), salt);
    hash.map(|hash| hash.to_string())
        .map_err(|_| HashError::Argon2)
}

/// A hash that was read.
#[derive(Clone)]
pub(crate) enum PasswordHash {
    Argon2id(Box<PhcHash>),
    Bcrypt(String),
}

impl PasswordHash {
    /// Reads one.
    pub(crate) fn parse(text: &str) -> Result<Self, HashError> {
        if text.starts_with("$argon2id$") {
            Self::argon2id(text)
        } else if ["$2a$", "$2b$", "$2y$"]
            .iter()
            .any(|kind| text.starts_with(kind))
        {
            Self::bcrypt(text)
        } else {
            Err(HashError::Kind)
        }
    }

    fn argon2id(text: &str) -> Result<Self, HashError> {
        let hash = PhcHash::new(text).map_err(|_| HashError::Argon2)?;
        let params = Params::try_from(&hash).map_err(|_| HashError::Argon2)?;
        if hash.salt.is_none() || hash.hash.is_none() || hash.algorithm != ARGON2ID_IDENT {
            return Err(HashError::Argon2);
        }
        let (memory_kib, iterations, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
        if memory_kib > ARGON2_MEMORY_KIB_MAX
            || iterations > ARGON2_ITERATIONS_MAX
            || lanes > ARGON2_LANES_MAX
        {
            return Err(HashError::Argon2Cost {
                memory_kib,
                iterations,
                lanes,
            });
        }
        Ok(Self::Argon2id(Box::new(hash)))
    }

    fn bcrypt(text: &str) -> Result<Self, HashError> {
        let parts: bcrypt::HashParts = text.parse().map_err(|_| HashError::Bcrypt)?;
        let cost = parts.get_cost();
        if !(4..=BCRYPT_COST_MAX).contains(&cost) {
            return Err(HashError::BcryptCost(cost));
        }
        Ok(Self::Bcrypt(text.to_owned()))
    }

    /// Whether it is the hash of a password. Takes tens of milliseconds and more.
    pub(crate) fn verify(&self, password: &str) -> bool {
        match self {
            Self::Argon2id(hash) => Argon2::default()
                .verify_password(password.as_bytes(), hash.as_ref())
                .is_ok(),
            // Of a longer one bcrypt would look at the beginning only.
            Self::Bcrypt(hash) => {
                password.len() <= BCRYPT_PASSWORD_BYTES_MAX
                    && bcrypt::verify(password, hash).unwrap_or(false)
            }
        }
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Argon2id(_) => "Argon2id(…)",
            Self::Bcrypt(_) => "Bcrypt(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `password`, by the reference implementation's own tests.
    const ARGON2ID: &str =
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    /// Of `U*U`, by those of the first bcrypt.
    const BCRYPT: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

    fn error(text: &str) -> HashError {
        PasswordHash::parse(text).unwrap_err()
    }

    #[test]
    fn known_passwords() {
        let argon2id = PasswordHash::parse(ARGON2ID).unwrap();
        let bcrypt = PasswordHash::parse(BCRYPT).unwrap();
        for (hash, password) in [(&argon2id, "password"), (&bcrypt, "U*U")] {
            assert!(hash.verify(password), "{hash:?}");
            for other in ["", "Password", "password ", "U*U*"] {
                assert!(!hash.verify(other), "{hash:?}: {other}");
            }
        }
        // By Apache's htpasswd, of `x`.
        let text = "$2y$05$l5gRcPjdU3ReKzYQtbYZIeWhv96Y.8yw6kMX78EqRatEnMWNybOB6";
        let written = PasswordHash::parse(text).unwrap();
        assert!(written.verify("x") && !written.verify("y"));
        let shown = format!("{argon2id:?} {bcrypt:?}");
        assert_eq!(shown, "Argon2id(…) Bcrypt(…)");
    }

    #[test]
    fn a_hash_is_of_its_password_and_salt() {
        let of = |password, salt| hash_password(password, &[salt; 16]).unwrap();
        let text = of("sesame", 1);
        assert!(
            text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{text}"
        );
        let hash = PasswordHash::parse(&text).unwrap();
        assert!(hash.verify("sesame") && !hash.verify("Sesame"));
        assert_eq!(text, of("sesame", 1));
        assert_ne!(text, of("sesame", 2));
    }

    #[test]
    fn what_bcrypt_cannot_see_does_not_count() {
        let long = "x".repeat(BCRYPT_PASSWORD_BYTES_MAX);
        let hash = PasswordHash::parse(&bcrypt::hash(&long, 4).unwrap()).unwrap();
        assert!(hash.verify(&long));
        let hash = bcrypt::hash(format!("{long}xx"), 4).unwrap();
        let hash = PasswordHash::parse(&hash).unwrap();
        assert!(!hash.verify(&format!("{long}xx")));
        assert!(!hash.verify(&format!("{long}xy")));
    }

    #[test]
    fn other_hashes() {
        for text in [
            "",
            "plain",
            "$apr1$salt$hash",
            "{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=",
            "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR",
        ] {
            assert_eq!(error(text), HashError::Kind, "{text}");
        }
        for text in [
            "$argon2id$",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=256,t=2,p=0$c29tZXNhbHQ$nf65EOgLrQMR",
            "$argon2id$v=19$m=many$c29tZXNhbHQ$nf65EOgLrQMR",
        ] {
            assert_eq!(error(text), HashError::Argon2, "{text}");
        }
        assert_eq!(error("$2b$05$short"), HashError::Bcrypt);
    }

    #[test]
    fn hashes_that_cost_too_much() {
        for (params, memory_kib, iterations, lanes) in [
            ("m=262145,t=2,p=1", 262_145, 2, 1),
            ("m=256,t=17,p=1", 256, 17, 1),
            ("m=256,t=2,p=17", 256, 2, 17),
        ] {
            let expected = HashError::Argon2Cost {
                memory_kib,
                iterations,
                lanes,
            };
            assert_eq!(error(&ARGON2ID.replace("m=256,t=2,p=1", params)), expected);
        }
        assert_eq!(
            error(&BCRYPT.replace("$05$", "$17$")),
            HashError::BcryptCost(17)
        );
        assert_eq!(
            error(&BCRYPT.replace("$05$", "$03$")),
            HashError::BcryptCost(3)
        );
    }
}
