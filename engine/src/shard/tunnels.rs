//! The tunnels of a shard that a new snapshot concerns. Each has a task of its own and is silent most of
//! the time, so it is woken when there is one. What becomes of it then is decided in `transaction`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

use hashbrown::HashMap;

use crate::hashing::MapHasher;

/// Those who are to be woken, by the number of their [`Watch`].
#[derive(Debug, Default)]
pub(crate) struct Tunnels {
    open: RefCell<HashMap<u64, Rc<Sleeper>, MapHasher>>,
    next: Cell<u64>,
}

type Sleeper = RefCell<Option<Waker>>;

/// One tunnel's place among them, until dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    tunnels: Rc<Tunnels>,
    key: u64,
    sleeper: Rc<Sleeper>,
}

impl Tunnels {
    pub(crate) fn watch(self: &Rc<Self>) -> Watch {
        let key = self.next.get();
        self.next.set(key + 1);
        let sleeper = Rc::new(Sleeper::default());
        self.open.borrow_mut().insert(key, Rc::clone(&sleeper));
        Watch {
            tunnels: Rc::clone(self),
            key,
            sleeper,
        }
    }

    /// Wakes all of them; each has to say again that it watches.
    pub(crate) fn wake_all(&self) {
        for sleeper in self.open.borrow().values() {
            if let Some(waker) = sleeper.take() {
                waker.wake();
            }
        }
    }
}

impl Watch {
    /// Has the task of `context` woken by the next snapshot.
    pub(crate) fn set(&self, context: &Context<'_>) {
        let mut sleeper = self.sleeper.borrow_mut();
        match &mut *sleeper {
            Some(waker) => waker.clone_from(context.waker()),
            None => *sleeper = Some(context.waker().clone()),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tunnels.open.borrow_mut().remove(&self.key);
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
    fn who_watches_is_woken_once_until_it_watches_again() {
        let tunnels = Rc::new(Tunnels::default());
        let (first, second) = (tunnels.watch(), tunnels.watch());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let context = Context::from_waker(&waker);
        first.set(&context);
        first.set(&context);
        second.set(&context);
        tunnels.wake_all();
        assert_eq!(woken.0.load(Relaxed), 2);
        tunnels.wake_all();
        assert_eq!(woken.0.load(Relaxed), 2);
        first.set(&context);
        second.set(&context);
        drop(first);
        tunnels.wake_all();
        assert_eq!(woken.0.load(Relaxed), 3);
        drop(second);
        assert!(tunnels.open.borrow().is_empty());
    }
}
