//! HTTP/2 frames as the guard sees them: a request's head with its fields, and the answer to it.

use std::hint::black_box;
use std::time::Instant;

use sallyport_wire::http2::{FloodLimits, FrameGuard, ReceivingSide};

use crate::Step;

/// Method, scheme, path and authority as in RFC 7541 appendix C.4.1, `cache-control` as in C.4.2, and the
/// custom field of C.4.3: strings in the Huffman code, three of them new to the dynamic table.
const FIELDS: &[u8] = b"\x82\x86\x84\
    \x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff\
    \x58\x86\xa8\xeb\x10\x64\x9c\xbf\
    \x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
/// The status 200.
const STATUS: &[u8] = b"\x88";

const LIMITS: FloodLimits = FloodLimits {
    control_frames_per_second: 1000,
    resets_per_second: 100,
    head_bytes_max: 64 * 1024,
};

/// The head of a request without a body, on a stream of its own, and that of its response.
pub(crate) fn request() -> Step {
    let mut guard = FrameGuard::new(ReceivingSide::Server, LIMITS);
    let mut begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    begin.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    let now = Instant::now();
    assert_eq!(guard.received(&mut begin, now), Ok(()));
    Box::new(move |number| {
        // RFC 9113 section 5.1.1: streams of clients have odd numbers.
        let stream = u32::try_from(number * 2 + 1).unwrap_or(u32::MAX);
        let mut frame = head(stream, FIELDS);
        assert_eq!(guard.received(black_box(&mut frame), now), Ok(()));
        guard.take(stream);
        guard.sent(black_box(&head(stream, STATUS)), |sent| {
            black_box(sent);
        });
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
