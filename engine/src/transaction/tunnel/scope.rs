//! What requests inside a tunnel know of it.

use sallyport_wire::http1::Authority;

use crate::transaction::request::destination::NormalHost;
use crate::transaction::request::tls_notes::InnerTls;
use crate::transaction::tunnel::standing::OpenTunnel;

/// What requests inside a tunnel are held to.
#[derive(Debug)]
pub(crate) struct InnerScope<'a> {
    pub(crate) authority: &'a Authority<'a>,
    pub(crate) host: NormalHost<'a>,
    pub(crate) port: u16,
    pub(crate) tunnel: &'a OpenTunnel<'a>,
    /// HTTP/2 without TLS, on both legs.
    pub(crate) prior_knowledge: bool,
    /// The TLS that they come in, if they do.
    pub(crate) tls: Option<&'a InnerTls<'a>>,
}
