//! Field lines: names known by number, and the one pass that reads from them
//! everything a message's framing and connection depend on.
//!
//! What follows from it differs between requests and responses and is decided
//! in `request_head` and `response_head`, the only callers.

use super::error::HeadError;
use super::framing::{self, TransferCoding};
use super::hop_by_hop;
use super::leniency::Reading;
use crate::Span;

/// Most field lines that one head can have, whatever the limits say: the
/// tokenizer's table lies on the stack, 32 bytes each.
pub const HEADERS_CAPACITY: usize = 256;

/// Versions that are spoken; all others are refused. Parsers yield the first two only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2. Set by who has turned a message of it into the form of an HTTP/1.1 one, and treated
    /// as that but for what `Via` says.
    Http2,
}

impl Version {
    /// Its number, as logs show it.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
        }
    }
}

/// How large a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Start line and fields with all line ends, in bytes. Default 64 KiB.
    pub head_bytes_max: usize,
    /// Number of field lines; more than [`HEADERS_CAPACITY`] means that.
    /// Default 100.
    pub headers_max: usize,
    /// The request target, in bytes. Default 16 KiB.
    pub uri_bytes_max: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            head_bytes_max: 64 * 1024,
            headers_max: 100,
            uri_bytes_max: 16 * 1024,
        }
    }
}

/// What a head parser found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parse {
    /// The head does not end in the bytes given.
    Incomplete,
    /// The head is parsed; the body begins at `head_bytes`.
    Complete {
        /// Bytes of the head, an empty line before it included.
        head_bytes: usize,
    },
}

/// One field line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderField {
    /// The name, when it is one of those that matter here.
    pub id: HeaderName,
    /// The name as written.
    pub name: Span,
    /// The value without the whitespace around it.
    pub value: Span,
    /// Meant for this connection only (RFC 9110 section 7.6.1): one of the
    /// fixed list, or named by `Connection`. Never forwarded as it is.
    pub hop_by_hop: bool,
}

impl HeaderField {
    /// Whether it would be forwarded, did not `Connection` name it.
    #[must_use]
    pub fn is_named_by_connection(&self) -> bool {
        self.hop_by_hop && !hop_by_hop::is_fixed(self.id)
    }
}

/// Names that are told apart once, while parsing, so that nothing later
/// compares strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderName {
    /// `Authorization`
    Authorization,
    /// `Connection`
    Connection,
    /// `Content-Length`
    ContentLength,
    /// `Content-Type`
    ContentType,
    /// `Date`
    Date,
    /// `Expect`
    Expect,
    /// `Host`
    Host,
    /// `HTTP2-Settings`
    Http2Settings,
    /// `Keep-Alive`
    KeepAlive,
    /// `Max-Forwards`
    MaxForwards,
    /// `Proxy-Authenticate`
    ProxyAuthenticate,
    /// `Proxy-Authentication-Info`
    ProxyAuthenticationInfo,
    /// `Proxy-Authorization`
    ProxyAuthorization,
    /// `Proxy-Connection`
    ProxyConnection,
    /// `TE`
    Te,
    /// `Trailer`
    Trailer,
    /// `Transfer-Encoding`
    TransferEncoding,
    /// `Upgrade`
    Upgrade,
    /// `User-Agent`
    UserAgent,
    /// `Via`
    Via,
    /// `WWW-Authenticate`
    WwwAuthenticate,
    /// Any other name.
    Other,
}

impl HeaderName {
    /// Which known name this is, whatever its case.
    #[inline]
    pub fn classify(name: &[u8]) -> Self {
        let Some(first) = name.first() else {
            return Self::Other;
        };
        // Length and first letter leave one candidate each.
        let (is_known, id) = match (name.len(), first | 0x20) {
            (2, _) => (is(name, b"te"), Self::Te),
            (3, _) => (is(name, b"via"), Self::Via),
            (4, b'h') => (is(name, b"host"), Self::Host),
            (4, _) => (is(name, b"date"), Self::Date),
            (6, _) => (is(name, b"expect"), Self::Expect),
            (7, b'u') => (is(name, b"upgrade"), Self::Upgrade),
            (7, _) => (is(name, b"trailer"), Self::Trailer),
            (10, b'c') => (is(name, b"connection"), Self::Connection),
            (10, b'u') => (is(name, b"user-agent"), Self::UserAgent),
            (10, _) => (is(name, b"keep-alive"), Self::KeepAlive),
            (12, b'c') => (is(name, b"content-type"), Self::ContentType),
            (12, _) => (is(name, b"max-forwards"), Self::MaxForwards),
            (13, _) => (is(name, b"authorization"), Self::Authorization),
            (14, b'c') => (is(name, b"content-length"), Self::ContentLength),
            (14, _) => (is(name, b"http2-settings"), Self::Http2Settings),
            (16, b'p') => (is(name, b"proxy-connection"), Self::ProxyConnection),
            (16, _) => (is(name, b"www-authenticate"), Self::WwwAuthenticate),
            (17, _) => (is(name, b"transfer-encoding"), Self::TransferEncoding),
            (18, _) => (is(name, b"proxy-authenticate"), Self::ProxyAuthenticate),
            (19, _) => (is(name, b"proxy-authorization"), Self::ProxyAuthorization),
            (25, _) => (
                is(name, b"proxy-authentication-info"),
                Self::ProxyAuthenticationInfo,
            ),
            _ => (false, Self::Other),
        };
        if is_known { id } else { Self::Other }
    }
}

