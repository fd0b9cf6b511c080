//! Was the meter itself honest? Tells lateness of the meter from slowness of the subject.
//!
//! A request leaves late for one of two reasons. All connections were busy: the subject is slow,
//! and its latency rightly counts from when the request was due. Or a connection was free and the
//! meter came too late: that is the *schedule lag*, and it is in the latencies though the subject
//! has nothing to do with it. In the same way a response may lie unread while the loop is busy with
//! others (*loop busy*). The verdict compares both with what was reported.

use std::time::Duration;

use super::words::Time;
use crate::histogram::merge::Summary;
use crate::worker::tally::ThreadCost;

/// Lag at p99.9 that is never held against the meter, microseconds: about what waking costs.
const LAG_US_TOLERATED: f64 = 1_000.0;
/// Beyond that, lag may be at most this part of the latency at the same percentile.
const LAG_PART_MAX: f64 = 0.1;
/// Busier than this, a thread has no slack: what it reports is its own speed.
const BUSY_VOID: f64 = 0.95;
/// Over a shorter window the share is not judged: the slack that [`BUSY_VOID`] asks for is then less than one
/// turn of another thread on the CPU (about 4 ms), and a run of a few milliseconds is nothing but the meter's own work.
const BUSY_WINDOW_LEAST: Duration = Duration::from_millis(100);
/// Busier than this, the meter's ceiling is less than twice what was measured.
const BUSY_BOUND: f64 = 0.5;

/// What is known about the meter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    /// Something came back as it should. If not, there is no latency that the meter could be in.
    pub(super) is_answered: bool,
    pub(super) is_open_loop: bool,
    pub(super) latency_us: Summary,
    pub(super) schedule_lag_us: Summary,
    pub(super) loop_busy_us: Summary,
    pub(super) busy_ratio_max: f64,
    /// What the share is of.
    pub(super) window: Duration,
}

/// What follows from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) void_reasons: Vec<String>,
    pub(super) bound: bool,
    pub(super) warnings: Vec<String>,
}

/// The part of its time that a thread was running or ready to run.
pub(super) fn busy_ratio(cost: ThreadCost) -> f64 {
    if cost.wall == Duration::ZERO {
        return 0.0;
    }
    (cost.cpu + cost.waiting).as_secs_f64() / cost.wall.as_secs_f64()
}

/// Judges a run.
pub(super) fn judge(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict::default();
    // A meter that does nothing but fail to connect is busy, and not at fault.
    if !evidence.is_answered {
        return verdict;
    }
    if evidence.is_open_loop {
        judge_open_loop(evidence, &mut verdict);
    }
    judge_busy(evidence, &mut verdict);
    verdict
}

fn judge_busy(evidence: &Evidence, verdict: &mut Verdict) {
    let busy = evidence.busy_ratio_max;
    if evidence.window < BUSY_WINDOW_LEAST {
        if busy > BUSY_BOUND {
            verdict.warnings.push(format!(
                "whether the meter had time left cannot be told: the window is {}, and a share of the CPU means something from {} on",
                Time(evidence.window.as_secs_f64() * 1e6),
                Time(BUSY_WINDOW_LEAST.as_secs_f64() * 1e6),
            ));
        }
        return;
    }
    if busy > BUSY_VOID {
        verdict.void_reasons.push(format!(
            "the meter's busiest thread had no time left (busy {:.0} %): its own speed was measured",
            busy * 100.0
        ));
    }
    if busy > BUSY_BOUND {
        verdict.bound = true;
        verdict.warnings.push(format!(
            "meter-bound: busy {:.0} %, so its ceiling is below twice what was measured",
            busy * 100.0
        ));
    }
}

/// What to say if a rate is more than half of what the meter does against its own origin.
pub(super) fn near_ceiling(rate: f64, ceiling: f64) -> Option<String> {
    (rate * 2.0 > ceiling).then(|| {
        format!(
            "meter-bound: its own ceiling is {ceiling:.0} requests/s, less than twice what was \
             measured"
        )
    })
}

