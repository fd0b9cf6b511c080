//! A whole HTTP/2 connection: random frames to one side of it, and two of them with what is between them
//! damaged.

use std::time::Instant;

use sallyport_wire::http1::{
    HeadLimits, HeaderEdits, Parse, RequestForward, RequestHead, Scheme, encode_request,
};
use sallyport_wire::http2::{
    Connection, ConnectionSettings, Event, FrameFault, Request, RequestStart, SendField, TargetForm,
};

use crate::input::Input;

const SETTINGS: ConnectionSettings = ConnectionSettings {
    streams_max: 4,
    stream_window_bytes: 65_535,
    connection_window_bytes: 65_535,
    head: HeadLimits {
        head_bytes_max: 2048,
        headers_max: 20,
        uri_bytes_max: 512,
    },
    control_frames_per_second: 2,
    resets_per_second: 1,
    output_bytes_max: 4096,
    form: TargetForm::Origin(Scheme::Https),
};

/// The first byte chooses what is done with the others.
pub fn http2_connection(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    match choice % 4 {
        0 => frames(rest, usize::from(choice >> 2) + 1, server),
        1 => frames(rest, usize::from(choice >> 2) + 1, client),
        _ => pair(Input::new(rest)),
    }
}

/// A server whose client has sent its preface and SETTINGS.
fn server(now: Instant) -> Connection {
    let mut connection = Connection::server(SETTINGS);
    let mut begin: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    assert!(matches!(
        connection.receive(&mut begin, now),
        Ok(Some(Event::Settings))
    ));
    connection
}

/// A client with two requests whose server has sent its SETTINGS.
fn client(now: Instant) -> Connection {
    let mut connection = Connection::client(SETTINGS);
    let mut begin: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    assert!(matches!(
        connection.receive(&mut begin, now),
        Ok(Some(Event::Settings))
    ));
    for method in [&b"GET"[..], b"HEAD"] {
        let sent = connection.send_request(&start(method), [], true);
        assert!(sent.is_ok());
    }
    connection
}

const fn start(method: &[u8]) -> RequestStart<'_> {
    RequestStart {
        method,
        scheme: b"https",
        authority: b"a.test",
        path: b"/p",
        protocol: None,
    }
}

/// What came of some bytes.
#[derive(Debug, PartialEq)]
struct Seen {
    /// Everything but content, in order.
    events: Vec<String>,
    content: Vec<(u32, Vec<u8>)>,
    outcome: Result<(), FrameFault>,
    answered: Vec<u8>,
}

/// Frames are judged alike however they arrive.
fn frames(bytes: &[u8], piece_bytes: usize, begin: fn(Instant) -> Connection) {
    let now = Instant::now();
    let whole = see(begin(now), bytes, usize::MAX, now);
    let pieces = see(begin(now), bytes, piece_bytes, now);
    assert_eq!(whole, pieces);
    assert!(are_frames(&whole.answered), "{whole:?}");
}

fn see(mut connection: Connection, bytes: &[u8], piece_bytes: usize, now: Instant) -> Seen {
    let mut seen = Seen {
        events: Vec::new(),
        content: Vec::new(),
        outcome: Ok(()),
        answered: Vec::new(),
    };
    let mut before = Vec::new();
    connection.transmit(&mut before);
    for mut piece in bytes.chunks(piece_bytes.min(1 << 20)) {
        loop {
            match connection.receive(&mut piece, now) {
                Ok(Some(event)) => seen.note(event),
                Ok(None) => break,
                Err(fault) => {
                    seen.outcome = Err(fault);
                    break;
                }
            }
        }
        assert!(piece.is_empty() && connection.streams_count() <= 4);
    }
    assert_eq!(connection.fault().map_or(Ok(()), Err), seen.outcome);
    connection.transmit(&mut seen.answered);
    seen
}

impl Seen {
    fn note(&mut self, event: Event<'_>) {
        match event {
            Event::Data {
                stream,
                bytes,
                end_stream,
            } => {
                match self.content.last_mut() {
                    Some((last, content)) if *last == stream => content.extend_from_slice(bytes),
                    _ => self.content.push((stream, bytes.to_vec())),
                }
                if end_stream {
                    self.events.push(format!("end of {stream}"));
                }
            }
            Event::Request {
                stream, request, ..
            } => {
                can_be_forwarded(&request);
                self.events.push(format!("{stream}: {request:?}"));
            }
            other => self.events.push(format!("{other:?}")),
        }
    }
}

