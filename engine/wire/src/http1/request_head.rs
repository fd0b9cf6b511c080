//! The head of a request: tokenized, judged, and kept as spans.
//!
//! The target is stored as written; `target` reads it. What may be forwarded
//! and how is `encode`. Called by the engine for each request.

use std::mem::MaybeUninit;

use super::error::HeadError;
use super::field::{HeaderField, HeaderName};
use super::framing::{self, BodyFraming};
use super::headers::{self, Collected, HEADERS_CAPACITY, HeadLimits, Parse};
use super::leniency::Reading;
use super::method::MethodKind;
use super::target::Authority;
use super::version::{self, OtherVersion, Version};
use crate::Span;
use crate::invariant::{Invariant, part};

/// A parsed request head. Made once and reused: parsing allocates only when a
/// request has more fields than any before it.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// The method as written.
    pub method: Span,
    /// The same, classified.
    pub method_kind: MethodKind,
    /// The request target as written.
    pub target: Span,
    /// The version of the request line.
    pub version: Version,
    /// All field lines in their order.
    pub headers: Vec<HeaderField>,
    /// How the body ends.
    pub framing: BodyFraming,
    /// The declared length, if any.
    pub content_length: Option<u64>,
    /// The client may send another request after this one. Never for HTTP/1.0:
    /// RFC 9112 section 9.3 forbids it to proxies.
    pub keep_alive: bool,
    /// `Expect: 100-continue` (ignored in HTTP/1.0, RFC 9110 section 10.1.1).
    pub expect_continue: bool,
    /// The method is CONNECT.
    pub is_connect: bool,
    /// `TE` lists `trailers`.
    pub te_trailers: bool,
    /// The first `Upgrade` field, when `Connection` lists `upgrade`, the version is
    /// HTTP/1.1 and no content follows: what would come first, the rest of it or
    /// the other protocol, nobody could tell.
    pub upgrade: Option<Span>,
    /// The one `Host` field; its value is a valid authority. `None` as well where it
    /// is empty and the target names a host, which then says it all.
    pub host: Option<Span>,
    /// Bytes of the head, an empty line before it included.
    pub head_bytes: usize,
}

impl Default for RequestHead {
    fn default() -> Self {
        Self::new()
    }
}

impl RequestHead {
    /// An empty head with room for 32 field lines.
    pub fn new() -> Self {
        Self {
            method: Span::default(),
            method_kind: MethodKind::default(),
            target: Span::default(),
            version: Version::Http11,
            headers: Vec::with_capacity(32),
            framing: BodyFraming::None,
            content_length: None,
            keep_alive: false,
            expect_continue: false,
            is_connect: false,
            te_trailers: false,
            upgrade: None,
            host: None,
            head_bytes: 0,
        }
    }

    /// Parses the head at the start of `buf`. Spans refer to `buf`; they are
    /// meaningful only after `Complete`.
    ///
    /// The answer depends on the bytes alone, not on how they were cut into
    /// reads: an error is reported as soon as its byte is there.
    pub fn parse(&mut self, buf: &[u8], limits: &HeadLimits) -> Result<Parse, HeadError> {
        self.headers.clear();
        let Some(skipped) = empty_line(buf)? else {
            return Ok(Parse::Incomplete);
        };
        let window = Window::of(part(buf, skipped..), limits);
        let start = window.bytes.get(..=METHOD_BYTES_MAX).unwrap_or_default();
        if !start.is_empty() && start.iter().all(|byte| is_token_byte(*byte)) {
            return Err(HeadError::MethodTooLong);
        }
        let mut lines = [const { MaybeUninit::uninit() }; HEADERS_CAPACITY];
        let lines_max = limits.headers_max.min(HEADERS_CAPACITY);
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(
            window.bytes,
            lines.get_mut(..lines_max).or_broken("room for lines"),
        );
        let head_bytes = match parsed {
            Ok(httparse::Status::Complete(bytes)) => skipped + bytes,
            Ok(httparse::Status::Partial) => {
                return window.too_small.map_or(Ok(Parse::Incomplete), Err);
            }
            Err(httparse::Error::Version) => return self.parse_other_version(buf, &window, limits),
            Err(error) => return Err(explain(error, window.bytes)),
        };
        let head = part(buf, ..head_bytes);
        let (method, target) = (
            request.method.or_broken("a method"),
            request.path.or_broken("a target"),
        );
        if target.len() > limits.uri_bytes_max {
            return Err(HeadError::UriTooLong);
        }
        self.method = Span::locate(head, method.as_bytes());
        self.method_kind = MethodKind::classify(method.as_bytes());
        self.target = Span::locate(head, target.as_bytes());
        self.version = version::of_minor(request.version);
        self.head_bytes = head_bytes;
        let found = headers::collect(head, request.headers, &mut self.headers, Reading::Strict)?;
        self.conclude(head, &found)?;
        Ok(Parse::Complete { head_bytes })
    }

