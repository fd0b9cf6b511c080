//! A request as the origin understood it: its head taken apart, its body summed up, and what is made
//! of both for the answer. Knows no socket.

use std::mem::MaybeUninit;

use serde_json::json;

use super::behavior::{Behavior, BehaviorError, BodyKind};
use super::counters::Counters;
use super::responses::{Asked, Content};
use crate::http::digest;
use crate::http::framing::{FramingFields, Malformed};

/// Longest request head, octets.
const HEAD_BYTES_MAX: usize = 256 * 1024;
/// Most header fields of a request.
const HEADERS_MAX: usize = 256;
/// A request whose head was read.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) behavior: Behavior,
    pub(super) asked: Asked,
    pub(super) echo: Option<Box<Echo>>,
    pub(super) received: Received,
}

/// Length and CRC-32C of a request's body so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Received {
    pub(super) bytes: u64,
    pub(super) crc32c: u32,
}

impl Received {
    pub(super) fn add(&mut self, data: &[u8]) {
        self.bytes += data.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, data);
    }
}

/// Adds the fields that tell of checksums.
pub(super) fn add_digests(behavior: &mut Behavior, content: &Content, received: Received) {
    if behavior.digest {
        let value = digest::to_field(content.crc32c());
        behavior.headers.push(("Content-Digest".to_owned(), value));
    }
    if received.bytes > 0 {
        let value = digest::received(received.bytes, received.crc32c);
        behavior.headers.push((digest::RECEIVED.to_owned(), value));
    }
}

/// What `/echo` will repeat.
#[derive(Debug, Default)]
pub(super) struct Echo {
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
}

/// The content of all that does not repeat the request.
pub(super) fn plain_content(behavior: &mut Behavior, counters: &Counters) -> Content {
    match behavior.body {
        BodyKind::Pattern(length) => Content::Pattern(length),
        BodyKind::Count => {
            json_type(behavior);
            Content::Made(counters.json().into_bytes())
        }
        _ => Content::Fixed(b"Hello from the origin.\n"),
    }
}

/// Why a request head cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    /// It breaks the grammar.
    #[error(transparent)]
    Syntax(#[from] httparse::Error),
    /// It is too large, or says in no clear way how long its body is.
    #[error(transparent)]
    Framing(#[from] Malformed),
}

/// A request head that was understood as far as HTTP goes.
pub(super) struct Head {
    pub(super) bytes: usize,
    pub(super) behavior: Result<Behavior, BehaviorError>,
    pub(super) asked: Asked,
    pub(super) fields: FramingFields,
}

/// `Ok(None)` if the head is not complete yet.
pub(super) fn parse_head(inbox: &[u8]) -> Result<Option<Head>, HeadError> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let bytes = match request.parse_with_uninit_headers(inbox, &mut headers) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) if inbox.len() < HEAD_BYTES_MAX => return Ok(None),
        Ok(httparse::Status::Partial) => return Err(Malformed::HeadTooLarge.into()),
        Err(error) => return Err(error.into()),
    };
    let fields = FramingFields::of(request.headers)?;
    let minor_version = request.version.unwrap_or(1);
    let asked = Asked {
        head_only: request.method == Some("HEAD"),
        minor_version,
        persistent: fields.persistent(minor_version),
    };
    let mut behavior = Behavior::from_target(request.path.unwrap_or("/"));
    if request.method == Some("CONNECT") {
        // An origin is no proxy: it must not look as if a tunnel stood.
        behavior = Ok(Behavior {
            status: 405,
            ..Behavior::of_body(BodyKind::Small)
        });
    }
    Ok(Some(Head {
        bytes,
        behavior,
        asked,
        fields,
    }))
}

pub(super) fn json_type(behavior: &mut Behavior) {
    behavior
        .content_type
        .get_or_insert_with(|| "application/json".to_owned());
}

/// The request as data. Bytes that are not UTF-8 appear as U+FFFD; `raw=1` shows them as they are.
pub(super) fn echo_json(echo: &Echo) -> Vec<u8> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    // It was parsed once already; a failure now would leave the fields empty.
    let _ = request.parse(&echo.head);
    let fields: Vec<_> = request
        .headers
        .iter()
        .map(|header| json!([header.name, String::from_utf8_lossy(header.value)]))
        .collect();
    let value = json!({
        "method": request.method,
        "target": request.path,
        "version": format!("HTTP/1.{}", request.version.unwrap_or(1)),
        "headers": fields,
        "body": String::from_utf8_lossy(&echo.body),
        "body_bytes": echo.body.len(),
    });
    let mut text = value.to_string().into_bytes();
    text.push(b'\n');
    text
}
