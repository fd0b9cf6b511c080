//! One request and its response on an upstream connection.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};

use sallyport_wire::http1::{HeaderEdits, RequestForward, encode_request};

use crate::clock;
use crate::enforcement::{Dialable, Permitted};
use crate::http2::{Declined, OutboundHead, StreamTransport};
use crate::io::buffers::{BufferPool, WriteBuffer};
use crate::io::join::join;
use crate::proxy_error::ProxyError;
use crate::tls::client_certificate::CertificateDemand;
use crate::tls::configs::Versions;
use crate::transaction::exchange::answer::{Answer, Conversation, Failure};
use crate::transaction::exchange::body::{Progress, RelayError, StopFlag};
use crate::transaction::exchange::origin_connection::{Wish, check_out, open};
use crate::transaction::exchange::origin_dial::pool_key;
use crate::transaction::exchange::origin_tls::want_of_certificate;
use crate::transaction::exchange::switching::may_switch;
use crate::transaction::exchange::upload::Upload;
use crate::transaction::exchange::work::{Exchanged, ResponseWork, Switched};
use crate::transaction::exchange::{pinned, repeat, upload};
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::forwarded;
use crate::transaction::request::progress::Counted;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::Refusal;
use crate::transport::Transport;
use crate::transport::read_buffer::ReadBuffer;
use crate::upstream::pinned::Challenge;
use crate::upstream::pool::UpstreamConnection;

