//! Frames and the states of streams: RFC 9113 sections 3.4 to 6.

use super::super::super::fault::FrameFault;
use super::super::super::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITIZED,
    PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use super::super::state::{Connection, PREFACE};
use super::support::{
    GET, POST, SETTINGS_USED, Tested, block, data, frame, get, headers, post, settings, word_frame,
};

/// What frames come to that end the connection; the other side is told by a GOAWAY.
fn fails(mut tested: Tested, bytes: &[u8]) -> FrameFault {
    let fault = tested.take(bytes).unwrap_err();
    let goaway = format!(":{}", fault.code());
    assert!(tested.sent().ends_with(&goaway), "{fault}");
    // And ever after.
    assert_eq!(tested.take(&get(99)), Err(fault));
    assert_eq!(tested.sent(), "");
    fault
}

fn server_fails(bytes: &[u8]) -> FrameFault {
    fails(Tested::server(), bytes)
}

/// A server with a request in stream 1 whose content is still to come.
fn with_post() -> Tested {
    let mut tested = Tested::server();
    assert_eq!(tested.seen(&post(1)), "request:1");
    tested
}

#[test]
fn rfc_9113_3_4_the_preface_and_settings_come_first() {
    for (bytes, is_fine) in [
        ([&PREFACE[..], &settings(&[])].concat(), true),
        (b"INVALID CONNECTION PREFACE".to_vec(), false),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), false),
        ([&PREFACE[..], &frame(PING, 0, 0, &[0; 8])].concat(), false),
        (
            [&PREFACE[..], &frame(SETTINGS, ACK, 0, &[])].concat(),
            false,
        ),
    ] {
        for size in [1, 7, bytes.len()] {
            let mut tested = Tested::begin(Connection::server(SETTINGS_USED));
            let mut taken = bytes.chunks(size).map(|chunk| tested.take(chunk));
            let outcome = taken.find(Result::is_err).unwrap_or(Ok(Vec::new()));
            let expected = if is_fine {
                Ok(Vec::new())
            } else {
                Err(FrameFault::Preface)
            };
            assert_eq!(outcome, expected, "{}", bytes.escape_ascii());
        }
    }
    let mut client = Tested::begin(Connection::client(SETTINGS_USED));
    assert_eq!(
        client.take(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        Err(FrameFault::Preface)
    );
}

#[test]
fn rfc_9113_4_1_unknown_frames_flags_and_the_reserved_bit_are_passed_over() {
    let mut tested = Tested::server();
    let mut reserved = frame(PING, 0xfe, 0, &[0; 8]);
    reserved[5] |= 0x80;
    let bytes = [
        frame(0x16, 0xff, 0, &[0; 8]),
        frame(0x16, 0, 7, &[]),
        reserved,
    ]
    .concat();
    assert_eq!(tested.seen(&bytes), "");
    assert_eq!(tested.sent(), "pong");
}

#[test]
fn rfc_9113_4_2_sizes_fit_the_type() {
    for (kind, flags, stream, length, fits) in [
        (DATA, 0, 1, 16_384, true),
        (DATA, 0, 1, 16_385, false),
        (HEADERS, END_HEADERS, 3, 16_385, false),
        (HEADERS, END_HEADERS | PADDED, 3, 0, false),
        (HEADERS, END_HEADERS | PRIORITIZED, 3, 4, false),
        (PRIORITY, 0, 1, 5, true),
        (PRIORITY, 0, 1, 4, false),
        (RST_STREAM, 0, 1, 4, true),
        (RST_STREAM, 0, 1, 3, false),
        (SETTINGS, 0, 0, 12, true),
        (SETTINGS, 0, 0, 3, false),
        (SETTINGS, ACK, 0, 0, true),
        (SETTINGS, ACK, 0, 6, false),
        (PING, 0, 0, 8, true),
        (PING, 0, 0, 6, false),
        (GOAWAY, 0, 0, 30, true),
        (GOAWAY, 0, 0, 7, false),
        (WINDOW_UPDATE, 0, 0, 5, false),
        (0x16, 0, 0, 16_384, true),
        (0x16, 0, 0, 16_385, false),
    ] {
        let found = with_post().take(&frame(kind, flags, stream, &vec![0x77; length]));
        let expected = if fits { Ok(()) } else { Err(FrameFault::Size) };
        assert_eq!(found.map(|_| ()), expected, "{kind} {length}");
    }
}

