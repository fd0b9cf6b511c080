//! Lines of what lives long, while it lives: a transaction whose only line is that of its end is unseen
//! until then, and lost if the process is killed.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Context;

use crate::access_log::Event;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transport::Transport;

/// The bytes of one exchange on a connection that may have seen others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted<'a> {
    upstream: &'a Transport,
    up_before: u64,
    down_before: u64,
}

impl<'a> Counted<'a> {
    /// Counts from here on.
    pub(crate) fn new(upstream: &'a Transport) -> Self {
        Self {
            upstream,
            up_before: upstream.bytes_out(),
            down_before: upstream.bytes_in(),
        }
    }

    /// To the origin, and from it.
    pub(crate) fn up_and_down(&self) -> (u64, u64) {
        (
            self.upstream.bytes_out() - self.up_before,
            self.upstream.bytes_in() - self.down_before,
        )
    }
}

/// One step of a transaction that may take long.
#[derive(Clone, Copy)]
pub(crate) struct LongStep<'s> {
    pub(crate) request: &'s Request<'s>,
    pub(crate) destination: &'s Destination<'s>,
    /// What flows in it; `None` where that is told by transactions of its own.
    pub(crate) counted: Option<Counted<'s>>,
}

impl LongStep<'_> {
    /// A tunnel or an upgrade, which lives long as a rule: its `start` line comes at once.
    pub(crate) async fn begin<T>(
        &self,
        draft: &mut RecordBuilder,
        step: Pin<&mut impl Future<Output = T>>,
    ) -> T {
        if self.request.snapshot.config.log.progress.is_some() && !draft.told.has_started {
            self.tell(draft);
        }
        self.watch(draft, step).await
    }

    /// Goes through the step; whenever the transaction has gone on for another `log.progress`, there is a
    /// line.
    pub(crate) async fn watch<T>(
        &self,
        draft: &mut RecordBuilder,
        mut step: Pin<&mut impl Future<Output = T>>,
    ) -> T {
        poll_fn(|context| {
            let polled = step.as_mut().poll(context);
            if polled.is_pending() {
                self.look(draft, context);
            }
            polled
        })
        .await
    }

    fn look(&self, draft: &mut RecordBuilder, context: &Context<'_>) {
        let Some(interval) = self.request.snapshot.config.log.progress else {
            return;
        };
        let (told, waker) = (&mut draft.told, context.waker());
        let is_watched = std::mem::replace(&mut told.is_watched, true);
        match &told.watch {
            None => {
                let watches = &self.request.proxy.shard.watches;
                told.watch = Some(watches.watch(interval, waker));
            }
            Some(watch) if !is_watched => watch.begin(interval, waker),
            Some(watch) if watch.is_due(interval, waker) => self.tell(draft),
            Some(_) => {}
        }
    }

    fn tell(&self, draft: &mut RecordBuilder) {
        let event = match draft.told.has_started {
            true => Event::Progress,
            false => Event::Start,
        };
        draft.told.has_started = true;
        let moved = self.counted.as_ref().map(Counted::up_and_down);
        draft.write_progress(self.request, self.destination, event, moved);
    }
}
