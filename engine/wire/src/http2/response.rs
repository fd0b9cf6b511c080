//! The head of a response, in the type that HTTP/1.1 has for it, and trailers.

use super::block::Block;
use super::stream_fault::StreamFault;
use crate::Span;
use crate::http1::{
    BodyFraming, HeaderField, MethodKind, ResponseHead, Tolerated, Version, never_has_body,
};

/// The head of a response. To be used again: see [`Connection::recycle_response`](super::Connection::recycle_response).
#[derive(Debug, Default)]
pub struct Response {
    /// The head as one of HTTP/1.1 that says the same would have been parsed, with [`Version::Http2`]. A 2xx
    /// to an extended CONNECT is a 101 with `upgrade`. Its `framing` says how HTTP/1.1 would have to carry
    /// what follows: `Chunked` where no length is declared, or a `trailer` field announces trailers.
    pub head: ResponseHead,
    /// The buffer of the head's spans. Its field lines lie in it as HTTP/1.1 has them.
    pub text: Vec<u8>,
}

/// A trailer section.
#[derive(Debug, Default)]
pub struct Trailers {
    /// All fields in their order.
    pub fields: Vec<HeaderField>,
    /// Their lines, as HTTP/1.1 has them in a last chunk, without the empty line behind them.
    pub text: Vec<u8>,
}

/// What a response answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Plain,
    Head,
    /// CONNECT: after a 2xx the stream is a tunnel.
    Tunnel,
    /// Extended CONNECT.
    WebSocket,
}

/// Makes a head of a block; `ends` if the stream ends with it. How much content follows, if that is known.
pub(super) fn conclude(
    mut block: Block,
    ends: bool,
    asked: Asked,
    response: &mut Response,
) -> Result<Option<u64>, StreamFault> {
    if block.too_large || block.too_many {
        return Err(StreamFault::HeadTooLarge);
    }
    if let Some(fault) = block.fault {
        return Err(fault);
    }
    if block.length_differs {
        return Err(StreamFault::ContentLength);
    }
    let status = status(&block)?;
    if status == 101 || (status < 200 && ends) {
        return Err(StreamFault::Interim);
    }
    let is_success = (200..300).contains(&status);
    let switches = asked == Asked::WebSocket && is_success;
    let is_tunnel = switches || (asked == Asked::Tunnel && is_success);
    block.text.extend_from_slice(b"\r\n");
    let head = &mut response.head;
    head.head_bytes = block.text.len();
    head.version = Version::Http2;
    head.status = if switches { 101 } else { status };
    head.reason = Span::default();
    head.keep_alive = true;
    head.tolerated = Tolerated {
        blank_before_colon: block.has_blanks,
        ..Tolerated::default()
    };
    head.upgrade = switches.then(|| {
        let start = block.text.len();
        block.text.extend_from_slice(b"websocket");
        Span::new(start, "websocket".len())
    });
    let declared = block.content_length.filter(|_| !is_tunnel);
    let method = match asked {
        Asked::Head => MethodKind::Head,
        Asked::Tunnel => MethodKind::Connect,
        _ => MethodKind::Get,
    };
    let has_content = !is_tunnel && !never_has_body(status, method);
    if has_content && ends && declared.is_some_and(|length| length > 0) {
        return Err(StreamFault::Length);
    }
    head.content_length = declared;
    head.framing = match declared {
        _ if !has_content => BodyFraming::None,
        Some(length) if ends || !block.has_trailer_field => BodyFraming::Length(length),
        None if ends => {
            head.content_length = Some(0);
            BodyFraming::Length(0)
        }
        _ => BodyFraming::Chunked,
    };
    head.headers = block.fields;
    response.text = block.text;
    match (has_content, is_tunnel) {
        (_, true) => Ok(None),
        (true, _) => Ok(declared),
        // RFC 9113 section 8.1.1: it may declare what it does not have.
        (false, _) => Ok(Some(0)),
    }
}

/// RFC 9113 section 8.3.2.
fn status(block: &Block) -> Result<u16, StreamFault> {
    let text = block.pseudo.status.ok_or(StreamFault::Status)?;
    match *text.of(&block.text) {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => Ok([a, b, c]
            .iter()
            .fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))),
        _ => Err(StreamFault::Status),
    }
}

/// Makes trailers of a block.
pub(super) fn conclude_trailers(block: Block) -> Result<Trailers, StreamFault> {
    match block.fault {
        Some(fault) => Err(fault),
        None if block.too_large || block.too_many => Err(StreamFault::HeadTooLarge),
        None => Ok(Trailers {
            fields: block.fields,
            text: block.text,
        }),
    }
}
