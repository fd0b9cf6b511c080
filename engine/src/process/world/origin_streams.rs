//! An origin that speaks HTTP/2.

use std::collections::BTreeMap;
use std::time::Duration;

use sallyport_wire::http2::{Connection, Event, Request, SendField};

use crate::clock;
use crate::io::scripted::World;

use super::ledger::Ledger;
use super::message::{Head, Wire, content};
use super::origin::{DENIED_TYPE, answer_bytes, check_content, judge};
use super::streams::{CANCEL, SETTINGS};

/// A request, and its answer.
struct Stream {
    number: usize,
    is_head: bool,
    received: Vec<u8>,
    /// All of the request is there.
    is_whole: bool,
    /// It is answered whether all is there or not.
    answers_early: bool,
    /// What of the answer was not sent yet, once it is begun.
    answer: Option<Vec<u8>>,
}

/// Serves a connection on which HTTP/2 is spoken.
pub(super) async fn serve(mut wire: Wire<'_>, ledger: &Ledger) {
    let world = wire.world;
    let mut codec = Connection::server(SETTINGS);
    let mut open = BTreeMap::new();
    loop {
        take(&mut wire, &mut codec, &mut open, ledger);
        open.retain(|id, stream| go_on(world, &mut codec, ledger, *id, stream));
        if world.one_in(50) {
            codec.drain();
        }
        if world.one_in(80) {
            world
                .sleep(Duration::from_millis(world.below(7_000) as u64))
                .await;
        }
        let mut out = Vec::new();
        codec.transmit(&mut out);
        if world.one_in(100) {
            // It breaks off.
            let some = world.below(out.len() + 1);
            let _ = wire.send(&out[..some]).await;
            return;
        }
        if wire.send(&out).await.is_err() {
            return;
        }
        let can_go_on = open
            .values()
            .any(|stream| stream.answer.is_some() || stream.is_whole);
        if can_go_on && world.one_in(2) {
            continue;
        }
        if !wire.more().await.unwrap_or(false) {
            return;
        }
    }
}

/// Looks at what was received.
fn take(
    wire: &mut Wire<'_>,
    codec: &mut Connection,
    open: &mut BTreeMap<u32, Stream>,
    ledger: &Ledger,
) {
    let bytes = std::mem::take(&mut wire.input);
    let mut input = &bytes[..];
    while let Some(event) = codec.receive(&mut input, clock::now()).expect("frames") {
        match event {
            Event::Request {
                stream,
                request,
                end_stream,
            } => {
                let begun = begin(wire.world, ledger, &request, end_stream);
                open.insert(stream, begun);
            }
            Event::Data {
                stream,
                bytes,
                end_stream,
            } => {
                codec.release(stream, bytes.len());
                if let Some(stream) = open.get_mut(&stream) {
                    stream.received.extend_from_slice(bytes);
                    stream.is_whole |= end_stream;
                    check_content(ledger, stream.number, &stream.received, end_stream);
                }
            }
            Event::Trailers { stream, .. } => {
                if let Some(stream) = open.get_mut(&stream) {
                    stream.is_whole = true;
                    check_content(ledger, stream.number, &stream.received, true);
                }
            }
            Event::Reset { stream, .. } => drop(open.remove(&stream)),
            Event::StreamFault { fault, .. } => panic!("{fault:?}"),
            _ => {}
        }
    }
}

fn begin(world: &World, ledger: &Ledger, request: &Request, end_stream: bool) -> Stream {
    assert_eq!(request.fault, None);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a field in ASCII");
    let (head, all) = (&request.head, &request.text);
    let method = text(head.method.of(all));
    let host = text(head.host.expect("a host").of(all));
    let line = vec![
        method.clone(),
        text(head.target.of(all)),
        "HTTP/1.1".to_owned(),
    ];
    let fields = [("host".to_owned(), host)].into_iter().collect();
    Stream {
        number: judge(ledger, &Head { line, fields }),
        is_head: method == "HEAD",
        received: Vec::new(),
        is_whole: end_stream,
        answers_early: world.one_in(8),
        answer: None,
    }
}

/// Goes on with an answer; whether there is more to be done.
fn go_on(
    world: &World,
    codec: &mut Connection,
    ledger: &Ledger,
    id: u32,
    stream: &mut Stream,
) -> bool {
    if world.one_in(60) {
        codec.reset(id, CANCEL);
        return false;
    }
    let Some(rest) = &mut stream.answer else {
        if (stream.is_whole || stream.answers_early) && world.one_in(2) {
            stream.answer = Some(answer(world, codec, ledger, id, stream));
        }
        return true;
    };
    if rest.is_empty() {
        return !stream.is_whole;
    }
    let some = 1 + world.below(rest.len());
    let is_last = some == rest.len();
    let taken = codec.send_data(id, &rest[..some], is_last);
    rest.drain(..taken.unwrap_or(some));
    true
}

/// Sends the head of an answer; its content.
fn answer(
    world: &World,
    codec: &mut Connection,
    ledger: &Ledger,
    id: u32,
    stream: &Stream,
) -> Vec<u8> {
    let (bytes, is_denied) = answer_bytes(world, ledger, stream.number);
    let number = stream.number.to_string();
    let length = bytes.to_string();
    let kind = if is_denied { DENIED_TYPE } else { "text/plain" };
    let fields = [
        ("x-number", &*number),
        ("content-type", kind),
        ("content-length", &*length),
    ];
    let told = 2 + world.below(2);
    let fields = fields.map(|(name, value)| SendField {
        name: name.as_bytes(),
        value: value.as_bytes(),
        never_indexed: false,
    });
    let has_none = stream.is_head || bytes == 0;
    let sent = codec.send_response(id, 200, fields.into_iter().take(told), has_none);
    match has_none || sent.is_err() {
        true => Vec::new(),
        false => content(stream.number, bytes),
    }
}
