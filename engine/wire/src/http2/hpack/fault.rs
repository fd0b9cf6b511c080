//! A field block that cannot be decoded.

/// The end of a connection: the tables of both sides differ from here on (RFC 9113 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct CompressionFault;
