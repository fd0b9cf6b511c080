//! Addresses and networks.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::BadValue;
use crate::diagnostic::Code;

const EXPECTED: &str =
    "an IPv4 or IPv6 address, or a network such as `10.0.0.0/8` or `2001:db8::/32`";

/// An address or network. An IPv4-mapped IPv6 one becomes its IPv4 one.
///
/// # Errors
/// Anything else, and a network with bits set after its prefix: it may be a slip.
pub fn network(text: &str) -> Result<IpNet, BadValue> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(unmapped(IpNet::from(address)));
    }
    let bad = || {
        BadValue::new(
            Code::BadNetwork,
            format!("`{text}` is not an address or network"),
            EXPECTED,
        )
    };
    let network: IpNet = text.parse().map_err(|_| match text.split_once('/') {
        Some((address, prefix)) if address.parse::<IpAddr>().is_ok() => bad().help(format!(
            "`{prefix}` is not a prefix length of this kind of address"
        )),
        _ => bad(),
    })?;
    if network.addr() != network.network() {
        let message = format!("`{text}` has bits set after its prefix");
        return Err(BadValue::new(
            Code::BadNetwork,
            message,
            "the first address of the network before the `/`",
        )
        .help(format!(
            "the network is `{}`; the single address is `{}`",
            network.trunc(),
            network.addr()
        )));
    }
    Ok(unmapped(network))
}

fn unmapped(network: IpNet) -> IpNet {
    const MAPPED_PREFIX_BITS: u8 = 96;
    let IpNet::V6(v6) = network else {
        return network;
    };
    v6.addr()
        .to_ipv4_mapped()
        .zip(v6.prefix_len().checked_sub(MAPPED_PREFIX_BITS))
        .and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok())
        .map_or(network, IpNet::V4)
}

/// Pairs of positions where the first network is the second or lies in it. Each network is named
/// at most once as covered.
#[must_use]
pub fn covered(networks: &[IpNet]) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..networks.len()).collect();
    let key = |at: &usize| {
        networks
            .get(*at)
            .map(|net| (net.network(), net.prefix_len(), *at))
    };
    order.sort_by_key(key);
    let mut covered = Vec::new();
    let mut widest: Option<(usize, IpNet)> = None;
    for at in order {
        let Some(network) = networks.get(at).copied() else {
            continue;
        };
        match widest {
            Some((by, wide)) if wide.contains(&network) => covered.push((at, by)),
            _ => widest = Some((at, network)),
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let shown = |text| network(text).unwrap().to_string();
        assert_eq!(shown("10.0.0.0/8"), "10.0.0.0/8");
        assert_eq!(shown("10.1.2.3"), "10.1.2.3/32");
        assert_eq!(shown("::1"), "::1/128");
        assert_eq!(shown("::ffff:10.0.0.0/104"), "10.0.0.0/8");
        assert_eq!(shown("::ffff:10.1.2.3"), "10.1.2.3/32");
        assert_eq!(shown("::/0"), "::/0");
        for bad in [
            "",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0",
            "010.0.0.1",
            "example.com",
            "10.0.0.0/",
        ] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn covering() {
        let nets: Vec<IpNet> = [
            "10.1.0.0/16",
            "10.0.0.0/8",
            "11.0.0.0/8",
            "10.1.0.0/16",
            "::/0",
        ]
        .iter()
        .map(|text| network(text).unwrap())
        .collect();
        assert_eq!(covered(&nets), [(0, 1), (3, 1)]);
    }
}
