//! A progress bar on the terminal, for runs that take more than a moment.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::{Progress, Stage};

/// Shorter runs show nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the bar is drawn.
const TICK: Duration = Duration::from_millis(100);

const SPINNER: &str = "{spinner} {msg} {elapsed}";
const COUNTED: &str = "{spinner} {msg} {wide_bar} {pos}/{len} {elapsed}";

/// A bar on standard error that appears when the run has lasted a second, and leaves nothing behind.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    /// Dropped when the run ends.
    running: Option<Sender<()>>,
    clock: Option<JoinHandle<()>>,
}

impl Bar {
    /// A bar that is not shown yet. Where `is_shown` is false it never is.
    #[must_use]
    pub fn new(is_shown: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let (running, ended) = mpsc::channel::<()>();
        let shown = bar.clone();
        let clock = is_shown.then(|| {
            thread::spawn(move || {
                // An answer means that the run has ended before.
                if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                    shown.set_draw_target(ProgressDrawTarget::stderr());
                    shown.enable_steady_tick(TICK);
                }
            })
        });
        Self {
            bar,
            running: Some(running),
            clock,
        }
    }
}

impl Progress for Bar {
    fn begin(&self, stage: Stage, steps: usize) {
        let template = if steps == 0 { SPINNER } else { COUNTED };
        // The templates are tested to be good; a bar without one is a bar still.
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.set_message(stage.name());
        self.bar.set_position(0);
        self.bar
            .set_length(u64::try_from(steps).unwrap_or(u64::MAX));
    }

    fn step(&self) {
        self.bar.inc(1);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.running = None;
        if let Some(clock) = self.clock.take() {
            // It only waits and draws; should it have failed, the run itself has not.
            let _ = clock.join();
        }
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_short_run_does_not_wait_for_its_bar() {
        let started = Instant::now();
        let bar = Bar::new(true);
        for (stage, steps) in [(Stage::Reading, 0), (Stage::Rules, 2)] {
            bar.begin(stage, steps);
            bar.step();
        }
        assert_eq!((bar.bar.position(), bar.bar.length()), (1, Some(2)));
        assert!(bar.bar.is_hidden());
        drop(bar);
        assert!(started.elapsed() < PATIENCE);
    }

    #[test]
    fn templates_are_good() {
        for template in [SPINNER, COUNTED] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
