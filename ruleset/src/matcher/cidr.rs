//! Networks as ranges of numbers, one number space per address family, for `interval.rs`.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

/// The two number spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4, mapped addresses included.
    V4,
    /// The rest of IPv6.
    V6,
}

/// The family and number of an address; an IPv4-mapped address is its IPv4 address.
#[must_use]
pub fn key(address: IpAddr) -> (Family, u128) {
    match address.to_canonical() {
        IpAddr::V4(v4) => (Family::V4, v4.to_bits().into()),
        IpAddr::V6(v6) => (Family::V6, v6.to_bits()),
    }
}

/// The family and range of a network. A network within the IPv4-mapped prefix is one of IPv4.
#[must_use]
pub fn range(network: IpNet) -> (Family, RangeInclusive<u128>) {
    match network {
        IpNet::V4(v4) => (
            Family::V4,
            v4.network().to_bits().into()..=v4.broadcast().to_bits().into(),
        ),
        IpNet::V6(v6) => {
            let (first, last) = (v6.network(), v6.broadcast());
            match (first.to_ipv4_mapped(), last.to_ipv4_mapped()) {
                (Some(first), Some(last)) => {
                    (Family::V4, first.to_bits().into()..=last.to_bits().into())
                }
                _ => (Family::V6, first.to_bits()..=last.to_bits()),
            }
        }
    }
}
