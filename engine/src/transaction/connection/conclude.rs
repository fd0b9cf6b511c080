//! The end of a request: a reply of ours if one is to be made, its log line, what is next.

use crate::access_log::TransactionId;
use crate::limits::REPLY_TIMEOUT;
use crate::transaction::connection::after::After;
use crate::transaction::exchange::work::{Exchanged, ResponseWork};
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::{Refusal, Reply};
use crate::transaction::tunnel::upgrade;

/// Ends a forwarded request: reply if there is one to make, log line, what is next.
pub(crate) async fn conclude(
    request: &Request<'_>,
    destination: Option<&Destination<'_>>,
    outcome: Result<Exchanged, Refusal>,
    draft: &mut RecordBuilder,
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
    let (result, out) = client.transport.write_all(out).await;
    client.buffers().give_back(out);
    draft.status = Some(refusal.status);
    match (result, close) {
        (Err(_), _) => After::Close,
        (Ok(()), true) => After::Linger,
        (Ok(()), false) => After::Next,
    }
}
