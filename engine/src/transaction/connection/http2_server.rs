//! A client's connection that carries many requests at once (RFC 9113).
//!
//! The connection is one task: the pumps of the link, the codec, and the futures that serve the
//! streams, each polled only when something concerns it. It ends when all of them have: no
//! transaction is dropped, each writes its log line. What a stream's request comes to is decided in
//! `transaction`.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use h2::ext::Protocol;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Method, Request};
use sallyport_wire::http2::{FrameFault, Malformed, ReceivingSide, Refused};

use crate::fair_share::FairShare;
use crate::http2::link::{Link, LinkIo, Pumped};
use crate::http2::liveness::unanswered;
use crate::http2::{HeadFault, Settings, StreamTransport, TargetForm, error_code};
use crate::io::join::{catch_panic, join};
use crate::limits;
use crate::shard::Shard;
use crate::shard::clients::{Limited, Resource, Shared, Slot};
use crate::shard::connections::Registered;
use crate::transaction::tunnel::standing::OpenTunnel;
use crate::transport::Transport;

/// A connection on which a client speaks HTTP/2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientConnection<'a> {
    pub(crate) shard: &'a Shard,
    pub(crate) transport: &'a Transport,
    pub(crate) registered: &'a Registered,
    /// The tunnel that it is in.
    pub(crate) tunnel: Option<&'a OpenTunnel<'a>>,
    pub(crate) form: TargetForm,
}

/// What serves one stream to its end.
pub(crate) type Served<'s> = Pin<Box<dyn Future<Output = ()> + 's>>;

/// What never became a request: a stream that was refused, or the end of a connection.
#[derive(Debug)]
pub(crate) struct NoRequest {
    /// What the client was answered, if it was.
    pub(crate) status: Option<u16>,
    pub(crate) detail: String,
}

impl From<Refused> for NoRequest {
    fn from(refused: Refused) -> Self {
        let stream = refused.stream;
        match refused.code.map(Reason::from) {
            // The codec answers nothing else by itself.
            None => Self {
                status: Some(431),
                detail: format!("stream {stream}: the fields are too large"),
            },
            Some(reason) => Self {
                status: None,
                detail: format!("stream {stream}: reset, {}", error_code::name(reason)),
            },
        }
    }
}

impl NoRequest {
    fn connection(what: impl std::fmt::Display) -> Self {
        Self {
            status: None,
            detail: format!("the HTTP/2 connection was ended: {what}"),
        }
    }
}

/// Serves a connection to its end; `early` was received on it before. `tell` gets what was refused
/// before it was a request.
pub(crate) async fn serve<'s>(
    connection: ClientConnection<'_>,
    early: Vec<u8>,
    serve_stream: impl FnMut(StreamTransport) -> Served<'s>,
    mut tell: impl FnMut(NoRequest),
) {
    let settings = Settings::of(&connection.shard.config());
    let buffers = connection.registered.account().buffers();
    let memory = (buffers, &connection.shard.holders);
    let link = Link::new(memory, ReceivingSide::Server, &settings, early);
    let pumped = Pumped {
        transport: connection.transport,
        pool: connection.registered.account().buffers(),
        write_timeout: settings.write_timeout,
        linger: settings.linger,
        hears_out: false,
    };
    let codec = async {
        link.set_idle(connection.transport, Some(settings.keep_alive));
        let handshake = builder(&settings).handshake::<_, Bytes>(LinkIo(Rc::clone(&link)));
        match handshake.await {
            Ok(mut codec) => {
                let busy = Cell::new(false);
                let ping = codec.ping_pong();
                let mut unanswered = pin!(unanswered(&link, ping, settings.pings, || busy.get()));
                let mut is_dead = false;
                let mut streams = Streams {
                    connection,
                    settings,
                    link: &link,
                    codec: Some(codec),
                    serving: FuturesUnordered::new(),
                    serve_stream,
                    tell,
                    draining: false,
                    ended: false,
                    busy: &busy,
                };
                poll_fn(|context| {
                    if !is_dead && unanswered.as_mut().poll(context).is_ready() {
                        is_dead = true;
                        connection.transport.cut();
                    }
                    streams.poll(context)
                })
                .await;
            }
            Err(error) => {
                tracing::debug!(%error, "no HTTP/2 connection came about");
                if let Some(code) = our_word(&error) {
                    link.say_goaway(FrameFault::Preface);
                    tell(NoRequest::connection(error_code::name(code)));
                }
            }
        }
        link.close();
    };
    join(pin!(codec), pin!(link.pump(pumped))).await;
}

