//! Inside a CONNECT tunnel: look at the first bytes, decide, then let them flow.

use std::pin::pin;
use std::rc::Rc;

use sallyport_ruleset::{Fact, Facts, Protocol, ProtocolSet};
use sallyport_wire::http1::Version;
use sallyport_wire::tls::{AlertDescription, ClientHello, RecordFollower, fatal_alert};

use crate::access_log::TlsHandling;
use crate::clock;
use crate::config::checked::UnknownProtocol;
use crate::enforcement::Passable;
use crate::proxy_error::ProxyError;
use crate::shard::clients::Slot;
use crate::tls::configs::Handling;
use crate::transaction::exchange::origin_connection::begin_session;
use crate::transaction::exchange::origin_dial::{connect_plain, pool_key};
use crate::transaction::exchange::work::ResponseWork;
use crate::transaction::phases;
use crate::transaction::request::after::After;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::progress::Counted;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::Refusal;
use crate::transaction::request::tls_notes::{ECH_PRESENT, notes, version_name};
use crate::transaction::tunnel::client_hello::{Ended, check_ech, check_sni, note_odd_name};
use crate::transaction::tunnel::content::{Content, peek};
use crate::transaction::tunnel::flow::{CLIENT_NOT_TLS, end_of_tunnel, life, send_on};
use crate::transaction::tunnel::greeting::greet;
use crate::transaction::tunnel::held::{Hello, Holds, without_http};
use crate::transaction::tunnel::intercept::Intercepted;
use crate::transaction::tunnel::opened::{EarlyPermit, Opened};
use crate::transaction::tunnel::outcome::{Carrier, Inside, Tunnel};
use crate::transaction::tunnel::standing::OpenTunnel;
use crate::transport::Transport;
use crate::transport::copy::HeldToTls;
use crate::transport::copy::tunnel as copy;
use crate::upstream::pool::UpstreamConnection;

/// Looks into a tunnel whose CONNECT was answered with 200, and lets its bytes flow if it holds no requests.
pub(crate) async fn enter(
    request: &Request<'_>,
    destination: &Destination<'_>,
    opened: Opened,
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
) -> Tunnel {
    let content = match Box::pin(peek(request, server(request, &opened), work)).await {
        Ok(content) => content,
        Err(unopened) => {
            draft.fail(unopened.error, unopened.detail);
            return Tunnel::Ended(refuse(request, unopened.alert).await);
        }
    };
    let ended = match content {
        Content::Http(version) => {
            let inside = plain_requests(request, destination, opened, version);
            return Tunnel::Holds(Box::pin(inside).await);
        }
        Content::Tls(hello) => match &opened.handling {
            Handling::Passthrough => {
                pass_tls(request, destination, opened, hello, draft, work).await
            }
            Handling::Intercept(_) => {
                let tunnel = Intercepted {
                    request,
                    destination,
                    opened,
                };
                match Box::pin(tunnel.open(hello, draft, work)).await {
                    Ok(inside) => return Tunnel::Holds(inside),
                    Err(refused) => Err(refused),
                }
            }
        },
        Content::Other => pass_other(request, destination, opened, draft, work).await,
    };
    let Err((refusal, alert)) = ended else {
        return Tunnel::Ended(After::Close);
    };
    draft.fail(refusal.error, refusal.detail);
    refuse(request, alert).await;
    Tunnel::Ended(After::Linger)
}

/// The connection to the server, where it may be heard before its client has spoken.
fn server<'o>(request: &Request<'_>, opened: &'o Opened) -> Option<&'o Transport> {
    let allows_unknown = request.snapshot.config.tunnel.unknown_protocol == UnknownProtocol::Allow;
    // SMTP, SSH and others begin with the server: where they may pass, waiting for the client would be for ever.
    let early = opened.early.as_ref().filter(|_| allows_unknown)?;
    early.upstream.as_ref().map(|upstream| &upstream.transport)
}

