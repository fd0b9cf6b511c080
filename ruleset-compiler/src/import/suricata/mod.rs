//! Rules in Suricata's language, as users of AWS Network Firewall write them: what a forward proxy
//! can know of a connection, a ClientHello and a request.
//!
//! Reading order: the text of a rule, addresses and ports, what the content of buffers asks, the
//! other keywords, then the walk over a file and the order of its rules.

mod parse;

mod endpoint;

mod content;
mod keyword;

mod source;
mod walk;

pub use walk::{Default, Order, SuricataOptions, import};
