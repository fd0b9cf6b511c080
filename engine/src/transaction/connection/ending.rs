//! How a client connection ends, so that the client gets all that it was sent.

use crate::clock;
use crate::shard::Shard;
use crate::transaction::request::after::After;
use crate::transaction::request::client::ClientContext;
use crate::transport::read_buffer::ReadBuffer;

/// Ends a connection, or TLS inside it, in order.
pub(crate) async fn end(
    shard: &Shard,
    client: &ClientContext,
    input: &mut ReadBuffer,
    after: After,
) {
    // Boxed: all of a connection's life lies before it.
    if matches!(after, After::Linger) {
        Box::pin(linger(shard, client, input)).await;
    } else if client.transport.tls().is_some() {
        client.transport.arm(shard.config().timeouts.linger);
        Box::pin(client.transport.finish()).await;
    }
}

/// RFC 9112 section 9.6: closing with unread input resets the connection, and the reset can
/// overtake the response. So: end our side, discard what still comes, then close.
async fn linger(shard: &Shard, client: &ClientContext, input: &mut ReadBuffer) {
    let time = shard.config().timeouts.linger;
    client.transport.finish().await;
    client.transport.arm(time);
    let end = clock::now() + time;
    while clock::now() < end {
        input.consume(usize::MAX);
        input.release(client.buffers());
        if client.transport.readable().await.is_err() {
            break;
        }
        match input.fill(&client.transport, client.buffers(), 0).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    input.consume(usize::MAX);
    input.release(client.buffers());
}
