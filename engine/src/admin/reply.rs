//! Answers of the admin listener.

use std::convert::Infallible;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};
use serde_json::Value;

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A whole answer.
pub(super) fn whole(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).boxed_unsync());
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // It is about this moment, and read by people's browsers.
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A line of text.
pub(super) fn text(status: StatusCode, text: &str) -> Response<Body> {
    let line = format!("{text}\n");
    whole(status, "text/plain; charset=utf-8", line)
}

/// A JSON document.
pub(super) fn json(status: StatusCode, value: &Value) -> Response<Body> {
    let line = format!("{value}\n");
    whole(status, "application/json", line)
}

/// A method that is none of this path.
pub(super) fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, &format!("only {allowed}"));
    let fields = response.headers_mut();
    fields.insert(ALLOW, HeaderValue::from_static(allowed));
    response
}
