//! The bytes of a tunnel, and how it ends.

use crate::config::checked::Tunnel;
use crate::proxy_error::ProxyError;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transport::Transport;
use crate::transport::copy::{TunnelEnd, TunnelLife};

pub(crate) const CLIENT_NOT_TLS: &str =
    "the client went on with something else than TLS (tunnel.unknown_protocol)";

pub(crate) const UPSTREAM_NOT_TLS: &str = "the origin answered the ClientHello with something else than TLS that \
                                fits (tunnel.unknown_protocol)";

pub(crate) fn life(tunnel: &Tunnel) -> TunnelLife {
    TunnelLife {
        idle: tunnel.idle_timeout,
        total: tunnel.lifetime_max,
    }
}

pub(crate) fn end_of_tunnel(draft: &mut RecordBuilder, end: TunnelEnd) {
    match end {
        TunnelEnd::Closed => {}
        TunnelEnd::Expired => draft.fail(
            ProxyError::ConnectionTerminated,
            "the tunnel was idle or open for too long",
        ),
        TunnelEnd::ClientFailed => draft.fail(
            ProxyError::ConnectionTerminated,
            "the client reset the connection",
        ),
        TunnelEnd::UpstreamFailed => draft.fail(
            ProxyError::ConnectionTerminated,
            "the origin reset the connection",
        ),
        TunnelEnd::ClientNotTls => draft.fail(ProxyError::TlsProtocolError, CLIENT_NOT_TLS),
        TunnelEnd::UpstreamNotTls => draft.fail(ProxyError::TlsProtocolError, UPSTREAM_NOT_TLS),
    }
}

/// Sends what has been received already.
pub(crate) async fn send_on(
    buffer: &mut crate::transport::read_buffer::ReadBuffer,
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