/// Tells a client that speaks TLS why its tunnel ends.
async fn refuse(request: &Request<'_>, alert: Option<AlertDescription>) -> After {
    let Some(alert) = alert else {
        return After::Close;
    };
    let client = &request.client.transport;
    client.arm(request.snapshot.config.timeouts.body_idle);
    let (_, _) = Box::pin(client.write_all(fatal_alert(alert).to_vec())).await;
    client.disarm();
    After::Linger
}

/// TLS in passthrough: decided by what the ClientHello shows, then untouched.
async fn pass_tls(
    request: &Request<'_>,
    destination: &Destination<'_>,
    opened: Opened,
    hello: Box<ClientHello>,
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
) -> Ended {
    let held = hold_to_tls(request, &hello, work.input.unread())?;
    let protocols: Vec<Box<[u8]>> = hello.alpn().map(Into::into).collect();
    let alpn: Vec<&[u8]> = protocols.iter().map(|protocol| &**protocol).collect();
    let notes = Rc::new(notes(&hello, TlsHandling::Passthrough));
    draft.tls = Some(Rc::clone(&notes));
    let judged = Box::pin(judge_tls(request, destination, opened, &hello, draft)).await;
    // It is large, and the tunnel may live for days.
    drop(hello);
    let (passage, _slot) = judged?;
    let holds = Holds::PassedTls(Hello {
        notes: &notes,
        alpn: &alpn,
    });
    let connected = passage.0.address.ip();
    let tunnel = OpenTunnel::of_bytes(request, destination, holds, connected);
    let open = Open {
        tunnel: &tunnel,
        held,
    };
    flow(request, open, passage, draft, work).await;
    Ok(())
}

/// What the tunnel is held to behind its ClientHello: nothing where any protocol may pass.
fn hold_to_tls(
    request: &Request<'_>,
    hello: &ClientHello,
    received: &[u8],
) -> Result<Option<HeldToTls>, (Refusal, Option<AlertDescription>)> {
    if request.snapshot.config.tunnel.unknown_protocol == UnknownProtocol::Allow {
        return Ok(None);
    }
    let mut held = HeldToTls {
        client: RecordFollower::client(),
        upstream: RecordFollower::server(hello),
    };
    held.client.follow(received).map_err(|_| {
        let refusal = Refusal::with_status(400, ProxyError::TlsProtocolError, CLIENT_NOT_TLS);
        (refusal, Some(AlertDescription::UnexpectedMessage))
    })?;
    Ok(Some(held))
}

/// A connection to the origin and the permission to use it.
type Passage = (Box<UpstreamConnection>, Passable);

async fn judge_tls(
    request: &Request<'_>,
    destination: &Destination<'_>,
    opened: Opened,
    hello: &ClientHello,
    draft: &mut RecordBuilder,
) -> Result<(Passage, Slot), (Refusal, Option<AlertDescription>)> {
    let alpn: Vec<&[u8]> = hello.alpn().collect();
    let ja4 = hello.ja4();
    let has_ech = hello.has_encrypted_client_hello();
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
        tls_ech: has_ech.then_some(ECH_PRESENT).into(),
        ..without_http(request.pre_dns_facts(destination))
    };
    note_odd_name(hello, draft);
    let denied = Some(AlertDescription::AccessDenied);
    check_ech(request, has_ech).map_err(|refusal| (refusal, denied))?;
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
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
) -> Ended {
    if request.snapshot.config.tunnel.unknown_protocol == UnknownProtocol::Deny {
        let detail = "the tunnel holds neither TLS nor HTTP (tunnel.unknown_protocol)";
        return Err((Refusal::new(ProxyError::HttpRequestDenied, detail), None));
    }
    let judged = Box::pin(judge_other(request, destination, opened, draft)).await;
    let (passage, _slot) = judged.map_err(|refusal| (refusal, None))?;
    let server = &passage.0.transport;
    if let Err(refused) = Box::pin(greet(request, server, work)).await {
        draft.bytes_down = server.bytes_in();
        return Err(refused);
    }
    let greeting_bytes = server.bytes_in();
    let connected = passage.0.address.ip();
    let tunnel = OpenTunnel::of_bytes(request, destination, Holds::Other, connected);
    let open = Open {
        tunnel: &tunnel,
        held: None,
    };
    flow(request, open, passage, draft, work).await;
    draft.bytes_down += greeting_bytes;
    Ok(())
}

