//! What is asked of the values of a field, and what is found.

use std::net::IpAddr;

use sallyport_ruleset::ProtocolSet;

/// A value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::diff) enum FieldValue {
    /// It is not there.
    Absent,
    /// A number.
    Number(u64),
    /// Seconds since 1970.
    Time(i64),
    /// An address.
    Ip(IpAddr),
    /// One text, or several where the field can have them; at least one.
    Texts(Vec<Vec<u8>>),
    /// Words of `request:Protocol`, at least one.
    Protocols(ProtocolSet),
}

/// The end of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::diff) enum Found<T> {
    /// There is one.
    Value(T),
    /// There is none: proven.
    Empty,
    /// The search was given up.
    Unknown,
}

/// A test of values that holds or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quantified {
    pub(super) test: usize,
    pub(super) is_every: bool,
    pub(super) holds: bool,
}
