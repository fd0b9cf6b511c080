//! Messages that are forwarded, as heads of HTTP/2: what `http1::encode_request` and `http1::encode_response`
//! are for text. What is sent and what stays behind is decided there, for both.

use super::connection::{Connection, RequestStart, SendFault, SendField};
use crate::Span;
use crate::http1::{
    HeaderField, RequestForward, ResponseForward, Scheme, write_decimal, write_via_value,
};

impl Connection {
    /// Opens a stream with a request that goes on; `end` if no content follows. An upgrade is an extended
    /// CONNECT (RFC 8441 section 5).
    ///
    /// # Errors
    /// Nothing was done then.
    pub fn forward_request(
        &mut self,
        request: &RequestForward<'_>,
        scheme: Scheme,
        end: bool,
    ) -> Result<u32, SendFault> {
        let RequestForward { head, buf, .. } = *request;
        let mut made = std::mem::take(&mut self.made);
        made.clear();
        let path = made_by(&mut made, |out| {
            if matches!(request.path_and_query.first(), None | Some(b'?')) {
                out.push(b'/');
            }
            out.extend_from_slice(request.path_and_query);
        });
        let via = made_by(&mut made, |out| {
            write_via_value(out, buf, &head.headers, head.version, request.via);
        });
        let forwards = head.max_forwards(buf).filter(|_| request.lowers_forwards());
        let forwards = forwards.map(|left| decimal(&mut made, u64::from(left.saturating_sub(1))));
        let length = declared(&mut made, request.framing.length());
        let switches = request.asks_for_upgrade();
        let start = RequestStart {
            method: if switches {
                b"CONNECT"
            } else {
                head.method.of(buf)
            },
            scheme: match scheme {
                Scheme::Http | Scheme::Ws => b"http",
                Scheme::Https | Scheme::Wss => b"https",
            },
            authority: request.authority,
            path: path.of(&made),
            protocol: head
                .upgrade
                .filter(|_| switches)
                .map(|upgrade| upgrade.of(buf)),
        };
        let kept = head.headers.iter().filter(|field| {
            let is_key = switches && is(field.name.of(buf), b"sec-websocket-key");
            !is_key && !request.drops(field)
        });
        let of_client = kept.map(|field| of_head(field, buf));
        let te = head.te_trailers.then_some((&b"te"[..], &b"trailers"[..]));
        let ours = [
            (&b"max-forwards"[..], forwards),
            (b"via", Some(via)),
            (b"content-length", length),
        ];
        let ours = ours.iter().filter_map(|(name, span)| {
            let value = (*span)?.of(&made);
            (!value.is_empty()).then_some((*name, value))
        });
        let ours = request.edits.added().chain(ours).chain(te).map(send_field);
        let sent = self.send_request(&start, of_client.chain(ours), end);
        self.made = made;
        sent
    }

    /// Sends the head of a response that goes on, interim or final; `end` if no content follows. A 101 is a
    /// 200 (RFC 8441 section 5).
    ///
    /// # Errors
    /// Nothing was done then.
    pub fn forward_response(
        &mut self,
        stream: u32,
        response: &ResponseForward<'_>,
        end: bool,
    ) -> Result<(), SendFault> {
        let ResponseForward { head, buf, .. } = *response;
        let mut made = std::mem::take(&mut self.made);
        made.clear();
        let via = made_by(&mut made, |out| {
            write_via_value(out, buf, &head.headers, head.version, response.via);
        });
        let length = declared(&mut made, response.declared_length());
        let switches = head.status == 101;
        let kept = head.headers.iter().filter(|field| {
            let is_accept = switches && is(field.name.of(buf), b"sec-websocket-accept");
            !is_accept && !response.drops(field)
        });
        let of_origin = kept.map(|field| of_head(field, buf));
        let date = response.added_date().map(|date| (&b"date"[..], date));
        let support = response
            .session_auth
            .then_some((&b"proxy-support"[..], &b"Session-Based-Authentication"[..]));
        let ours = [(&b"via"[..], Some(via)), (b"content-length", length)];
        let ours = ours.iter().filter_map(|(name, span)| {
            let value = (*span)?.of(&made);
            (!value.is_empty()).then_some((*name, value))
        });
        let added = response.edits.added().chain(date);
        let ours = added.chain(ours).chain(support).map(send_field);
        let status = if switches { 200 } else { head.status };
        let sent = self.send_response(stream, status, of_origin.chain(ours), end);
        self.made = made;
        sent
    }
}

fn send_field<'a>((name, value): (&'a [u8], &'a [u8])) -> SendField<'a> {
    SendField {
        name,
        value,
        never_indexed: false,
    }
}

/// A field as it came; what nobody was to enter into a table stays so.
fn of_head<'a>(field: &HeaderField, buf: &'a [u8]) -> SendField<'a> {
    SendField {
        name: field.name.of(buf),
        value: field.value.of(buf),
        never_indexed: field.never_indexed,
    }
}

fn is(name: &[u8], other: &[u8]) -> bool {
    name.eq_ignore_ascii_case(other)
}

fn made_by(made: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Span {
    let start = made.len();
    write(made);
    Span::new(start, made.len() - start)
}

fn decimal(made: &mut Vec<u8>, number: u64) -> Span {
    made_by(made, |out| write_decimal(out, number))
}

fn declared(made: &mut Vec<u8>, length: Option<u64>) -> Option<Span> {
    length.map(|length| decimal(made, length))
}
