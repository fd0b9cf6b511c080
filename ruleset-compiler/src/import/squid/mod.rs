//! Squid's access rules: `acl`, `http_access`, `http_reply_access`, and the files they include.
//! Everything else in a configuration is listed as left, with a word on where it belongs.
//!
//! Reading order: lines and words, what ACLs mean, where URLs are taken apart, then the walk over
//! the configuration and the rules it becomes.

mod unsupported;

mod read;

mod acl;
mod meaning;
mod translate;

mod address;
mod time;
mod url_regex;
mod vocabulary;

mod acls;

mod bump;
mod settings;
mod settings_text;
mod toml_values;

mod writer;

mod access;
mod reply_size;
mod walk;

pub use walk::{SquidOptions, import};
