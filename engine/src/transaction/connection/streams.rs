//! A client connection that speaks HTTP/2: each of its streams is a connection with one request.

use std::rc::Rc;

use sallyport_wire::http1::{RequestHead, Version};
use sallyport_wire::http2::TargetForm;

use crate::clock;
use crate::proxy_error::ProxyError;
use crate::transaction::connection::ending::end;
use crate::transaction::connection::http2_server;
use crate::transaction::connection::http2_server::{NoRequest, Served};
use crate::transaction::connection::one_request::transaction;
use crate::transaction::request::after::After;
use crate::transaction::request::arrival::{Arrival, unix_seconds};
use crate::transaction::request::client::ClientContext;
use crate::transaction::request::context::Request;
use crate::transaction::request::proxy::Proxy;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::tunnel::scope::InnerScope;
use crate::transport::Transport;
use crate::transport::read_buffer::ReadBuffer;

/// Serves the requests of a connection, or of a tunnel on it (`scope`); a CONNECT is given to `tunnel`.
pub(crate) async fn streams(
    proxy: &Rc<Proxy>,
    client: &ClientContext,
    input: &mut ReadBuffer,
    scope: Option<&InnerScope<'_>>,
    form: TargetForm,
    tunnel: impl AsyncFn(&ClientContext, &mut ReadBuffer, Arrival) -> After,
) {
    let early = input.unread().to_vec();
    input.consume(usize::MAX);
    input.release(client.buffers());
    client.registered.set_idle(false);
    let connection = http2_server::ClientConnection {
        shard: &proxy.shard,
        transport: &client.transport,
        registered: &client.registered,
        tunnel: scope.map(|scope| scope.tunnel),
        form,
    };
    let tunnel = &tunnel;
    let serve_stream = |stream| -> Served<'_> {
        let client = client.within(Transport::Stream(Box::new(stream)));
        Box::pin(async move {
            if !proxy.shard.log_room().await {
                return;
            }
            let mut input = ReadBuffer::default();
            let after = match transaction(proxy, &client, &mut input, scope).await {
                After::Connect(arrival) => tunnel(&client, &mut input, arrival).await,
                after => after,
            };
            // Content that comes after the response is malformed or not, and the client is told.
            end(&proxy.shard, &client, &mut input, after).await;
            input.consume(usize::MAX);
            input.release(client.buffers());
        })
    };
    let tell = |refused| tell_refused(proxy, client, scope, refused);
    http2_server::serve(connection, early, serve_stream, tell).await;
}

/// Writes the line of what HTTP/2 refused before it was a request: all that is known is who sent it.
fn tell_refused(
    proxy: &Rc<Proxy>,
    client: &ClientContext,
    scope: Option<&InnerScope<'_>>,
    refused: NoRequest,
) {
    client.registered.set_asked();
    let snapshot = proxy.shard.snapshot();
    let mut head = RequestHead::new();
    head.version = Version::Http2;
    let subject = match scope {
        None => client.unknown(&snapshot),
        Some(scope) => Rc::clone(scope.tunnel.subject()),
    };
    let request = Request {
        proxy,
        client,
        subject: &subject,
        snapshot: &snapshot,
        head: &head,
        bytes: &[],
        started: clock::now(),
        unix_time: unix_seconds(),
        tls: scope.and_then(|scope| scope.tls),
        target_origin: None,
        tunnel: None,
        standing: None,
    };
    let mut draft = RecordBuilder {
        transaction: Some(proxy.shard.transaction_id()),
        tls: request.tls.map(|tls| Rc::clone(&tls.notes)),
        ..RecordBuilder::default()
    };
    draft.fail(ProxyError::HttpRequestError, refused.detail);
    draft.finish(&request, None);
}
