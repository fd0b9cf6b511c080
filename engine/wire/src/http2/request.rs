//! The head of a request, in the type that HTTP/1.1 has for it.
//!
//! What RFC 9113 calls malformed is a [`StreamFault`]; what it permits and this proxy does not serve is a
//! [`RequestFault`] beside the head, to be answered like the same fault in HTTP/1.1.

use super::block::Block;
use super::stream_fault::{RequestFault, StreamFault};
use crate::Span;
use crate::http1::{
    Authority, BodyFraming, HeadError, HeadLimits, METHOD_BYTES_MAX, MethodKind, RequestHead,
    RequestTarget, Scheme, TargetError, Version, connect_host_matches, host_matches, is_token_byte,
};

/// Where the requests of a connection go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// To the origin that the client means to speak to, with this scheme: targets are paths.
    Origin(Scheme),
    /// To whatever the target says, since the client speaks to a proxy: targets are absolute.
    Absolute,
}

/// The head of a request. To be used again: see [`Connection::recycle_request`](super::Connection::recycle_request).
#[derive(Debug, Default)]
pub struct Request {
    /// The head as one of HTTP/1.1 that says the same would have been parsed, with [`Version::Http2`].
    ///
    /// `:authority` is the field `host`, crumbs of `cookie` are one field, and an extended CONNECT for
    /// `websocket` is a GET with `upgrade`. Its `framing` says how HTTP/1.1 would have to carry what follows:
    /// `Chunked` where no length is declared, or a `trailer` field announces trailers.
    pub head: RequestHead,
    /// The buffer of the head's spans. Its field lines lie in it as HTTP/1.1 has them.
    pub text: Vec<u8>,
    /// `:protocol` of an extended CONNECT (RFC 8441).
    pub protocol: Option<Span>,
    /// `scheme://authority/path`, whatever form the target has; empty for CONNECT.
    pub absolute: Span,
    /// Why the request is to be refused, although HTTP/2 permits it.
    pub fault: Option<RequestFault>,
}

/// What requests are held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestRules {
    pub(super) form: TargetForm,
    pub(super) limits: HeadLimits,
}

/// What a request asks for, as far as its form depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Plain,
    Connect,
    WebSocket,
    /// An extended CONNECT for something else.
    OtherProtocol,
}

/// Makes a head of a block; `ends` if no content follows. How much content is declared, if that binds.
pub(super) fn conclude(
    mut block: Block,
    ends: bool,
    rules: &RequestRules,
    request: &mut Request,
) -> Result<Option<u64>, StreamFault> {
    if let Some(fault) = block.fault {
        return Err(fault);
    }
    let (shape, fault) = match block.too_large {
        true => (
            Shape::Plain,
            Err(RequestFault::Head(HeadError::HeadTooLarge)),
        ),
        false => {
            let shape = shape(&block)?;
            (shape, judge(&block, shape, rules))
        }
    };
    let is_tunnel = shape != Shape::Plain;
    let declared = block.content_length.filter(|_| !is_tunnel);
    if ends && declared.is_some_and(|length| length > 0) {
        return Err(StreamFault::Length);
    }
    write(&mut block, shape, rules.form, request);
    let too_many = block
        .too_many
        .then_some(RequestFault::Head(HeadError::TooManyHeaders));
    request.fault = fault.err().or(too_many);
    request.protocol = block.pseudo.protocol;
    let head = &mut request.head;
    if request.fault.is_none() && head.target.len() > rules.limits.uri_bytes_max {
        request.fault = Some(RequestFault::Head(HeadError::UriTooLong));
    }
    head.version = Version::Http2;
    head.content_length = declared;
    head.keep_alive = true;
    head.expect_continue = block.expects_continue;
    head.is_connect = shape == Shape::Connect;
    head.te_trailers = block.takes_trailers;
    head.framing = match declared {
        _ if is_tunnel => BodyFraming::None,
        Some(length) if ends || !block.has_trailer_field => BodyFraming::Length(length),
        None if ends => without_content(head),
        _ => BodyFraming::Chunked,
    };
    head.headers = block.fields;
    request.text = block.text;
    Ok(declared)
}