#[test]
fn rfc_9113_4_3_a_block_is_in_one_piece_and_can_be_decoded() {
    let begun = frame(HEADERS, END_STREAM, 1, &block(&GET));
    for (then, fault) in [
        (frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16]), FrameFault::Block),
        (get(3), FrameFault::Block),
        (frame(0x16, 0, 0, b"x"), FrameFault::Block),
        (frame(CONTINUATION, END_HEADERS, 3, &[]), FrameFault::Block),
        (
            frame(CONTINUATION, END_HEADERS, 1, b"\x40\x03ab"),
            FrameFault::Compression,
        ),
        (
            frame(CONTINUATION, END_HEADERS, 1, b"\x80"),
            FrameFault::Compression,
        ),
        (
            frame(CONTINUATION, END_HEADERS, 1, b"\x20"),
            FrameFault::Compression,
        ),
    ] {
        assert_eq!(server_fails(&[begun.clone(), then].concat()), fault);
    }
    assert_eq!(
        server_fails(&frame(CONTINUATION, END_HEADERS, 1, &[])),
        FrameFault::Block
    );
    let mut tested = Tested::server();
    for byte in begun.iter().chain(&frame(CONTINUATION, 0, 1, b"\0\x01")) {
        assert_eq!(tested.seen(&[*byte]), "");
    }
    assert_eq!(tested.seen(&frame(CONTINUATION, 0, 1, b"x\x01")), "");
    assert_eq!(
        tested.seen(&frame(CONTINUATION, END_HEADERS, 1, b"y")),
        "request:1."
    );
}

#[test]
fn rfc_9113_5_1_idle_streams() {
    for (bytes, fault) in [
        (data(1, END_STREAM, 1), FrameFault::StreamIdle),
        (word_frame(RST_STREAM, 1, 8), FrameFault::StreamIdle),
        (word_frame(WINDOW_UPDATE, 1, 100), FrameFault::StreamIdle),
        (data(2, 0, 1), FrameFault::StreamIdle),
    ] {
        assert_eq!(server_fails(&bytes), fault);
    }
    for bytes in [headers(3, END_STREAM, &[(":status", "200")]), data(2, 0, 1)] {
        assert_eq!(fails(Tested::client(), &bytes), FrameFault::StreamIdle);
    }
    // Priorities are of any stream.
    let mut tested = Tested::server();
    assert_eq!(tested.seen(&frame(PRIORITY, 0, 5, &[0, 0, 0, 3, 16])), "");
}

#[test]
fn rfc_9113_5_1_half_closed_and_closed_streams() {
    let half_closed = || {
        let mut tested = Tested::server();
        assert_eq!(tested.seen(&get(1)), "request:1.");
        tested
    };
    let ended = || {
        let mut tested = half_closed();
        tested.respond(1, true);
        assert_eq!(tested.sent(), "headers:1.");
        assert_eq!(tested.connection.streams_count(), 0);
        tested
    };
    let reset = || {
        let mut tested = with_post();
        assert_eq!(tested.seen(&word_frame(RST_STREAM, 1, 8)), "reset:1:8");
        tested
    };
    let states: [&dyn Fn() -> Tested; 3] = [&half_closed, &ended, &reset];
    for state in states {
        for late in [
            data(1, END_STREAM, 1),
            get(1),
            frame(CONTINUATION, END_HEADERS, 1, &block(&[("a", "b")])),
        ] {
            assert_eq!(fails(state(), &late), FrameFault::StreamClosed);
        }
        // What may be on its way, or says nothing.
        for late in [
            word_frame(WINDOW_UPDATE, 1, 5),
            word_frame(RST_STREAM, 1, 8),
            frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 16]),
        ] {
            state().take(&late).unwrap();
        }
    }
}

