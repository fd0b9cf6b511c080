//! Handshakes, counted where they end.

use rustls::HandshakeKind;

use super::stream::TlsStream;
use crate::io::carrier::Carrier;
use crate::observe::{HandshakeResult, Leg, Resumed, ShardMetrics};

/// Counts a handshake that has ended.
pub(crate) fn count_handshake<C: Carrier>(
    metrics: &ShardMetrics,
    leg: Leg,
    stream: &TlsStream<C>,
    is_complete: bool,
) {
    let kind = stream.with_common(|common| common.handshake_kind());
    let resumed = match kind {
        Some(HandshakeKind::Resumed) => Resumed::Yes,
        _ => Resumed::No,
    };
    let result = match is_complete {
        true => HandshakeResult::Completed,
        false => HandshakeResult::Failed,
    };
    metrics.tls_handshakes.count((leg, result, resumed));
}
