//! What requests and CONNECT have in common where their target is read.

use sallyport_wire::http1::{RequestTarget, TargetError};

use crate::config::checked::Config;
use crate::proxy_error::ProxyError;
use crate::transaction::request::context::Request;
use crate::transaction::request::path::PathTexts;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::{Refusal, went_through};

/// Where normal forms go when they differ from what was written.
#[derive(Debug)]
pub(crate) struct Scratch<'a> {
    pub(crate) path: PathTexts<'a>,
    pub(crate) domain: &'a mut String,
}

impl<'a> Scratch<'a> {
    pub(crate) fn of(
        sent: &'a mut Vec<u8>,
        normal: &'a mut Vec<u8>,
        domain: &'a mut String,
    ) -> Self {
        Self {
            path: PathTexts { sent, normal },
            domain,
        }
    }
}

/// The target of a request that has not been here before.
pub(crate) fn target<'a>(request: &Request<'a>) -> Result<RequestTarget<'a>, Refusal> {
    let (head, bytes) = (request.head, request.bytes);
    if went_through(head, bytes, &request.snapshot.config.headers.via) {
        return Err(Refusal::looped(
            head,
            "the request has passed through this proxy before",
        ));
    }
    RequestTarget::parse(head.method_kind, head.target.of(bytes)).map_err(bad_target)
}

/// The target alone says where a request goes (RFC 9112 section 3.2.2). Another `Host` is not sent on:
/// clients that put the proxy's own name there (Node's `http` does) mean no harm, but the log shall
/// tell.
pub(crate) fn note_host(
    request: &Request<'_>,
    draft: &mut RecordBuilder,
    is_target: impl Fn(&[u8]) -> bool,
) {
    let host = request.head.host.map(|host| host.of(request.bytes));
    if let Some(host) = host.filter(|host| !is_target(host)) {
        let host = String::from_utf8_lossy(host);
        draft.detail = Some(format!("Host is not that of the target: \"{host}\"").into());
    }
}

pub(crate) fn bad_target(error: TargetError) -> Refusal {
    Refusal::malformed(error.status(), error.reason())
}

/// Whether a request in absolute form may name `port`.
pub(crate) fn check_http_port(config: &Config, port: u16) -> Result<(), Refusal> {
    if config.guard.http_ports.contains(port) {
        return Ok(());
    }
    let detail = format!("port {port} is not open to plain requests (guard.http_ports)");
    Err(Refusal::new(ProxyError::HttpRequestDenied, detail))
}