#[test]
fn rfc_9113_5_1_what_is_on_its_way_to_a_reset_stream_is_passed_over() {
    let mut tested = with_post();
    tested.connection.reset(1, 8);
    assert_eq!(tested.sent(), "reset:1:8");
    let late = [
        data(1, 0, 500),
        headers(1, END_STREAM, &[("a", "b")]),
        word_frame(WINDOW_UPDATE, 1, 5),
        word_frame(RST_STREAM, 1, 8),
    ];
    assert_eq!(tested.seen(&late.concat()), "");
    // The tables are in step.
    let insert = [&block(&GET)[..], b"\x40\x01x\x01y"].concat();
    let mut tested = with_post();
    tested.connection.reset(1, 8);
    tested.seen(&frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        1,
        b"\x40\x01x\x01y",
    ));
    let refers = [&block(&GET)[..], b"\xbe"].concat();
    assert_eq!(
        tested.seen(&frame(HEADERS, END_HEADERS | END_STREAM, 3, &refers)),
        "request:3."
    );
    assert_eq!(
        tested.seen(&frame(HEADERS, END_HEADERS | END_STREAM, 5, &insert)),
        "request:5."
    );
}

#[test]
fn rfc_9113_5_1_1_numbers_of_streams_go_up_and_are_odd() {
    assert_eq!(server_fails(&get(2)), FrameFault::StreamOrder);
    assert_eq!(
        server_fails(&[get(5), get(3)].concat()),
        FrameFault::StreamOrder
    );
    assert_eq!(server_fails(&get(0)), FrameFault::StreamNumber);
    let mut tested = Tested::server();
    assert_eq!(
        tested.seen(&[get(5), get(7)].concat()),
        "request:5. request:7."
    );
}

#[test]
fn rfc_9113_5_1_2_streams_beyond_the_limit_are_refused() {
    let mut tested = Tested::server();
    let all: Vec<u8> = (0..12).flat_map(|number| post(2 * number + 1)).collect();
    let seen = tested.seen(&all);
    assert!(
        seen.ends_with("request:19 fault:21:TooManyStreams fault:23:TooManyStreams"),
        "{seen}"
    );
    assert_eq!(tested.sent(), "reset:21:7 reset:23:7");
    tested.seen(&word_frame(RST_STREAM, 19, 8));
    assert_eq!(tested.seen(&post(25)), "request:25");
    // As a client: of both sides the smaller limit counts.
    let mut client = Tested::client();
    client.seen(&settings(&[(3, 2)]));
    assert!(client.connection.can_open());
    client.request("GET");
    assert!(!client.connection.can_open());
    client.seen(&headers(1, END_STREAM, &[(":status", "200")]));
    assert!(client.connection.can_open());
}

#[test]
fn rfc_9113_5_3_a_stream_that_depends_on_itself() {
    let mut payload = vec![0, 0, 0, 1, 16];
    payload.extend_from_slice(&block(&GET));
    let flags = END_HEADERS | END_STREAM | PRIORITIZED;
    let mut tested = Tested::server();
    assert_eq!(
        tested.seen(&frame(HEADERS, flags, 1, &payload)),
        "fault:1:Dependency"
    );
    payload[3] = 9;
    assert_eq!(
        tested.seen(&frame(HEADERS, flags, 3, &payload)),
        "request:3."
    );
    let mut tested = with_post();
    let itself = frame(PRIORITY, 0, 1, &[0x80, 0, 0, 1, 16]);
    assert_eq!(tested.seen(&itself), "fault:1:Dependency");
    assert_eq!(tested.sent(), "reset:1:1");
    // Of one that is gone it says nothing, of one that is not there yet it cannot be said.
    assert_eq!(tested.seen(&itself), "");
    assert_eq!(server_fails(&itself), FrameFault::StreamIdle);
}

