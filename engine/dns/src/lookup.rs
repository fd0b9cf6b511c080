//! One name on its way: the questions of both families, and what their outcomes come to together.

use std::any::Any;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

use hickory_proto::rr::{Name, RecordType};

use crate::addresses::Addresses;
use crate::answer::Chain;
use crate::cache::Answer;
use crate::config::ResolverConfig;
use crate::error::DnsError;
use crate::limits::PARTIAL_ANSWER_TTL_MAX;
use crate::query::QueryId;
use crate::question::{Outcome, Question};

/// Names a lookup in flight. Never used twice by one resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(pub(crate) u64);

/// What a lookup comes to at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The addresses are known.
    Answer(Addresses),
    /// It is known that there are none, or the lookup cannot begin.
    Failed(DnsError),
    /// [`Resolver::finished`](crate::Resolver::finished) will report this id, once. Several callers may wait for the same id.
    Pending(LookupId),
}

/// An address family: one question of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Ipv6,
    Ipv4,
}

impl Family {
    /// In the order in which addresses are handed out and queries are sent (RFC 8305 section 3:
    /// AAAA first).
    pub(crate) const ALL: [Self; 2] = [Self::Ipv6, Self::Ipv4];

    pub(crate) fn record_type(self) -> RecordType {
        match self {
            Self::Ipv6 => RecordType::AAAA,
            Self::Ipv4 => RecordType::A,
        }
    }
}

/// Where the question of one family stands.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The family is turned off.
    Off,
    /// Queries are out.
    Asking(Question),
    /// It is known what the servers say.
    Done(Outcome),
}

/// Something of the caller's that is kept as long as a lookup is in flight, and then dropped.
pub type Held = Box<dyn Any>;

/// A lookup in flight.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) name: Rc<str>,
    /// When it ends, whatever the servers do.
    pub(crate) deadline: Instant,
    /// When it stops waiting for the second family; set once the first has addresses.
    pub(crate) delay_ends: Option<Instant>,
    /// The waiters have their addresses; what is still to come goes to the cache only.
    pub(crate) reported: bool,
    pub(crate) ipv6: Progress,
    pub(crate) ipv4: Progress,
    /// Dropped with it.
    _held: Held,
}

impl InFlight {
    /// A lookup of `name`, `wire_name` as queries have it, none of whose questions has been asked.
    pub(crate) fn new(
        (name, wire_name): (Rc<str>, &Name),
        deadline: Instant,
        config: &ResolverConfig,
        held: Held,
    ) -> Self {
        let progress = |enabled: bool| match enabled {
            true => Progress::Asking(Question::new(Chain::new(wire_name.clone()))),
            false => Progress::Off,
        };
        Self {
            name,
            deadline,
            delay_ends: None,
            reported: false,
            ipv6: progress(config.ipv6),
            ipv4: progress(config.ipv4),
            _held: held,
        }
    }

    pub(crate) fn progress_mut(&mut self, family: Family) -> &mut Progress {
        match family {
            Family::Ipv6 => &mut self.ipv6,
            Family::Ipv4 => &mut self.ipv4,
        }
    }

    /// The question of `family`, if it is still open.
    pub(crate) fn question_mut(&mut self, family: Family) -> Option<&mut Question> {
        match self.progress_mut(family) {
            Progress::Asking(question) => Some(question),
            Progress::Off | Progress::Done(_) => None,
        }
    }

