//! How often each kind of message gets through, and how many of it did not.
//!
//! A fixed table of atomics, since any shard may speak at any time and none may wait for another. What
//! is below `info` is not limited: whoever asked for it wants to see it.

use std::fmt::{self, Write as _};
use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::limits::{MESSAGE_KINDS_MAX, MESSAGES_PER_KIND_AT_ONCE, MESSAGES_PER_KIND_INTERVAL};

/// Most bytes of the text by which a kind is told.
const KIND_TEXT_BYTES_MAX: usize = 160;

/// All kinds of messages that were met.
#[derive(Debug)]
pub(super) struct Limiter {
    started: Instant,
    kinds: Box<[Kind]>,
}

/// One place in the code that sends messages.
#[derive(Debug, Default)]
struct Kind {
    /// The address of what `tracing` knows of the place; 0 while the slot is free.
    key: AtomicUsize,
    /// Millisecond since the start up to which what got through has used up the rate.
    used_up_to_ms: AtomicU64,
    suppressed: AtomicU64,
    /// The first message that was suppressed.
    text: OnceLock<String>,
}

impl Limiter {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            kinds: (0..MESSAGE_KINDS_MAX).map(|_| Kind::default()).collect(),
        })
    }

    fn allows(&self, event: &Event<'_>) -> bool {
        let Some(kind) = self.kind(ptr::from_ref(event.metadata()).addr()) else {
            // More places than the program has.
            return true;
        };
        if kind.takes(self.started.elapsed()) {
            return true;
        }
        kind.text.get_or_init(|| text_of(event));
        kind.suppressed.fetch_add(1, Relaxed);
        false
    }

    fn kind(&self, key: usize) -> Option<&Kind> {
        // The lowest bits of an address are zeros.
        let first = (key >> 4) % self.kinds.len().max(1);
        let (before, from) = self.kinds.split_at_checked(first)?;
        from.iter().chain(before).find(|kind| kind.is(key))
    }

    /// Says of each kind how many messages were suppressed since the last call.
    pub(super) fn tell(&self) {
        for kind in &self.kinds {
            let count = kind.suppressed.swap(0, Relaxed);
            if count > 0 {
                let kind = kind.text.get().map_or("", String::as_str);
                tracing::warn!(count, kind, "messages of one kind were suppressed");
            }
        }
    }
}

impl Kind {
    /// Whether this slot is, or becomes, the one of `key`.
    fn is(&self, key: usize) -> bool {
        let found = match self.key.load(Relaxed) {
            0 => match self.key.compare_exchange(0, key, Relaxed, Relaxed) {
                Ok(_) => key,
                Err(taken) => taken,
            },
            taken => taken,
        };
        found == key
    }

    /// Takes one message at `now`, if the rate allows it.
    fn takes(&self, now: Duration) -> bool {
        let now_ms = millis(now);
        let step = millis(MESSAGES_PER_KIND_INTERVAL);
        let ahead_max = step * u64::from(MESSAGES_PER_KIND_AT_ONCE - 1);
        let taken = self.used_up_to_ms.fetch_update(Relaxed, Relaxed, |used| {
            let used = used.max(now_ms);
            (used - now_ms <= ahead_max).then_some(used + step)
        });
        taken.is_ok()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)
}

/// The limiter as a part of the subscriber.
#[derive(Debug)]
pub(super) struct Limiting(pub(super) Arc<Limiter>);

impl<S: Subscriber> Layer<S> for Limiting {
    fn event_enabled(&self, event: &Event<'_>, _context: Context<'_, S>) -> bool {
        *event.metadata().level() > Level::INFO || self.0.allows(event)
    }
}

fn text_of(event: &Event<'_>) -> String {
    struct Text(String);
    impl Visit for Text {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            if field.name() == "message" {
                // Writing to a text cannot fail.
                let _ = write!(self.0, "{value:?}");
            }
        }
    }
    let mut text = Text(String::new());
    event.record(&mut text);
    let end = text.0.floor_char_boundary(KIND_TEXT_BYTES_MAX);
    text.0.truncate(end);
    text.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_gets_so_many_at_once_and_then_one_an_interval() {
        let kind = Kind::default();
        let start = Duration::from_secs(100);
        let at_once = (0..1000).filter(|_| kind.takes(start)).count();
        assert_eq!(at_once, MESSAGES_PER_KIND_AT_ONCE as usize);
        let later = (1..=10).filter(|step| kind.takes(start + MESSAGES_PER_KIND_INTERVAL * *step));
        assert_eq!(later.count(), 10);
        assert!(!kind.takes(start + MESSAGES_PER_KIND_INTERVAL * 10));
        let much_later = start + MESSAGES_PER_KIND_INTERVAL * 1000;
        assert_eq!(
            (0..1000).filter(|_| kind.takes(much_later)).count(),
            MESSAGES_PER_KIND_AT_ONCE as usize
        );
    }

    #[test]
    fn kinds_do_not_share_a_slot_until_there_are_none_left() {
        let limiter = Limiter::new();
        let mut slots = std::collections::HashSet::new();
        for key in (1..=MESSAGE_KINDS_MAX).map(|number| number * 4096) {
            let kind = limiter.kind(key).unwrap();
            assert!(slots.insert(ptr::from_ref(kind)));
            assert!(ptr::eq(limiter.kind(key).unwrap(), kind));
        }
        assert!(limiter.kind(7).is_none());
    }
}