/// RFC 9110 section 8.6: a method whose requests have content says so when there is none, or servers of
/// HTTP/1.1 ask for a length (411). In HTTP/2 the end of the stream says it.
fn without_content(head: &mut RequestHead) -> BodyFraming {
    let expects_content = matches!(
        head.method_kind,
        MethodKind::Post | MethodKind::Put | MethodKind::Patch
    );
    if !expects_content {
        return BodyFraming::None;
    }
    head.content_length = Some(0);
    BodyFraming::Length(0)
}

/// RFC 9113 sections 8.3.1 and 8.5, RFC 8441 section 4.
fn shape(block: &Block) -> Result<Shape, StreamFault> {
    let (pseudo, text) = (&block.pseudo, &block.text);
    let method = pseudo.method.ok_or(StreamFault::PseudoMissing)?.of(text);
    if method.is_empty() || !method.iter().all(|byte| is_token_byte(*byte)) {
        return Err(StreamFault::Method);
    }
    let shape = match (method == b"CONNECT", pseudo.protocol) {
        (false, Some(_)) => return Err(StreamFault::Connect),
        (true, None) => {
            return match pseudo.scheme.or(pseudo.path) {
                Some(_) => Err(StreamFault::Connect),
                None => Ok(Shape::Connect),
            };
        }
        (false, None) => Shape::Plain,
        (true, Some(protocol)) if protocol.of(text) == b"websocket" => Shape::WebSocket,
        (true, Some(_)) => Shape::OtherProtocol,
    };
    match (pseudo.scheme, pseudo.path) {
        (Some(_), Some(path)) if path.is_empty() => Err(StreamFault::PathEmpty),
        (Some(_), Some(_)) => Ok(shape),
        _ => Err(StreamFault::PseudoMissing),
    }
}

/// What HTTP/2 permits and we do not.
fn judge(block: &Block, shape: Shape, rules: &RequestRules) -> Result<(), RequestFault> {
    if block.has_blanks {
        return Err(RequestFault::Whitespace);
    }
    if block.length_repeated {
        return Err(RequestFault::LengthRepeated);
    }
    if shape == Shape::OtherProtocol {
        return Err(RequestFault::Protocol);
    }
    let text = &block.text;
    let scheme = block.pseudo.scheme.unwrap_or_default().of(text);
    judge_authority(block, shape, meant_scheme(scheme, rules.form))?;
    if shape == Shape::Connect {
        return match block.content_length {
            None | Some(0) => Ok(()),
            Some(_) => Err(RequestFault::Head(HeadError::ConnectWithBody)),
        };
    }
    match rules.form {
        TargetForm::Origin(expected) if !is_scheme(scheme, expected) => {
            return Err(RequestFault::Scheme);
        }
        TargetForm::Absolute
            if !is_scheme(scheme, Scheme::Http) && !is_scheme(scheme, Scheme::Https) =>
        {
            return Err(RequestFault::Target(TargetError::Scheme));
        }
        _ => {}
    }
    let method = block.pseudo.method.unwrap_or_default().of(text);
    if method.len() > METHOD_BYTES_MAX {
        return Err(RequestFault::Head(HeadError::MethodTooLong));
    }
    let method = match shape {
        Shape::WebSocket => MethodKind::Get,
        _ => MethodKind::classify(method),
    };
    judge_path(method, block.pseudo.path.unwrap_or_default().of(text))
}

/// RFC 9113 section 8.3.1: `:authority`, or `host` from an intermediary that had no other. Where both are
/// there they must name the same, once the port of the scheme is put in for one that is missing.
fn judge_authority(block: &Block, shape: Shape, scheme: Scheme) -> Result<(), RequestFault> {
    if block.host_repeated {
        return Err(RequestFault::HostDiffers);
    }
    let authority = block.pseudo.authority.or(block.host);
    let authority = authority.ok_or(RequestFault::AuthorityMissing)?;
    let authority = authority.of(&block.text);
    let parsed = Authority::parse(authority);
    if let Some(host) = &block.other_host {
        let is_same = parsed.is_ok_and(|authority| match shape {
            Shape::Connect => connect_host_matches(&authority, host),
            _ => host_matches(&authority, scheme, host),
        });
        if !is_same {
            return Err(RequestFault::HostDiffers);
        }
    }
    match parsed {
        Ok(_) => Ok(()),
        Err(_) if authority.contains(&b'@') => Err(RequestFault::UserInformation),
        Err(_) => Err(RequestFault::Head(HeadError::HostInvalid)),
    }
}

