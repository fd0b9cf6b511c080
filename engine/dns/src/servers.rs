//! The configured servers, which of them is preferred now, and what was learned about each.

use std::net::SocketAddr;

/// Index of a server in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerIndex(usize);

/// A set of servers, one bit each (`limits::SERVERS_MAX`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerSet(u32);

/// The servers in order of preference.
#[derive(Debug)]
pub(crate) struct Servers {
    servers: Vec<Server>,
    /// Where lookups begin; moves on when that server fails to serve.
    preferred: usize,
}

#[derive(Debug)]
struct Server {
    address: SocketAddr,
    understands_edns: bool,
    keeps_case: bool,
}

impl ServerSet {
    pub(crate) fn insert(&mut self, server: ServerIndex) {
        self.0 |= 1 << server.0;
    }

    fn contains(self, server: usize) -> bool {
        self.0 & (1 << server) != 0
    }
}

impl Servers {
    pub(crate) fn new(addresses: &[SocketAddr]) -> Self {
        let server = |address: &SocketAddr| Server {
            address: *address,
            understands_edns: true,
            keeps_case: true,
        };
        Self {
            servers: addresses.iter().map(server).collect(),
            preferred: 0,
        }
    }

    /// The server to begin with; none if none is configured.
    pub(crate) fn preferred(&self) -> Option<ServerIndex> {
        (!self.servers.is_empty()).then_some(ServerIndex(self.preferred))
    }

    /// The server to ask after `server`, leaving out `useless` ones; `server` itself again if it is
    /// the only one left.
    pub(crate) fn next(&self, server: ServerIndex, useless: ServerSet) -> Option<ServerIndex> {
        let count = self.servers.len();
        (1..=count)
            .map(|step| (server.0 + step) % count)
            .find(|index| !useless.contains(*index))
            .map(ServerIndex)
    }

    /// Lookups to come begin with the next server, if `server` is the one they would have begun
    /// with.
    pub(crate) fn demote(&mut self, server: ServerIndex) {
        if server.0 == self.preferred {
            self.preferred = (self.preferred + 1) % self.servers.len().max(1);
        }
    }

    pub(crate) fn address(&self, server: ServerIndex) -> Option<SocketAddr> {
        self.servers.get(server.0).map(|server| server.address)
    }

    pub(crate) fn understands_edns(&self, server: ServerIndex) -> bool {
        self.servers
            .get(server.0)
            .is_some_and(|server| server.understands_edns)
    }

    /// The server answered without EDNS(0) what it would not with it: it is not offered again (RFC
    /// 6891 section 6.2.6).
    pub(crate) fn note_no_edns(&mut self, server: ServerIndex) {
        if let Some(server) = self.servers.get_mut(server.0) {
            server.understands_edns = false;
        }
    }

    pub(crate) fn keeps_case(&self, server: ServerIndex) -> bool {
        self.servers
            .get(server.0)
            .is_some_and(|server| server.keeps_case)
    }

    /// The server seems to fold the case of questions: it is asked over TCP, where no stranger can
    /// answer instead.
    pub(crate) fn note_folds_case(&mut self, server: ServerIndex) {
        if let Some(server) = self.servers.get_mut(server.0) {
            server.keeps_case = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(count: u8) -> Servers {
        let addresses: Vec<SocketAddr> = (1..=count)
            .map(|last| SocketAddr::from(([192, 0, 2, last], 53)))
            .collect();
        Servers::new(&addresses)
    }

    #[test]
    fn next_goes_around_and_leaves_out_useless_servers() {
        let servers = servers(3);
        let mut useless = ServerSet::default();
        assert_eq!(servers.next(ServerIndex(2), useless), Some(ServerIndex(0)));
        useless.insert(ServerIndex(0));
        assert_eq!(servers.next(ServerIndex(2), useless), Some(ServerIndex(1)));
        useless.insert(ServerIndex(1));
        assert_eq!(servers.next(ServerIndex(2), useless), Some(ServerIndex(2)));
        useless.insert(ServerIndex(2));
        assert_eq!(servers.next(ServerIndex(2), useless), None);
    }

    #[test]
    fn only_the_preferred_server_is_demoted() {
        let mut servers = servers(2);
        servers.demote(ServerIndex(1));
        assert_eq!(servers.preferred(), Some(ServerIndex(0)));
        servers.demote(ServerIndex(0));
        assert_eq!(servers.preferred(), Some(ServerIndex(1)));
        assert_eq!(Servers::new(&[]).preferred(), None);
    }
}
