//! What is to be sent, when, and until when: the command line turned into values that cannot be
//! wrong. Workers read a plan and never change it.

pub(crate) mod arrival;
pub(crate) mod mix;
pub(crate) mod run;
pub(crate) mod stop;
mod url;
