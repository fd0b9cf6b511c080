//! A client connection: head after head, each one a transaction, until one side has enough.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use sallyport_wire::http1::{HeadError, Parse, RequestHead, Scheme, Version};

use super::arrival::{Arrival, unix_seconds};
use super::destination::Destination;
use super::draft::Draft;
use super::ending::end;
use super::proxy::Proxy;
use super::reply::{Refusal, Reply};
use super::request::Request;
use super::streams::streams;
use super::tunnel::InnerScope;
use super::unasked::{Unasked, Unused};
use super::work::{Exchanged, ResponseWork};
use super::workspace::Workspace;
use super::{absolute, connect, upgrade};
use crate::access_log::{ConnectionId, TransactionId};
use crate::http2::TargetForm;
use crate::limits::REPLY_TIMEOUT;
use crate::shard::Snapshot;
use crate::shard::connections::Registered;
use crate::tls::client_identity::ClientIdentity;
use crate::transport::Transport;
use crate::transport::departure::EarlyByte;
use crate::transport::read_buffer::ReadBuffer;

pub(crate) use super::client::{ClientContext, ListenerName};

/// A connection as it was accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived {
    pub(crate) id: ConnectionId,
    pub(crate) address: SocketAddr,
    pub(crate) began: Instant,
}

/// A client connection and what has been received on it but not used.
#[derive(Debug)]
pub(crate) struct Client {
    proxy: Rc<Proxy>,
    context: ClientContext,
    input: ReadBuffer,
    began: Instant,
}

impl Client {
    pub(crate) fn new(
        proxy: &Rc<Proxy>,
        transport: Rc<Transport>,
        registered: Registered,
        arrived: Arrived,
        listener: ListenerName,
        identity: Option<Rc<ClientIdentity>>,
    ) -> Self {
        let Arrived { id, address, began } = arrived;
        let context = ClientContext {
            id,
            address,
            listener,
            registered: Rc::new(registered),
            principal: identity.as_ref().and_then(|identity| identity.principal()),
            identity,
            early_byte: EarlyByte::default(),
            pins: Rc::default(),
            transport,
        };
        Self {
            proxy: Rc::clone(proxy),
            context,
            input: ReadBuffer::default(),
            began,
        }
    }
}

/// What becomes of the connection after a transaction.
#[derive(Debug)]
pub(super) enum After {
    /// Another request may follow.
    Next,
    /// The response said that the connection ends; unread input is discarded first.
    Linger,
    /// It ends now.
    Close,
    /// It becomes a tunnel, once what a session holds has been let go of.
    Connect(Arrival),
}

/// Serves a client connection to its end.
pub(crate) async fn serve(mut client: Client) {
    let Client {
        proxy,
        context,
        input,
        began,
    } = &mut client;
    // Boxed: a session is large, and gone while a tunnel lives.
    let after = match Box::pin(requests(proxy, context, input, None)).await {
        After::Connect(arrival) => connect::serve(proxy, context, input, arrival).await,
        after => after,
    };
    end(&proxy.shard, context, input, after).await;
    if !context.registered.has_asked() {
        let unasked = Unasked {
            shard: &proxy.shard,
            id: context.id,
            client: context.address,
            listener: &context.listener,
            began: *began,
        };
        unasked.unused(match context.transport.expired() {
            true => Unused::TIMED_OUT,
            false => Unused::ENDED,
        });
    }
}

/// Serves the requests of a connection, or of a tunnel on it (`scope`).
pub(super) async fn requests(
    proxy: &Rc<Proxy>,
    client: &ClientContext,
    input: &mut ReadBuffer,
    scope: Option<&InnerScope<'_>>,
) -> After {
    if client.transport.speaks_http2() {
        return whole_streams(proxy, client, input, scope).await;
    }
    while has_request(proxy, client, input, scope).await {
        match transaction(proxy, client, input, scope).await {
            After::Next => {}
            after => return after,
        }
    }
    After::Close
}

/// The same inside TLS, where a tunnel has enough to hold while it idles: what a transaction needs is
/// allocated for each, as TLS does for each record anyway.
pub(super) async fn requests_in_tls(
    proxy: &Rc<Proxy>,
    client: &ClientContext,
    input: &mut ReadBuffer,
    scope: &InnerScope<'_>,
) -> After {
    let scope = Some(scope);
    if client.transport.speaks_http2() {
        return whole_streams(proxy, client, input, scope).await;
    }
    while has_request(proxy, client, input, scope).await {
        match Box::pin(transaction(proxy, client, input, scope)).await {
            After::Next => {}
            after => return after,
        }
    }
    After::Close
}

/// Serves a connection on which HTTP/2 was agreed on.
async fn whole_streams(
    proxy: &Rc<Proxy>,
    client: &ClientContext,
    input: &mut ReadBuffer,
    scope: Option<&InnerScope<'_>>,
) -> After {
    let form = match scope {
        Some(_) => TargetForm::Origin(Scheme::Https),
        None => TargetForm::Absolute,
    };
    // Boxed: it holds the futures of all streams, which most connections never have.
    Box::pin(streams(proxy, client, input, scope, form)).await;
    After::Close
}

