//! Names to addresses: `resolve` entries first, then the system's resolver. Only at the start; a
//! run never waits for a name.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::url::Url;

/// There is no address for an authority.
#[derive(Debug, thiserror::Error)]
#[error("{authority} does not resolve: {why}")]
pub(super) struct Unresolved {
    authority: String,
    why: ResolverAnswer,
}

/// What the resolver said instead of an address.
#[derive(Debug, thiserror::Error)]
enum ResolverAnswer {
    #[error(transparent)]
    Failed(#[from] io::Error),
    #[error("no address")]
    Empty,
}

/// Addresses that need no resolver.
#[derive(Debug)]
pub(super) struct Overrides(Vec<(String, String, IpAddr)>);

impl Overrides {
    /// Reads `HOST:PORT:ADDR`; a host of `*` stands for every host, the first that fits counts. What is
    /// wrong comes with its place in the list.
    pub(super) fn parse(texts: &[String]) -> (Self, Vec<(usize, String)>) {
        let (mut known, mut wrong) = (Vec::new(), Vec::new());
        for (index, text) in texts.iter().enumerate() {
            // The address may have colons of its own.
            let mut parts = text.splitn(3, ':');
            let (host, port, address) = (parts.next(), parts.next(), parts.next());
            let port = port.filter(|port| port.parse::<u16>().is_ok());
            let address = address.map(|text| text.trim_matches(['[', ']']).parse());
            match (host, port, address) {
                (Some(host), Some(port), Some(Ok(address))) => {
                    known.push((host.to_owned(), port.to_owned(), address));
                }
                _ => wrong.push((index, format!("{text}: not HOST:PORT:ADDR"))),
            }
        }
        (Self(known), wrong)
    }

    /// The address of a URL's host and port, or why there is none.
    pub(super) fn address(&self, url: &Url) -> Result<SocketAddr, Unresolved> {
        let digits = url.port.to_string();
        let fits = |host: &str, port: &str| (host == "*" || host == url.host) && port == digits;
        let known = self.0.iter().find(|(host, port, _)| fits(host, port));
        if let Some((_, _, address)) = known {
            return Ok(SocketAddr::new(*address, url.port));
        }
        let authority = url.authority();
        let found = authority
            .to_socket_addrs()
            .map_err(ResolverAnswer::Failed)
            .and_then(|mut addresses| addresses.next().ok_or(ResolverAnswer::Empty));
        found.map_err(|why| Unresolved { authority, why })
    }
}
