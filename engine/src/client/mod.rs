//! Who the client of a connection is: what the connection shows by itself, and what requests say.

mod authentication;
mod failures;
mod peer;
mod verifier;

pub(crate) use authentication::{Asked, Authenticator, NotAuthenticated};
pub(crate) use peer::{Arrival, Peer};
pub(crate) use verifier::Verifiers;
