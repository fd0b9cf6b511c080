//! After a 101: the connection belongs to another protocol, and its bytes flow.

use super::exchange::{ResponseWork, Switched};
use super::record::Draft;
use super::request::Request;
use super::tunnel::{end_of_tunnel, life};
use crate::io::copy::tunnel as copy;
use crate::io::transport::Transport;

/// Forwards bytes both ways until both sides have closed (WebSocket and other upgrades).
pub(super) async fn tunnel(
    request: &Request<'_>,
    switched: Switched,
    draft: &mut Draft,
    work: &mut ResponseWork<'_>,
) {
    let Switched {
        upstream,
        mut early,
    } = switched;
    let (client, pool) = (&request.client.transport, &request.shard.buffers);
    let counted = (
        upstream.transport.bytes_out(),
        upstream.transport.bytes_in(),
    );
    let sent = send_on(&mut early, client).await.is_ok()
        && send_on(work.input, &upstream.transport).await.is_ok();
    early.release(pool);
    work.input.release(pool);
    if sent {
        let end = copy(
            client,
            &upstream.transport,
            pool,
            life(&request.snapshot.config.tunnel),
        )
        .await;
        end_of_tunnel(draft, end);
    }
    draft.bytes_up += upstream.transport.bytes_out() - counted.0;
    draft.bytes_down += upstream.transport.bytes_in() - counted.1;
}

/// Sends what has been received already.
pub(super) async fn send_on(
    buffer: &mut crate::io::buffers::ReadBuffer,
    to: &Transport,
) -> std::io::Result<()> {
    if buffer.is_empty() {
        return Ok(());
    }
    let (data, start) = buffer.take();
    let (result, data) = to.write_from(data, start).await;
    let end = data.len();
    buffer.put_back(data, end);
    result
}
