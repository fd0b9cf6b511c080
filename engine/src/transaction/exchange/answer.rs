//! The response of one request: interim responses, PostRESPONSE, and then the response itself.

use std::borrow::Cow;
use std::cell::Cell;
use std::pin::pin;
use std::time::Instant;

use sallyport_wire::http1::{
    BodyFraming, ChunkLimits, HeaderName, ResponseForward, ResponseHead, Version, encode_response,
};

use crate::clock;
use crate::enforcement::Released;
use crate::http2;
use crate::http2::OutboundHead;
use crate::io::buffers::WriteBuffer;
use crate::proxy_error::ProxyError;
use crate::transaction::exchange::body::{BodyRelay, Progress, RelayError};
use crate::transaction::exchange::interim_count::Interim;
use crate::transaction::exchange::kept::Kept;
use crate::transaction::exchange::pace::Pace;
use crate::transaction::exchange::{pinned, switching};
use crate::transaction::phases;
use crate::transaction::phases::Answered;
use crate::transaction::request::context::Request;
use crate::transaction::request::date::Date;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::progress::{Counted, LongStep};
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::Refusal;
use crate::transport::Transport;
use crate::transport::read_buffer::ReadBuffer;
use crate::upstream::pinned::Challenge;

/// Why an attempt on one connection came to nothing.
pub(crate) enum Failure {
    /// A pooled connection had died before: nothing of the response was there, and the request is
    /// one that may be sent again (RFC 9110 section 9.2.2).
    Stale,
    /// The same of an origin that wants it over HTTP/1.1.
    OverHttp1,
    Refused(Refusal),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// How a request and its response went over one connection.
pub(crate) enum Conversation {
    Complete {
        client_keep_alive: bool,
        upstream_keep_alive: bool,
        challenge: Challenge,
    },
    Broken,
    Switched,
}

/// Receiving the response of one request.
pub(crate) struct Answer<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) destination: &'a Destination<'a>,
    pub(crate) upstream: &'a Transport,
    /// What has flowed on it since the request began.
    pub(crate) counted: Counted<'a>,
    /// When the request had been sent whole; `None` until then.
    pub(crate) sent: &'a Cell<Option<Instant>>,
    /// What is kept of the request until the response begins.
    pub(crate) kept: Option<&'a Kept>,
    /// How its content comes, if it has any.
    pub(crate) pace: Option<&'a Pace>,
    /// The connection is this client's own.
    pub(crate) is_pinned: bool,
    /// Whether a client that waits for it was told to send its content (100).
    pub(crate) continued: Cell<bool>,
    /// Room for the text of a head that is sent in a stream.
    pub(crate) head_text: Cell<Vec<u8>>,
}

/// What is made for the head of a response.
#[derive(Debug)]
struct Made {
    date: Option<Date>,
    websocket_accept: Option<Vec<u8>>,
}

impl<'a> Answer<'a> {
    /// That of a request which is about to be sent on `upstream`.
    pub(crate) fn new(
        request: &'a Request<'a>,
        destination: &'a Destination<'a>,
        upstream: &'a Transport,
        sent: &'a Cell<Option<Instant>>,
    ) -> Self {
        Self {
            request,
            destination,
            upstream,
            counted: Counted::new(upstream),
            sent,
            kept: None,
            pace: None,
            is_pinned: false,
            continued: Cell::new(false),
            head_text: Cell::default(),
        }
    }
}

