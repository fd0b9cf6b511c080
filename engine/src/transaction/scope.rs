//! What requests inside a tunnel know of it.

use sallyport_wire::http1::Authority;

use super::destination::NormalHost;
use super::standing::OpenTunnel;
use super::tls_notes::InnerTls;

/// What requests inside a tunnel are held to.
#[derive(Debug)]
pub(super) struct InnerScope<'a> {
    pub(super) authority: &'a Authority<'a>,
    pub(super) host: NormalHost<'a>,
    pub(super) port: u16,
    pub(super) tunnel: &'a OpenTunnel<'a>,
    /// HTTP/2 without TLS, on both legs.
    pub(super) prior_knowledge: bool,
    /// The TLS that they come in, if they do.
    pub(super) tls: Option<&'a InnerTls<'a>>,
}
