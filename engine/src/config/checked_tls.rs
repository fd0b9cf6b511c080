//! What the configuration says about TLS, checked. The files that it names are opened by
//! `tls::credentials`, which says with [`FileKey`] where in the configuration the name of one stands.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use ipnet::IpNet;
use sallyport_pki::UpstreamVerify;

/// A file that the configuration names, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileKey {
    /// The file, relative paths already joined to the folder of the configuration.
    pub path: PathBuf,
    /// The whole key.
    pub key: &'static str,
    /// The line of the configuration, from 1.
    pub line: usize,
}

/// `[tls]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// What is done with TLS inside a tunnel that no scope speaks of.
    pub mode: TlsMode,
    /// What is done otherwise; the first that matches counts.
    pub scopes: Vec<TlsScope>,
    /// The authority that signs minted certificates; there is one if anything is intercepted.
    pub ca: Option<FileKey>,
    /// Its key, if it is not in or beside the file of `ca`.
    pub ca_key: Option<FileKey>,
    /// The oldest version that clients may speak to us.
    pub version_min: TlsVersion,
    /// Whether clients that take no ECDSA certificates are shown RSA ones.
    pub rsa_leaf: bool,
    /// Minted certificates that a shard keeps.
    pub certificate_cache_entries: NonZeroUsize,
    /// What is done with a passed-through tunnel part of whose ClientHello is encrypted.
    pub ech: Ech,
    /// Whether a tunnel whose origin wants a certificate of the client is left alone from the
    /// next one on.
    pub client_certificate_fallback: bool,
    /// What is believed of origins.
    pub upstream: TlsUpstream,
}

impl Tls {
    /// Whether any tunnel can be intercepted.
    #[must_use]
    pub fn intercepts(&self) -> bool {
        self.mode == TlsMode::Intercept
            || self
                .scopes
                .iter()
                .any(|scope| scope.mode == TlsMode::Intercept)
    }
}

/// `tls.mode` and `tls.scope.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// The ClientHello is read, the bytes flow untouched.
    Passthrough,
    /// TLS ends here and starts again.
    Intercept,
}

/// `tls.ech`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ech {
    /// Judged by what shows.
    Allow,
    /// Refused.
    Deny,
}

/// `tls.version_min` and `tls.upstream.version_min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2
    V12,
    /// TLS 1.3
    V13,
}

/// One `[[tls.scope]]`: it matches a tunnel if each of its lists that is not empty does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsScope {
    /// Domains in normal form; each stands for itself and every name under it, or with `*.` before
    /// it for the names under it only.
    pub domains: Vec<String>,
    /// Networks of the destination.
    pub destinations: Vec<IpNet>,
    /// Ports of the destination.
    pub ports: Vec<u16>,
    /// Networks of the client.
    pub clients: Vec<IpNet>,
    /// What is done.
    pub mode: TlsMode,
    /// What is done about an origin whose certificate is not believed.
    pub upstream_verify: UpstreamVerify,
    /// What we show to origins that ask who we are.
    pub client_certificate: Option<Identity>,
}

/// A tunnel or a request, as scopes look at it.
#[derive(Debug, Clone, Copy)]
pub struct TunnelEnds<'a> {
    /// The host of the CONNECT in normal form, if it is a name.
    pub domain: Option<&'a str>,
    /// The address that the tunnel would go to.
    pub destination: Option<IpAddr>,
    /// The port of the CONNECT.
    pub port: u16,
    /// Who asks.
    pub client: IpAddr,
}

impl TlsScope {
    /// Whether this scope speaks of `tunnel`.
    #[must_use]
    pub fn matches(&self, tunnel: &TunnelEnds<'_>) -> bool {
        let networks = Networks {
            destinations: &self.destinations,
            clients: &self.clients,
        };
        tunnel.lie_in(&self.domains, networks, &self.ports)
    }
}

/// The networks of a scope.
#[derive(Debug, Clone, Copy)]
pub(super) struct Networks<'s> {
    pub(super) destinations: &'s [IpNet],
    pub(super) clients: &'s [IpNet],
}

