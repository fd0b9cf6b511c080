//! When requests are to leave in an open loop: moments that do not depend on any answer.
//!
//! The sequence is lazy: its next moment is that of the oldest request not sent yet, so a backlog
//! of any length costs no memory and nothing is ever left out.
//!
//! A rate that changes in steps is a curve; its integral up to a moment says how many requests are
//! due by then. Even spacing takes the whole numbers on that integral, Poisson arrivals take sums
//! of exponential steps: both are right for every curve.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::random::Random;

/// How requests lie between each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Spacing {
    /// Equal steps.
    #[default]
    Even,
    /// Independent of each other, as from many users.
    Poisson,
}

/// One piece of constant rate.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    start_s: f64,
    /// Requests due before it.
    due_before: f64,
    rate: f64,
}

/// Requests a second over time. The last rate holds for ever.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RateCurve {
    pieces: Vec<Piece>,
    /// End of the last step; none for a constant rate.
    end_s: Option<f64>,
}

impl RateCurve {
    /// The same rate always; positive.
    pub(crate) fn constant(rate: f64) -> Self {
        let piece = Piece {
            start_s: 0.0,
            due_before: 0.0,
            rate,
        };
        Self {
            pieces: vec![piece],
            end_s: None,
        }
    }

    /// Rates, each for its time, one after the other. A rate may be zero.
    pub(crate) fn steps(steps: &[(f64, Duration)]) -> Self {
        let (mut start_s, mut due_before) = (0.0, 0.0);
        let mut pieces = Vec::with_capacity(steps.len());
        for &(rate, length) in steps {
            pieces.push(Piece {
                start_s,
                due_before,
                rate,
            });
            start_s += length.as_secs_f64();
            due_before += rate * length.as_secs_f64();
        }
        Self {
            pieces,
            end_s: Some(start_s),
        }
    }

    /// When the request number `number` (from 0, fractions allowed) is due; never, if the last rate
    /// is zero.
    fn moment_s(&self, number: f64) -> Option<f64> {
        let after = self
            .pieces
            .partition_point(|piece| piece.due_before <= number);
        let piece = self.pieces.get(after.checked_sub(1)?)?;
        (piece.rate > 0.0).then(|| piece.start_s + (number - piece.due_before) / piece.rate)
    }
}

/// All of an open loop's arrivals.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ArrivalPlan {
    /// By rate.
    Curve(RateCurve, Spacing),
    /// Moments after the start, seconds, ascending.
    Recorded(Arc<[f64]>),
}

impl ArrivalPlan {
    /// How long the plan itself lasts, if it has an end.
    pub(crate) fn length(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Curve(curve, _) => curve.end_s?,
            Self::Recorded(moments) => *moments.last()? + 1e-6,
        };
        Some(Duration::from_secs_f64(seconds))
    }

    /// Requests a second on average over `window`, which begins after `warmup`.
    pub(crate) fn mean_rate(&self, warmup: Duration, window: Duration) -> f64 {
        let (from, until) = (
            warmup.as_secs_f64(),
            warmup.as_secs_f64() + window.as_secs_f64(),
        );
        let due = match self {
            Self::Recorded(moments) => {
                let before = |limit: f64| moments.partition_point(|&moment| moment < limit) as f64;
                before(until) - before(from)
            }
            Self::Curve(curve, _) => curve.due_by(until) - curve.due_by(from),
        };
        if until > from {
            due / (until - from)
        } else {
            0.0
        }
    }

    /// The rate if it never changes.
    pub(crate) fn constant_rate(&self) -> Option<f64> {
        match self {
            Self::Curve(curve, _) if curve.end_s.is_none() => {
                curve.pieces.first().map(|piece| piece.rate)
            }
            _ => None,
        }
    }
}

impl RateCurve {
    fn due_by(&self, moment_s: f64) -> f64 {
        let after = self
            .pieces
            .partition_point(|piece| piece.start_s <= moment_s);
        let piece = after
            .checked_sub(1)
            .and_then(|index| self.pieces.get(index));
        piece.map_or(0.0, |piece| {
            piece.due_before + (moment_s - piece.start_s) * piece.rate
        })
    }
}

