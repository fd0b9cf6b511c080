//! Tasks, of which a chance says which one goes on.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// All tasks of a world.
#[derive(Default)]
pub(super) struct Tasks {
    slots: RefCell<Vec<Option<Task>>>,
    ready: Arc<Ready>,
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks").field("ready", &self.ready).finish()
    }
}

/// The tasks that can go on. Wakers may go to other threads, so this has to be able to; none does.
#[derive(Debug, Default)]
struct Ready(Mutex<Vec<usize>>);

impl Ready {
    fn change<T>(&self, change: impl FnOnce(&mut Vec<usize>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, number: usize) {
        self.change(|ready| {
            if !ready.contains(&number) {
                ready.push(number);
            }
        });
    }
}

struct TaskWaker {
    number: usize,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.add(self.number);
    }
}

impl Tasks {
    pub(super) fn add(&self, task: Task) {
        let mut slots = self.slots.borrow_mut();
        slots.push(Some(task));
        self.ready.add(slots.len() - 1);
    }

    /// How many can go on.
    pub(super) fn ready(&self) -> usize {
        self.ready.change(|ready| ready.len())
    }

    /// How many have not ended.
    pub(super) fn count(&self) -> usize {
        self.slots.borrow().iter().flatten().count()
    }

    /// Has one of those that can go on do so; returns its number.
    pub(super) fn run(&self, choice: usize) -> usize {
        let number = self.ready.change(|ready| ready.remove(choice));
        // Taken out, as it may add others.
        let Some(mut task) = self.slots.borrow_mut()[number].take() else {
            return number;
        };
        let ready = Arc::clone(&self.ready);
        let waker = Waker::from(Arc::new(TaskWaker { number, ready }));
        if task.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Pending {
            self.slots.borrow_mut()[number] = Some(task);
        }
        number
    }

    pub(super) fn clear(&self) {
        while let Some(task) = self.slots.borrow_mut().pop() {
            drop(task);
        }
    }
}
