//! What the configuration says about who clients are, checked.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use sallyport_identity::{JwtIssuer, SpiffeId};

use super::checked_tls::FileKey;

/// `listener.proxy_protocol` and `listener.trusted`: who may say for whom it connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// Whether everybody has to say so.
    pub is_required: bool,
    /// Who is believed; at least one network.
    pub trusted: Vec<IpNet>,
}

impl ProxyProtocol {
    /// Whether a header from this address is believed.
    #[must_use]
    pub fn trusts(&self, sender: IpAddr) -> bool {
        let sender = sender.to_canonical();
        self.trusted.iter().any(|network| network.contains(&sender))
    }
}

/// One `[[identity.source]]`: what is known of some clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentitySource {
    /// Of which.
    pub of: SourceOf,
    /// `request:SourceVpc`.
    pub vpc: Option<String>,
    /// `request:SourceAccount`.
    pub account: Option<String>,
    /// `request:SourceLabel/NAME`: names in lower case, each with its values.
    pub labels: BTreeMap<String, Vec<String>>,
}

/// Which clients a source speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceOf {
    /// Who comes through the private endpoint of this id.
    Endpoint(String),
    /// Who has an address in one of these networks.
    Clients(Vec<IpNet>),
    /// Who has authenticated under this name.
    Principal(String),
    /// Who has this SPIFFE id, or one below it.
    Spiffe(SpiffeId),
}

/// `listener.auth`: by what clients may say who they are. None: they need not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "several of them beside each other, as they are written"
)]
pub struct AuthMethods {
    /// User and password.
    pub basic: bool,
    /// A token of ours.
    pub bearer: bool,
    /// A token of others.
    pub jwt: bool,
    /// A certificate.
    pub mtls: bool,
}

impl AuthMethods {
    /// Whether clients have to say who they are.
    #[must_use]
    pub const fn are_any(self) -> bool {
        self.mtls || self.are_credentials()
    }

    /// Whether they may say it in a request.
    #[must_use]
    pub const fn are_credentials(self) -> bool {
        self.basic || self.takes_tokens()
    }

    /// Whether they may show a token.
    #[must_use]
    pub const fn takes_tokens(self) -> bool {
        self.bearer || self.jwt
    }
}

/// `[auth]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// Users and the hashes of their passwords.
    pub users: Option<FileKey>,
    /// Digests of tokens, and whose they are.
    pub tokens: Option<FileKey>,
    /// Whose JWTs are taken.
    pub issuers: Vec<JwtSource>,
    /// How often a client may be wrong in a minute, on each shard, or no limit.
    pub failures_per_minute: Option<u32>,
}

/// One `[[auth.jwt]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtSource {
    /// Who it is, and what is made of its tokens.
    pub issuer: JwtIssuer,
    /// Its keys.
    pub jwks: FileKey,
}
