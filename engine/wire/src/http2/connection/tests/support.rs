//! The other side of a connection, written byte by byte, and what came of it in words.

use std::time::{Duration, Instant};

use super::super::super::event::Event;
use super::super::super::fault::FrameFault;
use super::super::super::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS,
    WINDOW_UPDATE,
};
use super::super::super::request::TargetForm;
use super::super::super::settings::ConnectionSettings;
use super::super::send::{RequestStart, SendField};
use super::super::state::{Connection, PREFACE};
use crate::http1::{HeadLimits, Scheme};

pub(super) const SETTINGS_USED: ConnectionSettings = ConnectionSettings {
    streams_max: 10,
    stream_window_bytes: 65_535,
    connection_window_bytes: 100_000,
    head: HeadLimits {
        head_bytes_max: 8 * 1024,
        headers_max: 50,
        uri_bytes_max: 1024,
    },
    control_frames_per_second: 10,
    resets_per_second: 2,
    output_bytes_max: 100 * 1024,
    form: TargetForm::Origin(Scheme::Https),
};

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

pub(super) fn settings(pairs: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (key, value) in pairs {
        payload.extend_from_slice(&key.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    frame(SETTINGS, 0, 0, &payload)
}

/// Literals that are not indexed.
pub(super) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            match u8::try_from(text.len()) {
                Ok(length) if length < 127 => out.push(length),
                _ => {
                    let rest = text.len() - 127;
                    let low = u8::try_from(rest % 128).unwrap();
                    out.extend_from_slice(&[127, low | 128, u8::try_from(rest / 128).unwrap()]);
                }
            }
            out.extend_from_slice(text.as_bytes());
        }
    }
    out
}

pub(super) const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/"),
    (":authority", "a.test"),
];
pub(super) const POST: [(&str, &str); 4] = [
    (":method", "POST"),
    (":scheme", "https"),
    (":path", "/"),
    (":authority", "a.test"),
];

pub(super) fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &block(fields))
}

/// A request without content.
pub(super) fn get(stream: u32) -> Vec<u8> {
    headers(stream, END_STREAM, &GET)
}

/// A request whose content is still to come.
pub(super) fn post(stream: u32) -> Vec<u8> {
    headers(stream, 0, &POST)
}

pub(super) fn data(stream: u32, flags: u8, bytes: usize) -> Vec<u8> {
    frame(DATA, flags, stream, &vec![b'x'; bytes])
}

pub(super) fn word_frame(kind: u8, stream: u32, word: u32) -> Vec<u8> {
    frame(kind, 0, stream, &word.to_be_bytes())
}

#[expect(
    clippy::disallowed_methods,
    reason = "an instant cannot be made otherwise"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// A connection under test.
pub(super) struct Tested {
    pub(super) connection: Connection,
    now: Instant,
    /// What it has sent and nobody has looked at.
    sent: Vec<u8>,
}

impl Tested {
    /// A server whose client has sent the preface and SETTINGS.
    pub(super) fn server() -> Self {
        Self::server_with(SETTINGS_USED)
    }

    pub(super) fn server_with(settings_used: ConnectionSettings) -> Self {
        let mut tested = Self::begin(Connection::server(settings_used));
        tested.take(PREFACE).unwrap();
        tested.take(&settings(&[])).unwrap();
        tested.drain_sent();
        tested.connection.control.earn(1);
        tested
    }

    /// A client whose server has sent SETTINGS, with a request in stream 1.
    pub(super) fn client() -> Self {
        let mut tested = Self::begin(Connection::client(SETTINGS_USED));
        tested.take(&settings(&[(8, 1)])).unwrap();
        tested.drain_sent();
        tested.connection.control.earn(1);
        assert_eq!(tested.request("GET"), 1);
        assert_eq!(tested.sent(), "headers:1.");
        tested
    }

    pub(super) fn begin(connection: Connection) -> Self {
        Self {
            connection,
            now: now(),
            sent: Vec::new(),
        }
    }

    pub(super) fn later(&mut self, duration: Duration) {
        self.now += duration;
    }

    /// Sends a request without content.
    pub(super) fn request(&mut self, method: &str) -> u32 {
        let start = RequestStart {
            method: method.as_bytes(),
            scheme: b"https",
            authority: b"a.test",
            path: b"/",
            protocol: None,
        };
        let end = method != "CONNECT";
        self.connection.send_request(&start, [], end).unwrap()
    }

