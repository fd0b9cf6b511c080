//! One request and its response on an upstream connection.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Instant;

use sallyport_wire::http1::{BodyReader, RequestForward, ResponseHead, encode_request};

use super::absolute::may_switch;
use super::answer::{Answer, Conversation, Failure};
use super::body::{BodyRelay, RelayError, StopFlag};
use super::destination::Destination;
use super::forwarded;
use super::intercept::secure;
use super::record::Draft;
use super::reply::Refusal;
use super::request::Request;
use crate::enforcement::{Dialable, Permitted};
use crate::http2;
use crate::http2::session::Session;
use crate::io::buffers::ReadBuffer;
use crate::io::join::join;
use crate::io::socket::Socket;
use crate::io::transport::Transport;
use crate::tls::OriginCertificate;
use crate::tls::stream::TlsStream;
use crate::upstream::dial::dial;
use crate::upstream::pool::{PoolKey, UpstreamConnection};
use crate::upstream::tls::{Origin, Versions};

/// Storage that an exchange works in.
#[derive(Debug)]
pub(crate) struct ResponseWork<'a> {
    pub(crate) head: &'a mut ResponseHead,
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
    let mut upstream = connect(request, destination, dialable, draft).await?;
    if destination.prior_knowledge || upstream.transport.speaks_http2() {
        upstream = multiplex(request, destination, upstream).await?;
    }
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
    let mut pool = request.shard.pool.borrow_mut();
    for address in dialable.addresses() {
        let address = SocketAddr::new(*address, dialable.port());
        let key = pool_key(request.origin(), destination, address);
        if destination.prior_knowledge || key.tls.is_some() {
            let stream = pool.open_stream(key, request.shard, may_switch(request));
            if stream.is_some() {
                return stream;
            }
        }
        if destination.prior_knowledge {
            continue;
        }
        while let Some(upstream) = pool.check_out(key) {
            // What is readable before a request was sent is an end, or a response that answers
            // nothing: to believe it would answer this request with another one's content.
            if !upstream.transport.is_readable_now() {
                return Some(upstream);
            }
        }
    }
    None
}

/// What a connection to `address` is kept under.
pub(super) fn pool_key<'a>(
    origin: Option<&'a Origin<'a>>,
    destination: &Destination<'a>,
    address: SocketAddr,
) -> PoolKey<'a> {
    PoolKey {
        host: origin.map_or(destination.host.as_str(), |origin| origin.host),
        address,
        tls: origin.map(|origin| origin.parameters.id),
    }
}

/// A new connection to one of the addresses, over which TLS is spoken if the request came in TLS.
async fn connect(
    request: &Request<'_>,
    destination: &Destination<'_>,
    dialable: &Dialable,
    draft: &mut Draft,
) -> Result<UpstreamConnection, Refusal> {
    let Some(tls) = request.tls else {
        return connect_plain(request, dialable, draft).await;
    };
    if let Some(refusal) = tls.failure.take() {
        return Err(refusal);
    }
    let upstream = connect_plain(request, dialable, draft).await?;
    // Boxed: a handshake's future is large, and most requests need none.
    let versions = match may_switch(request) {
        true => Versions::Http1,
        false => Versions::Any,
    };
    let origin = &tls.origin;
    Box::pin(secure(
        request,
        destination,
        origin,
        upstream,
        versions,
        draft,
    ))
    .await
}

/// A new connection to one of the addresses, as the kernel gives it.
pub(super) async fn connect_plain(
    request: &Request<'_>,
    dialable: &Dialable,
    draft: &mut Draft,
) -> Result<UpstreamConnection, Refusal> {
    let started = Instant::now();
    let dialed = dial(dialable, request.snapshot.dial_limits).await;
    draft.t_connect = Some(started.elapsed());
    let (stream, address) = dialed.inspect_err(|error| {
        draft.dst_ip = error.address().map(|address| address.ip()).or(draft.dst_ip);
    })?;
    draft.dst_ip = Some(address.ip());
    let socket = Socket::new(stream, &request.shard.wheel);
    Ok(UpstreamConnection {
        transport: Transport::Plain(socket),
        address,
        reused: false,
        certificate: None,
    })
}

/// A stream of a new HTTP/2 connection, which other requests may use as well.
async fn multiplex(
    request: &Request<'_>,
    destination: &Destination<'_>,
    upstream: UpstreamConnection,
) -> Result<UpstreamConnection, Refusal> {
    let key = pool_key(request.origin(), destination, upstream.address);
    let shard = request.shard;
    let session = begin_session(request, upstream.transport, upstream.certificate.clone()).await?;
    let fits = !may_switch(request) || session.takes_websockets();
    let stream = session.open(shard).filter(|_| fits);
    shard.pool.borrow_mut().add_session(key, session);
    let refused = || Refusal::protocol("the origin takes no such request over HTTP/2");
    Ok(UpstreamConnection {
        transport: Transport::Stream(Box::new(stream.ok_or_else(refused)?)),
        ..upstream
    })
}

/// Begins HTTP/2 on a connection.
pub(super) async fn begin_session(
    request: &Request<'_>,
    transport: Transport,
    certificate: Option<Rc<OriginCertificate>>,
) -> Result<Session, Refusal> {
    let shard = request.shard;
    let settings = http2::Settings::of(&request.snapshot.config);
    let session = http2::session::start(shard, transport, certificate, &settings).await;
    let session = session.map_err(|error| Refusal::protocol(error.to_string()))?;
    // Until then nobody knows how many streams the origin takes, and whether WebSockets.
    session.settled().await;
    Ok(session)
}

