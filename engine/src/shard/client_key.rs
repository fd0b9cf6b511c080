//! What a client is known by.

use std::net::{IpAddr, Ipv6Addr};

/// What a client is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientKey(IpAddr);

impl ClientKey {
    /// Its address, of IPv6 that of the network.
    pub(crate) fn address(self) -> IpAddr {
        self.0
    }

    /// The client behind `address`; of IPv6 the network of so many bits.
    pub(crate) fn new(address: IpAddr, ipv6_prefix: u8) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                let host_bits = 128_u32.saturating_sub(ipv6_prefix.into());
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or_default();
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        })
    }
}
