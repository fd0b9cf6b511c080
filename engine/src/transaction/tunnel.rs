//! Inside a CONNECT tunnel: look at the first bytes, decide, then let them flow.

use std::rc::Rc;
use std::time::Instant;

use sallyport_ruleset::normalize::normalize_domain;
use sallyport_ruleset::{Fact, Facts, Protocol, ProtocolSet};
use sallyport_wire::http1::{Authority, Scheme, Version};
use sallyport_wire::sniff::Sniff;
use sallyport_wire::tls::{AlertDescription, ClientHello, HelloParse, fatal_alert};

use super::connect::{EarlyPermit, Opened};
use super::destination::{Destination, NormalHost};
use super::exchange::ResponseWork;
use super::intercept::{InnerTls, Intercepted};
use super::origin_connection::{begin_session, connect_plain, pool_key};
use super::record::{Draft, TlsNotes};
use super::reply::Refusal;
use super::request::Request;
use super::session::{After, requests};
use super::standing::{Hello, Holds, OpenTunnel};
use super::streams::streams;
use super::upgrade::send_on;
use crate::access_log::TlsHandling;
use crate::config::checked::{Fronting, Tunnel, UnknownProtocol};
use crate::enforcement::Permitted;
use crate::http2::TargetForm;
use crate::io::copy::{TunnelEnd, TunnelLife, tunnel as copy};
use crate::shard::clients::Slot;
use crate::tls::parameters::Handling;
use crate::upstream::pool::UpstreamConnection;

/// What requests inside a tunnel are held to.
#[derive(Debug)]
pub(super) struct InnerScope<'a> {
    pub(super) authority: &'a Authority<'a>,
    pub(super) host: NormalHost<'a>,
    pub(super) port: u16,
    pub(super) tunnel: &'a OpenTunnel<'a>,
    /// HTTP/2 without TLS, on both legs.
    pub(super) prior_knowledge: bool,
    /// The TLS that they come in, if they do.
    pub(super) tls: Option<&'a InnerTls<'a>>,
}

/// Serves a tunnel whose CONNECT was answered with 200.
pub(super) async fn serve(
    request: &Request<'_>,
    authority: &Authority<'_>,
    destination: &Destination<'_>,
    opened: Opened,
    draft: &mut Draft,
    work: &mut ResponseWork<'_>,
) -> After {
    let content = match Box::pin(peek(request, work)).await {
        Ok(content) => content,
        Err(end) => {
            draft.fail("connection_terminated", end);
            return After::Close;
        }
    };
    let outcome = match content {
        Content::Http(version) => {
            // Boxed: a session's future is large, and most tunnels hold none.
            let tunnel = (authority, destination, opened);
            let inner = inner_requests(request, tunnel, version, draft, work);
            return Box::pin(inner).await;
        }
        Content::Tls(hello) => match &opened.handling {
            Handling::Passthrough => {
                pass_tls(request, destination, opened, hello, draft, work).await
            }
            Handling::Intercept(_) => {
                let tunnel = Intercepted {
                    request,
                    authority,
                    destination,
                    opened,
                };
                Box::pin(tunnel.serve(hello, draft, work)).await
            }
        },
        Content::Other => pass_other(request, destination, opened, draft, work).await,
    };
    let Err((refusal, alert)) = outcome else {
        return After::Close;
    };
    draft.fail(refusal.error, refusal.detail);
    if let Some(alert) = alert {
        let alert = fatal_alert(alert).to_vec();
        let (_, _) = Box::pin(request.client.transport.write_all(alert)).await;
    }
    After::Linger
}

/// What a tunnel holds.
enum Content {
    Tls(Box<ClientHello>),
    Http(Version),
    /// Neither, or the client waits for the server to speak.
    Other,
}

