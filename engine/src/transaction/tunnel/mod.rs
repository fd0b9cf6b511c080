//! From a CONNECT to the end of what is in its tunnel.

pub(crate) mod client_hello;
pub(crate) mod connect;
pub(crate) mod content;
pub(crate) mod flow;
pub(crate) mod greeting;
pub(crate) mod held;
pub(crate) mod inside;
pub(crate) mod intercept;
pub(crate) mod offer;
pub(crate) mod opened;
pub(crate) mod outcome;
pub(crate) mod scope;
pub(crate) mod standing;
pub(crate) mod upgrade;
