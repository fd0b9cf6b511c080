//! Names that are answered without DNS: the static hosts of the configuration, and `localhost`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use foldhash::fast::SeedableRandomState;
use hashbrown::HashMap;

use crate::config::ResolverConfig;
use crate::name;

/// Addresses by exact name; there are no wildcards.
#[derive(Debug)]
pub(crate) struct StaticHosts {
    hosts: HashMap<Box<str>, Rc<[IpAddr]>, SeedableRandomState>,
    /// What `localhost` is with the families that are turned on; empty if none is.
    localhost: Rc<[IpAddr]>,
}

impl StaticHosts {
    /// The hosts of `config`, each with its addresses in the order listed. Hosts without addresses
    /// are left to DNS.
    pub(crate) fn new(config: &ResolverConfig, hash_state: SeedableRandomState) -> Self {
        let mut lists: HashMap<Box<str>, Vec<IpAddr>, SeedableRandomState> =
            HashMap::with_hasher(hash_state.clone());
        for (name, addresses) in &config.static_hosts {
            let normal = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
            let list = lists.entry(normal.into()).or_default();
            for address in addresses {
                if !list.contains(address) {
                    list.push(*address);
                }
            }
        }
        lists.retain(|_, list| !list.is_empty());
        let mut hosts = HashMap::with_hasher(hash_state);
        hosts.extend(lists.into_iter().map(|(name, list)| (name, Rc::from(list))));
        Self {
            hosts,
            localhost: localhost(config),
        }
    }

    /// The addresses of `name` if it is one of these names. Configured hosts win over `localhost`.
    pub(crate) fn find(&self, name: &str) -> Option<&Rc<[IpAddr]>> {
        if let Some(list) = self.hosts.get(name) {
            return Some(list);
        }
        (name::is_localhost(name) && !self.localhost.is_empty()).then_some(&self.localhost)
    }
}

/// RFC 6761 section 6.3.
fn localhost(config: &ResolverConfig) -> Rc<[IpAddr]> {
    let ipv6 = config.ipv6.then_some(IpAddr::V6(Ipv6Addr::LOCALHOST));
    let ipv4 = config.ipv4.then_some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    ipv6.into_iter().chain(ipv4).collect()
}
