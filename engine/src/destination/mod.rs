//! Where to: the addresses of a destination, and those that are never dialed, whatever the rules say.
//!
//! Judged on resolved addresses, so that a name that points inside (DNS rebinding) meets the same
//! guard as a literal. Called by `enforcement` only; which addresses are this machine's own the process
//! reads and hands over.

mod addresses;
mod forms;
mod guard;
mod networks;
mod own;
mod special;

pub(crate) use addresses::AddressList;
pub(crate) use guard::DestinationGuard;
pub(crate) use own::{AddressChanges, own_networks};
pub(crate) use special::Prohibited;
