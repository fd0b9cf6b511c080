//! The ClientHello (RFC 8446 section 4.1.2), from one record or several.
//!
//! Read for what policy needs to know and what a fingerprint is made of; no
//! handshake takes place here. Called by the engine when a tunnel opens, with
//! all bytes received so far.

use std::net::IpAddr;

use thiserror::Error;

use crate::Span;
use crate::cursor::Cursor;
use crate::http1::{Authority, Host};
use crate::invariant::part;

/// Largest handshake message that is read, its header included. Post-quantum key
/// shares bring real ones to 2 KiB; some tools offer all that they know.
pub const CLIENT_HELLO_BYTES_MAX: usize = 64 * 1024;
/// Most records that one message may be cut into, so that a client that sends
/// byte by byte cannot make each record cost a walk over thousands.
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
    /// Not exactly one host name in ASCII.
    #[error("invalid server name in ClientHello")]
    ServerName,
}

/// What the parser found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloParse {
    /// The message does not end in the bytes given, nor before there are
    /// `bytes_min` of them: so that it need not be looked at for every byte.
    Incomplete {
        /// At least one more than were given.
        bytes_min: usize,
    },
    /// The message is parsed.
    Complete {
        /// Bytes of the records that carry it.
        bytes: usize,
    },
}

/// A server name that RFC 6066 section 3 forbids, and that clients send
/// nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddServerName {
    /// An address. Taken as absent.
    Address,
    /// In brackets, like the host of a URI. Taken as absent.
    Bracketed,
    /// With a final dot. Taken without it.
    FinalDot,
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
    odd_server_name: Option<OddServerName>,
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
        let bytes = match self.assemble(buf)? {
            HelloParse::Complete { bytes } => bytes,
            incomplete => return Ok(incomplete),
        };
        let message = std::mem::take(&mut self.message);
        let parsed = self.parse_message(&message);
        self.message = message;
        parsed.map(|()| HelloParse::Complete { bytes })
    }

    /// The host name of the server_name extension, as written but for a
    /// final dot.
    pub fn server_name(&self) -> Option<&str> {
        let name = self.server_name?.of(&self.message);
        std::str::from_utf8(name).ok()
    }

    /// What was made of a server name that is not as it should be.
    pub fn odd_server_name(&self) -> Option<OddServerName> {
        self.odd_server_name
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

    /// Whether the client takes a server that has an ECDSA key on P-256: its signature algorithms say so,
    /// and below TLS 1.3 its cipher suites as well (RFC 8446 section 4.2.3, RFC 8422 section 2).
    pub fn takes_ecdsa(&self) -> bool {
        const ECDSA_SECP256R1_SHA256: u16 = 0x0403;
        const ECDHE_ECDSA_SUITES: [u16; 3] = [0xc02b, 0xc02c, 0xcca9];
        let has_suite = || {
            let mut suites = self.cipher_suites.iter();
            suites.any(|suite| ECDHE_ECDSA_SUITES.contains(suite))
        };
        self.signature_algorithms.contains(&ECDSA_SECP256R1_SHA256)
            && (self.highest_version >= 0x0304 || has_suite())
    }

    /// Whether there is an encrypted_client_hello extension, real or GREASE:
    /// nobody but the server can tell. The server name above is then the outer
    /// one.
    pub fn has_encrypted_client_hello(&self) -> bool {
        self.extensions.contains(&ENCRYPTED_CLIENT_HELLO)
    }

    fn clear(&mut self) {
        self.message.clear();
        self.legacy_version = 0;
        self.highest_version = 0;
        self.server_name = None;
        self.odd_server_name = None;
        self.alpn.clear();
        self.cipher_suites.clear();
        self.extensions.clear();
        self.signature_algorithms.clear();
    }

    /// Puts the message's body together.
    fn assemble(&mut self, buf: &[u8]) -> Result<HelloParse, HelloError> {
        let mut at = 0;
        for _ in 0..RECORDS_MAX {
            let rest = part(buf, at..);
            let Some(fragment) = record(rest)? else {
                let bytes_min = buf.len() + 1;
                return Ok(HelloParse::Incomplete { bytes_min });
            };
            let is_whole = fragment.bytes.len() == fragment.length;
            self.message.extend_from_slice(fragment.bytes);
            match self.message_end()? {
                Some(end) if self.message.len() > end => return Err(HelloError::Malformed),
                Some(end) if self.message.len() == end && is_whole => {
                    self.message.drain(..HANDSHAKE_HEADER_BYTES);
                    let bytes = at + RECORD_HEADER_BYTES + fragment.length;
                    return Ok(HelloParse::Complete { bytes });
                }
                Some(end) if end > CLIENT_HELLO_BYTES_MAX => return Err(HelloError::TooLarge),
                // What is wrong with the message's own header shows before its record ends.
                _ if !is_whole => {
                    let header_end = at + RECORD_HEADER_BYTES + HANDSHAKE_HEADER_BYTES;
                    let record_end = at + RECORD_HEADER_BYTES + fragment.length;
                    let bytes_min = match buf.len() < header_end {
                        true => buf.len() + 1,
                        false => record_end,
                    };
                    return Ok(HelloParse::Incomplete { bytes_min });
                }
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
                let written = parse_server_name(data).ok_or(HelloError::ServerName)?;
                let (name, odd) = read_name(written).ok_or(HelloError::ServerName)?;
                self.server_name = name.map(|name| Span::locate(message, name));
                self.odd_server_name = odd;
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
    /// Bytes that it will have.
    length: usize,
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
            Ok(Some(Fragment {
                bytes: rest.get(..len).unwrap_or(rest),
                length: len,
            }))
        }
        _ => Err(HelloError::NotClientHello),
    }
}

/// RFC 6066 section 3: a list with one entry of type host_name.
fn parse_server_name(data: &[u8]) -> Option<&[u8]> {
    const HOST_NAME: u8 = 0;
    let mut cursor = Cursor::new(data);
    let list = cursor.vector16()?;
    let mut entries = Cursor::new(list);
    let kind = entries.u8()?;
    let name = entries.vector16()?;
    let is_alone = cursor.is_empty() && entries.is_empty() && kind == HOST_NAME;
    is_alone.then_some(name)
}

/// What is made of a server name as it was written: OpenSSL and rustls do the
/// same with addresses and with a final dot.
fn read_name(written: &[u8]) -> Option<(Option<&[u8]>, Option<OddServerName>)> {
    const ADDRESS: (Option<&[u8]>, Option<OddServerName>) = (None, Some(OddServerName::Address));
    if written.starts_with(b"[") && written.ends_with(b"]") {
        return Some((None, Some(OddServerName::Bracketed)));
    }
    let text = std::str::from_utf8(written).ok()?;
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.parse::<IpAddr>().is_ok() {
        return Some(ADDRESS);
    }
    let is_name = name.is_ascii()
        && !name.ends_with('.')
        && Authority::parse(name.as_bytes())
            .is_ok_and(|name| matches!(name.host, Host::Domain(_)) && name.port.is_none());
    let odd = (name.len() < text.len()).then_some(OddServerName::FinalDot);
    is_name.then_some((Some(name.as_bytes()), odd))
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

#[cfg(test)]
mod tests {
    use super::super::sample::Hello;
    use super::*;
    use proptest::prelude::*;

    fn parse(bytes: &[u8]) -> Result<HelloParse, HelloError> {
        ClientHello::new().parse(bytes)
    }

    #[test]
    fn what_a_client_offers() {
        let bytes = Hello::browser().to_records(usize::MAX);
        let mut hello = ClientHello::new();
        assert_eq!(
            hello.parse(&bytes),
            Ok(HelloParse::Complete { bytes: bytes.len() })
        );
        assert_eq!(hello.server_name(), Some("www.example.com"));
        assert_eq!(hello.alpn().collect::<Vec<_>>(), [&b"h2"[..], b"http/1.1"]);
        assert_eq!(
            (hello.legacy_version(), hello.highest_version()),
            (0x0303, 0x0304)
        );
        assert_eq!(hello.cipher_suites().len(), 15);
        assert_eq!(hello.extensions().len(), 16);
        assert_eq!(hello.signature_algorithms()[..2], [0x0403, 0x0804]);
        assert!(!hello.has_encrypted_client_hello());
        assert!(
            hello
                .cipher_suites()
                .iter()
                .chain(hello.extensions())
                .all(|v| !is_grease(*v))
        );

        // Reused for one that offers next to nothing.
        let bare = Hello {
            extensions: None,
            ..Hello::browser()
        };
        assert!(hello.parse(&bare.to_records(usize::MAX)).is_ok());
        assert_eq!((hello.server_name(), hello.alpn().count()), (None, 0));
        assert_eq!(hello.highest_version(), 0x0303);
        assert!(hello.extensions().is_empty() && hello.signature_algorithms().is_empty());

        let ech = Hello::browser().with(ENCRYPTED_CLIENT_HELLO, b"\0");
        assert!(hello.parse(&ech.to_records(usize::MAX)).is_ok());
        assert!(hello.has_encrypted_client_hello());
    }

    #[test]
    fn server_names() {
        let name_extension = |names: &[(u8, &[u8])]| {
            let mut list = Vec::new();
            for (kind, name) in names {
                list.push(*kind);
                list.extend_from_slice(&u16::try_from(name.len()).expect("short").to_be_bytes());
                list.extend_from_slice(name);
            }
            let mut data = u16::try_from(list.len())
                .expect("short")
                .to_be_bytes()
                .to_vec();
            data.extend_from_slice(&list);
            data
        };
        let parse_name = |data: &[u8]| {
            let hello = Hello::browser()
                .without(SERVER_NAME)
                .with(SERVER_NAME, data);
            let mut parsed = ClientHello::new();
            parsed.parse(&hello.to_records(usize::MAX))?;
            Ok(parsed.server_name().map(str::to_owned))
        };
        for name in ["a", "A.example", "xn--bcher-kva.example", "a_b.example"] {
            assert_eq!(
                parse_name(&name_extension(&[(0, name.as_bytes())])),
                Ok(Some(name.into()))
            );
        }
        for address in ["1.2.3.4", "1.2.3.4.", "::1", "[::1]", "[a.test]"] {
            let absent = parse_name(&name_extension(&[(0, address.as_bytes())]));
            assert_eq!(absent, Ok(None), "{address}");
        }
        let dotted = parse_name(&name_extension(&[(0, b"A.example.")]));
        assert_eq!(dotted, Ok(Some("A.example".into())));
        let refused: &[&[u8]] = &[
            b"",
            b".",
            b"a..",
            b".a",
            b"a..b",
            b"a b",
            b"a\0.b",
            b"a:80",
            b"u@a",
            b"127.1",
            b"[::1]:443",
            b"b\xc3\xbccher.example",
            b"a/b",
            b"*.a",
        ];
        for name in refused {
            let found = parse_name(&name_extension(&[(0, name)]));
            assert_eq!(
                found,
                Err(HelloError::ServerName),
                "{}",
                name.escape_ascii()
            );
        }
        for data in [
            name_extension(&[]),
            name_extension(&[(0, b"a"), (0, b"b")]),
            name_extension(&[(1, b"a")]),
            Vec::new(),
            b"\0\x04\0\0\x01aX".to_vec(),
            b"\0\x05\0\0\x01a".to_vec(),
        ] {
            assert_eq!(parse_name(&data), Err(HelloError::ServerName), "{data:?}");
        }
    }

    #[test]
    fn malformed_hellos_are_refused() {
        let whole = |hello: &Hello| parse(&hello.to_records(usize::MAX));
        let browser = Hello::browser;
        assert_eq!(
            whole(&browser().with(ALPN, b"\0\x03\x02h2")),
            Err(HelloError::RepeatedExtension)
        );
        for (kind, data) in [
            (ALPN, &b"\0\x04\x02h2"[..]),
            (ALPN, b"\0\x03\x02h2x"),
            (ALPN, b"\0\0"),
            (ALPN, b"\0\x01\0"),
            (SUPPORTED_VERSIONS, b"\x03\x03\x04\x03"),
            (SUPPORTED_VERSIONS, b"\0"),
            (SUPPORTED_VERSIONS, b"\x02\x0a\x0a"),
            (SIGNATURE_ALGORITHMS, b"\0\x03\x04\x03\x04"),
        ] {
            let hello = browser().without(kind).with(kind, data);
            assert_eq!(whole(&hello), Err(HelloError::Malformed), "{kind} {data:?}");
        }
        assert_eq!(
            whole(&Hello {
                cipher_suites: Vec::new(),
                ..browser()
            }),
            Err(HelloError::Malformed)
        );
        let greedy = Hello {
            cipher_suites: vec![0x1301; 513],
            ..browser()
        };
        assert_eq!(whole(&greedy), Err(HelloError::Malformed));
        let crowded = (0..129).fold(Hello::browser(), |hello, n| hello.with(0x5000 + n, b""));
        assert_eq!(whole(&crowded), Err(HelloError::TooLarge));
    }

    #[test]
    fn records_that_carry_no_hello_are_refused() {
        for (bytes, error) in [
            (&b"GET / HTTP/1.1"[..], HelloError::NotClientHello),
            (b"\x15\x03\x03\0\x02\x02\x31", HelloError::NotClientHello),
            (b"\x16\x02", HelloError::NotClientHello),
            (b"\x16\x03\x01\0\x04\x02", HelloError::NotClientHello),
            (b"\x16\x03\x01\0\0", HelloError::Malformed),
            (b"\x16\x03\x01\x40\x01", HelloError::Malformed),
            (b"\x16\x03\x01\0\x04\x01\x01\x00\x00", HelloError::TooLarge),
            (b"\x16\x03\x01\0\x04\x01\xff\xff\xff", HelloError::TooLarge),
            // More in the record than the message.
            (b"\x16\x03\x01\0\x06\x01\0\0\x01xx", HelloError::Malformed),
        ] {
            assert_eq!(parse(bytes), Err(error), "{}", bytes.escape_ascii());
        }
        // As many bytes as may be, over several records; and one more.
        let padded = |bytes: usize| {
            let hello = Hello::browser().with(0x5000, &vec![0; bytes]);
            parse(&hello.to_records(RECORD_BYTES_MAX))
        };
        let others = match padded(0) {
            Ok(HelloParse::Complete { bytes }) => bytes - RECORD_HEADER_BYTES,
            other => panic!("{other:?}"),
        };
        let most = CLIENT_HELLO_BYTES_MAX - 1 - others;
        assert!(matches!(padded(most), Ok(HelloParse::Complete { .. })));
        assert_eq!(padded(most + 2), Err(HelloError::TooLarge));
        // Another record type in between, and a message in too many records.
        let mut records = Hello::browser().to_records(100);
        records[105] = 0x17;
        assert_eq!(parse(&records), Err(HelloError::NotClientHello));
        assert_eq!(
            parse(&Hello::browser().to_records(1)),
            Err(HelloError::TooLarge)
        );
    }

    proptest! {
        /// Cutting the message into records and the records into reads changes
        /// nothing; what follows the message is left alone.
        #[test]
        fn cuts_change_nothing(record_bytes in 9..700usize, rest in prop::collection::vec(any::<u8>(), 0..8)) {
            let mut expected = ClientHello::new();
            expected.parse(&Hello::browser().to_records(usize::MAX)).expect("a hello");
            let mut bytes = Hello::browser().to_records(record_bytes);
            let message_bytes = bytes.len();
            bytes.extend_from_slice(&rest);
            let mut hello = ClientHello::new();
            for end in 0..message_bytes {
                let parsed = hello.parse(&bytes[..end]);
                let Ok(HelloParse::Incomplete { bytes_min }) = parsed else {
                    return Err(TestCaseError::fail(format!("{parsed:?} after {end} bytes")));
                };
                prop_assert!(end < bytes_min && bytes_min <= message_bytes);
            }
            prop_assert_eq!(hello.parse(&bytes), Ok(HelloParse::Complete { bytes: message_bytes }));
            prop_assert_eq!(format!("{hello:?}"), format!("{expected:?}"));
        }

        #[test]
        fn no_bytes_make_it_panic(
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            end in any::<prop::sample::Index>(),
        ) {
            let mut bytes = Hello::browser().to_records(200);
            for (at, byte) in edits {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let mut hello = ClientHello::new();
            let whole = hello.parse(&bytes);
            if let Ok(HelloParse::Complete { .. }) = whole {
                prop_assert_eq!(hello.ja4().as_str().len(), 36);
            }
            let cut = ClientHello::new().parse(&bytes[..end.index(bytes.len())]);
            let is_early = matches!(cut, Ok(HelloParse::Incomplete { .. }));
            prop_assert!(is_early || cut == whole);
        }
    }
}
