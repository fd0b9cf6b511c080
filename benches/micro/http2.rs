//! One request and its response, with eight fields each, through two HTTP/2 connections in memory: ours, and
//! those of the `h2` crate over a pipe in memory.
//!
//! `cargo bench -p sallyport-benches --no-default-features --bench http2`. Figures: `docs/internals/http2.md`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark of its own input, run by hand"
)]

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use divan::{AllocProfiler, Bencher};
use sallyport_wire::http1::{HeadLimits, Scheme};
use sallyport_wire::http2::{
    Connection, ConnectionSettings, Event, RequestStart, SendField, TargetForm,
};
use tokio::io::{DuplexStream, duplex};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const REQUEST_FIELDS: [(&str, &str); 8] = [
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    ),
    (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("referer", "https://www.example.com/index.html"),
    (
        "authorization",
        "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
    ),
    ("x-request-id", "2c1f7c3a-8f0b-4f4e-9d3c-0a6a6d1c7a11"),
    ("priority", "u=0, i"),
];

const RESPONSE_FIELDS: [(&str, &str); 8] = [
    ("server", "nginx/1.27.0"),
    ("date", "Mon, 30 Nov 2026 10:00:00 GMT"),
    ("content-type", "text/html; charset=utf-8"),
    ("etag", "\"66d7f2b1-264\""),
    ("last-modified", "Tue, 03 Sep 2024 20:11:13 GMT"),
    ("cache-control", "max-age=3600"),
    ("vary", "accept-encoding"),
    ("content-length", "100"),
];

const CONTENT: [u8; 100] = [b'x'; 100];

const SETTINGS: ConnectionSettings = ConnectionSettings {
    streams_max: 100,
    stream_window_bytes: 256 * 1024,
    connection_window_bytes: 1024 * 1024,
    head: HeadLimits {
        head_bytes_max: 32 * 1024,
        headers_max: 128,
        uri_bytes_max: 16 * 1024,
    },
    control_frames_per_second: 1_000_000,
    resets_per_second: 1_000_000,
    output_bytes_max: 64 * 1024,
    form: TargetForm::Origin(Scheme::Https),
};

/// A client and a server of ours, and the buffer between them.
struct Ours {
    client: Connection,
    server: Connection,
    way: Vec<u8>,
    now: Instant,
}

fn fields<'f>(fields: &'f [(&'f str, &'f str)]) -> impl Iterator<Item = SendField<'f>> {
    fields.iter().map(|(name, value)| SendField {
        name: name.as_bytes(),
        value: value.as_bytes(),
        never_indexed: false,
    })
}

impl Ours {
    fn new() -> Self {
        Self {
            client: Connection::client(SETTINGS),
            server: Connection::server(SETTINGS),
            way: Vec::new(),
            now: Instant::now(),
        }
    }

    fn exchange(&mut self) {
        let start = RequestStart {
            method: b"GET",
            scheme: b"https",
            authority: b"www.example.com",
            path: b"/path/of/some/length?with=query",
            protocol: None,
        };
        let sent = self
            .client
            .send_request(&start, fields(&REQUEST_FIELDS), true);
        sent.expect("a stream");
        self.answer();
        self.read();
    }

    fn answer(&mut self) {
        self.way.clear();
        self.client.transmit(&mut self.way);
        let mut input = &self.way[..];
        while let Some(event) = self.server.receive(&mut input, self.now).expect("no fault") {
            if let Event::Request {
                stream, request, ..
            } = event
            {
                divan::black_box(&request);
                self.server.recycle_request(request);
                let sent = self
                    .server
                    .send_response(stream, 200, fields(&RESPONSE_FIELDS), false);
                sent.expect("an open stream");
                let sent = self.server.send_data(stream, &CONTENT, true);
                assert_eq!(sent, Ok(CONTENT.len()));
            }
        }
    }

    fn read(&mut self) {
        self.way.clear();
        self.server.transmit(&mut self.way);
        let mut input = &self.way[..];
        while let Some(event) = self.client.receive(&mut input, self.now).expect("no fault") {
            match event {
                Event::Response { response, .. } => self.client.recycle_response(response),
                Event::Data { stream, bytes, .. } => {
                    let bytes = divan::black_box(bytes).len();
                    self.client.release(stream, bytes);
                }
                _ => {}
            }
        }
    }
}

#[divan::bench]
fn ours(bencher: Bencher<'_, '_>) {
    let mut pair = Ours::new();
    for _ in 0..100 {
        pair.exchange();
    }
    bencher.bench_local(move || pair.exchange());
}

/// A client and a server of `h2`.
struct Theirs {
    client: h2::client::SendRequest<Bytes>,
    connection: Pin<Box<h2::client::Connection<DuplexStream, Bytes>>>,
    server: h2::server::Connection<DuplexStream, Bytes>,
}

/// Polls until it is ready; nothing here waits for anything but the other side.
fn poll<T>(future: impl Future<Output = T>, mut beside: impl FnMut(&mut Context<'_>)) -> T {
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    for _ in 0..1000 {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
            return outcome;
        }
        beside(&mut context);
    }
    panic!("no end");
}

fn map(fields: &[(&str, &str)]) -> http::HeaderMap {
    let mut map = http::HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a name");
        let mut value = http::HeaderValue::from_bytes(value.as_bytes()).expect("a value");
        value.set_sensitive(name == http::header::AUTHORIZATION);
        map.append(name, value);
    }
    map
}

impl Theirs {
    fn new() -> Self {
        let (near, far) = duplex(64 * 1024);
        let (client, connection) = poll(h2::client::handshake(near), |_| ()).expect("a client");
        let mut connection = Box::pin(connection);
        let server = poll(h2::server::handshake(far), |context| {
            assert!(connection.as_mut().poll(context).is_pending());
        });
        Self {
            client,
            connection,
            server: server.expect("a server"),
        }
    }

    fn exchange(&mut self) {
        let uri = http::Uri::builder()
            .scheme("https")
            .authority("www.example.com")
            .path_and_query("/path/of/some/length?with=query");
        let mut request = http::Request::new(());
        *request.uri_mut() = uri.build().expect("a URI");
        *request.headers_mut() = map(&REQUEST_FIELDS);
        let (answer, _) = self.client.send_request(request, true).expect("a stream");
        let connection = &mut self.connection;
        let accepted = poll(self.server.accept(), |context| {
            assert!(connection.as_mut().poll(context).is_pending());
        });
        let (request, mut respond) = accepted.expect("a request").expect("no fault");
        divan::black_box(request);
        let mut response = http::Response::new(());
        *response.headers_mut() = map(&RESPONSE_FIELDS);
        let mut stream = respond
            .send_response(response, false)
            .expect("an open stream");
        stream
            .send_data(Bytes::from_static(&CONTENT), true)
            .expect("an open stream");
        let server = &mut self.server;
        let read = async {
            let mut body = answer.await.expect("a response").into_body();
            while let Some(content) = body.data().await {
                let bytes = content.expect("content").len();
                body.flow_control()
                    .release_capacity(bytes)
                    .expect("a window");
            }
        };
        poll(read, |context| {
            assert!(server.poll_closed(context).is_pending());
            assert!(connection.as_mut().poll(context).is_pending());
        });
    }
}

#[divan::bench]
fn h2_crate(bencher: Bencher<'_, '_>) {
    let mut pair = Theirs::new();
    for _ in 0..100 {
        pair.exchange();
    }
    bencher.bench_local(move || pair.exchange());
}
