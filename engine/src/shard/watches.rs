//! Long-lived transactions that are to say from time to time that they go on: whose turn it is.
//!
//! The shard's tick counts seconds and wakes those that are due; they write their lines themselves, since
//! only they know what to say. A transaction costs a slot and a waker, from the first time that it waits.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

/// All watches of one shard.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    /// Seconds since the shard began.
    now: Cell<u64>,
    slots: RefCell<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    /// As many as were ever in use at once.
    all: Vec<Option<Rc<Slot>>>,
    free: Vec<usize>,
}

#[derive(Debug)]
struct Slot {
    due: Cell<u64>,
    waker: RefCell<Waker>,
}

/// A place for one transaction that is watched; for the next one on the same storage when that has ended.
#[derive(Debug)]
pub(crate) struct Watch {
    watches: Rc<Watches>,
    /// Shared with the watches, so that a poll need not look for it.
    slot: Rc<Slot>,
    index: usize,
}

impl Watches {
    /// Wakes `waker` in `interval` from now.
    pub(crate) fn watch(self: &Rc<Self>, interval: Duration, waker: &Waker) -> Watch {
        let slot = Rc::new(Slot {
            due: Cell::new(self.due_in(interval)),
            waker: RefCell::new(waker.clone()),
        });
        let slots = &mut *self.slots.borrow_mut();
        let index = slots.free.pop().unwrap_or(slots.all.len());
        match slots.all.get_mut(index) {
            Some(free) => *free = Some(Rc::clone(&slot)),
            None => slots.all.push(Some(Rc::clone(&slot))),
        }
        Watch {
            watches: Rc::clone(self),
            slot,
            index,
        }
    }

    /// A second has passed: wakes those that are due.
    pub(crate) fn advance(&self) {
        let now = self.now.get() + 1;
        self.now.set(now);
        for slot in self.slots.borrow().all.iter().flatten() {
            if slot.due.get() <= now {
                slot.waker.borrow().wake_by_ref();
            }
        }
    }

    fn due_in(&self, interval: Duration) -> u64 {
        self.now.get().saturating_add(interval.as_secs())
    }
}

impl Watch {
    /// Wakes `waker` in `interval` from now.
    pub(crate) fn begin(&self, interval: Duration, waker: &Waker) {
        self.slot.due.set(self.watches.due_in(interval));
        self.slot.waker.borrow_mut().clone_from(waker);
    }

    /// Wakes nobody until it begins again.
    pub(crate) fn rest(&self) {
        self.slot.due.set(u64::MAX);
        // The task that it stands for may end.
        self.slot.waker.replace(Waker::noop().clone());
    }

    /// To be called at each poll. Whether it is due; then the next time is in `interval`.
    pub(crate) fn is_due(&self, interval: Duration, waker: &Waker) -> bool {
        let mut known = self.slot.waker.borrow_mut();
        if !known.will_wake(waker) {
            known.clone_from(waker);
        }
        let is_due = self.slot.due.get() <= self.watches.now.get();
        if is_due {
            self.slot.due.set(self.watches.due_in(interval));
        }
        is_due
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let slots = &mut *self.watches.slots.borrow_mut();
        if let Some(slot) = slots.all.get_mut(self.index) {
            *slot = None;
            slots.free.push(self.index);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn each_interval_is_told_once_and_slots_are_used_again() {
        let watches = Rc::new(Watches::default());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let interval = Duration::from_secs(3);
        let watch = watches.watch(interval, &waker);
        let mut told = 0;
        for _ in 0..10 {
            watches.advance();
            told += usize::from(watch.is_due(interval, &waker));
        }
        assert_eq!((told, woken.0.load(Relaxed)), (3, 3));
        drop(watch);
        for _ in 0..10 {
            watches.advance();
        }
        assert_eq!(woken.0.load(Relaxed), 3, "who is gone is not woken");
        let _first = watches.watch(interval, &waker);
        let _second = watches.watch(interval, &waker);
        assert_eq!(watches.slots.borrow().all.len(), 2);
    }

    #[test]
    fn who_rests_is_not_woken_and_is_not_held() {
        let watches = Rc::new(Watches::default());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let interval = Duration::from_secs(2);
        let watch = watches.watch(interval, &waker);
        watch.rest();
        drop(waker);
        assert_eq!(Arc::strong_count(&woken), 1, "nothing of the task is kept");
        for _ in 0..5 {
            watches.advance();
        }
        assert_eq!(woken.0.load(Relaxed), 0);
        let waker = Waker::from(Arc::clone(&woken));
        watch.begin(interval, &waker);
        watches.advance();
        assert!(
            !watch.is_due(interval, &waker),
            "an interval from when it began"
        );
        watches.advance();
        assert!(watch.is_due(interval, &waker));
    }
}