/// RFC 9113 section 8.3.1.
fn judge_path(method: MethodKind, path: &[u8]) -> Result<(), RequestFault> {
    if path.contains(&b'#') {
        return Err(RequestFault::Fragment);
    }
    let is_asterisk = path == b"*" && method == MethodKind::Options;
    if !path.starts_with(b"/") && !is_asterisk {
        return Err(RequestFault::Path);
    }
    RequestTarget::parse(method, path).map_err(RequestFault::Target)?;
    // The tokenizer of HTTP/1.1 takes nothing else in a request line, so that this could not be sent on.
    match std::str::from_utf8(path) {
        Ok(_) => Ok(()),
        Err(_) => Err(RequestFault::Target(TargetError::Path)),
    }
}

/// The scheme whose port is meant when none is written.
fn meant_scheme(scheme: &[u8], form: TargetForm) -> Scheme {
    match form {
        TargetForm::Origin(scheme) => scheme,
        TargetForm::Absolute if is_scheme(scheme, Scheme::Https) => Scheme::Https,
        TargetForm::Absolute => Scheme::Http,
    }
}

/// WebSockets are HTTP here (RFC 8441 section 5).
fn is_scheme(text: &[u8], scheme: Scheme) -> bool {
    let expected: &[u8] = match scheme {
        Scheme::Http | Scheme::Ws => b"http",
        Scheme::Https | Scheme::Wss => b"https",
    };
    text.eq_ignore_ascii_case(expected)
}

/// Completes the lines, and writes behind them what has no line: the target, another method.
fn write(block: &mut Block, shape: Shape, form: TargetForm, request: &mut Request) {
    let pseudo = block.pseudo;
    let host = match pseudo.authority {
        Some(authority) => Some(block.write_host(authority)),
        None => block.host,
    };
    block.write_cookies();
    block.text.extend_from_slice(b"\r\n");
    let head = &mut request.head;
    head.head_bytes = block.text.len();
    head.host = host.filter(|host| !host.is_empty());
    let authority = pseudo.authority.or(block.host).unwrap_or_default();
    let (scheme, path) = (
        pseudo.scheme.unwrap_or_default(),
        pseudo.path.unwrap_or_default(),
    );
    request.absolute = Span::default();
    head.method = pseudo.method.unwrap_or_default();
    head.upgrade = None;
    if shape == Shape::Connect {
        head.target = authority;
        head.method_kind = MethodKind::Connect;
        return;
    }
    let start = block.text.len();
    block.append(scheme);
    block.text.extend_from_slice(b"://");
    block.append(authority);
    // RFC 9112 section 3.2.4: the asterisk stands alone; in absolute form it is the empty path.
    if path.of(&block.text) != b"*" {
        block.append(path);
    }
    request.absolute = Span::new(start, block.text.len() - start);
    head.target = match form {
        TargetForm::Origin(_) => path,
        TargetForm::Absolute => request.absolute,
    };
    if shape == Shape::WebSocket {
        head.upgrade = pseudo.protocol;
        head.method = Span::new(block.text.len(), 3);
        block.text.extend_from_slice(b"GET");
    }
    head.method_kind = MethodKind::classify(head.method.of(&block.text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_be_sent_on_in_http1() {
        assert_eq!(
            judge_path(MethodKind::Get, "/\u{fc}?\u{20ac}".as_bytes()),
            Ok(())
        );
        let fault = Err(RequestFault::Target(TargetError::Path));
        for path in [&b"/\xf0"[..], b"/\xc3", b"/?\xff", b"/a\x80b"] {
            assert_eq!(judge_path(MethodKind::Get, path), fault);
        }
    }
}
