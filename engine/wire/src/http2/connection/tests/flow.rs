//! Windows: RFC 9113 sections 5.2 and 6.9.

use super::super::super::fault::FrameFault;
use super::super::super::frames::{DATA, END_STREAM, PADDED, RST_STREAM, WINDOW_UPDATE};
use super::super::send::SendFault;
use super::support::{SETTINGS_USED, Tested, data, frame, get, post, settings, word_frame};

const FULL: usize = 16_384;

fn with_get() -> Tested {
    let mut tested = Tested::server();
    tested.seen(&get(1));
    tested.respond(1, false);
    tested.sent();
    tested
}

#[test]
fn rfc_9113_5_2_content_is_held_to_both_windows() {
    let mut tested = Tested::server();
    tested.seen(&[post(1), post(3)].concat());
    let three = data(1, 0, FULL).repeat(3);
    assert_eq!(tested.seen(&three).split(' ').count(), 3);
    // 65 535 bytes in all.
    assert_eq!(tested.seen(&data(1, 0, 16_383)), "data:1:16383");
    assert_eq!(tested.seen(&data(1, 0, 1)), "fault:1:WindowExceeded");
    assert_eq!(tested.sent(), "reset:1:3");
    // The connection has 100 000, of which one was dropped with its stream.
    assert_eq!(
        tested.seen(&data(3, 0, FULL).repeat(2)).split(' ').count(),
        2
    );
    let left = 100_000 - 65_535 - 2 * FULL;
    assert_eq!(
        tested.take(&data(3, 0, left + 1)),
        Err(FrameFault::WindowExceeded)
    );
    assert!(tested.sent().ends_with("goaway:3:3"));
}

#[test]
fn rfc_9113_6_9_released_content_opens_both_windows() {
    let mut tested = Tested::server();
    tested.seen(&post(1));
    tested.seen(&data(1, 0, FULL).repeat(2));
    tested.connection.release(1, 10_000);
    assert_eq!(tested.sent(), "");
    tested.connection.release(1, 2 * FULL - 10_000);
    assert_eq!(tested.sent(), "window:1:32768");
    tested.seen(&data(1, 0, FULL).repeat(2));
    tested.connection.release(1, 2 * FULL);
    assert_eq!(tested.sent(), "window:0:65536 window:1:32768");
    // Behind the end of a stream only the connection matters, and of one that is gone too.
    tested.seen(&data(1, END_STREAM, FULL));
    tested.seen(&[post(3), data(3, 0, FULL)].concat());
    tested.connection.reset(3, 8);
    tested.sent();
    tested.connection.release(1, FULL);
    tested.connection.release(3, FULL);
    tested.seen(&[post(5), data(5, 0, FULL), data(5, 0, FULL)].concat());
    tested.connection.release(5, 2 * FULL);
    assert_eq!(tested.sent(), "window:0:65536 window:5:32768");
}

#[test]
fn rfc_9113_6_9_1_padding_counts_and_is_given_back() {
    let mut tested = Tested::server();
    tested.seen(&post(1));
    let mut payload = vec![255];
    payload.resize(256 + 1, 0);
    let padded = frame(DATA, PADDED, 1, &payload);
    // 257 bytes each, of which one is content: nobody releases anything, and the windows never end.
    for _ in 0..255 {
        assert_eq!(tested.seen(&padded), "data:1:1");
    }
    let window = tested.connection.streams.get(1).unwrap().receive.open();
    assert!(window > 30_000, "{window}");
    assert!(tested.sent().contains("window:1:"));
}

#[test]
fn rfc_9113_6_9_content_of_streams_that_were_reset_is_given_back() {
    let mut tested = Tested::server();
    tested.seen(&post(1));
    tested.connection.reset(1, 8);
    for _ in 0..20 {
        assert_eq!(tested.seen(&data(1, 0, FULL)), "");
    }
    // And what was being handed out when it was reset.
    tested.seen(&post(3));
    for _ in 0..20 {
        let whole = data(3, 0, FULL);
        let (first, last) = whole.split_at(1000);
        tested.seen(first);
        tested.connection.reset(3, 8);
        tested.connection.release(3, 1000 - 9);
        assert_eq!(tested.seen(last), "");
    }
    let open = tested.connection.receive_window.open();
    assert!(open > 60_000, "{open}");
}

#[test]
fn rfc_9113_6_9_1_what_is_sent_stays_within_both_windows() {
    let mut tested = with_get();
    tested.seen(&settings(&[(4, 70_000)]));
    tested.sent();
    let content = vec![b'x'; 100_000];
    assert_eq!(tested.connection.send_data(1, &content, true), Ok(65_535));
    assert_eq!(tested.sent().split(' ').count(), 4);
    assert_eq!(
        tested.connection.send_data(1, &content[65_535..], true),
        Ok(0)
    );
    assert_eq!(tested.seen(&word_frame(WINDOW_UPDATE, 0, 10_000)), "open");
    assert_eq!(tested.connection.writable(1), 4465);
    assert_eq!(
        tested.connection.send_data(1, &content[65_535..], true),
        Ok(4465)
    );
    assert_eq!(tested.seen(&word_frame(WINDOW_UPDATE, 0, 100_000)), "");
    assert_eq!(
        tested.seen(&word_frame(WINDOW_UPDATE, 1, 100_000)),
        "open:1"
    );
    tested.sent();
    assert_eq!(
        tested.connection.send_data(1, &content[70_000..], true),
        Ok(30_000)
    );
    assert_eq!(tested.sent(), "data:1:16384 data:1:13616.");
    assert_eq!(
        tested.connection.send_data(1, b"x", true),
        Err(SendFault::Closed)
    );
}

