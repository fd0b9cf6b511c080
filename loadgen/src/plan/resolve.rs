//! Names to addresses: `resolve` entries first, then the system's resolver. Only at the start; a
//! run never waits for a name.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::url::Url;
use crate::error::LoadError;

/// Addresses that need no resolver.
#[derive(Debug)]
pub(super) struct Overrides(Vec<(String, String, IpAddr)>);

impl Overrides {
    /// No entries.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// Reads `HOST:PORT:ADDR`; a host of `*` stands for every host, the first that fits counts.
    pub(super) fn parse(texts: &[String]) -> Result<Self, String> {
        let one = |text: &String| {
            // The address may have colons of its own.
            let mut parts = text.splitn(3, ':');
            let (host, port, address) = (parts.next(), parts.next(), parts.next());
            let address = address.map(|text| text.trim_matches(['[', ']']).parse());
            match (host, port, address) {
                (Some(host), Some(port), Some(Ok(address))) => {
                    Ok((host.to_owned(), port.to_owned(), address))
                }
                _ => Err(format!("{text}: not HOST:PORT:ADDR")),
            }
        };
        texts.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// The address of a URL's host and port.
    pub(super) fn address(&self, url: &Url) -> Result<SocketAddr, LoadError> {
        let digits = url.port.to_string();
        let fits = |host: &str, port: &str| (host == "*" || host == url.host) && port == digits;
        let known = self.0.iter().find(|(host, port, _)| fits(host, port));
        if let Some((_, _, address)) = known {
            return Ok(SocketAddr::new(*address, url.port));
        }
        let authority = url.authority();
        let unresolved = |reason: String| LoadError::Resolve {
            host: authority.clone(),
            reason,
        };
        let mut addresses = authority
            .to_socket_addrs()
            .map_err(|error| unresolved(error.to_string()))?;
        addresses
            .next()
            .ok_or_else(|| unresolved("no address".to_owned()))
    }
}
