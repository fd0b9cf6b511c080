//! Which names a certificate authority may vouch for (RFC 5280 section 4.2.1.10).
//!
//! Clients enforce the constraints of the authority; `mint` asks here first, so that a name that
//! would be refused by every client is a clear error of ours instead. Not for origins: `verify`
//! leaves theirs to webpki, and those over directory names to `directory_constraints`.

use std::net::IpAddr;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, GeneralSubtree};
use x509_parser::oid_registry::OID_X509_EXT_NAME_CONSTRAINTS;

use crate::certificate;
use crate::directory_constraints::DirectoryConstraints;
use crate::directory_name::DirectoryName;
use crate::name::CertificateName;

/// The constraints of an authority and of the certificates above it: all must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct NameConstraints {
    sets: Vec<ConstraintSet>,
}

/// The constraints of one certificate.
#[derive(Debug, Clone, Default)]
struct ConstraintSet {
    permitted: Subtrees,
    excluded: Subtrees,
    directory_names: DirectoryConstraints,
}

#[derive(Debug, Clone, Default)]
struct Subtrees {
    hosts: Vec<String>,
    networks: Vec<(IpAddr, IpAddr)>,
}

impl NameConstraints {
    /// Adds those of one certificate; `false` if they cannot be read.
    pub(crate) fn add(&mut self, certificate: &X509Certificate<'_>) -> bool {
        let Ok(found) = certificate.name_constraints() else {
            return false;
        };
        let Some(found) = found else {
            // An extension that does not parse is not the absence of one.
            return certificate
                .get_extension_unique(&OID_X509_EXT_NAME_CONSTRAINTS)
                .is_ok_and(|extension| extension.is_none());
        };
        let subtrees = |list: &Option<Vec<GeneralSubtree<'_>>>| {
            Subtrees::read(list.as_deref().unwrap_or_default())
        };
        let permitted = subtrees(&found.value.permitted_subtrees);
        let excluded = subtrees(&found.value.excluded_subtrees);
        let directory_names = DirectoryConstraints::of(certificate);
        let (Some(permitted), Some(excluded), Some(directory_names)) =
            (permitted, excluded, directory_names)
        else {
            return false;
        };
        self.sets.push(ConstraintSet {
            permitted,
            excluded,
            directory_names,
        });
        true
    }

    /// Whether a certificate of the authority may have this name.
    pub(crate) fn permit(&self, name: &CertificateName) -> bool {
        self.sets.iter().all(|set| set.permits(name))
    }

    /// Whether its subject may be this.
    pub(crate) fn permit_subject(&self, name: &DirectoryName) -> bool {
        let mut sets = self.sets.iter();
        sets.all(|set| set.directory_names.permit(name))
    }
}

impl ConstraintSet {
    fn permits(&self, name: &CertificateName) -> bool {
        match name {
            CertificateName::Dns(name) => {
                let permitted = &self.permitted.hosts;
                (permitted.is_empty() || permitted.iter().any(|tree| holds(tree, name)))
                    && !self.excluded.hosts.iter().any(|tree| touches(tree, name))
            }
            CertificateName::Address(address) => {
                let permitted = &self.permitted.networks;
                (permitted.is_empty() || permitted.iter().any(|network| contains(network, address)))
                    && !self
                        .excluded
                        .networks
                        .iter()
                        .any(|network| contains(network, address))
            }
        }
    }
}

impl Subtrees {
    fn read(list: &[GeneralSubtree<'_>]) -> Option<Self> {
        let mut subtrees = Self::default();
        for subtree in list {
            match &subtree.base {
                GeneralName::DNSName(name) => subtrees.hosts.push(name.to_ascii_lowercase()),
                GeneralName::IPAddress(octets) => {
                    let (address, mask) = octets.split_at_checked(octets.len() / 2)?;
                    let address = certificate::address(address)?;
                    let mask = certificate::address(mask)?;
                    subtrees.networks.push((address, mask));
                }
                GeneralName::Invalid(..) => return None,
                // Directory names are read for themselves; mail addresses, URIs and the like are never minted.
                _ => {}
            }
        }
        Some(subtrees)
    }
}

/// Whether every host that `name` stands for lies in the subtree. A subtree with a dot before it
/// holds what is below the name only, as OpenSSL has it.
fn holds(tree: &str, name: &str) -> bool {
    let is_wildcard = name.starts_with("*.");
    let name = name.strip_prefix("*.").unwrap_or(name);
    match tree.strip_prefix('.') {
        _ if tree.is_empty() => true,
        Some(parent) => is_below(parent, name) || (is_wildcard && name == parent),
        None => name == tree || is_below(tree, name),
    }
}

/// Whether any host that `name` stands for lies in the subtree.
fn touches(tree: &str, name: &str) -> bool {
    let root = tree.strip_prefix('.').unwrap_or(tree);
    holds(tree, name)
        || name
            .strip_prefix("*.")
            .is_some_and(|base| root.split_once('.').is_some_and(|(_, rest)| rest == base))
}

fn is_below(parent: &str, name: &str) -> bool {
    name.strip_suffix(parent)
        .is_some_and(|head| head.ends_with('.'))
}

fn contains((network, mask): &(IpAddr, IpAddr), address: &IpAddr) -> bool {
    match (network, mask, address) {
        (IpAddr::V4(network), IpAddr::V4(mask), IpAddr::V4(address)) => {
            network.to_bits() & mask.to_bits() == address.to_bits() & mask.to_bits()
        }
        (IpAddr::V6(network), IpAddr::V6(mask), IpAddr::V6(address)) => {
            network.to_bits() & mask.to_bits() == address.to_bits() & mask.to_bits()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtrees_hold_whole_labels() {
        let cases = [
            ("a.test", "a.test", true, true),
            ("a.test", "b.a.test", true, true),
            ("a.test", "ba.test", false, false),
            (".a.test", "a.test", false, false),
            (".a.test", "b.a.test", true, true),
            ("a.test", "*.a.test", true, true),
            (".a.test", "*.a.test", true, true),
            ("b.a.test", "*.a.test", false, true),
            ("c.b.a.test", "*.a.test", false, false),
            ("", "anything.test", true, true),
        ];
        for (tree, name, held, touched) in cases {
            assert_eq!(holds(tree, name), held, "{tree} holds {name}");
            assert_eq!(touches(tree, name), touched, "{tree} touches {name}");
        }
    }

    #[test]
    fn networks_hold_their_own_family() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let network = (address("192.0.2.0"), address("255.255.255.0"));
        assert!(contains(&network, &address("192.0.2.200")));
        assert!(!contains(&network, &address("192.0.3.1")));
        assert!(!contains(&network, &address("::ffff:192.0.2.1")));
        let network = (address("2001:db8::"), address("ffff:ffff::"));
        assert!(contains(&network, &address("2001:db8:1::1")));
        assert!(!contains(&network, &address("2001:db9::1")));
    }
}
