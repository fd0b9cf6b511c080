//! Other products' rules turned into rulesets, with a report of what became of each line.
//!
//! Reading order: what an import gives and how it is checked and written, then what importers build
//! conditions and rules of, then one room for each format. `tools::import` is the command.

mod outcome;

mod folder;

pub mod report;

mod draft;

mod toml_text;

pub mod condition;

mod regex;

pub mod input;

mod json;

mod yaml;

mod hcl;

pub mod recognise;

pub mod squid;

pub mod suricata;

pub mod aws;

pub mod aws_domain_list;

pub mod hosts;

pub use draft::{
    ALLOW_BY_DEFAULT, DefaultAction, DefaultsBy, Draft, DraftGroup, DraftRule, Item, Names,
};
pub use folder::{FolderError, write as write_folder};
pub use outcome::{Import, ImportError, Origin};
