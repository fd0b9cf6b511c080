//! Compiles rule text into bundles, and explains what a bundle does.
//!
//! The stages stand in [`pipeline`]; [`cli`] is the face of the binary. Text in, bundle out: no
//! clock, no machine-dependent order and no path has a part in what is written, so that the same
//! rule text always gives the same bundle.
#![forbid(unsafe_code)]

pub mod cli;
pub mod cover;
pub mod diagnostic;
pub mod emit;
pub mod import;
pub mod ir;
pub mod limits;
pub mod load;
pub mod lower;
pub mod operator;
pub mod optimize;
pub mod parse;
pub mod pipeline;
pub mod progress;
pub mod schema;
pub mod source;
pub mod suggest;
pub mod terminal;
pub mod tools;
pub mod validate;
pub mod value;
