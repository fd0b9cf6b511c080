//! Writing heads that are forwarded.
//!
//! A head is written anew: our own framing, `Host`, `Via` and `Connection`,
//! and the sender's end-to-end fields copied as they are, in runs of whole
//! lines. Called by the engine once per message; body bytes are its business.

use super::field::{HeaderField, HeaderName};
use super::framing::BodyFraming;
use super::method::MethodKind;
use super::request_head::{RequestHead, is_token_byte};
use super::response_head::ResponseHead;
use super::version::Version;
use crate::invariant::part;

/// Fields that the configuration removes or sets. Names in lower case. Empty
/// in the usual case, and then free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Names of fields that are not forwarded.
    pub strip: Vec<Box<str>>,
    /// Fields that are sent in place of any of the same name.
    pub set: Vec<(Box<str>, Box<str>)>,
}

impl HeaderEdits {
    /// The first name in `strip` or `set` that must not be edited or cannot be
    /// sent. The encoders ignore such entries.
    pub fn first_invalid(&self) -> Option<&str> {
        let stripped = self
            .strip
            .iter()
            .find(|name| !is_editable(name))
            .map(|name| &**name);
        stripped.or_else(|| {
            let invalid = self
                .set
                .iter()
                .find(|(name, value)| !is_settable(name, value));
            invalid.map(|(name, _)| &**name)
        })
    }

    fn is_empty(&self) -> bool {
        self.strip.is_empty() && self.set.is_empty()
    }

    fn removes(&self, name: &[u8]) -> bool {
        let is_same = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        self.strip
            .iter()
            .any(|other| is_same(other) && is_editable(other))
            || self
                .set
                .iter()
                .any(|(other, value)| is_same(other) && is_settable(other, value))
    }

    fn write(&self, out: &mut Vec<u8>) {
        for (name, value) in &self.set {
            if is_settable(name, value) {
                write_field(out, name.as_bytes(), value.as_bytes());
            }
        }
    }
}

/// Not a field that the encoder itself answers for.
fn is_editable(name: &str) -> bool {
    let id = HeaderName::classify(name.as_bytes());
    let is_ours = matches!(
        id,
        HeaderName::ContentLength
            | HeaderName::Expect
            | HeaderName::Host
            | HeaderName::MaxForwards
            | HeaderName::Trailer
            | HeaderName::Via
    );
    !is_ours && !id.is_hop_by_hop() && !name.is_empty() && name.bytes().all(is_token_byte)
}

fn is_settable(name: &str, value: &str) -> bool {
    is_editable(name)
        && value
            .bytes()
            .all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..))
}

/// A request to be sent to an origin.
#[derive(Clone, Copy, Debug)]
pub struct RequestForward<'a> {
    /// The request as it was parsed.
    pub head: &'a RequestHead,
    /// The buffer it was parsed from.
    pub buf: &'a [u8],
    /// The target to send; see [`super::RequestTarget::Absolute`].
    pub path_and_query: &'a [u8],
    /// The value of `Host`.
    pub authority: &'a [u8],
    /// The pseudonym to add to `Via`; nothing is added when it is empty.
    pub via: &'a [u8],
    /// How the body will be sent. `UntilClose` means none: requests have no such framing.
    pub framing: BodyFraming,
    /// Whether to ask for the upgrade that the client asks for.
    pub upgrade: bool,
    /// What the configuration changes.
    pub edits: &'a HeaderEdits,
}

