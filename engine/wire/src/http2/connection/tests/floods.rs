//! What costs the receiver more than the sender (RFC 9113 section 10.5): each at its limit and past it.

use std::time::Duration;

use super::super::super::fault::FrameFault;
use super::super::super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITY,
    RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use super::super::super::limits::{ANSWER_BYTES_MAX, CONTINUATIONS_MAX};
use super::super::super::settings::ConnectionSettings;
use super::support::{
    GET, POST, SETTINGS_USED, Tested, block, data, frame, get, headers, post, settings, word_frame,
};

/// Ten seconds of an allowance, at ten a second.
const CONTROL_BURST: usize = 100;
/// The same, at two a second.
const RESET_BURST: u32 = 20;

/// Exactly `burst` of `unit` are taken, then time earns more.
fn holds(mut tested: Tested, unit: impl Fn(u32) -> Vec<u8>, burst: usize, fault: FrameFault) {
    let mut numbers = 0..;
    let mut next = || unit(numbers.next().unwrap());
    for number in 0..burst {
        assert!(tested.take(&next()).is_ok(), "{number} of {burst}");
    }
    tested.later(Duration::from_secs(1));
    assert!(tested.take(&next()).is_ok(), "a second later");
    let outcome = (0..burst).find_map(|_| tested.take(&next()).err());
    assert_eq!(outcome, Some(fault));
    assert!(tested.sent().ends_with(":11"));
}

#[test]
fn control_frames() {
    let with_post = || {
        let mut tested = Tested::server();
        tested.seen(&post(1));
        tested
    };
    for bytes in [
        frame(PING, 0, 0, &[0; 8]),
        frame(PING, 1, 0, &[0; 8]),
        word_frame(WINDOW_UPDATE, 0, 1),
        word_frame(WINDOW_UPDATE, 1, 1),
        frame(SETTINGS, 0, 0, &[]),
        frame(SETTINGS, 1, 0, &[]),
        frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16]),
        frame(GOAWAY, 0, 0, &[0; 8]),
        frame(0xfe, 0, 0, b"abc"),
        frame(0xfe, 0, 0, b""),
        data(1, 0, 0),
        // Padding alone is as empty.
        frame(DATA, PADDED, 1, b"\x03\0\0\0"),
    ] {
        holds(
            with_post(),
            |_| bytes.clone(),
            CONTROL_BURST,
            FrameFault::ControlFlood,
        );
    }
    // Of a stream that is gone.
    let mut gone = with_post();
    gone.seen(&word_frame(RST_STREAM, 1, 8));
    holds(
        gone,
        |_| word_frame(RST_STREAM, 1, 8),
        CONTROL_BURST,
        FrameFault::ControlFlood,
    );
    // Trailers of one that we have reset.
    let mut gone = with_post();
    gone.connection.reset(1, 8);
    let late = headers(1, 0, &[("a", "b")]);
    holds(
        gone,
        |_| late.clone(),
        CONTROL_BURST,
        FrameFault::ControlFlood,
    );
}

#[test]
fn what_is_sent_earns_control_frames() {
    let mut tested = Tested::server();
    tested.seen(&get(1));
    tested.respond(1, false);
    tested.sent();
    let ping = frame(PING, 0, 0, &[0; 8]);
    for _ in 0..CONTROL_BURST {
        tested.seen(&ping);
    }
    tested.sent();
    // Pongs of 17 bytes each have earned one for each 64.
    let earned = CONTROL_BURST * 17 / 64;
    for _ in 0..earned {
        tested.seen(&ping);
    }
    tested
        .connection
        .send_data(1, &[b'x'; 64 * 5], true)
        .unwrap();
    tested.sent();
    let earned = (earned * 17 + 64 * 5) / 64;
    for _ in 0..earned {
        tested.seen(&ping);
    }
    let more = (0..3).find_map(|_| tested.take(&ping).err());
    assert_eq!(more, Some(FrameFault::ControlFlood));
}

#[test]
fn answers_that_nobody_reads_are_bounded() {
    let mut tested = Tested::server_with(ConnectionSettings {
        control_frames_per_second: 1_000_000,
        ..SETTINGS_USED
    });
    let ping = frame(PING, 0, 0, &[0; 8]);
    let most = SETTINGS_USED.output_bytes_max + ANSWER_BYTES_MAX;
    let answers = most / 17 + 1;
    for _ in 0..answers {
        tested.seen(&ping);
    }
    assert_eq!(tested.take(&ping), Err(FrameFault::UnreadAnswers));
    assert!(tested.connection.output_len() < most + 100);
}

