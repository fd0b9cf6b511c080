//! HTTP/2 (RFC 9113, with HPACK of RFC 7541 and extended CONNECT of RFC 8441).
//!
//! [`Connection`] is a whole connection, of either side. Beside it stands, until the engine speaks through
//! that, what looks at the frames of the `h2` crate ([`FrameGuard`]).

mod allowance;
mod block;
mod closed_streams;
mod connection;
mod dynamic_table;
mod event;
mod fault;
mod field_reader;
mod forward;
mod frame_guard;
mod frames;
mod hpack;
mod huffman;
mod limits;
mod name;
mod payload;
mod request;
mod reset_count;
mod response;
mod send_windows;
mod sent_frames;
mod settings;
mod static_table;
mod stream_fault;
mod stream_set;
mod streams;
mod window;

pub use allowance::FloodLimits;
pub use connection::{Connection, RequestStart, SendFault, SendField};
pub use event::{Event, GoingAway};
pub use fault::{FrameFault, Malformed};
pub use frame_guard::{FrameGuard, Received, ReceivingSide};
pub use frames::{goaway_frame, reset_frame};
pub use request::{Request, TargetForm};
pub use response::{Response, Trailers};
pub use sent_frames::{Refused, Sent};
pub use settings::{ConnectionSettings, Role};
pub use stream_fault::{RequestFault, StreamFault};
