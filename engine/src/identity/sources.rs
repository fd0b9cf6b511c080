//! `[[identity.source]]`: from what a client shows to its VPC, account and labels.
//!
//! The more a client has proved, the more what is said of it counts: a SPIFFE id, then a principal, then
//! what its credentials say themselves, then the private endpoint, then the network. Of networks, and of
//! SPIFFE ids that begin with one another, the longest counts, and only that.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hashbrown::HashMap;
use ipnet::IpNet;

use super::attributes::{Attributes, Labels};
use crate::config::checked::{IdentitySource, SourceOf};

/// What is known of clients, ready to be looked up.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    endpoints: HashMap<Box<str>, Attributes>,
    principals: HashMap<Box<str>, Attributes>,
    spiffe: HashMap<Box<str>, Attributes>,
    networks: HashMap<IpNet, Attributes>,
    /// Lengths of prefixes that occur, of both families, longest first.
    prefixes: Vec<u8>,
}

/// What a client shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) address: IpAddr,
    pub(crate) endpoint: Option<&'a str>,
    pub(crate) principal: Option<&'a str>,
    pub(crate) spiffe: Option<&'a str>,
    /// What its credentials say of it.
    pub(crate) labels: Option<&'a Labels>,
}

impl Sources {
    /// Those that are configured.
    pub(crate) fn new(configured: &[IdentitySource]) -> Self {
        let mut sources = Self::default();
        let mut prefixes = BTreeSet::new();
        for source in configured {
            let attributes = Attributes {
                vpc: source.vpc.as_deref().map(Box::from),
                account: source.account.as_deref().map(Box::from),
                labels: source.labels.iter().collect(),
            };
            match &source.of {
                SourceOf::Endpoint(id) => {
                    sources.endpoints.insert(id.as_str().into(), attributes);
                }
                SourceOf::Principal(name) => {
                    sources.principals.insert(name.as_str().into(), attributes);
                }
                SourceOf::Spiffe(id) => {
                    sources.spiffe.insert(id.as_str().into(), attributes);
                }
                SourceOf::Clients(networks) => {
                    for network in networks {
                        prefixes.insert(network.prefix_len());
                        sources.networks.insert(*network, attributes.clone());
                    }
                }
            }
        }
        sources.prefixes = prefixes.into_iter().rev().collect();
        sources
    }

    /// Whether nothing is said of anybody.
    pub(crate) fn is_empty(&self) -> bool {
        let maps = [&self.endpoints, &self.principals, &self.spiffe];
        maps.iter().all(|map| map.is_empty()) && self.networks.is_empty()
    }

    /// All that is known of a client.
    pub(crate) fn attributes(&self, shown: &Shown<'_>) -> Attributes {
        let named = [
            shown.spiffe.and_then(|id| self.of_spiffe(id)),
            shown.principal.and_then(|name| self.principals.get(name)),
        ];
        let placed = [
            shown.endpoint.and_then(|id| self.endpoints.get(id)),
            self.of_address(shown.address),
        ];
        let mut all = Attributes::default();
        for attributes in named.into_iter().flatten() {
            all.fill(attributes);
        }
        if let Some(labels) = shown.labels {
            all.labels.fill(labels);
        }
        for attributes in placed.into_iter().flatten() {
            all.fill(attributes);
        }
        all
    }

    /// Of the id, or of the longest one that it lies below.
    fn of_spiffe(&self, id: &str) -> Option<&Attributes> {
        let mut rest = id;
        loop {
            if let Some(found) = self.spiffe.get(rest) {
                return Some(found);
            }
            rest = rest.rsplit_once('/')?.0;
        }
    }

    fn of_address(&self, address: IpAddr) -> Option<&Attributes> {
        let address = address.to_canonical();
        let longest = self.prefixes.iter().filter_map(|&prefix| {
            let network = IpNet::new(address, prefix).ok()?;
            self.networks.get(&network.trunc())
        });
        longest.take(1).next()
    }
}

