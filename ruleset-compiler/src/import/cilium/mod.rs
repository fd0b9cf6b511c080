//! Cilium network policies: what pods may connect to, by name (`toFQDNs`), network (`toCIDR`,
//! `toCIDRSet`) and entity, with ports.

mod destination;
mod pattern;
mod ports;
mod unsupported;
mod walk;

pub use walk::import;
