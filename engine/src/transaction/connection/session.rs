//! A client connection: head after head, each one a transaction, until one side has enough.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use sallyport_wire::http1::Scheme;
use sallyport_wire::http2::TargetForm;

use crate::access_log::ConnectionId;
use crate::client::Peer;
use crate::observe::ListenerIndex;
use crate::shard::connections::Registered;
use crate::transaction::connection::ending::end;
use crate::transaction::connection::inside;
use crate::transaction::connection::one_request::transaction;
use crate::transaction::connection::streams::streams;
use crate::transaction::connection::unasked::{Unasked, Unused};
use crate::transaction::request::after::After;
use crate::transaction::request::arrival::Arrival;
use crate::transaction::request::proxy::Proxy;
use crate::transaction::tunnel::connect::connect;
use crate::transaction::tunnel::outcome::Tunnel;
use crate::transaction::tunnel::scope::InnerScope;
use crate::transport::Transport;
use crate::transport::departure::EarlyByte;
use crate::transport::read_buffer::ReadBuffer;

pub(crate) use crate::transaction::request::client::ClientContext;
pub(crate) use crate::transaction::request::client::ListenerName;

/// A connection as it was accepted.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) id: ConnectionId,
    pub(crate) address: SocketAddr,
    pub(crate) began: Instant,
    pub(crate) listener: ListenerName,
    /// Its place in the configuration.
    pub(crate) listener_index: ListenerIndex,
    /// What it shows of who is at its other end.
    pub(crate) peer: Peer,
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
    /// A connection that is ready for its first request, of which some may have been received.
    pub(crate) fn new(
        proxy: &Rc<Proxy>,
        (transport, input): (Rc<Transport>, ReadBuffer),
        registered: Registered,
        arrived: Arrived,
    ) -> Self {
        let Arrived {
            id,
            address,
            began,
            listener,
            listener_index,
            peer,
        } = arrived;
        let context = ClientContext {
            id,
            address,
            listener,
            listener_index,
            registered: Rc::new(registered),
            peer: Rc::new(peer),
            early_byte: EarlyByte::default(),
            pins: Rc::default(),
            transport,
        };
        Self {
            proxy: Rc::clone(proxy),
            context,
            input,
            began,
        }
    }
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
        After::Connect(arrival) => tunnel(proxy, context, input, arrival).await,
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

/// Serves a CONNECT to the end of its tunnel. What that holds is a connection again.
async fn tunnel(
    proxy: &Rc<Proxy>,
    client: &ClientContext,
    input: &mut ReadBuffer,
    mut arrival: Arrival,
) -> After {
    let after = match connect(proxy, client, input, &mut arrival).await {
        Tunnel::Ended(after) => after,
        Tunnel::Holds(inside) => {
            let requests =
                async |client: &ClientContext, input: &mut ReadBuffer, scope: &InnerScope<'_>| {
                    match scope.tls {
                        Some(_) => requests_in_tls(proxy, client, input, scope).await,
                        None => requests(proxy, client, input, Some(scope)).await,
                    }
                };
            let parts = arrival.of_connect(proxy, client);
            // Boxed: a session is large, and most tunnels hold none.
            Box::pin(inside::serve(parts, inside, input, requests)).await
        }
    };
    proxy.give_back_workspace(arrival.workspace);
    after
}

/// Serves the requests of a connection, or of a tunnel on it (`scope`).
async fn requests(
    proxy: &Rc<Proxy>,
    client: &ClientContext,
    input: &mut ReadBuffer,
    scope: Option<&InnerScope<'_>>,
) -> After {
    if client.transport.speaks_http2() || scope.is_some_and(|scope| scope.prior_knowledge) {
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
async fn requests_in_tls(
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

/// Serves a connection on which HTTP/2 is spoken.
async fn whole_streams(
    proxy: &Rc<Proxy>,
    client: &ClientContext,
    input: &mut ReadBuffer,
    scope: Option<&InnerScope<'_>>,
) -> After {
    let form = match scope {
        Some(scope) if scope.tls.is_none() => TargetForm::Origin(Scheme::Http),
        Some(_) => TargetForm::Origin(Scheme::Https),
        None => TargetForm::Absolute,
    };
    let tunnel = async |client: &ClientContext, input: &mut ReadBuffer, arrival: Arrival| {
        tunnel(proxy, client, input, arrival).await
    };
    // Boxed: it holds the futures of all streams, which most connections never have.
    Box::pin(streams(proxy, client, input, scope, form, tunnel)).await;
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
        // Most connections are idle most of the time, and hold no buffer meanwhile.
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
    // What could not be written down is not begun.
    proxy.shard.log_room().await
}
