//! The three phases in which rules are evaluated. Not here: what is known in each (`field.rs`).

use std::fmt;

/// A point of a transaction at which rules decide, in the order in which they are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before the name of the destination is resolved.
    PreDns,
    /// After resolution, before anything is sent to the origin.
    PreRequest,
    /// After the response head has come, before any of it reaches the client.
    PostResponse,
}

impl Phase {
    /// All phases, in their order.
    pub const ALL: [Self; 3] = [Self::PreDns, Self::PreRequest, Self::PostResponse];

    /// Position in [`Phase::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::PreDns => 0,
            Self::PreRequest => 1,
            Self::PostResponse => 2,
        }
    }

    /// The public spelling: `PreDNS`, `PreREQUEST`, `PostRESPONSE`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreDns => "PreDNS",
            Self::PreRequest => "PreREQUEST",
            Self::PostResponse => "PostRESPONSE",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_is_the_position_in_all() {
        for (position, phase) in Phase::ALL.into_iter().enumerate() {
            assert_eq!(phase.index(), position);
        }
    }
}
