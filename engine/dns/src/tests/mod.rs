//! The resolver against servers in memory: step by step, and in a world of random faults.

mod server;

mod scripted;
mod world;
