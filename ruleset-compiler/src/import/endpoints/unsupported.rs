//! Why an endpoint is not carried over.

use super::super::condition::ValueError;

/// The reason. As text it is a phrase for the report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsupported {
    /// `ftp://…`
    #[error("`{0}` is no scheme that a proxy knows")]
    Scheme(String),
    /// Behind the host.
    #[error("it is about the path `/{0}`; only hosts and ports are carried over")]
    Path(String),
    /// Behind the last colon.
    #[error("`{0}` is not a port")]
    Port(String),
    /// An address of version 6 that does not end.
    #[error("`[` without `]`")]
    OpenBracket,
    /// Neither a port nor the end.
    #[error("`{0}` behind the address")]
    BehindAddress(String),
    /// No name, address or `*.` with a name.
    #[error("`{0}` is not a host")]
    Host(String),
    /// A value that the compiler would refuse.
    #[error(transparent)]
    Value(#[from] ValueError),
}
