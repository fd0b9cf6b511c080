//! The ClientHello (RFC 8446 section 4.1.2), from one record or several.
//!
//! Read for what policy needs to know and what a fingerprint is made of; no
//! handshake takes place here. Called by the engine when a tunnel opens, with
//! all bytes received so far.

use thiserror::Error;

use super::ja4::Ja4;
use crate::Span;
use crate::cursor::Cursor;
use crate::http1::{Authority, Host};

/// Largest handshake message that is read. Post-quantum key shares bring real
/// ones to 2 KiB.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Most records that one message may be cut into, so that a client that sends
/// byte by byte cannot make each read cost a walk over thousands.
const RECORDS_MAX: usize = 64;
/// Largest plaintext of a record (RFC 8446 section 5.1).
const RECORD_BYTES_MAX: usize = 1 << 14;
/// Most cipher suites; 350 are registered.
pub(super) const CIPHER_SUITES_MAX: usize = 512;
/// Most extensions; about 60 are registered.
pub(super) const EXTENSIONS_MAX: usize = 128;

pub(super) const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
pub(super) const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

/// Why the bytes are no ClientHello that can be judged. Always the client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HelloError {
    /// Not a handshake record, or the handshake begins with another message.
    #[error("not a TLS ClientHello")]
    NotClientHello,
    /// A length or a list does not fit its surroundings.
    #[error("malformed ClientHello")]
    Malformed,
    /// Over one of the bounds of this module.
    #[error("ClientHello too large")]
    TooLarge,
    /// The same extension twice: two parsers could believe two different ones.
    #[error("repeated extension in ClientHello")]
    RepeatedExtension,
    /// Not exactly one DNS host name in ASCII, without a final dot.
    #[error("invalid server name in ClientHello")]
    ServerName,
}

/// What the parser found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloParse {
    /// The message does not end in the bytes given.
    Incomplete,
    /// The message is parsed.
    Complete {
        /// Bytes of the records that carry it.
        bytes: usize,
    },
}

/// A parsed ClientHello. Made once and reused without allocation. GREASE
/// values (RFC 8701) appear nowhere in it.
#[derive(Clone, Debug, Default)]
pub struct ClientHello {
    /// The handshake message's body, put together from its records.
    message: Vec<u8>,
    legacy_version: u16,
    highest_version: u16,
    server_name: Option<Span>,
    alpn: Vec<Span>,
    cipher_suites: Vec<u16>,
    extensions: Vec<u16>,
    signature_algorithms: Vec<u16>,
}

impl ClientHello {
    /// An empty one with room for a usual message.
    pub fn new() -> Self {
        Self {
            message: Vec::with_capacity(2048),
            alpn: Vec::with_capacity(4),
            cipher_suites: Vec::with_capacity(32),
            extensions: Vec::with_capacity(32),
            signature_algorithms: Vec::with_capacity(16),
            ..Self::default()
        }
    }

    /// Parses the records at the start of `buf`.
    pub fn parse(&mut self, buf: &[u8]) -> Result<HelloParse, HelloError> {
        self.clear();
        let Some(bytes) = self.assemble(buf)? else {
            return Ok(HelloParse::Incomplete);
        };
        let message = std::mem::take(&mut self.message);
        let parsed = self.parse_message(&message);
        self.message = message;
        parsed.map(|()| HelloParse::Complete { bytes })
    }

    /// The host name of the server_name extension, as written.
    pub fn server_name(&self) -> Option<&str> {
        let name = self.server_name?.of(&self.message);
        std::str::from_utf8(name).ok()
    }

    /// Protocol names of the ALPN extension, in the client's order.
    pub fn alpn(&self) -> impl Iterator<Item = &[u8]> {
        self.alpn.iter().map(|name| name.of(&self.message))
    }

    /// The version field of the message itself.
    pub fn legacy_version(&self) -> u16 {
        self.legacy_version
    }

    /// The highest of supported_versions; without it the legacy version.
    /// `0x0304` is TLS 1.3.
    pub fn highest_version(&self) -> u16 {
        self.highest_version
    }

    /// Cipher suites in the client's order.
    pub fn cipher_suites(&self) -> &[u16] {
        &self.cipher_suites
    }

    /// Types of the extensions, in the client's order.
    pub fn extensions(&self) -> &[u16] {
        &self.extensions
    }

    /// Signature algorithms in the client's order.
    pub fn signature_algorithms(&self) -> &[u16] {
        &self.signature_algorithms
    }

