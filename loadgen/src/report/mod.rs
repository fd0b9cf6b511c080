//! From counts to words: runs a plan (`run`), reads what the measured process used (`process`),
//! judges whether the meter was honest (`verdict`), describes the machine (`machine`), and prints
//! (`text`, `json`).

mod json;
mod machine;
mod process;
mod run;
mod text;
mod verdict;

pub(crate) use run::run;
