//! The content of a request on its way to an origin, over as many connections as that takes.

use std::cell::Cell;
use std::time::Instant;

use sallyport_wire::http1::BodyFraming;

use crate::http2::OutboundHead;
use crate::io::buffers::{BULK_BUFFER_BYTES, WriteBuffer};
use crate::limits::DISCARDED_BYTES_MAX;
use crate::transaction::exchange::body::{BodyRelay, Progress, RelayError, StopFlag};
use crate::transaction::exchange::kept::Kept;
use crate::transaction::exchange::pace::Pace;
use crate::transaction::request::context::Request;
use crate::transport::Transport;
use crate::transport::read_buffer::ReadBuffer;

/// What of a request's content was read from the client, and what is kept of it.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) progress: Progress,
    pub(crate) kept: Kept,
    /// How slow the client may be with content whose length it has declared.
    pub(crate) pace: Option<Pace>,
}

impl Upload {
    /// Nothing was sent yet; `None` for a request without content.
    pub(crate) fn of(request: &Request<'_>) -> Option<Self> {
        if !request.has_body() {
            return None;
        }
        let limits = &request.snapshot.chunk_limits;
        let config = &request.snapshot.config;
        let is_transfer = matches!(request.head.framing, BodyFraming::Length(_));
        let (idle, rate) = (config.timeouts.upload_idle, config.limits.upload_rate_min);
        Some(Self {
            pace: is_transfer.then(|| Pace::new(idle, rate)),
            progress: Progress::new(&request.client.transport, request.head.framing, limits),
            kept: Kept::new(request.snapshot.config.http.retry_body_bytes),
        })
    }
}

/// One attempt to send it.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) upstream: &'a Transport,
    pub(crate) stop: &'a StopFlag,
    /// `None` where nothing would be sent again.
    pub(crate) kept: Option<&'a Kept>,
    pub(crate) pace: Option<&'a Pace>,
    /// The head of the request, where it is not text.
    pub(crate) head: Option<OutboundHead<'a>>,
}

impl Attempt<'_> {
    /// Sends `out`, which the head is in, and all content.
    pub(crate) async fn send(
        &self,
        progress: &mut Progress,
        input: &mut ReadBuffer,
        out: &mut WriteBuffer,
    ) -> Result<(), RelayError> {
        let request = self.request;
        let framing: BodyFraming = request.head.framing;
        let relay = BodyRelay {
            from: &request.client.transport,
            to: self.upstream,
            pool: request.client.buffers(),
            idle: request.snapshot.config.timeouts.body_idle,
            framing,
            limits: &request.snapshot.chunk_limits,
            stop: Some(self.stop),
            kept: self.kept,
            pace: self.pace,
            // Its response is waited for.
            may_lose: false,
            head: Cell::new(self.head),
        };
        let result = relay.run(progress, input, out).await;
        request.client.transport.disarm();
        match result {
            Ok(()) => {
                let timeouts = &request.snapshot.config.timeouts;
                self.upstream.arm(timeouts.response);
            }
            // The origin may have answered before it stopped listening.
            Err(RelayError::Write | RelayError::Stopped) => {}
            Err(_) => self.upstream.cut(),
        }
        result
    }
}

/// Reads the rest of the content and drops it, if it is little and comes soon; whether it was. The
/// connection can then go on.
pub(crate) async fn discard(
    request: &Request<'_>,
    progress: &mut Progress,
    input: &mut ReadBuffer,
) -> bool {
    let (client, pool) = (&request.client.transport, request.client.buffers());
    let end = Instant::now() + request.snapshot.config.timeouts.linger;
    let mut bytes = 0;
    // A stream ends by itself.
    while !client.is_stream() && bytes <= DISCARDED_BYTES_MAX {
        match progress.discard(input) {
            Ok(true) => {
                client.disarm();
                return true;
            }
            Ok(false) => {}
            Err(_) => return false,
        }
        client.arm_read(end.saturating_duration_since(Instant::now()));
        match input.fill(client, pool, BULK_BUFFER_BYTES).await {
            Ok(0) | Err(_) => return false,
            Ok(more) => bytes += more,
        }
    }
    false
}
