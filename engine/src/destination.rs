//! Addresses that are never dialed, whatever the rules say.
//!
//! Judged on resolved addresses, so that a name that points inside (DNS rebinding) meets the same
//! guard as a literal. Called by `enforcement` only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Which destinations may be dialed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DestinationGuard {
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
    own_listeners: Vec<SocketAddr>,
    /// Addresses of this machine, for listeners on all of them.
    own_addresses: Vec<IpAddr>,
}

/// Why an address is not dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prohibited {
    /// The proxy would talk to itself.
    OwnListener,
    Unspecified,
    Loopback,
    /// Among them the metadata service of every large cloud.
    LinkLocal,
    /// The IPv6 address of the instance metadata service.
    Metadata,
    Multicast,
    Broadcast,
    /// Listed in `guard.deny`.
    Configured,
}

impl Prohibited {
    /// For the log and the body of the refusal.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::OwnListener => "the destination is this proxy itself",
            Self::Unspecified => "the destination address is unspecified",
            Self::Loopback => "the destination is a loopback address",
            Self::LinkLocal => "the destination is a link-local address",
            Self::Metadata => "the destination is an instance metadata address",
            Self::Multicast => "the destination is a multicast address",
            Self::Broadcast => "the destination is the broadcast address",
            Self::Configured => "the destination address is denied by guard.deny",
        }
    }
}

impl DestinationGuard {
    /// `own_listeners` may hold unspecified addresses; `own_addresses` says what these stand for.
    pub(crate) fn new(
        allow: Vec<IpNet>,
        deny: Vec<IpNet>,
        own_listeners: Vec<SocketAddr>,
        own_addresses: Vec<IpAddr>,
    ) -> Self {
        Self {
            allow,
            deny,
            own_listeners,
            own_addresses,
        }
    }

    /// Whether `address` may be dialed.
    ///
    /// What is special by its kind needs an entry in `guard.allow`. Between `guard.deny` and
    /// `guard.allow` the longest prefix decides, and `deny` on a tie. A loop is always refused.
    pub(crate) fn judge(&self, address: SocketAddr) -> Result<(), Prohibited> {
        let ip = address.ip().to_canonical();
        if self.is_own_listener(ip, address.port()) {
            return Err(Prohibited::OwnListener);
        }
        let forms = [Some(ip), embedded_ipv4(ip).map(IpAddr::V4)];
        let allowed = forms
            .iter()
            .flatten()
            .filter_map(|ip| longest(&self.allow, *ip))
            .max();
        let denied = forms
            .iter()
            .flatten()
            .filter_map(|ip| longest(&self.deny, *ip))
            .max();
        if denied.is_some() && denied >= allowed {
            return Err(Prohibited::Configured);
        }
        if allowed.is_some() {
            return Ok(());
        }
        forms
            .into_iter()
            .flatten()
            .find_map(special)
            .map_or(Ok(()), Err)
    }

    fn is_own_listener(&self, ip: IpAddr, port: u16) -> bool {
        let mut listeners = self.own_listeners.iter().filter(|own| own.port() == port);
        listeners.any(|own| {
            let own = own.ip().to_canonical();
            own == ip
                || (own.is_unspecified() && (is_local(ip) || self.own_addresses.contains(&ip)))
        })
    }
}

fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified()
}

fn longest(networks: &[IpNet], ip: IpAddr) -> Option<u8> {
    networks
        .iter()
        .filter(|network| network.contains(&ip))
        .map(IpNet::prefix_len)
        .max()
}

/// The IPv4 address inside an IPv6 address that a translator or a tunnel would unwrap:
/// IPv4-compatible (RFC 4291 section 2.5.5.1), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056).
fn embedded_ipv4(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(ip) = ip else { return None };
    let [.., a, b, c, d] = ip.octets();
    match ip.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => Some(Ipv4Addr::new(a, b, c, d)),
        [0, 0, 0, 0, 0, 0, high, low] if (high, low) > (0, 1) => Some(Ipv4Addr::new(a, b, c, d)),
        [0x2002, high, low, ..] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => None,
    }
}

fn special(ip: IpAddr) -> Option<Prohibited> {
    match ip {
        IpAddr::V4(ip) => special_ipv4(ip),
        IpAddr::V6(ip) => special_ipv6(ip),
    }
}

