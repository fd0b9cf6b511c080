//! What the first bytes are, and what a header says.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use super::extensions::Extensions;

/// Bytes of an address of the Unix family (section 2.2).
pub const UNIX_ADDRESS_BYTES: usize = 108;

/// What the bytes received so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once a connection, and looked at where it is made"
)]
pub enum Parse<'a> {
    /// Nothing can be said, nor before there are `bytes_min` bytes.
    Incomplete {
        /// At least one more than were given.
        bytes_min: usize,
    },
    /// The bytes are those of another protocol; more of them change nothing.
    NotProxyProtocol,
    /// A header.
    Header {
        /// What it says.
        header: Header<'a>,
        /// Its length: what the client sends begins behind it.
        bytes: usize,
    },
}

/// A header. Texts and ids lie in the bytes that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// How it is written.
    pub version: Version,
    /// Whether the connection is somebody's.
    pub command: Command,
    /// What carries the client's connection; `None`: the sender does not say.
    pub transport: Option<Transport>,
    /// Who speaks to whom.
    pub endpoints: Endpoints<'a>,
    /// TLVs; none in version 1, and none where the endpoints are unknown.
    pub extensions: Extensions<'a>,
}

/// The two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary, with TLVs.
    V2,
}

/// Why the sender connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// On its own account, as for health checks: the connection's own addresses count.
    Local,
    /// For a client.
    Proxy,
}

/// What carries the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP, or a Unix stream socket.
    Stream,
    /// UDP, or a Unix datagram socket.
    Datagram,
}

/// The addresses of the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoints<'a> {
    /// The sender does not say, or connects on its own account: the connection's own addresses count.
    Unknown,
    /// IPv4.
    V4 {
        /// The client.
        source: SocketAddrV4,
        /// What the client connected to.
        destination: SocketAddrV4,
    },
    /// IPv6.
    V6 {
        /// The client.
        source: SocketAddrV6,
        /// What the client connected to.
        destination: SocketAddrV6,
    },
    /// Unix sockets, their names filled up with zeros.
    Unix {
        /// The client.
        source: &'a [u8; UNIX_ADDRESS_BYTES],
        /// What the client connected to.
        destination: &'a [u8; UNIX_ADDRESS_BYTES],
    },
}

impl Endpoints<'_> {
    /// The client's address, if it has one of IP.
    #[must_use]
    pub const fn source(&self) -> Option<SocketAddr> {
        match self {
            Self::V4 { source, .. } => Some(SocketAddr::V4(*source)),
            Self::V6 { source, .. } => Some(SocketAddr::V6(*source)),
            Self::Unknown | Self::Unix { .. } => None,
        }
    }

    /// The address that the client connected to, if it is one of IP.
    #[must_use]
    pub const fn destination(&self) -> Option<SocketAddr> {
        match self {
            Self::V4 { destination, .. } => Some(SocketAddr::V4(*destination)),
            Self::V6 { destination, .. } => Some(SocketAddr::V6(*destination)),
            Self::Unknown | Self::Unix { .. } => None,
        }
    }
}
