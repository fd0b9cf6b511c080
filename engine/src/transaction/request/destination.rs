//! Where a request goes: host in normal form, port, and what is sent as `Host`.

use std::net::IpAddr;

use rustls::pki_types::ServerName;
use sallyport_ruleset::normalize::normalize_domain;
use sallyport_ruleset::{Composed, Protocol, ProtocolSet, UrlScheme};
use sallyport_wire::http1::{Authority, Host};

use crate::transaction::request::reply::Refusal;

/// The destination of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Destination<'a> {
    pub(crate) host: NormalHost<'a>,
    pub(crate) port: u16,
    /// Host and port as the client wrote them.
    pub(crate) authority: &'a str,
    /// Path and query as they are sent.
    pub(crate) path_and_query: &'a [u8],
    /// The same in normal form, for the rules.
    pub(crate) uri: &'a [u8],
    pub(crate) protocol: ProtocolSet,
    /// The client speaks HTTP/2 without TLS: so does the origin.
    pub(crate) prior_knowledge: bool,
    /// The word of `protocol` that the log shows.
    pub(crate) logged_protocol: Protocol,
}

/// A host that nobody can read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NormalHost<'a> {
    /// Lower-case ASCII without a trailing dot.
    Domain(&'a str),
    /// A literal, and how it was written.
    Address(IpAddr, &'a str),
}

impl<'a> NormalHost<'a> {
    /// Brings the host of `authority` into normal form; `scratch` is where it goes if it differs.
    pub(crate) fn new(authority: &Authority<'a>, scratch: &'a mut String) -> Result<Self, Refusal> {
        match authority.host {
            Host::Ipv4(address) => Ok(Self::Address(address.into(), authority.host_text)),
            Host::Ipv6(address) => Ok(Self::Address(
                IpAddr::V6(address).to_canonical(),
                authority.host_text,
            )),
            Host::Domain(domain) => {
                let bad = |_| Refusal::malformed(400, "the host is not a valid domain name");
                let written = domain;
                let domain = normalize_domain(written, scratch).map_err(bad)?;
                if domain == written {
                    return Ok(Self::Domain(domain));
                }
                // Mapping to ASCII can turn full-width digits into an address.
                match Authority::parse(domain.as_bytes()).map(|again| again.host) {
                    Ok(Host::Domain(domain)) => Ok(Self::Domain(domain)),
                    _ => Err(Refusal::malformed(
                        400,
                        "the host is an address in disguise",
                    )),
                }
            }
        }
    }

    /// The domain, if it is one.
    pub(crate) fn domain(&self) -> Option<&'a str> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::Address(..) => None,
        }
    }

    /// Whether both are the same host, however they were written.
    pub(crate) fn names_same(&self, other: &NormalHost<'_>) -> bool {
        match (self, other) {
            (Self::Domain(one), NormalHost::Domain(other)) => one == other,
            (Self::Address(one, _), NormalHost::Address(other, _)) => one == other,
            _ => false,
        }
    }

    /// As a certificate has it; `None` for what no certificate can have.
    pub(crate) fn server_name(&self) -> Option<ServerName<'static>> {
        match self {
            Self::Address(address, _) => Some(ServerName::from(*address)),
            Self::Domain(domain) => ServerName::try_from((*domain).to_owned()).ok(),
        }
    }

    /// As rules take it.
    pub(crate) fn parts(&self) -> sallyport_ruleset::Host<'a> {
        match self {
            Self::Domain(domain) => sallyport_ruleset::Host::Name(domain),
            Self::Address(address, _) => sallyport_ruleset::Host::Address(*address),
        }
    }

    /// As text, for the log and for telling upstream connections apart.
    pub(crate) fn as_str(&self) -> &'a str {
        match self {
            Self::Domain(text) | Self::Address(_, text) => text,
        }
    }
}

impl<'a> Destination<'a> {
    /// Host and port, as rules see them and as a CONNECT is written.
    pub(crate) fn target(&self) -> Composed<'a> {
        Composed::Authority(self.host.parts(), self.port)
    }

    /// The whole URL, as rules see it.
    pub(crate) fn url(&self) -> Composed<'a> {
        let scheme = if self.is_secure() {
            UrlScheme::Https
        } else {
            UrlScheme::Http
        };
        Composed::Url {
            scheme,
            host: self.host.parts(),
            port: self.port,
            uri: self.uri,
        }
    }

    /// Whether the URL has the scheme `https` or `wss`.
    pub(crate) fn is_secure(&self) -> bool {
        matches!(self.logged_protocol, Protocol::Https | Protocol::Wss)
    }
}
