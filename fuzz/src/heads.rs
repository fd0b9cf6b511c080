//! Request and response heads: the parsers of `sallyport-wire` against a plain reading of the same
//! bytes. `forwarding` goes on from here.

use sallyport_wire::http1::{
    BodyFraming, HeadError, HeadLimits, HeaderField, MethodKind, Parse, RequestHead, ResponseHead,
    Version,
};

use crate::input::cuts;

const LIMITS: [HeadLimits; 2] = [
    HeadLimits {
        head_bytes_max: 64 * 1024,
        headers_max: 100,
        uri_bytes_max: 16 * 1024,
    },
    HeadLimits {
        head_bytes_max: 96,
        headers_max: 3,
        uri_bytes_max: 24,
    },
];

/// A request head is read the same way however it arrives, and never otherwise than a plain reader
/// would: what is ambiguous must have been refused.
pub fn request_head(data: &[u8]) {
    for limits in &LIMITS {
        let mut head = RequestHead::new();
        let whole = head.parse(data, limits);
        let mut scratch = RequestHead::new();
        check_cuts(data, whole, |part| scratch.parse(part, limits));
        check_increments(data, whole, limits);
        if let Ok(Parse::Complete { head_bytes }) = whole {
            assert!(head_bytes <= limits.head_bytes_max && head.head_bytes == head_bytes);
            assert!(head.target.len() <= limits.uri_bytes_max);
            assert!(head.headers.len() <= limits.headers_max);
            check_request(&data[..head_bytes], &head);
        }
    }
}

/// The same for responses, to requests with several methods.
pub fn response_head(data: &[u8]) {
    for method in [MethodKind::Get, MethodKind::Head, MethodKind::Connect] {
        for limits in &LIMITS {
            let mut head = ResponseHead::new();
            let whole = head.parse(data, limits, method);
            let mut scratch = ResponseHead::new();
            check_cuts(data, whole, |part| scratch.parse(part, limits, method));
            if let Ok(Parse::Complete { head_bytes }) = whole {
                assert!(head_bytes <= limits.head_bytes_max && head.head_bytes == head_bytes);
                check_response(&data[..head_bytes], &head, method);
            }
        }
    }
}

/// No prefix gives another answer than the whole; at most it gives none yet.
fn check_cuts(
    data: &[u8],
    whole: Result<Parse, HeadError>,
    mut parse: impl FnMut(&[u8]) -> Result<Parse, HeadError>,
) {
    for cut in cuts(data.len()) {
        let found = parse(&data[..cut]);
        let is_early = found == Ok(Parse::Incomplete);
        assert!(
            is_early || found == whole,
            "{found:?} after {cut} bytes, then {whole:?}"
        );
    }
    if let Ok(Parse::Complete { head_bytes }) = whole {
        assert_eq!(parse(&data[..head_bytes]), whole);
        assert_eq!(parse(&data[..head_bytes - 1]), Ok(Parse::Incomplete));
    }
}

/// `parse_after` may be late by a line, never wrong.
fn check_increments(data: &[u8], whole: Result<Parse, HeadError>, limits: &HeadLimits) {
    let mut head = RequestHead::new();
    let mut seen = 0;
    for end in cuts(data.len()).chain([data.len()]) {
        let found = head.parse_after(seen, &data[..end], limits);
        if found != Ok(Parse::Incomplete) {
            assert_eq!(found, whole, "after {end} bytes");
            return;
        }
        seen = end;
    }
    assert!(!matches!(whole, Ok(Parse::Complete { .. })), "{whole:?}");
}

fn check_request(bytes: &[u8], head: &RequestHead) {
    let plain = PlainHead::read(bytes);
    let words: Vec<&[u8]> = plain.start_line.split(|byte| *byte == b' ').collect();
    assert_eq!(words.len(), 3);
    assert_eq!(words[0], head.method.of(bytes));
    assert_eq!(words[1], head.target.of(bytes));
    assert!(is_version(words[2], head.version));
    assert!(is_token(words[0]) && !words[1].is_empty());
    plain.assert_plain();
    plain.check_fields(bytes, &head.headers);
    let framing = plain.declared_framing(head.version);
    assert_eq!(framing.unwrap_or(BodyFraming::None), head.framing);
    let hosts = plain.values("host");
    assert!(hosts.len() <= 1, "which host?");
    // The target of a CONNECT says it all.
    assert!(head.version == Version::Http10 || head.is_connect || hosts.len() == 1);
    let host = head.host.map(|host| host.of(bytes));
    // An empty one names nobody (RFC 9110 section 7.2).
    let named = |host: &&[u8]| !host.is_empty();
    assert_eq!(hosts.first().copied().filter(named), host.filter(named));
    assert!(head.keep_alive <= (head.version == Version::Http11));
}

