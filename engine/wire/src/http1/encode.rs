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
use crate::Span;
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

    /// Whether a field of this name is not forwarded as it is.
    pub(crate) fn removes(&self, name: &[u8]) -> bool {
        let is_same = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        self.strip
            .iter()
            .any(|other| is_same(other) && is_editable(other))
            || self
                .set
                .iter()
                .any(|(other, value)| is_same(other) && is_settable(other, value))
    }

    /// Names and values of what is sent besides.
    pub(crate) fn added(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let settable = self
            .set
            .iter()
            .filter(|(name, value)| is_settable(name, value));
        settable.map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    fn write(&self, out: &mut Vec<u8>) {
        for (name, value) in self.added() {
            write_field(out, name, value);
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
    /// `Sec-WebSocket-Key` of an upgrade that came in HTTP/2, which has none (RFC 8441 section 5).
    pub websocket_key: Option<&'a [u8]>,
    /// What the configuration changes.
    pub edits: &'a HeaderEdits,
}

impl RequestForward<'_> {
    /// Whether it asks for an upgrade.
    pub(crate) fn asks_for_upgrade(&self) -> bool {
        self.upgrade && self.head.upgrade.is_some()
    }

    /// Whether `Max-Forwards` counts (RFC 9110 section 7.6.2).
    pub(crate) fn lowers_forwards(&self) -> bool {
        matches!(
            self.head.method_kind,
            MethodKind::Options | MethodKind::Trace
        )
    }

    /// Whether the origin does not get this field of the client's.
    #[inline]
    pub(crate) fn drops(&self, field: &HeaderField) -> bool {
        let is_ours = match field.id {
            HeaderName::Host | HeaderName::ContentLength | HeaderName::Via => true,
            HeaderName::Trailer => self.framing != BodyFraming::Chunked,
            HeaderName::MaxForwards => self.lowers_forwards(),
            _ => field.hop_by_hop,
        };
        is_ours || (!self.edits.is_empty() && self.edits.removes(field.name.of(self.buf)))
    }
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

    copy_fields(out, buf, &head.headers, head.head_bytes, |field| {
        request.drops(field)
    });
    if request.lowers_forwards() {
        write_max_forwards(out, head, buf);
    }
    edits.write(out);
    write_via(out, buf, &head.headers, head.version, request.via);
    write_framing(out, request.framing);
    let upgrade = request.asks_for_upgrade();
    if upgrade {
        write_upgrade(out, buf, &head.headers, head.upgrade);
        if let Some(key) = request.websocket_key {
            write_field(out, b"Sec-WebSocket-Key", key);
        }
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
    /// `Sec-WebSocket-Accept` of an upgrade that the origin has taken in HTTP/2.
    pub websocket_accept: Option<&'a [u8]>,
    /// Whether to say that the client's connection can be authenticated at the origin (RFC 4559
    /// section 6).
    pub session_auth: bool,
    /// When the response was received, for one that does not say when it was made
    /// (RFC 9110 section 6.6.1).
    pub date: Option<&'a [u8]>,
    /// What the configuration changes.
    pub edits: &'a HeaderEdits,
}

impl ResponseForward<'_> {
    /// How the body will be sent.
    pub(crate) fn sent_framing(&self) -> BodyFraming {
        match (self.framing, self.client_version) {
            (BodyFraming::Chunked, Version::Http10) => BodyFraming::UntilClose,
            (framing, _) => framing,
        }
    }

    /// Whether the client does not get this field of the origin's.
    #[inline]
    pub(crate) fn drops(&self, field: &HeaderField) -> bool {
        let is_ours = match field.id {
            HeaderName::ContentLength | HeaderName::Via => true,
            HeaderName::Trailer => self.sent_framing() != BodyFraming::Chunked,
            _ => field.hop_by_hop,
        };
        let name = || field.name.of(self.buf);
        let is_told = self.session_auth && name().eq_ignore_ascii_case(b"proxy-support");
        is_ours || is_told || (!self.edits.is_empty() && self.edits.removes(name()))
    }

    /// The date to be added, if one is missing. Interim responses need none, and what the configuration takes
    /// away stays away.
    pub(crate) fn added_date(&self) -> Option<&[u8]> {
        let lacks_date = self.head.status >= 200
            && self.head.end_to_end(HeaderName::Date).next().is_none()
            && !self.edits.removes(b"Date");
        self.date.filter(|_| lacks_date)
    }

    /// The length to be declared: besides that of the body, a response that had no body to begin with keeps
    /// the length it declared for another method or for the cached content (RFC 9110 section 8.6), unless
    /// its status forbids one.
    pub(crate) fn declared_length(&self) -> Option<u64> {
        let head = self.head;
        if head.status < 200 || head.status == 204 {
            return None;
        }
        match (self.sent_framing(), head.framing, head.content_length) {
            (BodyFraming::None, BodyFraming::None, length) => length,
            (BodyFraming::Length(length), _, _) => Some(length),
            _ => None,
        }
    }
}

/// Appends the head of a forwarded response to `out`.
///
/// `Connection: close` is also written when the framing leaves no other way to
/// end the body.
pub fn encode_response(out: &mut Vec<u8>, response: &ResponseForward<'_>) {
    let ResponseForward {
        head, buf, edits, ..
    } = *response;
    let framing = response.sent_framing();
    out.extend_from_slice(b"HTTP/1.1 ");
    write_decimal(out, u64::from(head.status));
    // RFC 9112 section 4: the space stays even without a reason.
    out.push(b' ');
    out.extend_from_slice(head.reason.of(buf));
    out.extend_from_slice(b"\r\n");

    let drops = |field: &HeaderField| response.drops(field);
    if head.tolerated.has_plain_lines() {
        copy_fields(out, buf, &head.headers, head.head_bytes, drops);
    } else {
        for field in head.headers.iter().filter(|field| !drops(field)) {
            write_field(out, field.name.of(buf), field.value.of(buf));
        }
    }
    edits.write(out);
    if let Some(date) = response.added_date() {
        write_field(out, b"Date", date);
    }
    write_via(out, buf, &head.headers, head.version, response.via);
    if response.session_auth {
        out.extend_from_slice(
            b"Proxy-Support: Session-Based-Authentication\r\nConnection: Proxy-Support\r\n",
        );
    }
    match response.declared_length() {
        Some(length) => write_framing(out, BodyFraming::Length(length)),
        None if head.status >= 200 && framing == BodyFraming::Chunked => {
            write_framing(out, framing)
        }
        None => {}
    }
    if response.upgrade && head.upgrade.is_some() {
        write_upgrade(out, buf, &head.headers, head.upgrade);
        if let Some(accept) = response.websocket_accept {
            write_field(out, b"Sec-WebSocket-Accept", accept);
        }
        out.extend_from_slice(b"Connection: upgrade\r\n");
    } else if (response.close || framing == BodyFraming::UntilClose) && head.status >= 200 {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
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
    let start = out.len();
    out.extend_from_slice(b"Via: ");
    match write_via_value(out, buf, fields, received, pseudonym) {
        true => out.extend_from_slice(b"\r\n"),
        false => out.truncate(start),
    }
}

/// The value of the same; `false`: there is none.
#[inline]
pub(crate) fn write_via_value(
    out: &mut Vec<u8>,
    buf: &[u8],
    fields: &[HeaderField],
    received: Version,
    pseudonym: &[u8],
) -> bool {
    let mut separator: &[u8] = b"";
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
    !separator.is_empty()
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

/// All `Upgrade` fields, or what HTTP/2 says in another way.
fn write_upgrade(out: &mut Vec<u8>, buf: &[u8], fields: &[HeaderField], upgrade: Option<Span>) {
    let mut fields = fields
        .iter()
        .filter(|field| field.id == HeaderName::Upgrade)
        .map(|field| field.value)
        .peekable();
    let other = upgrade.filter(|_| fields.peek().is_none());
    for value in fields.chain(other) {
        write_field(out, b"Upgrade", value.of(buf));
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

pub(crate) fn write_decimal(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}