    pub(super) fn respond(&mut self, stream: u32, end: bool) {
        let fields: [SendField<'_>; 0] = [];
        self.connection
            .send_response(stream, 200, fields, end)
            .unwrap();
    }

    /// Receives bytes; what came of them, one word for each event.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<String>, FrameFault> {
        let (mut input, mut seen) = (bytes, Vec::new());
        while let Some(event) = self.connection.receive(&mut input, self.now)? {
            seen.push(word(&event));
        }
        assert!(input.is_empty());
        Ok(seen)
    }

    /// The same for what must not end the connection.
    pub(super) fn seen(&mut self, bytes: &[u8]) -> String {
        self.take(bytes).unwrap().join(" ")
    }

    /// What was sent since this was asked last, one word for each frame.
    pub(super) fn sent(&mut self) -> String {
        self.drain_sent();
        let sent = std::mem::take(&mut self.sent);
        let mut rest = &sent[..];
        let mut words = Vec::new();
        while let Some((header, behind)) = rest.split_at_checked(9) {
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
            let (payload, behind) = behind.split_at(length);
            let stream = u32::from_be_bytes(*header[5..].first_chunk().unwrap());
            words.push(frame_word(header[3], header[4], stream, payload));
            rest = behind;
        }
        words.join(" ")
    }

    fn drain_sent(&mut self) {
        let mut out = Vec::new();
        self.connection.transmit(&mut out);
        self.sent.append(&mut out);
        if self.sent.starts_with(PREFACE) {
            self.sent.drain(..PREFACE.len());
        }
        if self.sent.len() > 9 && self.sent[3] == SETTINGS && self.sent[4] == 0 {
            // The first frames, which `begin` writes.
            self.sent.clear();
        }
    }
}

fn frame_word(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> String {
    let number = |at: usize| u32::from_be_bytes(*payload[at..].first_chunk().unwrap());
    let end = if flags & END_STREAM != 0 { "." } else { "" };
    match kind {
        DATA => format!("data:{stream}:{}{end}", payload.len()),
        HEADERS => format!("headers:{stream}{end}"),
        CONTINUATION => format!("continuation:{stream}"),
        RST_STREAM => format!("reset:{stream}:{}", number(0)),
        SETTINGS if flags & ACK != 0 => "settings-ack".to_owned(),
        PING if flags & ACK != 0 => "pong".to_owned(),
        PING => "ping".to_owned(),
        GOAWAY => format!("goaway:{}:{}", number(0), number(4)),
        WINDOW_UPDATE => format!("window:{stream}:{}", number(0)),
        kind => format!("frame:{kind}:{stream}"),
    }
}

fn word(event: &Event<'_>) -> String {
    let dot = |end: &bool| if *end { "." } else { "" };
    match event {
        Event::Request {
            stream,
            request,
            end_stream,
        } => match request.fault {
            Some(fault) => format!("request:{stream}:{}", fault.status()),
            None => format!("request:{stream}{}", dot(end_stream)),
        },
        Event::Interim { stream, response } => format!("interim:{stream}:{}", response.head.status),
        Event::Response {
            stream,
            response,
            end_stream,
        } => format!(
            "response:{stream}:{}{}",
            response.head.status,
            dot(end_stream)
        ),
        Event::Data {
            stream,
            bytes,
            end_stream,
        } => format!("data:{stream}:{}{}", bytes.len(), dot(end_stream)),
        Event::Trailers { stream, .. } => format!("trailers:{stream}"),
        Event::Reset { stream, code } => format!("reset:{stream}:{code}"),
        Event::StreamFault { stream, fault, .. } => format!("fault:{stream}:{fault:?}"),
        Event::WindowOpen { stream } => match stream {
            Some(stream) => format!("open:{stream}"),
            None => "open".to_owned(),
        },
        Event::Settings => "settings".to_owned(),
        Event::SettingsAcknowledged => "acknowledged".to_owned(),
        Event::Pong { .. } => "pong".to_owned(),
        Event::GoAway(told) => format!("goaway:{}:{}", told.last_stream, told.code),
    }
}
