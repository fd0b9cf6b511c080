//! A request's head in HTTP/2 with its fields, and the answer to it, as a server's connection reads and writes
//! them.

use std::hint::black_box;
use std::time::Instant;

use sallyport_wire::http1::{HeadLimits, Scheme};
use sallyport_wire::http2::{Connection, ConnectionSettings, Event, SendField, TargetForm};

use crate::Step;

/// Method, scheme, path and authority as in RFC 7541 appendix C.4.1, `cache-control` as in C.4.2, and the
/// custom field of C.4.3: strings in the Huffman code, three of them new to the dynamic table.
const FIELDS: &[u8] = b"\x82\x86\x84\
    \x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff\
    \x58\x86\xa8\xeb\x10\x64\x9c\xbf\
    \x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";

const SETTINGS: ConnectionSettings = ConnectionSettings {
    streams_max: 100,
    stream_window_bytes: 256 * 1024,
    connection_window_bytes: 1024 * 1024,
    head: HeadLimits {
        head_bytes_max: 64 * 1024,
        headers_max: 100,
        uri_bytes_max: 16 * 1024,
    },
    control_frames_per_second: 1000,
    resets_per_second: 100,
    output_bytes_max: 64 * 1024,
    form: TargetForm::Origin(Scheme::Http),
};

/// The head of a request without a body, on a stream of its own, and that of its response.
pub(crate) fn request() -> Step {
    let mut connection = Connection::server(SETTINGS);
    let mut begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    begin.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    let now = Instant::now();
    let mut input = &begin[..];
    while let Ok(Some(event)) = connection.receive(&mut input, now) {
        black_box(event);
    }
    let mut out = Vec::new();
    Box::new(move |number| {
        // RFC 9113 section 5.1.1: streams of clients have odd numbers.
        let stream = u32::try_from(number * 2 + 1).unwrap_or(u32::MAX);
        let frame = head(stream, FIELDS);
        let mut input = black_box(&frame[..]);
        while let Ok(Some(event)) = connection.receive(&mut input, now) {
            if let Event::Request { request, .. } = event {
                connection.recycle_request(black_box(request));
            }
        }
        let length = SendField {
            name: b"content-length",
            value: b"0",
            never_indexed: false,
        };
        let sent = connection.send_response(stream, 200, [length], true);
        assert_eq!(sent, Ok(()));
        out.clear();
        connection.transmit(&mut out);
        black_box(&out);
    })
}

/// HEADERS with the flags END_HEADERS and END_STREAM (RFC 9113 section 6.2).
fn head(stream: u32, block: &[u8]) -> Vec<u8> {
    let length = u8::try_from(block.len()).unwrap_or(u8::MAX);
    let mut frame = vec![0, 0, length, 1, 5];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(block);
    frame
}
