//! The head of a response: tokenized, judged, and kept as spans.
//!
//! As strict as `request_head` where framing is concerned, since a response
//! that two recipients measure differently poisons the connection. Called by
//! the engine for each response, interim ones included.

use std::cell::Cell;
use std::mem::MaybeUninit;

use super::error::HeadError;
use super::field::{HeaderField, HeaderName};
use super::framing::{self, BodyFraming};
use super::headers::{self, Collected, HEADERS_CAPACITY, HeadLimits, Parse};
use super::leniency::{Leniency, Reading, Tolerated};
use super::method::MethodKind;
use super::version::{self, OtherVersion, Version};
use crate::Span;
use crate::invariant::{Invariant, part};

/// A parsed response head. Made once and reused, as [`super::RequestHead`].
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// The version of the status line.
    pub version: Version,
    /// Three digits, 100 to 999.
    pub status: u16,
    /// The reason phrase as written.
    pub reason: Span,
    /// All field lines in their order.
    pub headers: Vec<HeaderField>,
    /// How the body ends, status and request method considered.
    pub framing: BodyFraming,
    /// The declared length, which a response to HEAD or a 304 has without a body.
    pub content_length: Option<u64>,
    /// The connection can carry another exchange after this one.
    pub keep_alive: bool,
    /// The first `Upgrade` field, when `Connection` lists `upgrade`.
    pub upgrade: Option<Span>,
    /// Faults that were let pass.
    pub tolerated: Tolerated,
    /// Bytes of the head.
    pub head_bytes: usize,
}

impl Default for ResponseHead {
    fn default() -> Self {
        Self::new()
    }
}

impl ResponseHead {
    /// An empty head with room for 32 field lines.
    pub fn new() -> Self {
        Self {
            version: Version::Http11,
            status: 0,
            reason: Span::default(),
            headers: Vec::with_capacity(32),
            framing: BodyFraming::None,
            content_length: None,
            keep_alive: false,
            upgrade: None,
            tolerated: Tolerated::default(),
            head_bytes: 0,
        }
    }

    /// [`parse_leniently`](Self::parse_leniently) that lets nothing pass but what cannot be misread.
    pub fn parse(
        &mut self,
        buf: &[u8],
        limits: &HeadLimits,
        request_method: MethodKind,
    ) -> Result<Parse, HeadError> {
        self.parse_leniently(buf, limits, request_method, Leniency::default())
    }

