//! What comes next: which route a new connection takes, which request follows, whether it is the
//! connection's last, how long its client thinks.

use std::time::Duration;

use super::job::Job;
use crate::plan::file::Think;
use crate::plan::random::Random;
use crate::plan::run::Plan;

/// One thread's choices.
#[derive(Debug)]
pub(super) struct Draw {
    random: Random,
    /// Turns of the routes' choosers, where things are taken in turn.
    turns: Vec<usize>,
    route_turn: usize,
    /// Requests started on each link's current connection; none before the first.
    served: Vec<Option<u64>>,
}

impl Draw {
    pub(super) fn new(plan: &Plan, links: usize, thread: usize, random: Random) -> Self {
        Self {
            random,
            turns: vec![thread; plan.routes.len()],
            // The first routes were dealt in turn already.
            route_turn: plan.connections + thread,
            served: vec![None; links],
        }
    }

    /// Fills in the next request of a link; `is_open` if its connection can carry one more.
    pub(super) fn next(&mut self, plan: &Plan, link: usize, is_open: bool, job: &mut Job) {
        let Some(served) = self.served.get_mut(link) else {
            return;
        };
        if !is_open {
            // Each life has addresses of its own; with a finite life also a route of its own.
            if served.is_some() {
                job.life += plan.connections;
                if plan.life.is_finite() {
                    job.route = plan
                        .route_chooser
                        .choose(&mut self.route_turn, &mut self.random);
                }
            }
            *served = Some(0);
        }
        let count = served.map_or(1, |count| count + 1);
        *served = Some(count);
        if let (Some(route), Some(turn)) =
            (plan.routes.get(job.route), self.turns.get_mut(job.route))
        {
            job.exchange = route.chooser.choose(turn, &mut self.random);
        }
        let share = plan.life.new_share;
        job.is_last = plan.life.requests.is_some_and(|requests| count >= requests)
            || share >= 1.0
            || (share > 0.0 && self.random.unit() < share);
    }

    /// How long the client rests before its next request, if it thinks at all.
    pub(super) fn think(&mut self, plan: &Plan) -> Option<Duration> {
        let (mean, kind) = plan.think?;
        Some(match kind {
            Think::Constant => mean,
            Think::Exponential => mean.mul_f64(self.random.exponential()),
        })
    }
}