/// Receives until the first bytes tell what they are; a ClientHello is received whole.
async fn peek(request: &Request<'_>, work: &mut ResponseWork<'_>) -> Result<Content, &'static str> {
    let tunnel = &request.snapshot.config.tunnel;
    let (client, pool) = (&request.client.transport, request.client.buffers());
    let end = Instant::now() + tunnel.sniff_timeout;
    let mut hello: Option<Box<ClientHello>> = None;
    loop {
        let unread = work.input.unread();
        match Sniff::of(unread) {
            Sniff::Http1 => return Ok(Content::Http(Version::Http11)),
            Sniff::Http2Preface => return Ok(Content::Http(Version::Http2)),
            Sniff::Unknown => return Ok(Content::Other),
            Sniff::Tls => {
                let hello = hello.get_or_insert_with(Default::default);
                match hello.parse(unread) {
                    Ok(HelloParse::Complete { .. }) => {
                        return Ok(Content::Tls(std::mem::take(hello)));
                    }
                    Ok(HelloParse::Incomplete) => {}
                    Err(_) => return Err("malformed ClientHello"),
                }
            }
            Sniff::NeedMore => {}
        }
        let remaining = end.saturating_duration_since(Instant::now());
        // Readiness may be dropped; a read that is dropped could lose bytes.
        let ready = monoio::time::timeout(remaining, client.readable()).await;
        if ready.is_err() {
            return match work.input.is_empty() {
                true => Ok(Content::Other),
                false => Err("the client stalled within its first message"),
            };
        }
        match work
            .input
            .fill(client, pool, crate::limits::HEAD_BYTES_MAX)
            .await
        {
            Ok(0) | Err(_) => return Err("the client closed the tunnel before using it"),
            Ok(_) => {}
        }
    }
}

pub(super) type Ended = Result<(), (Refusal, Option<AlertDescription>)>;

/// TLS in passthrough: decided by what the ClientHello shows, then untouched.
async fn pass_tls(
    request: &Request<'_>,
    destination: &Destination<'_>,
    opened: Opened,
    hello: Box<ClientHello>,
    draft: &mut Draft,
    work: &mut ResponseWork<'_>,
) -> Ended {
    let protocols: Vec<Box<[u8]>> = hello.alpn().map(Into::into).collect();
    let alpn: Vec<&[u8]> = protocols.iter().map(|protocol| &**protocol).collect();
    let notes = Rc::new(notes(&hello, TlsHandling::Passthrough));
    draft.tls = Some(Rc::clone(&notes));
    let judged = Box::pin(judge_tls(request, destination, opened, &hello, draft)).await;
    drop(hello);
    let (passage, _slot) = judged?;
    let holds = Holds::PassedTls(Hello {
        notes: &notes,
        alpn: &alpn,
    });
    let connected = passage.0.address.ip();
    let tunnel = OpenTunnel::of_bytes(request, destination, holds, connected);
    flow(request, &tunnel, passage, draft, work).await;
    Ok(())
}

/// A connection to the origin and the permission to use it.
type Passage = (UpstreamConnection, Permitted);

async fn judge_tls(
    request: &Request<'_>,
    destination: &Destination<'_>,
    opened: Opened,
    hello: &ClientHello,
    draft: &mut Draft,
) -> Result<(Passage, Slot), (Refusal, Option<AlertDescription>)> {
    let alpn: Vec<&[u8]> = hello.alpn().collect();
    let ja4 = hello.ja4();
    let version = version_name(hello.highest_version());
    let facts = Facts {
        protocol: Fact::Known(
            ProtocolSet::EMPTY
                .with(Protocol::Connect)
                .with(Protocol::Https),
        ),
        tls_sni: hello.server_name().map(str::as_bytes).into(),
        tls_alpn: Fact::Known(&alpn),
        tls_version: version.map(str::as_bytes).into(),
        ja4: Fact::Known(ja4.as_str().as_bytes()),
        ..without_http(request.pre_dns_facts(destination))
    };
    let denied = Some(AlertDescription::AccessDenied);
    check_sni(request, destination, hello, draft).map_err(|refusal| (refusal, denied))?;
    settle(request, destination, opened, &facts, draft)
        .await
        .map_err(|refusal| {
            let alert = match refusal.phase {
                Some(_) => AlertDescription::AccessDenied,
                None => AlertDescription::InternalError,
            };
            (refusal, Some(alert))
        })
}

