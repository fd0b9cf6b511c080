//! Who a request is by: whom its connection shows, or what it says itself where a listener asks for that.

use std::rc::Rc;
use std::sync::Arc;

use sallyport_wire::http1::{HeaderName, RequestHead};

use crate::client::{Asked, NotAuthenticated};
use crate::config::checked::AuthMethods;
use crate::identity::{Identities, Subject};
use crate::limits;
use crate::observe::AuthenticationFailure;
use crate::proxy_error::ProxyError;
use crate::shard::Snapshot;
use crate::transaction::request::client::ClientContext;
use crate::transaction::request::proxy::Proxy;
use crate::transaction::request::reply::{Challenges, Refusal};

/// Where a request was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) proxy: &'a Rc<Proxy>,
    pub(crate) client: &'a ClientContext,
    pub(crate) snapshot: &'a Snapshot,
    /// Seconds since 1970.
    pub(crate) unix_time: i64,
}

/// Who a request on the connection itself is by.
pub(crate) async fn identify(
    asking: Asking<'_>,
    head: &RequestHead,
    bytes: &[u8],
) -> Result<Rc<Subject>, Refusal> {
    let Asking {
        client, snapshot, ..
    } = asking;
    client.check_identity(snapshot)?;
    let Some(identities) = &snapshot.identities else {
        return Ok(Rc::clone(client.peer.own()));
    };
    let methods = identities.methods(client.peer.listener());
    if !methods.are_any() || methods.mtls && client.peer.is_named() {
        return Ok(client.peer.by_certificate(identities));
    }
    if !methods.are_credentials() {
        const NOBODY: &str = "the certificate of this client names nobody";
        return Err(Refusal::new(ProxyError::HttpRequestDenied, NOBODY));
    }
    // Boxed: most requests need none of it.
    Box::pin(authenticate(asking, (identities, methods), head, bytes)).await
}

async fn authenticate(
    asking: Asking<'_>,
    (identities, methods): (&Arc<Identities>, AuthMethods),
    head: &RequestHead,
    bytes: &[u8],
) -> Result<Rc<Subject>, Refusal> {
    let fields = head.headers.iter();
    let mut values = fields.filter(|field| field.id == HeaderName::ProxyAuthorization);
    let value = match (values.next(), values.next()) {
        (Some(field), None) => field.value.of(bytes),
        (None, _) => {
            let failures = &asking.proxy.shard.metrics.authentication_failures;
            failures.count((AuthenticationFailure::Missing,));
            let why = "the listener asks who the client is (listener.auth)";
            return Err(unauthenticated(methods, why.to_owned(), false));
        }
        (Some(_), Some(_)) => {
            let why = "Proxy-Authorization is there more than once";
            return Err(unauthenticated(methods, why.to_owned(), false));
        }
    };
    let client = asking.client;
    let failures = &asking.proxy.shard.metrics.authentication_failures;
    let asked = Asked {
        identities,
        methods,
        value,
        client: client.registered.account().key(),
        now: asking.unix_time,
    };
    match asking.proxy.authenticator.authenticate(asked).await {
        Ok(authenticated) => Ok(client.peer.by_credentials(identities, &authenticated)),
        Err(NotAuthenticated::Wrong { why, is_token }) => {
            failures.count((AuthenticationFailure::Wrong,));
            Err(unauthenticated(methods, why, is_token))
        }
        Err(NotAuthenticated::TooManyFailures) => {
            failures.count((AuthenticationFailure::TooMany,));
            let why = "too many wrong credentials in this minute (auth.failures_per_minute)";
            let error = ProxyError::ConnectionLimitReached;
            Err(Refusal::with_status(429, error, why))
        }
        Err(NotAuthenticated::Busy) => {
            failures.count((AuthenticationFailure::Busy,));
            let most = limits::VERIFICATIONS_WAITING_MAX;
            let why = format!("{most} other credentials wait to be verified");
            Err(Refusal::with_status(
                503,
                ProxyError::ConnectionLimitReached,
                why,
            ))
        }
    }
}

/// 407: it is not known who asks.
fn unauthenticated(methods: AuthMethods, why: String, is_token: bool) -> Refusal {
    let challenges = Challenges {
        // A token may be the user of a proxy's URL, which programs send as Basic.
        basic: methods.are_credentials(),
        bearer: methods.takes_tokens(),
        is_token_wrong: is_token,
    };
    Refusal {
        challenges: Some(challenges),
        ..Refusal::with_status(407, ProxyError::HttpRequestError, why)
    }
}