/// One thread's arrivals: every n-th of an even or recorded plan, an n-th of the rate of a Poisson one.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    plan: ArrivalPlan,
    start: Instant,
    threads: f64,
    /// Number of the next request; of a Poisson plan with a fraction.
    number: f64,
    random: Random,
    next: Option<Instant>,
}

impl Arrivals {
    /// Arrivals of thread `thread` of `threads`.
    pub(crate) fn new(
        plan: &ArrivalPlan,
        start: Instant,
        thread: usize,
        threads: usize,
        random: Random,
    ) -> Self {
        let mut arrivals = Self {
            plan: plan.clone(),
            start,
            threads: threads as f64,
            number: thread as f64,
            random,
            next: None,
        };
        if arrivals.is_poisson() {
            arrivals.number = arrivals.random.exponential() * arrivals.threads;
        }
        arrivals.next = arrivals.moment();
        arrivals
    }

    /// The intended time of the next request; none if there are no more.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.next
    }

    /// The next request is on its way.
    pub(crate) fn take(&mut self) {
        let step = if self.is_poisson() {
            self.random.exponential()
        } else {
            1.0
        };
        self.number += step * self.threads;
        self.next = self.moment();
    }

    fn is_poisson(&self) -> bool {
        matches!(self.plan, ArrivalPlan::Curve(_, Spacing::Poisson))
    }

    fn moment(&self) -> Option<Instant> {
        let seconds = match &self.plan {
            // From the start each time, so that rounding never adds up.
            ArrivalPlan::Curve(curve, _) => curve.moment_s(self.number)?,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a whole number, not negative"
            )]
            ArrivalPlan::Recorded(moments) => *moments.get(self.number as usize)?,
        };
        // Beyond what a clock can show nothing is ever due.
        let after = Duration::try_from_secs_f64(seconds).ok()?;
        self.start.checked_add(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(plan: &ArrivalPlan, threads: usize, until_s: f64) -> Vec<f64> {
        let start = Instant::now();
        let mut all = Vec::new();
        for thread in 0..threads {
            let random = Random::new(3, thread as u64);
            let mut arrivals = Arrivals::new(plan, start, thread, threads, random);
            while let Some(due) = arrivals.next_due() {
                let seconds = (due - start).as_secs_f64();
                if seconds >= until_s {
                    break;
                }
                all.push(seconds);
                arrivals.take();
            }
        }
        all.sort_unstable_by(f64::total_cmp);
        all
    }

    #[test]
    fn threads_interleave_evenly() {
        let plan = ArrivalPlan::Curve(RateCurve::constant(3_000.0), Spacing::Even);
        let all = moments(&plan, 3, 1.0);
        assert_eq!(all.len(), 3_000);
        for (index, at) in all.iter().enumerate() {
            assert!((at - index as f64 / 3_000.0).abs() < 1e-6, "{index}: {at}");
        }
    }

    #[test]
    fn steps_change_the_rate() {
        let second = Duration::from_secs(1);
        let curve = RateCurve::steps(&[(100.0, second), (0.0, second), (400.0, second)]);
        let plan = ArrivalPlan::Curve(curve, Spacing::Even);
        let all = moments(&plan, 2, 3.0);
        let between = |from: f64, to: f64| all.iter().filter(|&&at| at >= from && at < to).count();
        assert_eq!(
            (between(0.0, 1.0), between(1.0, 2.0), between(2.0, 3.0)),
            (100, 0, 400)
        );
        assert_eq!(plan.length(), Some(3 * second));
        assert!((plan.mean_rate(second, 2 * second) - 200.0).abs() < 1e-9);
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        let plan = ArrivalPlan::Curve(RateCurve::constant(10_000.0), Spacing::Poisson);
        let all = moments(&plan, 2, 5.0);
        assert!(
            (all.len() as f64 - 50_000.0).abs() < 1_000.0,
            "{}",
            all.len()
        );
        let gaps: Vec<f64> = all.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // An exponential's deviation is its mean; that of even steps would be nothing.
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.05);
    }

    #[test]
    fn recorded_moments_are_kept_and_end() {
        let plan = ArrivalPlan::Recorded(vec![0.0, 0.5, 0.5, 2.0].into());
        assert_eq!(moments(&plan, 3, 10.0), [0.0, 0.5, 0.5, 2.0]);
        assert!((plan.mean_rate(Duration::ZERO, Duration::from_secs(2)) - 1.5).abs() < 1e-9);
    }
}
