//! A connection to an origin that carries many exchanges at once.
//!
//! A task of the shard drives it; exchanges hold streams of it. Which session serves which request is
//! decided in `pool`. When nobody holds a handle any more the connection says goodbye.

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use sallyport_pki::OriginCertificate;
use sallyport_wire::http1::Scheme;
use sallyport_wire::http2::ReceivingSide;

use crate::http2::StreamTransport;
use crate::http2::error_code;
use crate::http2::lease::{Lease, SessionState};
use crate::http2::link::{Link, LinkIo, Pumped};
use crate::http2::liveness::unanswered;
use crate::http2::{Holders, Pings, Settings};
use crate::io::buffers::BufferPool;
use crate::io::deadline::Wheel;
use crate::io::join::join;
use crate::io::task;
use crate::io::timer;
use crate::limits::HTTP2_SETTINGS_TIMEOUT;
use crate::transport::Transport;

/// A handle to an HTTP/2 connection of the pool.
#[derive(Debug)]
pub(crate) struct Session {
    send: SendRequest<Bytes>,
    /// Of all requests on it.
    scheme: Scheme,
    certificate: Option<Rc<OriginCertificate>>,
    link: Rc<Link>,
    state: Rc<SessionState>,
    streams_max: usize,
}

/// Begins HTTP/2 on a connection to an origin, which is driven from now on by a task of its own.
///
/// # Errors
/// What the origin did; the connection is closed then.
pub(crate) async fn start(
    (buffers, holders): (&Rc<BufferPool>, &Rc<Holders>),
    transport: Transport,
    certificate: Option<Rc<OriginCertificate>>,
    settings: &Settings,
) -> Result<Session, String> {
    let scheme = match transport {
        Transport::Plain(_) | Transport::Stream(_) => Scheme::Http,
        Transport::Tls(_) => Scheme::Https,
    };
    let link = Link::new(
        (buffers, holders),
        ReceivingSide::Client,
        settings,
        Vec::new(),
    );
    let (send, connection) = builder(settings)
        .handshake::<_, Bytes>(LinkIo(Rc::clone(&link)))
        .await
        .map_err(|error| {
            let fault = error_code::of_origin(&error);
            fault.unwrap_or_else(|| "the origin closed its connection as HTTP/2 began".to_owned())
        })?;
    let state = SessionState::new();
    let driver = Driver {
        buffers: Rc::clone(buffers),
        transport,
        link: Rc::clone(&link),
        state: Rc::clone(&state),
        write_timeout: settings.write_timeout,
        linger: settings.linger,
        pings: settings.pings,
    };
    let (abandoned, ended) = (Rc::clone(&link), Rc::clone(&state));
    let driving = driver.run(connection);
    task::spawn("a connection to an HTTP/2 origin", driving, move || {
        ended.closed.set(true);
        abandoned.abandon();
    });
    Ok(Session {
        send,
        scheme,
        certificate,
        link,
        state,
        streams_max: settings.upstream_streams,
    })
}

fn builder(settings: &Settings) -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(settings.stream_window_bytes)
        .initial_connection_window_size(settings.upstream_window_bytes())
        .max_header_list_size(settings.head_bytes_max)
        .max_send_buffer_size(crate::limits::HTTP2_SEND_BUFFER_BYTES)
        .max_concurrent_reset_streams(crate::limits::HTTP2_RESET_STREAMS_KEPT);
    builder
}

impl Session {
    /// A stream for one exchange, unless there are too many or the session is over.
    pub(crate) fn open(&self, wheel: &Rc<Wheel>) -> Option<StreamTransport> {
        let most = self.streams_max.min(self.send.current_max_send_streams());
        let streams = self.state.streams.get();
        if streams >= most || self.is_closed() {
            return None;
        }
        let lease = Lease::new(&self.state);
        Some(StreamTransport::of_upstream(
            self.send.clone(),
            self.scheme,
            &self.link,
            lease,
            wheel,
        ))
    }

    /// The certificate of the origin, if TLS is spoken.
    pub(crate) fn certificate(&self) -> Option<&Rc<OriginCertificate>> {
        self.certificate.as_ref()
    }

    /// Whether no stream can be opened any more.
    pub(crate) fn is_closed(&self) -> bool {
        // After a GOAWAY the codec takes no more requests; it never waits for anything here.
        let mut context = Context::from_waker(Waker::noop());
        let ready = self.send.clone().poll_ready(&mut context);
        self.state.closed.get() || matches!(ready, Poll::Ready(Err(_)))
    }

    /// Whether it has carried nothing for this long.
    pub(crate) fn is_idle(&self, now: Instant, for_time: Duration) -> bool {
        self.state.streams.get() == 0
            && now.saturating_duration_since(self.state.idle_since.get()) >= for_time
    }

    /// Whether the origin takes WebSockets in streams (RFC 8441 section 3), as far as it has said.
    pub(crate) fn takes_websockets(&self) -> bool {
        self.send.is_extended_connect_protocol_enabled()
    }

    /// Waits until the origin has sent its settings, which usually come with its first bytes.
    pub(crate) async fn settled(&self) {
        // Waiting changes nothing, so it may be dropped.
        let _ = timer::timeout(HTTP2_SETTINGS_TIMEOUT, self.link.begun()).await;
    }
}

/// The task behind a session.
struct Driver {
    buffers: Rc<BufferPool>,
    transport: Transport,
    link: Rc<Link>,
    state: Rc<SessionState>,
    write_timeout: Duration,
    linger: Duration,
    pings: Pings,
}

impl Driver {
    async fn run(self, mut connection: Connection<LinkIo, Bytes>) {
        let Self {
            buffers,
            transport,
            link,
            state,
            write_timeout,
            linger,
            pings,
        } = &self;
        let pumped = Pumped {
            transport,
            pool: buffers,
            write_timeout: *write_timeout,
            linger: *linger,
            hears_out: true,
        };
        let codec = async {
            let ping = connection.ping_pong();
            let mut unanswered = pin!(unanswered(link, ping, *pings, || state.streams.get() > 0));
            let mut is_dead = false;
            let outcome = std::future::poll_fn(|context| {
                if let Some(fault) = link.fault() {
                    link.say_goaway(fault);
                    return Poll::Ready(Err(fault.to_string()));
                }
                if !is_dead && unanswered.as_mut().poll(context).is_ready() {
                    is_dead = true;
                    transport.cut();
                }
                // A session that was told to go opens no more streams; those that are open go on.
                let polled = Pin::new(&mut connection).poll(context);
                polled.map_err(|error| error.to_string())
            })
            .await;
            if let Err(error) = outcome {
                tracing::debug!(%error, "an upstream HTTP/2 connection ended");
            }
            state.closed.set(true);
            drop(connection);
            link.close();
        };
        join(pin!(codec), pin!(link.pump(pumped))).await;
    }
}