/// Sends a permitted request and forwards what comes back.
pub(crate) async fn exchange(
    request: &Request<'_>,
    destination: &Destination<'_>,
    permit: (&Dialable, &Permitted<'_>),
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
) -> Result<Exchanged, Refusal> {
    work.upload = Upload::of(request, work.input.unread().len());
    // NTLM and Negotiate authenticate a connection: its client waits for its own, since two requests on it at
    // once would break the handshake.
    work.held = pinned::enter(request, destination).await?;
    let exchanged = attempts(request, destination, permit, draft, work).await;
    work.held = None;
    exchanged
}

/// Over one connection after the other, as long as nothing is risked by that.
async fn attempts(
    request: &Request<'_>,
    destination: &Destination<'_>,
    (dialable, permitted): (&Dialable, &Permitted<'_>),
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
) -> Result<Exchanged, Refusal> {
    // What authenticates connections is not for HTTP/2, nor for others.
    let mut wish = match work.held {
        Some(_) => Wish {
            may_share: false,
            versions: Versions::Http1,
        },
        None => Wish {
            may_share: true,
            versions: Versions::Any,
        },
    };
    let own = work.held.as_mut();
    let mut pooled = own
        .and_then(|held| pinned::take(held, dialable))
        .or_else(|| check_out(request, destination, dialable, wish));
    let mut dialed = false;
    loop {
        // A kept connection may have died unnoticed, so its end says nothing of the origin; that of a new one does.
        let (upstream, is_last) = match pooled.take() {
            Some(upstream) => (upstream, false),
            None => {
                let (opened, is_new) = open(request, destination, dialable, wish, draft).await?;
                wish.may_share = false;
                // What an HTTP/2 origin declines to process may go over one more connection.
                let is_last = is_new && (dialed || !opened.transport.is_stream());
                dialed |= is_new;
                (opened, is_last)
            }
        };
        match attempt(request, destination, upstream, permitted, draft, work).await {
            Ok(exchanged) => return Ok(exchanged),
            Err(Failure::Refused(refusal)) => return Err(refusal),
            // Nothing of it comes back from there: this ends.
            Err(Failure::OverHttp1) => wish.versions = Versions::Http1,
            Err(Failure::Stale) if is_last => {
                return Err(Refusal::terminated("the origin closed the connection"));
            }
            Err(Failure::Stale) => {}
        }
    }
}

fn closed_early(upstream: &UpstreamConnection) -> &'static str {
    let demand = upstream.demand.as_deref();
    match demand.is_some_and(CertificateDemand::was_asked) {
        true => "the origin, which had asked for a client certificate, closed the connection",
        false => "the origin closed the connection without a response",
    }
}

/// What becomes of a request that got no response and is not sent again.
fn give_up(
    request: &Request<'_>,
    upstream: &UpstreamConnection,
    draft: &mut RecordBuilder,
) -> Result<Exchanged, Failure> {
    const DECLINED: &str =
        "the origin has not processed the request, whose content was not kept to send it again";
    if upstream.transport.declined().is_none() {
        if let Some(fault) = upstream.transport.origin_fault() {
            return Err(Refusal::protocol(fault).into());
        }
        return Err(Refusal::terminated(closed_early(upstream)).into());
    }
    if request.client.transport.decline() {
        draft.fail(ProxyError::ConnectionTerminated, DECLINED);
        return Ok(Exchanged::Broken);
    }
    Err(Refusal::terminated(DECLINED).into())
}

async fn attempt(
    request: &Request<'_>,
    destination: &Destination<'_>,
    upstream: Box<UpstreamConnection>,
    permitted: &Permitted<'_>,
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
) -> Result<Exchanged, Failure> {
    let counted = Counted::new(&upstream.transport);
    let before = repeat::before(request, &upstream);
    draft.dst_ip = Some(upstream.address.ip());
    draft.upstream_reused = Some(upstream.reused);
    draft.certificate.clone_from(&upstream.certificate);
    let mut input = ReadBuffer::default();
    let client = &request.client.transport;
    // The conversation borrows the connection, which is kept or given on afterwards.
    let (ended, gone) = {
        let conversation = pin!(converse(
            request,
            destination,
            &upstream,
            permitted,
            draft,
            work,
            &mut input,
        ));
        unless_gone(client, &upstream.transport, conversation).await
    };
    let (up, down) = counted.up_and_down();
    draft.bytes_up += up;
    draft.bytes_down += down;
    // A client that leaves with all of its answer leaves a connection that is as good as any.
    if gone && !matches!(ended, Ok(Conversation::Complete { .. })) {
        let is_answered = ended.is_ok();
        return end_early(request, &upstream.transport, is_answered, draft);
    }
    heed_http1(request, destination, &upstream);
    // In TLS 1.3 an origin refuses who shows no certificate only after the handshake (RFC 8446 section 4.4.2.4):
    // as an end of the connection under the first request.
    if ended.is_err()
        && let Some(refusal) = want_of_certificate(request, destination, upstream.said(), draft)
    {
        return Err(refusal.into());
    }
    let ended = match ended {
        Err(Failure::Stale) if !repeat::may(request, &upstream, before, work).await => {
            return give_up(request, &upstream, draft);
        }
        Err(Failure::Stale) if upstream.transport.declined() == Some(Declined::OverHttp1) => {
            return Err(Failure::OverHttp1);
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
            challenge,
        } => {
            // Bytes behind the response answer nothing that was asked: the next request would be answered with them.
            if upstream_keep_alive && input.is_empty() && !upstream.transport.is_stream() {
                keep(request, destination, upstream, challenge, work);
            }
            input.consume(usize::MAX);
            input.release(request.client.buffers());
            Ok(Exchanged::Complete {
                keep_alive: client_keep_alive,
            })
        }
    }
}

/// Remembers an origin that wants HTTP/1.1.
fn heed_http1(request: &Request<'_>, destination: &Destination<'_>, upstream: &UpstreamConnection) {
    if upstream.transport.wants_http1() {
        let key = pool_key(request.origin(), destination, upstream.address);
        request.proxy.origins.http1_only.note(key, clock::now());
    }
}

/// What becomes of an exchange that one side did not wait for, or was given up for what it held.
fn end_early(
    request: &Request<'_>,
    upstream: &Transport,
    is_answered: bool,
    draft: &mut RecordBuilder,
) -> Result<Exchanged, Failure> {
    const RESET: &str = "the client reset the stream";
    const HELD: &str = "over limits.buffer_bytes: one side does not take what the other sends";
    let is_given_up = request.client.transport.was_given_up() || upstream.was_given_up();
    let detail = if is_given_up { HELD } else { RESET };
    if is_answered {
        draft.fail(ProxyError::ConnectionTerminated, detail);
        return Ok(Exchanged::Broken);
    }
    Err(Refusal::terminated(detail).into())
}

/// Keeps a connection on which an exchange was completed: for this client, or for whoever comes next.
fn keep(
    request: &Request<'_>,
    destination: &Destination<'_>,
    mut upstream: Box<UpstreamConnection>,
    challenge: Challenge,
    work: &mut ResponseWork<'_>,
) {
    upstream.reused = true;
    upstream.has_idled = true;
    let held = work.held.take();
    if let Some(upstream) = pinned::keep(request, destination, held, upstream, challenge) {
        let key = pool_key(request.origin(), destination, upstream.address);
        let account = request.client.registered.account();
        let mut pool = request.proxy.origins.pool.borrow_mut();
        pool.check_in(key, upstream, account, clock::now());
    }
}

/// Ends the exchange as soon as the client no longer wants it, or one side was given up because of what
/// it holds; says whether it did.
async fn unless_gone<T>(
    client: &Transport,
    upstream: &Transport,
    mut conversation: Pin<&mut impl Future<Output = T>>,
) -> (T, bool) {
    // Over HTTP/1 a departure is noticed where something is waited for.
    if !client.is_stream() && !upstream.is_stream() {
        return (conversation.await, false);
    }
    let mut client_gone = pin!(client.gone());
    let mut gone = false;
    poll_fn(|context| {
        if !gone && client_gone.as_mut().poll(context).is_ready() {
            gone = true;
            upstream.cut();
        }
        // Its end has woken this task.
        if !gone && upstream.was_given_up() {
            gone = true;
            upstream.cut();
            client.cut();
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
    connection: &UpstreamConnection,
    permitted: &Permitted<'_>,
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
    input: &mut ReadBuffer,
) -> Result<Conversation, Failure> {
    let ResponseWork {
        head,
        head_text,
        input: client_input,
        upload,
        held,
    } = work;
    let pool = request.client.buffers();
    let upstream = &connection.transport;
    let sent = Cell::new(None);
    let told = told(request);
    let forward = outbound(request, permitted, told.as_ref());
    let (typed, mut out) = begin(upstream, &forward, pool);
    let mut answer = Answer::new(request, destination, upstream, &sent);
    answer.is_pinned = held.is_some();
    answer.head_text.set(std::mem::take(*head_text));
    let Some(upload) = upload else {
        send_head(request, upstream, typed, out).await?;
        sent.set(Some(clock::now()));
        let received = answer.receive(draft, head, input).await;
        **head_text = answer.head_text.take();
        return received;
    };
    // Boxed: most requests have no content, and this is as large as the rest.
    let exchange = async {
        let (progress, kept, pace) = (&mut upload.progress, &upload.kept, &upload.pace);
        // A new connection of HTTP/1 is not closed for its age, and refuses nothing unprocessed.
        let keeps = connection.has_idled || upstream.is_stream() || !kept.is_fresh();
        answer.kept = Some(kept).filter(|_| keeps);
        answer.pace = Some(pace);
        let (uploaded, received) = {
            let stop = StopFlag::default();
            let attempt = upload::Attempt {
                request,
                upstream,
                stop: &stop,
                kept: answer.kept,
                pace,
                head: typed,
            };
            let receive = pin!(async {
                let received = answer.receive(draft, head, input).await;
                if sent.get().is_none() {
                    upload::after_answer(&attempt, wants_the_rest(&received));
                }
                received
            });
            let upload = pin!(async {
                let result = attempt.send(progress, client_input, &mut out).await;
                out.data.clear();
                out.release(pool);
                sent.set(result.ok().map(|()| clock::now()));
                result
            });
            // In this order: once the body is sent, `receive` begins to look after the client.
            join(upload, receive).await
        };
        **head_text = answer.head_text.take();
        let received = conclude_upload(upstream, uploaded, received)?;
        if uploaded.is_ok() {
            return Ok(received);
        }
        // Where the client's own content failed, nobody knows where its next request begins.
        let may_go_on = uploaded == Err(RelayError::Write) && !answer.is_pinned;
        Ok(without_the_rest(request, progress, client_input, may_go_on, received).await)
    };
    Box::pin(exchange).await
}

/// The head of a request: in a stream typed, elsewhere text that waits to be written.
fn begin<'f>(
    upstream: &Transport,
    forward: &'f RequestForward<'_>,
    pool: &BufferPool,
) -> (Option<OutboundHead<'f>>, WriteBuffer) {
    let mut out = WriteBuffer::default();
    if upstream.is_stream() {
        return (Some(OutboundHead::Request(forward)), out);
    }
    out.ensure(pool);
    encode_request(&mut out.data, forward);
    (None, out)
}

/// What an exchange whose content was not sent whole leaves of both connections.
async fn without_the_rest(
    request: &Request<'_>,
    progress: &mut Progress,
    client_input: &mut ReadBuffer,
    may_go_on: bool,
    received: Conversation,
) -> Conversation {
    let Conversation::Complete {
        client_keep_alive,
        challenge,
        ..
    } = received
    else {
        return received;
    };
    // The client has all of its answer; what it still sends must not be read as a request.
    let may_go_on = client_keep_alive && may_go_on;
    Conversation::Complete {
        client_keep_alive: may_go_on && upload::discard(request, progress, client_input).await,
        upstream_keep_alive: false,
        challenge,
    }
}

/// Whether the origin, which has answered, goes on to read the content that is still to come.
fn wants_the_rest(received: &Result<Conversation, Failure>) -> bool {
    matches!(
        received,
        Ok(Conversation::Complete {
            client_keep_alive: true,
            upstream_keep_alive: true,
            ..
        })
    )
}

/// Sends a request without content.
async fn send_head(
    request: &Request<'_>,
    upstream: &Transport,
    typed: Option<OutboundHead<'_>>,
    mut out: WriteBuffer,
) -> Result<(), Failure> {
    upstream.arm(request.snapshot.config.timeouts.response);
    if let Some(head) = typed {
        let sent = upstream.send_head(head, true).await;
        return sent.map_err(|_| Failure::Stale);
    }
    let (result, mut data) = upstream.write_all(std::mem::take(&mut out.data)).await;
    data.clear();
    out.put_back(data);
    out.release(request.client.buffers());
    result.map_err(|_| Failure::Stale)
}

/// A fault in the client's body explains what then happened upstream.
fn conclude_upload(
    upstream: &Transport,
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
        (Err(RelayError::Write), Err(_)) if upstream.expired() => {
            const SLOW: &str = "the origin was too slow to take the request body";
            Refusal::new(ProxyError::ConnectionWriteTimeout, SLOW)
        }
        _ => return received,
    };
    Err(refusal.into())
}

/// What the origin is told of the client. Off by default; a proxy that tells may pay for the text.
fn told(request: &Request<'_>) -> Option<HeaderEdits> {
    let headers = &request.snapshot.config.headers;
    let edits = &request.snapshot.request_edits;
    (headers.forwarded || headers.x_forwarded_for)
        .then(|| forwarded::edits(request, edits, headers))
}

/// The request that was permitted, as it is sent.
fn outbound<'a>(
    request: &'a Request<'_>,
    permitted: &'a Permitted<'_>,
    told: Option<&'a HeaderEdits>,
) -> RequestForward<'a> {
    let outbound = permitted.outbound();
    let stream = request.client.transport.stream();
    RequestForward {
        head: outbound.head,
        buf: outbound.bytes,
        path_and_query: outbound.path_and_query,
        authority: outbound.authority.as_bytes(),
        via: request.snapshot.config.headers.via.as_bytes(),
        framing: outbound.head.framing,
        upgrade: may_switch(request),
        websocket_key: stream.and_then(StreamTransport::websocket_key),
        edits: told.unwrap_or(&request.snapshot.request_edits),
    }
}
