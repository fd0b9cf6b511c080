//! Connecting to one of the addresses that were judged: Happy Eyeballs (RFC 8305 section 5).

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use thiserror::Error;

use crate::config::checked::Config;
use crate::enforcement::Dialable;
use crate::io::line::Line;
use crate::io::timer;
use crate::shard::exhaustion::is_want_of_descriptors;

/// How long a connection may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DialLimits {
    /// Head start of one address before the next is tried beside it.
    pub(crate) attempt_delay: Duration,
    /// For one address.
    pub(crate) attempt_timeout: Duration,
    /// For all of them.
    pub(crate) timeout: Duration,
}

impl DialLimits {
    /// Those of `config`.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            attempt_delay: config.connect.happy_eyeballs_delay,
            attempt_timeout: config.timeouts.connect_attempt,
            timeout: config.timeouts.connect,
        }
    }
}

/// Why no connection came about.
#[derive(Debug, Error)]
pub(crate) enum DialError {
    #[error("connection to {0} refused")]
    Refused(SocketAddr),
    #[error("no route to {0}")]
    Unroutable(SocketAddr),
    #[error("connection to {0} timed out")]
    TimedOut(SocketAddr),
    #[error("this proxy ended before a connection was made")]
    Ended,
    #[error("out of file descriptors or memory: {}", .0.kind())]
    Exhausted(io::Error),
    #[error("connection to {address} failed: {}", source.kind())]
    Failed {
        address: SocketAddr,
        source: io::Error,
    },
}

impl DialError {
    /// The address that was tried, unless the fault is on this side.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Refused(address)
            | Self::Unroutable(address)
            | Self::TimedOut(address)
            | Self::Failed { address, .. } => Some(*address),
            Self::Ended | Self::Exhausted(_) => None,
        }
    }

    /// Whether it failed for want of descriptors.
    pub(crate) fn wants_descriptors(&self) -> bool {
        matches!(self, Self::Exhausted(error) if is_want_of_descriptors(error))
    }

    fn new(address: SocketAddr, source: io::Error) -> Self {
        use nix::libc::{
            EADDRNOTAVAIL, EHOSTUNREACH, EMFILE, ENETUNREACH, ENFILE, ENOBUFS, ENOMEM,
        };
        match (source.kind(), source.raw_os_error()) {
            (io::ErrorKind::ConnectionRefused, _) => Self::Refused(address),
            (io::ErrorKind::TimedOut, _) => Self::TimedOut(address),
            (_, Some(EHOSTUNREACH | ENETUNREACH)) => Self::Unroutable(address),
            (_, Some(EMFILE | ENFILE | ENOBUFS | ENOMEM | EADDRNOTAVAIL)) => {
                Self::Exhausted(source)
            }
            _ => Self::Failed { address, source },
        }
    }
}

type Attempt = Pin<Box<dyn Future<Output = Result<(Line, SocketAddr), DialError>>>>;

/// Connects to one of the guarded addresses: the first that answers.
pub(crate) async fn dial(
    dialable: &Dialable,
    limits: DialLimits,
) -> Result<(Line, SocketAddr), DialError> {
    let addresses = dialable.addresses();
    if let [address] = addresses {
        let address = SocketAddr::new(*address, dialable.port());
        return attempt(address, limits.attempt_timeout).await;
    }
    let whole = race(dialable, limits);
    let first = addresses
        .first()
        .map(|address| SocketAddr::new(*address, dialable.port()));
    match (timer::timeout(limits.timeout, whole).await, first) {
        (Ok(outcome), _) => outcome,
        (Err(_), Some(first)) => Err(DialError::TimedOut(first)),
        (Err(_), None) => Err(DialError::Exhausted(io::ErrorKind::AddrNotAvailable.into())),
    }
}

/// Starts one attempt after the other, each with a head start, or at once when all others failed.
async fn race(dialable: &Dialable, limits: DialLimits) -> Result<(Line, SocketAddr), DialError> {
    let mut waiting = dialable.addresses().iter();
    let mut running: Vec<Attempt> = Vec::new();
    let mut failure = None;
    loop {
        let next = waiting.next();
        if let Some(address) = next {
            let address = SocketAddr::new(*address, dialable.port());
            running.push(Box::pin(attempt(address, limits.attempt_timeout)));
        }
        if running.is_empty() {
            let none = || DialError::Exhausted(io::ErrorKind::AddrNotAvailable.into());
            return Err(failure.unwrap_or_else(none));
        }
        let head_start = if waiting.len() > 0 {
            limits.attempt_delay
        } else {
            limits.timeout
        };
        let step = first_finished(&mut running);
        match timer::timeout(head_start, step).await {
            Ok(Ok(connected)) => return Ok(connected),
            // The first failure is the one of the preferred address: report that one.
            Ok(Err(error)) => failure = failure.or(Some(error)),
            Err(_) => {}
        }
    }
}

async fn first_finished(running: &mut Vec<Attempt>) -> Result<(Line, SocketAddr), DialError> {
    poll_fn(|context| {
        for (index, attempt) in running.iter_mut().enumerate() {
            if let Poll::Ready(outcome) = attempt.as_mut().poll(context) {
                drop(running.swap_remove(index));
                return Poll::Ready(outcome);
            }
        }
        Poll::Pending
    })
    .await
}

/// One connection attempt. A connect that is dropped is canceled and its descriptor closed by the
/// ring: unlike a read, nothing can be lost by it.
async fn attempt(address: SocketAddr, timeout: Duration) -> Result<(Line, SocketAddr), DialError> {
    let line = timer::timeout(timeout, Line::connect(address))
        .await
        .map_err(|_| DialError::TimedOut(address))?
        .map_err(|error| DialError::new(address, error))?;
    Ok((line, address))
}
