//! SquidGuard: its configuration with the lists that it names.

mod expressions;
mod lists;
mod read;
mod unsupported;
mod walk;

pub use walk::import;
