//! From a request to its answer.

use std::sync::Arc;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use serde_json::json;
use tokio::sync::oneshot;

use super::instance::Instance;
use super::origin::Origin;
use super::reply::{self, Body};
use super::{connections, explain, metrics, rules, settings, tail};
use crate::limits::ADMIN_BODY_BYTES_MAX;

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
        "/" | "/healthz" | "/readyz" | "/metrics" | "/rules" | "/config" | "/connections"
        | "/log"
            if !is_read =>
        {
            reply::not_allowed("GET, HEAD")
        }
        "/reload" | "/drain" | "/explain" if !is_order => reply::not_allowed("POST"),
        "/" => page(),
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
        "/log" => tail::follow(instance.log(), request.uri()),
        "/explain" => explain_one(instance, request).await,
        "/reload" => reload(instance).await,
        "/drain" => drain(instance).await,
        _ => reply::text(StatusCode::NOT_FOUND, "there is no such page"),
    }
}

/// The page for people: it asks for all it shows by itself, from this listener alone.
fn page() -> Response<Body> {
    const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                          connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let page = include_str!("page.html");
    let mut response = reply::whole(StatusCode::OK, "text/html; charset=utf-8", page);
    let fields = response.headers_mut();
    fields.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// What the rules say of the request that the body describes.
async fn explain_one(instance: &Instance, request: Request<Incoming>) -> Response<Body> {
    let body = Limited::new(request.into_body(), ADMIN_BODY_BYTES_MAX);
    let Ok(body) = body.collect().await else {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return reply::text(status, "the body is too large, or did not come whole");
    };
    match explain::page(&instance.current().bundle, &body.to_bytes()) {
        Ok(page) => reply::json(StatusCode::OK, &page),
        Err(why) => reply::json(
            StatusCode::BAD_REQUEST,
            &json!({ "error": why.to_string() }),
        ),
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
