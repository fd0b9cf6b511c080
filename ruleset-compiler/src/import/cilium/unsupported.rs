//! Why a part of a network policy is not carried over.

use super::super::condition::ValueError;

/// The reason. As text it is a phrase for the report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsupported {
    /// A `matchPattern` with other characters.
    #[error("a pattern has letters, digits, `-`, `_`, `.` and `*` only")]
    Pattern,
    /// Another member of `toFQDNs`.
    #[error("it is neither `matchName` nor `matchPattern`")]
    NameKind,
    /// `toCIDRSet` with a `cidrGroupRef`.
    #[error("groups of networks are kept elsewhere: name the networks")]
    NetworkGroup,
    /// `toEntities` of something within the cluster.
    #[error("what this is is known only in the cluster: name the hosts or networks")]
    Entity,
    /// `serverNames`.
    #[error("names with wildcards are not carried over here")]
    ServerNamePattern,
    /// Of a rule over HTTP.
    #[error("`{0}` of a request cannot be carried over")]
    RequestKey(String),
    /// A value that the compiler would refuse.
    #[error(transparent)]
    Value(#[from] ValueError),
}
