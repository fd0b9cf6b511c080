//! What is refused, and with which code; however the bytes are cut.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const LIMITS: FloodLimits = FloodLimits {
    control_frames_per_second: 10,
    resets_per_second: 2,
};

fn frame_on(stream: u32, kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
    frame_on(1, kind, flags, &vec![0xaa; length])
}

#[expect(
    clippy::disallowed_methods,
    reason = "an instant cannot be made otherwise"
)]
fn now() -> Instant {
    Instant::now()
}

/// Behind the first SETTINGS, which draw on the allowance as well.
fn guard(side: ReceivingSide) -> FrameGuard {
    let mut guard = FrameGuard::new(side, LIMITS);
    if side == ReceivingSide::Server {
        let mut preface = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        guard.received(&mut preface, now()).unwrap();
    }
    guard.received(&mut frame(SETTINGS, 0, 0), now()).unwrap();
    guard.control.earn(1);
    guard
}

fn client_guard() -> FrameGuard {
    guard(ReceivingSide::Client)
}

/// What frames on a new connection of that side come to.
fn after(side: ReceivingSide, frames: &[Vec<u8>]) -> Result<(), FrameFault> {
    guard(side).received(&mut frames.concat(), now())
}

#[test]
fn settings_come_first_and_lengths_fit_their_type() {
    let mut guard = FrameGuard::new(ReceivingSide::Client, LIMITS);
    assert_eq!(
        guard.received(&mut frame(PING, 0, 8), now()),
        Err(FrameFault::Preface)
    );
    for (kind, flags, length, fits) in [
        (DATA, 0, 16_384, true),
        (DATA, 0, 16_385, false),
        (HEADERS, END_HEADERS, 16_385, false),
        (HEADERS, END_HEADERS | PADDED, 0, false),
        (HEADERS, END_HEADERS | PRIORITIZED, 4, false),
        (PRIORITY, 0, 5, true),
        (PRIORITY, 0, 4, false),
        (RST_STREAM, 0, 4, true),
        (RST_STREAM, 0, 3, false),
        (SETTINGS, 0, 12, true),
        (SETTINGS, 0, 3, false),
        (SETTINGS, ACK, 0, true),
        (SETTINGS, ACK, 6, false),
        (PING, 0, 8, true),
        (PING, 0, 6, false),
        (GOAWAY, 0, 30, true),
        (GOAWAY, 0, 7, false),
        (WINDOW_UPDATE, 0, 4, true),
        (WINDOW_UPDATE, 0, 5, false),
        (0x16, 0, 1, true),
    ] {
        let found = after(ReceivingSide::Client, &[frame(kind, flags, length)]);
        let expected = if fits { Ok(()) } else { Err(FrameFault::Size) };
        assert_eq!(found, expected, "{kind} {length}");
    }
}

#[test]
fn each_kind_has_its_allowance_and_time_fills_it() {
    let start = now();
    for (kind, length, burst, flood) in [
        (PING, 8, 100, FrameFault::ControlFlood),
        (WINDOW_UPDATE, 4, 100, FrameFault::ControlFlood),
        (SETTINGS, 0, 100, FrameFault::ControlFlood),
        (PRIORITY, 5, 100, FrameFault::ControlFlood),
        (0xfe, 3, 100, FrameFault::ControlFlood),
        (DATA, 0, 100, FrameFault::ControlFlood),
        (CONTINUATION, 0, 100, FrameFault::ControlFlood),
        (RST_STREAM, 4, 20, FrameFault::ResetFlood),
    ] {
        let mut guard = guard(ReceivingSide::Server);
        if kind == CONTINUATION {
            guard.received(&mut frame(HEADERS, 0, 1), start).unwrap();
        }
        let frame = frame(kind, 0, length);
        for _ in 0..burst {
            assert_eq!(guard.received(&mut frame.clone(), start), Ok(()), "{kind}");
        }
        let mut later = guard.clone();
        assert_eq!(
            guard.received(&mut frame.clone(), start),
            Err(flood),
            "{kind}"
        );
        let time = start + Duration::from_secs(1);
        assert_eq!(later.received(&mut frame.clone(), time), Ok(()), "{kind}");
        // What has ended is not taken up again.
        assert_eq!(
            guard.received(&mut frame.clone(), time),
            Err(flood),
            "{kind}"
        );
    }
}

#[test]
fn what_carries_something_draws_nothing() {
    let mut guard = client_guard();
    for stream in (1..4000).step_by(2) {
        let frames = [
            frame_on(stream, HEADERS, END_HEADERS, b"\x88"),
            frame_on(stream, DATA, 0, b"x"),
            frame_on(stream, DATA, END_STREAM, b""),
        ];
        assert_eq!(guard.received(&mut frames.concat(), now()), Ok(()));
    }
}

