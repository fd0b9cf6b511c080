//! The gate: the only caller of `ruleset::evaluate`, and the permits that prove what it said.
//!
//! ```text
//! pre_dns ─▶ Admitted ─resolved─▶ Resolved ─guard─▶ Guarded ─pre_request─▶ Dialable + Permitted
//!                                                      ├─pre_request_of_tunnel─▶ Dialable + Passable
//!                                                      └─early─▶ Dialable ─pre_request_of_tunnel─▶ Passable
//! Answered ─post_response─▶ Released
//! ```
//!
//! Each permit is taken by value or by reference by the step that needs it and nothing outside this
//! file can make one: `upstream::dial` wants a [`Dialable`], a request head is written to an origin
//! with a [`Permitted`], bytes flow through a tunnel with a [`Passable`], a response byte goes to the
//! client with a [`Released`]. A connection whose address no PreREQUEST rule has seen, or a response
//! forwarded before its verdict, does not compile. A [`Permitted`] holds the request that was judged, and
//! the encoder writes what it holds: it cannot serve for another.

mod permits;
mod remembered;
mod rules;

pub(crate) use permits::{Admitted, Early, Guarded, Outbound, post_response, pre_dns};
pub use permits::{Dialable, Passable, Permitted, Released};
pub(crate) use rules::{Denied, DeniedBy, Rules};

pub(crate) use crate::decisions::{Decisions, PhaseDecision};