fn closed_early(upstream: &UpstreamConnection) -> &'static str {
    let tls = upstream.transport.tls();
    match tls.is_some_and(TlsStream::was_asked) {
        true => "the origin, which had asked for a client certificate, closed the connection",
        false => "the origin closed the connection without a response",
    }
}

/// Whether a request may be sent again that a pooled connection has not answered, or that the origin
/// has declined to process (RFC 9110 section 9.2.2, RFC 9113 section 8.7).
fn is_repeatable(request: &Request<'_>, upstream: &UpstreamConnection) -> bool {
    let is_idempotent = request.head.method_kind.is_idempotent();
    let may = upstream.transport.is_refused() || (upstream.reused && is_idempotent);
    may && !request.has_body()
}

async fn attempt(
    request: &Request<'_>,
    destination: &Destination<'_>,
    upstream: UpstreamConnection,
    permitted: &Permitted,
    draft: &mut Draft,
    work: &mut ResponseWork<'_>,
) -> Result<Exchanged, Failure> {
    let counted = (
        upstream.transport.bytes_out(),
        upstream.transport.bytes_in(),
    );
    draft.dst_ip = Some(upstream.address.ip());
    draft.upstream_reused = Some(upstream.reused);
    draft.certificate.clone_from(&upstream.certificate);
    let mut input = ReadBuffer::default();
    let client = &request.client.transport;
    let conversation = converse(
        request,
        destination,
        &upstream.transport,
        permitted,
        draft,
        work,
        &mut input,
    );
    let (ended, gone) = unless_gone(client, &upstream.transport, conversation).await;
    draft.bytes_up += upstream.transport.bytes_out() - counted.0;
    draft.bytes_down += upstream.transport.bytes_in() - counted.1;
    if gone && !matches!(ended, Ok(Conversation::Complete { .. })) {
        const DETAIL: &str = "the client reset the stream";
        if ended.is_ok() {
            draft.fail("connection_terminated", DETAIL);
            return Ok(Exchanged::Broken);
        }
        return Err(Refusal::terminated(DETAIL).into());
    }
    let ended = match ended {
        Err(Failure::Stale) if !is_repeatable(request, &upstream) => {
            return Err(Refusal::terminated(closed_early(&upstream)).into());
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
            if upstream_keep_alive && input.is_empty() && !upstream.transport.is_stream() {
                let key = pool_key(request.origin(), destination, upstream.address);
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

/// Ends the exchange with the origin as soon as the client no longer wants it; says whether it did.
async fn unless_gone<T>(
    client: &Transport,
    upstream: &Transport,
    conversation: impl Future<Output = T>,
) -> (T, bool) {
    if !client.is_stream() {
        return (conversation.await, false);
    }
    let (mut client, mut conversation) = (pin!(client.gone()), pin!(conversation));
    let mut gone = false;
    poll_fn(|context| {
        if !gone && client.as_mut().poll(context).is_ready() {
            gone = true;
            upstream.cut();
        }
        let ended = conversation.as_mut().poll(context);
        ended.map(|ended| (ended, gone))
    })
    .await
}

/// Sends the request and receives the response, at once where there is a body to send.
async fn converse(
    request: &Request<'_>,
    destination: &Destination<'_>,
    upstream: &Transport,
    permitted: &Permitted,
    draft: &mut Draft,
    work: &mut ResponseWork<'_>,
    input: &mut ReadBuffer,
) -> Result<Conversation, Failure> {
    let ResponseWork {
        head,
        input: client_input,
    } = work;
    let config = &request.snapshot.config;
    let pool = &request.shard.buffers;
    let mut out = pool.rent();
    let lease = pool.lease(out.capacity());
    encode(request, destination, permitted, &mut out);
    let sent = Cell::new(None);
    let answer = Answer {
        request,
        destination,
        upstream,
        sent: &sent,
    };
    if !request.has_body() {
        upstream.arm(config.timeouts.response);
        let (result, out) = upstream.write_all(out).await;
        drop(lease);
        pool.give_back(out);
        if result.is_err() {
            return Err(Failure::Stale);
        }
        sent.set(Some(Instant::now()));
        return answer.receive(draft, head, input).await;
    }
    let stop = StopFlag::default();
    let receive = async {
        let received = answer.receive(draft, head, input).await;
        if sent.get().is_none() {
            // The origin has answered without wanting the rest.
            stop.stop();
            upstream.cut();
        }
        received
    };
    let upload = async {
        let relay = BodyRelay {
            from: &request.client.transport,
            to: upstream,
            pool,
            idle: config.timeouts.body_idle,
            framing: request.head.framing,
            stop: Some(&stop),
        };
        let mut reader = BodyReader::new(request.head.framing, &request.snapshot.chunk_limits);
        let result = relay.run(client_input, &mut reader, &mut out).await;
        drop(lease);
        pool.give_back(std::mem::take(&mut out));
        request.client.transport.disarm();
        match result {
            Ok(()) => {
                sent.set(Some(Instant::now()));
                upstream.arm(config.timeouts.response);
            }
            // The origin may have answered before it stopped listening.
            Err(RelayError::Write | RelayError::Stopped) => {}
            Err(_) => upstream.cut(),
        }
        result
    };
    // In this order: once the body is sent, `receive` begins to look after the client.
    let (uploaded, received) = join(upload, receive).await;
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
        (Err(RelayError::Write), Err(_)) if request.client.transport.expired() => {
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