#[test]
fn who_receives_much_may_update_windows_and_answered_pings_do_not_count() {
    let now = now();
    let update = [frame(WINDOW_UPDATE, 0, 4), frame(WINDOW_UPDATE, 0, 4)].concat();
    let mut guard = guard(ReceivingSide::Server);
    for _ in 0..1000 {
        guard.sent(&frame(DATA, 0, 16 * 1024));
        assert_eq!(guard.received(&mut update.clone(), now), Ok(()));
    }
    let mut guard = client_guard();
    let ping = frame(PING, 0, 8);
    let flooded = (0..1000).any(|_| {
        guard.sent(&ping);
        guard.received(&mut ping.clone(), now).is_err()
    });
    assert!(flooded);
}

#[test]
fn field_blocks_are_decoded_in_one_piece() {
    let block = |flags, payload: &[u8]| frame_on(1, HEADERS, flags, payload);
    let more = |flags, payload: &[u8]| frame_on(1, CONTINUATION, flags, payload);
    let padded = [&[2, 0, 0, 0, 0, 0, 0x88, 0x8f][..], &[0xff; 2]].concat();
    let all = PADDED | PRIORITIZED | END_HEADERS;
    for (frames, expected) in [
        (vec![block(END_HEADERS, b"\x88")], Ok(())),
        (vec![block(END_HEADERS, b"")], Ok(())),
        (
            vec![
                block(0, b"\x40\x01"),
                more(0, b"a"),
                more(END_HEADERS, b"\x01b"),
            ],
            Ok(()),
        ),
        (vec![block(all, &padded), frame(PING, 0, 8)], Ok(())),
        (
            vec![block(END_HEADERS | PADDED, b"\x03\x88\0")],
            Err(FrameFault::Padding),
        ),
        (
            vec![block(END_HEADERS, b"\x80")],
            Err(FrameFault::Compression),
        ),
        (
            vec![block(0, b"\x40\x01"), more(END_HEADERS, b"")],
            Err(FrameFault::Compression),
        ),
        (
            vec![block(0, b""), frame(PING, 0, 8)],
            Err(FrameFault::Block),
        ),
        (
            vec![block(0, b""), frame_on(3, CONTINUATION, 0, b"")],
            Err(FrameFault::Block),
        ),
        (vec![more(END_HEADERS, b"")], Err(FrameFault::Block)),
        (
            vec![frame(PUSH_PROMISE, END_HEADERS, 5)],
            Err(FrameFault::Push),
        ),
    ] {
        assert_eq!(
            after(ReceivingSide::Client, &frames),
            expected,
            "{frames:x?}"
        );
    }
}

#[test]
fn nothing_comes_behind_the_end_of_a_stream() {
    let head = |flags| frame_on(1, HEADERS, END_HEADERS | flags, b"\x82\x84\x86");
    for (end, is_end) in [
        (head(END_STREAM), true),
        ([head(0), frame(DATA, END_STREAM, 0)].concat(), true),
        ([head(0), frame(DATA, END_STREAM, 5)].concat(), true),
        ([head(0), frame(RST_STREAM, 0, 4)].concat(), true),
        ([head(0), frame(DATA, 0, 5)].concat(), false),
    ] {
        for (late, may) in [
            (frame(DATA, 0, 1), false),
            (head(0), false),
            (frame(CONTINUATION, END_HEADERS, 0), false),
            (frame(PRIORITY, 0, 5), true),
            (frame(WINDOW_UPDATE, 0, 4), true),
            (frame(RST_STREAM, 0, 4), true),
            (frame_on(3, DATA, 0, b"x"), true),
        ] {
            let found = after(ReceivingSide::Server, &[end.clone(), late.clone()]);
            let closed = Err(FrameFault::StreamClosed);
            match (is_end, may) {
                (true, false) => assert_eq!(found, closed, "{end:x?} {late:x?}"),
                _ => assert_ne!(found, closed, "{end:x?} {late:x?}"),
            }
        }
    }
}

