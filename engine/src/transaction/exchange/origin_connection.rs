//! The connection that a request goes over: out of the pool, one that another request has just made,
//! or a new one. What is said on it is `exchange`'s matter.

use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;

use sallyport_pki::OriginCertificate;

use crate::clock;
use crate::config::checked::TunnelEnds;
use crate::enforcement::{Dialable, Guarded};
use crate::http2;
use crate::io::unless_cut::unless_cut;
use crate::limits::HTTP2_DIALS_AWAITED;
use crate::proxy_error::ProxyError;
use crate::tls::configs::Versions;
use crate::transaction::exchange::origin_dial::{connect_plain, pool_key};
use crate::transaction::exchange::origin_tls::{Asked, secure, want_of_certificate};
use crate::transaction::exchange::switching::may_switch;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::Refusal;
use crate::transport::Transport;
use crate::upstream::pool::{PoolKey, UpstreamConnection};
use crate::upstream::session;
use crate::upstream::session::Session;
use crate::upstream::shared_dial::Turn;
use crate::upstream::tls::Origin;

/// What a connection has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    /// It may be one that another request dials.
    pub(crate) may_share: bool,
    pub(crate) versions: Versions,
}

/// A new connection, or a stream of one that another request has just made; whether it is new.
pub(crate) async fn open(
    request: &Request<'_>,
    destination: &Destination<'_>,
    dialable: &Dialable,
    wish: Wish,
    draft: &mut RecordBuilder,
) -> Result<(Box<UpstreamConnection>, bool), Refusal> {
    let proxy = request.proxy;
    let mut turn = None;
    // An origin that takes few streams on a connection must not be dialed by one after the other.
    for _ in 0..HTTP2_DIALS_AWAITED {
        let Some(key) = shared_key(request, destination, dialable, wish) else {
            break;
        };
        match proxy.origins.dials.enter(key) {
            Turn::Dial(dialing) => {
                turn = Some(dialing);
                break;
            }
            Turn::Wait(waiting) => {
                if !waiting.is_shared().await {
                    break;
                }
            }
        }
        if let Some(upstream) = check_out(request, destination, dialable, wish) {
            return Ok((upstream, false));
        }
    }
    let upstream = connect(request, destination, dialable, wish.versions, draft).await?;
    let upstream = match speaks_http2(request, destination, &upstream, wish.versions) {
        true => multiplex(request, destination, upstream, draft).await?,
        false => upstream,
    };
    // Over HTTP/1.1 it carries one request at a time: there is nothing to share.
    if let Some(turn) = turn.filter(|_| upstream.transport.is_stream()) {
        turn.share();
    }
    Ok((upstream, true))
}

/// What a connection is dialed under that other requests may use as well.
fn shared_key<'a>(
    request: &Request<'a>,
    destination: &Destination<'a>,
    dialable: &Dialable,
    wish: Wish,
) -> Option<PoolKey<'a>> {
    let is_shareable = wish.may_share
        && wish.versions == Versions::Any
        && (destination.prior_knowledge || (request.goes_in_tls() && !may_switch(request)));
    let address = dialable.addresses().first().filter(|_| is_shareable)?;
    let address = SocketAddr::new(*address, dialable.port());
    let key = pool_key(request.origin(), destination, address);
    let proxy = request.proxy;
    let is_http1 = !destination.prior_knowledge && proxy.origins.pool.borrow().is_http1(key)
        || proxy.origins.http1_only.contains(key, clock::now());
    (!is_http1).then_some(key)
}

/// Whether HTTP/2 is spoken on a new connection. Notes it if the origin has chosen otherwise.
fn speaks_http2(
    request: &Request<'_>,
    destination: &Destination<'_>,
    upstream: &UpstreamConnection,
    versions: Versions,
) -> bool {
    let key = pool_key(request.origin(), destination, upstream.address);
    let (proxy, now) = (request.proxy, clock::now());
    if !request.goes_in_tls() {
        return destination.prior_knowledge
            && versions == Versions::Any
            && !proxy.origins.http1_only.contains(key, now);
    }
    let speaks = upstream.transport.speaks_http2();
    if !speaks {
        proxy.origins.pool.borrow_mut().note_http1(key, now);
    }
    speaks
}

