//! The content of a request on its way to an origin, over as many connections as that takes.

use std::time::Instant;

use sallyport_wire::http1::BodyFraming;

use super::body::{BodyRelay, Pace, Progress, RelayError, StopFlag};
use super::kept::Kept;
use super::request::Request;
use crate::io::buffers::{BULK_BUFFER_BYTES, WriteBuffer};
use crate::limits::DISCARDED_BYTES_MAX;
use crate::transport::Transport;
use crate::transport::read_buffer::ReadBuffer;

/// What of a request's content was read from the client, and what is kept of it.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) progress: Progress,
    pub(super) kept: Kept,
    /// How slow the client may be with content whose length it has declared.
    pub(super) pace: Option<Pace>,
}

impl Upload {
    /// Nothing was sent yet; `None` for a request without content.
    pub(super) fn of(request: &Request<'_>) -> Option<Self> {
        if !request.has_body() {
            return None;
        }
        let limits = &request.snapshot.chunk_limits;
        let config = &request.snapshot.config;
        let is_transfer = matches!(request.head.framing, BodyFraming::Length(_));
        let (idle, rate) = (config.timeouts.upload_idle, config.limits.upload_rate_min);
        Some(Self {
            pace: is_transfer.then(|| Pace::new(idle, rate)),
            progress: Progress::new(request.head.framing, limits),
            kept: Kept::new(request.snapshot.config.http.retry_body_bytes),
        })
    }
}

/// One attempt to send it.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) upstream: &'a Transport,
    pub(super) stop: &'a StopFlag,
    /// `None` where nothing would be sent again.
    pub(super) kept: Option<&'a Kept>,
    pub(super) pace: Option<&'a Pace>,
}

impl Attempt<'_> {
    /// Sends `out`, which the head is in unless it is kept, and all content.
    pub(super) async fn send(
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
pub(super) async fn discard(
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