/// Waits for the first bytes of the next request, holding nothing; `false` if none comes.
async fn has_request(
    proxy: &Rc<Proxy>,
    client: &ClientContext,
    input: &mut ReadBuffer,
    scope: Option<&InnerScope<'_>>,
) -> bool {
    if input.is_empty() {
        input.release(client.buffers());
        if proxy.shard.is_draining() && scope.is_some() {
            return false;
        }
        client.registered.set_idle(true);
        client
            .transport
            .arm_read(proxy.shard.config().timeouts.keep_alive);
        let waiting = input.wait(&client.transport, client.buffers());
        let has_bytes = match scope {
            None => waiting.await,
            Some(scope) => {
                let end = || client.transport.stop_receiving();
                scope.tunnel.unless_over(waiting, end).await
            }
        };
        client.registered.set_idle(false);
        if !has_bytes || client.transport.expired() {
            return false;
        }
    }
    proxy.shard.log_room().await
}

/// How reading a head ended without one.
enum NoHead {
    /// The client went away; there is nobody to answer.
    Gone,
    Refused(Refusal),
}

/// One request, from its first byte to its log line; of a tunnel no more than its head.
pub(super) async fn transaction(
    proxy: &Rc<Proxy>,
    client: &ClientContext,
    input: &mut ReadBuffer,
    scope: Option<&InnerScope<'_>>,
) -> After {
    let snapshot = proxy.shard.snapshot();
    let mut workspace = proxy.rent_workspace();
    let mut started = None;
    let head = &mut workspace.request;
    let read = match (client.transport.fault(), client.buffers().shortage()) {
        (Some(fault), _) => Err(NoHead::Refused(Refusal::malformed(400, fault.to_string()))),
        // Not a byte of it is read.
        (None, Some(shortage)) => {
            // The next one may find room.
            proxy
                .shard
                .holders
                .relieve(&proxy.shard.buffers, Instant::now());
            Err(NoHead::Refused(shortage.into()))
        }
        (None, None) => read_head(client, &snapshot, input, head, &mut started).await,
    };
    // A head may be long in coming.
    let snapshot = proxy.shard.snapshot();
    let started = started.unwrap_or_else(Instant::now);
    let unix_time = unix_seconds();
    workspace.draft.transaction = Some(proxy.shard.transaction_id());
    workspace.bytes.clear();
    if matches!(read, Err(NoHead::Gone)) {
        proxy.give_back_workspace(workspace);
        return After::Close;
    }
    client.registered.set_asked();
    let refusal = match read {
        Err(NoHead::Gone) => None,
        Err(NoHead::Refused(refusal)) => {
            workspace.request = RequestHead::new();
            Some(refusal)
        }
        Ok(head_bytes) => {
            // A copy of the few hundred bytes that matter: the buffer they came in is not held
            // while the origin thinks, or for the life of a tunnel.
            let head = input.unread().get(..head_bytes).unwrap_or_default();
            workspace.bytes.extend_from_slice(head);
            input.consume(head_bytes);
            input.release(client.buffers());
            let limits = &snapshot.config.limits.per_client;
            let limited = client.registered.account().count_request(limits, unix_time);
            let refused = limited.err().map(Refusal::from);
            refused.or_else(|| client.check_identity(&snapshot).err())
        }
    };
    if client.transport.is_stream() {
        workspace.request.version = Version::Http2;
    }
    let is_connect = workspace.request.is_connect && scope.is_none();
    let arrival = Arrival {
        snapshot,
        workspace,
        started,
        unix_time,
    };
    match refusal {
        None if is_connect => After::Connect(arrival),
        refusal => respond(proxy, client, input, scope, arrival, refusal).await,
    }
}

/// Forwards a request or refuses it.
async fn respond(
    proxy: &Rc<Proxy>,
    client: &ClientContext,
    input: &mut ReadBuffer,
    scope: Option<&InnerScope<'_>>,
    mut arrival: Arrival,
    refusal: Option<Refusal>,
) -> After {
    let Workspace {
        request: head,
        bytes,
        response,
        path,
        uri,
        domain,
        draft,
    } = &mut *arrival.workspace;
    let request = Request {
        proxy,
        client,
        snapshot: &arrival.snapshot,
        head,
        bytes,
        started: arrival.started,
        unix_time: arrival.unix_time,
        tls: scope.and_then(|scope| scope.tls),
        target_origin: None,
        tunnel: scope.map(|scope| scope.tunnel),
        standing: None,
    };
    draft.tls = request.tls.map(|tls| Rc::clone(&tls.notes));
    let after = match refusal {
        Some(refusal) => {
            draft.fail(refusal.error, refusal.detail.clone());
            let is_readable = !bytes.is_empty();
            let after = refuse(&request, &refusal, draft, is_readable).await;
            draft.finish(&request, None);
            after
        }
        None => {
            let mut work = ResponseWork {
                head: response,
                input,
                upload: None,
                held: None,
            };
            let texts = absolute::Scratch::of(path, uri, domain);
            absolute::serve(&request, scope, texts, draft, &mut work).await
        }
    };
    proxy.give_back_workspace(arrival.workspace);
    after
}

