//! Rules in Suricata's language, as users of AWS Network Firewall write them: what a forward proxy
//! can know of a connection, a ClientHello and a request.
//!
//! Reading order: where rules stand, the text of a rule, its options, what they ask of buffers and
//! how that is said with our fields, one rule as a whole, then the walk over a file and the order
//! of its rules.

mod source;

mod unsupported;

mod parse;

mod buffer;
mod number;
mod option;
mod text;

mod flowbit;

mod chain;

mod bound;

mod address;
mod ask;
mod header;
mod host;
mod uri;

mod application;
mod endpoint;

mod rule;

mod order;
mod settings;
mod walk;

pub use settings::{Default, Order, SuricataOptions};
pub use walk::import;

#[cfg(test)]
mod tests;