impl Attributes {
    /// Takes over what is not known yet.
    fn fill(&mut self, more: &Self) {
        self.vpc = self.vpc.take().or_else(|| more.vpc.clone());
        self.account = self.account.take().or_else(|| more.account.clone());
        self.labels.fill(&more.labels);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sallyport_identity::SpiffeId;
    use sallyport_ruleset::HeaderFields as _;

    use super::*;

    fn source(of: SourceOf, vpc: &str, labels: &[(&str, &str)]) -> IdentitySource {
        let labels = labels.iter().map(|(name, value)| {
            let (name, value) = ((*name).to_owned(), (*value).to_owned());
            (name, vec![value])
        });
        IdentitySource {
            of,
            vpc: (!vpc.is_empty()).then(|| vpc.to_owned()),
            account: None,
            labels: labels.collect(),
        }
    }

    fn clients(network: &str) -> SourceOf {
        SourceOf::Clients(vec![network.parse().unwrap()])
    }

    fn spiffe(id: &str) -> SourceOf {
        SourceOf::Spiffe(SpiffeId::parse(id).unwrap())
    }

    const NOBODY: Shown<'static> = Shown {
        address: IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 1)),
        endpoint: None,
        principal: None,
        spiffe: None,
        labels: None,
    };

    fn vpc(sources: &Sources, shown: &Shown<'_>) -> String {
        let vpc = sources.attributes(shown).vpc;
        vpc.map_or_else(String::new, String::from)
    }

    #[test]
    fn the_longest_prefix_counts() {
        let sources = Sources::new(&[
            source(clients("10.0.0.0/8"), "wide", &[]),
            source(clients("10.1.0.0/16"), "narrow", &[]),
            source(clients("10.1.2.3/32"), "one", &[]),
            source(clients("fd00::/8"), "six", &[]),
            source(clients("::/0"), "rest", &[]),
        ]);
        for (address, expected) in [
            ("10.9.0.1", "wide"),
            ("10.1.9.1", "narrow"),
            ("10.1.2.3", "one"),
            ("::ffff:10.1.2.3", "one"),
            ("fd12::1", "six"),
            ("2001:db8::1", "rest"),
            ("192.0.2.1", ""),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(vpc(&sources, &Shown { address, ..NOBODY }), expected);
        }
    }

    #[test]
    fn an_id_speaks_for_those_below_it() {
        let sources = Sources::new(&[
            source(spiffe("spiffe://a.test"), "domain", &[]),
            source(spiffe("spiffe://a.test/ns/pay"), "pay", &[]),
        ]);
        for (id, expected) in [
            ("spiffe://a.test/ns/pay/sa/web", "pay"),
            ("spiffe://a.test/ns/pay", "pay"),
            ("spiffe://a.test/ns/payments", "domain"),
            ("spiffe://a.test", "domain"),
            ("spiffe://b.test/ns/pay", ""),
        ] {
            let spiffe = Some(id);
            assert_eq!(vpc(&sources, &Shown { spiffe, ..NOBODY }), expected, "{id}");
        }
    }

    #[test]
    fn what_was_proved_counts_before_where_it_came_from() {
        let endpoint = SourceOf::Endpoint("vpce-1".to_owned());
        let principal = SourceOf::Principal("ann".to_owned());
        let sources = Sources::new(&[
            source(
                clients("203.0.113.0/24"),
                "net",
                &[("team", "n"), ("zone", "n")],
            ),
            source(endpoint, "endpoint", &[("team", "e"), ("cell", "e")]),
            source(principal, "", &[("role", "p")]),
        ]);
        let own: BTreeMap<String, Vec<String>> = [("Role", "own"), ("Team", "own")]
            .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
            .into();
        let labels: Labels = own.iter().collect();
        let found = sources.attributes(&Shown {
            endpoint: Some("vpce-1"),
            principal: Some("ann"),
            labels: Some(&labels),
            ..NOBODY
        });
        assert_eq!(found.vpc.as_deref(), Some("endpoint"));
        let mut all = Vec::new();
        found.labels.for_each(&mut |name, value| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            all.push((text(name), text(value)));
        });
        all.sort();
        let expected = [("cell", "e"), ("role", "p"), ("team", "own"), ("zone", "n")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(all, expected);
        assert!(Sources::new(&[]).is_empty() && !sources.is_empty());
    }
}
