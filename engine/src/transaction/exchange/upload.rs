//! The content of a request on its way to an origin, over as many connections as that takes.

use std::cell::Cell;

use sallyport_wire::http1::{BodyFraming, HeaderName};

use crate::clock;
use crate::http2::OutboundHead;
use crate::io::buffers::{BULK_BUFFER_BYTES, WriteBuffer};
use crate::limits::DISCARDED_BYTES_MAX;
use crate::transaction::exchange::body::{BodyRelay, Progress, RelayError, StopFlag};
use crate::transaction::exchange::kept::Kept;
use crate::transaction::exchange::pace::{Pace, Terms};
use crate::transaction::request::context::Request;
use crate::transport::Transport;
use crate::transport::read_buffer::ReadBuffer;

/// What of a request's content was read from the client, and what is kept of it.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) progress: Progress,
    pub(crate) kept: Kept,
    /// How slow the client may be.
    pub(crate) pace: Pace,
}

impl Upload {
    /// Nothing was sent yet, and `received` bytes came with the head; `None` for a request without content.
    pub(crate) fn of(request: &Request<'_>, received: usize) -> Option<Self> {
        if !request.has_body() {
            return None;
        }
        let limits = &request.snapshot.chunk_limits;
        let pace = Pace::new(terms(request));
        pace.received(received);
        Some(Self {
            pace,
            progress: Progress::new(&request.client.transport, request.head.framing, limits),
            kept: Kept::new(request.snapshot.config.http.retry_body_bytes),
        })
    }
}

/// How its content must come.
fn terms(request: &Request<'_>) -> Terms {
    let config = &request.snapshot.config;
    let (grace, idle) = (config.timeouts.upload_idle, config.timeouts.body_idle);
    let is_declared = matches!(request.head.framing, BodyFraming::Length(_));
    Terms {
        // A transfer of which all is there has no reason to pause. One that is made while it is sent (a pack of
        // git, an archive) may, as long as what it has sent before pays for the pause.
        silence_max: match is_declared {
            true => grace.min(idle),
            false => idle,
        },
        grace,
        bytes_per_second_min: config.limits.upload_rate_min,
        is_open_ended: !is_declared,
    }
}

/// Whether the content is the client's half of a call of gRPC, whose server begins its answer when it has a
/// message to send, which may be long after the client's last. Only HTTP/2 on both sides carries such a call
/// (its trailers), so that these words buy nothing in front of an origin that has a thread for each connection.
fn is_grpc(request: &Request<'_>, upstream: &Transport) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let is_call = || {
        let mut types = request.head.end_to_end(HeaderName::ContentType);
        let value = types.next().map(|value| value.of(request.bytes));
        let rest = value.and_then(|value| {
            let (start, rest) = value.split_at_checked(GRPC.len())?;
            start.eq_ignore_ascii_case(GRPC).then_some(rest)
        });
        // `application/grpc-web` is another protocol, in which no client streams.
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
    };
    request.client.transport.is_stream() && upstream.is_stream() && is_call()
}

/// One attempt to send it.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) upstream: &'a Transport,
    pub(crate) stop: &'a StopFlag,
    /// `None` where nothing would be sent again.
    pub(crate) kept: Option<&'a Kept>,
    pub(crate) pace: &'a Pace,
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
        match is_grpc(request, self.upstream) {
            true => self.pace.converse(),
            // It may have been one over the connection that was tried before.
            false => self.pace.resume(&request.client.transport),
        }
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
            pace: Some(self.pace),
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

/// The origin has answered while content is still sent. If it reads no further, what is still sent would
/// only fill its window; if it does, it no longer talks, and the client is not waited for without end.
pub(crate) fn after_answer(attempt: &Attempt<'_>, wants_the_rest: bool) {
    if wants_the_rest {
        attempt.pace.resume(&attempt.request.client.transport);
    } else {
        attempt.stop.stop();
        attempt.upstream.cut();
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
    let end = clock::now() + request.snapshot.config.timeouts.linger;
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
        client.arm_read(end.saturating_duration_since(clock::now()));
        match input.fill(client, pool, BULK_BUFFER_BYTES).await {
            Ok(0) | Err(_) => return false,
            Ok(more) => bytes += more,
        }
    }
    false
}