    /// Whether there is an encrypted_client_hello extension, real or GREASE:
    /// nobody but the server can tell. The server name above is then the outer
    /// one.
    pub fn has_encrypted_client_hello(&self) -> bool {
        self.extensions.contains(&ENCRYPTED_CLIENT_HELLO)
    }

    /// The JA4 fingerprint: two SHA-256 over a few hundred bytes.
    pub fn ja4(&self) -> Ja4 {
        Ja4::of(self)
    }

    fn clear(&mut self) {
        self.message.clear();
        self.legacy_version = 0;
        self.highest_version = 0;
        self.server_name = None;
        self.alpn.clear();
        self.cipher_suites.clear();
        self.extensions.clear();
        self.signature_algorithms.clear();
    }

    /// Puts the message's body together; returns the bytes of its records, or
    /// `None` when more are needed.
    fn assemble(&mut self, buf: &[u8]) -> Result<Option<usize>, HelloError> {
        let mut at = 0;
        for _ in 0..RECORDS_MAX {
            let Some(rest) = buf.get(at..) else {
                return Ok(None);
            };
            let Some(fragment) = record(rest)? else {
                return Ok(None);
            };
            let is_whole = fragment.is_whole;
            self.message.extend_from_slice(fragment.bytes);
            match self.message_end()? {
                Some(end) if self.message.len() > end => return Err(HelloError::Malformed),
                Some(end) if self.message.len() == end && is_whole => {
                    self.message.drain(..HANDSHAKE_HEADER_BYTES);
                    return Ok(Some(at + RECORD_HEADER_BYTES + fragment.bytes.len()));
                }
                Some(end) if end > MESSAGE_BYTES_MAX => return Err(HelloError::TooLarge),
                _ if !is_whole => return Ok(None),
                _ => at += RECORD_HEADER_BYTES + fragment.bytes.len(),
            }
        }
        Err(HelloError::TooLarge)
    }

    /// Length of the message with its header, once that is there.
    fn message_end(&self) -> Result<Option<usize>, HelloError> {
        const CLIENT_HELLO: u8 = 1;
        match *self.message.as_slice() {
            [CLIENT_HELLO, high, middle, low, ..] => {
                let len = u32::from_be_bytes([0, high, middle, low]) as usize;
                Ok(Some(HANDSHAKE_HEADER_BYTES + len))
            }
            [] | [CLIENT_HELLO, ..] => Ok(None),
            _ => Err(HelloError::NotClientHello),
        }
    }

    fn parse_message(&mut self, message: &[u8]) -> Result<(), HelloError> {
        let mut cursor = Cursor::new(message);
        let suites = self.parse_fixed(&mut cursor).ok_or(HelloError::Malformed)?;
        read_u16s(suites, &mut self.cipher_suites)?;
        if suites.is_empty() || self.cipher_suites.len() > CIPHER_SUITES_MAX {
            return Err(HelloError::Malformed);
        }
        self.highest_version = self.legacy_version;
        // Before TLS 1.3 the extensions could be missing altogether.
        if cursor.is_empty() {
            return Ok(());
        }
        let extensions = cursor.vector16().ok_or(HelloError::Malformed)?;
        if !cursor.is_empty() {
            return Err(HelloError::Malformed);
        }
        let mut extensions = Cursor::new(extensions);
        while !extensions.is_empty() {
            let kind = extensions.u16().ok_or(HelloError::Malformed)?;
            let data = extensions.vector16().ok_or(HelloError::Malformed)?;
            if is_grease(kind) {
                continue;
            }
            if self.extensions.len() >= EXTENSIONS_MAX {
                return Err(HelloError::TooLarge);
            }
            // RFC 8446 section 4.2.
            if self.extensions.contains(&kind) {
                return Err(HelloError::RepeatedExtension);
            }
            self.extensions.push(kind);
            self.parse_extension(message, kind, data)?;
        }
        Ok(())
    }

