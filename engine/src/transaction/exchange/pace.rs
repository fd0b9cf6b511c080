//! How slowly the content of a request may come.
//!
//! A client that sends a byte now and then would otherwise hold an origin for as long as it likes. So all
//! content keeps up a least rate, however it is framed. What must not be cut are conversations: a request
//! whose response has begun while its content goes on, and calls of gRPC, whose client may have nothing to
//! say for long. In these only silence counts.
//!
//! Both directions of an exchange share the deadline of the client's connection, so that whoever writes to
//! the client takes the upload's away. It is armed again from here.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::clock;
use crate::transport::Transport;

/// What is asked of content that comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// Longest silence.
    pub(crate) silence_max: Duration,
    /// What may be waited for before the rate counts.
    pub(crate) grace: Duration,
    /// 0: as slowly as the silences allow.
    pub(crate) bytes_per_second_min: u64,
    /// It may turn into a conversation: nobody has said how much it will be.
    pub(crate) is_open_ended: bool,
}

/// How the content of one request has come so far.
#[derive(Debug)]
pub(crate) struct Pace {
    terms: Terms,
    bytes: Cell<u64>,
    /// Time that the client was waited for, conversations left out.
    waited: Cell<Duration>,
    /// Since when it is waited for, if it is.
    waits_since: Cell<Option<Instant>>,
    /// The origin talks as well, or may: silence is all that counts.
    is_conversation: Cell<bool>,
}

impl Pace {
    pub(crate) fn new(terms: Terms) -> Self {
        Self {
            terms,
            bytes: Cell::new(0),
            waited: Cell::new(Duration::ZERO),
            waits_since: Cell::new(None),
            is_conversation: Cell::new(false),
        }
    }

    /// Begins to wait for the client until it has used up its time; `false` if it already has.
    #[must_use]
    pub(crate) fn wait(&self, client: &Transport) -> bool {
        let patience = self.patience();
        // A deadline has a resolution, within which a byte each would be granted for ever.
        if patience.is_zero() {
            return false;
        }
        self.waits_since.set(Some(clock::now()));
        client.arm_read(patience);
        true
    }

    /// What was waited for has come, or failed.
    pub(crate) fn received(&self, bytes: usize) {
        self.settle();
        self.waits_since.set(None);
        self.bytes.set(self.bytes.get() + bytes as u64);
    }

    /// Waits on where the deadline was in use for something else.
    pub(crate) fn rearm(&self, client: &Transport) {
        if let Some(since) = self.waits_since.get() {
            client.arm_read(self.patience().saturating_sub(clock::since(since)));
        }
    }

    /// From here on only silence counts, if it was not said how much comes.
    pub(crate) fn converse(&self) {
        if self.terms.is_open_ended {
            self.settle();
            self.is_conversation.set(true);
        }
    }

    /// The origin has said all it had to say: what still comes keeps up its rate again.
    pub(crate) fn resume(&self, client: &Transport) {
        if self.is_conversation.replace(false) {
            self.waits_since
                .set(self.waits_since.get().map(|_| clock::now()));
        }
        self.rearm(client);
    }

    /// How long the next bytes may take.
    fn patience(&self) -> Duration {
        let Terms {
            silence_max, grace, ..
        } = self.terms;
        if self.is_conversation.get() {
            return silence_max;
        }
        match self
            .bytes
            .get()
            .checked_div(self.terms.bytes_per_second_min)
        {
            None => silence_max,
            Some(earned) => grace
                .saturating_add(Duration::from_secs(earned))
                .saturating_sub(self.waited.get())
                .min(silence_max),
        }
    }

    /// Counts what was waited for up to now.
    fn settle(&self) {
        let Some(since) = self.waits_since.get() else {
            return;
        };
        let now = clock::now();
        self.waits_since.set(Some(now));
        if !self.is_conversation.get() {
            let waited = now.saturating_duration_since(since);
            self.waited.set(self.waited.get().saturating_add(waited));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        silence_max: Duration::from_secs(10),
        grace: Duration::from_secs(10),
        bytes_per_second_min: 100,
        is_open_ended: false,
    };

    #[test]
    fn a_transfer_keeps_up_its_rate_or_ends() {
        let pace = Pace::new(TERMS);
        assert_eq!(pace.patience(), TERMS.silence_max);
        // 10 s and 2 s for 200 bytes were granted, 9 s are gone.
        pace.bytes.set(299);
        pace.waited.set(Duration::from_secs(9));
        assert_eq!(pace.patience(), Duration::from_secs(3));
        pace.waited.set(Duration::from_secs(12));
        assert_eq!(pace.patience(), Duration::ZERO);
        pace.bytes.set(300);
        assert_eq!(pace.patience(), Duration::from_secs(1));
        pace.bytes.set(1_000_000);
        assert_eq!(pace.patience(), TERMS.silence_max);
        let any = Pace::new(Terms {
            bytes_per_second_min: 0,
            ..TERMS
        });
        any.waited.set(Duration::from_secs(1_000));
        assert_eq!(any.patience(), TERMS.silence_max);
    }

    #[test]
    fn who_has_sent_more_may_be_silent_for_longer() {
        let pace = Pace::new(Terms {
            silence_max: Duration::from_secs(900),
            is_open_ended: true,
            ..TERMS
        });
        assert_eq!(pace.patience(), TERMS.grace);
        pace.bytes.set(2_000);
        assert_eq!(pace.patience(), Duration::from_secs(30));
        pace.bytes.set(1_000_000);
        assert_eq!(pace.patience(), Duration::from_secs(900));
    }

    #[test]
    fn only_what_has_no_declared_length_becomes_a_conversation() {
        for is_open_ended in [false, true] {
            let pace = Pace::new(Terms {
                is_open_ended,
                ..TERMS
            });
            pace.waited.set(TERMS.grace);
            pace.converse();
            let expected = match is_open_ended {
                true => TERMS.silence_max,
                false => Duration::ZERO,
            };
            assert_eq!(pace.patience(), expected);
        }
    }

    #[test]
    fn a_conversation_costs_no_time() {
        let pace = Pace::new(Terms {
            is_open_ended: true,
            ..TERMS
        });
        let second = Duration::from_secs(1);
        let a_while_ago = Instant::now().checked_sub(second).unwrap();
        pace.converse();
        pace.waits_since.set(Some(a_while_ago));
        pace.received(5);
        assert_eq!(pace.waited.get(), Duration::ZERO);
        pace.is_conversation.set(false);
        pace.waits_since.set(Some(a_while_ago));
        pace.received(5);
        assert!(pace.waited.get() >= second);
    }
}
