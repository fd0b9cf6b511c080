//! CONNECT up to its answer: the phases that can be decided before the client's first byte.

use std::rc::Rc;

use sallyport_ruleset::{Fact, Protocol, ProtocolSet};
use sallyport_wire::http1::{Authority, RequestTarget, connect_host_matches};
use sallyport_wire::invariant::Invariant;

use crate::enforcement::Early;
use crate::limits::REPLY_TIMEOUT;
use crate::observe::TunnelKind;
use crate::tls::caches::OriginKey;
use crate::tls::configs::Handling;
use crate::transaction::exchange::origin_dial::connect_plain;
use crate::transaction::exchange::work::ResponseWork;
use crate::transaction::request::after::After;
use crate::transaction::request::arrival::Arrival;
use crate::transaction::request::client::ClientContext;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::{Destination, NormalHost};
use crate::transaction::request::proxy::Proxy;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::refuse::refuse_and_record;
use crate::transaction::request::reply::Refusal;
use crate::transaction::request::target::{Scratch, note_host, target};
use crate::transaction::tunnel::inside;
use crate::transaction::tunnel::opened::{EarlyPermit, Opened, check_port, handling};
use crate::transaction::tunnel::outcome::Tunnel;
use crate::transaction::{phases, resolve};
use crate::transport::read_buffer::ReadBuffer;

const LEFT_ALONE: &str =
    "passed through: the origin wants a client certificate (tls.client_certificate_fallback)";

const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// Answers a CONNECT. A tunnel of bytes is served to its end; one that holds requests is given back.
pub(crate) async fn connect(
    proxy: &Rc<Proxy>,
    client: &ClientContext,
    input: &mut ReadBuffer,
    arrival: &mut Arrival,
) -> Tunnel {
    // Not held for the life of a tunnel: room for many fields, and for a response that never comes.
    arrival.workspace.request.headers.shrink_to_fit();
    arrival.workspace.response.headers = Vec::new();
    let parts = arrival.of_connect(proxy, client);
    let mut work = ResponseWork {
        head: parts.response,
        head_text: parts.response_text,
        input,
        upload: None,
        held: None,
    };
    // Boxed: most connections never have a tunnel.
    Box::pin(answer(&parts.request, parts.texts, parts.draft, &mut work)).await
}

async fn answer(
    request: &Request<'_>,
    texts: Scratch<'_>,
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
) -> Tunnel {
    let (_, destination) = match locate(request, texts, draft) {
        Ok(located) => located,
        Err(refusal) => {
            let refused = refuse_and_record(request, None, &refusal, draft);
            return Tunnel::Ended(Box::pin(refused).await);
        }
    };
    // Boxed, like all that is gone before the tunnel's long life begins.
    let opened = match Box::pin(open(request, &destination, draft)).await {
        Ok(opened) => opened,
        Err(refusal) => {
            let refused = refuse_and_record(request, Some(&destination), &refusal, draft);
            return Tunnel::Ended(Box::pin(refused).await);
        }
    };
    let client = &request.client.transport;
    let timeouts = &request.snapshot.config.timeouts;
    client.arm(timeouts.body_idle.min(REPLY_TIMEOUT));
    let (result, _) = Box::pin(client.write_all(ESTABLISHED.to_vec())).await;
    client.disarm();
    draft.status = Some(200);
    let tunnel = match result {
        Ok(()) => {
            let metrics = &request.proxy.shard.metrics;
            metrics.tunnels.count((TunnelKind::Connect,));
            inside::enter(request, &destination, opened, draft, work).await
        }
        Err(_) => Tunnel::Ended(After::Close),
    };
    if let Tunnel::Ended(_) = tunnel {
        draft.finish(request, Some(&destination));
    }
    tunnel
}

/// Where a CONNECT leads.
pub(crate) fn locate<'a>(
    request: &Request<'a>,
    texts: Scratch<'a>,
    draft: &mut RecordBuilder,
) -> Result<(Authority<'a>, Destination<'a>), Refusal> {
    let RequestTarget::Authority(authority) = target(request)? else {
        return Err(Refusal::malformed(400, "CONNECT needs host:port"));
    };
    note_host(request, draft, |host| {
        connect_host_matches(&authority, host)
    });
    let port = authority.port.or_broken("the port of a CONNECT");
    let destination = Destination {
        host: NormalHost::new(&authority, texts.domain)?,
        port,
        authority: authority.text,
        path_and_query: b"",
        uri: b"",
        protocol: ProtocolSet::EMPTY.with(Protocol::Connect),
        prior_knowledge: false,
        logged_protocol: Protocol::Connect,
    };
    Ok((authority, destination))
}

/// PreDNS, resolution, guard, and as much of PreREQUEST as can be said now.
async fn open(
    request: &Request<'_>,
    destination: &Destination<'_>,
    draft: &mut RecordBuilder,
) -> Result<Opened, Refusal> {
    let config = &request.snapshot.config;
    check_port(config, destination.port)?;
    let account = request.client.registered.account();
    // Before anything is asked on its behalf: a client at its limit causes no look-up.
    let slot = account.open_tunnel(&config.limits.per_client)?;
    let admitted = phases::pre_dns(request, destination, draft)?;
    let guarded = resolve(request, destination, &admitted, draft).await?;
    let (handling, left_alone) = handling(request, destination, &guarded);
    if left_alone.is_some() {
        draft.write_notice(request, destination, LEFT_ALONE);
    }
    let guarded = left_alone.unwrap_or(guarded);
    let facts = sallyport_ruleset::Facts {
        // What the tunnel holds is still to come, and the word for it as well.
        protocol: Fact::Unknown,
        ..request.pre_dns_facts(destination)
    };
    let early = phases::early(request, &guarded, &facts, &mut draft.decisions);
    if early.is_err() {
        request.write_alerts(draft, Some(destination));
    }
    let early = match early? {
        Early::Open => None,
        Early::Allowed(dialable) => {
            let upstream = match is_known(request, destination, &handling) {
                true => None,
                false => Some(connect_plain(request, &dialable, draft).await?),
            };
            Some(EarlyPermit { dialable, upstream })
        }
    };
    Ok(Opened {
        guarded,
        early,
        slot,
        handling,
    })
}

/// Whether the origin is one whose certificate is remembered: then the first request inside takes a
/// connection from the pool, or makes one when it is there.
fn is_known(request: &Request<'_>, destination: &Destination<'_>, handling: &Handling) -> bool {
    let Handling::Intercept(parameters) = handling else {
        return false;
    };
    let key = OriginKey {
        host: destination.host.as_str(),
        port: destination.port,
        parameters: parameters.id,
    };
    request.proxy.shard.tls.origin(key).is_some()
}
