//! By what a client was authenticated, and whether that still counts.

use std::rc::Rc;

use sallyport_identity::JwtIssuer;

use super::attributes::Labels;
use super::identities::Identities;
use crate::config::checked::AuthMethods;

/// SHA-256.
pub(crate) type Digest = [u8; 32];

/// Whom credentials were found to be of.
#[derive(Debug)]
pub(crate) struct Authenticated {
    pub(crate) principal: Rc<str>,
    pub(crate) spiffe: Option<Rc<str>>,
    /// What the credentials say of their owner.
    pub(crate) labels: Labels,
    pub(crate) proof: Proof,
}

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The password of the user of that name.
    Password {
        /// Of the hash that it was verified against.
        entry: Digest,
    },
    /// A token of ours.
    Token {
        /// Of the token.
        digest: Digest,
    },
    /// A JWT.
    Jwt {
        /// Who has issued it.
        issuer: Box<JwtIssuer>,
        /// [`Identities::id`] when it was verified.
        verified_under: u64,
        /// Seconds of Unix time from which on it has to be verified again.
        until: i64,
    },
}

impl Authenticated {
    /// Whether these credentials, which were right once, are right at `now` where clients may
    /// authenticate by `methods`. Those of a removed user are not, nor is a password that has changed.
    pub(crate) fn holds(&self, identities: &Identities, methods: AuthMethods, now: i64) -> bool {
        match &self.proof {
            Proof::Password { entry } => {
                methods.basic && identities.users.entry_digest(&self.principal) == Some(*entry)
            }
            Proof::Token { digest } => {
                methods.bearer && identities.tokens.find_digest(digest, now).is_some()
            }
            Proof::Jwt { verified_under, .. } => methods.jwt && *verified_under == identities.id,
        }
    }

    /// The same for a tunnel that is open: the token of a JWT is not kept, so it cannot be verified with new
    /// keys, and counts as long as its issuer is believed.
    pub(crate) fn stands(&self, identities: &Identities, methods: AuthMethods, now: i64) -> bool {
        match &self.proof {
            Proof::Jwt { issuer, .. } => {
                let mut issuers = identities.issuers.iter();
                methods.jwt && issuers.any(|known| known.issuer == **issuer)
            }
            Proof::Password { .. } | Proof::Token { .. } => self.holds(identities, methods, now),
        }
    }
}
