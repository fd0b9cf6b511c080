//! From text to the intermediate form: TOML for rules, lines for lists.

pub mod list;
pub mod toml;