fn check_response(bytes: &[u8], head: &ResponseHead, method: MethodKind) {
    let mut plain = PlainHead::read(bytes);
    plain.let_pass();
    let line = plain.start_line;
    assert!(is_version(&line[..8], head.version));
    assert_eq!(&line[8..12], format!(" {}", head.status).as_bytes());
    assert!((100..1_000).contains(&head.status));
    plain.check_fields(bytes, &head.headers);
    let declared = plain.declared_framing(head.version);
    let is_bodiless = matches!(head.status, 100..200 | 204 | 304)
        || method == MethodKind::Head
        || (method == MethodKind::Connect && head.status < 300);
    let framing = match declared {
        _ if is_bodiless => BodyFraming::None,
        Some(framing) => framing,
        None => BodyFraming::UntilClose,
    };
    assert_eq!(framing, head.framing);
    let no_end = head.framing == BodyFraming::UntilClose;
    assert!(
        !(no_end && head.keep_alive),
        "where does the next one begin?"
    );
}

/// A head as anybody would read it: lines end in CR LF, a field is what stands before and after
/// the first colon.
pub(crate) struct PlainHead<'h> {
    pub(crate) start_line: &'h [u8],
    pub(crate) fields: Vec<(&'h [u8], &'h [u8])>,
    /// What all lengths of a response say.
    length: Option<u64>,
}

impl<'h> PlainHead<'h> {
    /// Panics when an accepted head has anything in it that others may read in another way.
    pub(crate) fn read(head: &'h [u8]) -> Self {
        let head = head.strip_prefix(b"\r\n").unwrap_or(head);
        let lines = head
            .strip_suffix(b"\r\n\r\n")
            .expect("a head ends in an empty line");
        let mut lines = lines.split(|byte| *byte == b'\n').peekable();
        let mut plain = Vec::new();
        while let Some(line) = lines.next() {
            let line = match lines.peek() {
                Some(_) => line.strip_suffix(b"\r").expect("lines end in CR LF"),
                None => line,
            };
            assert!(!line.contains(&b'\r') && !line.contains(&0));
            plain.push(line);
        }
        let mut lines = plain.into_iter();
        let start_line = lines.next().expect("a head has a start line");
        Self {
            start_line,
            fields: lines.map(plain_field).collect(),
            length: None,
        }
    }

    /// Values of all fields of this name.
    pub(crate) fn values(&self, name: &str) -> Vec<&'h [u8]> {
        let is_wanted = |field: &&(&[u8], &[u8])| field.0.eq_ignore_ascii_case(name.as_bytes());
        let found = self.fields.iter().filter(is_wanted);
        found.map(|(_, value)| *value).collect()
    }

    /// What responses may have: blanks before a colon, and one length several times.
    pub(crate) fn let_pass(&mut self) {
        for (name, _) in &mut self.fields {
            *name = trim(name);
        }
        let lengths = self.values("content-length");
        let mut all = lengths
            .iter()
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(|length| number(trim(length)));
        let first = all.next();
        assert!(all.all(|other| Some(other) == first), "which length?");
        self.length = first;
    }

    /// What nobody may send.
    pub(crate) fn assert_plain(&self) {
        for (name, _) in &self.fields {
            assert!(is_token(name), "whitespace in a field name");
        }
    }

    fn check_fields(&self, bytes: &[u8], fields: &[HeaderField]) {
        let parsed: Vec<(&[u8], &[u8])> = fields
            .iter()
            .map(|field| (field.name.of(bytes), field.value.of(bytes)))
            .collect();
        assert_eq!(self.fields, parsed);
    }

    /// What the fields say, if they say it once and clearly.
    fn declared_framing(&self, version: Version) -> Option<BodyFraming> {
        let lengths = self.values("content-length");
        let codings = self.values("transfer-encoding");
        match (lengths.as_slice(), codings.as_slice()) {
            ([], []) => None,
            (_, []) if self.length.is_some() => self.length.map(BodyFraming::Length),
            ([length], []) => Some(BodyFraming::Length(number(length))),
            ([], [coding]) => {
                assert!(
                    coding.eq_ignore_ascii_case(b"chunked"),
                    "nothing else is spoken"
                );
                assert_eq!(version, Version::Http11);
                Some(BodyFraming::Chunked)
            }
            _ => unreachable!("accepted although the framing is ambiguous"),
        }
    }
}

fn number(text: &[u8]) -> u64 {
    let is_plain = text.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(text).ok().filter(|_| is_plain);
    let number = text.and_then(|text| text.parse().ok());
    number.expect("a plain number")
}

fn plain_field(line: &[u8]) -> (&[u8], &[u8]) {
    let colon = line.iter().position(|byte| *byte == b':');
    let (name, value) = line.split_at(colon.expect("a field line has a colon"));
    assert!(
        is_token(trim(name)),
        "worse than whitespace in a field name"
    );
    (name, trim(&value[1..]))
}

/// Without the optional whitespace around it (RFC 9110 section 5.6.3).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn is_token(text: &[u8]) -> bool {
    let is_token_byte =
        |byte: &u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte);
    !text.is_empty() && text.iter().all(is_token_byte)
}

/// Whether a version of HTTP/1 is served as this one (RFC 9110 section 2.5): what comes after 1.1 as that.
fn is_version(text: &[u8], version: Version) -> bool {
    let [minor] = text.strip_prefix(b"HTTP/1.").unwrap_or_default() else {
        return false;
    };
    match version {
        Version::Http10 => *minor == b'0',
        Version::Http11 => (b'1'..=b'9').contains(minor),
        // No parser yields it.
        Version::Http2 => false,
    }
}
