//! Problems found in rule text: what each is called, how they are collected, and how they are shown
//! to people and to programs. Nothing here decides what is a problem.

mod code;
mod json;
mod problem;
mod render;

pub use code::{Code, Severity};
pub use json::unreadable_json_line;
pub use problem::{Diagnostic, Diagnostics, Hidden};
pub use render::{Colors, counted};

pub(crate) use render::printable;
