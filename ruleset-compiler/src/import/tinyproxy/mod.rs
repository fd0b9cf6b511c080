//! Tinyproxy: its configuration with the filter that it names, or a filter alone.

mod configuration;
mod filter;
mod overlap;

pub use configuration::{TinyproxyOptions, import};