/// Neither TLS nor HTTP: nothing to inspect, so the configuration decides, and then the rules.
async fn pass_other(
    request: &Request<'_>,
    destination: &Destination<'_>,
    opened: Opened,
    draft: &mut Draft,
    work: &mut ResponseWork<'_>,
) -> Ended {
    if request.snapshot.config.tunnel.unknown_protocol == UnknownProtocol::Deny {
        let detail = "the tunnel holds neither TLS nor HTTP (tunnel.unknown_protocol)";
        return Err((Refusal::new(403, "http_request_denied", detail), None));
    }
    let judged = Box::pin(judge_other(request, destination, opened, draft)).await;
    let (passage, _slot) = judged.map_err(|refusal| (refusal, None))?;
    let connected = passage.0.address.ip();
    let tunnel = OpenTunnel::of_bytes(request, destination, Holds::Other, connected);
    flow(request, &tunnel, passage, draft, work).await;
    Ok(())
}

async fn judge_other(
    request: &Request<'_>,
    destination: &Destination<'_>,
    opened: Opened,
    draft: &mut Draft,
) -> Result<(Passage, Slot), Refusal> {
    let facts = Facts {
        protocol: Fact::Known(
            ProtocolSet::EMPTY
                .with(Protocol::Connect)
                .with(Protocol::Tcp),
        ),
        tls_sni: Fact::Absent,
        tls_alpn: Fact::Absent,
        tls_version: Fact::Absent,
        ja4: Fact::Absent,
        ..without_http(request.pre_dns_facts(destination))
    };
    settle(request, destination, opened, &facts, draft).await
}

