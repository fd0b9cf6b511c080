//! Whether a request that got no response may go over another connection.

use std::time::Duration;

use crate::io::tcp_info::TcpInfo;
use crate::io::timer;
use crate::transaction::exchange::work::ResponseWork;
use crate::transaction::request::context::Request;
use crate::transport::Transport;
use crate::upstream::pool::UpstreamConnection;

/// What is known of a connection before a request is sent on it, where [`may`] will ask.
pub(crate) fn before(request: &Request<'_>, upstream: &UpstreamConnection) -> Option<TcpInfo> {
    let is_idempotent = request.head.method_kind.is_idempotent();
    match upstream.has_idled && !is_idempotent {
        true => upstream.transport.info(),
        false => None,
    }
}

/// Whether a request may be sent again that was not answered: one that is idempotent, or one that the
/// origin cannot have processed (RFC 9110 section 9.2.2, RFC 9113 section 8.7). What of its content was
/// read from the client must be there still.
pub(crate) async fn may(
    request: &Request<'_>,
    upstream: &UpstreamConnection,
    before: Option<TcpInfo>,
    work: &ResponseWork<'_>,
) -> bool {
    let upload = work.upload.as_ref();
    if !upload.is_none_or(|upload| upload.kept.is_whole()) {
        return false;
    }
    if upstream.transport.declined().is_some() {
        return true;
    }
    let is_idempotent = request.head.method_kind.is_idempotent();
    upstream.has_idled && (is_idempotent || is_undelivered(&upstream.transport, before).await)
}

/// Whether nothing of what was sent since `before` has reached the origin, not even its kernel: it had
/// closed the connection before, and answered with a reset.
async fn is_undelivered(upstream: &Transport, before: Option<TcpInfo>) -> bool {
    let Some(before) = before else { return false };
    // An end may be read before what the last bytes have met is known.
    for _ in 0..RESET_AWAITED / RESET_PAUSE {
        match upstream.info() {
            Some(info) if info.bytes_acked != before.bytes_acked => return false,
            Some(info) if info.is_closed => return true,
            Some(_) => timer::sleep(Duration::from_millis(RESET_PAUSE.into())).await,
            None => return false,
        }
    }
    false
}

/// Milliseconds that a reset is waited for, once the end of a connection was read.
const RESET_AWAITED: u32 = 300;
/// Milliseconds between two looks.
const RESET_PAUSE: u32 = 10;