    /// Parses the head at the start of `buf`, the answer to a request with
    /// `request_method`. `uri_bytes_max` plays no part. The answer depends on
    /// the bytes alone, not on how they were cut into reads.
    pub fn parse_leniently(
        &mut self,
        buf: &[u8],
        limits: &HeadLimits,
        request_method: MethodKind,
        leniency: Leniency,
    ) -> Result<Parse, HeadError> {
        self.headers.clear();
        // The tokenizer would skip empty lines; RFC 9112 section 2.2 allows
        // that to servers only.
        if matches!(buf.first(), Some(b'\r' | b'\n')) {
            return Err(HeadError::LeadingBytes);
        }
        let window = buf.get(..limits.head_bytes_max);
        let mut lines = [const { MaybeUninit::uninit() }; HEADERS_CAPACITY];
        let lines_max = limits.headers_max.min(HEADERS_CAPACITY);
        let mut response = httparse::Response::new(&mut []);
        let mut config = httparse::ParserConfig::default();
        config.allow_spaces_after_header_name_in_responses(true);
        let parsed = config.parse_response_with_uninit_headers(
            &mut response,
            window.unwrap_or(buf),
            lines.get_mut(..lines_max).or_broken("room for lines"),
        );
        let head_bytes = match parsed {
            Ok(httparse::Status::Complete(bytes)) => bytes,
            Ok(httparse::Status::Partial) if window.is_some() => {
                return Err(HeadError::HeadTooLarge);
            }
            Ok(httparse::Status::Partial) => return Ok(Parse::Incomplete),
            Err(httparse::Error::Version) => {
                let window = window.unwrap_or(buf);
                return match version::judge(window) {
                    OtherVersion::Incomplete => Ok(Parse::Incomplete),
                    OtherVersion::Later => {
                        let copy = version::as_http11(window, 0);
                        self.parse_leniently(&copy, limits, request_method, leniency)
                    }
                    OtherVersion::Error(error) => Err(match window.starts_with(b"HTTP/") {
                        true => error,
                        false => HeadError::StatusLine,
                    }),
                };
            }
            Err(error) => return Err(explain(error)),
        };
        let head = part(buf, ..head_bytes);
        self.version = version::of_minor(response.version);
        self.status = response.code.or_broken("a status");
        // RFC 9110 section 15: three digits, of which the first is a class.
        if self.status < 100 {
            return Err(HeadError::StatusLine);
        }
        self.reason = reason(head);
        self.head_bytes = head_bytes;
        let tolerated = Cell::default();
        let reading = Reading::Response(leniency, &tolerated);
        let mut found = headers::collect(head, response.headers, &mut self.headers, reading)?;
        if found.transfer_coding.is_some()
            && found.content_length.is_some()
            && reading.tolerates(
                |may| may.length_with_coding,
                |all| all.length_with_coding = true,
            )
        {
            found.content_length = None;
            found.connection_close = true;
        }
        self.tolerated = tolerated.get();
        self.conclude(request_method, &found)?;
        Ok(Parse::Complete { head_bytes })
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

    /// 1xx, but not 101: another head follows for the same request.
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// What follows from the fields for this response.
    fn conclude(&mut self, method: MethodKind, found: &Collected) -> Result<(), HeadError> {
        let declared =
            framing::declared(self.version, found.transfer_coding, found.content_length)?;
        self.framing = if never_has_body(self.status, method) {
            BodyFraming::None
        } else {
            declared.unwrap_or(BodyFraming::UntilClose)
        };
        self.content_length = found.content_length;
        let persists = match self.version {
            Version::Http11 | Version::Http2 => !found.connection_close,
            Version::Http10 => found.connection_keep_alive && !found.connection_close,
        };
        // RFC 9110 section 8.6, RFC 9112 section 6.1: 1xx and 204 declare no
        // body. An origin that does may also send one: nothing after it is safe.
        let is_bodiless_status = self.status < 200 || self.status == 204;
        let declares = !matches!(declared, None | Some(BodyFraming::Length(0)));
        self.keep_alive = persists
            && self.framing != BodyFraming::UntilClose
            && !(is_bodiless_status && declares);
        self.upgrade = found.upgrade.filter(|_| found.connection_upgrade);
        Ok(())
    }
}

/// The reason phrase, which may hold bytes beyond ASCII (RFC 9112 section 4); the tokenizer gives only
/// those that hold none.
fn reason(head: &[u8]) -> Span {
    const BEFORE: usize = "HTTP/1.1 200 ".len();
    let line_end = memchr::memchr2(b'\r', b'\n', head).unwrap_or(0);
    Span::new(BEFORE, line_end.saturating_sub(BEFORE))
}

/// RFC 9112 section 6.3, items 1 and 2.
pub(crate) fn never_has_body(status: u16, method: MethodKind) -> bool {
    matches!(status, 100..200 | 204 | 304)
        || method == MethodKind::Head
        || (method == MethodKind::Connect && (200..300).contains(&status))
}

fn explain(error: httparse::Error) -> HeadError {
    match error {
        httparse::Error::Version => HeadError::VersionMalformed,
        httparse::Error::Status | httparse::Error::Token => HeadError::StatusLine,
        httparse::Error::HeaderName => HeadError::HeaderName,
        httparse::Error::HeaderValue => HeadError::HeaderValue,
        httparse::Error::TooManyHeaders => HeadError::TooManyHeaders,
        httparse::Error::NewLine => HeadError::LineEnding,
    }
}
