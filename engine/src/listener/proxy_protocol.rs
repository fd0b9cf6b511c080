//! The PROXY protocol header in front of a connection: for whom a load balancer or a private endpoint
//! connects, and through which endpoint. Some send it with the first payload only, so it is waited for as
//! a request is.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use sallyport_wire::proxy_protocol::{EndpointId, Header, HeaderError, Parse, parse};

use crate::config::checked::ProxyProtocol;
use crate::limits::PROXY_HEADER_BYTES_MAX;
use crate::proxy_error::ProxyError;
use crate::shard::Shard;
use crate::shard::connections::Registered;
use crate::transport::Transport;
use crate::transport::read_buffer::ReadBuffer;

/// Connections of this process that were refused for what came in place of the header that their listener
/// expects. All shards count here: none of them should be common.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// What a listener expects in front of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// The sender is not believed, and what it sends is to be its own.
    NoHeader,
    /// The sender is believed, whether it speaks for others or for itself.
    Any,
    /// The sender is believed, and speaks for others only.
    Header,
}

/// For whom somebody connects.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// The client; none where the sender speaks for itself.
    pub(super) client: Option<SocketAddr>,
    /// The private endpoint that the client came through.
    pub(super) endpoint: Option<Rc<str>>,
    /// Bytes of the header; 0 without one.
    pub(super) bytes: u64,
}

/// Why a connection is refused before its first request.
#[derive(Debug)]
pub(super) enum NotAnnounced {
    /// It ended, or its time did, before anything was received.
    Unused,
    /// It ended within its header.
    Broken,
    /// Its header took too long.
    Late,
    /// A header of somebody who is not believed.
    Untrusted,
    /// There is none, although everybody has to send one.
    Missing,
    /// It is none.
    Malformed(HeaderError),
}

impl Expected {
    /// What is expected of `sender`; an error if there is nothing that it could send.
    pub(super) fn of(policy: &ProxyProtocol, sender: IpAddr) -> Result<Self, NotAnnounced> {
        match (policy.trusts(sender), policy.is_required) {
            (true, true) => Ok(Self::Header),
            (true, false) => Ok(Self::Any),
            (false, false) => Ok(Self::NoHeader),
            (false, true) => Err(NotAnnounced::Untrusted),
        }
    }
}

impl NotAnnounced {
    /// Error type and words for the log.
    pub(super) fn told(&self) -> (ProxyError, Cow<'static, str>) {
        match self {
            Self::Unused => (
                ProxyError::ConnectionTerminated,
                "the connection ended before a request".into(),
            ),
            Self::Broken => (
                ProxyError::ConnectionTerminated,
                "the connection ended within its PROXY protocol header".into(),
            ),
            Self::Late => (
                ProxyError::ConnectionReadTimeout,
                "the PROXY protocol header took too long".into(),
            ),
            Self::Untrusted => (
                ProxyError::HttpRequestDenied,
                "a PROXY protocol header is taken from listener.trusted only".into(),
            ),
            Self::Missing => (
                ProxyError::HttpRequestDenied,
                "the connection has no PROXY protocol header (listener.proxy_protocol)".into(),
            ),
            Self::Malformed(error) => (ProxyError::HttpRequestError, error.to_string().into()),
        }
    }

    /// Tells the operator, whose load balancer may be set up wrongly.
    pub(super) fn count(&self, sender: IpAddr, listener: &str) {
        if matches!(self, Self::Untrusted | Self::Missing | Self::Malformed(_)) {
            let count = REFUSED.fetch_add(1, Ordering::Relaxed) + 1;
            let why = self.told().1;
            tracing::warn!(%sender, listener, count, "connection refused: {why}");
        }
    }
}

/// Receives the header of a connection into `input`, and leaves what follows it there.
pub(super) async fn receive(
    shard: &Shard,
    registered: &Registered,
    (transport, input): (&Transport, &mut ReadBuffer),
    expected: Expected,
) -> Result<Announced, NotAnnounced> {
    let timeouts = shard.config().timeouts;
    let pool = registered.account().buffers();
    transport.arm_read(timeouts.keep_alive);
    if !input.wait(transport, pool).await {
        return Err(NotAnnounced::Unused);
    }
    transport.arm_read(timeouts.head);
    let announced = loop {
        match parse(input.unread(), PROXY_HEADER_BYTES_MAX) {
            Ok(Parse::Incomplete { .. }) => {}
            Ok(Parse::NotProxyProtocol) if expected == Expected::Header => {
                return Err(NotAnnounced::Missing);
            }
            Ok(Parse::NotProxyProtocol) => break Announced::default(),
            Ok(Parse::Header { .. }) | Err(_) if expected == Expected::NoHeader => {
                return Err(NotAnnounced::Untrusted);
            }
            Ok(Parse::Header { header, bytes }) => {
                let announced = Announced::of(&header, bytes);
                input.consume(bytes);
                break announced;
            }
            Err(error) => return Err(NotAnnounced::Malformed(error)),
        }
        match input.fill(transport, pool, PROXY_HEADER_BYTES_MAX).await {
            Ok(1..) => {}
            Ok(0) | Err(_) if input.is_empty() => return Err(NotAnnounced::Unused),
            // What cannot become a header any more is left to whoever reads requests.
            Ok(0) | Err(_) if expected == Expected::NoHeader => {
                break Announced::default();
            }
            Ok(0) | Err(_) if transport.expired() => return Err(NotAnnounced::Late),
            Ok(0) | Err(_) => return Err(NotAnnounced::Broken),
        }
    };
    transport.disarm();
    Ok(announced)
}

impl Announced {
    fn of(header: &Header<'_>, bytes: usize) -> Self {
        Self {
            client: header.endpoints.source(),
            endpoint: header.extensions.endpoint.map(|id| match id {
                EndpointId::Aws(id) | EndpointId::Alibaba(id) => id.into(),
                EndpointId::Azure(id) => id.to_string().into(),
                EndpointId::Google(id) => id.to_string().into(),
            }),
            bytes: bytes as u64,
        }
    }
}
