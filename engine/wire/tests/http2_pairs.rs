//! A client and a server of HTTP/2 in memory, driven at random against a naive model: what is sent arrives,
//! in order and once; windows are kept and nothing of them is lost.
#![cfg(test)]

use std::collections::BTreeMap;
use std::time::Instant;

use proptest::prelude::*;
use sallyport_wire::http1::{HeadLimits, Scheme};
use sallyport_wire::http2::{
    Connection, ConnectionSettings, Event, RequestStart, SendFault, SendField, TargetForm,
};

const SETTINGS: ConnectionSettings = ConnectionSettings {
    streams_max: 8,
    stream_window_bytes: 65_535,
    connection_window_bytes: 150_000,
    head: HeadLimits {
        head_bytes_max: 32 * 1024,
        headers_max: 64,
        uri_bytes_max: 8 * 1024,
    },
    control_frames_per_second: 1_000_000,
    resets_per_second: 1_000_000,
    output_bytes_max: 64 * 1024,
    form: TargetForm::Origin(Scheme::Https),
};

/// One thing that happens; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Open {
        fields: usize,
        ends: bool,
    },
    Respond {
        stream: usize,
        fields: usize,
        ends: bool,
    },
    Interim {
        stream: usize,
    },
    Send {
        from_client: bool,
        stream: usize,
        bytes: usize,
        ends: bool,
    },
    Trailers {
        from_client: bool,
        stream: usize,
    },
    Release {
        to_client: bool,
        stream: usize,
        bytes: usize,
    },
    Reset {
        by_client: bool,
        stream: usize,
    },
    Deliver {
        to_client: bool,
        bytes: usize,
        piece: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0usize..40, any::<bool>()).prop_map(|(fields, ends)| Step::Open { fields, ends }),
        2 => (0usize..20, 0usize..40, any::<bool>())
            .prop_map(|(stream, fields, ends)| Step::Respond { stream, fields, ends }),
        1 => (0usize..20).prop_map(|stream| Step::Interim { stream }),
        4 => (any::<bool>(), 0usize..20, 0usize..50_000, prop::bool::weighted(0.2))
            .prop_map(|(from_client, stream, bytes, ends)| Step::Send { from_client, stream, bytes, ends }),
        1 => (any::<bool>(), 0usize..20)
            .prop_map(|(from_client, stream)| Step::Trailers { from_client, stream }),
        3 => (any::<bool>(), 0usize..20, 1usize..60_000)
            .prop_map(|(to_client, stream, bytes)| Step::Release { to_client, stream, bytes }),
        1 => (any::<bool>(), 0usize..20).prop_map(|(by_client, stream)| Step::Reset { by_client, stream }),
        6 => (any::<bool>(), 0usize..100_000, 1usize..40_000)
            .prop_map(|(to_client, bytes, piece)| Step::Deliver { to_client, bytes, piece }),
    ]
}

/// One direction of a stream.
#[derive(Debug, Default)]
struct Direction {
    /// A final head was sent, and has come.
    head_sent: bool,
    head_came: bool,
    /// Content that the sender has, was taken, has come, and was released.
    offered: usize,
    taken: usize,
    came: usize,
    released: usize,
    /// The sender offers no more, and its end was taken or has come.
    ends: bool,
    end_taken: bool,
    end_came: bool,
    trailers: bool,
}

#[derive(Debug, Default)]
struct Stream {
    to_server: Direction,
    to_client: Direction,
    /// One of the sides has reset it.
    is_reset: bool,
}

impl Stream {
    fn direction(&mut self, to_client: bool) -> &mut Direction {
        match to_client {
            true => &mut self.to_client,
            false => &mut self.to_server,
        }
    }
}

/// Both connections and what is on its way between them.
struct World {
    client: Connection,
    server: Connection,
    to_client: Vec<u8>,
    to_server: Vec<u8>,
    streams: BTreeMap<u32, Stream>,
    now: Instant,
}

