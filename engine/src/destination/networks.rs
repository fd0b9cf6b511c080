//! Networks in the form in which they are quick to ask about an address.

use std::net::IpAddr;
use std::ops::BitAnd;

use ipnet::IpNet;

/// A list of networks, those with the longest prefix first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Networks {
    v4: Vec<Network<u32>>,
    v6: Vec<Network<u128>>,
}

/// One network: its first address, and which bits an address of it has in common with that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network<B> {
    first: B,
    mask: B,
    prefix_len: u8,
}

impl Networks {
    pub(super) fn new<'n>(networks: impl IntoIterator<Item = &'n IpNet>) -> Self {
        let mut all = Self::default();
        for network in networks {
            let prefix_len = network.prefix_len();
            match network {
                IpNet::V4(network) => all.v4.push(Network {
                    first: network.network().to_bits(),
                    mask: network.netmask().to_bits(),
                    prefix_len,
                }),
                IpNet::V6(network) => all.v6.push(Network {
                    first: network.network().to_bits(),
                    mask: network.netmask().to_bits(),
                    prefix_len,
                }),
            }
        }
        all.v4.sort_by_key(|network| u8::MAX - network.prefix_len);
        all.v6.sort_by_key(|network| u8::MAX - network.prefix_len);
        all
    }

    /// Bits of the longest prefix among the networks that hold `ip`. No IPv4 address is in a network of
    /// IPv6, whatever its form.
    pub(super) fn longest(&self, ip: IpAddr) -> Option<u8> {
        match ip {
            IpAddr::V4(ip) => longest(&self.v4, ip.to_bits()),
            IpAddr::V6(ip) => longest(&self.v6, ip.to_bits()),
        }
    }

    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        self.longest(ip).is_some()
    }
}

fn longest<B: BitAnd<Output = B> + PartialEq + Copy>(
    networks: &[Network<B>],
    bits: B,
) -> Option<u8> {
    let mut networks = networks.iter();
    let found = networks.find(|network| bits & network.mask == network.first)?;
    Some(found.prefix_len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network() -> impl Strategy<Value = IpNet> {
        // Few high bits, so that networks nest and addresses hit.
        prop_oneof![
            (0..=32_u8, any::<u32>()).prop_map(|(len, bits)| {
                let ip = IpAddr::V4((bits & 0xc0_00_00_ff).into());
                IpNet::new(ip, len).unwrap()
            }),
            (0..=128_u8, any::<u128>()).prop_map(|(len, bits)| {
                let ip = IpAddr::V6((bits & (0xc << 124 | 0xff)).into());
                IpNet::new(ip, len).unwrap()
            }),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_the_list(
            list in prop::collection::vec(network(), 0..12),
            asked in network(),
        ) {
            let networks = Networks::new(&list);
            let holding = list.iter().filter(|network| network.contains(&asked.addr()));
            let expected = holding.map(IpNet::prefix_len).max();
            prop_assert_eq!(networks.longest(asked.addr()), expected);
            prop_assert_eq!(networks.contains(asked.addr()), expected.is_some());
        }
    }
}
