//! Firewall scripts of development containers (`init-firewall.sh`): `iptables` and `ipset` with names
//! that the script resolves in a loop.

mod iptables;
mod output;
mod shell;
mod unsupported;
mod walk;

pub use walk::import;
