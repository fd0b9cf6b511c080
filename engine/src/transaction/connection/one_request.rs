//! One request of a connection: its head is read, and it is served or refused.

use std::rc::Rc;
use std::time::Instant;

use sallyport_wire::http1::{HeadError, Parse, RequestHead, Version};
use sallyport_wire::invariant::part;

use crate::clock;
use crate::identity::Subject;
use crate::shard::Snapshot;
use crate::transaction::connection::absolute;
use crate::transaction::exchange::work::ResponseWork;
use crate::transaction::request::after::After;
use crate::transaction::request::arrival::{Arrival, unix_seconds};
use crate::transaction::request::client::ClientContext;
use crate::transaction::request::context::{Enclosing, Request};
use crate::transaction::request::identify::{Asking, identify};
use crate::transaction::request::proxy::Proxy;
use crate::transaction::request::refuse::refuse;
use crate::transaction::request::reply::Refusal;
use crate::transaction::request::target::Scratch;
use crate::transaction::request::workspace::Workspace;
use crate::transaction::tunnel::scope::InnerScope;
use crate::transport::read_buffer::ReadBuffer;

/// How reading a head ended without one.
enum NoHead {
    /// The client went away; there is nobody to answer.
    Gone,
    Refused(Refusal),
}

/// One request, from its first byte to its log line; of a tunnel no more than its head.
pub(crate) async fn transaction(
    proxy: &Rc<Proxy>,
    client: &ClientContext,
    input: &mut ReadBuffer,
    scope: Option<&InnerScope<'_>>,
) -> After {
    let snapshot = proxy.shard.snapshot();
    let mut workspace = proxy.rent_workspace();
    let mut started = None;
    let read = receive(
        proxy,
        client,
        (&snapshot, &mut workspace),
        input,
        &mut started,
    )
    .await;
    // A head may be long in coming.
    let snapshot = proxy.shard.snapshot();
    let started = started.unwrap_or_else(Instant::now);
    let unix_time = unix_seconds();
    workspace.draft.transaction = Some(proxy.shard.transaction_id());
    if matches!(read, Err(NoHead::Gone)) {
        proxy.give_back_workspace(workspace);
        return After::Close;
    }
    client.registered.set_asked();
    let identified = match read {
        Err(NoHead::Gone) => Ok(client.unknown(&snapshot)),
        Err(NoHead::Refused(refusal)) => {
            workspace.request = RequestHead::new();
            Err(refusal)
        }
        Ok(head_bytes) => {
            // A copy of the few hundred bytes that matter: the buffer they came in is not held
            // while the origin thinks, or for the life of a tunnel.
            let head = part(input.unread(), ..head_bytes);
            workspace.bytes.extend_from_slice(head);
            input.consume(head_bytes);
            input.release(client.buffers());
            let asking = Asking {
                proxy,
                client,
                snapshot: &snapshot,
                unix_time,
            };
            admit(asking, scope, &workspace).await
        }
    };
    let (subject, refusal) = match identified {
        Ok(subject) => (subject, None),
        Err(refusal) => (client.unknown(&snapshot), Some(refusal)),
    };
    if client.transport.is_stream() {
        workspace.request.version = Version::Http2;
    }
    let is_connect = workspace.request.is_connect && scope.is_none();
    let arrival = Arrival {
        snapshot,
        subject,
        workspace,
        started,
        unix_time,
    };
    match refusal {
        None if is_connect => After::Connect(arrival),
        refusal => respond(proxy, client, input, scope, arrival, refusal).await,
    }
}

/// Who a request is by, if its client may ask at all.
async fn admit(
    asking: Asking<'_>,
    scope: Option<&InnerScope<'_>>,
    workspace: &Workspace,
) -> Result<Rc<Subject>, Refusal> {
    let Asking {
        client,
        snapshot,
        unix_time,
        ..
    } = asking;
    let limits = &snapshot.config.limits.per_client;
    let account = client.registered.account();
    account.count_request(limits, unix_time)?;
    match scope {
        None => identify(asking, &workspace.request, &workspace.bytes).await,
        // Whoever has opened the tunnel.
        Some(scope) => client.renewed(scope.tunnel.subject(), snapshot, unix_time),
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
        response_text,
        path,
        uri,
        domain,
        draft,
    } = &mut *arrival.workspace;
    let request = Request {
        proxy,
        client,
        subject: &arrival.subject,
        snapshot: &arrival.snapshot,
        head,
        bytes,
        started: arrival.started,
        unix_time: arrival.unix_time,
        tls: scope.and_then(|scope| scope.tls),
        target_origin: None,
        tunnel: scope.map(|scope| scope.tunnel as &dyn Enclosing),
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
                head_text: response_text,
                input,
                upload: None,
                held: None,
            };
            let texts = Scratch::of(path, uri, domain);
            absolute::serve(&request, scope, texts, draft, &mut work).await
        }
    };
    proxy.give_back_workspace(arrival.workspace);
    after
}

/// Receives a head, unless none is to be; of text, how much there is of it in `input`.
async fn receive(
    proxy: &Proxy,
    client: &ClientContext,
    (snapshot, workspace): (&Snapshot, &mut Workspace),
    input: &mut ReadBuffer,
    started: &mut Option<Instant>,
) -> Result<usize, NoHead> {
    let Workspace {
        request: head,
        bytes,
        ..
    } = workspace;
    bytes.clear();
    if let Some(fault) = client.transport.fault() {
        let refusal = Refusal::malformed(fault.status(), fault.to_string());
        return Err(NoHead::Refused(refusal));
    }
    if let Some(shortage) = client.buffers().shortage() {
        // Not a byte of it is read. The next one may find room.
        let holders = &proxy.shard.holders;
        holders.relieve(&proxy.shard.buffers, clock::now());
        return Err(NoHead::Refused(shortage.into()));
    }
    match client.transport.stream() {
        // A head that came in a stream is typed already.
        Some(stream) if stream.take_request(head, bytes) => Ok(0),
        Some(_) => Err(NoHead::Gone),
        None => read_head(client, snapshot, input, head, started).await,
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
                *started = Some(clock::now());
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
