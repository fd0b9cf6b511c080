//! A tunnel of unknown protocol in which the client is silent at first: what the server says is passed
//! on at once, and what the client then says is looked at before the server gets it.
//!
//! Otherwise an origin could switch inspection off by speaking first, and a client by waiting.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sallyport_wire::sniff::Sniff;
use sallyport_wire::tls::AlertDescription;

use crate::io::buffers::BULK_BUFFER_BYTES;
use crate::io::timer;
use crate::proxy_error::ProxyError;
use crate::transaction::exchange::work::ResponseWork;
use crate::transaction::request::context::Request;
use crate::transaction::request::reply::Refusal;
use crate::transaction::tunnel::flow::send_on;
use crate::transport::Transport;
use crate::transport::read_buffer::ReadBuffer;

/// Who has something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    Client,
    Server,
}

/// Waits until one of both has something to say, or has ended; `None` after `time`.
pub(crate) async fn first_to_speak(
    client: &Transport,
    server: &Transport,
    time: Duration,
) -> Option<Speaker> {
    // Readiness may be dropped; a read that is dropped could lose bytes.
    let mut client = pin!(client.readable());
    let mut server = pin!(server.readable());
    let spoken = poll_fn(|context| {
        if client.as_mut().poll(context).is_ready() {
            return Poll::Ready(Speaker::Client);
        }
        let spoken = server.as_mut().poll(context);
        spoken.map(|_| Speaker::Server)
    });
    timer::timeout(time, spoken).await.ok()
}

/// Passes on what the server says until the client's first bytes are there and are neither TLS nor
/// HTTP, which would have been inspected had they come first.
pub(crate) async fn greet(
    request: &Request<'_>,
    server: &Transport,
    work: &mut ResponseWork<'_>,
) -> Result<(), (Refusal, Option<AlertDescription>)> {
    const LATE: &str = "TLS or HTTP behind the silence of a client: too late to be inspected";
    let (client, pool) = (&request.client.transport, request.client.buffers());
    let tunnel = &request.snapshot.config.tunnel;
    let mut said = ReadBuffer::default();
    loop {
        let denied = || Refusal::new(ProxyError::HttpRequestDenied, LATE);
        let time = match Sniff::of(work.input.unread()) {
            Sniff::Unknown => break,
            Sniff::Http1 | Sniff::Http2Preface => return Err((denied(), None)),
            Sniff::Tls => {
                // Only where it is the first that the client hears is an alert one.
                let is_first = server.bytes_in() == 0;
                let alert = is_first.then_some(AlertDescription::AccessDenied);
                return Err((denied(), alert));
            }
            Sniff::NeedMore if work.input.is_empty() => tunnel.idle_timeout,
            Sniff::NeedMore => tunnel.sniff_timeout,
        };
        match first_to_speak(client, server, time).await {
            Some(Speaker::Client) => {
                let most = crate::limits::HEAD_BYTES_MAX;
                if !matches!(work.input.fill(client, pool, most).await, Ok(1..)) {
                    break;
                }
            }
            Some(Speaker::Server) => {
                if !matches!(said.fill(server, pool, BULK_BUFFER_BYTES).await, Ok(1..)) {
                    break;
                }
                client.arm(request.snapshot.config.timeouts.body_idle);
                let sent = send_on(&mut said, client).await;
                client.disarm();
                if sent.is_err() {
                    break;
                }
                said.release(pool);
            }
            None => {
                let slow = "the client stalled within its first message";
                let slow = Refusal::with_status(408, ProxyError::ConnectionReadTimeout, slow);
                return Err((slow, None));
            }
        }
    }
    said.release(pool);
    Ok(())
}