/// A request, and what resets it (CVE-2023-44487).
fn reset_request(number: u32) -> Vec<u8> {
    let stream = 2 * number + 1;
    [get(stream), word_frame(RST_STREAM, stream, 8)].concat()
}

#[test]
fn rapid_reset() {
    holds(
        Tested::server(),
        reset_request,
        RESET_BURST as usize,
        FrameFault::ResetFlood,
    );
}

#[test]
fn ordinary_cancels_are_no_attack() {
    // 54 a second with the default of a hundred a second.
    let mut tested = Tested::server_with(ConnectionSettings {
        resets_per_second: 100,
        ..SETTINGS_USED
    });
    for number in 0..54 * 60 {
        if number % 54 == 0 {
            tested.later(Duration::from_secs(1));
        }
        tested.seen(&reset_request(number));
    }
}

#[test]
fn what_was_answered_pays_for_what_was_not() {
    let mut tested = Tested::server();
    for number in 0..RESET_BURST {
        tested.seen(&reset_request(number));
    }
    // Each of these is worth one, and their own resets cost none of them.
    for number in 100..110 {
        let stream = 2 * number + 1;
        tested.seen(&get(stream));
        tested.respond(stream, false);
        assert_eq!(
            tested.seen(&word_frame(RST_STREAM, stream, 8)),
            format!("reset:{stream}:8")
        );
    }
    for number in 200..210 {
        tested.seen(&reset_request(number));
    }
    assert_eq!(
        tested.take(&reset_request(300)),
        Err(FrameFault::ResetFlood)
    );
}

#[test]
fn resets_that_we_are_made_to_send() {
    // CVE-2025-8671: a window that overflows, a window that is opened by nothing, a malformed request.
    let made: [&dyn Fn(u32) -> Vec<u8>; 4] = [
        &|number| {
            let stream = 2 * number + 1;
            [get(stream), word_frame(WINDOW_UPDATE, stream, 0x7fff_ffff)].concat()
        },
        &|number| {
            let stream = 2 * number + 1;
            [get(stream), word_frame(WINDOW_UPDATE, stream, 0)].concat()
        },
        &|number| headers(2 * number + 1, END_STREAM, &[(":method", "GET")]),
        &|number| {
            let stream = 2 * number + 1;
            let itself = [&stream.to_be_bytes()[..], &[16]].concat();
            [get(stream), frame(PRIORITY, 0, stream, &itself)].concat()
        },
    ];
    for unit in made {
        let tested = Tested::server_with(ConnectionSettings {
            control_frames_per_second: 1000,
            ..SETTINGS_USED
        });
        holds(tested, unit, RESET_BURST as usize, FrameFault::ResetFlood);
    }
    // Codes that say nothing of a fault cost nothing.
    let mut tested = Tested::server();
    for number in 0..RESET_BURST + 10 {
        let stream = 2 * number + 1;
        tested.seen(&get(stream));
        tested
            .connection
            .reset(stream, if number % 2 == 0 { 7 } else { 2 });
    }
    for number in 100..100 + RESET_BURST {
        tested.seen(&get(2 * number + 1));
        tested.connection.reset(2 * number + 1, 1);
    }
    assert_eq!(tested.connection.fault(), None);
    tested.seen(&get(601));
    tested.connection.reset(601, 1);
    assert_eq!(tested.take(&get(603)), Err(FrameFault::ResetFlood));
}

#[test]
fn streams_beyond_the_limit() {
    let mut tested = Tested::server();
    for number in 0..10 {
        tested.seen(&post(2 * number + 1));
    }
    let more = |number| post(2 * (number + 10) + 1);
    holds(tested, more, RESET_BURST as usize, FrameFault::ResetFlood);
}

#[test]
fn a_server_may_reset_what_it_was_asked_for() {
    let mut tested = Tested::client();
    for number in 0..200 {
        let stream = 2 * number + 1;
        assert_eq!(
            tested.seen(&word_frame(RST_STREAM, stream, 8)),
            format!("reset:{stream}:8")
        );
        tested.request("GET");
        tested.connection.output.clear();
    }
}

#[test]
fn continuations() {
    let begin = frame(HEADERS, 0, 1, &block(&GET));
    let one = |_| frame(CONTINUATION, 0, 1, &block(&[("x", "y")]));
    let mut tested = Tested::server();
    tested.seen(&begin);
    for number in 0..CONTINUATIONS_MAX {
        assert_eq!(tested.seen(&one(number)), "");
    }
    assert_eq!(tested.take(&one(0)), Err(FrameFault::BlockFlood));
    assert!(tested.sent().ends_with(":11"));
    // The last of them may end the block.
    let mut tested = Tested::server();
    tested.seen(&begin);
    for number in 1..CONTINUATIONS_MAX {
        tested.seen(&one(number));
    }
    let end = frame(CONTINUATION, END_HEADERS, 1, &[]);
    assert_eq!(tested.seen(&end), "request:1:431");
}

