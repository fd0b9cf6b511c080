//! A client that speaks HTTP/2 in a tunnel, without TLS and without asking.

use std::collections::BTreeMap;
use std::net::Shutdown;
use std::time::Duration;

use sallyport_wire::http1::{HeadLimits, Scheme};
use sallyport_wire::http2::{
    Connection, ConnectionSettings, Event, RequestStart, Response, SendField, TargetForm,
};

use crate::clock;

use super::client::{CONTENT_BYTES_MAX, Client, Sent};
use super::ledger::Kind;
use super::message::{Content, Head, Wire, content};

pub(super) const SETTINGS: ConnectionSettings = ConnectionSettings {
    streams_max: 100,
    stream_window_bytes: 65_535,
    connection_window_bytes: 65_535,
    head: HeadLimits {
        head_bytes_max: 16_384,
        headers_max: 100,
        uri_bytes_max: 8_192,
    },
    control_frames_per_second: 1_000,
    resets_per_second: 1_000,
    output_bytes_max: 1 << 20,
    form: TargetForm::Origin(Scheme::Http),
};
pub(super) const CANCEL: u32 = 8;
/// Requests of one connection.
const REQUESTS_MAX: usize = 8;

/// A request in a stream, and what has come back in it.
struct Stream {
    sent: Sent,
    /// What is still to be sent.
    content: Vec<u8>,
    head: Option<Head>,
    received: Vec<u8>,
}

/// The connection in the tunnel.
pub(super) struct Streams<'a> {
    client: &'a Client,
    wire: Wire<'a>,
    host: &'static str,
    codec: Connection,
    open: BTreeMap<u32, Stream>,
    left: usize,
}

impl<'a> Streams<'a> {
    pub(super) fn new(client: &'a Client, wire: Wire<'a>, host: &'static str) -> Self {
        Self {
            client,
            wire,
            host,
            codec: Connection::client(SETTINGS),
            open: BTreeMap::new(),
            left: 1 + client.world.below(REQUESTS_MAX),
        }
    }

    /// Sends its requests, some at once, and reads what comes back.
    pub(super) async fn run(mut self) {
        let world = self.client.world.clone();
        while self.left > 0 || !self.open.is_empty() {
            if self.left > 0 && self.codec.can_open() && (self.open.is_empty() || world.one_in(2)) {
                self.left -= 1;
                self.begin();
            }
            self.go_on();
            let mut out = Vec::new();
            self.codec.transmit(&mut out);
            if world.one_in(60) {
                let some = world.below(out.len() + 1);
                let _ = self.wire.send(&out[..some]).await;
                return self.wire.end.shut_down(Shutdown::Write);
            }
            if world.one_in(60) {
                world
                    .sleep(Duration::from_millis(world.below(6_000) as u64))
                    .await;
            }
            if self.wire.send(&out).await.is_err() {
                return;
            }
            if self.open.is_empty() || (self.left > 0 && world.one_in(3)) {
                continue;
            }
            if !self.wire.more().await.unwrap_or(false) {
                return;
            }
            self.take();
        }
    }

    /// Opens a stream.
    fn begin(&mut self) {
        let world = &self.client.world;
        let (method, bytes) = match world.below(4) {
            0 => ("HEAD", 0),
            1 => ("POST", 1 + world.below(CONTENT_BYTES_MAX)),
            _ => ("GET", 0),
        };
        let (kind, path) = match world.one_in(6) {
            true => (Kind::Denied, "denied"),
            false => (Kind::Allowed, "allowed"),
        };
        let number = self.client.ledger.begin(kind, method, bytes);
        let path = format!("/{path}/{number}");
        let start = RequestStart {
            method: method.as_bytes(),
            scheme: b"http",
            authority: self.host.as_bytes(),
            path: path.as_bytes(),
            protocol: None,
        };
        let length = bytes.to_string();
        let field = SendField {
            name: b"content-length",
            value: length.as_bytes(),
            never_indexed: false,
        };
        let fields = [field]
            .into_iter()
            .take(usize::from(bytes > 0 && world.one_in(2)));
        let opened = self.codec.send_request(&start, fields, bytes == 0);
        let stream = Stream {
            sent: Sent {
                number,
                is_head: method == "HEAD",
            },
            content: content(number, bytes),
            head: None,
            received: Vec::new(),
        };
        self.open
            .insert(opened.expect("a stream can be opened"), stream);
    }

    /// Sends content as far as the windows go, and gives a stream up now and then.
    fn go_on(&mut self) {
        let world = &self.client.world;
        for (id, stream) in &mut self.open {
            if !stream.content.is_empty() {
                let some = 1 + world.below(stream.content.len());
                let is_last = some == stream.content.len();
                let taken = self.codec.send_data(*id, &stream.content[..some], is_last);
                stream.content.drain(..taken.unwrap_or(0));
            }
        }
        if world.one_in(40)
            && let Some((id, _)) = self.open.pop_first()
        {
            self.codec.reset(id, CANCEL);
        }
    }

    /// Looks at what was received.
    fn take(&mut self) {
        let bytes = std::mem::take(&mut self.wire.input);
        let mut input = &bytes[..];
        while let Some(event) = self
            .codec
            .receive(&mut input, clock::now())
            .expect("frames")
        {
            match event {
                Event::Response {
                    stream,
                    response,
                    end_stream,
                } => self.answered(stream, &response, end_stream),
                Event::Data {
                    stream,
                    bytes,
                    end_stream,
                } => {
                    self.codec.release(stream, bytes.len());
                    if let Some(open) = self.open.get_mut(&stream) {
                        open.received.extend_from_slice(bytes);
                    }
                    self.ended(stream, end_stream);
                }
                Event::Trailers { stream, .. } => self.ended(stream, true),
                Event::Reset { stream, .. } => {
                    if let Some(open) = self.open.remove(&stream) {
                        self.judge(open, false);
                    }
                }
                Event::StreamFault { fault, .. } => panic!("{fault:?}"),
                _ => {}
            }
        }
    }

    fn answered(&mut self, id: u32, response: &Response, end_stream: bool) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a field in ASCII");
        let fields = response.head.headers.iter().map(|field| {
            let name = field.name.of(&response.text).to_ascii_lowercase();
            (text(&name), text(field.value.of(&response.text)))
        });
        if let Some(open) = self.open.get_mut(&id) {
            let status = response.head.status;
            let line = vec!["HTTP/2".to_owned(), status.to_string()];
            open.head = Some(Head {
                line,
                fields: fields.collect(),
            });
            let ledger = &self.client.ledger;
            ledger.with(open.sent.number, |entry| entry.status = Some(status));
        }
        self.ended(id, end_stream);
    }

    /// A stream has ended, if it has.
    fn ended(&mut self, id: u32, end_stream: bool) {
        if end_stream && let Some(open) = self.open.remove(&id) {
            if !open.content.is_empty() {
                // Answered before all was sent.
                self.codec.reset(id, CANCEL);
            }
            self.judge(open, true);
        }
    }

    fn judge(&self, stream: Stream, is_complete: bool) {
        let received = Content {
            bytes: stream.received,
            is_complete,
        };
        if let Some(head) = &stream.head {
            self.client.judge(&stream.sent, head, &received);
        }
    }
}
