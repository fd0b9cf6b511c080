//! One request and its response on an upstream connection.

use std::cell::Cell;
use std::net::{Shutdown, SocketAddr};
use std::time::Instant;

use sallyport_wire::http1::{
    BodyFraming, BodyReader, HeaderName, Parse, RequestForward, ResponseForward, ResponseHead,
    Version, encode_request, encode_response,
};

use super::absolute::may_switch;
use super::body::{BodyRelay, RelayError, StopFlag};
use super::destination::Destination;
use super::forwarded;
use super::record::Draft;
use super::reply::Refusal;
use super::request::{Request, response_headers};
use crate::enforcement::{self, Dialable, Permitted, Released};
use crate::io::buffers::ReadBuffer;
use crate::io::join::join;
use crate::io::socket::Socket;
use crate::upstream::dial::dial;
use crate::upstream::pool::{PoolKey, UpstreamConnection};

/// Storage that an exchange works in.
#[derive(Debug)]
pub(crate) struct ResponseWork<'a> {
    pub(crate) head: &'a mut ResponseHead,
    pub(crate) out: &'a mut Vec<u8>,
    /// What the client has sent behind the request head.
    pub(crate) input: &'a mut ReadBuffer,
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
    pub(crate) upstream: UpstreamConnection,
    /// What the origin has sent behind its 101.
    pub(crate) early: ReadBuffer,
}

/// Most interim responses before a final one.
const INTERIM_RESPONSES_MAX: usize = 64;