fn special_ipv4(ip: Ipv4Addr) -> Option<Prohibited> {
    // RFC 791 section 3.2: all of 0/8 means "this host".
    const THIS_NETWORK: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 8);
    match () {
        () if THIS_NETWORK.contains(&ip) => Some(Prohibited::Unspecified),
        () if ip.is_loopback() => Some(Prohibited::Loopback),
        () if ip.is_link_local() => Some(Prohibited::LinkLocal),
        () if ip.is_multicast() => Some(Prohibited::Multicast),
        () if ip.is_broadcast() => Some(Prohibited::Broadcast),
        () => None,
    }
}

fn special_ipv6(ip: Ipv6Addr) -> Option<Prohibited> {
    const METADATA: Ipv6Net =
        Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32);
    match () {
        () if ip.is_unspecified() => Some(Prohibited::Unspecified),
        () if ip.is_loopback() => Some(Prohibited::Loopback),
        () if ip.is_unicast_link_local() => Some(Prohibited::LinkLocal),
        () if METADATA.contains(&ip) => Some(Prohibited::Metadata),
        () if ip.is_multicast() => Some(Prohibited::Multicast),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str], deny: &[&str]) -> DestinationGuard {
        let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        DestinationGuard::new(
            nets(allow),
            nets(deny),
            vec![
                "10.0.0.9:3128".parse().unwrap(),
                "0.0.0.0:8080".parse().unwrap(),
            ],
            vec!["10.0.0.9".parse().unwrap()],
        )
    }

    fn check(guard: &DestinationGuard, ip: &str, expect: Result<(), Prohibited>) {
        let address = SocketAddr::new(ip.parse().unwrap(), 443);
        assert_eq!(guard.judge(address), expect, "{ip}");
    }

    #[test]
    fn special_addresses_are_refused_in_every_disguise() {
        use Prohibited::*;
        let guard = guard(&[], &[]);
        for (ip, why) in [
            ("127.0.0.1", Loopback),
            ("127.255.255.254", Loopback),
            ("::1", Loopback),
            ("::ffff:127.0.0.1", Loopback),
            ("::127.0.0.1", Loopback),
            ("64:ff9b::7f00:1", Loopback),
            ("64:ff9b:1::7f00:1", Loopback),
            ("2002:7f00:1::1", Loopback),
            ("169.254.169.254", LinkLocal),
            ("::ffff:169.254.169.254", LinkLocal),
            ("64:ff9b::a9fe:a9fe", LinkLocal),
            ("2002:a9fe:a9fe::", LinkLocal),
            ("fe80::1", LinkLocal),
            ("fd00:ec2::254", Metadata),
            ("0.0.0.0", Unspecified),
            ("0.1.2.3", Unspecified),
            ("::", Unspecified),
            ("224.0.0.1", Multicast),
            ("ff02::1", Multicast),
            ("255.255.255.255", Broadcast),
        ] {
            check(&guard, ip, Err(why));
        }
        for ip in [
            "1.1.1.1",
            "10.0.0.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
            "fd00::1",
        ] {
            check(&guard, ip, Ok(()));
        }
    }

    #[test]
    fn lists_open_and_close() {
        let guard = guard(
            &["127.0.0.0/8", "10.1.0.0/16", "::/0"],
            &["10.0.0.0/8", "::/0"],
        );
        check(&guard, "127.0.0.1", Ok(()));
        check(&guard, "::ffff:127.0.0.1", Ok(()));
        check(&guard, "169.254.169.254", Err(Prohibited::LinkLocal));
        check(&guard, "10.2.0.1", Err(Prohibited::Configured));
        check(&guard, "64:ff9b::a02:1", Err(Prohibited::Configured));
        check(&guard, "10.1.0.1", Ok(()));
        check(&guard, "2001:db8::1", Err(Prohibited::Configured));
    }

    #[test]
    fn a_loop_is_refused_whatever_is_allowed() {
        let guard = guard(&["0.0.0.0/0"], &[]);
        for own in [
            "10.0.0.9:3128",
            "127.0.0.1:8080",
            "10.0.0.9:8080",
            "[::ffff:10.0.0.9]:3128",
        ] {
            assert_eq!(
                guard.judge(own.parse().unwrap()),
                Err(Prohibited::OwnListener),
                "{own}"
            );
        }
        assert_eq!(guard.judge("10.0.0.8:3128".parse().unwrap()), Ok(()));
    }
}
