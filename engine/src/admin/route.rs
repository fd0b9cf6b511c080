//! From a request to its answer.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};

use serde_json::json;
use tokio::sync::oneshot;

use super::instance::Instance;
use super::origin::Origin;
use super::reply::{self, Body};
use super::{connections, metrics, rules, settings};

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
    let is_order = *request.method() == Method::POST;
    match request.uri().path() {
        "/healthz" | "/readyz" | "/metrics" | "/rules" | "/config" | "/connections" | "/log"
            if !is_read =>
        {
            reply::not_allowed("GET, HEAD")
        }
        "/reload" | "/drain" if !is_order => reply::not_allowed("POST"),
        "/healthz" => reply::text(StatusCode::OK, "ok"),
        "/readyz" => match instance.unready() {
            None => reply::text(StatusCode::OK, "ready"),
            Some(why) => reply::text(StatusCode::SERVICE_UNAVAILABLE, why),
        },
        "/metrics" => {
            let (text, content_type) = metrics::page(instance.readings(), request.headers());
            reply::whole(StatusCode::OK, content_type, text)
        }
        "/rules" => {
            let page = rules::page(&instance.current(), request.uri());
            reply::json(StatusCode::OK, &page)
        }
        "/config" => reply::json(StatusCode::OK, &settings::page(&instance.config())),
        "/connections" => connections::answer(instance).await,
        "/reload" => reload(instance).await,
        "/drain" => drain(instance).await,
        _ => reply::text(StatusCode::NOT_FOUND, "there is no such page"),
    }
}

/// Answers once the new configuration and rules are in force, or refused.
async fn reload(instance: &Instance) -> Response<Body> {
    let (done, outcome) = oneshot::channel();
    instance.orders().reload(done);
    match outcome.await {
        Ok(Ok(())) => {
            let current = instance.current();
            let (bundle, config) = (current.bundle.id(), &current.config.id);
            reply::json(
                StatusCode::OK,
                &json!({ "bundle": bundle, "config": config }),
            )
        }
        Ok(Err(why)) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            reply::json(status, &json!({ "error": why }))
        }
        Err(_) => ends(),
    }
}

/// Answers once all shards are told.
async fn drain(instance: &Instance) -> Response<Body> {
    let (done, outcome) = oneshot::channel();
    instance.orders().drain(done);
    match outcome.await {
        Ok(timeout) => {
            let seconds = timeout.as_secs_f64();
            reply::json(StatusCode::ACCEPTED, &json!({ "timeout_seconds": seconds }))
        }
        Err(_) => ends(),
    }
}

/// There is nobody left to give orders to.
fn ends() -> Response<Body> {
    reply::text(StatusCode::SERVICE_UNAVAILABLE, "the process ends")
}
