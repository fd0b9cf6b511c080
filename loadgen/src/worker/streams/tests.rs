//! A connection that is fed what a peer may send, whole and in pieces.

use crate::pattern;
use proptest::prelude::*;

use super::state::*;
use crate::http2::frame::{self, Violation, flag, kind, setting};
use crate::http2::hpack::encode_field;
use crate::plan::body::Body;
use crate::worker::check::Check;
use crate::worker::failure::Failure;

/// Renders what a peer sends.
type Render = dyn Fn(&mut Vec<u8>);

const EXPECTATION: crate::plan::mix::Expectation = crate::plan::mix::Expectation {
    status: 200,
    body_bytes: None,
    pattern: true,
    crc32c: None,
    sent: crate::plan::mix::Sent {
        bytes: 0,
        crc32c: 0,
    },
    head_only: false,
};

/// A connection with a request on each of `lanes` lanes, and all it sent.
fn asked(lanes: usize) -> (Streams, Vec<u8>) {
    let mut outbox = Vec::new();
    let mut streams = Streams::start(lanes, &mut outbox);
    for lane in 0..lanes {
        let id = streams.next_id;
        streams.next_id += 2;
        streams.lanes[lane] = Some(Stream {
            id,
            check: Check::new(EXPECTATION),
            window: streams.peer_window,
            body_sent: 0,
            body: Body::default(),
            unacknowledged: 0,
        });
    }
    (streams, outbox)
}

fn head(stream: u32, status: &str, is_end: bool, out: &mut Vec<u8>) {
    let mut block = Vec::new();
    encode_field(":status", status, &mut block);
    encode_field("server", "x", &mut block);
    frame::put_headers(stream, &block, is_end, out);
}

/// What a peer's frames, after its settings, come to.
fn verdict(frames: &[u8]) -> Result<Vec<Ended>, Violation> {
    let (mut streams, mut outbox) = asked(1);
    let mut input = Vec::new();
    frame::put_settings(&[], &mut input);
    input.extend_from_slice(frames);
    let mut ended = Vec::new();
    streams.receive(&input, &mut outbox, &mut ended)?;
    Ok(ended)
}

#[test]
fn violations_are_seen() {
    let made = |make: &Render| {
        let mut out = Vec::new();
        make(&mut out);
        verdict(&out)
    };
    // Each breaks one rule of RFC 9113.
    let cases: [&Render; 10] = [
        &|out| frame::put(kind::DATA, 0, 1, b"early", out),
        &|out| head(3, "200", false, out),
        &|out| head(2, "200", false, out),
        &|out| head(1, "99", false, out),
        &|out| head(1, "103", true, out),
        &|out| frame::put(kind::CONTINUATION, flag::END_HEADERS, 1, b"", out),
        &|out| {
            frame::put(kind::HEADERS, 0, 1, b"", out);
            frame::put(kind::PING, 0, 0, &[0; 8], out);
        },
        &|out| frame::put(kind::PUSH_PROMISE, flag::END_HEADERS, 1, &[0; 4], out),
        &|out| frame::put_number(kind::WINDOW_UPDATE, 1, 0, out),
        &|out| {
            frame::put(
                kind::HEADERS,
                flag::END_HEADERS,
                1,
                b"\xff\xff\xff\xff\xff",
                out,
            )
        },
    ];
    for (index, case) in cases.iter().enumerate() {
        assert!(made(case).is_err(), "case {index}");
    }
    let (mut streams, mut outbox) = asked(1);
    let mut first = Vec::new();
    head(1, "200", true, &mut first);
    assert!(
        streams
            .receive(&first, &mut outbox, &mut Vec::new())
            .is_err()
    );
}

#[test]
fn ways_to_end() {
    let ended = |make: &Render| {
        let mut out = Vec::new();
        make(&mut out);
        verdict(&out).unwrap().pop().unwrap().1
    };
    assert_eq!(ended(&|out| head(1, "200", true, out)), Ok(Ok(())));
    assert_eq!(
        ended(&|out| head(1, "500", true, out)),
        Ok(Err(Failure::BadStatus(500)))
    );
    assert_eq!(
        ended(&|out| frame::put_number(kind::RST_STREAM, 1, 7, out)),
        Err(Failure::StreamReset(7))
    );
    assert_eq!(
        ended(&|out| frame::put_goaway(0, 0, out)),
        Err(Failure::StaleConnection)
    );
    let trailers = ended(&|out| {
        head(1, "103", false, out);
        head(1, "200", false, out);
        frame::put(kind::DATA, 0, 1, pattern::slice(0, 10), out);
        let mut block = Vec::new();
        encode_field("grpc-status", "0", &mut block);
        frame::put_headers(1, &block, true, out);
    });
    assert_eq!(trailers, Ok(Ok(())));
}

proptest! {
    #[test]
    fn any_cut_and_order_gives_the_same_bodies(
        lengths in prop::collection::vec(0_usize..100_000, 1..5),
        piece in 1_usize..16_000,
        cuts in prop::collection::vec(1_usize..30_000, 1..50),
    ) {
        let (mut streams, mut outbox) = asked(lengths.len());
        let mut input = Vec::new();
        frame::put_settings(&[(setting::INITIAL_WINDOW_SIZE, 100)], &mut input);
        let id = |lane: usize| u32::try_from(lane * 2 + 1).unwrap();
        for (lane, length) in lengths.iter().enumerate() {
            head(id(lane), "200", *length == 0, &mut input);
        }
        // Interleaved, as a server with many streams sends them.
        for round in 0..100_000_usize.div_ceil(piece) {
            for (lane, &length) in lengths.iter().enumerate() {
                let start = round * piece;
                if start < length {
                    let data = pattern::slice(start as u64, piece.min(length - start));
                    let is_end = start + data.len() == length;
                    frame::put(kind::DATA, u8::from(is_end), id(lane), data, &mut input);
                }
            }
        }
        let (mut inbox, mut ended, mut rest) = (Vec::new(), Vec::new(), input.as_slice());
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            inbox.extend_from_slice(now);
            rest = later;
            let taken = streams.receive(&inbox, &mut outbox, &mut ended).unwrap();
            inbox.drain(..taken);
            if rest.is_empty() {
                break;
            }
        }
        prop_assert!(inbox.is_empty() && streams.active() == 0);
        prop_assert_eq!(ended.len(), lengths.len());
        prop_assert!(ended.iter().all(|(_, verdict)| *verdict == Ok(Ok(()))), "{:?}", ended);
        let total: usize = lengths.iter().sum();
        prop_assert_eq!(streams.traffic.received, total as u64);
    }

    #[test]
    fn anything_is_survived(input in prop::collection::vec(any::<u8>(), 0..300)) {
        let (mut streams, mut outbox) = asked(2);
        let mut frames = Vec::new();
        frame::put_settings(&[], &mut frames);
        // Frames of every kind with any payload, then bytes that are none.
        for (index, payload) in input.chunks(20).enumerate() {
            let kind = u8::try_from(index % 11).unwrap();
            frame::put(kind, payload[0], u32::from(payload[0] % 5), payload, &mut frames);
            let _ = streams.receive(&frames, &mut outbox, &mut Vec::new());
            frames.clear();
        }
        let _ = streams.receive(&input, &mut outbox, &mut Vec::new());
    }
}
