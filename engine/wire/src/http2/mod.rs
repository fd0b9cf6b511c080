//! HTTP/2 (RFC 9113, with HPACK of RFC 7541 and extended CONNECT of RFC 8441).
//!
//! [`Connection`] is a whole connection, of either side.

mod allowance;
mod block;
mod closed_streams;
mod connection;
mod event;
mod fault;
mod forward;
mod frames;
mod hpack;
mod limits;
mod request;
mod response;
mod settings;
mod stream_fault;
mod stream_set;
mod streams;
mod window;

pub use connection::{Connection, RequestStart, SendFault, SendField};
pub use event::{Event, GoingAway};
pub use fault::FrameFault;
pub use request::{Request, TargetForm};
pub use response::{Response, Trailers};
pub use settings::{ConnectionSettings, Role};
pub use stream_fault::{RequestFault, StreamFault};
