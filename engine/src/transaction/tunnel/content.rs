//! What a tunnel holds, by the first bytes of the client. Which parser looks at it is decided here;
//! what is done with it, in `tunnel`.

use std::borrow::Cow;

use sallyport_wire::http1::Version;
use sallyport_wire::sniff::Sniff;
use sallyport_wire::tls::{AlertDescription, ClientHello, HelloError, HelloParse};

use crate::clock;
use crate::io::timer;
use crate::proxy_error::ProxyError;
use crate::transaction::exchange::work::ResponseWork;
use crate::transaction::request::context::Request;
use crate::transaction::tunnel::greeting::{Speaker, first_to_speak};
use crate::transport::Transport;

/// What a tunnel holds.
pub(crate) enum Content {
    Tls(Box<ClientHello>),
    Http(Version),
    /// Neither, or the client waits for the server to speak.
    Other,
}

/// Why nothing came of a tunnel, and the alert by which the client is told if it speaks TLS.
pub(crate) struct Unopened {
    pub(crate) error: ProxyError,
    pub(crate) detail: Cow<'static, str>,
    pub(crate) alert: Option<AlertDescription>,
}

impl Unopened {
    /// A client that has begun and does not go on: `begun` is what it sent.
    fn broken_off(detail: &'static str, begun: &[u8]) -> Self {
        const HANDSHAKE: u8 = 22;
        let speaks_tls = begun.first() == Some(&HANDSHAKE);
        Self {
            error: ProxyError::ConnectionTerminated,
            detail: detail.into(),
            alert: speaks_tls.then_some(AlertDescription::DecodeError),
        }
    }
}

impl From<HelloError> for Unopened {
    fn from(error: HelloError) -> Self {
        let alert = match error {
            HelloError::NotClientHello => AlertDescription::UnexpectedMessage,
            HelloError::Malformed | HelloError::TooLarge => AlertDescription::DecodeError,
            // RFC 8446 section 4.2, RFC 6066 section 3.
            HelloError::RepeatedExtension | HelloError::ServerName => {
                AlertDescription::IllegalParameter
            }
        };
        Self {
            error: ProxyError::TlsProtocolError,
            detail: error.to_string().into(),
            alert: Some(alert),
        }
    }
}

/// Receives until the first bytes tell what they are; a ClientHello is received whole. Where `server`
/// speaks before its client does, it holds something else.
pub(crate) async fn peek(
    request: &Request<'_>,
    server: Option<&Transport>,
    work: &mut ResponseWork<'_>,
) -> Result<Content, Unopened> {
    let tunnel = &request.snapshot.config.tunnel;
    let (client, pool) = (&request.client.transport, request.client.buffers());
    let mut end = clock::now() + tunnel.sniff_timeout;
    let mut hello: Option<Box<ClientHello>> = None;
    let mut bytes_min = 0;
    loop {
        let unread = work.input.unread();
        match Sniff::of(unread) {
            Sniff::Http1 => return Ok(Content::Http(Version::Http11)),
            Sniff::Http2Preface => return Ok(Content::Http(Version::Http2)),
            Sniff::Unknown => return Ok(Content::Other),
            Sniff::Tls if unread.len() >= bytes_min => {
                let hello = hello.get_or_insert_with(Default::default);
                match hello.parse(unread)? {
                    HelloParse::Complete { .. } => return Ok(Content::Tls(std::mem::take(hello))),
                    HelloParse::Incomplete { bytes_min: needed } => bytes_min = needed,
                }
            }
            Sniff::Tls | Sniff::NeedMore => {}
        }
        if let Some(server) = server.filter(|_| work.input.is_empty()) {
            // There is no hurry: both can be heard.
            match first_to_speak(client, server, tunnel.idle_timeout).await {
                Some(Speaker::Client) => {}
                Some(Speaker::Server) => return Ok(Content::Other),
                None => {
                    return Err(Unopened::broken_off(
                        "the tunnel was idle for too long",
                        &[],
                    ));
                }
            }
            end = clock::now() + tunnel.sniff_timeout;
        }
        let remaining = end.saturating_duration_since(clock::now());
        // Readiness may be dropped; a read that is dropped could lose bytes.
        let ready = timer::timeout(remaining, client.readable()).await;
        if ready.is_err() {
            return match work.input.is_empty() {
                true => Ok(Content::Other),
                false => {
                    const STALLED: &str = "the client stalled within its first message";
                    Err(Unopened::broken_off(STALLED, work.input.unread()))
                }
            };
        }
        match work
            .input
            .fill(client, pool, crate::limits::HEAD_BYTES_MAX)
            .await
        {
            Ok(0) | Err(_) => {
                const CLOSED: &str = "the client closed the tunnel before using it";
                return Err(Unopened::broken_off(CLOSED, work.input.unread()));
            }
            Ok(_) => {}
        }
    }
}