    /// A version that the tokenizer does not know.
    #[cold]
    fn parse_other_version(
        &mut self,
        buf: &[u8],
        window: &Window<'_>,
        limits: &HeadLimits,
    ) -> Result<Parse, HeadError> {
        let word = window.bytes.splitn(3, |byte| *byte == b' ').nth(2);
        let word = word.unwrap_or_default();
        match version::judge(word) {
            OtherVersion::Incomplete => window.too_small.map_or(Ok(Parse::Incomplete), Err),
            OtherVersion::Later => {
                let end = Span::locate(buf, window.bytes).start() + window.bytes.len();
                let place = Span::locate(buf, word).start();
                let copy = version::as_http11(buf.get(..end).unwrap_or(buf), place);
                self.parse(&copy, limits)
            }
            OtherVersion::Error(error) => Err(error),
        }
    }

    /// [`parse`](Self::parse) for a buffer whose first `seen` bytes have
    /// already been found incomplete: nothing is parsed again until another
    /// line has arrived. This bounds what a client that sends byte by byte can
    /// cost to one parse per line. Errors may be noticed a line later.
    pub fn parse_after(
        &mut self,
        seen: usize,
        buf: &[u8],
        limits: &HeadLimits,
    ) -> Result<Parse, HeadError> {
        let new = buf.get(seen..).unwrap_or(buf);
        let line_max = request_line_max(limits);
        let within_limits = buf.len() < limits.head_bytes_max && buf.len() < line_max;
        if seen > 0 && within_limits && memchr::memchr(b'\n', new).is_none() {
            return Ok(Parse::Incomplete);
        }
        self.parse(buf, limits)
    }

    /// Values of all fields of this name, whatever its case, but those that `Connection` names.
    pub fn header_values<'a>(
        &'a self,
        buf: &'a [u8],
        name: &str,
    ) -> impl Iterator<Item = &'a [u8]> {
        headers::values(&self.headers, buf, name)
    }

    /// Values of all fields of a known name but those that `Connection` names: no recipient will
    /// see them.
    pub fn end_to_end(&self, id: HeaderName) -> impl Iterator<Item = Span> {
        headers::end_to_end(&self.headers, id)
    }

    /// How often the request may be forwarded (RFC 9110 section 7.6.2); `None` where nothing, or
    /// nothing that can be understood, says so. It means something for OPTIONS and TRACE only.
    pub fn max_forwards(&self, buf: &[u8]) -> Option<u32> {
        let value = self.end_to_end(HeaderName::MaxForwards).next()?.of(buf);
        let is_number = value.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(value).ok().filter(|_| is_number)?;
        text.parse().ok()
    }

    /// RFC 9112 section 3.2. A CONNECT may do without: many clients send none, and its
    /// target leaves nothing to be said.
    fn host(&self, head: &[u8], found: &Collected) -> Result<Option<Span>, HeadError> {
        if found.host_repeated {
            return Err(HeadError::HostRepeated);
        }
        let Some(host) = found.host else {
            return match self.version == Version::Http11 && !self.is_connect {
                true => Err(HeadError::HostMissing),
                false => Ok(None),
            };
        };
        let target_names_host = !matches!(self.target.of(head).first(), Some(b'/' | b'*'));
        if host.is_empty() && target_names_host {
            return Ok(None);
        }
        if is_judged_with(self.target.of(head), host.of(head)) {
            return Ok(Some(host));
        }
        match Authority::parse(host.of(head)) {
            Ok(_) => Ok(Some(host)),
            Err(_) => Err(HeadError::HostInvalid),
        }
    }

    /// What follows from the fields for this request.
    fn conclude(&mut self, head: &[u8], found: &Collected) -> Result<(), HeadError> {
        let is_http11 = self.version == Version::Http11;
        self.is_connect = self.method_kind == MethodKind::Connect;
        self.framing =
            framing::declared(self.version, found.transfer_coding, found.content_length)?
                .unwrap_or_default();
        // RFC 9110 section 9.3.6: CONNECT has no content.
        if self.is_connect && !matches!(self.framing, BodyFraming::None | BodyFraming::Length(0)) {
            return Err(HeadError::ConnectWithBody);
        }
        self.host = self.host(head, found)?;
        self.content_length = found.content_length;
        self.keep_alive = is_http11 && !found.connection_close;
        self.expect_continue = is_http11 && found.expect_continue;
        self.te_trailers = found.te_trailers;
        let has_content = !matches!(self.framing, BodyFraming::None | BodyFraming::Length(0));
        self.upgrade = found
            .upgrade
            .filter(|_| is_http11 && found.connection_upgrade && !has_content);
        Ok(())
    }
}

