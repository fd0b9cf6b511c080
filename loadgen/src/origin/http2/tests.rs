//! A connection that is fed what clients may send, whole and in pieces.

use proptest::prelude::*;

use std::time::Instant;

use super::session::*;
use crate::http2::frame::{self, Frame, PREFACE, Violation, flag, kind, setting};
use crate::http2::hpack;
use crate::origin::context::Context;
use crate::origin::counters::Counters;
use crate::pattern;

/// Renders what a peer sends.
type Render = dyn Fn(&mut Vec<u8>);

/// Feeds pieces, as they come; returns all that is answered.
fn converse(pieces: &[&[u8]]) -> Result<Vec<u8>, Violation> {
    let counters = Counters::for_threads(1).remove(0);
    let mut scratch = [];
    let context = Context {
        now: Instant::now(),
        date: "D",
        counters: &counters,
        scratch: &mut scratch,
    };
    let (mut inbox, mut outbox, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    let mut session = Session::start(&mut outbox);
    for piece in pieces {
        inbox.extend_from_slice(piece);
        session.receive(&mut inbox, &mut outbox, &context)?;
        session.produce(&context, &mut outbox);
        sent.append(&mut outbox);
    }
    Ok(sent)
}

fn request(id: u32, path: &str, is_end: bool, out: &mut Vec<u8>) {
    let mut block = Vec::new();
    for (name, value) in [(":method", "POST"), (":scheme", "https"), (":path", path)] {
        hpack::encode_field(name, value, &mut block);
    }
    frame::put_headers(id, &block, is_end, out);
}

/// The body of one stream in what was sent.
fn body(mut sent: &[u8], id: u32) -> (Vec<u8>, bool) {
    let (mut body, mut is_ended) = (Vec::new(), false);
    while let Some((frame, rest)) = Frame::take(sent).unwrap() {
        sent = rest;
        if frame.stream == id && frame.kind == kind::DATA {
            body.extend_from_slice(frame.payload);
            is_ended |= frame.has(flag::END_STREAM);
        }
    }
    (body, is_ended)
}

#[test]
fn windows_are_kept() {
    let mut input = PREFACE.to_vec();
    frame::put_settings(&[(setting::INITIAL_WINDOW_SIZE, 1_000)], &mut input);
    request(1, "/bytes/70000", true, &mut input);
    let (seen, is_ended) = body(&converse(&[&input]).unwrap(), 1);
    assert_eq!((seen.len(), is_ended), (1_000, false));
    let mut more = Vec::new();
    frame::put_number(kind::WINDOW_UPDATE, 1, 69_000, &mut more);
    let (seen, _) = body(&converse(&[&input, &more]).unwrap(), 1);
    assert_eq!(seen.len(), 65_535, "the connection has a window too");
    let mut last = Vec::new();
    frame::put_number(kind::WINDOW_UPDATE, 0, 10_000, &mut last);
    let (seen, is_ended) = body(&converse(&[&input, &more, &last]).unwrap(), 1);
    assert!(
        is_ended && seen == [pattern::slice(0, 65_521), pattern::slice(65_521, 4_479)].concat()
    );
    // A later change of settings reaches streams that are under way.
    let mut wider = Vec::new();
    frame::put_settings(&[(setting::INITIAL_WINDOW_SIZE, 3_000)], &mut wider);
    let (seen, _) = body(&converse(&[&input, &wider]).unwrap(), 1);
    assert_eq!(seen.len(), 3_000);
}

#[test]
fn violations_end_the_connection() {
    for wrong in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nXX"] {
        assert!(converse(&[wrong]).is_err());
    }
    let cases: [&Render; 5] = [
        &|out| request(2, "/", true, out),
        &|out| {
            request(3, "/", true, out);
            request(1, "/", true, out);
        },
        &|out| frame::put(kind::DATA, 0, 5, b"x", out),
        &|out| frame::put(kind::HEADERS, flag::END_HEADERS, 1, b"\xff\xff", out),
        &|out| frame::put_number(kind::WINDOW_UPDATE, 0, 0, out),
    ];
    for (index, case) in cases.iter().enumerate() {
        let mut input = PREFACE.to_vec();
        case(&mut input);
        assert!(converse(&[&input]).is_err(), "case {index}");
    }
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_answer(
        sent_bytes in 0_usize..30_000,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut input = PREFACE.to_vec();
        frame::put_settings(&[], &mut input);
        request(1, "/echo", sent_bytes == 0, &mut input);
        request(3, "/bytes/20000", true, &mut input);
        let data = pattern::slice(0, sent_bytes);
        let count = data.chunks(7_000).count();
        for (index, piece) in data.chunks(7_000).enumerate() {
            frame::put(kind::DATA, u8::from(index + 1 == count), 1, piece, &mut input);
        }
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len())).collect();
        places.extend([0, input.len()]);
        places.sort_unstable();
        let pieces: Vec<&[u8]> = places.windows(2).map(|two| &input[two[0]..two[1]]).collect();
        let sent = converse(&pieces).unwrap();
        let (bytes, is_ended) = body(&sent, 3);
        prop_assert!(is_ended && pattern::matches(0, &bytes) && bytes.len() == 20_000);
        let (echo, is_ended) = body(&sent, 1);
        prop_assert!(is_ended);
        let echo: serde_json::Value = serde_json::from_slice(&echo).unwrap();
        prop_assert_eq!(&echo["body_bytes"], sent_bytes);
    }

    #[test]
    fn anything_is_survived(input in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut frames = PREFACE.to_vec();
        request(1, "/bytes/100000", false, &mut frames);
        for (index, payload) in input.chunks(20).enumerate() {
            let kind = u8::try_from(index % 11).unwrap();
            frame::put(kind, payload[0], u32::from(payload[0] % 5), payload, &mut frames);
        }
        let _ = converse(&[&frames, &input]);
    }
}
