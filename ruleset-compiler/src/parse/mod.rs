//! From text to the intermediate form: TOML or JSON for rules, lines for lists.

pub mod aws_json;
pub mod document;
pub mod list;
pub mod toml;

mod name;
mod read;