fn judge_open_loop(evidence: &Evidence, verdict: &mut Verdict) {
    let latency = evidence.latency_us.p99_9;
    for (what, lag) in [
        (
            "requests left late though a connection was free",
            evidence.schedule_lag_us.p99_9,
        ),
        (
            "responses lay unread while the meter was busy",
            evidence.loop_busy_us.p99_9,
        ),
    ] {
        if lag > LAG_US_TOLERATED && lag > latency * LAG_PART_MAX {
            verdict.void_reasons.push(format!(
                "{what}: {} at p99.9, where the latency is {}",
                Time(lag),
                Time(latency)
            ));
        } else if lag > latency * LAG_PART_MAX {
            verdict.warnings.push(format!(
                "{what}: up to {} of the latency at p99.9 ({}) is the meter's",
                Time(lag),
                Time(latency)
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(p99_9: f64) -> Summary {
        Summary {
            p99_9,
            count: 1_000,
            ..Summary::default()
        }
    }

    fn evidence() -> Evidence {
        Evidence {
            is_answered: true,
            is_open_loop: true,
            latency_us: at(400.0),
            schedule_lag_us: at(20.0),
            loop_busy_us: at(30.0),
            busy_ratio_max: 0.3,
            window: Duration::from_secs(5),
        }
    }

    #[test]
    fn a_meter_with_time_to_spare_is_honest() {
        assert_eq!(judge(&evidence()), Verdict::default());
    }

    #[test]
    fn a_slow_subject_is_not_the_meters_fault() {
        let slow = Evidence {
            latency_us: at(150_000.0),
            schedule_lag_us: at(900.0),
            ..evidence()
        };
        assert_eq!(judge(&slow), Verdict::default());
    }

    #[test]
    fn a_late_meter_voids_the_run() {
        let late = Evidence {
            latency_us: at(9_000.0),
            schedule_lag_us: at(8_000.0),
            ..evidence()
        };
        assert_eq!(judge(&late).void_reasons.len(), 1);
        let unread = Evidence {
            latency_us: at(9_000.0),
            loop_busy_us: at(8_000.0),
            ..evidence()
        };
        assert_eq!(judge(&unread).void_reasons.len(), 1);
        let closed = Evidence {
            is_open_loop: false,
            ..late
        };
        assert_eq!(judge(&closed), Verdict::default());
    }

    #[test]
    fn small_lag_beside_small_latency_is_said() {
        let near = Evidence {
            latency_us: at(400.0),
            schedule_lag_us: at(200.0),
            ..evidence()
        };
        let verdict = judge(&near);
        assert_eq!((verdict.void_reasons.len(), verdict.warnings.len()), (0, 1));
    }

    #[test]
    fn a_busy_meter_is_bound_and_a_full_one_void() {
        let busy = judge(&Evidence {
            busy_ratio_max: 0.6,
            ..evidence()
        });
        assert!(busy.bound && busy.void_reasons.is_empty());
        let full = judge(&Evidence {
            busy_ratio_max: 0.99,
            is_open_loop: false,
            ..evidence()
        });
        assert!(full.bound && full.void_reasons.len() == 1);
    }

    #[test]
    fn a_window_too_short_says_nothing_of_the_meters_time() {
        let of = |window, busy_ratio_max| {
            judge(&Evidence {
                window: Duration::from_millis(window),
                busy_ratio_max,
                is_open_loop: false,
                ..evidence()
            })
        };
        let short = of(1, 1.0);
        assert!(short.void_reasons.is_empty() && !short.bound);
        assert_eq!(
            short.warnings,
            [
                "whether the meter had time left cannot be told: the window is 1.00 ms, and a share of the CPU means something from 100.00 ms on"
            ]
        );
        assert_eq!(of(99, 0.4), Verdict::default());
        assert_eq!(of(100, 1.0).void_reasons.len(), 1);
    }

    #[test]
    fn where_nothing_was_answered_the_meter_is_not_to_blame() {
        let refused = Evidence {
            is_answered: false,
            latency_us: Summary::default(),
            schedule_lag_us: at(9_000.0),
            busy_ratio_max: 1.0,
            ..evidence()
        };
        assert_eq!(judge(&refused), Verdict::default());
    }

    #[test]
    fn a_rate_near_the_ceiling_is_the_meters() {
        assert!(near_ceiling(60.0, 100.0).is_some());
        assert!(near_ceiling(40.0, 100.0).is_none());
    }

    #[test]
    fn waiting_for_a_cpu_counts_as_busy() {
        let cost = ThreadCost {
            wall: Duration::from_secs(10),
            cpu: Duration::from_secs(4),
            waiting: Duration::from_secs(5),
        };
        assert!((busy_ratio(cost) - 0.9).abs() < 1e-9);
        assert_eq!(busy_ratio(ThreadCost::default()), 0.0);
    }
}
