//! Waiting for what has no socket that could be cut: a lookup, a connection that is being made.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::deadline::{Cut, Deadline, Wheel};

/// Someone who waits, as the wheel sees it.
#[derive(Debug)]
struct Waiting(RefCell<Waker>);

impl Cut for Waiting {
    fn cut(&self, _how: Shutdown) {
        self.0.borrow().wake_by_ref();
    }
}

/// Awaits `future`; `None` if the wheel cuts everything before it is done ([`Wheel::cut_all`]), or has done
/// so. Then `future` is as far as it got, and may be dropped if it takes that.
pub(crate) async fn unless_cut<F: Future>(
    wheel: &Rc<Wheel>,
    mut future: Pin<&mut F>,
) -> Option<F::Output> {
    // What is done at once costs nothing more.
    let mut place: Option<(Rc<Waiting>, Deadline)> = None;
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        if wheel.is_cut() {
            return Poll::Ready(None);
        }
        match &place {
            Some((waiting, _)) => waiting.0.borrow_mut().clone_from(context.waker()),
            None => {
                let waiting = Rc::new(Waiting(RefCell::new(context.waker().clone())));
                let deadline = wheel.deadline_of(Rc::clone(&waiting) as Rc<dyn Cut>);
                // The future knows how long it takes at most: only a cut of all is waited for.
                deadline.arm(Duration::MAX);
                place = Some((waiting, deadline));
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake};
    use std::time::Instant;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_wait_ends_with_everything_else() {
        let now = Instant::now();
        let wheel = Wheel::new(now);
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let mut done = pin!(ready(1));
        let at_once = pin!(unless_cut(&wheel, done.as_mut())).poll(&mut context);
        assert_eq!(at_once, Poll::Ready(Some(1)));
        let mut never = pin!(pending::<u8>());
        let mut waiting = pin!(unless_cut(&wheel, never.as_mut()));
        assert_eq!(waiting.as_mut().poll(&mut context), Poll::Pending);
        wheel.advance(now + Duration::from_secs(3600));
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        assert_eq!(waiting.as_mut().poll(&mut context), Poll::Pending);
        wheel.cut_all();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(waiting.as_mut().poll(&mut context), Poll::Ready(None));
        let mut late = pin!(pending::<u8>());
        let begun_after = pin!(unless_cut(&wheel, late.as_mut())).poll(&mut context);
        assert_eq!(begun_after, Poll::Ready(None));
    }
}
