//! What an open tunnel holds, and the facts that rules see of that.
//!
//! `standing` asks with them whether the tunnel may go on.

use sallyport_ruleset::{Fact, Facts, Protocol, ProtocolSet};

use crate::transaction::request::context::Enclosing;
use crate::transaction::request::tls_notes::TlsNotes;

/// What is in a tunnel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Holds<'a> {
    /// HTTP that nobody has encrypted.
    Http,
    /// TLS that ends here.
    Intercepted(Hello<'a>),
    /// TLS that is passed through.
    PassedTls(Hello<'a>),
    /// Neither.
    Other,
    /// What a connection has switched to after a request, which may have come in a tunnel itself.
    Switched(Option<&'a dyn Enclosing>),
}

/// What rules and fronting want to know of a ClientHello.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hello<'a> {
    pub(crate) notes: &'a TlsNotes,
    pub(crate) alpn: &'a [&'a [u8]],
}

impl<'a> Hello<'a> {
    /// `facts` with what the client has said in TLS.
    pub(crate) fn facts(self, facts: Facts<'a>) -> Facts<'a> {
        Facts {
            tls_sni: self.notes.sni.as_deref().into(),
            tls_alpn: Fact::Known(self.alpn),
            tls_version: self.notes.version.map(str::as_bytes).into(),
            ja4: Fact::Known(self.notes.ja4.as_bytes()),
            tls_ech: self.notes.ech().into(),
            ..facts
        }
    }
}

/// The facts of a tunnel that holds `what`, no HTTP of which is seen.
pub(crate) fn facts_of_tunnel(facts: Facts<'_>, what: Protocol) -> Facts<'_> {
    let protocol = ProtocolSet::EMPTY.with(Protocol::Connect).with(what);
    Facts {
        protocol: Fact::Known(protocol),
        ..without_http(facts)
    }
}

/// The facts of a tunnel in which no TLS is.
pub(crate) fn without_tls(facts: Facts<'_>) -> Facts<'_> {
    Facts {
        tls_sni: Fact::Absent,
        tls_alpn: Fact::Absent,
        tls_version: Fact::Absent,
        ja4: Fact::Absent,
        tls_ech: Fact::Absent,
        ..facts
    }
}

/// The facts of a tunnel in which no HTTP is seen: its URL is what the CONNECT names.
pub(crate) fn without_http(facts: Facts<'_>) -> Facts<'_> {
    Facts {
        uri: Fact::Absent,
        url: facts.authority,
        method: Fact::Absent,
        user_agent: Fact::Absent,
        content_type: Fact::Absent,
        host: Fact::Absent,
        content_length: Fact::Absent,
        request_headers: Fact::Absent,
        ..facts
    }
}
