//! A world of its own for tests: one thread whose time, tasks, connections and chances follow from a seed.
//!
//! While a world runs, the clock, timers, tasks and lines of its thread are the world's. The same seed and
//! the same script give the same run, event by event ([`World::trace`]).

mod end;
pub(crate) mod line;
mod network;
mod tasks;
mod time;
mod world;

pub(crate) use end::End;
pub(crate) use network::Answer;
pub(crate) use world::World;