#[test]
fn bytes_of_a_block() {
    // Four times 8 KiB and a frame.
    let most = 4 * SETTINGS_USED.head.head_bytes_max + 16_384;
    let field = |bytes: usize| block(&[("x", &"y".repeat(bytes))]);
    let fill = |tested: &mut Tested, mut bytes: usize| {
        tested.seen(&frame(HEADERS, 0, 1, &field(100)));
        bytes -= field(100).len();
        while bytes > 0 {
            let piece = bytes.min(8000);
            let mut text = field(piece);
            if piece < 8000 {
                text.truncate(piece);
            }
            text.truncate(bytes);
            bytes -= text.len();
            tested.take(&frame(CONTINUATION, 0, 1, &text))?;
        }
        Ok(())
    };
    assert_eq!(fill(&mut Tested::server(), most), Ok(()));
    assert_eq!(
        fill(&mut Tested::server(), most + 1),
        Err(FrameFault::BlockFlood)
    );
}

#[test]
fn the_size_of_a_head_is_that_of_its_fields() {
    let limit = SETTINGS_USED.head.head_bytes_max;
    let size = |fields: &[(&str, &str)]| -> usize {
        fields
            .iter()
            .map(|(name, value)| name.len() + value.len() + 32)
            .sum()
    };
    let left = limit - size(&GET) - 33;
    for (bytes, expected) in [(left, "request:1."), (left + 1, "request:1:431")] {
        let mut fields = GET.to_vec();
        let value = "y".repeat(bytes);
        fields.push(("x", &value));
        let mut tested = Tested::server();
        assert_eq!(tested.seen(&headers(1, END_STREAM, &fields)), expected);
        assert_eq!(tested.seen(&get(3)), "request:3.");
    }
    // One entry of the table, named again and again (RFC 7541 section 7.3).
    let mut bomb = block(&GET);
    bomb.extend_from_slice(b"\x40\x01x\x7f\xd1\x0f");
    bomb.extend_from_slice(&[b'y'; 2000]);
    bomb.extend_from_slice(&[0xbe; 10_000]);
    let mut tested = Tested::server();
    let seen = tested.seen(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb));
    assert_eq!(seen, "request:1:431");
    assert!(tested.connection.streams.get(1).is_some());
}

#[test]
fn the_number_of_fields() {
    // `host` is one of them.
    for (count, expected) in [(49, "request:1."), (50, "request:1:431")] {
        let mut fields = GET.to_vec();
        fields.extend(std::iter::repeat_n(("x", "y"), count));
        let mut tested = Tested::server();
        assert_eq!(tested.seen(&headers(1, END_STREAM, &fields)), expected);
    }
}

#[test]
fn a_response_or_trailers_that_are_too_large() {
    let mut fields = vec![(":status", "200")];
    let value = "y".repeat(1000);
    fields.extend(std::iter::repeat_n(("x", &value[..]), 9));
    let mut tested = Tested::client();
    let seen = tested.seen(&headers(1, END_STREAM, &fields));
    assert_eq!(seen, "fault:1:HeadTooLarge");
    assert_eq!(tested.sent(), "reset:1:1");
    // It is told at once, before the end of the block.
    let mut tested = Tested::client();
    tested.seen(&frame(HEADERS, END_STREAM, 1, &block(&fields[..5])));
    let more = frame(CONTINUATION, 0, 1, &block(&fields[5..]));
    assert_eq!(tested.seen(&more), "fault:1:HeadTooLarge");
    assert_eq!(tested.seen(&more), "");
    assert_eq!(tested.seen(&frame(CONTINUATION, END_HEADERS, 1, &[])), "");
    let mut tested = Tested::server();
    tested.seen(&headers(1, 0, &POST));
    assert_eq!(
        tested.seen(&headers(1, END_STREAM, &fields[1..])),
        "fault:1:HeadTooLarge"
    );
}

#[test]
fn settings_that_change_the_table_again_and_again() {
    let mut tested = Tested::server();
    tested.seen(&get(1));
    for size in 0..50 {
        tested.seen(&settings(&[(1, size * 100)]));
    }
    tested.respond(1, true);
    // At most two changes are told (RFC 7541 section 4.2).
    let sent = tested.sent();
    assert!(sent.ends_with("headers:1."), "{sent}");
}