#[test]
fn what_waits_to_be_sent_is_bounded() {
    let mut tested = with_get();
    let large = SETTINGS_USED.output_bytes_max;
    tested.seen(&settings(&[(4, 1 << 20)]));
    tested.seen(&word_frame(WINDOW_UPDATE, 0, 1 << 20));
    let content = vec![b'x'; 2 * large];
    let taken = tested.connection.send_data(1, &content, true).unwrap();
    assert!(taken < large && tested.connection.output_len() >= large);
    assert!(tested.connection.output_len() < large + 100);
    tested.seen(&get(3));
    let none: [super::super::send::SendField<'_>; 0] = [];
    assert_eq!(
        tested.connection.send_response(3, 200, none, true),
        Err(SendFault::Full)
    );
    tested.sent();
    assert!(tested.connection.has_room());
    tested.respond(3, true);
    // An end needs no room.
    tested.connection.send_data(1, &content, false).unwrap();
    assert_eq!(tested.connection.send_data(1, b"", true), Ok(0));
    assert!(tested.sent().ends_with("data:1:0."));
}

#[test]
fn rfc_9113_6_9_2_settings_change_windows_of_open_streams() {
    let mut tested = Tested::server();
    tested.seen(&settings(&[(4, 3)]));
    tested.seen(&get(1));
    tested.respond(1, false);
    let content = [b'x'; 100];
    assert_eq!(tested.connection.send_data(1, &content, true), Ok(3));
    // Below zero, and back to one.
    assert_eq!(tested.seen(&settings(&[(4, 2)])), "settings");
    assert_eq!(tested.connection.send_data(1, &content, true), Ok(0));
    assert_eq!(tested.seen(&word_frame(WINDOW_UPDATE, 1, 1)), "");
    assert_eq!(tested.connection.send_data(1, &content, true), Ok(0));
    assert_eq!(tested.seen(&word_frame(WINDOW_UPDATE, 1, 1)), "open:1");
    assert_eq!(tested.connection.send_data(1, &content, true), Ok(1));
    // Open windows overflow.
    tested.seen(&word_frame(WINDOW_UPDATE, 1, 0x7fff_ffff));
    let opened = tested.take(&settings(&[(4, 3)]));
    assert_eq!(opened, Err(FrameFault::Window));
}

#[test]
fn rfc_9113_6_9_1_windows_do_not_overflow() {
    let largest = |stream| word_frame(WINDOW_UPDATE, stream, 0x7fff_ffff);
    let mut tested = with_get();
    assert_eq!(tested.seen(&largest(1)), "fault:1:Window");
    assert_eq!(tested.sent(), "reset:1:3");
    assert_eq!(tested.take(&largest(0)), Err(FrameFault::Window));
    let mut tested = with_get();
    assert_eq!(
        tested.seen(&word_frame(WINDOW_UPDATE, 1, 0)),
        "fault:1:WindowUpdate"
    );
    assert_eq!(tested.sent(), "reset:1:1");
    assert_eq!(
        tested.take(&word_frame(WINDOW_UPDATE, 0, 0)),
        Err(FrameFault::WindowUpdate)
    );
}

#[test]
fn rfc_9113_6_9_1_windows_do_not_overflow_behind_the_end_of_a_stream() {
    let largest = |stream| word_frame(WINDOW_UPDATE, stream, 0x7fff_ffff);
    let mut tested = with_get();
    assert_eq!(tested.connection.send_data(1, b"x", true), Ok(1));
    assert_eq!(tested.connection.streams_count(), 0);
    assert_eq!(tested.seen(&word_frame(WINDOW_UPDATE, 1, 1)), "");
    tested.sent();
    assert_eq!(tested.seen(&largest(1)), "");
    assert_eq!(tested.sent(), "reset:1:3");
    // Once.
    assert_eq!(tested.seen(&largest(1)), "");
    assert_eq!(tested.sent(), "");
    // The last sixteen are watched.
    for stream in (3..=35).step_by(2) {
        tested.seen(&get(stream));
        tested.respond(stream, true);
    }
    tested.sent();
    assert_eq!(tested.seen(&largest(3)), "");
    assert_eq!(tested.sent(), "");
    assert_eq!(tested.seen(&largest(5)), "");
    assert_eq!(tested.sent(), "reset:5:3");
}

#[test]
fn a_stream_that_was_reset_is_not_blocked_for_ever() {
    let mut tested = with_get();
    tested.seen(&word_frame(RST_STREAM, 1, 8));
    assert_eq!(
        tested.connection.send_data(1, b"x", false),
        Err(SendFault::Closed)
    );
    assert_eq!(tested.connection.writable(1), 0);
}