fn builder(settings: &Settings) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(settings.client_streams)
        .initial_window_size(settings.stream_window_bytes)
        .initial_connection_window_size(settings.connection_window_bytes)
        .max_header_list_size(settings.head_bytes_max)
        .max_send_buffer_size(limits::HTTP2_SEND_BUFFER_BYTES)
        .max_concurrent_reset_streams(limits::HTTP2_RESET_STREAMS_KEPT)
        .max_pending_accept_reset_streams(limits::HTTP2_RESET_UNSEEN_MAX)
        .enable_connect_protocol();
    builder
}

/// What it is, if it was this side that found something wrong.
fn our_word(error: &h2::Error) -> Option<Reason> {
    error.reason().filter(|_| error.is_library())
}

/// The codec of a connection and the streams that it has brought.
struct Streams<'a, 's, F, T> {
    connection: ClientConnection<'a>,
    settings: Settings,
    link: &'a Rc<Link>,
    /// `None` once the connection is over.
    codec: Option<Connection<LinkIo, Bytes>>,
    serving: FuturesUnordered<Served<'s>>,
    serve_stream: F,
    tell: T,
    draining: bool,
    /// A fault of the whole connection was told.
    ended: bool,
    /// Whether streams are open.
    busy: &'a Cell<bool>,
}

