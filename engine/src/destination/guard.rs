//! The guard: what may be dialed at all.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;

use super::forms::Forms;
use super::networks::Networks;
use super::special::{METADATA, PRIVATE, Prohibited, special};
use crate::config::checked::{Guard, PrivateNetworks};

/// Which destinations may be dialed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DestinationGuard(GuardSettings);

/// What it judges by.
#[derive(Debug, Clone, PartialEq, Eq)]
struct GuardSettings {
    allow: Networks,
    deny: Networks,
    metadata: Networks,
    /// Empty where private networks are open.
    private: Networks,
    /// Where this process listens; may hold unspecified addresses.
    listeners: Arc<[SocketAddr]>,
    /// What the kernel takes to be this machine.
    own: Networks,
}

impl DestinationGuard {
    pub(crate) fn new(guard: &Guard, listeners: &Arc<[SocketAddr]>, own: &Arc<[IpNet]>) -> Self {
        Self(GuardSettings {
            allow: Networks::new(&guard.allow),
            deny: Networks::new(&guard.deny),
            metadata: Networks::new(METADATA),
            private: match guard.private {
                PrivateNetworks::Deny => Networks::new(PRIVATE),
                PrivateNetworks::Allow => Networks::default(),
            },
            listeners: Arc::clone(listeners),
            own: Networks::new(own.iter()),
        })
    }

    /// Whether `address` may be dialed. An IPv6 address with an IPv4 address inside must pass as both.
    pub(crate) fn judge(&self, address: SocketAddr) -> Result<(), Prohibited> {
        let forms = Forms::of(address.ip());
        if forms
            .iter()
            .any(|ip| self.is_own_listener(ip, address.port()))
        {
            // A loop is refused whatever is allowed.
            return Err(Prohibited::OwnListener);
        }
        forms.iter().try_for_each(|ip| self.judge_form(ip))
    }

    /// What is special by its kind needs an entry in `guard.allow`. Between `guard.deny` and
    /// `guard.allow` the longest prefix decides, and `deny` on a tie; between a metadata service and
    /// `guard.allow` too, and `allow` on a tie.
    fn judge_form(&self, ip: IpAddr) -> Result<(), Prohibited> {
        let settings = &self.0;
        let allowed = settings.allow.longest(ip);
        let denied = settings.deny.longest(ip);
        if denied.is_some() && denied >= allowed {
            return Err(Prohibited::Configured);
        }
        if settings.metadata.longest(ip) > allowed {
            return Err(Prohibited::Metadata);
        }
        if allowed.is_some() {
            return Ok(());
        }
        if let Some(special) = special(ip) {
            return Err(special);
        }
        if settings.own.contains(ip) {
            return Err(Prohibited::OwnAddress);
        }
        match settings.private.contains(ip) {
            true => Err(Prohibited::Private),
            false => Ok(()),
        }
    }

