//! What an exchange works with, and what it comes to.

use sallyport_wire::http1::ResponseHead;

use crate::transaction::exchange::upload::Upload;
use crate::transport::read_buffer::ReadBuffer;
use crate::upstream::pinned::Held;
use crate::upstream::pool::UpstreamConnection;

/// Storage that an exchange works in.
#[derive(Debug)]
pub(crate) struct ResponseWork<'a> {
    pub(crate) head: &'a mut ResponseHead,
    /// Room for the text that its spans refer to.
    pub(crate) head_text: &'a mut Vec<u8>,
    /// What the client has sent behind the request head.
    pub(crate) input: &'a mut ReadBuffer,
    /// The content that comes behind it, while it is sent.
    pub(crate) upload: Option<Upload>,
    /// The right to a connection that is this client's own.
    pub(crate) held: Option<Held>,
}

/// How an exchange ended that sent the client a response of the origin.
#[derive(Debug)]
pub(crate) enum Exchanged {
    /// Whole.
    Complete { keep_alive: bool },
    /// Cut short: the client must see that, so its connection is closed.
    Broken,
    /// The origin answered 101; the connection now belongs to another protocol.
    Switched(Box<Switched>),
}

/// Both sides of a connection that has switched protocols.
#[derive(Debug)]
pub(crate) struct Switched {
    pub(crate) upstream: Box<UpstreamConnection>,
    /// What the origin has sent behind its 101.
    pub(crate) early: ReadBuffer,
}
