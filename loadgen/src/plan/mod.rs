//! What is to be sent, when, and until when: the command line turned into values that cannot be
//! wrong. Workers read a plan and never change it.

pub(crate) mod file;
pub(crate) mod problem;
mod read;

mod check;
pub(crate) mod defaults;
pub(crate) mod run;
pub(crate) mod stop;

pub(crate) mod arrival;
pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod mix;
pub(crate) mod overlay;
pub(crate) mod period;
pub(crate) mod random;
mod requests;
mod resolve;
mod url;