async fn judge_other(
    request: &Request<'_>,
    destination: &Destination<'_>,
    opened: Opened,
    draft: &mut RecordBuilder,
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
        tls_ech: Fact::Absent,
        ..without_http(request.pre_dns_facts(destination))
    };
    settle(request, destination, opened, &facts, draft).await
}

/// The final PreREQUEST, and the connection if there is none yet.
async fn settle(
    request: &Request<'_>,
    destination: &Destination<'_>,
    opened: Opened,
    facts: &Facts<'_>,
    draft: &mut RecordBuilder,
) -> Result<(Passage, Slot), Refusal> {
    if let Some(EarlyPermit { dialable, upstream }) = opened.early {
        let upstream = match upstream {
            Some(upstream) => upstream,
            None => connect_plain(request, &dialable, draft).await?,
        };
        let connected = upstream.address.ip();
        // Rules about addresses are asked of the one that it leads to, not of those that it might have led to.
        let leads_to = (&dialable, connected);
        let passable =
            phases::pre_request_of_connected(request, leads_to, facts, &mut draft.decisions);
        request.write_alerts(draft, Some(destination));
        return Ok(((upstream, passable?), opened.slot));
    }
    let judged =
        phases::pre_request_of_tunnel(request, &opened.guarded, facts, &mut draft.decisions);
    request.write_alerts(draft, Some(destination));
    let (dialable, passable) = judged?;
    let upstream = connect_plain(request, &dialable, draft).await?;
    Ok(((upstream, passable), opened.slot))
}

/// A tunnel whose bytes are to flow, and what they are held to.
struct Open<'a> {
    tunnel: &'a OpenTunnel<'a>,
    held: Option<HeldToTls>,
}

/// Bytes both ways, to the end of the tunnel. Only with a permit do they begin to.
async fn flow(
    request: &Request<'_>,
    Open { tunnel, held }: Open<'_>,
    (upstream, _passable): Passage,
    draft: &mut RecordBuilder,
    work: &mut ResponseWork<'_>,
) {
    let (client, pool) = (&request.client.transport, request.client.buffers());
    let counted = Counted::new(&upstream.transport);
    // What was read in order to look at it is the beginning of what flows.
    let sent = Box::pin(send_on(work.input, &upstream.transport)).await;
    if sent.is_ok() {
        work.input.release(pool);
        let life = life(&request.snapshot.config.tunnel);
        let copying = copy(client, &upstream.transport, pool, life, held);
        let cut = || {
            client.cut();
            upstream.transport.cut();
        };
        let flowing = pin!(tunnel.unless_over(copying, cut));
        let end = tunnel.long_step(Some(counted)).begin(draft, flowing).await;
        end_of_tunnel(draft, end);
        tunnel.conclude(draft);
    } else {
        draft.fail(
            ProxyError::ConnectionTerminated,
            "the origin closed the connection",
        );
    }
    (draft.bytes_up, draft.bytes_down) = counted.up_and_down();
}

/// Plain HTTP: nothing is encrypted, so nothing is exempt.
async fn plain_requests(
    request: &Request<'_>,
    destination: &Destination<'_>,
    opened: Opened,
    version: Version,
) -> Inside {
    let Opened {
        guarded,
        early,
        slot,
        handling: _,
    } = opened;
    if let Some(upstream) = early.and_then(|early| early.upstream) {
        // The first inner request finds it in the pool.
        let key = pool_key(None, destination, upstream.address);
        let account = request.client.registered.account();
        if version == Version::Http2 {
            // What fails now fails again when a request wants it, and is told then.
            if let Ok(session) = begin_session(request, upstream.transport, None).await {
                let mut pool = request.proxy.origins.pool.borrow_mut();
                pool.add_session(key, session, account);
            }
        } else {
            let mut pool = request.proxy.origins.pool.borrow_mut();
            pool.check_in(key, upstream, account, clock::now());
        }
    }
    Inside {
        guarded,
        slot,
        carrier: Carrier::Plain(version),
    }
}
