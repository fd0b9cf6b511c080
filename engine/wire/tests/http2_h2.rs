//! The connection of HTTP/2 beside another implementation of it: what the `h2` crate sends is read as it was
//! meant, and the other way round.
#![cfg(test)]

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use proptest::prelude::*;
use sallyport_wire::http1::{HeadLimits, HeaderField, Scheme};
use sallyport_wire::http2::{
    Connection, ConnectionSettings, Event, RequestStart, SendField, TargetForm,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

const SETTINGS: ConnectionSettings = ConnectionSettings {
    streams_max: 100,
    stream_window_bytes: 70_000,
    connection_window_bytes: 100_000,
    head: HeadLimits {
        head_bytes_max: 64 * 1024,
        headers_max: 100,
        uri_bytes_max: 8 * 1024,
    },
    control_frames_per_second: 1_000_000,
    resets_per_second: 100,
    output_bytes_max: 64 * 1024,
    form: TargetForm::Origin(Scheme::Https),
};

/// A message, as both sides see it. Fields of one name keep their order.
#[derive(Clone, Debug, Default, PartialEq)]
struct Message {
    method: String,
    path: String,
    fields: Vec<(String, Vec<u8>)>,
    content: Vec<u8>,
    trailers: Vec<(String, Vec<u8>)>,
}

fn field() -> impl Strategy<Value = (String, Vec<u8>)> {
    let value = prop_oneof![
        "[!-~]{1,30}".prop_map(String::into_bytes),
        prop::collection::vec(0x80u8.., 1..10),
        Just(b"text/html".to_vec()),
        Just(vec![b'v'; 3000]),
        Just(Vec::new()),
    ];
    let name = prop::sample::select(vec![
        "x-one",
        "x-two",
        "accept",
        "server",
        "etag",
        "authorization",
        "x-a-longer-name-than-most",
        "via",
    ]);
    (name.prop_map(str::to_owned), value)
}

fn message() -> impl Strategy<Value = Message> {
    (
        prop::sample::select(vec!["GET", "POST", "PUT", "OPTIONS", "X-OTHER"]),
        "/[a-z0-9/?=&%]{0,40}",
        prop::collection::vec(field(), 0..20),
        prop_oneof![Just(0usize), 1usize..100, Just(16_384), 1usize..250_000],
        prop::collection::vec(field(), 0..3),
    )
        .prop_map(|(method, path, mut fields, size, mut trailers)| {
            // By name, as a map has them.
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            trailers.sort_by(|(one, _), (other, _)| one.cmp(other));
            Message {
                method: method.to_owned(),
                path,
                fields,
                content: (0..size)
                    .map(|at| u8::try_from(at % 251).unwrap())
                    .collect(),
                trailers,
            }
        })
}

fn map(fields: &[(String, Vec<u8>)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        let mut value = HeaderValue::from_bytes(value).unwrap();
        value.set_sensitive(name == "authorization");
        map.append(name, value);
    }
    map
}

fn listed(map: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let pairs = map
        .iter()
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    sorted(pairs)
}

fn of_spans(fields: &[HeaderField], text: &[u8]) -> Vec<(String, Vec<u8>)> {
    let name = |field: &HeaderField| String::from_utf8(field.name.of(text).to_vec()).unwrap();
    let pairs = fields
        .iter()
        .map(|field| (name(field), field.value.of(text).to_vec()));
    sorted(pairs.filter(|(name, _)| name != "host"))
}

fn sorted(pairs: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = pairs.collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

fn send_fields(fields: &[(String, Vec<u8>)]) -> Vec<SendField<'_>> {
    fields
        .iter()
        .map(|(name, value)| SendField {
            name: name.as_bytes(),
            value,
            never_indexed: false,
        })
        .collect()
}

/// Our side: a connection, its transport, and what goes through it.
struct Ours {
    connection: Connection,
    transport: DuplexStream,
    output: Vec<u8>,
    /// What has come, by stream, and whether all of it has.
    came: BTreeMap<u32, (Message, bool)>,
    /// What is being sent, and how much of its content was.
    sending: BTreeMap<u32, (Message, usize)>,
    now: Instant,
}

impl Ours {
    fn new(connection: Connection, transport: DuplexStream) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "an instant cannot be made otherwise"
        )]
        let now = Instant::now();
        Self {
            connection,
            transport,
            output: Vec::new(),
            came: BTreeMap::new(),
            sending: BTreeMap::new(),
            now,
        }
    }

    /// Moves whatever can be moved.
    fn pump(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        let mut buffer = [0; 9000];
        let mut read = ReadBuf::new(&mut buffer);
        if let Poll::Ready(read_in) =
            Pin::new(&mut self.transport).poll_read(&mut context, &mut read)
        {
            read_in.unwrap();
        }
        let mut input = read.filled();
        while let Some(event) = self.connection.receive(&mut input, self.now).unwrap() {
            match event {
                Event::Request {
                    stream,
                    request,
                    end_stream,
                } => {
                    assert_eq!(request.fault, None);
                    let (head, text) = (&request.head, &request.text);
                    let word = |span: sallyport_wire::Span| {
                        String::from_utf8(span.of(text).to_vec()).unwrap()
                    };
                    let message = Message {
                        method: word(head.method),
                        path: word(head.target),
                        fields: of_spans(&head.headers, text),
                        ..Message::default()
                    };
                    self.came.insert(stream, (message, end_stream));
                }
                Event::Response {
                    stream,
                    response,
                    end_stream,
                } => {
                    let message = Message {
                        fields: of_spans(&response.head.headers, &response.text),
                        ..Message::default()
                    };
                    self.came.insert(stream, (message, end_stream));
                }
                Event::Data {
                    stream,
                    bytes,
                    end_stream,
                } => {
                    let (message, is_whole) = self.came.get_mut(&stream).unwrap();
                    message.content.extend_from_slice(bytes);
                    *is_whole = end_stream;
                    let bytes = bytes.len();
                    self.connection.release(stream, bytes);
                }
                Event::Trailers { stream, trailers } => {
                    let (message, is_whole) = self.came.get_mut(&stream).unwrap();
                    message.trailers = of_spans(&trailers.fields, &trailers.text);
                    *is_whole = true;
                }
                Event::Settings | Event::SettingsAcknowledged | Event::WindowOpen { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        self.send();
        self.connection.transmit(&mut self.output);
        while !self.output.is_empty() {
            let written = Pin::new(&mut self.transport).poll_write(&mut context, &self.output);
            let Poll::Ready(written) = written else { break };
            self.output.drain(..written.unwrap());
        }
    }

    /// Goes on with what is being sent.
    fn send(&mut self) {
        let connection = &mut self.connection;
        self.sending.retain(|stream, (message, sent)| {
            let has_trailers = !message.trailers.is_empty();
            if *sent < message.content.len() || !has_trailers {
                let rest = &message.content[*sent..];
                *sent += connection.send_data(*stream, rest, !has_trailers).unwrap();
            }
            if *sent < message.content.len() {
                return true;
            }
            has_trailers
                && connection
                    .send_trailers(*stream, send_fields(&message.trailers))
                    .is_err()
        });
    }
}

/// Runs the other side to its end, and ours beside it.
fn run<T>(ours: &mut Ours, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..200_000 {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
            return outcome;
        }
        ours.pump();
    }
    panic!("no end");
}

/// Polls the connection of the other side besides what it does.
async fn beside<T, E>(
    connection: impl Future<Output = Result<(), E>>,
    work: impl Future<Output = T>,
) -> T {
    let (mut connection, mut work) = (pin!(connection), pin!(work));
    std::future::poll_fn(|context| {
        let _ = connection
            .as_mut()
            .poll(context)
            .map(|ended| assert!(ended.is_ok()));
        work.as_mut().poll(context)
    })
    .await
}

async fn read(mut body: RecvStream, message: &mut Message) {
    while let Some(content) = body.data().await {
        let content = content.unwrap();
        body.flow_control().release_capacity(content.len()).unwrap();
        message.content.extend_from_slice(&content);
    }
    let trailers = body.trailers().await.unwrap();
    message.trailers = trailers.map_or(Vec::new(), |trailers| listed(&trailers));
}

fn write(stream: &mut SendStream<Bytes>, message: &Message) {
    let has_trailers = !message.trailers.is_empty();
    stream
        .send_data(Bytes::from(message.content.clone()), !has_trailers)
        .unwrap();
    if has_trailers {
        stream.send_trailers(map(&message.trailers)).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn its_client_and_our_server(exchanges in prop::collection::vec((message(), message()), 1..8)) {
        let (here, there) = duplex(20_000);
        let mut ours = Ours::new(Connection::server(SETTINGS), here);
        let (mut client, connection) = run(&mut ours, h2::client::handshake(there)).unwrap();
        let mut connection = Box::pin(connection);
        for (request, response) in exchanges {
            let uri = format!("https://a.test{}", request.path);
            let mut head = Request::builder().method(&*request.method).uri(uri).body(()).unwrap();
            *head.headers_mut() = map(&request.fields);
            let (answer, mut stream) = client.send_request(head, false).unwrap();
            write(&mut stream, &request);
            let id = u32::from(stream.stream_id());
            // Until all of it has come.
            while !ours.came.get(&id).is_some_and(|(_, is_whole)| *is_whole) {
                let mut context = Context::from_waker(Waker::noop());
                prop_assert!(connection.as_mut().poll(&mut context).is_pending());
                ours.pump();
            }
            let mut expected = request.clone();
            prop_assert_eq!(&ours.came[&id].0, &expected);
            ours.connection.send_response(id, 200, send_fields(&response.fields), false).unwrap();
            ours.sending.insert(id, (response.clone(), 0));
            let mut seen = Message::default();
            run(&mut ours, beside(connection.as_mut(), async {
                let (head, body) = answer.await.unwrap().into_parts();
                seen.fields = listed(&head.headers);
                read(body, &mut seen).await;
            }));
            expected = Message { method: String::new(), path: String::new(), ..response };
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn our_client_and_its_server(exchanges in prop::collection::vec((message(), message()), 1..8)) {
        let (here, there) = duplex(20_000);
        let mut ours = Ours::new(Connection::client(SETTINGS), here);
        let mut server = run(&mut ours, h2::server::handshake(there)).unwrap();
        for (request, response) in exchanges {
            let start = RequestStart {
                method: request.method.as_bytes(),
                scheme: b"https",
                authority: b"a.test",
                path: request.path.as_bytes(),
                protocol: None,
            };
            let id = ours.connection.send_request(&start, send_fields(&request.fields), false).unwrap();
            ours.sending.insert(id, (request.clone(), 0));
            let (head, mut respond) = run(&mut ours, server.accept()).unwrap().unwrap();
            let (head, body) = head.into_parts();
            let mut seen = Message {
                method: head.method.to_string(),
                path: head.uri.path_and_query().unwrap().to_string(),
                fields: listed(&head.headers),
                ..Message::default()
            };
            let idle = std::future::poll_fn(|context| server.poll_closed(context));
            run(&mut ours, beside(idle, read(body, &mut seen)));
            prop_assert_eq!(&seen, &request);
            let mut head = Response::builder().status(404).body(()).unwrap();
            *head.headers_mut() = map(&response.fields);
            write(&mut respond.send_response(head, false).unwrap(), &response);
            while !ours.came.get(&id).is_some_and(|(_, is_whole)| *is_whole) {
                let mut context = Context::from_waker(Waker::noop());
                prop_assert!(server.poll_closed(&mut context).is_pending());
                ours.pump();
            }
            let expected = Message { method: String::new(), path: String::new(), ..response };
            prop_assert_eq!(&ours.came[&id].0, &expected);
        }
    }
}