impl TunnelEnds<'_> {
    /// Whether each list of a scope is empty or names them.
    pub(super) fn lie_in(&self, domains: &[String], networks: Networks<'_>, ports: &[u16]) -> bool {
        let within = |networks: &[IpNet], address: IpAddr| {
            let address = address.to_canonical();
            networks.is_empty() || networks.iter().any(|network| network.contains(&address))
        };
        let names = |domain: &str| domains.iter().any(|pattern| pattern_names(pattern, domain));
        let is_there = |address| within(networks.destinations, address);
        (domains.is_empty() || self.domain.is_some_and(names))
            && (networks.destinations.is_empty() || self.destination.is_some_and(is_there))
            && (ports.is_empty() || ports.contains(&self.port))
            && within(networks.clients, self.client)
    }
}

fn pattern_names(pattern: &str, domain: &str) -> bool {
    let (base, itself) = match pattern.strip_prefix("*.") {
        Some(base) => (base, false),
        None => (pattern, true),
    };
    match domain.strip_suffix(base) {
        Some("") => itself,
        Some(before) => before.ends_with('.'),
        None => false,
    }
}

/// A certificate with its chain, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and what stands between it and a root.
    pub certificate: FileKey,
    /// The key; the same file may hold both.
    pub key: FileKey,
}

/// `[tls.upstream]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsUpstream {
    /// Believe Mozilla's roots, which are built in.
    pub built_in_roots: bool,
    /// Believe the roots of the operating system.
    pub system_roots: bool,
    /// Believe these besides.
    pub roots: Vec<FileKey>,
    /// Revocation lists.
    pub crls: Vec<FileKey>,
    /// The oldest version that origins may speak to us.
    pub version_min: TlsVersion,
    /// What is done about an origin whose certificate is not believed, in tunnels that no scope
    /// speaks of.
    pub verify: UpstreamVerify,
}

/// What an `https` listener shows its clients and asks of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTls {
    /// Who we are.
    pub identity: Identity,
    /// Whose certificates clients must show; without it they need none.
    pub client_ca: Option<FileKey>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> TlsScope {
        TlsScope {
            domains: Vec::new(),
            destinations: Vec::new(),
            ports: Vec::new(),
            clients: Vec::new(),
            mode: TlsMode::Intercept,
            upstream_verify: UpstreamVerify::Deny,
            client_certificate: None,
        }
    }

    const TUNNEL: TunnelEnds<'static> = TunnelEnds {
        domain: Some("a.bank.test"),
        destination: Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1))),
        port: 443,
        client: IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)),
    };

    #[test]
    fn a_scope_without_lists_matches_all() {
        assert!(scope().matches(&TUNNEL));
    }

    #[test]
    fn a_domain_stands_for_what_is_under_it() {
        for (pattern, domain, expected) in [
            ("bank.test", "bank.test", true),
            ("bank.test", "a.bank.test", true),
            ("bank.test", "notbank.test", false),
            ("bank.test", "bank.test.evil.test", false),
            ("*.bank.test", "bank.test", false),
            ("*.bank.test", "a.b.bank.test", true),
            ("*.bank.test", ".bank.test.x", false),
        ] {
            assert_eq!(
                pattern_names(pattern, domain),
                expected,
                "{pattern} {domain}"
            );
        }
    }

    #[test]
    fn every_list_must_match() {
        let narrow = TlsScope {
            domains: vec!["bank.test".to_owned()],
            destinations: vec!["192.0.2.0/24".parse().unwrap()],
            ports: vec![443, 8443],
            clients: vec!["10.0.0.0/8".parse().unwrap()],
            ..scope()
        };
        assert!(narrow.matches(&TUNNEL));
        let misses = [
            TunnelEnds {
                domain: None,
                ..TUNNEL
            },
            TunnelEnds {
                domain: Some("x.test"),
                ..TUNNEL
            },
            TunnelEnds {
                destination: None,
                ..TUNNEL
            },
            TunnelEnds { port: 80, ..TUNNEL },
            TunnelEnds {
                client: "192.0.2.9".parse().unwrap(),
                ..TUNNEL
            },
        ];
        for tunnel in misses {
            assert!(!narrow.matches(&tunnel), "{tunnel:?}");
        }
        let mapped = TunnelEnds {
            client: "::ffff:10.1.1.1".parse().unwrap(),
            ..TUNNEL
        };
        assert!(narrow.matches(&mapped));
    }
}