    /// Whether the kernel would lead a connection to `ip` to a listener of this process.
    fn is_own_listener(&self, ip: IpAddr, port: u16) -> bool {
        let settings = &self.0;
        // Connecting to `0.0.0.0` or `::` is connecting to this machine.
        let is_anywhere = || matches!(special(ip), Some(Prohibited::Unspecified));
        let is_here = || ip.is_loopback() || settings.own.contains(ip);
        let mut listeners = settings.listeners.iter().filter(|own| own.port() == port);
        listeners.any(|own| {
            let own = own.ip().to_canonical();
            own == ip || (own.is_unspecified() && is_here()) || is_anywhere()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::checked::Ports;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn guard(allow: &[&str], deny: &[&str], private: PrivateNetworks) -> DestinationGuard {
        let guard = Guard {
            allow: nets(allow),
            deny: nets(deny),
            private,
            ports: Ports::Any,
            http_ports: Ports::Any,
        };
        let listeners = [
            "203.0.113.9:3128",
            "0.0.0.0:8080",
            "127.0.0.1:9090",
            "[::1]:9091",
        ];
        let listeners: Vec<_> = listeners.map(|text| text.parse().unwrap()).into();
        let own = nets(&["203.0.113.9/32", "198.51.100.0/28", "2001:db8::9/128"]);
        DestinationGuard::new(&guard, &listeners.into(), &own.into())
    }

    fn check(guard: &DestinationGuard, ip: &str, expect: Result<(), Prohibited>) {
        let address = SocketAddr::new(ip.parse().unwrap(), 443);
        assert_eq!(guard.judge(address), expect, "{ip}");
    }

    #[test]
    fn special_addresses_are_refused_in_every_disguise() {
        use Prohibited::*;
        for private in [PrivateNetworks::Deny, PrivateNetworks::Allow] {
            let guard = guard(&[], &[], private);
            for (ip, why) in [
                ("127.0.0.1", Loopback),
                ("127.255.255.254", Loopback),
                ("::1", Loopback),
                ("::ffff:127.0.0.1", Loopback),
                ("::127.0.0.1", Loopback),
                ("::ffff:0:127.0.0.1", Loopback),
                ("64:ff9b::7f00:1", Loopback),
                ("64:ff9b:1::7f00:1", Loopback),
                ("2002:7f00:1::1", Loopback),
                ("2001:0:7f00:1::f5ff:fffe", Loopback),
                ("2001:0:808:808::80ff:fffe", Loopback),
                ("2001:db8::5efe:7f00:1", Loopback),
                ("2001:db8::200:5efe:7f00:1", Loopback),
                ("169.254.1.1", LinkLocal),
                ("fe80::1", LinkLocal),
                ("64:ff9b::a9fe:101", LinkLocal),
                ("0.0.0.0", Unspecified),
                ("0.1.2.3", Unspecified),
                ("::", Unspecified),
                ("::ffff:0.0.0.0", Unspecified),
                ("64:ff9b::", Unspecified),
                ("224.0.0.1", Multicast),
                ("ff02::1", Multicast),
                ("255.255.255.255", Broadcast),
                ("203.0.113.9", OwnAddress),
                ("::ffff:203.0.113.9", OwnAddress),
                ("64:ff9b::203.0.113.9", OwnAddress),
                ("198.51.100.7", OwnAddress),
                ("2001:db8::9", OwnAddress),
            ] {
                check(&guard, ip, Err(why));
            }
            for ip in [
                "1.1.1.1",
                "203.0.113.8",
                "2606:4700::1111",
                "64:ff9b::101:101",
                "2002:101:101::1",
                "2001:0:101:101::fefe:fefe",
            ] {
                check(&guard, ip, Ok(()));
            }
        }
    }

    #[test]
    fn metadata_needs_to_be_named() {
        let addresses = [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "169.254.170.2",
            "169.254.170.23",
            "169.254.0.23",
            "169.254.42.42",
            "168.63.129.16",
            "64:ff9b::168.63.129.16",
            "100.100.100.200",
            "100.96.0.96",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
            "fd00:a9fe:a9fe::1",
            "fd00:100::100:200",
            "fe80::a9fe:a9fe",
        ];
        let wide = [
            "169.254.0.0/16",
            "168.0.0.0/8",
            "100.64.0.0/10",
            "192.0.0.0/24",
            "fc00::/7",
            "fe80::/10",
            "64:ff9b::/96",
            "2002::/16",
        ];
        for allow in [&[][..], &wide] {
            let guard = guard(allow, &[], PrivateNetworks::Allow);
            for ip in addresses {
                check(&guard, ip, Err(Prohibited::Metadata));
            }
        }
        let named = guard(
            &["168.63.129.16/32", "fd00:ec2::/32"],
            &[],
            PrivateNetworks::Deny,
        );
        check(&named, "168.63.129.16", Ok(()));
        check(&named, "fd00:ec2::254", Ok(()));
        check(&named, "169.254.169.254", Err(Prohibited::Metadata));
    }

    #[test]
    fn private_networks_are_closed_until_opened() {
        let private = [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "198.18.0.1",
            "198.19.255.255",
            "240.0.0.1",
            "fc00::1",
            "fdff::1",
            "fec0::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "2002:a00:1::",
        ];
        let public = [
            "9.255.255.255",
            "11.0.0.1",
            "172.32.0.1",
            "100.128.0.1",
            "198.20.0.1",
        ];
        let closed = guard(&[], &[], PrivateNetworks::Deny);
        let open = guard(&[], &[], PrivateNetworks::Allow);
        let listed = guard(
            &["10.0.0.0/8", "fc00::/7"],
            &["10.6.0.0/16"],
            PrivateNetworks::Deny,
        );
        for ip in private {
            check(&closed, ip, Err(Prohibited::Private));
            check(&open, ip, Ok(()));
        }
        for ip in public {
            check(&closed, ip, Ok(()));
        }
        check(&listed, "10.0.0.1", Ok(()));
        check(&listed, "10.6.0.1", Err(Prohibited::Configured));
        check(&listed, "fd00::1", Ok(()));
        check(&listed, "192.168.1.1", Err(Prohibited::Private));
    }

    #[test]
    fn lists_open_and_close() {
        let guard = guard(
            &["127.0.0.0/8", "10.1.0.0/16", "::/0"],
            &["10.0.0.0/8", "::/0"],
            PrivateNetworks::Deny,
        );
        check(&guard, "127.0.0.1", Ok(()));
        check(&guard, "::ffff:127.0.0.1", Ok(()));
        check(&guard, "169.254.1.1", Err(Prohibited::LinkLocal));
        check(&guard, "10.2.0.1", Err(Prohibited::Configured));
        check(&guard, "64:ff9b::a02:1", Err(Prohibited::Configured));
        check(&guard, "10.1.0.1", Ok(()));
        check(&guard, "2001:db8::1", Err(Prohibited::Configured));
    }

    #[test]
    fn a_loop_is_refused_whatever_is_allowed() {
        let guard = guard(&["0.0.0.0/0", "::/0"], &[], PrivateNetworks::Allow);
        for own in [
            "203.0.113.9:3128",
            "[::ffff:203.0.113.9]:3128",
            "0.0.0.0:3128",
            "127.0.0.1:8080",
            "127.9.9.9:8080",
            "203.0.113.9:8080",
            "198.51.100.7:8080",
            "[2001:db8::9]:8080",
            "[::1]:8080",
            "0.0.0.0:8080",
            "0.0.0.1:8080",
            "[::]:8080",
            "[::ffff:0.0.0.0]:8080",
            "[64:ff9b::7f00:1]:8080",
            "[2002:7f00:1::]:8080",
            "127.0.0.1:9090",
            "0.0.0.0:9090",
            "[::]:9090",
            "[::1]:9091",
            "[::]:9091",
            "0.0.0.0:9091",
        ] {
            let own: SocketAddr = own.parse().unwrap();
            assert_eq!(guard.judge(own), Err(Prohibited::OwnListener), "{own}");
        }
        for other in ["203.0.113.8:3128", "127.0.0.2:9090", "203.0.113.9:80"] {
            assert_eq!(guard.judge(other.parse().unwrap()), Ok(()), "{other}");
        }
    }
}
