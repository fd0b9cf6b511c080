//! What each key of `[http2]` changes, frame by frame: at each limit, and one past it.

use crate::common::connection::Connection;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Proxy, ScriptedOrigin};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A client that speaks HTTP/2 in a tunnel.
struct Client {
    connection: Connection,
    authority: String,
    streams: u32,
}

#[derive(Debug)]
struct Frame {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    fn word(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

impl Client {
    fn through(proxy: &Proxy, origin: &ScriptedOrigin) -> Self {
        let authority = origin.address.to_string();
        let mut connection = proxy.connection();
        connection.connect(&authority).unwrap();
        connection.send(PREFACE).send(frame(SETTINGS, 0, 0, &[]));
        Self {
            connection,
            authority,
            streams: 0,
        }
    }

    fn frame(&mut self) -> Frame {
        let head = self.connection.bytes(9);
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        Frame {
            kind: head[3],
            stream: u32::from_be_bytes(head[5..9].try_into().unwrap()),
            payload: self.connection.bytes(length),
        }
    }

    /// The next frame of a kind.
    fn next(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.frame();
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// The value of a setting that the proxy announces.
    fn setting(&mut self, id: u16) -> Option<u32> {
        let settings = self.next(SETTINGS).payload;
        let mut entries = settings.chunks(6);
        let entry = entries.find(|entry| entry[..2] == id.to_be_bytes())?;
        Some(u32::from_be_bytes(entry[2..6].try_into().unwrap()))
    }

    /// Begins a GET; its stream.
    fn get(&mut self) -> u32 {
        let stream = self.streams * 2 + 1;
        self.streams += 1;
        // GET, http, /, :authority as a literal.
        let mut block = vec![0x82, 0x86, 0x84, 0x41];
        block.push(u8::try_from(self.authority.len()).unwrap());
        block.extend(self.authority.as_bytes());
        self.connection
            .send_in_vain(frame(HEADERS, 5, stream, &block));
        stream
    }

    /// Frames up to the answer of the second of two pings: whatever was sent before is dealt with then.
    /// The answer of the first may overtake what streams are told.
    fn until_pong(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        for payload in [b"is it so", b"and now?"] {
            self.connection.send(frame(PING, 0, 0, payload));
            loop {
                match self.frame() {
                    frame if frame.kind == PING && frame.payload == payload => break,
                    frame => frames.push(frame),
                }
            }
        }
        frames
    }
}

fn start(keys: &[(&str, &str)]) -> (Proxy, ScriptedOrigin) {
    let mut setup = Setup::new().key("shards", "1");
    for (key, value) in keys {
        setup = setup.key(key, value);
    }
    (setup.start(ALLOW_ALL), ScriptedOrigin::silent())
}

#[test]
fn streams_and_windows_are_announced() {
    let (proxy, origin) = start(&[
        ("http2.client_streams", "7"),
        ("http2.stream_window_bytes", "\"80KiB\""),
        ("http2.connection_window_bytes", "\"2MiB\""),
    ]);
    assert_eq!(Client::through(&proxy, &origin).setting(3), Some(7));
    assert_eq!(Client::through(&proxy, &origin).setting(4), Some(80 * 1024));
    let update = Client::through(&proxy, &origin).next(WINDOW_UPDATE);
    // Beyond the 65 535 that each connection begins with.
    assert_eq!(
        (update.stream, update.word(0)),
        (0, 2 * 1024 * 1024 - 65_535)
    );
}

/// Refused streams: (stream, code).
fn resets(frames: &[Frame]) -> Vec<(u32, u32)> {
    let resets = frames.iter().filter(|frame| frame.kind == RST_STREAM);
    resets.map(|frame| (frame.stream, frame.word(0))).collect()
}

#[test]
fn streams_of_a_connection() {
    let (proxy, origin) = start(&[("http2.client_streams", "2")]);
    let mut client = Client::through(&proxy, &origin);
    // A client that has not read the SETTINGS yet.
    client.get();
    client.get();
    assert_eq!(resets(&client.until_pong()), []);
    let third = client.get();
    assert_eq!(resets(&client.until_pong()), [(third, REFUSED_STREAM)]);
}

#[test]
fn streams_of_a_shard() {
    for (share, most) in [("100", 4), ("50", 2)] {
        let (proxy, origin) = start(&[
            ("http2.streams_per_shard", "4"),
            ("limits.client_share", share),
        ]);
        let mut clients: Vec<_> = (0..2).map(|_| Client::through(&proxy, &origin)).collect();
        for turn in 0..most {
            clients[turn % 2].get();
            assert_eq!(resets(&clients[turn % 2].until_pong()), [], "{turn}");
        }
        let client = &mut clients[0];
        let refused = client.get();
        assert_eq!(resets(&client.until_pong()), [(refused, REFUSED_STREAM)]);
        let lines = proxy.log.transactions(1);
        let word = if share == "100" {
            "over http2.streams_per_shard"
        } else {
            "limits.client_share"
        };
        assert!(
            lines[0]["detail"].as_str().unwrap().contains(word),
            "{}",
            lines[0]
        );
    }
}

/// One more stream than a connection to the origin may carry needs another connection.
#[test]
fn streams_on_a_connection_to_an_origin() {
    for (most, connections) in [("2", 1), ("1", 2)] {
        let (proxy, _) = start(&[("http2.upstream_streams", most)]);
        let origin = ScriptedOrigin::start(|mut accepted, _| {
            accepted.send(frame(SETTINGS, 0, 0, &[]));
            accepted.connection.rest();
        });
        let mut client = Client::through(&proxy, &origin);
        client.get();
        client.get();
        crate::common::wait::wait_for("the connections", || {
            (origin.connections() >= connections).then_some(())
        });
        client.until_pong();
        assert_eq!(origin.connections(), connections);
    }
}

/// Ten times the rate at once, and a little more while they are sent.
#[test]
fn control_frames() {
    for (rate, count, calm) in [("1", 5, true), ("1", 400, false), ("1000", 400, true)] {
        let (proxy, origin) = start(&[("http2.control_frames_per_second", rate)]);
        let mut client = Client::through(&proxy, &origin);
        let pings = frame(PING, 0, 0, b"01234567").repeat(count);
        client.connection.send_in_vain(pings);
        if calm {
            client.until_pong();
        } else {
            assert_eq!(client.next(GOAWAY).word(4), ENHANCE_YOUR_CALM, "{rate}");
        }
    }
}

#[test]
fn resets_of_streams() {
    for (rate, count, calm) in [("1", 5, true), ("1", 60, false), ("100", 60, true)] {
        let (proxy, origin) = start(&[("http2.resets_per_second", rate)]);
        let mut client = Client::through(&proxy, &origin);
        for _ in 0..count {
            let stream = client.get();
            let reset = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
            client.connection.send_in_vain(reset);
            if calm {
                client.until_pong();
            }
        }
        if !calm {
            assert_eq!(client.next(GOAWAY).word(4), ENHANCE_YOUR_CALM, "{rate}");
        }
    }
}