impl<'s, F, T> Streams<'_, 's, F, T>
where
    F: FnMut(StreamTransport) -> Served<'s>,
    T: FnMut(NoRequest),
{
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.end_early(context);
        self.accept(context);
        while let Some(refused) = self.link.refused() {
            (self.tell)(refused.into());
        }
        while let Poll::Ready(Some(())) = self.serving.poll_next_unpin(context) {}
        let (transport, registered) = (self.connection.transport, self.connection.registered);
        registered.watch_drain(context.waker());
        let is_quiet = self.is_quiet();
        self.busy.set(!is_quiet);
        let idle = is_quiet.then_some(self.settings.keep_alive);
        self.link.set_idle(transport, idle);
        match (self.serving.is_empty(), &self.codec) {
            (true, None) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    /// Whether no stream is open and nothing of one is still to be sent.
    fn is_quiet(&self) -> bool {
        let has_streams = self.codec.as_ref().is_some_and(Connection::has_streams);
        self.serving.is_empty() && !has_streams
    }

    /// Begins the end of a connection whose client asks too much, that was quiet for too long, whose
    /// tunnel is over or whose shard drains.
    fn end_early(&mut self, context: &Context<'_>) {
        let is_quiet = self.is_quiet();
        let tunnel = self.connection.tunnel;
        let is_over = tunnel.is_some_and(|tunnel| !tunnel.look(context));
        let registered = self.connection.registered;
        registered.set_quiet(is_quiet);
        let Some(codec) = &mut self.codec else { return };
        if let Some(fault) = self.link.fault() {
            let client = self.connection.registered.address();
            tracing::info!(%client, %fault, "HTTP/2 connection closed");
            codec.abrupt_shutdown(Reason::from(fault.code()));
            if !self.ended {
                (self.tell)(NoRequest::connection(fault));
            }
            self.ended = true;
        } else if is_quiet && (self.connection.transport.expired() || registered.is_leaving()) {
            codec.abrupt_shutdown(Reason::NO_ERROR);
        } else if is_over || self.connection.shard.is_draining() {
            // RFC 9113 section 6.8: what is open is finished, nothing new is begun.
            match (is_quiet, self.draining) {
                (true, _) => codec.abrupt_shutdown(Reason::NO_ERROR),
                (false, false) => codec.graceful_shutdown(),
                (false, true) => {}
            }
            self.draining = true;
        }
    }

    /// Lets the codec work, and begins to serve the streams that it brings.
    fn accept(&mut self, context: &mut Context<'_>) {
        while let Some(codec) = &mut self.codec {
            match codec.poll_accept(context) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok((request, send)))) => self.begin(request, send),
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(%error, "an HTTP/2 connection failed");
                    if let Some(code) = our_word(&error).filter(|_| !self.ended) {
                        (self.tell)(NoRequest::connection(error_code::name(code)));
                    }
                    self.codec = None;
                }
                Poll::Ready(None) => self.codec = None,
            }
        }
    }

    /// A place among the streams of the shard.
    fn slot(&self) -> Result<Slot, Limited> {
        let shared = {
            let config = self.connection.shard.config();
            Shared {
                key: "http2.streams_per_shard",
                capacity: config.http2.streams_per_shard,
                share: FairShare::new(config.limits.per_client.share),
            }
        };
        let account = self.connection.registered.account();
        account.open_shared(Resource::Stream, shared)
    }

    /// RFC 9113 section 8.7: the client may safely send it again, elsewhere or later.
    fn refuse(&mut self, mut send: SendResponse<Bytes>, why: &str) {
        send.send_reset(Reason::REFUSED_STREAM);
        let detail = format!("stream {}: {why}", u32::from(send.stream_id()));
        (self.tell)(NoRequest {
            status: None,
            detail,
        });
    }

    fn begin(&mut self, request: Request<RecvStream>, mut send: SendResponse<Bytes>) {
        let id = send.stream_id();
        self.link.take(id);
        let malformed = self.link.malformed(id);
        if let Some(malformed) = malformed.filter(|fault| !is_served(&request, *fault)) {
            // RFC 9113 section 8.1.1.
            send.send_reset(Reason::PROTOCOL_ERROR);
            let detail = format!("stream {}: {malformed}", u32::from(id));
            return (self.tell)(NoRequest {
                status: None,
                detail,
            });
        }
        let shard = self.connection.shard;
        // What a client has reset goes on until it is wound up: it may not open more meanwhile.
        let unwound = self.settings.client_streams.saturating_mul(2);
        if self.serving.len() >= usize::try_from(unwound).unwrap_or(usize::MAX) {
            return self.refuse(send, "too many streams that were reset are still served");
        }
        let slot = match self.slot() {
            Ok(slot) => slot,
            Err(limited) => return self.refuse(send, &limited.detail()),
        };
        let form = match malformed {
            Some(Malformed::Fragment) => Err(HeadFault::Fragment),
            _ => Ok(self.connection.form),
        };
        let stream = StreamTransport::of_client(request, send, form, self.link, &shard.wheel);
        let served = (self.serve_stream)(stream);
        self.serving.push(Box::pin(async move {
            if catch_panic(pin!(served)).await.is_err() {
                tracing::error!("a stream panicked: reset");
            }
            drop(slot);
        }));
    }
}

/// Whether a request gets an answer all the same.
fn is_served(request: &Request<RecvStream>, malformed: Malformed) -> bool {
    match malformed {
        // As over HTTP/1.1: 400.
        Malformed::Fragment => true,
        // RFC 9113 section 8.5: a plain CONNECT has no path.
        Malformed::NoPath => {
            *request.method() == Method::CONNECT && request.extensions().get::<Protocol>().is_none()
        }
        Malformed::Trailers | Malformed::RequestField => false,
    }
}
