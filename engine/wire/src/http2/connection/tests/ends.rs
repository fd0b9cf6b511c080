//! GOAWAY and RST_STREAM: RFC 9113 sections 5.4, 6.4 and 6.8.

use super::super::super::frames::{ACK, END_STREAM, GOAWAY, PING, RST_STREAM, SETTINGS};
use super::super::leave::DRAIN_PING;
use super::super::send::SendFault;
use super::support::{Tested, data, frame, get, headers, post, word_frame};

fn goaway(last: u32, code: u32) -> Vec<u8> {
    frame(
        GOAWAY,
        0,
        0,
        &[last.to_be_bytes(), code.to_be_bytes()].concat(),
    )
}

#[test]
fn rfc_9113_6_4_a_reset_ends_a_stream() {
    let mut tested = Tested::server();
    tested.seen(&post(1));
    assert_eq!(tested.seen(&word_frame(RST_STREAM, 1, 0xff)), "reset:1:255");
    assert_eq!(tested.connection.streams_count(), 0);
    tested.connection.reset(1, 8);
    assert_eq!(tested.sent(), "");
    let fields: [super::super::send::SendField<'_>; 0] = [];
    let sent = tested.connection.send_response(1, 200, fields, true);
    assert_eq!(sent, Err(SendFault::Closed));
}

#[test]
fn rfc_9113_6_8_streams_behind_the_last_one_are_gone() {
    let mut tested = Tested::client();
    assert_eq!((tested.request("GET"), tested.request("GET")), (3, 5));
    assert_eq!(tested.seen(&goaway(3, 0)), "goaway:3:0");
    assert_eq!(tested.connection.streams_count(), 2);
    assert!(!tested.connection.can_open());
    assert_eq!(
        tested.seen(&headers(3, END_STREAM, &[(":status", "200")])),
        "response:3:200."
    );
    // The last word counts, but an error stands.
    assert_eq!(tested.seen(&goaway(1, 11)), "goaway:1:11");
    assert_eq!(tested.seen(&goaway(1, 0)), "goaway:1:11");
    assert_eq!(tested.connection.streams_count(), 1);
    // What the server sends there all the same is passed over.
    assert_eq!(tested.seen(&data(5, 0, 5)), "");
    // A client's says nothing about its own streams.
    let mut tested = Tested::server();
    tested.seen(&get(1));
    assert_eq!(tested.seen(&goaway(0, 0)), "goaway:0:0");
    tested.respond(1, true);
    assert_eq!(tested.seen(&get(3)), "request:3.");
}

#[test]
fn rfc_9113_6_8_leave_is_taken_in_two_steps() {
    let mut tested = Tested::server();
    tested.seen(&post(1));
    tested.connection.drain();
    tested.connection.drain();
    assert_eq!(tested.sent(), "goaway:2147483647:0 ping");
    // It was on its way.
    assert_eq!(tested.seen(&get(3)), "request:3.");
    assert_eq!(tested.seen(&frame(PING, ACK, 0, &DRAIN_PING)), "");
    assert_eq!(tested.sent(), "goaway:3:0");
    // It was not: nothing is answered, and the tables stay in step.
    assert_eq!(tested.seen(&[post(5), data(5, END_STREAM, 5)].concat()), "");
    assert_eq!(tested.seen(&headers(5, END_STREAM, &[("a", "b")])), "");
    assert_eq!(tested.sent(), "");
    tested.seen(&data(1, END_STREAM, 5));
    tested.respond(1, true);
    tested.respond(3, true);
    assert_eq!(tested.connection.streams_count(), 0);
    assert!(tested.connection.is_leaving());
}

#[test]
fn rfc_9113_6_8_leave_is_taken_at_once() {
    let mut tested = Tested::server();
    tested.seen(&post(1));
    tested.connection.go_away(11);
    assert_eq!(tested.sent(), "goaway:1:11");
    assert_eq!(tested.seen(&get(3)), "");
    tested.connection.go_away(0);
    assert_eq!(tested.sent(), "goaway:1:0");
    let mut client = Tested::client();
    client.connection.drain();
    assert_eq!(client.sent(), "goaway:0:0");
    assert!(!client.connection.can_open());
    assert_eq!(
        client.seen(&headers(1, END_STREAM, &[(":status", "200")])),
        "response:1:200."
    );
}

#[test]
fn rfc_9113_8_1_a_response_may_end_before_its_request() {
    let mut tested = Tested::server();
    tested.seen(&post(1));
    tested.respond(1, true);
    assert_eq!(tested.connection.streams_count(), 1);
    assert_eq!(tested.seen(&data(1, 0, 5)), "data:1:5");
    tested.sent();
    tested.connection.reset(1, 0);
    assert_eq!(tested.sent(), "reset:1:0");
    // And as a client, whose content nobody wants any more.
    let mut client = Tested::client();
    client.seen(&headers(1, END_STREAM, &[(":status", "200")]));
    assert_eq!(client.seen(&word_frame(RST_STREAM, 1, 0)), "");
}

#[test]
fn an_idle_connection_is_small() {
    let mut tested = Tested::server();
    for stream in (1..400).step_by(2) {
        tested.seen(&get(stream));
        tested.respond(stream, true);
        tested.sent();
    }
    tested.seen(&frame(SETTINGS, ACK, 0, &[]));
    tested.connection.shrink();
    let connection = &tested.connection;
    assert!(
        size_of_val(connection) <= 800,
        "{}",
        size_of_val(connection)
    );
    assert_eq!(
        connection.output.capacity() + connection.partial.capacity(),
        0
    );
    assert!(connection.block.is_none() && connection.spare_request.is_none());
}
