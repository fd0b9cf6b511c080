//! The fields of one message as they come out of the decoder: lines of text, spans into them, and what is
//! noted on the way. What follows from it for a request or a response is said in `request` and `response`.

use super::hpack::{CompressionFault, Decoded, Decoder, Field, FieldName, Pseudo};
use super::stream_fault::StreamFault;
use crate::Span;
use crate::http1::{HeaderField, HeaderName, parse_content_length};
use crate::invariant::part;

/// How large the fields of a message may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockLimits {
    /// All of them (RFC 9113 section 6.5.2).
    pub(super) list_bytes_max: u32,
    /// How many.
    pub(super) fields_max: usize,
}

/// What kind of message it is the head, or the end, of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockKind {
    Request,
    Response,
    Trailers,
    /// Of a stream that is not served any more: decoded for the sake of the tables only.
    Ignored,
}

/// Values of pseudo-header fields.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PseudoFields {
    pub(super) method: Option<Span>,
    pub(super) scheme: Option<Span>,
    pub(super) authority: Option<Span>,
    pub(super) path: Option<Span>,
    pub(super) protocol: Option<Span>,
    pub(super) status: Option<Span>,
}

/// A block that is being decoded.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) kind: BlockKind,
    limits: BlockLimits,
    /// Lines of fields, those of pseudo-header fields first.
    pub(super) text: Vec<u8>,
    pub(super) fields: Vec<HeaderField>,
    pub(super) pseudo: PseudoFields,
    /// Crumbs of `cookie`, joined.
    cookies: Vec<u8>,
    /// The first thing that is malformed.
    pub(super) fault: Option<StreamFault>,
    /// A value had blanks around it.
    pub(super) has_blanks: bool,
    /// The first `content-length`.
    pub(super) content_length: Option<u64>,
    pub(super) length_repeated: bool,
    pub(super) length_differs: bool,
    /// The value of `host`, and whether there were several.
    pub(super) host: Option<Span>,
    pub(super) host_repeated: bool,
    /// What `host` says where it is not the text of `:authority`.
    pub(super) other_host: Option<Vec<u8>>,
    pub(super) has_trailer_field: bool,
    pub(super) expects_continue: bool,
    pub(super) takes_trailers: bool,
    pub(super) too_large: bool,
    pub(super) too_many: bool,
    list_bytes: u32,
    is_first: bool,
}

impl Block {
    /// A block whose text goes into `text` and `fields`, which are emptied.
    pub(super) fn new(
        kind: BlockKind,
        limits: BlockLimits,
        mut text: Vec<u8>,
        mut fields: Vec<HeaderField>,
    ) -> Self {
        text.clear();
        fields.clear();
        Self {
            kind,
            limits,
            text,
            fields,
            pseudo: PseudoFields::default(),
            cookies: Vec::new(),
            fault: None,
            has_blanks: false,
            content_length: None,
            length_repeated: false,
            length_differs: false,
            host: None,
            host_repeated: false,
            other_host: None,
            has_trailer_field: false,
            expects_continue: false,
            takes_trailers: false,
            too_large: false,
            too_many: false,
            list_bytes: 0,
            is_first: true,
        }
    }

