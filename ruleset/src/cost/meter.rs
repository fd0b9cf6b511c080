//! Counting while evaluating. The hot path is compiled with [`Free`], which counts nothing and costs
//! nothing.

use std::cell::Cell;

use super::Cost;

/// Takes notice of what is done.
pub(crate) trait Meter: Copy {
    /// Whether notice is taken at all; what only serves counting is left out otherwise.
    const COUNTS: bool;
    fn probes(self, count: usize);
    fn steps(self, count: usize);
    fn rules(self, count: usize);
    fn bytes(self, count: usize);
}

/// Takes none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Free;

impl Meter for Free {
    const COUNTS: bool = false;
    fn probes(self, _: usize) {}
    fn steps(self, _: usize) {}
    fn rules(self, _: usize) {}
    fn bytes(self, _: usize) {}
}

/// What evaluations have cost so far.
#[derive(Debug, Default)]
pub struct Spent {
    probes: Cell<u64>,
    steps: Cell<u64>,
    rules: Cell<u64>,
    bytes: Cell<u64>,
}

impl Spent {
    /// The sum.
    #[must_use]
    pub const fn cost(&self) -> Cost {
        Cost {
            probes: self.probes.get(),
            steps: self.steps.get(),
            rules: self.rules.get(),
            bytes: self.bytes.get(),
        }
    }
}

fn add(cell: &Cell<u64>, count: usize) {
    cell.set(cell.get().saturating_add(count as u64));
}

impl Meter for &Spent {
    const COUNTS: bool = true;
    fn probes(self, count: usize) {
        add(&self.probes, count);
    }
    fn steps(self, count: usize) {
        add(&self.steps, count);
    }
    fn rules(self, count: usize) {
        add(&self.rules, count);
    }
    fn bytes(self, count: usize) {
        add(&self.bytes, count);
    }
}
