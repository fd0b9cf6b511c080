//! The names that a certificate can have: hosts, possibly with a wildcard, and addresses.

use std::fmt;
use std::net::IpAddr;

use rustls::pki_types::{DnsName, ServerName};

/// A `dNSName` or an `iPAddress` of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CertificateName {
    /// A host in ASCII and lower case, without a dot at its end; `*.` may stand before it.
    Dns(String),
    /// An address.
    Address(IpAddr),
}

impl CertificateName {
    /// A host name, if it is one: letters, digits, hyphens and underscores, `*` only as the whole
    /// first label and with two labels below it (RFC 9525 section 6.3).
    #[must_use]
    pub fn dns(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let base = name.strip_prefix("*.");
        let is_host = DnsName::try_from(base.unwrap_or(name)).is_ok();
        let is_deep = base.is_none_or(|base| base.contains('.'));
        (is_host && is_deep).then(|| Self::Dns(name.to_owned()))
    }

    /// The name that a client asks for. `None` for kinds of names that certificates do not have.
    #[must_use]
    pub fn of_server(name: &ServerName<'_>) -> Option<Self> {
        match name {
            ServerName::DnsName(name) => Self::dns(name.as_ref()),
            ServerName::IpAddress(address) => Some(Self::Address(IpAddr::from(*address))),
            _ => None,
        }
    }

    /// Whether a client that asked for `asked` believes this name (RFC 9525 section 6.3).
    #[must_use]
    pub fn covers(&self, asked: &Self) -> bool {
        match (self, asked) {
            (Self::Dns(own), Self::Dns(asked)) => match own.strip_prefix("*.") {
                Some(base) => asked
                    .split_once('.')
                    .is_some_and(|(label, rest)| label != "*" && rest == base),
                None => own == asked,
            },
            _ => self == asked,
        }
    }

    /// Bytes that it takes in a certificate, its tag and length included.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        2 + match self {
            Self::Dns(name) => name.len(),
            Self::Address(IpAddr::V4(_)) => 4,
            Self::Address(IpAddr::V6(_)) => 16,
        }
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => formatter.write_str(name),
            Self::Address(address) => address.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(name: &str) -> CertificateName {
        CertificateName::dns(name).unwrap()
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(dns("*.A.test.").covers(&dns("b.a.test")));
        for other in ["a.test", "c.b.a.test", "*.a.test", "b.a.tes"] {
            assert!(!dns("*.a.test").covers(&dns(other)), "{other}");
        }
        assert!(dns("xn--bcher-kva.test").covers(&dns("XN--bcher-kva.test")));
        let address = CertificateName::Address("192.0.2.1".parse().unwrap());
        assert!(address.covers(&address));
        assert!(!dns("a.test").covers(&address));
    }

    #[test]
    fn what_is_no_host_is_no_name() {
        for name in [
            "",
            ".",
            "*",
            "*.test",
            "a*.b.test",
            "*.*.test",
            "a b.test",
            "bücher.test",
            "a..test",
            "a\0.test",
        ] {
            assert_eq!(CertificateName::dns(name), None, "{name:?}");
        }
    }
}