    /// Up to the compression methods; returns the cipher suites.
    fn parse_fixed<'a>(&mut self, cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
        const RANDOM_BYTES: usize = 32;
        const SESSION_ID_BYTES_MAX: usize = 32;
        self.legacy_version = cursor.u16()?;
        cursor.take(RANDOM_BYTES)?;
        let session_id = cursor.vector8()?;
        let suites = cursor.vector16()?;
        let compressions = cursor.vector8()?;
        (session_id.len() <= SESSION_ID_BYTES_MAX && !compressions.is_empty()).then_some(suites)
    }

    fn parse_extension(
        &mut self,
        message: &[u8],
        kind: u16,
        data: &[u8],
    ) -> Result<(), HelloError> {
        let mut cursor = Cursor::new(data);
        match kind {
            SERVER_NAME => {
                let name = parse_server_name(data).ok_or(HelloError::ServerName)?;
                self.server_name = Some(Span::locate(message, name));
            }
            ALPN => {
                let names = only(cursor.vector16(), &cursor)?;
                self.parse_alpn(message, names)?;
            }
            SUPPORTED_VERSIONS => {
                let versions = only(cursor.vector8(), &cursor)?;
                self.highest_version = highest_version(versions)?;
            }
            SIGNATURE_ALGORITHMS => {
                let algorithms = only(cursor.vector16(), &cursor)?;
                read_u16s(algorithms, &mut self.signature_algorithms)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// RFC 7301 section 3.1.
    fn parse_alpn(&mut self, message: &[u8], names: &[u8]) -> Result<(), HelloError> {
        let mut names = Cursor::new(names);
        while !names.is_empty() {
            let name = names.vector8().ok_or(HelloError::Malformed)?;
            if name.is_empty() {
                return Err(HelloError::Malformed);
            }
            let is_grease =
                <[u8; 2]>::try_from(name).is_ok_and(|n| is_grease(u16::from_be_bytes(n)));
            if !is_grease {
                self.alpn.push(Span::locate(message, name));
            }
        }
        if self.alpn.is_empty() {
            Err(HelloError::Malformed)
        } else {
            Ok(())
        }
    }
}

const RECORD_HEADER_BYTES: usize = 5;
const HANDSHAKE_HEADER_BYTES: usize = 4;

/// What there is of one record's plaintext.
struct Fragment<'a> {
    bytes: &'a [u8],
    is_whole: bool,
}

/// The record at the start of `buf`; `None` while its header is incomplete.
fn record(buf: &[u8]) -> Result<Option<Fragment<'_>>, HelloError> {
    match *buf {
        [] | [22] | [22, 3] | [22, 3, 0..=4] | [22, 3, 0..=4, _] => Ok(None),
        [22, 3, 0..=4, high, low, ref rest @ ..] => {
            let len = usize::from(u16::from_be_bytes([high, low]));
            // RFC 8446 section 5.1: no empty fragments of handshake messages.
            if len == 0 || len > RECORD_BYTES_MAX {
                return Err(HelloError::Malformed);
            }
            let is_whole = rest.len() >= len;
            Ok(Some(Fragment {
                bytes: rest.get(..len).unwrap_or(rest),
                is_whole,
            }))
        }
        _ => Err(HelloError::NotClientHello),
    }
}

/// RFC 6066 section 3: a list with one entry of type host_name. Addresses are
/// not allowed, nor is a final dot.
fn parse_server_name(data: &[u8]) -> Option<&[u8]> {
    const HOST_NAME: u8 = 0;
    let mut cursor = Cursor::new(data);
    let list = cursor.vector16()?;
    let mut entries = Cursor::new(list);
    let kind = entries.u8()?;
    let name = entries.vector16()?;
    let is_alone = cursor.is_empty() && entries.is_empty() && kind == HOST_NAME;
    let is_name = name.is_ascii()
        && !name.ends_with(b".")
        && Authority::parse(name)
            .is_ok_and(|name| matches!(name.host, Host::Domain(_)) && name.port.is_none());
    (is_alone && is_name).then_some(name)
}

fn highest_version(versions: &[u8]) -> Result<u16, HelloError> {
    let (pairs, rest) = versions.as_chunks::<2>();
    let versions = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    match versions.filter(|version| !is_grease(*version)).max() {
        Some(version) if rest.is_empty() => Ok(version),
        _ => Err(HelloError::Malformed),
    }
}

/// Appends the numbers of a list, GREASE left out.
fn read_u16s(list: &[u8], out: &mut Vec<u16>) -> Result<(), HelloError> {
    let (pairs, rest) = list.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(HelloError::Malformed);
    }
    let numbers = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    out.extend(numbers.filter(|number| !is_grease(*number)));
    Ok(())
}

/// The vector, when nothing follows it.
fn only<'a>(vector: Option<&'a [u8]>, rest: &Cursor<'_>) -> Result<&'a [u8], HelloError> {
    vector
        .filter(|_| rest.is_empty())
        .ok_or(HelloError::Malformed)
}

/// RFC 8701 section 2: `0x0a0a`, `0x1a1a`, … `0xfafa`.
fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}
