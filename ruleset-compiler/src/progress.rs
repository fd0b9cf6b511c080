//! What a run is doing, for those who wait. The pipeline tells; who listens decides what is shown.

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Files are read and parsed.
    Reading,
    /// Rules are checked and brought into their final form; one step each.
    Rules,
    /// Rules are compared with earlier ones.
    Comparing,
    /// The bundle is built, written and loaded.
    Bundle,
}

impl Stage {
    /// What is done, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reading => "reading files",
            Self::Rules => "checking rules",
            Self::Comparing => "comparing rules",
            Self::Bundle => "building the bundle",
        }
    }
}

/// Listens to a run.
pub trait Progress {
    /// A stage begins; it has so many steps, or none that could be counted.
    fn begin(&self, stage: Stage, steps: usize);
    /// A step was done.
    fn step(&self);
}

/// Nobody waits.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: Stage, _: usize) {}
    fn step(&self) {}
}
