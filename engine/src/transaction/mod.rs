//! One request from its head to its log line. Here is the order of the phases; the steps are in
//! the rooms.

mod absolute;
mod accept;
mod addresses;
mod admission;
mod after;
mod answer;
mod arrival;
mod body;
mod client;
mod client_hello;
mod conclude;
mod connect;
mod connection;
mod date;
mod destination;
mod draft;
mod ending;
mod exchange;
mod final_recipient;
mod flow;
mod forwarded;
mod greeting;
mod grounds;
mod held;
mod intercept;
mod interim;
mod interim_count;
mod kept;
mod offer;
mod one_request;
mod opened;
mod origin_connection;
mod origin_dial;
mod origin_tls;
mod path;
mod phases;
mod pinned;
mod progress;
mod proxy;
mod record;
mod repeat;
mod reply;
mod reply_body;
mod request;
mod scope;
mod session;
mod standing;
mod streams;
mod switching;
mod target;
mod tls_notes;
mod told;
mod tunnel;
mod tunnel_content;
mod unasked;
mod upgrade;
mod upload;
mod work;
mod workspace;

use std::time::Instant;

use draft::Draft;

use crate::enforcement::{Admitted, Dialable, Guarded, Permitted};
use crate::shard::exhaustion::has_no_descriptor;
use crate::transaction::destination::Destination;
use crate::transaction::grounds::Standing;
use crate::transaction::origin_connection::target_origin;
use crate::transaction::reply::Refusal;
use crate::transaction::request::Request;
use crate::transaction::work::{Exchanged, ResponseWork};

pub(crate) use proxy::Proxy;
pub(crate) use session::{Arrived, Client, ListenerName, serve};
pub(crate) use unasked::{Unasked, Unused};

/// Forwards one HTTP request: all three phases, in order.
async fn forward(
    request: &Request<'_>,
    destination: &Destination<'_>,
    draft: &mut Draft,
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
    draft: &mut Draft,
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
    draft: &mut Draft,
) -> Result<Guarded, Refusal> {
    let started = Instant::now();
    let mut addresses = addresses::addresses(request, destination, started).await;
    if addresses.is_err() && has_no_descriptor() {
        // A question needs a socket.
        addresses = match request.proxy.make_descriptors().await {
            true => addresses::addresses(request, destination, Instant::now()).await,
            false => Err(Refusal::without_descriptors()),
        };
    }
    draft.t_dns = Some(started.elapsed());
    let guarded = phases::guard(request, admitted, addresses?, destination.port);
    let guarded = guarded.map_err(|(address, why)| {
        draft.dst_ip = Some(address);
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
    draft: &mut Draft,
    work: &mut ResponseWork<'_>,
) -> Result<Exchanged, Refusal> {
    if final_recipient::is_reached(request) {
        return Ok(final_recipient::answer(request, draft).await);
    }
    exchange::exchange(request, destination, (&dialable, &permitted), draft, work).await
}