/// An idle connection to one of the addresses.
pub(crate) fn check_out(
    request: &Request<'_>,
    destination: &Destination<'_>,
    dialable: &Dialable,
    wish: Wish,
) -> Option<Box<UpstreamConnection>> {
    // What cannot be sent again goes where its origin was heard of not long ago.
    let idle_max = request.snapshot.config.pool.non_idempotent_idle;
    let used_since = match request.head.method_kind.is_idempotent() {
        true => None,
        false => clock::now().checked_sub(idle_max),
    };
    let mut pool = request.proxy.origins.pool.borrow_mut();
    for address in dialable.addresses() {
        let address = SocketAddr::new(*address, dialable.port());
        let key = pool_key(request.origin(), destination, address);
        let may_be_http2 = wish.versions == Versions::Any
            && (destination.prior_knowledge || key.tls.is_some())
            && !request.proxy.origins.http1_only.contains(key, clock::now());
        if may_be_http2 {
            let stream = pool.open_stream(key, &request.proxy.shard.wheel, may_switch(request));
            if stream.is_some() {
                return stream;
            }
            // Where nothing negotiates the version, what is kept for HTTP/1.1 does not understand the preface.
            if destination.prior_knowledge {
                continue;
            }
        }
        while let Some(upstream) = pool.check_out(key, used_since) {
            // What is readable before a request was sent is an end, or a response that answers
            // nothing: to believe it would answer this request with another one's content.
            if !upstream.transport.is_readable_now() {
                return Some(upstream);
            }
        }
    }
    None
}

/// A new connection to one of the addresses, over which TLS is spoken if the request came in TLS or
/// its target says so.
async fn connect(
    request: &Request<'_>,
    destination: &Destination<'_>,
    dialable: &Dialable,
    versions: Versions,
    draft: &mut RecordBuilder,
) -> Result<Box<UpstreamConnection>, Refusal> {
    if !request.goes_in_tls() {
        return connect_plain(request, dialable, draft).await;
    }
    // What went wrong when the tunnel began is the answer to its first request; the next one tries anew.
    if let Some(refusal) = request.tls.and_then(|tls| tls.failure.take()) {
        return Err(refusal);
    }
    let Some(origin) = request.origin() else {
        let detail = "the tunnel has no origin for what came in TLS";
        return Err(Refusal::new(ProxyError::ProxyInternalError, detail));
    };
    let upstream = connect_plain(request, dialable, draft).await?;
    // Boxed: a handshake's future is large, and most requests need none.
    let versions = match may_switch(request) {
        true => Versions::Http1,
        false => versions,
    };
    let asked = Asked {
        origin,
        dialable,
        versions,
    };
    Box::pin(secure(request, destination, &asked, upstream, draft)).await
}

/// A stream of a new HTTP/2 connection, which other requests may use as well.
async fn multiplex(
    request: &Request<'_>,
    destination: &Destination<'_>,
    upstream: Box<UpstreamConnection>,
    draft: &RecordBuilder,
) -> Result<Box<UpstreamConnection>, Refusal> {
    let key = pool_key(request.origin(), destination, upstream.address);
    let proxy = request.proxy;
    let session = begin_session(request, upstream.transport, upstream.certificate.clone()).await?;
    let said = (upstream.address, upstream.demand.as_deref());
    if let Some(refusal) = want_of_certificate(request, destination, said, draft) {
        return Err(refusal);
    }
    let fits = !may_switch(request) || session.takes_websockets();
    let stream = session.open(&proxy.shard.wheel).filter(|_| fits);
    let account = request.client.registered.account();
    proxy
        .origins
        .pool
        .borrow_mut()
        .add_session(key, session, account);
    let refused = || Refusal::protocol("the origin takes no such request over HTTP/2");
    Ok(Box::new(UpstreamConnection {
        transport: Transport::Stream(Box::new(stream.ok_or_else(refused)?)),
        address: upstream.address,
        reused: upstream.reused,
        has_idled: upstream.has_idled,
        certificate: upstream.certificate,
        demand: upstream.demand,
    }))
}

/// Begins HTTP/2 on a connection.
pub(crate) async fn begin_session(
    request: &Request<'_>,
    transport: Transport,
    certificate: Option<Rc<OriginCertificate>>,
) -> Result<Session, Refusal> {
    let shard = &request.proxy.shard;
    let settings = http2::Settings::of(&request.snapshot.config);
    let memory = (&shard.buffers, &shard.holders);
    let session = session::start(memory, transport, certificate, &settings);
    // Until then nobody knows how many streams the origin takes, and whether WebSockets.
    // Whether it has, or all is cut, shows when the stream is used.
    let _ = unless_cut(&shard.wheel, pin!(session.settled())).await;
    Ok(session)
}

/// How TLS is spoken with the origin of an `https` target: as in an intercepted tunnel to it, whatever
/// is done with tunnels. The client's side is in the clear or not; that is its own affair.
pub(crate) fn target_origin(
    request: &Request<'_>,
    destination: &Destination<'_>,
    guarded: &Guarded,
) -> Result<Origin, Refusal> {
    let Some(name) = destination.host.server_name() else {
        let detail = "no certificate can have the name of the host";
        return Err(Refusal::malformed(400, detail));
    };
    let ends = TunnelEnds {
        domain: destination.host.domain(),
        destination: None,
        port: destination.port,
        client: request.client.address.ip(),
    };
    let snapshot = request.snapshot;
    let parameters = snapshot
        .tls
        .towards_origin(&snapshot.config, &ends, guarded.addresses());
    Ok(Origin {
        host: destination.host.as_str().into(),
        port: destination.port,
        name,
        parameters,
    })
}