/// What is taken is one message of HTTP/1.1 as well, and the same one.
fn can_be_forwarded(request: &Request) {
    let (head, text) = (&request.head, &request.text);
    if request.fault.is_some() || head.is_connect {
        return;
    }
    let mut out = Vec::new();
    let host = head.host.expect("a request has an authority");
    encode_request(
        &mut out,
        &RequestForward {
            head,
            buf: text,
            path_and_query: head.target.of(text),
            authority: host.of(text),
            via: b"",
            framing: head.framing,
            upgrade: false,
            websocket_key: None,
            edits: &HeaderEdits::default(),
        },
    );
    let mut parsed = RequestHead::new();
    let outcome = parsed.parse(&out, &HeadLimits::default());
    let is_whole = matches!(outcome, Ok(Parse::Complete { head_bytes }) if head_bytes == out.len());
    assert!(is_whole, "{outcome:?}: {}", out.escape_ascii());
    assert_eq!(parsed.method.of(&out), head.method.of(text));
    assert_eq!(parsed.target.of(&out), head.target.of(text));
    let fields = |head: &RequestHead, text: &[u8]| -> Vec<(Vec<u8>, Vec<u8>)> {
        let all = head.headers.iter().filter(|field| {
            !field.hop_by_hop && !field.name.of(text).eq_ignore_ascii_case(b"content-length")
        });
        let mut all: Vec<_> = all
            .map(|field| {
                (
                    field.name.of(text).to_ascii_lowercase(),
                    field.value.of(text).to_vec(),
                )
            })
            // Without a declared length nothing is announced.
            .filter(|(name, _)| !matches!(&name[..], b"trailer" | b"max-forwards" | b"via"))
            .collect();
        all.sort();
        all
    };
    assert_eq!(fields(&parsed, &out), fields(head, text));
}

fn are_frames(mut bytes: &[u8]) -> bool {
    while let Some((header, rest)) = bytes.split_at_checked(9) {
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let Some(rest) = rest.get(length as usize..) else {
            return false;
        };
        bytes = rest;
    }
    bytes.is_empty()
}

/// Both sides, and what is on its way to each.
struct Pair {
    sides: [Connection; 2],
    ways: [Vec<u8>; 2],
    is_damaged: bool,
    now: Instant,
}

/// Two connections do what the input says. Nothing panics, and nothing fails as long as nothing is damaged.
fn pair(mut input: Input<'_>) {
    let mut pair = Pair {
        sides: [Connection::client(SETTINGS), Connection::server(SETTINGS)],
        ways: [Vec::new(), Vec::new()],
        is_damaged: false,
        now: Instant::now(),
    };
    while !input.is_empty() {
        let side = usize::from(input.below(2));
        let stream = u32::from(input.below(6)) * 2 + 1;
        let amount = usize::from(input.u16());
        pair.step(input.byte(), side, stream, amount);
    }
    pair.deliver(0, usize::MAX);
    pair.deliver(1, usize::MAX);
}

impl Pair {
    fn step(&mut self, what: u8, side: usize, stream: u32, amount: usize) {
        let value = vec![b'v'; amount % 3000];
        let fields =
            [(&b"x-field"[..], &value[..]), (b"Server", b"a")].map(|(name, value)| SendField {
                name,
                value,
                never_indexed: amount.is_multiple_of(5),
            });
        let ends = amount.is_multiple_of(3);
        let connection = &mut self.sides[side];
        match what % 9 {
            0 => drop(connection.send_request(&start(b"POST"), fields, ends)),
            1 => drop(connection.send_response(
                stream,
                if amount.is_multiple_of(4) { 103 } else { 200 },
                fields,
                ends,
            )),
            2 => drop(connection.send_data(stream, &vec![b'c'; amount], ends)),
            3 => drop(connection.send_trailers(stream, fields)),
            4 => connection.reset(stream, 8),
            5 => connection.release(stream, amount),
            6 => match self.ways[side].len() {
                0 => {}
                len => {
                    self.ways[side][amount % len] ^= 1 << (amount % 8);
                    self.is_damaged = true;
                }
            },
            _ => self.deliver(side, amount),
        }
    }

    fn deliver(&mut self, side: usize, bytes: usize) {
        let mut out = Vec::new();
        self.sides[1 - side].transmit(&mut out);
        let way = &mut self.ways[side];
        way.append(&mut out);
        let rest = way.split_off(bytes.min(way.len()));
        let taken = std::mem::replace(way, rest);
        let mut input = &taken[..];
        loop {
            match self.sides[side].receive(&mut input, self.now) {
                Ok(Some(Event::Request { request, .. })) => {
                    can_be_forwarded(&request);
                    self.sides[side].recycle_request(request);
                }
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(fault) => {
                    // What costs too much is damage enough.
                    assert!(self.is_damaged || fault.code() == 0xb, "{fault}");
                    return;
                }
            }
        }
    }
}