/// What byte of content stands at a place of a stream.
fn content(stream: u32, at: usize) -> u8 {
    u8::try_from((at * 7 + stream as usize * 13) % 251).unwrap()
}

fn names(count: usize) -> Vec<(String, String)> {
    let name = |number: usize| {
        (
            format!("x-{}", number % 17),
            format!("value {}", number * count % 23),
        )
    };
    (0..count).map(name).collect()
}

fn send_fields(fields: &[(String, String)]) -> Vec<SendField<'_>> {
    fields
        .iter()
        .map(|(name, value)| SendField {
            name: name.as_bytes(),
            value: value.as_bytes(),
            never_indexed: value.ends_with('7'),
        })
        .collect()
}

impl World {
    fn new() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "an instant cannot be made otherwise"
        )]
        let now = Instant::now();
        Self {
            client: Connection::client(SETTINGS),
            server: Connection::server(SETTINGS),
            to_client: Vec::new(),
            to_server: Vec::new(),
            streams: BTreeMap::new(),
            now,
        }
    }

    fn pick(&self, number: usize) -> Option<u32> {
        let count = self.streams.len();
        let keys = self.streams.keys();
        keys.copied().nth(number.checked_rem(count)?)
    }

    fn side(&mut self, is_client: bool) -> &mut Connection {
        match is_client {
            true => &mut self.client,
            false => &mut self.server,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Open { fields, ends } => self.open(fields, ends),
            Step::Respond {
                stream,
                fields,
                ends,
            } => self.respond(stream, 200, fields, ends),
            Step::Interim { stream } => self.respond(stream, 103, 1, false),
            Step::Send {
                from_client,
                stream,
                bytes,
                ends,
            } => {
                let Some(id) = self.pick(stream) else { return };
                let direction = self.streams.get_mut(&id).unwrap().direction(!from_client);
                if !direction.ends {
                    direction.offered += bytes;
                    direction.ends = ends;
                }
                self.send(id, from_client);
            }
            Step::Trailers {
                from_client,
                stream,
            } => self.trailers(stream, from_client),
            Step::Release {
                to_client,
                stream,
                bytes,
            } => {
                if let Some(id) = self.pick(stream) {
                    self.release(id, to_client, bytes);
                }
            }
            Step::Reset { by_client, stream } => {
                if let Some(id) = self.pick(stream) {
                    let is_over = self.side(by_client).writable(id) == 0;
                    self.side(by_client).reset(id, 8);
                    // One that has ended on both sides is not reset any more.
                    let stream = self.streams.get_mut(&id).unwrap();
                    let to_us = stream.direction(by_client).end_came;
                    let from_us = stream.direction(!by_client).end_taken;
                    stream.is_reset |= !(is_over && to_us && from_us);
                }
            }
            Step::Deliver {
                to_client,
                bytes,
                piece,
            } => self.deliver(to_client, bytes, piece),
        }
    }

    fn open(&mut self, fields: usize, ends: bool) {
        let fields = names(fields);
        let start = RequestStart {
            method: b"POST",
            scheme: b"https",
            authority: b"a.test",
            path: b"/path",
            protocol: None,
        };
        let can_open = self.client.can_open() && self.client.has_room();
        let sent = self.client.send_request(&start, send_fields(&fields), ends);
        assert_eq!(sent.is_ok(), can_open);
        let Ok(id) = sent else { return };
        let to_server = Direction {
            head_sent: true,
            ends,
            end_taken: ends,
            ..Direction::default()
        };
        let stream = Stream {
            to_server,
            ..Stream::default()
        };
        assert!(self.streams.insert(id, stream).is_none());
    }

    fn respond(&mut self, stream: usize, status: u16, fields: usize, ends: bool) {
        let Some(id) = self.pick(stream) else { return };
        let fields = names(fields);
        let sent = self
            .server
            .send_response(id, status, send_fields(&fields), ends);
        let stream = self.streams.get_mut(&id).unwrap();
        match sent {
            Ok(()) => {
                assert!(stream.to_server.head_came && !stream.to_client.head_sent);
                stream.to_client.head_sent = status >= 200;
                stream.to_client.ends |= ends;
                stream.to_client.end_taken = ends;
                if ends {
                    stream.to_client.offered = 0;
                }
            }
            Err(SendFault::Full) => {}
            Err(fault) => {
                assert_eq!(fault, SendFault::Closed);
                let is_over =
                    stream.is_reset || !stream.to_server.head_came || stream.to_client.head_sent;
                assert!(is_over, "{stream:?}");
            }
        }
    }

    /// Offers content of a stream as far as it was not taken.
    fn send(&mut self, id: u32, from_client: bool) {
        let direction = self.streams.get_mut(&id).unwrap().direction(!from_client);
        if direction.end_taken || direction.trailers || !direction.head_sent {
            return;
        }
        let (start, end, ends) = (direction.taken, direction.offered, direction.ends);
        let bytes: Vec<u8> = (start..end).map(|at| content(id, at)).collect();
        let writable = self.side(from_client).writable(id);
        let taken = self.side(from_client).send_data(id, &bytes, ends);
        let is_reset = self.streams[&id].is_reset;
        let direction = self.streams.get_mut(&id).unwrap().direction(!from_client);
        match taken {
            Ok(taken) => {
                assert!(taken <= writable && taken <= bytes.len());
                direction.taken += taken;
                direction.end_taken = ends && taken == bytes.len();
                // RFC 9113 section 6.9: as much is not released as the windows have.
                assert!(direction.taken - direction.released <= 65_535);
            }
            Err(fault) => {
                assert_eq!(fault, SendFault::Closed);
                assert!(is_reset);
            }
        }
    }

    fn trailers(&mut self, stream: usize, from_client: bool) {
        let Some(id) = self.pick(stream) else { return };
        let direction = self.streams.get_mut(&id).unwrap().direction(!from_client);
        if direction.ends || direction.taken < direction.offered || !direction.head_sent {
            return;
        }
        let fields = names(3);
        let sent = self
            .side(from_client)
            .send_trailers(id, send_fields(&fields));
        let stream = self.streams.get_mut(&id).unwrap();
        let is_reset = stream.is_reset;
        let direction = stream.direction(!from_client);
        match sent {
            Ok(()) => {
                direction.ends = true;
                direction.end_taken = true;
                direction.trailers = true;
            }
            Err(fault) => assert!(fault == SendFault::Full || is_reset),
        }
    }

    fn release(&mut self, id: u32, to_client: bool, bytes: usize) {
        let direction = self.streams.get_mut(&id).unwrap().direction(to_client);
        let bytes = bytes.min(direction.came - direction.released);
        direction.released += bytes;
        if bytes > 0 {
            self.side(to_client).release(id, bytes);
        }
    }

    /// Moves bytes to one side, in pieces.
    fn deliver(&mut self, to_client: bool, bytes: usize, piece: usize) {
        let mut out = Vec::new();
        self.side(!to_client).transmit(&mut out);
        let mut way = std::mem::take(match to_client {
            true => &mut self.to_client,
            false => &mut self.to_server,
        });
        way.append(&mut out);
        let rest = way.split_off(bytes.min(way.len()));
        for piece in way.chunks(piece) {
            self.receive(to_client, piece);
        }
        match to_client {
            true => self.to_client = rest,
            false => self.to_server = rest,
        }
    }

    fn receive(&mut self, is_client: bool, mut input: &[u8]) {
        let now = self.now;
        loop {
            let connection = match is_client {
                true => &mut self.client,
                false => &mut self.server,
            };
            let event = connection.receive(&mut input, now);
            let Some(event) = event.expect("no fault of the connection") else {
                break;
            };
            self.came(is_client, event);
        }
        let connection = self.side(is_client);
        assert!(connection.streams_count() <= 8);
        // What is not released is within the window of the connection.
        let held = |stream: &Stream| match is_client {
            true => stream.to_client.came - stream.to_client.released,
            false => stream.to_server.came - stream.to_server.released,
        };
        assert!(self.streams.values().map(held).sum::<usize>() <= 150_000);
    }

    fn came(&mut self, is_client: bool, event: Event<'_>) {
        match event {
            Event::Request {
                stream,
                request,
                end_stream,
            } => {
                assert_eq!(request.fault, None);
                let direction = &mut self.streams.get_mut(&stream).unwrap().to_server;
                assert!(!direction.head_came);
                direction.head_came = true;
                direction.end_came = end_stream;
                self.server.recycle_request(request);
            }
            Event::Response {
                stream,
                response,
                end_stream,
            } => {
                let direction = &mut self.streams.get_mut(&stream).unwrap().to_client;
                assert!(!direction.head_came);
                direction.head_came = true;
                direction.end_came = end_stream;
                self.client.recycle_response(response);
            }
            Event::Interim { response, .. } => assert_eq!(response.head.status, 103),
            Event::Data {
                stream,
                bytes,
                end_stream,
            } => {
                let direction = self.streams.get_mut(&stream).unwrap().direction(is_client);
                assert!(!direction.end_came && direction.head_came);
                for byte in bytes {
                    assert_eq!(*byte, content(stream, direction.came));
                    direction.came += 1;
                }
                assert!(direction.came <= direction.taken);
                assert!(direction.came - direction.released <= 65_535);
                direction.end_came = end_stream;
            }
            Event::Trailers { stream, trailers } => {
                assert_eq!(trailers.fields.len(), 3);
                let direction = self.streams.get_mut(&stream).unwrap().direction(is_client);
                assert!(direction.trailers && !direction.end_came);
                direction.end_came = true;
            }
            Event::Reset { stream, .. } => assert!(self.streams[&stream].is_reset),
            Event::WindowOpen { .. } | Event::Settings | Event::SettingsAcknowledged => {}
            other => panic!("{other:?}"),
        }
    }

    /// Lets everything that was offered arrive.
    fn settle(&mut self) {
        for _ in 0..200 {
            for is_client in [true, false] {
                let ids: Vec<u32> = self.streams.keys().copied().collect();
                for id in ids {
                    self.send(id, is_client);
                    self.release(id, is_client, usize::MAX);
                }
            }
            self.deliver(true, usize::MAX, 10_000);
            self.deliver(false, usize::MAX, 10_000);
        }
        for (id, stream) in &self.streams {
            if stream.is_reset {
                continue;
            }
            assert!(stream.to_server.head_came, "{id}");
            for direction in [&stream.to_server, &stream.to_client] {
                if direction.head_sent {
                    assert_eq!(direction.came, direction.offered, "{id} {stream:?}");
                    assert_eq!(direction.end_came, direction.ends);
                }
            }
        }
    }

    /// Nothing of the windows was lost: a stream of its own may use most of them.
    fn windows_are_whole(&mut self) {
        let ids: Vec<u32> = self.streams.keys().copied().collect();
        for id in ids {
            self.client.reset(id, 8);
            self.server.reset(id, 8);
        }
        self.streams.clear();
        for _ in 0..3 {
            self.deliver_quietly(true);
            self.deliver_quietly(false);
        }
        assert_eq!(
            (self.client.streams_count(), self.server.streams_count()),
            (0, 0)
        );
        self.open(0, false);
        let id = *self.streams.keys().next().unwrap();
        let writable = self.client.writable(id);
        assert!(writable > 50_000, "{writable}");
    }

    /// What comes now is of streams that the model has forgotten.
    fn deliver_quietly(&mut self, to_client: bool) {
        let mut out = Vec::new();
        self.side(!to_client).transmit(&mut out);
        let (mut input, now) = (&out[..], self.now);
        while let Some(event) = self.side(to_client).receive(&mut input, now).unwrap() {
            if let Event::Data { stream, bytes, .. } = event {
                let bytes = bytes.len();
                self.side(to_client).release(stream, bytes);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn what_is_sent_arrives(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        world.settle();
        world.windows_are_whole();
    }
}
