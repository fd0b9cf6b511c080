//! Requests to be forwarded: absolute-form on the connection itself, origin-form inside a tunnel that
//! is plain or intercepted. From the request target to a [`Destination`].

use sallyport_ruleset::{Protocol, ProtocolSet};
use sallyport_wire::http1::{Authority, RequestTarget, Scheme, TargetError, host_matches};

use crate::config::checked::Fronting;
use crate::proxy_error::ProxyError;
use crate::transaction::connection::conclude::conclude;
use crate::transaction::exchange::switching::asks_for_websocket;
use crate::transaction::exchange::work::ResponseWork;
use crate::transaction::request::after::After;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::{Destination, NormalHost};
use crate::transaction::request::path::Path;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::Refusal;
use crate::transaction::request::target::{
    Scratch, bad_target, check_http_port, note_host, target,
};
use crate::transaction::tunnel::scope::InnerScope;
use crate::transaction::{forward, forward_inside, phases};

/// Serves one request that is not a CONNECT of its own connection.
pub(crate) async fn serve(
    request: &Request<'_>,
    scope: Option<&InnerScope<'_>>,
    texts: Scratch<'_>,
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
) -> After {
    let standing = scope.map(|scope| scope.tunnel.stands()).transpose();
    let (standing, over) = match standing {
        Ok(standing) => (standing, None),
        Err(over) => (None, Some(over)),
    };
    let request = &Request {
        standing: standing.as_deref(),
        ..*request
    };
    let admission = request
        .standing
        .and_then(|standing| standing.admission.as_ref());
    if let Some(admission) = admission {
        admission.note(request.snapshot, &mut draft.decisions);
    }
    let located = match scope {
        None => locate(request, texts, draft),
        Some(scope) => locate_inside(request, scope, texts, draft),
    };
    let located = match located {
        Ok(located) => located,
        Err(refusal) => return conclude(request, None, Err(refusal), draft, work).await,
    };
    let destination = &located.destination;
    let outcome = match (request.standing, over) {
        (_, Some(over)) => Err(over.refuse(draft)),
        (None, None) => match check_http_port(&request.snapshot.config, destination.port) {
            Err(refusal) => Err(refusal),
            Ok(()) => forward(request, destination, draft, work).await,
        },
        (Some(standing), None) => match front(request, &located, draft) {
            Err(refusal) => Err(refusal),
            Ok(()) => forward_inside(request, destination, standing, draft, work).await,
        },
    };
    conclude(request, Some(destination), outcome, draft, work).await
}

/// A destination and whether it is the one of the tunnel.
struct Located<'a> {
    destination: Destination<'a>,
    is_fronted: bool,
}

/// The destination of an absolute-form request (RFC 9112 section 3.2.2).
fn locate<'a>(
    request: &Request<'a>,
    texts: Scratch<'a>,
    draft: &mut RecordBuilder,
) -> Result<Located<'a>, Refusal> {
    let RequestTarget::Absolute {
        scheme,
        authority,
        path_and_query,
    } = target(request)?
    else {
        return Err(Refusal::malformed(
            400,
            "this is a forward proxy: it needs an absolute request target or CONNECT",
        ));
    };
    let is_secure = matches!(scheme, Scheme::Https | Scheme::Wss);
    if is_secure && !request.snapshot.config.http.https_targets {
        const OFF: &str = "https and wss are reached through CONNECT (http.https_targets)";
        return Err(Refusal::malformed(400, OFF));
    }
    note_host(request, draft, |host| {
        host_matches(&authority, scheme, host)
    });
    let port = authority.port_or_default(scheme);
    let path = Path::new(
        path_and_query,
        request.snapshot.config.http.path,
        texts.path,
    )?;
    let protocol = protocol(request, is_secure);
    Ok(Located {
        destination: Destination {
            host: NormalHost::new(&authority, texts.domain)?,
            port,
            authority: authority.text,
            path_and_query: path.sent,
            uri: path.normal,
            protocol: ProtocolSet::EMPTY.with(protocol),
            prior_knowledge: false,
            logged_protocol: protocol,
        },
        is_fronted: false,
    })
}

/// The destination of a request inside a tunnel: what `Host` says, at the tunnel's port.
fn locate_inside<'a>(
    request: &Request<'a>,
    scope: &InnerScope<'a>,
    texts: Scratch<'a>,
    draft: &mut RecordBuilder,
) -> Result<Located<'a>, Refusal> {
    let (head, bytes) = (request.head, request.bytes);
    if head.is_connect {
        return Err(Refusal::malformed(
            405,
            "CONNECT inside a tunnel is not served",
        ));
    }
    let target = target(request)?;
    let host_value = head
        .host
        .map_or(scope.authority.text.as_bytes(), |host| host.of(bytes));
    let (authority, path_and_query) = match target {
        RequestTarget::Origin(path) => (Authority::parse(host_value).map_err(bad_target)?, path),
        RequestTarget::Asterisk => (
            Authority::parse(host_value).map_err(bad_target)?,
            b"*".as_slice(),
        ),
        RequestTarget::Absolute {
            scheme,
            authority,
            path_and_query,
        } => {
            note_host(request, draft, |host| {
                host_matches(&authority, scheme, host)
            });
            (authority, path_and_query)
        }
        RequestTarget::Authority(_) => return Err(bad_target(TargetError::Form)),
    };
    let protocol = protocol(request, scope.tls.is_some());
    let host = NormalHost::new(&authority, texts.domain)?;
    let path = Path::new(
        path_and_query,
        request.snapshot.config.http.path,
        texts.path,
    )?;
    let same_port = authority.port.is_none_or(|port| port == scope.port);
    Ok(Located {
        is_fronted: !(same_port && host.names_same(&scope.host)),
        destination: Destination {
            host,
            port: scope.port,
            authority: authority.text,
            path_and_query: path.sent,
            uri: path.normal,
            protocol: ProtocolSet::EMPTY.with(Protocol::Connect).with(protocol),
            prior_knowledge: scope.prior_knowledge,
            logged_protocol: protocol,
        },
    })
}

fn protocol(request: &Request<'_>, is_secure: bool) -> Protocol {
    match (asks_for_websocket(request), is_secure) {
        (true, true) => Protocol::Wss,
        (true, false) => Protocol::Ws,
        (false, true) => Protocol::Https,
        (false, false) => Protocol::Http,
    }
}

/// A request that names another host than its tunnel does.
fn front(
    request: &Request<'_>,
    located: &Located<'_>,
    draft: &mut RecordBuilder,
) -> Result<(), Refusal> {
    const DETAIL: &str = "the request names another host than the CONNECT (domain fronting)";
    if !located.is_fronted {
        return Ok(());
    }
    match request.snapshot.config.tunnel.fronting {
        Fronting::Deny => Err(Refusal {
            closes: true,
            ..Refusal::with_status(421, ProxyError::HttpRequestDenied, DETAIL)
        }),
        Fronting::Alert => {
            draft.write_notice(request, &located.destination, DETAIL);
            Ok(())
        }
        Fronting::Allow => phases::pre_dns(request, &located.destination, draft).map(|_| ()),
    }
}
