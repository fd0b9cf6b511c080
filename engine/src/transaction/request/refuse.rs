//! A request that is refused: the reply of ours, and its log line.

use crate::access_log::TransactionId;
use crate::limits::REPLY_TIMEOUT;
use crate::transaction::request::after::After;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::{Refusal, Reply};

/// Answers a request with a refusal, and writes its line.
pub(crate) async fn refuse_and_record(
    request: &Request<'_>,
    destination: Option<&Destination<'_>>,
    refusal: &Refusal,
    draft: &mut RecordBuilder,
) -> After {
    draft.fail(refusal.error, refusal.detail.clone());
    if let Some(limit) = refusal.limit {
        request.proxy.shard.metrics.limits_hit.count((limit,));
    }
    let after = refuse(request, refusal, draft, true).await;
    draft.finish(request, destination);
    after
}

/// Sends a reply of ours.
pub(crate) async fn refuse(
    request: &Request<'_>,
    refusal: &Refusal,
    draft: &mut RecordBuilder,
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
    let rule = draft.decisions.decided.and_then(|decision| {
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
    let (result, out) = client.transport.write_last(out, 0, &[]).await;
    client.buffers().give_back(out);
    draft.status = Some(refusal.status);
    match (result, close) {
        (Err(_), _) => After::Close,
        (Ok(()), true) => After::Linger,
        (Ok(()), false) => After::Next,
    }
}
