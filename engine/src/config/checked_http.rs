//! How messages are forwarded: `[http]`.

use ipnet::IpNet;
use sallyport_wire::http1::Leniency;

use super::checked::TunnelEnds;
use super::checked_tls::Networks;

/// `[http]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Content of a request that is kept until its response begins, to be sent again.
    pub retry_body_bytes: usize,
    /// Whether absolute targets may have the scheme `https` or `wss`.
    pub https_targets: bool,
    /// What is done with slashes in paths.
    pub path: PathForm,
    /// Faults that responses of origins may have, where no scope speaks of them.
    pub origin_leniency: Leniency,
    /// The first that matches holds.
    pub scopes: Vec<HttpScope>,
}

/// `http.path`: what is done with slashes in paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathForm {
    /// Nothing.
    AsIs,
    /// Rules see, and origins get, the normal form with one slash in place of several.
    MergeSlashes,
    /// `%2F` and `%5C` in a path are refused.
    RejectEscapedSlashes,
}

/// One `[[http.scope]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpScope {
    /// Names, or `*.` and names; none: any.
    pub domains: Vec<String>,
    /// Where the requests go; none: anywhere.
    pub destinations: Vec<IpNet>,
    /// Ports; none: any.
    pub ports: Vec<u16>,
    /// Faults that responses may have.
    pub origin_leniency: Leniency,
}

impl Http {
    /// The faults that a response of an origin may have.
    #[must_use]
    pub fn leniency(&self, ends: &TunnelEnds<'_>) -> Leniency {
        let mut scopes = self.scopes.iter();
        let matching = scopes.find(|scope| {
            let networks = Networks {
                destinations: &scope.destinations,
                clients: &[],
            };
            ends.lie_in(&scope.domains, networks, &scope.ports)
        });
        matching.map_or(self.origin_leniency, |scope| scope.origin_leniency)
    }
}