/// Whether an absolute target has the very same text as its authority, which whoever reads the target
/// will find to be one or not.
fn is_judged_with(target: &[u8], host: &[u8]) -> bool {
    let scheme_bytes = memchr::memchr(b':', target).unwrap_or(target.len());
    let authority = part(target, scheme_bytes..);
    let behind = authority
        .strip_prefix(b"://")
        .and_then(|authority| authority.strip_prefix(host));
    let is_whole = matches!(behind, Some([] | [b'/' | b'?', ..]));
    is_whole && !host.is_empty() && memchr::memchr3(b'/', b'?', b'#', host).is_none()
}

/// RFC 9112 section 2.2: one empty line before the request line is ignored.
/// Returns its length, or `None` when more bytes are needed.
fn empty_line(buf: &[u8]) -> Result<Option<usize>, HeadError> {
    let skipped = match buf {
        [] | [b'\r'] => return Ok(None),
        [b'\r', b'\n', ..] => 2,
        [b'\r', ..] => return Err(HeadError::LineEnding),
        _ => 0,
    };
    match buf.get(skipped) {
        None => Ok(None),
        Some(b'\r' | b'\n' | b' ' | b'\t') => Err(HeadError::LeadingBytes),
        Some(_) => Ok(Some(skipped)),
    }
}

/// The part of the input that the limits let the tokenizer see, and the error
/// when no head ends within it. Cutting before parsing makes the outcome the
/// same whether the excess arrived in the same read or later.
struct Window<'a> {
    bytes: &'a [u8],
    too_small: Option<HeadError>,
}

impl<'a> Window<'a> {
    fn of(buf: &'a [u8], limits: &HeadLimits) -> Self {
        let line_max = request_line_max(limits);
        if let Some(line) = buf.get(..line_max)
            && line_max < limits.head_bytes_max
            && memchr::memchr(b'\n', line).is_none()
        {
            return Self {
                bytes: line,
                too_small: Some(HeadError::UriTooLong),
            };
        }
        match buf.get(..limits.head_bytes_max) {
            Some(bytes) => Self {
                bytes,
                too_small: Some(HeadError::HeadTooLarge),
            },
            None => Self {
                bytes: buf,
                too_small: None,
            },
        }
    }
}

/// Longest method that is read; those that are registered have up to 17 bytes.
pub(crate) const METHOD_BYTES_MAX: usize = 48;

/// The target, and what a request line needs besides it: a method, two spaces,
/// the version and the line end.
fn request_line_max(limits: &HeadLimits) -> usize {
    limits
        .uri_bytes_max
        .saturating_add(METHOD_BYTES_MAX + 2 + 8 + 2)
}

/// Which rule of the grammar the tokenizer's error means. Looks only at bytes
/// up to the offending one.
fn explain(error: httparse::Error, line: &[u8]) -> HeadError {
    match error {
        httparse::Error::Version | httparse::Error::Status => HeadError::RequestLine,
        httparse::Error::Token => {
            let method_end = line
                .iter()
                .position(|b| !is_token_byte(*b))
                .unwrap_or(line.len());
            if method_end == 0 || line.get(method_end) != Some(&b' ') {
                return HeadError::Method;
            }
            let target = line.get(method_end + 1..).unwrap_or_default();
            let target_end = target.iter().position(|b| *b <= b' ' || *b == 0x7f);
            match target_end.and_then(|end| target.get(end).filter(|_| end > 0)) {
                // RFC 1945 section 4.1: `GET /path CRLF` is HTTP/0.9.
                Some(b'\r' | b'\n') => HeadError::VersionTooOld,
                _ => HeadError::RequestLine,
            }
        }
        httparse::Error::HeaderName => HeadError::HeaderName,
        httparse::Error::HeaderValue => HeadError::HeaderValue,
        httparse::Error::TooManyHeaders => HeadError::TooManyHeaders,
        httparse::Error::NewLine => HeadError::LineEnding,
    }
}

/// RFC 9110 section 5.6.2.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'
            | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.'
            | b'^' | b'_' | b'`' | b'|' | b'~'
    )
}
