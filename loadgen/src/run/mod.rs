//! A plan carried out: threads, samples and the course of the run (`measure`, `collect`), what a
//! person sees meanwhile (`progress`), and the commands (`once`, `search`, `ceiling`).

mod ceiling;
pub(crate) mod collect;
pub(crate) mod measure;
mod once;
mod progress;
mod search;

pub(crate) use ceiling::ceiling;
pub(crate) use once::once;
pub(crate) use search::search;
