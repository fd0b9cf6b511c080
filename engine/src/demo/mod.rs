//! `sallyport demo`: the example ruleset compiled, an origin and a proxy on loopback, requests that
//! meet every phase and action, what was decided about each, a second of load, and then the curl
//! lines to go on by hand.
//!
//! The compiler, the origin and the meter are the real programs, started as such: the engine links
//! none of them.

mod console;
mod error;
mod programs;
mod report;
mod show;
mod tour;
mod world;

use error::{DemoError, doing};
pub(crate) use show::run;
