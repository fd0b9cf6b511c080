//! Field lines: names known by number, and the one pass that reads from them
//! everything a message's framing and connection depend on.
//!
//! What follows from it differs between requests and responses and is decided
//! in `request_head` and `response_head`, the only callers.

use super::error::HeadError;
use super::field::{HeaderField, HeaderName};
use super::framing::{self, TransferCoding};
use super::hop_by_hop;
use super::leniency::Reading;
use crate::Span;

/// Most field lines that one head can have, whatever the limits say: the
/// tokenizer's table lies on the stack, 32 bytes each.
pub const HEADERS_CAPACITY: usize = 256;

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
            hop_by_hop: id.is_hop_by_hop(),
            never_indexed: false,
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