/// Compares with one name in lower case. Its length is known to the compiler, so that the comparison
/// is a few wide instructions instead of a loop over bytes.
#[inline]
fn is<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    let Ok(name) = <&[u8; N]>::try_from(name) else {
        return false;
    };
    let mut differences = 0;
    for (byte, lower) in name.iter().zip(lower) {
        // Only letters have two cases: in what is no letter the bit must be as it is.
        let case_bit = if lower.is_ascii_lowercase() { 0x20 } else { 0 };
        differences |= (byte | case_bit) ^ lower;
    }
    differences == 0
}

/// Values of all fields of one name, whatever its case, but those that `Connection` names.
pub(crate) fn values<'a>(
    fields: &'a [HeaderField],
    buf: &'a [u8],
    name: &str,
) -> impl Iterator<Item = &'a [u8]> {
    fields
        .iter()
        .filter(move |field| {
            field.name.of(buf).eq_ignore_ascii_case(name.as_bytes())
                && !field.is_named_by_connection()
        })
        .map(move |field| field.value.of(buf))
}

/// Values of all fields of a known name but those that `Connection` names: no recipient will see
/// them.
pub fn end_to_end(fields: &[HeaderField], id: HeaderName) -> impl Iterator<Item = Span> {
    fields
        .iter()
        .filter(move |field| field.id == id && !field.is_named_by_connection())
        .map(|field| field.value)
}

/// What the one pass over the field lines found.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) content_length: Option<u64>,
    pub(crate) transfer_coding: Option<TransferCoding>,
    pub(crate) host: Option<Span>,
    pub(crate) host_repeated: bool,
    pub(crate) upgrade: Option<Span>,
    pub(crate) expect_continue: bool,
    pub(crate) te_trailers: bool,
    pub(crate) connection_close: bool,
    pub(crate) connection_keep_alive: bool,
    pub(crate) connection_upgrade: bool,
}

