//! After a 101: the connection belongs to another protocol, and its bytes flow.

use std::pin::pin;

use crate::observe::TunnelKind;
use crate::transaction::exchange::switching::asks_for_websocket;
use crate::transaction::exchange::work::{ResponseWork, Switched};
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::progress::Counted;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::tunnel::flow::{end_of_tunnel, life, send_on};
use crate::transaction::tunnel::held::Holds;
use crate::transaction::tunnel::standing::OpenTunnel;
use crate::transport::TlsConnection;
use crate::transport::copy::TunnelEnd;
use crate::transport::copy::tunnel as copy;

/// Forwards bytes both ways until both sides have closed (WebSocket and other upgrades).
pub(crate) async fn tunnel(
    request: &Request<'_>,
    destination: Option<&Destination<'_>>,
    switched: Switched,
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
) {
    let Switched {
        upstream,
        mut early,
    } = switched;
    let Some(destination) = destination else {
        // Nothing is forwarded that has none.
        return;
    };
    let holds = Holds::Switched(request.tunnel);
    let tunnel = OpenTunnel::of_bytes(request, destination, holds, upstream.address.ip());
    let metrics = &request.proxy.shard.metrics;
    metrics.tunnels.count((TunnelKind::Upgrade,));
    let (client, pool) = (&request.client.transport, request.client.buffers());
    let counted = Counted::new(&upstream.transport);
    // Few WebSocket libraries say close_notify after their Close frames: TLS alone cannot tell such an
    // end from one that was cut.
    let tls = upstream
        .transport
        .tls()
        .filter(|_| asks_for_websocket(request));
    if let Some(tls) = tls {
        tls.follow_frames(early.unread());
    }
    let sent = send_on(&mut early, client).await.is_ok()
        && send_on(work.input, &upstream.transport).await.is_ok();
    early.release(pool);
    work.input.release(pool);
    if sent {
        let life = life(&request.snapshot.config.tunnel);
        let copying = copy(client, &upstream.transport, pool, life, None);
        let cut = || {
            client.cut();
            upstream.transport.cut();
        };
        let flowing = pin!(tunnel.unless_over(copying, cut));
        let end = tunnel.long_step(Some(counted)).begin(draft, flowing).await;
        let is_in_order = tls.is_some_and(TlsConnection::is_closed_websocket);
        end_of_tunnel(draft, if is_in_order { TunnelEnd::Closed } else { end });
    }
    tunnel.conclude(draft);
    let (up, down) = counted.up_and_down();
    draft.bytes_up += up;
    draft.bytes_down += down;
}