#[test]
fn settings_and_windows_are_held_to_their_bounds() {
    let setting = |key: u8, value: u32| {
        let payload = [&[0, 3, 0, 0, 0, 1, 0, key][..], &value.to_be_bytes()].concat();
        frame_on(0, SETTINGS, 0, &payload)
    };
    for (side, frame, expected) in [
        (
            ReceivingSide::Server,
            setting(4, 1 << 31),
            Err(FrameFault::Window),
        ),
        (ReceivingSide::Client, setting(4, WINDOW_MAX), Ok(())),
        (
            ReceivingSide::Client,
            setting(2, 1),
            Err(FrameFault::Setting),
        ),
        (ReceivingSide::Client, setting(2, 0), Ok(())),
        (ReceivingSide::Server, setting(2, 1), Ok(())),
    ] {
        assert_eq!(after(side, &[frame]), expected);
    }
    let update = frame_on(5, WINDOW_UPDATE, 0, &WINDOW_MAX.to_be_bytes());
    let mut guard = client_guard();
    let mut bytes = [update.clone(), update.clone(), frame(PING, 0, 8)].concat();
    assert_eq!(guard.received(&mut bytes, now()), Ok(()));
    let reset = reset_frame(5, FLOW_CONTROL_ERROR);
    assert_eq!(bytes, [&update[..], &reset, &frame(PING, 0, 8)].concat());
    assert_eq!(guard.overflowed(), Some(reset));
    assert_eq!(guard.overflowed(), None);
    // All of it comes before a fault.
    let mut guard = client_guard();
    let mut bytes = [update.clone(), update.clone(), frame(PING, 0, 6)].concat();
    assert_eq!(guard.received(&mut bytes, now()), Err(FrameFault::Size));
    assert_eq!(guard.sound_bytes(), 2 * update.len());
    // In pieces it is the end of the connection.
    let mut guard = client_guard();
    guard.received(&mut update.clone(), now()).unwrap();
    guard.received(&mut update.clone()[..10], now()).unwrap();
    let found = guard.received(&mut update.clone()[10..], now());
    assert_eq!(found, Err(FrameFault::Window));
}

#[test]
fn malformed_messages_are_told_by_stream() {
    let send = |guard: &mut FrameGuard, stream, block: &[u8]| {
        let mut frame = frame_on(stream, HEADERS, END_HEADERS, block);
        guard.received(&mut frame, now()).unwrap();
        guard.malformed(stream)
    };
    let mut server = guard(ReceivingSide::Server);
    assert_eq!(send(&mut server, 1, b"\x82\x84\x86"), None);
    assert_eq!(send(&mut server, 3, b"\x82\x86"), Some(Malformed::NoPath));
    assert_eq!(server.malformed(3), None);
    assert_eq!(send(&mut server, 1, b"\x00\x01a\x01b"), None);
    assert_eq!(send(&mut server, 1, b"\x82"), Some(Malformed::Trailers));
    let mut client = client_guard();
    assert_eq!(send(&mut client, 1, b"\x08\x03103"), None);
    assert_eq!(send(&mut client, 1, b"\x88"), None);
    assert_eq!(send(&mut client, 1, b"\x88"), Some(Malformed::Trailers));
    let request = Some(Malformed::RequestField);
    assert_eq!(send(&mut client, 3, b"\x88\x84"), request);
    assert_eq!(send(&mut client, 5, b"\x08\x03103\x82"), request);
    // Nobody asks for a stream that was reset.
    let mut bytes = frame_on(7, HEADERS, END_HEADERS, b"\x84");
    client.received(&mut bytes, now()).unwrap();
    client.sent(&reset_frame(7, 8));
    assert_eq!(client.malformed(7), None);
}

proptest! {
    /// However the bytes are cut into reads, the same frames are seen.
    #[test]
    fn cutting_changes_nothing(
        frames in prop::collection::vec(
            (0u8..12, any::<u8>(), 0u32..6, prop::collection::vec(any::<u8>(), 0..20)),
            0..60,
        ),
        cuts in prop::collection::vec(1usize..50, 1..50),
    ) {
        let now = now();
        let mut whole = guard(ReceivingSide::Server);
        let mut cut = guard(ReceivingSide::Server);
        let frames = frames.iter().map(|(kind, flags, stream, payload)| {
            // Lengths that let most of them through.
            let length = match *kind {
                PRIORITY => 5,
                RST_STREAM | WINDOW_UPDATE => 4,
                SETTINGS if flags & ACK != 0 => 0,
                SETTINGS => 6,
                PING | GOAWAY => 8,
                _ => payload.len(),
            };
            let mut payload = payload.clone();
            payload.resize(length, 1);
            frame_on(*stream, *kind, *flags, &payload)
        });
        let mut bytes: Vec<u8> = frames.flatten().collect();
        let expected = whole.received(&mut bytes.clone(), now);
        let mut found = Ok(());
        let mut rest = &mut bytes[..];
        for size in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (part, behind) = rest.split_at_mut((*size).min(rest.len()));
            found = cut.received(part, now);
            rest = behind;
        }
        prop_assert_eq!(expected, found);
        prop_assert_eq!(whole.control.left(), cut.control.left());
        prop_assert_eq!(whole.reset.left(), cut.reset.left());
        prop_assert_eq!(whole.malformed, cut.malformed);
    }
}
