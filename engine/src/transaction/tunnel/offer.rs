//! Whether what a client offers in its ClientHello can be served where its tunnel is intercepted, and
//! with which key. What cannot be is told in the field's words before rustls says it in its own.

use sallyport_pki::LeafKey;
use sallyport_wire::tls::{AlertDescription, ClientHello};

use crate::config::checked::{Tls, TlsVersion};
use crate::proxy_error::ProxyError;
use crate::transaction::request::reply::Refusal;
use crate::transaction::request::tls_notes::version_name;

/// The kind of key that the client takes.
///
/// # Errors
/// The refusal for the log and the alert for the client: a version that is too old, or certificates
/// that are not minted here.
pub(crate) fn leaf_key(
    hello: &ClientHello,
    tls: &Tls,
) -> Result<LeafKey, (Refusal, Option<AlertDescription>)> {
    let (oldest, oldest_name) = match tls.version_min {
        TlsVersion::V12 => (0x0303, "TLSv1.2"),
        TlsVersion::V13 => (0x0304, "TLSv1.3"),
    };
    let refuse = |detail: String, alert| {
        let refusal = Refusal::with_status(400, ProxyError::TlsProtocolError, detail);
        Err((refusal, Some(alert)))
    };
    if hello.highest_version() < oldest {
        let newest = version_name(hello.highest_version()).unwrap_or("an older version");
        let detail = format!(
            "the client offers {newest} at most, and {oldest_name} is the least that is served (tls.version_min)"
        );
        return refuse(detail, AlertDescription::ProtocolVersion);
    }
    match (hello.takes_ecdsa(), tls.rsa_leaf) {
        (true, _) => Ok(LeafKey::Ecdsa),
        (false, true) => Ok(LeafKey::Rsa),
        (false, false) => refuse(
            "the client takes no ECDSA certificates, and no others are minted (tls.rsa_leaf)"
                .to_owned(),
            AlertDescription::HandshakeFailure,
        ),
    }
}
