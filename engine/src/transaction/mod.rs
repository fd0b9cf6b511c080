//! One request from its head to its log line. Here is the order of the phases; the steps are in
//! the rooms.

mod connection;
mod exchange;
mod phases;
mod request;
mod tunnel;

use std::time::Duration;

use crate::clock;
use crate::enforcement::{Admitted, Dialable, Guarded, Permitted};
use crate::shard::exhaustion::has_no_descriptor;
use crate::transaction::exchange::attempts;
use crate::transaction::exchange::final_recipient;
use crate::transaction::exchange::origin_connection::target_origin;
use crate::transaction::exchange::work::{Exchanged, ResponseWork};
use crate::transaction::request::addresses;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::grounds::Standing;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::Refusal;

pub(crate) use crate::transaction::connection::session::Arrived;
pub(crate) use crate::transaction::connection::session::Client;
pub(crate) use crate::transaction::connection::session::ListenerName;
pub(crate) use crate::transaction::connection::session::serve;
pub(crate) use crate::transaction::connection::unasked::Unasked;
pub(crate) use crate::transaction::connection::unasked::Unused;
pub(crate) use crate::transaction::request::proxy::Proxy;

/// Forwards one HTTP request: all three phases, in order.
async fn forward(
    request: &Request<'_>,
    destination: &Destination<'_>,
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
) -> Result<Exchanged, Refusal> {
    let admitted = phases::pre_dns(request, destination, draft)?;
    let guarded = resolve(request, destination, &admitted, draft).await?;
    let permit = phases::pre_request(request, destination, &guarded, draft)?;
    if !destination.is_secure() {
        return deliver(request, destination, permit, draft, work).await;
    }
    let origin = target_origin(request, destination, &guarded)?;
    let request = &Request {
        target_origin: Some(&origin),
        ..*request
    };
    deliver(request, destination, permit, draft, work).await
}

/// Forwards one HTTP request inside a tunnel whose name was admitted and resolved already.
async fn forward_inside(
    request: &Request<'_>,
    destination: &Destination<'_>,
    standing: &Standing,
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
) -> Result<Exchanged, Refusal> {
    let guarded = standing.guarded()?;
    draft.dst_ip = guarded.first();
    let permit = phases::pre_request(request, destination, guarded, draft)?;
    deliver(request, destination, permit, draft, work).await
}

/// Resolution and the destination guard.
async fn resolve(
    request: &Request<'_>,
    destination: &Destination<'_>,
    admitted: &Admitted,
    draft: &mut RecordBuilder,
) -> Result<Guarded, Refusal> {
    let started = clock::now();
    if let Some(guarded) = phases::guarded_before(request, admitted, destination.port, started) {
        draft.t_dns = Some(Duration::ZERO);
        draft.dst_ip = guarded.first();
        return Ok(guarded);
    }
    let mut addresses = addresses::addresses(request, destination, started).await;
    if addresses.is_err() && has_no_descriptor() {
        // A question needs a socket.
        addresses = match request.proxy.make_descriptors().await {
            true => addresses::addresses(request, destination, clock::now()).await,
            false => Err(Refusal::without_descriptors()),
        };
    }
    draft.t_dns = Some(clock::since(started));
    let guarded = phases::guard(request, admitted, addresses?, destination.port);
    let guarded = guarded.map_err(|(address, why)| {
        draft.dst_ip = Some(address);
        let metrics = &request.proxy.shard.metrics;
        metrics.guard_denials.count((why.counted(),));
        Refusal::prohibited(request.head, why)
    })?;
    draft.dst_ip = guarded.first();
    Ok(guarded)
}

/// To the origin, unless the request may go no further than this.
async fn deliver(
    request: &Request<'_>,
    destination: &Destination<'_>,
    (dialable, permitted): (Dialable, Permitted<'_>),
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
) -> Result<Exchanged, Refusal> {
    if final_recipient::is_reached(request) {
        return Ok(final_recipient::answer(request, draft).await);
    }
    attempts::exchange(request, destination, (&dialable, &permitted), draft, work).await
}
