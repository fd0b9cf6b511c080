//! From counts to words: reads what the measured process used (`process`), judges whether the meter
//! was honest (`verdict`), describes the machine (`machine`), makes the report (`build`, `json`) and
//! renders it (`files`, `text`, `html`, `hgrm`, `hlog`). `threshold` holds it against limits, `compare` runs
//! against runs, `search` tells what a search found.

mod build;
mod charts;
mod compare;
mod curve;
mod files;
mod hgrm;
mod hlog;
mod html;
mod json;
pub(crate) mod machine;
pub(crate) mod process;
pub(crate) mod search;
mod statistics;
mod svg;
pub(crate) mod table;
mod text;
mod threshold;
mod verdict;
pub(crate) mod words;

pub(crate) use build::{build, hold_against};
pub(crate) use compare::compare;
pub(crate) use files::{again, conclude, print, save, write};
pub(crate) use json::Report;
pub(crate) use threshold::Threshold;
