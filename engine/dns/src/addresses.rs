//! The addresses of one name, cheap to hand out.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

/// The addresses of one name: never empty, without duplicates, IPv6 before IPv4, each family in the
/// order of the answer. Cloning costs a reference count and no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    list: Rc<[IpAddr]>,
    expires: Instant,
    from_cache: bool,
}

impl Addresses {
    /// Callers have made sure that `list` is not empty.
    pub(crate) fn new(list: Rc<[IpAddr]>, expires: Instant, from_cache: bool) -> Self {
        Self {
            list,
            expires,
            from_cache,
        }
    }

    /// The addresses. Sorting and interleaving the families (RFC 8305 section 4) is the dialer's.
    #[must_use]
    pub fn as_slice(&self) -> &[IpAddr] {
        &self.list
    }

    /// The addresses, one by one.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.list.iter().copied()
    }

    /// When the resolver forgets them: at once if it keeps nothing. For static hosts and `localhost`, which
    /// do not expire: one `ttl_max` ahead.
    #[must_use]
    pub fn expires(&self) -> Instant {
        self.expires
    }

    /// True if an earlier lookup had found them.
    #[must_use]
    pub fn from_cache(&self) -> bool {
        self.from_cache
    }
}
