//! What is special about an address by itself, and the addresses of metadata services.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::observe::GuardReason;

/// Why an address is not dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prohibited {
    /// The proxy would talk to itself.
    OwnListener,
    Unspecified,
    Loopback,
    LinkLocal,
    /// Where a cloud tells its machines who they are, and gives them credentials.
    Metadata,
    Multicast,
    Broadcast,
    /// Of an interface of this machine.
    OwnAddress,
    /// Of a network that is nobody's business outside.
    Private,
    /// Listed in `guard.deny`.
    Configured,
}

impl Prohibited {
    /// As it is counted.
    pub(crate) fn counted(self) -> GuardReason {
        match self {
            Self::OwnListener => GuardReason::OwnListener,
            Self::Unspecified => GuardReason::Unspecified,
            Self::Loopback => GuardReason::Loopback,
            Self::LinkLocal => GuardReason::LinkLocal,
            Self::Metadata => GuardReason::Metadata,
            Self::Multicast => GuardReason::Multicast,
            Self::Broadcast => GuardReason::Broadcast,
            Self::OwnAddress => GuardReason::OwnAddress,
            Self::Private => GuardReason::Private,
            Self::Configured => GuardReason::Configured,
        }
    }

    /// For the log and the body of the refusal: what it is, and which key could let it through.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::OwnListener => "the destination is this proxy itself",
            Self::Unspecified => "the destination address is unspecified (guard.allow)",
            Self::Loopback => "the destination is a loopback address (guard.allow)",
            Self::LinkLocal => "the destination is a link-local address (guard.allow)",
            Self::Metadata => "the destination is an instance metadata address (guard.allow)",
            Self::Multicast => "the destination is a multicast address (guard.allow)",
            Self::Broadcast => "the destination is the broadcast address (guard.allow)",
            Self::OwnAddress => {
                "the destination is an address of the proxy's machine (guard.allow)"
            }
            Self::Private => "the destination is a private address (guard.private, guard.allow)",
            Self::Configured => "the destination address is denied by guard.deny",
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(segments: [u16; 8], prefix: u8) -> IpNet {
    let [a, b, c, d, e, f, g, h] = segments;
    let address = Ipv6Addr::new(a, b, c, d, e, f, g, h);
    IpNet::V6(Ipv6Net::new_assert(address, prefix))
}

/// Where metadata services are, with what their providers say of it (`docs/phases.md` has the sources).
/// Each is refused also where its network is allowed, unless an entry as narrow as this one names it.
pub(super) const METADATA: &[IpNet] = &[
    // Most: AWS, Azure, Google, Oracle, IBM, DigitalOcean, Hetzner, OpenStack, Tencent, Huawei, Akamai.
    v4(169, 254, 169, 254, 32),
    // AWS: tasks of ECS, pods of EKS; its services over IPv6.
    v4(169, 254, 170, 2, 32),
    v4(169, 254, 170, 23, 32),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32),
    // Google over IPv6.
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128),
    // Azure's host agent.
    v4(168, 63, 129, 16, 32),
    // Alibaba.
    v4(100, 100, 100, 200, 32),
    v6([0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200], 128),
    // Oracle: Classic, and over IPv6.
    v4(192, 0, 0, 192, 32),
    v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128),
    // Tencent's older address.
    v4(169, 254, 0, 23, 32),
    // Scaleway.
    v4(169, 254, 42, 42, 32),
    v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128),
    // Akamai (Linode) over IPv6.
    v6([0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1], 128),
    // OpenStack and Hetzner over IPv6.
    v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128),
    // Volcano Engine.
    v4(100, 96, 0, 96, 32),
];

/// Networks behind `guard.private`.
pub(super) const PRIVATE: &[IpNet] = &[
    // RFC 1918 section 3.
    v4(10, 0, 0, 0, 8),
    v4(172, 16, 0, 0, 12),
    v4(192, 168, 0, 0, 16),
    // RFC 6598: shared by customers of a provider, and by overlay networks.
    v4(100, 64, 0, 0, 10),
    // RFC 6890: for protocols, no hosts of others.
    v4(192, 0, 0, 0, 24),
    // RFC 2544: laboratories, and who has run out of RFC 1918.
    v4(198, 18, 0, 0, 15),
    // RFC 1112: never given to anybody, and used inside for that.
    v4(240, 0, 0, 0, 4),
    // RFC 4193, and what came before it (RFC 3879).
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),
];

/// What is special about `ip` wherever it is, but for private networks.
pub(super) fn special(ip: IpAddr) -> Option<Prohibited> {
    let (is_unspecified, is_link_local, is_broadcast) = match ip {
        // RFC 791 section 3.2: all of 0/8 means "this host".
        IpAddr::V4(ip) => (ip.octets()[0] == 0, ip.is_link_local(), ip.is_broadcast()),
        IpAddr::V6(ip) => (ip.is_unspecified(), ip.is_unicast_link_local(), false),
    };
    match () {
        () if is_unspecified => Some(Prohibited::Unspecified),
        () if ip.is_loopback() => Some(Prohibited::Loopback),
        () if is_link_local => Some(Prohibited::LinkLocal),
        () if ip.is_multicast() => Some(Prohibited::Multicast),
        () if is_broadcast => Some(Prohibited::Broadcast),
        () => None,
    }
}
