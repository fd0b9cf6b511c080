//! Addresses as Squid writes them: with a prefix or a netmask, as ranges, as words.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv4Subnets, Ipv6Net, Ipv6Subnets};

use super::unsupported::Unsupported;

/// What a value of `src` or `dst` stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Addresses {
    /// Every address.
    All,
    /// These networks.
    Networks(Vec<IpNet>),
}

/// Networks that a range may take; a longer list is a mistake.
const NETWORKS_MAX: usize = 256;

/// Reads one value.
///
/// # Errors
/// Why it cannot be carried over.
pub(super) fn addresses(text: &str) -> Result<Addresses, Unsupported> {
    match text {
        "all" | "0/0" | "0.0.0.0/0" | "0.0.0.0/0.0.0.0" | "0.0.0.0-255.255.255.255" => {
            return Ok(Addresses::All);
        }
        "ipv4" => return Ok(Addresses::Networks(vec![IpNet::V4(Ipv4Net::default())])),
        "ipv6" => return Ok(Addresses::Networks(vec![IpNet::V6(Ipv6Net::default())])),
        _ => {}
    }
    let (addresses, mask) = match text.split_once('/') {
        Some((addresses, mask)) => (addresses, Some(mask)),
        None => (text, None),
    };
    let (first, last) = addresses.split_once('-').unwrap_or((addresses, addresses));
    let (Ok(first), Ok(last)) = (first.parse::<IpAddr>(), last.parse::<IpAddr>()) else {
        return Err(Unsupported::HostName);
    };
    let prefix = mask.map(|mask| prefix(mask, first)).transpose()?;
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let (first, last) = widened_v4(first, last, prefix)?;
            let networks = Ipv4Subnets::new(first, last, 0).map(IpNet::V4);
            bounded(networks.take(NETWORKS_MAX + 1).collect())
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let (first, last) = widened_v6(first, last, prefix)?;
            let networks = Ipv6Subnets::new(first, last, 0).map(IpNet::V6);
            bounded(networks.take(NETWORKS_MAX + 1).collect())
        }
        _ => Err(Unsupported::MixedRange),
    }
}

fn bounded(networks: Vec<IpNet>) -> Result<Addresses, Unsupported> {
    if networks.len() > NETWORKS_MAX {
        return Err(Unsupported::WideRange);
    }
    Ok(Addresses::Networks(networks))
}

fn widened_v4(
    first: Ipv4Addr,
    last: Ipv4Addr,
    prefix: Option<u8>,
) -> Result<(Ipv4Addr, Ipv4Addr), Unsupported> {
    let prefix = prefix.unwrap_or(32);
    let network = |address| Ipv4Net::new(address, prefix);
    let ends = (network(first)?.network(), network(last)?.broadcast());
    if first > last {
        return Err(Unsupported::Backwards);
    }
    Ok(ends)
}

fn widened_v6(
    first: Ipv6Addr,
    last: Ipv6Addr,
    prefix: Option<u8>,
) -> Result<(Ipv6Addr, Ipv6Addr), Unsupported> {
    let prefix = prefix.unwrap_or(128);
    let network = |address| Ipv6Net::new(address, prefix);
    let ends = (network(first)?.network(), network(last)?.broadcast());
    if first > last {
        return Err(Unsupported::Backwards);
    }
    Ok(ends)
}

/// A prefix length, or an IPv4 netmask.
fn prefix(mask: &str, address: IpAddr) -> Result<u8, Unsupported> {
    let bad = || Unsupported::Netmask(mask.to_owned());
    if let Ok(bits) = mask.parse::<u8>() {
        return Ok(bits);
    }
    let address_mask: Ipv4Addr = mask.parse().map_err(|_| bad())?;
    let bits = u32::from(address_mask);
    if !address.is_ipv4() || bits.leading_ones() + bits.trailing_zeros() < 32 {
        return Err(bad());
    }
    u8::try_from(bits.leading_ones()).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match addresses(text) {
            Ok(Addresses::All) => "all".to_owned(),
            Ok(Addresses::Networks(networks)) => {
                let shown: Vec<String> = networks.iter().map(ToString::to_string).collect();
                shown.join(" ")
            }
            Err(_) => "bad".to_owned(),
        }
    }

    #[test]
    fn forms() {
        for (squid, ours) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/255.0.0.0", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("10.0.0.1-10.0.0.4", "10.0.0.1/32 10.0.0.2/31 10.0.0.4/32"),
            ("10.0.0.0-10.0.3.0/24", "10.0.0.0/22"),
            ("fe80::/10", "fe80::/10"),
            ("2001:db8::1-2001:db8::2", "2001:db8::1/128 2001:db8::2/128"),
            ("all", "all"),
            ("0.0.0.0/0", "all"),
            ("ipv4", "0.0.0.0/0"),
            ("ipv6", "::/0"),
            ("www.example.com", "bad"),
            ("10.0.0.0/255.0.255.0", "bad"),
            ("10.0.0.9-10.0.0.1", "bad"),
            ("10.0.0.0/40", "bad"),
        ] {
            assert_eq!(shown(squid), ours, "{squid}");
        }
    }
}
