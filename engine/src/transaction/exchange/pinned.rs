//! Requests whose client or origin authenticates connections: they go over the one that belongs to
//! their client's connection (`upstream::pinned`).

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use sallyport_wire::http1::{HeaderField, HeaderName, SessionAuth};

use crate::enforcement::Dialable;
use crate::fair_share::FairShare;
use crate::io::timer;
use crate::proxy_error::ProxyError;
use crate::transaction::exchange::origin_dial::pool_key;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::reply::Refusal;
use crate::upstream::pinned::{Challenge, Claim, Held, Owner, PinKey};
use crate::upstream::pool::UpstreamConnection;

/// The right to the pinned connection to the destination, once it is this request's turn; `None` if the
/// request may go over any.
pub(crate) async fn enter(
    request: &Request<'_>,
    destination: &Destination<'_>,
) -> Result<Option<Held>, Refusal> {
    let claim = claim(request);
    let client = request.client;
    if !claim.authenticates && client.pins.is_empty() {
        return Ok(None);
    }
    let key = pin_key(request, destination);
    let enter = client.pins.enter(key, claim, owner(request));
    let timeout = request.snapshot.config.timeouts.response;
    let mut entered = pin!(timer::timeout(timeout, enter));
    let mut gone = pin!(async {
        match client.transport.is_stream() {
            true => client.transport.gone().await,
            // Nobody else uses this client's connection: there is nothing to wait for.
            false => std::future::pending().await,
        }
    });
    poll_fn(|context| {
        if let Poll::Ready(entered) = entered.as_mut().poll(context) {
            const BUSY: &str = "the client's authenticated connection to the origin is in use";
            let busy = |_| Refusal::new(ProxyError::HttpResponseTimeout, BUSY);
            return Poll::Ready(entered.map_err(busy));
        }
        let gone = gone.as_mut().poll(context);
        gone.map(|()| Err(Refusal::terminated("the client reset the stream")))
    })
    .await
}

/// The pinned connection, if it leads to an address that this request may go to, and is alive.
pub(crate) fn take(held: &mut Held, dialable: &Dialable) -> Option<Box<UpstreamConnection>> {
    held.take(|connection| {
        connection.address.port() == dialable.port()
            && dialable.addresses().contains(&connection.address.ip())
            && !connection.transport.is_readable_now()
    })
}

/// Keeps a connection on which an exchange was completed, if it is one that nobody else may use. Gives
/// it back if anybody may.
pub(crate) fn keep(
    request: &Request<'_>,
    destination: &Destination<'_>,
    held: Option<Held>,
    connection: Box<UpstreamConnection>,
    challenge: Challenge,
) -> Option<Box<UpstreamConnection>> {
    match (held, challenge) {
        (Some(held), challenge) => held.keep(connection, challenge),
        (None, Challenge::None) => return Some(connection),
        (None, Challenge::Offered | Challenge::Open) => {
            let key = pin_key(request, destination);
            let pins = &request.client.pins;
            pins.keep(key, connection, owner(request));
        }
    }
    None
}

/// What a 401 asks for.
pub(crate) fn challenge(fields: &[HeaderField], bytes: &[u8]) -> Challenge {
    match session_auth(fields, bytes, HeaderName::WwwAuthenticate) {
        None => Challenge::None,
        Some(SessionAuth::Named) => Challenge::Offered,
        Some(SessionAuth::Message | SessionAuth::Reply) => Challenge::Open,
    }
}

fn claim(request: &Request<'_>) -> Claim {
    let fields = &request.head.headers;
    let credentials = session_auth(fields, request.bytes, HeaderName::Authorization);
    Claim {
        authenticates: credentials.is_some(),
        // Over HTTP/1 whatever the client sends next.
        is_next: !request.client.transport.is_stream() || credentials == Some(SessionAuth::Reply),
    }
}

fn session_auth(fields: &[HeaderField], bytes: &[u8], id: HeaderName) -> Option<SessionAuth> {
    fields
        .iter()
        .filter(|field| field.id == id)
        .filter_map(|field| SessionAuth::of(field.value.of(bytes)))
        .reduce(SessionAuth::more)
}

fn owner<'a>(request: &Request<'a>) -> Owner<'a> {
    Owner {
        account: request.client.registered.account(),
        share: FairShare::new(request.snapshot.config.limits.per_client.share),
    }
}

fn pin_key<'a>(request: &Request<'a>, destination: &Destination<'a>) -> PinKey<'a> {
    // The address does not matter: which of several it is, is said when one is dialed.
    let address = ([0, 0, 0, 0], destination.port).into();
    let key = pool_key(request.origin(), destination, address);
    PinKey {
        host: key.host,
        port: destination.port,
        tls: key.tls,
    }
}
