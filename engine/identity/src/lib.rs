//! Who a client is: what it says of itself in `Proxy-Authorization`, whether files of passwords and
//! tokens or the keys of an issuer of tokens bear that out, and whom its certificate names.
//!
//! Texts and the time are arguments; nothing reads a file, a clock or a socket. Verifying a password is
//! slow by design and belongs on a thread beside the data path, which remembers the answer for a while;
//! everything else is quick. What a principal may do is said by rules.
#![forbid(unsafe_code)]

mod authorization;
mod challenge;
mod client_certificate;
mod file_errors;
mod jwt;
mod limits;
mod password_file;
mod password_hash;
mod secret;
mod spiffe_id;
mod token_file;

pub use authorization::{Authorization, AuthorizationError};
pub use challenge::{BASIC_CHALLENGE, BEARER_CHALLENGE, BEARER_CHALLENGE_INVALID};
pub use client_certificate::{CertificateIdentity, CertificateIdentityError};
pub use file_errors::{FileErrors, LineError};
pub use jwt::{
    Algorithm, Authority, ClaimPath, ClaimPathError, Jwt, JwtError, JwtIssuer, JwtPart, KeyError,
    KeySet, KeySetError, PassedOver, VerifiedJwt,
};
pub use limits::{
    ARGON2_ITERATIONS_MAX, ARGON2_LANES_MAX, ARGON2_MEMORY_KIB_MAX, AUTHORIZATION_BYTES_MAX,
    BCRYPT_COST_MAX, BCRYPT_PASSWORD_BYTES_MAX, CERTIFICATE_NAMES_MAX, ENTRIES_MAX, JWT_BYTES_MAX,
    KEY_ID_BYTES_MAX, KEY_SET_BYTES_MAX, KEYS_MAX, KEYS_TRIED_MAX, LEEWAY_SECONDS_MAX,
    NAME_BYTES_MAX, REMEMBERED_SECONDS_MAX, RSA_BITS_MAX, RSA_BITS_MIN,
};
pub use password_file::{PasswordFile, PasswordLineError};
pub use password_hash::{HashError, hash_password};
pub use secret::Secret;
pub use spiffe_id::{SPIFFE_ID_BYTES_MAX, SpiffeId, SpiffeIdError, TRUST_DOMAIN_BYTES_MAX};
pub use token_file::{Token, TokenError, TokenFile, TokenFileError};
