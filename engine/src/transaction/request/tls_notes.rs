//! What is known of the TLS that a client speaks, for rules and the log.

use std::cell::RefCell;
use std::rc::Rc;

use sallyport_wire::tls::ClientHello;

use crate::access_log::TlsHandling;
use crate::transaction::request::reply::Refusal;

/// What `request:TlsEch` has to say.
pub(crate) const ECH_PRESENT: &[u8] = b"present";

/// What a ClientHello said, and what was done with it.
#[derive(Debug, Clone)]
pub(crate) struct TlsNotes {
    pub(crate) handling: TlsHandling,
    pub(crate) sni: Option<Vec<u8>>,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) ja4: String,
    /// Whether some of it was encrypted, or looked so.
    pub(crate) has_ech: bool,
    /// The newest version that was offered; the one that was agreed on where TLS ends here.
    pub(crate) version: Option<&'static str>,
    /// The cipher suite that was agreed on, where TLS ends here.
    pub(crate) cipher: Option<&'static str>,
}

impl TlsNotes {
    /// The word of `request:TlsEch`, if part of the ClientHello was encrypted.
    pub(crate) fn ech(&self) -> Option<&'static [u8]> {
        self.has_ech.then_some(ECH_PRESENT)
    }

    /// Nothing was said.
    pub(crate) fn empty(handling: TlsHandling) -> Self {
        Self {
            handling,
            sni: None,
            alpn: None,
            ja4: String::new(),
            has_ech: false,
            version: None,
            cipher: None,
        }
    }
}

/// The TLS around the requests of an intercepted tunnel.
#[derive(Debug)]
pub(crate) struct InnerTls<'a> {
    /// For the log.
    pub(crate) notes: Rc<TlsNotes>,
    /// What the client offered.
    pub(crate) alpn: &'a [&'a [u8]],
    /// Why the origin could not be asked when the tunnel began: the answer to the first request.
    pub(crate) failure: RefCell<Option<Refusal>>,
}

/// What there is to log about a ClientHello.
pub(crate) fn notes(hello: &ClientHello, handling: TlsHandling) -> TlsNotes {
    TlsNotes {
        handling,
        sni: hello.server_name().map(|sni| sni.as_bytes().to_vec()),
        alpn: hello.alpn().next().map(<[u8]>::to_vec),
        ja4: hello.ja4().as_str().to_owned(),
        has_ech: hello.has_encrypted_client_hello(),
        version: version_name(hello.highest_version()),
        cipher: None,
    }
}

/// The newest version that a client offers, as in `request:TlsVersion`.
pub(crate) fn version_name(version: u16) -> Option<&'static str> {
    match version {
        0x0300 => Some("SSLv3"),
        0x0301 => Some("TLSv1.0"),
        0x0302 => Some("TLSv1.1"),
        0x0303 => Some("TLSv1.2"),
        0x0304 => Some("TLSv1.3"),
        _ => None,
    }
}