    /// The queries that are out.
    pub(crate) fn open_queries(&self) -> impl Iterator<Item = QueryId> + '_ {
        [&self.ipv6, &self.ipv4]
            .into_iter()
            .filter_map(|progress| match progress {
                Progress::Asking(question) => question.query,
                Progress::Off | Progress::Done(_) => None,
            })
    }

    pub(crate) fn is_complete(&self) -> bool {
        ![&self.ipv6, &self.ipv4]
            .into_iter()
            .any(|progress| matches!(progress, Progress::Asking(_)))
    }

    pub(crate) fn has_addresses(&self) -> bool {
        [&self.ipv6, &self.ipv4]
            .into_iter()
            .any(|progress| match progress {
                Progress::Done(outcome) => outcome.result.is_ok(),
                Progress::Off | Progress::Asking(_) => false,
            })
    }

    /// What is known now and until when. A question still open counts as timed out;
    /// `failure_expires` is when such a failure is forgotten.
    pub(crate) fn answer(&self, failure_expires: Instant, now: Instant) -> (Answer, Instant) {
        let late = Outcome {
            result: Err(DnsError::Timeout),
            expires: failure_expires,
        };
        let outcome = |progress: &Progress| match progress {
            Progress::Off => None,
            Progress::Asking(_) => Some(late.clone()),
            Progress::Done(outcome) => Some(outcome.clone()),
        };
        match (outcome(&self.ipv6), outcome(&self.ipv4)) {
            (Some(ipv6), Some(ipv4)) => join(ipv6, ipv4, now),
            (Some(only), None) | (None, Some(only)) => (only.result.map(Rc::from), only.expires),
            (None, None) => (Err(DnsError::NoAddresses), failure_expires),
        }
    }
}

/// Both families as one answer.
fn join(ipv6: Outcome, ipv4: Outcome, now: Instant) -> (Answer, Instant) {
    let expires = ipv6.expires.min(ipv4.expires);
    match (ipv6.result, ipv4.result) {
        (Ok(ipv6), Ok(ipv4)) => {
            let list: Vec<IpAddr> = ipv6.into_iter().chain(ipv4).collect();
            (Ok(list.into()), expires)
        }
        (Ok(list), Err(_)) => (Ok(list.into()), gap_expiry(ipv6.expires, ipv4.expires, now)),
        (Err(_), Ok(list)) => (Ok(list.into()), gap_expiry(ipv4.expires, ipv6.expires, now)),
        (Err(ipv6), Err(ipv4)) => (Err(join_errors(ipv6, ipv4)), expires),
    }
}

/// Until when addresses of one family are kept that lack the other: as long as both facts hold, yet
/// not so briefly that a name whose AAAA always fails is asked for all the time.
fn gap_expiry(addresses_expire: Instant, gap_expires: Instant, now: Instant) -> Instant {
    addresses_expire.min(gap_expires.max(now + PARTIAL_ANSWER_TTL_MAX))
}

/// NXDOMAIN is about the name, whatever the type (RFC 8020), unless the other family proves that
/// the name exists (RFC 4074 section 4.2 knows such servers). NODATA of one family says nothing
/// about the other, so a failure there is the answer.
fn join_errors(one: DnsError, other: DnsError) -> DnsError {
    match (one, other) {
        (DnsError::NoSuchName, DnsError::NoAddresses)
        | (DnsError::NoAddresses, DnsError::NoSuchName) => DnsError::NoAddresses,
        (DnsError::NoSuchName, _) | (_, DnsError::NoSuchName) => DnsError::NoSuchName,
        (DnsError::NoAddresses, error) | (error, DnsError::NoAddresses) => error,
        (error, _) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_lookup_is_the_one_that_says_most() {
        use DnsError::{NoAddresses, NoSuchName, ServerFailure, Timeout};
        for (one, other, expect) in [
            (NoSuchName, NoSuchName, NoSuchName),
            (NoSuchName, NoAddresses, NoAddresses),
            (NoSuchName, Timeout, NoSuchName),
            (NoAddresses, NoAddresses, NoAddresses),
            (NoAddresses, ServerFailure, ServerFailure),
            (Timeout, NoAddresses, Timeout),
        ] {
            assert_eq!(join_errors(one, other), expect, "{one:?} {other:?}");
            assert_eq!(join_errors(other, one), expect, "{other:?} {one:?}");
        }
    }
}
