//! Other products' rules turned into rulesets, with a report of what became of each line.
//!
//! Reading order: what an import gives and how it is checked and written, then what importers build
//! conditions and rules of, then one room for each format. `tools::import` is the command.

mod outcome;

mod folder;

mod effect;
pub mod report;

mod draft;

mod toml_text;

pub mod condition;

mod expression_error;
mod regex;

mod escaped_regex;

pub mod input;

mod json;

mod hcl;

pub mod recognize;

mod document_error;
mod documents;

mod target;

mod book;

pub mod squid;

pub mod suricata;

pub mod aws;

pub mod aws_domain_list;

pub mod hosts;

pub mod addresses;

pub mod endpoints;

pub mod firewall_script;

pub mod cilium;

pub mod istio;

pub mod azure;

pub mod envoy_rbac;

pub mod google_swp;

pub mod smokescreen;

pub mod squidguard;

pub mod tinyproxy;

pub use document_error::DocumentError;
pub use draft::{
    ALLOW_BY_DEFAULT, DefaultAction, DefaultsBy, Draft, DraftGroup, DraftRule, Item, Names,
};
pub use folder::{FolderError, write as write_folder};
pub use outcome::{Import, ImportError, Origin};