/// Why an attempt on one connection came to nothing.
enum Failure {
    /// A pooled connection had died before: nothing of the response was there, and the request is
    /// one that may be sent again (RFC 9110 section 9.2.2).
    Stale,
    Refused(Refusal),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Sends a permitted request and forwards what comes back.
pub(super) async fn exchange(
    request: &Request<'_>,
    destination: &Destination<'_>,
    dialable: &Dialable,
    permitted: &Permitted,
    draft: &mut Draft,
    work: &mut ResponseWork<'_>,
) -> Result<Exchanged, Refusal> {
    if let Some(upstream) = check_out(request, destination, dialable) {
        match attempt(request, destination, upstream, permitted, draft, work).await {
            Err(Failure::Stale) => {}
            Err(Failure::Refused(refusal)) => return Err(refusal),
            Ok(exchanged) => return Ok(exchanged),
        }
    }
    let upstream = connect(request, dialable, draft).await?;
    match attempt(request, destination, upstream, permitted, draft, work).await {
        Ok(exchanged) => Ok(exchanged),
        Err(Failure::Refused(refusal)) => Err(refusal),
        Err(Failure::Stale) => Err(Refusal::terminated("the origin closed the connection")),
    }
}

/// An idle connection to one of the addresses.
fn check_out(
    request: &Request<'_>,
    destination: &Destination<'_>,
    dialable: &Dialable,
) -> Option<UpstreamConnection> {
    let host = destination.host.as_str();
    let mut pool = request.shard.pool.borrow_mut();
    for address in dialable.addresses() {
        let address = SocketAddr::new(*address, dialable.port());
        while let Some(upstream) = pool.check_out(PoolKey { host, address }) {
            // What is readable before a request was sent is an end, or a response that answers
            // nothing: to believe it would answer this request with another one's content.
            if !upstream.socket.is_readable_now() {
                return Some(upstream);
            }
        }
    }
    None
}

/// A new connection to one of the addresses.
pub(super) async fn connect(
    request: &Request<'_>,
    dialable: &Dialable,
    draft: &mut Draft,
) -> Result<UpstreamConnection, Refusal> {
    let started = Instant::now();
    let dialed = dial(dialable, request.snapshot.dial_limits).await;
    draft.t_connect = Some(started.elapsed());
    let (stream, address) = dialed?;
    let socket = Socket::new(stream, &request.shard.wheel);
    Ok(UpstreamConnection {
        socket,
        address,
        reused: false,
    })
}

fn is_repeatable(request: &Request<'_>) -> bool {
    request.head.method_kind.is_idempotent() && !request.has_body()
}

async fn attempt(
    request: &Request<'_>,
    destination: &Destination<'_>,
    upstream: UpstreamConnection,
    permitted: &Permitted,
    draft: &mut Draft,
    work: &mut ResponseWork<'_>,
) -> Result<Exchanged, Failure> {
    let counted = (upstream.socket.bytes_out(), upstream.socket.bytes_in());
    draft.dst_ip = Some(upstream.address.ip());
    draft.upstream_reused = Some(upstream.reused);
    let mut input = ReadBuffer::default();
    let ended = converse(
        request,
        destination,
        &upstream.socket,
        permitted,
        draft,
        work,
        &mut input,
    )
    .await;
    draft.bytes_up += upstream.socket.bytes_out() - counted.0;
    draft.bytes_down += upstream.socket.bytes_in() - counted.1;
    let ended = match ended {
        Err(Failure::Stale) if !(upstream.reused && is_repeatable(request)) => {
            return Err(
                Refusal::terminated("the origin closed the connection without a response").into(),
            );
        }
        ended => ended?,
    };
    match ended {
        Conversation::Switched => Ok(Exchanged::Switched(Box::new(Switched {
            upstream,
            early: input,
        }))),
        Conversation::Broken => Ok(Exchanged::Broken),
        Conversation::Complete {
            client_keep_alive,
            upstream_keep_alive,
        } => {
            if upstream_keep_alive && input.is_empty() {
                let key = PoolKey {
                    host: destination.host.as_str(),
                    address: upstream.address,
                };
                let upstream = UpstreamConnection {
                    reused: true,
                    ..upstream
                };
                request
                    .shard
                    .pool
                    .borrow_mut()
                    .check_in(key, upstream, Instant::now());
            }
            input.consume(usize::MAX);
            input.release(&request.shard.buffers);
            Ok(Exchanged::Complete {
                keep_alive: client_keep_alive,
            })
        }
    }
}

/// How a request and its response went over one connection.
enum Conversation {
    Complete {
        client_keep_alive: bool,
        upstream_keep_alive: bool,
    },
    Broken,
    Switched,
}

/// Sends the request and receives the response, at once where there is a body to send.
async fn converse(
    request: &Request<'_>,
    destination: &Destination<'_>,
    upstream: &Socket,
    permitted: &Permitted,
    draft: &mut Draft,
    work: &mut ResponseWork<'_>,
    input: &mut ReadBuffer,
) -> Result<Conversation, Failure> {
    let ResponseWork {
        head,
        out,
        input: client_input,
    } = work;
    encode(request, destination, permitted, out);
    let response_timeout = request.snapshot.config.timeouts.response;
    let sent = Cell::new(None);
    let answer = Answer {
        request,
        destination,
        upstream,
        sent: &sent,
    };
    if !request.has_body() {
        upstream.arm(response_timeout);
        let (result, mut storage) = upstream.write_all(std::mem::take(*out)).await;
        storage.clear();
        **out = storage;
        if result.is_err() {
            return Err(Failure::Stale);
        }
        sent.set(Some(Instant::now()));
        return answer.receive(draft, head, out, input).await;
    }
    let mut request_out = std::mem::take(*out);
    let stop = StopFlag::default();
    let receive = async {
        let received = answer.receive(draft, head, out, input).await;
        if sent.get().is_none() {
            // The origin has answered without wanting the rest.
            stop.stop();
            upstream.shut_down(Shutdown::Both);
        }
        received
    };
    let upload = async {
        let relay = BodyRelay {
            from: &request.client.socket,
            to: upstream,
            pool: &request.shard.buffers,
            idle: request.snapshot.config.timeouts.body_idle,
            framing: request.head.framing,
            stop: Some(&stop),
        };
        let mut reader = BodyReader::new(request.head.framing, &request.snapshot.chunk_limits);
        let result = relay.run(client_input, &mut reader, &mut request_out).await;
        request.client.socket.disarm();
        match result {
            Ok(()) => {
                sent.set(Some(Instant::now()));
                upstream.arm(response_timeout);
            }
            // The origin may have answered before it stopped listening.
            Err(RelayError::Write | RelayError::Stopped) => {}
            Err(_) => upstream.shut_down(Shutdown::Both),
        }
        result
    };
    let (received, uploaded) = join(receive, upload).await;
    conclude_upload(request, uploaded, received)
}

/// A fault in the client's body explains what then happened upstream.
fn conclude_upload(
    request: &Request<'_>,
    uploaded: Result<(), RelayError>,
    received: Result<Conversation, Failure>,
) -> Result<Conversation, Failure> {
    let refusal = match (uploaded, &received) {
        (Err(RelayError::Malformed(error)), Err(_)) => Refusal::malformed(400, error.to_string()),
        (Err(RelayError::ReadTimeout), Err(_)) => {
            Refusal::malformed(408, "the request body took too long")
        }
        (Err(RelayError::Read), Err(_)) => {
            Refusal::malformed(400, "the connection ended within the request body")
        }
        (Err(RelayError::Write), Err(_)) if request.client.socket.expired() => {
            Refusal::terminated("the origin did not take the request body")
        }
        _ => return received,
    };
    Err(refusal.into())
}

/// Only with a permit is a request head written.
fn encode(
    request: &Request<'_>,
    destination: &Destination<'_>,
    _permitted: &Permitted,
    out: &mut Vec<u8>,
) {
    out.clear();
    let headers = &request.snapshot.config.headers;
    let edits = &request.snapshot.request_edits;
    // Off by default; a proxy that tells may pay for the text.
    let telling = (headers.forwarded || headers.x_forwarded_for)
        .then(|| forwarded::edits(request, edits, headers));
    let forward = RequestForward {
        head: request.head,
        buf: request.bytes,
        path_and_query: destination.path_and_query,
        authority: destination.authority.as_bytes(),
        via: headers.via.as_bytes(),
        framing: request.head.framing,
        upgrade: may_switch(request),
        edits: telling.as_ref().unwrap_or(edits),
    };
    encode_request(out, &forward);
}

/// Receiving the response of one request.
struct Answer<'a> {
    request: &'a Request<'a>,
    destination: &'a Destination<'a>,
    upstream: &'a Socket,
    /// When the request had been sent whole; `None` until then.
    sent: &'a Cell<Option<Instant>>,
}