#[test]
fn rfc_9113_6_frames_are_on_the_streams_that_they_can_be_on() {
    for bytes in [
        data(0, 0, 1),
        frame(HEADERS, END_HEADERS, 0, &block(&GET)),
        frame(PRIORITY, 0, 0, &[0, 0, 0, 3, 16]),
        word_frame(RST_STREAM, 0, 8),
        frame(SETTINGS, 0, 1, &[]),
        frame(PING, 0, 1, &[0; 8]),
        frame(GOAWAY, 0, 1, &[0; 8]),
    ] {
        assert_eq!(fails(with_post(), &bytes), FrameFault::StreamNumber);
    }
    let on_0 = frame(CONTINUATION, END_HEADERS, 0, &[]);
    assert_eq!(server_fails(&on_0), FrameFault::Block);
}

#[test]
fn rfc_9113_6_1_and_6_2_padding() {
    let mut tested = Tested::server();
    let mut head = vec![5];
    head.extend_from_slice(&block(&POST));
    head.extend_from_slice(&[0; 5]);
    assert_eq!(
        tested.seen(&frame(HEADERS, END_HEADERS | PADDED, 1, &head)),
        "request:1"
    );
    let padded = frame(DATA, PADDED, 1, b"\x03test\0\0\0");
    assert_eq!(tested.seen(&padded), "data:1:4");
    // In pieces, content is handed out as it comes.
    let (first, last) = padded.split_at(12);
    assert_eq!(
        (tested.seen(first), tested.seen(last)),
        ("data:1:2".to_owned(), "data:1:2".to_owned())
    );
    let only_padding = frame(DATA, PADDED | END_STREAM, 1, b"\x04\0\0\0\0");
    assert_eq!(tested.seen(&only_padding), "data:1:0.");
    let too_long = frame(DATA, PADDED | END_STREAM, 1, b"\x06test");
    assert_eq!(fails(with_post(), &too_long), FrameFault::Padding);
    assert_eq!(
        fails(with_post(), &frame(DATA, PADDED, 1, b"\x01")),
        FrameFault::Padding
    );
    let too_long = frame(HEADERS, PADDED | END_HEADERS, 1, b"\xffx");
    assert_eq!(server_fails(&too_long), FrameFault::Padding);
}

#[test]
fn rfc_9113_6_5_settings_are_acknowledged() {
    let mut tested = Tested::server();
    assert_eq!(
        tested.seen(&settings(&[(0xff, 1), (4, 1), (4, 2)])),
        "settings"
    );
    assert_eq!(tested.sent(), "settings-ack");
    assert_eq!(tested.connection.peer.initial_window, 2);
    assert_eq!(tested.seen(&frame(SETTINGS, ACK, 0, &[])), "acknowledged");
    for (pair, fault) in [
        ((2, 2), FrameFault::Setting),
        ((4, 1 << 31), FrameFault::Window),
        ((5, 16_383), FrameFault::Setting),
        ((5, 1 << 24), FrameFault::Setting),
    ] {
        assert_eq!(server_fails(&settings(&[pair])), fault);
    }
    assert_eq!(
        fails(Tested::client(), &settings(&[(2, 1)])),
        FrameFault::Setting
    );
}

#[test]
fn rfc_9113_6_6_nobody_is_pushed_to() {
    let mut payload = vec![0, 0, 0, 2];
    payload.extend_from_slice(&block(&GET));
    let push = frame(PUSH_PROMISE, END_HEADERS, 1, &payload);
    assert_eq!(fails(with_post(), &push), FrameFault::Push);
    assert_eq!(fails(Tested::client(), &push), FrameFault::Push);
}

#[test]
fn rfc_9113_6_7_pings_are_answered_and_answers_are_not() {
    let mut tested = Tested::server();
    assert_eq!(tested.seen(&frame(PING, 0, 0, b"asked...")), "");
    assert_eq!(tested.sent(), "pong");
    assert_eq!(tested.seen(&frame(PING, ACK, 0, b"answered")), "pong");
    assert_eq!(tested.sent(), "");
}

#[test]
fn what_comes_before_a_fault_is_answered_first() {
    let mut tested = with_post();
    let bytes = [
        word_frame(WINDOW_UPDATE, 1, 0x7fff_ffff),
        frame(PING, 0, 0, b"123456"),
    ];
    assert_eq!(tested.take(&bytes.concat()), Err(FrameFault::Size));
    assert_eq!(tested.sent(), "reset:1:3 goaway:1:6");
}