/// Stores the field lines as spans and reads those that framing and
/// connection depend on. `head` is the buffer up to the end of the head.
pub(crate) fn collect(
    head: &[u8],
    lines: &[httparse::Header<'_>],
    fields: &mut Vec<HeaderField>,
    reading: Reading<'_>,
) -> Result<Collected, HeadError> {
    let mut found = Collected::default();
    let mut options = ConnectionOptions::default();
    for line in lines {
        let name = Span::locate(head, line.name.as_bytes());
        let value = Span::locate(head, line.value);
        check_line_end(head, name.start(), reading)?;
        note_blank(head, name.end(), reading);
        let id = HeaderName::classify(line.name.as_bytes());
        fields.push(HeaderField {
            id,
            name,
            value,
            hop_by_hop: hop_by_hop::is_fixed(id),
        });
        if id != HeaderName::Other {
            found.note(id, value, line.value, (&mut options, reading))?;
        }
    }
    // The last line, and the empty one that ends the head.
    let last_line = head
        .len()
        .saturating_sub(if head.ends_with(b"\r\n") { 2 } else { 1 });
    check_line_end(head, last_line, reading)?;
    check_line_end(head, head.len(), reading)?;
    if options.names_fields {
        hop_by_hop::mark_named(head, fields);
    }
    found.connection_close |= options.close;
    found.connection_keep_alive = options.keep_alive;
    found.connection_upgrade = options.upgrade;
    Ok(found)
}

impl Collected {
    fn note(
        &mut self,
        id: HeaderName,
        span: Span,
        value: &[u8],
        (options, reading): (&mut ConnectionOptions, Reading<'_>),
    ) -> Result<(), HeadError> {
        match id {
            HeaderName::ContentLength => self.note_length(value, reading)?,
            HeaderName::TransferEncoding => {
                if self.transfer_coding.is_some() {
                    return Err(HeadError::TransferEncodingRepeated);
                }
                self.transfer_coding = Some(TransferCoding::parse(value));
            }
            HeaderName::Host => {
                self.host_repeated |= self.host.is_some();
                self.host = Some(span);
            }
            HeaderName::Connection => options.add(value)?,
            HeaderName::ProxyConnection => {
                self.connection_close |= value.eq_ignore_ascii_case(b"close");
            }
            HeaderName::Upgrade => self.upgrade = self.upgrade.or(Some(span)),
            HeaderName::Expect => {
                self.expect_continue |= value.eq_ignore_ascii_case(b"100-continue");
            }
            HeaderName::Te => {
                self.te_trailers |=
                    hop_by_hop::list(value).any(|item| item.eq_ignore_ascii_case(b"trailers"));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Collected {
    /// RFC 9110 section 8.6: a recipient may take the same length several times, on lines of their own
    /// or as a list, for one.
    fn note_length(&mut self, value: &[u8], reading: Reading<'_>) -> Result<(), HeadError> {
        let is_list = matches!(reading, Reading::Response(..));
        for one in value.split(|byte| is_list && *byte == b',') {
            let one = if is_list { one.trim_ascii() } else { one };
            let length = framing::parse_content_length(one)?;
            let is_same = self.content_length.is_none_or(|before| before == length);
            let is_repeated = self.content_length.is_some();
            let may = |_| is_same;
            if is_repeated && !reading.tolerates(may, |all| all.length_repeated = true) {
                return Err(HeadError::ContentLengthRepeated);
            }
            self.content_length = Some(length);
        }
        Ok(())
    }
}

/// Options of all `Connection` fields of one message.
#[derive(Debug, Default)]
struct ConnectionOptions {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
    /// Some option may name a field that would otherwise be forwarded.
    names_fields: bool,
    count: usize,
}

impl ConnectionOptions {
    fn add(&mut self, value: &[u8]) -> Result<(), HeadError> {
        for option in hop_by_hop::list(value) {
            self.count += 1;
            if self.count > hop_by_hop::CONNECTION_OPTIONS_MAX {
                return Err(HeadError::ConnectionOptions);
            }
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else {
                self.names_fields = true;
            }
        }
        Ok(())
    }
}

/// RFC 9112 section 2.2 lets a recipient take a bare LF as a line end, which
/// the tokenizer does; others do not, so such a head could be read in two ways.
fn check_line_end(head: &[u8], line_start: usize, reading: Reading<'_>) -> Result<(), HeadError> {
    match line_start
        .checked_sub(2)
        .and_then(|end| head.get(end..line_start))
    {
        Some(b"\r\n") => Ok(()),
        Some([_, b'\n'])
            if reading.tolerates(|leniency| leniency.bare_lf, |all| all.bare_lf = true) =>
        {
            Ok(())
        }
        _ => Err(HeadError::LineEnding),
    }
}

/// The tokenizer lets blanks stand before a colon only where it was told to.
fn note_blank(head: &[u8], name_end: usize, reading: Reading<'_>) {
    if head.get(name_end) != Some(&b':') {
        reading.tolerates(|_| true, |all| all.blank_before_colon = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_known_in_every_case_and_no_others() {
        for (name, id) in [
            ("Host", HeaderName::Host),
            ("hOST", HeaderName::Host),
            ("te", HeaderName::Te),
            ("VIA", HeaderName::Via),
            ("Expect", HeaderName::Expect),
            ("trailer", HeaderName::Trailer),
            ("Upgrade", HeaderName::Upgrade),
            ("Connection", HeaderName::Connection),
            ("Keep-Alive", HeaderName::KeepAlive),
            ("user-agent", HeaderName::UserAgent),
            ("Content-Type", HeaderName::ContentType),
            ("Max-Forwards", HeaderName::MaxForwards),
            ("Content-Length", HeaderName::ContentLength),
            ("HTTP2-Settings", HeaderName::Http2Settings),
            ("Proxy-Connection", HeaderName::ProxyConnection),
            ("transfer-encoding", HeaderName::TransferEncoding),
            ("Proxy-Authenticate", HeaderName::ProxyAuthenticate),
            ("Proxy-Authorization", HeaderName::ProxyAuthorization),
            (
                "Proxy-Authentication-Info",
                HeaderName::ProxyAuthenticationInfo,
            ),
            ("", HeaderName::Other),
            ("Hosts", HeaderName::Other),
            ("Content_Length", HeaderName::Other),
            ("Transfer-Encodinh", HeaderName::Other),
        ] {
            assert_eq!(HeaderName::classify(name.as_bytes()), id, "{name}");
        }
    }

    #[test]
    fn a_name_with_one_other_byte_is_another_name() {
        for name in [
            "te",
            "via",
            "host",
            "date",
            "expect",
            "upgrade",
            "trailer",
            "connection",
            "user-agent",
            "keep-alive",
            "content-type",
            "max-forwards",
            "authorization",
            "content-length",
            "http2-settings",
            "proxy-connection",
            "www-authenticate",
            "transfer-encoding",
            "proxy-authenticate",
            "proxy-authorization",
            "proxy-authentication-info",
        ] {
            let id = HeaderName::classify(name.as_bytes());
            assert_ne!(id, HeaderName::Other, "{name}");
            for at in 0..name.len() {
                for byte in 0..=u8::MAX {
                    let mut other = name.as_bytes().to_vec();
                    other[at] = byte;
                    let is_same = other.eq_ignore_ascii_case(name.as_bytes());
                    assert_eq!(HeaderName::classify(&other) == id, is_same, "{other:?}");
                }
            }
        }
    }
}