impl Answer<'_> {
    pub(crate) async fn receive(
        &self,
        draft: &mut RecordBuilder,
        head: &mut ResponseHead,
        input: &mut ReadBuffer,
    ) -> Result<Conversation, Failure> {
        let mut interim = Interim::default();
        loop {
            let head_bytes = match self.read_head(draft, head, input).await {
                // What was answered at all has been processed, or will be.
                Err(Failure::Stale) if interim.has_begun() && self.upstream.is_stream() => {
                    const CUT: &str = "the origin ended the stream after an interim response";
                    let fault = self.upstream.origin_fault();
                    return Err(
                        Refusal::protocol(fault.map_or_else(|| CUT.into(), Cow::from)).into(),
                    );
                }
                Err(Failure::Stale) if interim.has_begun() => {
                    const CUT: &str = "the origin closed the connection after an interim response";
                    return Err(Refusal::terminated(CUT).into());
                }
                head_bytes => head_bytes?,
            };
            let Some(head_bytes) = head_bytes else {
                const DETAIL: &str = "the client closed the connection before the response";
                draft.fail(ProxyError::ConnectionTerminated, DETAIL);
                return Ok(Conversation::Broken);
            };
            // An origin that answers has taken the request: it is not sent again.
            if let Some(kept) = self.kept {
                kept.let_go(self.request.client.buffers());
            }
            draft.upstream_version = Some(head.version);
            // The first head counts, an interim one too: that is when the origin was heard of.
            if draft.t_first_byte.is_none() {
                draft.t_first_byte =
                    Some(self.sent.get().map_or_else(Default::default, clock::since));
            }
            if head.status >= 200 || head.status == 101 {
                return self.finish(draft, head, head_bytes, input).await;
            }
            self.continued
                .set(self.continued.get() || head.status == 100);
            interim.note(head_bytes, self.request.snapshot.config.limits.interim)?;
            self.forward_interim(draft, head, input).await?;
            input.consume(head_bytes);
            if self.sent.get().is_some() {
                // The origin is at work.
                self.upstream
                    .arm(self.request.snapshot.config.timeouts.response);
            }
        }
    }

    /// The origin may take its time with either part of a response.
    pub(crate) fn long_step(&self) -> LongStep<'_> {
        LongStep {
            request: self.request,
            destination: self.destination,
            counted: Some(self.counted),
        }
    }

    /// Only a released interim response is written to the client.
    pub(crate) async fn write_interim(
        &self,
        _released: Released,
        head: &ResponseHead,
        input: &ReadBuffer,
    ) -> Result<(), Failure> {
        let pool = self.request.client.buffers();
        let made = self.made(head);
        let forward = self.outbound((head, input.unread()), &made, BodyFraming::None, false);
        let client = &self.request.client.transport;
        client.arm(self.request.snapshot.config.timeouts.body_idle);
        let result = if client.is_stream() {
            client
                .send_head(OutboundHead::Response(&forward), false)
                .await
        } else {
            let mut out = pool.rent();
            let _lease = pool.lease(out.capacity());
            encode_response(&mut out, &forward);
            self.request.client.early_byte.trim(&mut out);
            let (result, out) = client.write_all(out).await;
            pool.give_back(out);
            result
        };
        client.disarm();
        // A client that was told to go on (100) is waited for, but not for ever.
        if let Some(pace) = self.pace {
            pace.rearm(client);
        }
        result.map_err(|_| {
            let is_slow = client.expired();
            Refusal::terminated(match is_slow {
                true => "the client was too slow to take an interim response",
                false => "the client closed the connection",
            })
            .into()
        })
    }

    /// PostRESPONSE, and then the response itself.
    async fn finish(
        &self,
        draft: &mut RecordBuilder,
        head: &ResponseHead,
        head_bytes: usize,
        input: &mut ReadBuffer,
    ) -> Result<Conversation, Failure> {
        let request = self.request;
        let is_switch = head.status == 101;
        // A switch that nobody asked for would turn a judged exchange into bytes that no rule sees.
        if is_switch && !switching::fits(request, head, input.unread()) {
            const DETAIL: &str = "the origin switched to a protocol that was not asked for";
            return Err(Refusal::protocol(DETAIL).into());
        }
        let released = phases::post_response(self.answered(head, input.unread()), draft)?;
        draft.status = Some(head.status);
        if let Some(pace) = self.pace {
            pace.converse();
        }
        // From here on the connection may speak for the client that goes on with the handshake (RFC 4559 section 6).
        let challenge = match head.status {
            401 => pinned::challenge(&head.headers, input.unread()),
            _ => Challenge::None,
        };
        let upstream_keep_alive = head.keep_alive && head.framing != BodyFraming::UntilClose;
        let client_keep_alive = request.head.keep_alive
            && self.takes_all_content(head)
            && !request.is_last()
            // What was authenticated ends, and the client is to know.
            && (upstream_keep_alive || !self.is_pinned);
        let framing = client_framing(head.framing, request.head.version);
        let client_keep_alive = client_keep_alive && framing != BodyFraming::UntilClose;
        let closes = !client_keep_alive && !is_switch;
        let made = self.made(head);
        let client = request.client;
        let mut out = WriteBuffer::default();
        let mut text = self.head_text.take();
        text.clear();
        if client.transport.is_stream() {
            // What it came in is soon filled with content.
            text.extend_from_slice(input.unread());
        } else {
            out.ensure(client.buffers());
            let forward = self.outbound((head, input.unread()), &made, framing, closes);
            encode_response(&mut out.data, &forward);
        }
        let forward = (client.transport.is_stream())
            .then(|| self.outbound((head, &text), &made, framing, closes));
        let typed = forward.as_ref().map(OutboundHead::Response);
        let was_sent = client.early_byte.trim(&mut out.data);
        // A fault that is found before any of this has left can still be answered with a 502.
        let sent_before = client.transport.bytes_out();
        input.consume(head_bytes);
        let relayed = {
            let framings = (head.framing, framing);
            let relaying = pin!(self.relay(framings, typed, released, &mut out, input));
            self.long_step().watch(draft, relaying).await
        };
        self.head_text.set(text);
        out.data.clear();
        out.release(request.client.buffers());
        match relayed {
            Ok(()) if is_switch => Ok(Conversation::Switched),
            Ok(()) => Ok(Conversation::Complete {
                client_keep_alive,
                upstream_keep_alive,
                challenge,
            }),
            // What is wrong was found before a byte of the head had left: the client can be told.
            Err(RelayError::Malformed(error)) if client.transport.bytes_out() == sent_before => {
                client.early_byte.restore(was_sent);
                Err(Refusal::protocol(error.to_string()).into())
            }
            Err(error) => {
                self.note_broken(draft, error);
                Ok(Conversation::Broken)
            }
        }
    }

    /// What PostRESPONSE judges.
    pub(crate) fn answered<'h>(&'h self, head: &'h ResponseHead, bytes: &'h [u8]) -> Answered<'h> {
        Answered {
            request: self.request,
            destination: self.destination,
            head,
            bytes,
        }
    }

    fn made(&self, head: &ResponseHead) -> Made {
        let client = &self.request.client.transport;
        let switches = head.status == 101 && self.upstream.is_stream() && !client.is_stream();
        let request = self.request;
        let key = || {
            request
                .head
                .header_values(request.bytes, WEBSOCKET_KEY)
                .next()
        };
        Made {
            date: head
                .end_to_end(HeaderName::Date)
                .next()
                .is_none()
                .then(Date::now),
            websocket_accept: key().filter(|_| switches).map(http2::websocket_accept),
        }
    }

    /// A response as it is sent to the client.
    fn outbound<'f>(
        &'f self,
        (head, bytes): (&'f ResponseHead, &'f [u8]),
        made: &'f Made,
        framing: BodyFraming,
        close: bool,
    ) -> ResponseForward<'f> {
        let snapshot = self.request.snapshot;
        ResponseForward {
            head,
            buf: bytes,
            via: snapshot.config.headers.via.as_bytes(),
            framing,
            close,
            client_version: self.request.head.version,
            upgrade: head.status == 101,
            websocket_accept: made.websocket_accept.as_deref(),
            session_auth: head.status == 401
                && pinned::challenge(&head.headers, bytes) != Challenge::None,
            date: made.date.as_ref().map(Date::as_bytes),
            edits: &snapshot.response_edits,
        }
    }

    /// Only a released response is written to the client.
    async fn relay(
        &self,
        (from, to): (BodyFraming, BodyFraming),
        head: Option<OutboundHead<'_>>,
        _released: Released,
        out: &mut WriteBuffer,
        input: &mut ReadBuffer,
    ) -> Result<(), RelayError> {
        let request = self.request;
        let limits = ChunkLimits {
            tolerates_blanks: true,
            ..request.snapshot.chunk_limits
        };
        let relay = BodyRelay {
            from: self.upstream,
            to: &request.client.transport,
            pool: request.client.buffers(),
            idle: request.snapshot.config.timeouts.body_idle,
            framing: to,
            limits: &limits,
            stop: None,
            kept: None,
            pace: None,
            head: Cell::new(head),
            // A stream tells by itself, and while content is received the client's deadline is in use.
            may_lose: !request.client.transport.is_stream() && self.sent.get().is_some(),
        };
        let mut progress = Progress::new(self.upstream, from, relay.limits);
        relay.run(&mut progress, input, out).await
    }

    /// Whether all content of the request was sent, or can be expected to be: the origin goes on to
    /// read it, and the client to send it.
    fn takes_all_content(&self, head: &ResponseHead) -> bool {
        let waits = self.request.head.expect_continue && !self.continued.get();
        self.sent.get().is_some() || (head.keep_alive && !waits)
    }

    /// Why the client got the begin of a response and not its end.
    fn note_broken(&self, draft: &mut RecordBuilder, error: RelayError) {
        let (token, detail): (_, Cow<'static, str>) = match error {
            RelayError::Read if let Some(fault) = self.upstream.origin_fault() => {
                (ProxyError::HttpProtocolError, fault.into())
            }
            RelayError::Read | RelayError::Stopped => (
                ProxyError::ConnectionTerminated,
                "the origin closed the connection within the body".into(),
            ),
            RelayError::ReadTimeout => (
                ProxyError::ConnectionReadTimeout,
                "the origin stalled within the body".into(),
            ),
            RelayError::Malformed(error) => {
                (ProxyError::HttpProtocolError, error.to_string().into())
            }
            RelayError::Write if self.request.client.transport.expired() => (
                ProxyError::ConnectionWriteTimeout,
                "the client was too slow to take the body".into(),
            ),
            RelayError::Write => (
                ProxyError::ConnectionTerminated,
                "the client closed the connection within the body".into(),
            ),
        };
        draft.fail(token, detail);
    }
}

const WEBSOCKET_KEY: &str = "sec-websocket-key";

/// How the client gets a body that is framed like this: what ends with the connection is chunked
/// for HTTP/1.1, what is chunked ends with the connection for HTTP/1.0.
fn client_framing(framing: BodyFraming, version: Version) -> BodyFraming {
    match (framing, version) {
        (BodyFraming::UntilClose, Version::Http11 | Version::Http2) => BodyFraming::Chunked,
        (BodyFraming::Chunked, Version::Http10) => BodyFraming::UntilClose,
        (framing, _) => framing,
    }
}
