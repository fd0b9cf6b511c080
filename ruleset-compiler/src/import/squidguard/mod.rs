//! SquidGuard: its configuration with the lists that it names.

mod lists;
mod read;
mod walk;

pub use walk::import;