/// Appends the head of a forwarded request to `out`: origin-form, HTTP/1.1.
///
/// Proxy credentials and all that concerns the client's connection stay
/// behind. `Max-Forwards` of OPTIONS and TRACE is lowered by one (RFC 9110
/// section 7.6.2); the engine answers those that arrive with zero.
pub fn encode_request(out: &mut Vec<u8>, request: &RequestForward<'_>) {
    let RequestForward {
        head, buf, edits, ..
    } = *request;
    out.extend_from_slice(head.method.of(buf));
    out.push(b' ');
    if request
        .path_and_query
        .first()
        .is_none_or(|first| *first == b'?')
    {
        out.push(b'/');
    }
    out.extend_from_slice(request.path_and_query);
    out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    out.extend_from_slice(request.authority);
    out.extend_from_slice(b"\r\n");

    let lowers_forwards = matches!(head.method_kind, MethodKind::Options | MethodKind::Trace);
    let is_chunked = request.framing == BodyFraming::Chunked;
    copy_fields(out, buf, &head.headers, head.head_bytes, |field| {
        let is_ours = match field.id {
            HeaderName::Host | HeaderName::ContentLength | HeaderName::Via => true,
            HeaderName::Trailer => !is_chunked,
            HeaderName::MaxForwards => lowers_forwards,
            _ => field.hop_by_hop,
        };
        is_ours || (!edits.is_empty() && edits.removes(field.name.of(buf)))
    });
    if lowers_forwards {
        write_max_forwards(out, head, buf);
    }
    edits.write(out);
    write_via(out, buf, &head.headers, head.version, request.via);
    write_framing(out, request.framing);
    let upgrade = request.upgrade && head.upgrade.is_some();
    if upgrade {
        write_upgrade(out, buf, &head.headers);
    }
    // RFC 9110 section 10.1.4: TE goes with its connection option.
    if head.te_trailers {
        out.extend_from_slice(b"TE: trailers\r\n");
    }
    match (upgrade, head.te_trailers) {
        (true, true) => out.extend_from_slice(b"Connection: upgrade, TE\r\n"),
        (true, false) => out.extend_from_slice(b"Connection: upgrade\r\n"),
        (false, true) => out.extend_from_slice(b"Connection: TE\r\n"),
        (false, false) => {}
    }
    out.extend_from_slice(b"\r\n");
}

/// A response to be sent to a client.
#[derive(Clone, Copy, Debug)]
pub struct ResponseForward<'a> {
    /// The response as it was parsed.
    pub head: &'a ResponseHead,
    /// The buffer it was parsed from.
    pub buf: &'a [u8],
    /// The pseudonym to add to `Via`; nothing is added when it is empty.
    pub via: &'a [u8],
    /// How the body will be sent. `Chunked` becomes `UntilClose` for a client
    /// that speaks HTTP/1.0.
    pub framing: BodyFraming,
    /// Whether the connection ends after this response.
    pub close: bool,
    /// The version of the client's request.
    pub client_version: Version,
    /// Whether to pass the upgrade on, as a 101 does.
    pub upgrade: bool,
    /// Whether to say that the client's connection can be authenticated at the origin (RFC 4559
    /// section 6).
    pub session_auth: bool,
    /// When the response was received, for one that does not say when it was made
    /// (RFC 9110 section 6.6.1).
    pub date: Option<&'a [u8]>,
    /// What the configuration changes.
    pub edits: &'a HeaderEdits,
}

