//! IPv4 addresses inside IPv6 addresses: what a translator or a tunnel on the way would unwrap.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address holds at most this many.
const FORMS_MAX: usize = 4;

/// An address and the IPv4 addresses inside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forms {
    whole: IpAddr,
    inside: [Option<Ipv4Addr>; FORMS_MAX],
}

impl Forms {
    /// An IPv4-mapped address is the IPv4 address itself, as it is to the kernel.
    pub(super) fn of(address: IpAddr) -> Self {
        let whole = address.to_canonical();
        let inside = match whole {
            IpAddr::V4(_) => [None; FORMS_MAX],
            IpAddr::V6(address) => inside(address),
        };
        Self { whole, inside }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = IpAddr> {
        let inside = self.inside.into_iter().flatten().map(IpAddr::V4);
        std::iter::once(self.whole).chain(inside)
    }
}

fn inside(address: Ipv6Addr) -> [Option<Ipv4Addr>; FORMS_MAX] {
    let last = at(address, [12, 13, 14, 15]);
    match address.segments() {
        // The well-known prefix of NAT64 (RFC 6052 section 2.1).
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => [Some(last), None, None, None],
        // The prefix for local use (RFC 8215), of which a network may take a longer one: the address lies
        // where that ends (RFC 6052 section 2.2).
        [0x64, 0xff9b, 1, ..] => {
            let shorter = |octets, rest| at_end(address, octets, rest);
            [
                Some(last),
                shorter([6, 7, 9, 10], 11),
                shorter([7, 9, 10, 11], 12),
                shorter([9, 10, 11, 12], 13),
            ]
        }
        // IPv4-compatible (RFC 4291 section 2.5.5.1); `::` and `::1` are none.
        [0, 0, 0, 0, 0, 0, high, low] if (high, low) > (0, 1) => [Some(last), None, None, None],
        // IPv4-translated (RFC 2765 section 2.1).
        [0, 0, 0, 0, 0xffff, 0, ..] => [Some(last), None, None, None],
        // 6to4 (RFC 3056 section 2).
        [0x2002, ..] => [Some(at(address, [2, 3, 4, 5])), None, None, None],
        // Teredo (RFC 4380 section 4): the server, and the client with its bits turned around.
        [0x2001, 0, ..] => {
            let client = Ipv4Addr::from_bits(!last.to_bits());
            [Some(at(address, [4, 5, 6, 7])), Some(client), None, None]
        }
        // ISATAP (RFC 5214 section 6.1), whatever the prefix.
        [.., 0 | 0x200, 0x5efe, _, _] => [Some(last), None, None, None],
        _ => [None; FORMS_MAX],
    }
}

fn at(address: Ipv6Addr, octets: [usize; 4]) -> Ipv4Addr {
    let all = address.octets();
    let octet = |index: usize| all.get(index).copied().unwrap_or_default();
    Ipv4Addr::from_octets(octets.map(octet))
}

/// The same if octet 8 and all from `rest` on are zero, as RFC 6052 has it.
fn at_end(address: Ipv6Addr, octets: [usize; 4], rest: usize) -> Option<Ipv4Addr> {
    let all = address.octets();
    let is_zero =
        |octets: Option<&[u8]>| octets.is_some_and(|octets| octets.iter().all(|o| *o == 0));
    (is_zero(all.get(8..9)) && is_zero(all.get(rest..))).then(|| at(address, octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_unwrapped() {
        for (address, expected) in [
            ("10.0.0.1", "10.0.0.1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("::1", "::1"),
            ("::", "::"),
            ("2001:db8::a00:1", "2001:db8::a00:1"),
            ("::10.0.0.1", "::10.0.0.1 10.0.0.1"),
            ("::ffff:0:10.0.0.1", "::ffff:0:a00:1 10.0.0.1"),
            ("64:ff9b::a00:1", "64:ff9b::a00:1 10.0.0.1"),
            ("64:ff9b:1::808:808", "64:ff9b:1::808:808 8.8.8.8"),
            (
                "64:ff9b:1:a00:0:100::",
                "64:ff9b:1:a00:0:100:: 0.0.0.0 10.0.0.1 0.0.1.0 0.1.0.0",
            ),
            (
                "64:ff9b:1:a:0:1::",
                "64:ff9b:1:a:0:1:: 0.0.0.0 10.0.0.1 0.0.1.0",
            ),
            ("2002:a00:1::5", "2002:a00:1::5 10.0.0.1"),
            (
                "2001:0:c000:201::f5ff:fffe",
                "2001:0:c000:201::f5ff:fffe 192.0.2.1 10.0.0.1",
            ),
            ("2001:db8::5efe:a00:1", "2001:db8::5efe:a00:1 10.0.0.1"),
            (
                "2001:db8::200:5efe:a00:1",
                "2001:db8::200:5efe:a00:1 10.0.0.1",
            ),
        ] {
            let forms = Forms::of(address.parse().unwrap());
            let found: Vec<_> = forms.iter().collect();
            let expected: Vec<IpAddr> = expected
                .split(' ')
                .map(|form| form.parse().unwrap())
                .collect();
            assert_eq!(found, expected, "{address}");
        }
    }
}
