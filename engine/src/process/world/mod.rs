//! A whole shard in a scripted world: clients, origins and the control thread do what a seed says, byte by
//! byte and in its order, and what is promised holds whatever that is.
//!
//! * No byte leaves without a permit: no address is connected to that the rules or the guard forbid, no
//!   origin sees a request that is denied, no client a response that is.
//! * Messages stay what they are: a response answers its own request, what is complete is whole, and a
//!   request that may not be repeated is not.
//! * There is one line in the access log for each transaction.
//! * Everything ends in a bounded number of steps, and everything that was taken is given back.
//! * The same seed gives the same run.
//!
//! `SALLYPORT_WORLD_SECONDS` says for how long seeds are tried, `SALLYPORT_WORLD_SEED` which is the first.

mod client;
mod ledger;
mod message;
mod origin;
mod origin_streams;
mod seeds;
mod stage;
mod streams;
