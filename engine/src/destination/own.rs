//! Which addresses are this machine: those of its interfaces, and what else its kernel takes for local.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use ipnet::{IpNet, Ipv6Net};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

use crate::limits::OWN_ROUTES_BYTES_MAX;

/// Hears from the kernel that addresses or routes have changed (rtnetlink): to read them all, again and
/// again, would cost milliseconds each time, and far more on a router.
#[derive(Debug)]
pub(crate) struct AddressChanges {
    heard: Option<OwnedFd>,
    /// What came before the listening is in no message.
    is_first: bool,
}

impl AddressChanges {
    /// Listens from now on. Where the kernel does not tell, everything counts as changed.
    pub(crate) fn listen() -> Self {
        const GROUPS: i32 = libc::RTMGRP_IPV4_IFADDR
            | libc::RTMGRP_IPV4_ROUTE
            | libc::RTMGRP_IPV6_IFADDR
            | libc::RTMGRP_IPV6_ROUTE;
        let open = || {
            let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
            let route = SockProtocol::NetlinkRoute;
            let heard = socket(AddressFamily::Netlink, SockType::Raw, flags, route)?;
            bind(
                heard.as_raw_fd(),
                &NetlinkAddr::new(0, GROUPS.cast_unsigned()),
            )?;
            Ok::<_, Errno>(heard)
        };
        Self {
            heard: open().ok(),
            is_first: true,
        }
    }

    /// Whether anything may have changed since the last call.
    pub(crate) fn any(&mut self) -> bool {
        let mut any = std::mem::take(&mut self.is_first);
        let Some(heard) = &self.heard else {
            return true;
        };
        // What they say is of no interest; nor is how many were lost.
        let mut message = [0; 1];
        loop {
            match recv(heard.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT) {
                Ok(_) | Err(Errno::ENOBUFS | Errno::EINTR) => any = true,
                Err(Errno::EAGAIN) => return any,
                Err(_) => return true,
            }
        }
    }
}

/// All of them, as they are now: interfaces come and go.
pub(crate) fn own_networks() -> Vec<IpNet> {
    let mut networks = interface_addresses();
    networks.extend(local_ipv4(&read("/proc/net/fib_trie")));
    networks.extend(local_ipv6(&read("/proc/net/ipv6_route")));
    networks.sort_unstable();
    networks.dedup();
    networks
}

fn interface_addresses() -> Vec<IpNet> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address
            .as_sockaddr_in()
            .map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| {
            address
                .as_sockaddr_in6()
                .map(|address| IpAddr::V6(address.ip()))
        })
    });
    addresses.map(IpNet::from).collect()
}

/// Nothing if it cannot be read, or is that of a router with the routes of half the world: then the
/// addresses of the interfaces must do.
fn read(path: &str) -> String {
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(OWN_ROUTES_BYTES_MAX).read_to_string(&mut text));
    match read {
        Ok(bytes) if (bytes as u64) < OWN_ROUTES_BYTES_MAX => text,
        _ => String::new(),
    }
}

/// The networks of `/proc/net/fib_trie` that are local: a line with the address, and below it one with
/// the length of the prefix and the kind of the route.
fn local_ipv4(text: &str) -> Vec<IpNet> {
    let mut networks = Vec::new();
    let mut leaf: Option<Ipv4Addr> = None;
    for line in text.lines() {
        let line = line.trim_start();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.trim_end().parse().ok();
            continue;
        }
        let Some((prefix, kind)) = line.strip_prefix('/').and_then(|line| line.split_once(' '))
        else {
            continue;
        };
        let network = leaf.zip(prefix.parse().ok());
        let network = network.filter(|_| kind.trim_end().ends_with(" LOCAL"));
        let network = network.and_then(|(leaf, prefix)| IpNet::new(leaf.into(), prefix).ok());
        networks.extend(network);
    }
    networks
}

/// The networks of `/proc/net/ipv6_route` that are local: address and length in hexadecimal first, flags
/// before the name of the interface.
fn local_ipv6(text: &str) -> Vec<IpNet> {
    const RTF_LOCAL: u32 = 0x8000_0000;
    let network = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let address = u128::from_str_radix(words.next()?, 16).ok()?;
        let prefix = u8::from_str_radix(words.next()?, 16).ok()?;
        let flags = u32::from_str_radix(words.nth(6)?, 16).ok()?;
        let network = Ipv6Net::new(Ipv6Addr::from_bits(address), prefix).ok()?;
        (flags & RTF_LOCAL != 0).then_some(IpNet::V6(network))
    };
    text.lines().filter_map(network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_routes_are_read() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
            Local:\n     +-- 127.0.0.0/8 2 0 2\n        +-- 127.0.0.0/31 1 0 0\n           |-- 127.0.0.0\n\
            \u{20}             /8 host LOCAL\n           |-- 127.0.0.1\n              /32 host LOCAL\n\
            \u{20}       |-- 127.255.255.255\n           /32 link BROADCAST\n\
            \u{20}          |-- 10.9.0.0\n              /16 host LOCAL\n              /32 link BROADCAST\n";
        let expected = ["127.0.0.0/8", "127.0.0.1/32", "10.9.0.0/16"];
        let found: Vec<_> = local_ipv4(trie).iter().map(IpNet::to_string).collect();
        assert_eq!(found, expected);
        let routes = "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 \
            00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n\
            fd000000000000000000000000000002 80 00000000000000000000000000000000 00 \
            00000000000000000000000000000000 00000000 00000003 00000000 80200001     eth0\n\
            fd090000000000000000000000000000 20 00000000000000000000000000000000 00 \
            00000000000000000000000000000000 00000000 00000003 00000000 80200001     lo\nnonsense\n";
        let found: Vec<_> = local_ipv6(routes).iter().map(IpNet::to_string).collect();
        assert_eq!(found, ["fd00::2/128", "fd09::/32"]);
    }

    #[test]
    fn this_machine_has_loopback() {
        let own = own_networks();
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(
            own.iter().any(|network| network.contains(&loopback)),
            "{own:?}"
        );
    }
}
