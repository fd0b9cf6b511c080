//! Keys of session tickets (RFC 5077, RFC 8446 section 4.6.1): one set for all shards, so that a
//! session that began on one goes on on any, and for all generations of the configuration.
//!
//! A set is never changed, so that shards share it without a lock; the control thread makes the next
//! one when [`TicketKeys::is_due`] says so and hands it out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use rustls::pki_types::UnixTime;
use rustls::server::ProducesTickets;
use zeroize::Zeroizing;

use crate::limits::TICKET_KEY_LIFE;

/// Tells the keys of a set, and of other processes, apart.
const KEY_NAME_BYTES: usize = 8;

/// What tickets are encrypted with, and what those of before were.
#[derive(Debug)]
pub(crate) struct TicketKeys {
    newest: Arc<TicketKey>,
    previous: Option<Arc<TicketKey>>,
    made: UnixTime,
}

struct TicketKey {
    name: [u8; KEY_NAME_BYTES],
    aead: RandomizedNonceKey,
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKey").finish_non_exhaustive()
    }
}

impl TicketKeys {
    /// A set of one new key. `None` if the system gives no random numbers.
    pub(crate) fn new(now: UnixTime) -> Option<Self> {
        Some(Self {
            newest: Arc::new(TicketKey::new()?),
            previous: None,
            made: now,
        })
    }

    /// Whether the newest key has served its time.
    pub(crate) fn is_due(&self, now: UnixTime) -> bool {
        let age = now.as_secs().abs_diff(self.made.as_secs());
        age >= TICKET_KEY_LIFE.as_secs()
    }

    /// A set with a new key in which the newest of this one still decrypts.
    pub(crate) fn rotated(&self, now: UnixTime) -> Option<Self> {
        Some(Self {
            newest: Arc::new(TicketKey::new()?),
            previous: Some(Arc::clone(&self.newest)),
            made: now,
        })
    }
}

impl TicketKey {
    fn new() -> Option<Self> {
        let mut name = [0; KEY_NAME_BYTES];
        getrandom::fill(&mut name).ok()?;
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).ok()?;
        let aead = RandomizedNonceKey::new(&AES_256_GCM, &*key).ok()?;
        Some(Self { name, aead })
    }
}

/// A ticket is the name of its key, a nonce, and the state, encrypted and authenticated.
impl ProducesTickets for TicketKeys {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        // What a key of a set may have encrypted the next set still decrypts for as long again.
        let life: Duration = TICKET_KEY_LIFE;
        u32::try_from(life.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let key = &self.newest;
        let mut state = plain.to_vec();
        let nonce = key
            .aead
            .seal_in_place_append_tag(Aad::from(&key.name), &mut state)
            .ok()?;
        let mut ticket = Vec::with_capacity(KEY_NAME_BYTES + NONCE_LEN + state.len());
        ticket.extend_from_slice(&key.name);
        ticket.extend_from_slice(nonce.as_ref());
        ticket.extend_from_slice(&state);
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<KEY_NAME_BYTES>()?;
        let (nonce, state) = rest.split_first_chunk::<NONCE_LEN>()?;
        let mut keys = [Some(&self.newest), self.previous.as_ref()]
            .into_iter()
            .flatten();
        let key = keys.find(|key| key.name == *name)?;
        let mut state = state.to_vec();
        let plain = key
            .aead
            .open_in_place(Nonce::from(nonce), Aad::from(&key.name), &mut state)
            .ok()?
            .len();
        state.truncate(plain);
        Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn a_ticket_outlives_one_rotation_and_not_two() {
        let first = TicketKeys::new(at(1_000)).unwrap();
        let ticket = first.encrypt(b"state").unwrap();
        assert_eq!(first.decrypt(&ticket).unwrap(), b"state");
        let second = first.rotated(at(2_000)).unwrap();
        assert_eq!(second.decrypt(&ticket).unwrap(), b"state");
        assert!(first.decrypt(&second.encrypt(b"new").unwrap()).is_none());
        let third = second.rotated(at(3_000)).unwrap();
        assert!(third.decrypt(&ticket).is_none());
    }

    #[test]
    fn what_was_changed_is_no_ticket() {
        let keys = TicketKeys::new(at(1_000)).unwrap();
        let ticket = keys.encrypt(b"some state of a session").unwrap();
        for index in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[index] ^= 1;
            assert_eq!(keys.decrypt(&changed), None, "byte {index}");
            assert_eq!(keys.decrypt(&ticket[..index]), None, "cut at {index}");
        }
        assert_ne!(ticket, keys.encrypt(b"some state of a session").unwrap());
    }

    #[test]
    fn a_key_serves_its_time_whatever_the_clock_does() {
        let keys = TicketKeys::new(at(1_000_000)).unwrap();
        assert!(!keys.is_due(at(1_000_000 + TICKET_KEY_LIFE.as_secs() - 1)));
        assert!(keys.is_due(at(1_000_000 + TICKET_KEY_LIFE.as_secs())));
        assert!(keys.is_due(at(1)));
    }
}
