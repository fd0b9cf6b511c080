//! From a request to its answer.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};

use super::instance::Instance;
use super::metrics;
use super::origin::Origin;
use super::reply::{self, Body};

/// How the listener is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// Over the network, where a browser could be made to.
    Tcp,
    /// Through a file that only its owner may open.
    Unix,
}

/// Answers a request.
pub(super) async fn answer(
    instance: &Arc<Instance>,
    reached: Reached,
    request: Request<Incoming>,
) -> Response<Body> {
    if reached == Reached::Tcp {
        let origin = Origin {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
        };
        if let Err(foreign) = origin.check(&instance.config().admin.hosts) {
            return reply::text(StatusCode::FORBIDDEN, foreign.told());
        }
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/healthz" | "/readyz" | "/metrics" if !is_read => reply::not_allowed("GET, HEAD"),
        "/healthz" => reply::text(StatusCode::OK, "ok"),
        "/readyz" => match instance.unready() {
            None => reply::text(StatusCode::OK, "ready"),
            Some(why) => reply::text(StatusCode::SERVICE_UNAVAILABLE, why),
        },
        "/metrics" => {
            let (text, content_type) = metrics::page(instance.readings(), request.headers());
            reply::whole(StatusCode::OK, content_type, text)
        }
        _ => reply::text(StatusCode::NOT_FOUND, "there is no such page"),
    }
}
