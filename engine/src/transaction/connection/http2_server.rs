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

use futures_util::stream::{FuturesUnordered, StreamExt};
use sallyport_wire::http2::{Role, TargetForm};

use crate::fair_share::FairShare;
use crate::http2::error_code::{NO_ERROR, REFUSED_STREAM};
use crate::http2::link::{Arrival, Link, words};
use crate::http2::liveness::unanswered;
use crate::http2::pumps::Pumped;
use crate::http2::{Settings, StreamTransport};
use crate::io::join::{catch_panic, join};
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
    pub(crate) detail: String,
}

impl NoRequest {
    fn connection(what: impl std::fmt::Display) -> Self {
        Self {
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
    tell: impl FnMut(NoRequest),
) {
    let settings = Settings::of(&connection.shard.config());
    let buffers = connection.registered.account().buffers();
    let memory = (buffers, &connection.shard.holders);
    let link = Link::new(memory, Role::Server, &settings, connection.form);
    let pumped = Pumped {
        transport: connection.transport,
        pool: connection.registered.account().buffers(),
        write_timeout: settings.write_timeout,
        linger: settings.linger,
        hears_out: false,
    };
    let driving = async {
        link.set_idle(connection.transport, Some(settings.keep_alive));
        link.take(&early);
        drop(early);
        let busy = Cell::new(false);
        let mut unanswered = pin!(unanswered(&link, settings.pings, || busy.get()));
        let mut is_dead = false;
        let mut streams = Streams {
            connection,
            settings,
            link: &link,
            serving: FuturesUnordered::new(),
            serve_stream,
            tell,
            draining: false,
            over: false,
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
        link.close();
    };
    join(pin!(driving), pin!(link.pump(pumped))).await;
}

/// A connection and the streams that it has brought.
struct Streams<'a, 's, F, T> {
    connection: ClientConnection<'a>,
    settings: Settings,
    link: &'a Rc<Link>,
    serving: FuturesUnordered<Served<'s>>,
    serve_stream: F,
    tell: T,
    draining: bool,
    /// Nothing more comes, and leave was taken.
    over: bool,
    /// Whether streams are open.
    busy: &'a Cell<bool>,
}

impl<'s, F, T> Streams<'_, 's, F, T>
where
    F: FnMut(StreamTransport) -> Served<'s>,
    T: FnMut(NoRequest),
{
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.link.watch(context);
        self.accept();
        self.end_early(context);
        while let Some(refused) = self.link.refused() {
            (self.tell)(NoRequest {
                detail: words(refused),
            });
        }
        while let Poll::Ready(Some(())) = self.serving.poll_next_unpin(context) {}
        let (transport, registered) = (self.connection.transport, self.connection.registered);
        registered.watch_drain(context.waker());
        let is_quiet = self.is_quiet();
        self.busy.set(!is_quiet);
        let idle = is_quiet.then_some(self.settings.keep_alive);
        self.link.set_idle(transport, idle);
        // What has ended may have been waited for.
        self.end_early(context);
        match self.over && self.serving.is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Whether no stream is open.
    fn is_quiet(&self) -> bool {
        self.serving.is_empty() && self.link.streams_count() == 0
    }

    /// Begins the end of a connection whose client asks too much or is gone, that was quiet for too long,
    /// whose tunnel is over or whose shard drains.
    fn end_early(&mut self, context: &Context<'_>) {
        let is_quiet = self.is_quiet();
        let tunnel = self.connection.tunnel;
        let is_left = tunnel.is_some_and(|tunnel| !tunnel.look(context));
        let registered = self.connection.registered;
        registered.set_quiet(is_quiet);
        if self.over {
            return;
        }
        if let Some(fault) = self.link.fault() {
            let client = registered.address();
            tracing::info!(%client, %fault, "HTTP/2 connection closed");
            (self.tell)(NoRequest::connection(fault));
            self.end();
            return;
        }
        let is_left_alone = self.connection.transport.expired() || registered.is_leaving();
        if self.link.is_over() || (is_quiet && is_left_alone) {
            self.end();
        } else if is_left || self.connection.shard.is_draining() {
            // RFC 9113 section 6.8: what is open is finished, nothing new is begun.
            match (is_quiet, self.draining) {
                (true, _) => self.end(),
                (false, false) => self.link.drain(),
                (false, true) => {}
            }
            self.draining = true;
        }
    }

    fn end(&mut self) {
        self.over = true;
        self.link.end(NO_ERROR);
    }

    /// Begins to serve the streams that have come.
    fn accept(&mut self) {
        while let Some(arrival) = self.link.arrival() {
            self.begin(arrival);
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
    fn refuse(&mut self, arrival: &Arrival, why: &str) {
        let detail = format!("stream {}: {why}", arrival.stream());
        self.link.refuse(arrival, REFUSED_STREAM);
        (self.tell)(NoRequest { detail });
    }

    fn begin(&mut self, arrival: Arrival) {
        // What a client has reset goes on until it is wound up: it may not open more meanwhile.
        let unwound = self.settings.client_streams.saturating_mul(2);
        if self.serving.len() >= usize::try_from(unwound).unwrap_or(usize::MAX) {
            let why = "too many streams that were reset are still served";
            return self.refuse(&arrival, why);
        }
        let slot = match self.slot() {
            Ok(slot) => slot,
            Err(limited) => return self.refuse(&arrival, &limited.detail()),
        };
        let wheel = &self.connection.shard.wheel;
        let stream = StreamTransport::of_client(arrival, self.link, wheel);
        let served = (self.serve_stream)(stream);
        self.serving.push(Box::pin(async move {
            if catch_panic(pin!(served)).await.is_err() {
                tracing::error!("a stream panicked: reset");
            }
            drop(slot);
        }));
    }
}
