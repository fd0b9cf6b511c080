//! Which optimizations there are, and their order: those that make conditions fewer before the one
//! that puts them in order.

use sallyport_ruleset::Ruleset;
use sallyport_ruleset::bundle::Unreachable;

use super::{dedupe, merge_sets, order, shadowed};
use crate::cover::Covers;

/// One optimization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimization {
    /// Conditions and values that others of the rule imply are dropped; conditions that say the
    /// same are shared.
    Dedupe,
    /// Conditions on one field that can be one condition are; ranges and networks are joined.
    MergeSets,
    /// Rules that are never reached are not looked for.
    Shadowed,
    /// The conditions that cost least are asked first.
    Order,
}

impl Optimization {
    /// All, in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Dedupe, Self::MergeSets, Self::Shadowed, Self::Order];

    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dedupe => "dedupe",
            Self::MergeSets => "merge-sets",
            Self::Shadowed => "shadowed",
            Self::Order => "order",
        }
    }
}

/// Which optimizations run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Optimizations(u8);

impl Optimizations {
    /// All of them.
    pub const ALL: Self = Self(0b1111);
    /// None.
    pub const NONE: Self = Self(0);

    /// The same and one more.
    #[must_use]
    pub const fn with(self, one: Optimization) -> Self {
        Self(self.0 | 1 << one as u8)
    }

    /// The same without one.
    #[must_use]
    pub const fn without(self, one: Optimization) -> Self {
        Self(self.0 & !(1 << one as u8))
    }

    /// Whether one of them runs.
    #[must_use]
    pub const fn contains(self, one: Optimization) -> bool {
        self.0 >> one as u8 & 1 == 1
    }
}

/// A ruleset that decides as the one it was made from.
#[derive(Debug)]
pub struct Optimized {
    /// Rules in their old places.
    pub ruleset: Ruleset,
    /// Rules that need not be looked for.
    pub unreachable: Unreachable,
}

/// Runs the optimizations that are wanted. `covers` is what [`crate::cover::find`] found in the same
/// ruleset.
#[must_use]
pub fn run(mut ruleset: Ruleset, covers: &Covers, wanted: Optimizations) -> Optimized {
    if wanted.contains(Optimization::Dedupe) {
        dedupe::run(&mut ruleset);
    }
    if wanted.contains(Optimization::MergeSets) {
        merge_sets::run(&mut ruleset);
    }
    let unreachable = if wanted.contains(Optimization::Shadowed) {
        shadowed::unreachable(covers)
    } else {
        Unreachable::default()
    };
    if wanted.contains(Optimization::Order) {
        order::run(&mut ruleset);
    }
    Optimized {
        ruleset,
        unreachable,
    }
}
