//! Why a name has no addresses, in terms that a caller can act on.

use thiserror::Error;

/// The reason why a lookup ended without addresses. Small and `Copy`: it is kept in the cache.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DnsError {
    /// NXDOMAIN (RFC 2308 section 2.1). The client asked for a name that is not there.
    #[error("the name does not exist (NXDOMAIN)")]
    NoSuchName,
    /// NODATA (RFC 2308 section 2.2). The name exists and has no address of a family that is
    /// enabled.
    #[error("the name exists but has no addresses")]
    NoAddresses,
    /// SERVFAIL, an answer that cannot be read, or a referral, from every server asked. The
    /// upstream's fault; a retry later is safe.
    #[error("the DNS servers failed to answer for this name")]
    ServerFailure,
    /// REFUSED from every server asked: our servers do not serve us. Ours to put right.
    #[error("the DNS servers refused the query")]
    Refused,
    /// No server answered within the time allowed. A retry later is safe.
    #[error("the DNS servers did not answer in time")]
    Timeout,
    /// No server could be reached: connection refused, network unreachable. A retry later is safe.
    #[error("no DNS server could be reached")]
    Unreachable,
    /// The CNAME records of the name lead back to themselves. The fault of the name's owner.
    #[error("the CNAME chain of the name loops")]
    AliasLoop,
    /// More CNAME records in a row than [`limits::ALIASES_MAX`](crate::limits::ALIASES_MAX), or more
    /// questions for them than [`limits::ALIAS_QUESTIONS_MAX`](crate::limits::ALIAS_QUESTIONS_MAX).
    #[error("the CNAME chain of the name is too long")]
    AliasChainTooLong,
    /// The name cannot be asked for. The client's fault.
    #[error("not a host name: {0}")]
    BadName(#[from] NameError),
    /// As many lookups in flight as [`ResolverConfig`](crate::ResolverConfig) allows. Ours; a retry
    /// later is safe.
    #[error("too many lookups in flight")]
    TooManyLookups,
    /// No server is configured. Ours to put right.
    #[error("no DNS server is configured")]
    NoServers,
}

impl DnsError {
    /// True if time ran out, so that the client should be told so (504) rather than that the name
    /// is bad (502).
    #[must_use]
    pub fn is_timeout(self) -> bool {
        matches!(self, Self::Timeout)
    }
}

/// Why a text is no host name that can be asked for.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// Nothing at all, or the root alone.
    #[error("it is empty")]
    Empty,
    /// Longer than [`limits::NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX).
    #[error("it is longer than 253 bytes")]
    TooLong,
    /// Two dots in a row, a dot in front, or a dot at the end (the caller strips the one that
    /// stands for the root).
    #[error("it has an empty label")]
    EmptyLabel,
    /// A label longer than [`limits::LABEL_BYTES_MAX`](crate::limits::LABEL_BYTES_MAX).
    #[error("it has a label longer than 63 bytes")]
    LabelTooLong,
    /// A byte other than `a-z`, `0-9`, `-` and `_`: the caller lower-cases names and turns them to
    /// ASCII.
    #[error("it has a byte that host names do not have")]
    Character,
    /// The last label is a number, so that some readers would take the whole for an IPv4 address.
    #[error("its last label is a number")]
    NumericTopLabel,
}
