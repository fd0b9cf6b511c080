//! Why bytes that begin as a PROXY protocol header are none. Always the fault of who sent it, and never
//! mended by more bytes.

use thiserror::Error;

use super::limits::LINE_BYTES_MAX;

/// What is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("PROXY protocol header, byte {at}: {fault}")]
pub struct HeaderError {
    /// Offset from the first byte of the header.
    pub at: usize,
    /// What was found or expected there.
    pub fault: HeaderFault,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderFault {
    /// Version 1 (section 2.1): the line does not end where it must.
    #[error("expected CR and LF within {LINE_BYTES_MAX} bytes")]
    LineTooLong,
    /// Version 1: a line feed alone, or more fields than there are.
    #[error("expected CR and LF")]
    LineEnd,
    /// Version 1: another word.
    #[error("expected TCP4, TCP6 or UNKNOWN")]
    Protocol,
    /// Version 1: no address of TCP4.
    #[error("expected an IPv4 address")]
    Ipv4Address,
    /// Version 1: no address of TCP6.
    #[error("expected an IPv6 address")]
    Ipv6Address,
    /// Version 1: no number, one with a zero in front, or one too large.
    #[error("expected a port from 0 to 65535")]
    Port,
    /// Version 2 (section 2.2): the signature is followed by another version.
    #[error("expected version 2, found {0}")]
    Version(u8),
    /// Version 2: the command is unassigned.
    #[error("expected the command 0 (LOCAL) or 1 (PROXY), found {0}")]
    Command(u8),
    /// Version 2: the pair is unassigned.
    #[error("expected an address family and a transport, found {0:#04x}")]
    FamilyAndTransport(u8),
    /// Version 2: longer than the caller reads.
    #[error("expected at most {bytes_max} bytes, the header announces {bytes}")]
    TooLarge {
        /// Announced, from the first byte of the signature on.
        bytes: usize,
        /// The caller's bound.
        bytes_max: usize,
    },
    /// Version 2: the announced length does not hold the addresses.
    #[error("expected {bytes} bytes of addresses, the header has {announced} for all")]
    AddressesCut {
        /// What the address family takes.
        bytes: usize,
        /// What there is.
        announced: usize,
    },
    /// A TLV has no whole head, or goes on behind what holds it.
    #[error("expected a TLV that ends within what holds it")]
    TlvCut,
    /// A TLV is shorter or longer than its type allows.
    #[error("TLV {kind:#04x}: expected {expected}")]
    TlvValue {
        /// Its type.
        kind: u8,
        /// What its value must be.
        expected: &'static str,
    },
    /// The same TLV twice: two readers could believe two different ones.
    #[error("TLV {0:#04x}: expected once")]
    TlvRepeated(u8),
    /// The sender's CRC-32C is not that of the bytes that came.
    #[error("expected the checksum {computed:#010x}, found {found:#010x}")]
    Checksum {
        /// Of the bytes.
        computed: u32,
        /// As sent.
        found: u32,
    },
}

impl HeaderFault {
    /// With its place.
    pub(super) const fn at(self, at: usize) -> HeaderError {
        HeaderError { at, fault: self }
    }
}
