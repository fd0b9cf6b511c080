//! The world of one thread, and the loop that has things happen in it.

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::clock;

use super::end::End;
use super::network::{Answer, Event, Network};
use super::tasks::Tasks;
use super::time::Timers;

thread_local! {
    static CURRENT: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

/// Everything that happens on its thread while it runs.
#[derive(Debug)]
pub(crate) struct World {
    chances: RefCell<Xoshiro256PlusPlus>,
    tasks: Tasks,
    timers: Timers,
    pub(super) network: Network,
    trace: RefCell<DefaultHasher>,
    panics: RefCell<Vec<String>>,
    is_over: Cell<bool>,
}

/// Why a run did not come to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// More was done than the script can be worth.
    Endless,
    /// So many tasks wait for something that cannot happen.
    Waiting(usize),
}

impl World {
    /// Takes the thread over for as long as the guard lives.
    pub(crate) fn begin(seed: u64) -> Begun {
        clock::scripted::stop();
        let world = Rc::new(Self {
            chances: RefCell::new(Xoshiro256PlusPlus::seed_from_u64(seed)),
            tasks: Tasks::default(),
            timers: Timers::default(),
            network: Network::default(),
            trace: RefCell::new(DefaultHasher::new()),
            panics: RefCell::default(),
            is_over: Cell::new(false),
        });
        CURRENT.set(Some(Rc::clone(&world)));
        Begun(world)
    }

    /// The world of this thread, if it has one.
    pub(crate) fn current() -> Option<Rc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs until [`World::end`] was called and nothing is left to do.
    pub(crate) fn run(&self, steps_max: usize) -> Result<(), Stuck> {
        for _ in 0..steps_max {
            let (ready, events) = (self.tasks.ready(), self.network.events());
            match (ready + events.len(), self.is_over.get()) {
                (0, true) => return Ok(()),
                (0, false) => match self.timers.fire_next() {
                    Some(waited) => self.note(("time", waited)),
                    None => return Err(Stuck::Waiting(self.tasks.count())),
                },
                (choices, _) => {
                    let choice = self.below(choices);
                    match events.get(choice) {
                        Some(event) => self.happen(event),
                        None => self.note(("task", self.tasks.run(choice - events.len()))),
                    }
                }
            }
        }
        Err(Stuck::Endless)
    }

    /// What is under way arrives, and then nothing happens any more.
    pub(crate) fn end(&self) {
        self.is_over.set(true);
    }

    fn happen(&self, event: &Event) {
        let bytes = self.network.happen(event, self);
        self.note((event, bytes));
    }

    fn note(&self, what: impl Hash) {
        what.hash(&mut *self.trace.borrow_mut());
    }

    /// What stands for all that has happened so far.
    pub(crate) fn trace(&self) -> u64 {
        self.trace.borrow().finish()
    }

    /// A number below `bound`, which is more than 0.
    pub(crate) fn below(&self, bound: usize) -> usize {
        self.chances.borrow_mut().random_range(0..bound)
    }

    /// Whether something happens that does once in `times`.
    pub(crate) fn one_in(&self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Runs `task` beside the others.
    pub(crate) fn start(&self, task: impl Future<Output = ()> + 'static) {
        self.tasks.add(Box::pin(task));
    }

    /// Waits for so long.
    pub(crate) async fn sleep(&self, time: Duration) {
        self.timers.at(clock::now() + time).await;
    }

    /// Waits for `future`, but no longer than `time`.
    pub(crate) async fn timeout<F: Future>(&self, time: Duration, future: F) -> Option<F::Output> {
        self.timers.before(clock::now() + time, future).await
    }

    /// What answers connections to any port of `address` from now on.
    pub(crate) fn listen(&self, address: IpAddr, answer: Answer) {
        self.network.listen(address, answer);
    }

    /// Two ends that are connected; the first is the one who connected.
    pub(crate) fn connection(&self) -> (End, End) {
        self.network.connection()
    }

    /// How each end of a connection stands, for people.
    pub(crate) fn ends(&self) -> Vec<String> {
        self.network.ends()
    }

    /// A panic was caught.
    pub(crate) fn saw_panic(&self, what: String) {
        self.panics.borrow_mut().push(what);
    }

    /// What was caught so far.
    pub(crate) fn panics(&self) -> Vec<String> {
        self.panics.borrow().clone()
    }
}

/// A world that has a thread to itself.
#[derive(Debug)]
pub(crate) struct Begun(pub(crate) Rc<World>);

impl Drop for Begun {
    fn drop(&mut self) {
        // Tasks hold ends of connections, whose drop looks for the world.
        self.0.tasks.clear();
        CURRENT.set(None);
        clock::scripted::release();
    }
}
