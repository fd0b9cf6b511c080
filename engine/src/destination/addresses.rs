//! The addresses of one destination, in the order in which they are tried; no heap.

use std::net::{IpAddr, Ipv4Addr};

use sallyport_wire::invariant::Invariant;

/// At most this many addresses of a name are used; more would only lengthen a failing connect.
pub(crate) const ADDRESSES_MAX: usize = 8;

/// A short list of addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddressList {
    addresses: [IpAddr; ADDRESSES_MAX],
    count: usize,
}

impl AddressList {
    pub(crate) fn empty() -> Self {
        Self {
            addresses: [IpAddr::V4(Ipv4Addr::UNSPECIFIED); ADDRESSES_MAX],
            count: 0,
        }
    }

    /// The list of one address.
    pub(crate) fn one(address: IpAddr) -> Self {
        let mut list = Self::empty();
        list.push(address);
        list
    }

    /// RFC 8305 section 4: families alternate, beginning with IPv6.
    pub(crate) fn interleaved(addresses: &[IpAddr]) -> Self {
        let mut v6 = addresses.iter().filter(|address| address.is_ipv6());
        let mut v4 = addresses.iter().filter(|address| address.is_ipv4());
        let mut list = Self::empty();
        loop {
            let (six, four) = (v6.next(), v4.next());
            if six.is_none() && four.is_none() {
                return list;
            }
            six.into_iter()
                .chain(four)
                .for_each(|address| list.push(*address));
        }
    }

    /// Adds an address unless the list is full.
    pub(crate) fn push(&mut self, address: IpAddr) {
        if let Some(place) = self.addresses.get_mut(self.count) {
            *place = address;
            self.count += 1;
        }
    }

    pub(crate) fn as_slice(&self) -> &[IpAddr] {
        self.addresses.get(..self.count).or_broken("an address")
    }

    pub(crate) fn first(&self) -> Option<IpAddr> {
        self.as_slice().first().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_alternate_beginning_with_ipv6() {
        let texts = ["1.1.1.1", "1.1.1.2", "1.1.1.3", "2001:db8::1"];
        let addresses: Vec<IpAddr> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let list = AddressList::interleaved(&addresses);
        let order: Vec<String> = list.as_slice().iter().map(ToString::to_string).collect();
        assert_eq!(order, ["2001:db8::1", "1.1.1.1", "1.1.1.2", "1.1.1.3"]);
    }

    #[test]
    fn the_list_is_bounded() {
        let addresses: Vec<IpAddr> = (0..50).map(|n| IpAddr::from([10, 0, 0, n])).collect();
        assert_eq!(
            AddressList::interleaved(&addresses).as_slice().len(),
            ADDRESSES_MAX
        );
    }
}