/// Ends a forwarded request: reply if there is one to make, log line, what is next.
pub(super) async fn conclude(
    request: &Request<'_>,
    destination: Option<&Destination<'_>>,
    outcome: Result<Exchanged, Refusal>,
    draft: &mut Draft,
    work: &mut ResponseWork<'_>,
) -> After {
    let after = match outcome {
        Ok(Exchanged::Complete { keep_alive: true }) => After::Next,
        Ok(Exchanged::Complete { keep_alive: false }) => After::Linger,
        Ok(Exchanged::Broken) => {
            // Without a word: what the client has is not all there is.
            request.client.transport.cut();
            After::Close
        }
        Ok(Exchanged::Switched(switched)) => {
            let tunnel = upgrade::tunnel(request, destination, *switched, draft, work);
            Box::pin(tunnel).await;
            After::Close
        }
        Err(refusal) => {
            draft.fail(refusal.error, refusal.detail.clone());
            refuse(request, &refusal, draft, true).await
        }
    };
    draft.finish(request, destination);
    after
}

/// Sends a reply of ours.
pub(super) async fn refuse(
    request: &Request<'_>,
    refusal: &Refusal,
    draft: &mut Draft,
    is_readable: bool,
) -> After {
    let Request {
        client,
        snapshot,
        head,
        bytes,
        ..
    } = *request;
    // What follows a refused CONNECT was meant for its tunnel, and must not be read as requests
    // (RFC 9931). A stream of HTTP/2 ends with its CONNECT anyway.
    let is_tunnel = head.is_connect && !client.transport.is_stream();
    let close =
        refusal.closes || is_tunnel || !head.keep_alive || request.has_body() || request.is_last();
    let rule = draft.trail.decided.and_then(|decision| {
        let bundle = draft.snapshot(request).rules.bundle();
        decision
            .rule
            .map(|rule| bundle.rule_name(decision.phase, rule))
    });
    let mut out = client.buffers().rent();
    let _lease = client.buffers().lease(out.capacity());
    Reply {
        refusal,
        transaction: draft.transaction.unwrap_or(TransactionId(0)),
        rule: rule.filter(|_| refusal.phase.is_some() && snapshot.config.responses.reveal_rule),
        config: &snapshot.config,
        request: is_readable.then_some((head, bytes)),
        close,
    }
    .encode(&mut out);
    client.early_byte.trim(&mut out);
    client
        .transport
        .arm(snapshot.config.timeouts.body_idle.min(REPLY_TIMEOUT));
    let (result, out) = client.transport.write_all(out).await;
    client.buffers().give_back(out);
    draft.status = Some(refusal.status);
    match (result, close) {
        (Err(_), _) => After::Close,
        (Ok(()), true) => After::Linger,
        (Ok(()), false) => After::Next,
    }
}

/// Receives until a head is complete; `started` is set when its first bytes are there.
async fn read_head(
    client: &ClientContext,
    snapshot: &Snapshot,
    input: &mut ReadBuffer,
    head: &mut RequestHead,
    started: &mut Option<Instant>,
) -> Result<usize, NoHead> {
    let limits = &snapshot.head_limits;
    let mut seen = 0;
    loop {
        if !input.is_empty() {
            if started.is_none() {
                *started = Some(Instant::now());
                client.transport.arm_read(snapshot.config.timeouts.head);
            }
            match head.parse_after(seen, input.unread(), limits) {
                Ok(Parse::Complete { head_bytes }) => {
                    client.transport.disarm();
                    return Ok(head_bytes);
                }
                Ok(Parse::Incomplete) => seen = input.unread().len(),
                Err(error) => return Err(NoHead::Refused(malformed(error))),
            }
        }
        // One byte more than the limit: the parser then says that it is too large.
        match input
            .fill(
                &client.transport,
                client.buffers(),
                limits.head_bytes_max + 1,
            )
            .await
        {
            Ok(0) if client.transport.expired() && started.is_some() => {
                let slow = Refusal::malformed(408, "the request head took too long");
                return Err(NoHead::Refused(slow));
            }
            Ok(0) | Err(_) if started.is_some() => {
                let cut = Refusal::malformed(400, "the connection ended within a request head");
                return Err(NoHead::Refused(cut));
            }
            Ok(0) | Err(_) => return Err(NoHead::Gone),
            Ok(_) => {}
        }
    }
}

fn malformed(error: HeadError) -> Refusal {
    Refusal::malformed(error.status(), error.reason())
}