/// Appends the head of a forwarded response to `out`.
///
/// `Connection: close` is also written when the framing leaves no other way to
/// end the body.
pub fn encode_response(out: &mut Vec<u8>, response: &ResponseForward<'_>) {
    let ResponseForward {
        head, buf, edits, ..
    } = *response;
    let framing = match (response.framing, response.client_version) {
        (BodyFraming::Chunked, Version::Http10) => BodyFraming::UntilClose,
        (framing, _) => framing,
    };
    out.extend_from_slice(b"HTTP/1.1 ");
    write_decimal(out, u64::from(head.status));
    // RFC 9112 section 4: the space stays even without a reason.
    out.push(b' ');
    out.extend_from_slice(head.reason.of(buf));
    out.extend_from_slice(b"\r\n");

    let is_chunked = framing == BodyFraming::Chunked;
    let drops = |field: &HeaderField| {
        let is_ours = match field.id {
            HeaderName::ContentLength | HeaderName::Via => true,
            HeaderName::Trailer => !is_chunked,
            _ => field.hop_by_hop,
        };
        let is_told =
            response.session_auth && field.name.of(buf).eq_ignore_ascii_case(b"proxy-support");
        is_ours || is_told || (!edits.is_empty() && edits.removes(field.name.of(buf)))
    };
    if head.tolerated.has_plain_lines() {
        copy_fields(out, buf, &head.headers, head.head_bytes, drops);
    } else {
        for field in head.headers.iter().filter(|field| !drops(field)) {
            write_field(out, field.name.of(buf), field.value.of(buf));
        }
    }
    edits.write(out);
    if let Some(date) = response.date.filter(|_| lacks_date(head, edits)) {
        write_field(out, b"Date", date);
    }
    write_via(out, buf, &head.headers, head.version, response.via);
    if response.session_auth {
        out.extend_from_slice(
            b"Proxy-Support: Session-Based-Authentication\r\nConnection: Proxy-Support\r\n",
        );
    }
    write_response_framing(out, head, framing);
    if response.upgrade && head.upgrade.is_some() {
        write_upgrade(out, buf, &head.headers);
        out.extend_from_slice(b"Connection: upgrade\r\n");
    } else if (response.close || framing == BodyFraming::UntilClose) && head.status >= 200 {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Interim responses need none, and what the configuration takes away stays away.
fn lacks_date(head: &ResponseHead, edits: &HeaderEdits) -> bool {
    head.status >= 200
        && head.end_to_end(HeaderName::Date).next().is_none()
        && !edits.removes(b"Date")
}

/// Copies all field lines but those that `drop` names. Neighbors are copied
/// together with their line ends, which the parser has checked.
fn copy_fields(
    out: &mut Vec<u8>,
    buf: &[u8],
    fields: &[HeaderField],
    head_bytes: usize,
    drop: impl Fn(&HeaderField) -> bool,
) {
    let Some(first) = fields.first() else { return };
    let fields_end = head_bytes.saturating_sub(2);
    let mut run_start = first.name.start();
    let mut fields = fields.iter().peekable();
    while let Some(field) = fields.next() {
        if drop(field) {
            out.extend_from_slice(part(buf, run_start..field.name.start()));
            run_start = fields.peek().map_or(fields_end, |next| next.name.start());
        }
    }
    out.extend_from_slice(part(buf, run_start..fields_end));
}

/// RFC 9110 section 7.6.3: one list, ours last, with the version that the
/// message was received in.
fn write_via(
    out: &mut Vec<u8>,
    buf: &[u8],
    fields: &[HeaderField],
    received: Version,
    pseudonym: &[u8],
) {
    let mut separator: &[u8] = b"Via: ";
    for field in fields.iter().filter(|field| field.id == HeaderName::Via) {
        if !field.value.is_empty() {
            out.extend_from_slice(separator);
            out.extend_from_slice(field.value.of(buf));
            separator = b", ";
        }
    }
    if !pseudonym.is_empty() {
        out.extend_from_slice(separator);
        out.extend_from_slice(match received {
            Version::Http10 => b"1.0 ",
            Version::Http11 => b"1.1 ",
            Version::Http2 => b"2 ",
        });
        out.extend_from_slice(pseudonym);
        separator = b", ";
    }
    if separator == b", " {
        out.extend_from_slice(b"\r\n");
    }
}

fn write_framing(out: &mut Vec<u8>, framing: BodyFraming) {
    match framing {
        BodyFraming::None | BodyFraming::UntilClose => {}
        BodyFraming::Length(bytes) => {
            out.extend_from_slice(b"Content-Length: ");
            write_decimal(out, bytes);
            out.extend_from_slice(b"\r\n");
        }
        BodyFraming::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
}

/// As for requests; besides, a response that had no body to begin with keeps
/// the length it declared for another method or for the cached content
/// (RFC 9110 section 8.6), unless its status forbids one.
fn write_response_framing(out: &mut Vec<u8>, head: &ResponseHead, framing: BodyFraming) {
    if head.status < 200 || head.status == 204 {
        return;
    }
    match (framing, head.framing, head.content_length) {
        (BodyFraming::None, BodyFraming::None, Some(bytes)) => {
            write_framing(out, BodyFraming::Length(bytes));
        }
        _ => write_framing(out, framing),
    }
}

fn write_upgrade(out: &mut Vec<u8>, buf: &[u8], fields: &[HeaderField]) {
    for field in fields
        .iter()
        .filter(|field| field.id == HeaderName::Upgrade)
    {
        write_field(out, b"Upgrade", field.value.of(buf));
    }
}

fn write_max_forwards(out: &mut Vec<u8>, head: &RequestHead, buf: &[u8]) {
    if let Some(left) = head.max_forwards(buf) {
        out.extend_from_slice(b"Max-Forwards: ");
        write_decimal(out, u64::from(left.saturating_sub(1)));
        out.extend_from_slice(b"\r\n");
    }
}

fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn write_decimal(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}