pub(super) fn without_http(facts: Facts<'_>) -> Facts<'_> {
    Facts {
        uri: Fact::Absent,
        method: Fact::Absent,
        user_agent: Fact::Absent,
        content_type: Fact::Absent,
        host: Fact::Absent,
        content_length: Fact::Absent,
        request_headers: Fact::Absent,
        ..facts
    }
}

/// The final PreREQUEST, and the connection if there is none yet.
async fn settle(
    request: &Request<'_>,
    destination: &Destination<'_>,
    opened: Opened,
    facts: &Facts<'_>,
    draft: &mut Draft,
) -> Result<(Passage, Slot), Refusal> {
    let rules = &request.snapshot.rules;
    if let Some(EarlyPermit { dialable, upstream }) = opened.early {
        let upstream = match upstream {
            Some(upstream) => upstream,
            None => connect_plain(request, &dialable, draft).await?,
        };
        let connected = upstream.address.ip();
        let permitted = dialable.pre_request(connected, rules, facts, &mut draft.trail);
        request.write_alerts(draft, Some(destination));
        return Ok(((upstream, permitted?), opened.slot));
    }
    let permitted = opened.guarded.pre_request(rules, facts, &mut draft.trail);
    request.write_alerts(draft, Some(destination));
    let (dialable, permitted) = permitted?;
    let upstream = connect_plain(request, &dialable, draft).await?;
    Ok(((upstream, permitted), opened.slot))
}

/// The server name must be the host of the CONNECT.
pub(super) fn check_sni(
    request: &Request<'_>,
    destination: &Destination<'_>,
    hello: &ClientHello,
    draft: &mut Draft,
) -> Result<(), Refusal> {
    const DETAIL: &str = "the server name is not the host of the CONNECT (domain fronting)";
    let Some(sni) = hello.server_name() else {
        return Ok(());
    };
    let mut scratch = String::new();
    let sni = normalize_domain(sni, &mut scratch).unwrap_or(sni);
    if destination.host.domain() == Some(sni) {
        return Ok(());
    }
    match request.snapshot.config.tunnel.fronting {
        Fronting::Deny => Err(Refusal::new(403, "http_request_denied", DETAIL)),
        Fronting::Alert => {
            draft.write_notice(request, destination, DETAIL);
            Ok(())
        }
        Fronting::Allow => {
            let fronted = Destination {
                host: NormalHost::Domain(sni),
                ..*destination
            };
            super::admit(request, &fronted, draft).map(|_| ())
        }
    }
}

/// Bytes both ways, to the end of the tunnel. Only with a permit do they begin to.
async fn flow(
    request: &Request<'_>,
    tunnel: &OpenTunnel<'_>,
    (upstream, _permitted): Passage,
    draft: &mut Draft,
    work: &mut ResponseWork<'_>,
) {
    let (client, pool) = (&request.client.transport, request.client.buffers());
    let sent = Box::pin(send_on(work.input, &upstream.transport)).await;
    if sent.is_ok() {
        work.input.release(pool);
        let life = life(&request.snapshot.config.tunnel);
        let copying = copy(client, &upstream.transport, pool, life);
        let cut = || {
            client.cut();
            upstream.transport.cut();
        };
        let end = tunnel.unless_over(copying, cut).await;
        end_of_tunnel(draft, end);
        tunnel.conclude(draft);
    } else {
        draft.fail("connection_terminated", "the origin closed the connection");
    }
    draft.bytes_up = upstream.transport.bytes_out();
    draft.bytes_down = upstream.transport.bytes_in();
}

/// Plain HTTP: nothing is encrypted, so nothing is exempt.
async fn inner_requests(
    request: &Request<'_>,
    (authority, destination, opened): (&Authority<'_>, &Destination<'_>, Opened),
    version: Version,
    draft: &mut Draft,
    work: &mut ResponseWork<'_>,
) -> After {
    let Opened {
        guarded,
        early,
        slot: _slot,
        handling: _,
    } = opened;
    let prior_knowledge = version == Version::Http2;
    if let Some(upstream) = early.and_then(|early| early.upstream) {
        // The first inner request finds it in the pool.
        let key = pool_key(None, destination, upstream.address);
        let account = request.client.registered.account();
        if prior_knowledge {
            // What fails now fails again when a request wants it, and is told then.
            if let Ok(session) = begin_session(request, upstream.transport, None).await {
                let mut pool = request.shard.pool.borrow_mut();
                pool.add_session(key, session, account);
            }
        } else {
            let mut pool = request.shard.pool.borrow_mut();
            pool.check_in(key, upstream, account, Instant::now());
        }
    }
    let tunnel = OpenTunnel::of_requests(request, destination, Holds::Http, (guarded, None));
    let scope = InnerScope {
        authority,
        host: destination.host,
        port: destination.port,
        tunnel: &tunnel,
        prior_knowledge,
        tls: None,
    };
    let (shard, client) = (request.shard, request.client);
    if prior_knowledge {
        let form = TargetForm::Origin(Scheme::Http);
        Box::pin(streams(shard, client, work.input, Some(&scope), form)).await;
        tunnel.conclude(draft);
        return After::Close;
    }
    let after = requests(shard, client, work.input, Some(&scope)).await;
    tunnel.conclude(draft);
    after
}

/// What there is to log about a ClientHello.
pub(super) fn notes(hello: &ClientHello, handling: TlsHandling) -> TlsNotes {
    TlsNotes {
        handling,
        sni: hello.server_name().map(|sni| sni.as_bytes().to_vec()),
        alpn: hello.alpn().next().map(<[u8]>::to_vec),
        ja4: hello.ja4().as_str().to_owned(),
        version: version_name(hello.highest_version()),
        cipher: None,
    }
}

/// The newest version that a client offers, as in `request:TlsVersion`.
pub(super) fn version_name(version: u16) -> Option<&'static str> {
    match version {
        0x0300 => Some("SSLv3"),
        0x0301 => Some("TLSv1.0"),
        0x0302 => Some("TLSv1.1"),
        0x0303 => Some("TLSv1.2"),
        0x0304 => Some("TLSv1.3"),
        _ => None,
    }
}

pub(super) fn life(tunnel: &Tunnel) -> TunnelLife {
    TunnelLife {
        idle: tunnel.idle_timeout,
        total: tunnel.lifetime_max,
    }
}

pub(super) fn end_of_tunnel(draft: &mut Draft, end: TunnelEnd) {
    match end {
        TunnelEnd::Closed => {}
        TunnelEnd::Expired => draft.fail(
            "connection_terminated",
            "the tunnel was idle or open for too long",
        ),
        TunnelEnd::ClientFailed => {
            draft.fail("connection_terminated", "the client reset the connection")
        }
        TunnelEnd::UpstreamFailed => {
            draft.fail("connection_terminated", "the origin reset the connection")
        }
    }
}
