//! What the configuration asks of a ClientHello in a tunnel.

use sallyport_ruleset::normalize::normalize_domain;
use sallyport_wire::tls::{AlertDescription, ClientHello, OddServerName};

use crate::config::checked::{Ech, Fronting};
use crate::proxy_error::ProxyError;
use crate::transaction::phases;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::{Destination, NormalHost};
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::Refusal;

/// What is encrypted in a ClientHello that is passed through nobody sees.
pub(crate) fn check_ech(request: &Request<'_>, has_ech: bool) -> Result<(), Refusal> {
    const DETAIL: &str = "part of the ClientHello is encrypted (tls.ech)";
    match has_ech && request.snapshot.config.tls.ech == Ech::Deny {
        true => Err(Refusal::new(ProxyError::HttpRequestDenied, DETAIL)),
        false => Ok(()),
    }
}

/// A server name that no other reader takes as it stands.
pub(crate) fn note_odd_name(hello: &ClientHello, draft: &mut RecordBuilder) {
    let detail = match hello.odd_server_name() {
        None => return,
        Some(OddServerName::Address) => "the server name is an address: taken as absent",
        Some(OddServerName::Bracketed) => "the server name is in brackets: taken as absent",
        Some(OddServerName::FinalDot) => "the server name ends in a dot: taken without it",
    };
    // What the CONNECT said comes first.
    draft.detail.get_or_insert_with(|| detail.into());
}

/// Where TLS ends here, a server name in brackets ends the handshake: rustls 0.23 refuses it (`server/hs.rs`,
/// `ServerNamePayload::Invalid`) and has no switch for that, as it has for nothing between its reading of a
/// ClientHello and its answer. One without the name would not help: both sides sign and derive their keys from
/// the message as the client sent it. It is refused before TLS with the origin begins, in words of ours.
pub(crate) fn check_brackets(hello: &ClientHello) -> Result<(), Refusal> {
    const DETAIL: &str = "the server name is in brackets, with which TLS cannot end here";
    match hello.odd_server_name() {
        Some(OddServerName::Bracketed) => Err(Refusal::with_status(
            400,
            ProxyError::TlsProtocolError,
            DETAIL,
        )),
        _ => Ok(()),
    }
}

/// The server name must be the host of the CONNECT.
pub(crate) fn check_sni(
    request: &Request<'_>,
    destination: &Destination<'_>,
    hello: &ClientHello,
    draft: &mut RecordBuilder,
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
        Fronting::Deny => Err(Refusal::new(ProxyError::HttpRequestDenied, DETAIL)),
        Fronting::Alert => {
            draft.write_notice(request, destination, DETAIL);
            Ok(())
        }
        Fronting::Allow => {
            let fronted = Destination {
                host: NormalHost::Domain(sni),
                ..*destination
            };
            phases::pre_dns(request, &fronted, draft).map(|_| ())
        }
    }
}

pub(crate) type Ended = Result<(), (Refusal, Option<AlertDescription>)>;