    /// Decodes whole fields from the front of `input`; how many bytes they were.
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        decoder: &mut Decoder,
    ) -> Result<usize, CompressionFault> {
        let mut taken = 0;
        loop {
            let rest = part(input, taken..);
            let line = self.text.len();
            match decoder.next(rest, self.is_first, &mut self.text)? {
                Decoded::Incomplete => return Ok(taken),
                Decoded::TableSize(bytes) => taken += bytes,
                Decoded::Field(field, bytes) => {
                    taken += bytes;
                    self.is_first = false;
                    self.add(field, line);
                }
            }
        }
    }

    /// Takes a field whose line begins at `line`, the last of the text.
    fn add(&mut self, field: Field, line: usize) {
        self.list_bytes = self.list_bytes.saturating_add(field.size());
        self.too_large |= self.list_bytes > self.limits.list_bytes_max;
        if self.too_large || self.kind == BlockKind::Ignored {
            return self.text.truncate(line);
        }
        if field.flaws.name {
            self.blame(StreamFault::FieldName);
        }
        if field.flaws.value {
            self.blame(StreamFault::FieldValue);
        }
        match field.name {
            FieldName::Pseudo(name) => self.add_pseudo(name, field),
            FieldName::Cookie if self.kind == BlockKind::Request => self.add_crumb(field, line),
            FieldName::Cookie => self.add_regular(HeaderName::Other, field, line),
            FieldName::Regular(id) => self.add_regular(id, field, line),
        }
    }

    fn blame(&mut self, fault: StreamFault) {
        self.fault = self.fault.or(Some(fault));
    }

    /// RFC 9113 section 8.3.
    fn add_pseudo(&mut self, name: Pseudo, field: Field) {
        if self.kind == BlockKind::Trailers {
            return self.blame(StreamFault::PseudoInTrailers);
        }
        let is_of_response = name == Pseudo::Status;
        let pseudo = &mut self.pseudo;
        let place = match name {
            Pseudo::Authority => &mut pseudo.authority,
            Pseudo::Method => &mut pseudo.method,
            Pseudo::Path => &mut pseudo.path,
            Pseudo::Protocol => &mut pseudo.protocol,
            Pseudo::Scheme => &mut pseudo.scheme,
            Pseudo::Status => &mut pseudo.status,
            Pseudo::Unknown => return self.blame(StreamFault::Pseudo),
        };
        let is_repeated = place.replace(field.value).is_some();
        self.has_blanks |= field.flaws.blanks;
        let is_misplaced = !self.fields.is_empty() || !self.cookies.is_empty();
        if is_repeated || is_misplaced || is_of_response != (self.kind == BlockKind::Response) {
            self.blame(StreamFault::Pseudo);
        }
    }

    /// RFC 9113 section 8.2.3: crumbs become one field again.
    fn add_crumb(&mut self, field: Field, line: usize) {
        self.has_blanks |= field.flaws.blanks;
        let separator: &[u8] = match self.cookies.is_empty() {
            true => b"cookie: ",
            false => b"; ",
        };
        self.cookies.extend_from_slice(separator);
        self.cookies.extend_from_slice(field.value.of(&self.text));
        self.text.truncate(line);
    }

    /// The joined crumbs become the last line.
    pub(super) fn write_cookies(&mut self) {
        if self.cookies.is_empty() {
            return;
        }
        let start = self.text.len();
        let name = Span::new(start, "cookie".len());
        let value = Span::new(start + 8, self.cookies.len() - 8);
        self.text.append(&mut self.cookies);
        self.text.extend_from_slice(b"\r\n");
        self.push(HeaderField {
            id: HeaderName::Other,
            name,
            value,
            hop_by_hop: false,
            never_indexed: false,
        });
    }

    /// `:authority` becomes the line that HTTP/1.1 has for it.
    pub(super) fn write_host(&mut self, authority: Span) -> Span {
        let start = self.text.len();
        self.text.extend_from_slice(b"host: ");
        self.append(authority);
        self.text.extend_from_slice(b"\r\n");
        let value = Span::new(start + 6, authority.len());
        self.push(HeaderField {
            id: HeaderName::Host,
            name: Span::new(start, "host".len()),
            value,
            hop_by_hop: false,
            never_indexed: false,
        });
        value
    }

    /// Appends a part of the text once more.
    pub(super) fn append(&mut self, part: Span) {
        self.text.extend_from_within(part.start()..part.end());
    }

    fn push(&mut self, field: HeaderField) {
        self.too_many |= self.fields.len() >= self.limits.fields_max;
        self.fields.push(field);
    }

    fn add_regular(&mut self, id: HeaderName, mut field: Field, line: usize) {
        if field.flaws.blanks {
            self.has_blanks = true;
            field.value = self.trim(field.value);
        }
        let is_kept = match id {
            HeaderName::Other => !self.is_websocket_key(field.name_span),
            _ => self.note(id, field.value),
        };
        if !is_kept {
            return self.text.truncate(line);
        }
        if self.fields.len() >= self.limits.fields_max {
            self.too_many = true;
            return self.text.truncate(line);
        }
        self.push(HeaderField {
            id,
            name: field.name_span,
            value: field.value,
            hop_by_hop: id.is_hop_by_hop(),
            never_indexed: field.never_indexed,
        });
    }

    /// RFC 8441 section 5: streams do without the key; the side that speaks HTTP/1.1 gets one of our own.
    fn is_websocket_key(&self, name: Span) -> bool {
        self.pseudo.protocol.is_some() && name.of(&self.text) == b"sec-websocket-key"
    }

    /// Takes the blanks off the value at the end of the text.
    fn trim(&mut self, value: Span) -> Span {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let text = value.of(&self.text);
        let lead = text.iter().take_while(|byte| is_blank(byte)).count();
        let tail = text.iter().rev().take_while(|byte| is_blank(byte)).count();
        let len = text.len().saturating_sub(lead + tail);
        let start = value.start();
        let from = start + lead.min(text.len());
        self.text.copy_within(from..from + len, start);
        self.text.truncate(start + len);
        self.text.extend_from_slice(b"\r\n");
        Span::new(start, len)
    }

    /// Notes what a field of a known name says; whether its line stays.
    fn note(&mut self, id: HeaderName, value: Span) -> bool {
        let text = value.of(&self.text);
        match id {
            HeaderName::Connection
            | HeaderName::KeepAlive
            | HeaderName::ProxyConnection
            | HeaderName::TransferEncoding
            | HeaderName::Upgrade => self.blame(StreamFault::ConnectionField),
            HeaderName::Te if text != b"trailers" => self.blame(StreamFault::Te),
            HeaderName::Te => self.takes_trailers = true,
            HeaderName::Trailer => self.has_trailer_field = true,
            HeaderName::Expect => {
                self.expects_continue |= text.eq_ignore_ascii_case(b"100-continue");
            }
            HeaderName::ContentLength => match (parse_content_length(text), self.content_length) {
                (Err(_), _) => self.blame(StreamFault::ContentLength),
                (Ok(length), None) => self.content_length = Some(length),
                (Ok(length), Some(before)) => {
                    self.length_repeated = true;
                    self.length_differs |= length != before;
                    return false;
                }
            },
            HeaderName::Host if self.kind == BlockKind::Request => return self.note_host(value),
            _ => {}
        }
        true
    }

    /// RFC 9113 section 8.3.1: beside `:authority` the field says nothing new, and its line goes.
    fn note_host(&mut self, value: Span) -> bool {
        self.host_repeated |= self.host.is_some();
        let Some(authority) = self.pseudo.authority else {
            let is_kept = self.host.is_none();
            self.host = self.host.or(Some(value));
            return is_kept;
        };
        // Its line would be in the way of the next one: what differs is kept elsewhere, to be judged.
        let value = value.of(&self.text);
        if !authority.of(&self.text).eq_ignore_ascii_case(value) && self.other_host.is_none() {
            self.other_host = Some(value.to_vec());
        }
        self.host = Some(authority);
        false
    }
}