impl Answer<'_> {
    async fn receive(
        &self,
        draft: &mut Draft,
        head: &mut ResponseHead,
        out: &mut Vec<u8>,
        input: &mut ReadBuffer,
    ) -> Result<Conversation, Failure> {
        for _ in 0..INTERIM_RESPONSES_MAX {
            let head_bytes = self.read_head(head, input).await?;
            if draft.t_first_byte.is_none() {
                draft.t_first_byte = Some(
                    self.sent
                        .get()
                        .map_or_else(Default::default, |sent| sent.elapsed()),
                );
            }
            if head.status >= 200 || head.status == 101 {
                return self.finish(draft, head, head_bytes, out, input).await;
            }
            self.forward_interim(head, input, out).await?;
            input.consume(head_bytes);
        }
        Err(Refusal::protocol("too many interim responses").into())
    }

    async fn read_head(
        &self,
        head: &mut ResponseHead,
        input: &mut ReadBuffer,
    ) -> Result<usize, Failure> {
        let request = self.request;
        let limits = &request.snapshot.head_limits;
        loop {
            if !input.is_empty() {
                match head.parse(input.unread(), limits, request.head.method_kind) {
                    Ok(Parse::Complete { head_bytes }) => return Ok(head_bytes),
                    Ok(Parse::Incomplete) => {}
                    Err(error) => return Err(Refusal::protocol(error.reason()).into()),
                }
            }
            let most = limits.head_bytes_max + 1;
            match input
                .fill(self.upstream, &request.shard.buffers, most)
                .await
            {
                Ok(0) | Err(_) if self.upstream.expired() => {
                    let slow = "the origin did not answer in time";
                    return Err(Refusal::new(504, "http_response_timeout", slow).into());
                }
                Ok(0) | Err(_) if input.is_empty() => return Err(Failure::Stale),
                Ok(0) | Err(_) => {
                    let cut = "the origin closed the connection within a response head";
                    return Err(Refusal::terminated(cut).into());
                }
                Ok(_) => {}
            }
        }
    }

    /// RFC 9110 section 15.2: forwarded as they come, but not to HTTP/1.0 clients.
    async fn forward_interim(
        &self,
        head: &ResponseHead,
        input: &ReadBuffer,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        if self.request.head.version == Version::Http10 {
            return Ok(());
        }
        out.clear();
        self.encode(head, input.unread(), BodyFraming::None, false, out);
        let client = &self.request.client.socket;
        client.arm(self.request.snapshot.config.timeouts.body_idle);
        let (result, mut storage) = client.write_all(std::mem::take(out)).await;
        storage.clear();
        *out = storage;
        client.disarm();
        result.map_err(|_| Refusal::terminated("the client closed the connection").into())
    }

    /// PostRESPONSE, and then the response itself.
    async fn finish(
        &self,
        draft: &mut Draft,
        head: &ResponseHead,
        head_bytes: usize,
        out: &mut Vec<u8>,
        input: &mut ReadBuffer,
    ) -> Result<Conversation, Failure> {
        let request = self.request;
        let is_switch = head.status == 101;
        if is_switch && (!may_switch(request) || head.upgrade.is_none()) {
            return Err(Refusal::protocol("the origin switched protocols unasked").into());
        }
        let released = self.post_response(draft, head, input.unread())?;
        draft.status = Some(head.status);
        let client_keep_alive =
            request.head.keep_alive && self.sent.get().is_some() && !request.shard.is_draining();
        let framing = client_framing(head.framing, request.head.version);
        let client_keep_alive = client_keep_alive && framing != BodyFraming::UntilClose;
        out.clear();
        self.encode(
            head,
            input.unread(),
            framing,
            !client_keep_alive && !is_switch,
            out,
        );
        input.consume(head_bytes);
        let relayed = self
            .relay(head.framing, framing, released, out, input)
            .await;
        match relayed {
            Ok(()) if is_switch => Ok(Conversation::Switched),
            Ok(()) => Ok(Conversation::Complete {
                client_keep_alive,
                upstream_keep_alive: head.keep_alive
                    && self.sent.get().is_some()
                    && head.framing != BodyFraming::UntilClose,
            }),
            Err(error) => {
                note_broken(draft, error);
                Ok(Conversation::Broken)
            }
        }
    }

    fn post_response(
        &self,
        draft: &mut Draft,
        head: &ResponseHead,
        bytes: &[u8],
    ) -> Result<Released, Refusal> {
        let request = self.request;
        draft.content_type.clear();
        if let Some(content_type) = head.first(HeaderName::ContentType) {
            draft.content_type.extend_from_slice(content_type.of(bytes));
        }
        let (headers, answered) = (request.headers(), response_headers(head, bytes));
        let facts = request.post_response_facts(self.destination, &headers, draft, head, &answered);
        let rules = &request.snapshot.rules;
        let released = enforcement::post_response(rules, &facts, &mut draft.trail);
        request.write_alerts(draft, Some(self.destination));
        Ok(released?)
    }

    fn encode(
        &self,
        head: &ResponseHead,
        bytes: &[u8],
        framing: BodyFraming,
        close: bool,
        out: &mut Vec<u8>,
    ) {
        let snapshot = self.request.snapshot;
        let forward = ResponseForward {
            head,
            buf: bytes,
            via: snapshot.config.headers.via.as_bytes(),
            framing,
            close,
            client_version: self.request.head.version,
            upgrade: head.status == 101,
            edits: &snapshot.response_edits,
        };
        encode_response(out, &forward);
    }

    /// Only a released response is written to the client.
    async fn relay(
        &self,
        from: BodyFraming,
        to: BodyFraming,
        _released: Released,
        out: &mut Vec<u8>,
        input: &mut ReadBuffer,
    ) -> Result<(), RelayError> {
        let request = self.request;
        let relay = BodyRelay {
            from: self.upstream,
            to: &request.client.socket,
            pool: &request.shard.buffers,
            idle: request.snapshot.config.timeouts.body_idle,
            framing: to,
            stop: None,
        };
        let mut reader = BodyReader::new(from, &request.snapshot.chunk_limits);
        relay.run(input, &mut reader, out).await
    }
}

/// How the client gets a body that is framed like this: what ends with the connection is chunked
/// for HTTP/1.1, what is chunked ends with the connection for HTTP/1.0.
fn client_framing(framing: BodyFraming, version: Version) -> BodyFraming {
    match (framing, version) {
        (BodyFraming::UntilClose, Version::Http11) => BodyFraming::Chunked,
        (BodyFraming::Chunked, Version::Http10) => BodyFraming::UntilClose,
        (framing, _) => framing,
    }
}

fn note_broken(draft: &mut Draft, error: RelayError) {
    match error {
        RelayError::Read | RelayError::Stopped => {
            draft.fail(
                "connection_terminated",
                "the origin closed the connection within the body",
            );
        }
        RelayError::ReadTimeout => {
            draft.fail(
                "connection_read_timeout",
                "the origin stalled within the body",
            );
        }
        RelayError::Malformed(error) => draft.fail("http_protocol_error", error.to_string()),
        RelayError::Write => {
            draft.fail(
                "connection_terminated",
                "the client closed the connection within the body",
            );
        }
    }
}
