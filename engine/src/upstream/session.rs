//! A connection to an origin that carries many exchanges at once.
//!
//! A task of the shard drives it; exchanges hold streams of it. Which session serves which request is
//! decided in `pool`. When nobody holds a handle any more the connection says goodbye.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use sallyport_pki::OriginCertificate;
use sallyport_wire::http1::Scheme;
use sallyport_wire::http2::{Role, TargetForm};

use crate::http2::StreamTransport;
use crate::http2::error_code::NO_ERROR;
use crate::http2::lease::{Lease, SessionState};
use crate::http2::link::Link;
use crate::http2::liveness::unanswered;
use crate::http2::pumps::Pumped;
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
    /// Of all requests on it.
    scheme: Scheme,
    certificate: Option<Rc<OriginCertificate>>,
    link: Rc<Link>,
    state: Rc<SessionState>,
    streams_max: usize,
}

/// Begins HTTP/2 on a connection to an origin, which is driven from now on by a task of its own.
pub(crate) fn start(
    memory: (&Rc<BufferPool>, &Rc<Holders>),
    transport: Transport,
    certificate: Option<Rc<OriginCertificate>>,
    settings: &Settings,
) -> Session {
    let scheme = match transport {
        Transport::Plain(_) | Transport::Stream(_) => Scheme::Http,
        Transport::Tls(_) => Scheme::Https,
    };
    let link = Link::new(memory, Role::Client, settings, TargetForm::Origin(scheme));
    let state = SessionState::new();
    let driver = Driver {
        buffers: Rc::clone(memory.0),
        transport,
        link: Rc::clone(&link),
        state: Rc::clone(&state),
        write_timeout: settings.write_timeout,
        linger: settings.linger,
        pings: settings.pings,
    };
    let (abandoned, ended) = (Rc::clone(&link), Rc::clone(&state));
    let driving = driver.run();
    task::spawn("a connection to an HTTP/2 origin", driving, move || {
        ended.closed.set(true);
        abandoned.abandon();
    });
    Session {
        scheme,
        certificate,
        link,
        state,
        streams_max: settings.upstream_streams,
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.state.orphan();
    }
}

impl Session {
    /// A stream for one exchange, unless there are too many or the session is over.
    pub(crate) fn open(&self, wheel: &Rc<Wheel>) -> Option<StreamTransport> {
        let most = self.streams_max.min(self.link.streams_max());
        if self.state.streams.get() >= most || self.is_closed() {
            return None;
        }
        let lease = Lease::new(&self.state);
        Some(StreamTransport::of_upstream(
            self.scheme,
            lease,
            &self.link,
            wheel,
        ))
    }

    /// The certificate of the origin, if TLS is spoken.
    pub(crate) fn certificate(&self) -> Option<&Rc<OriginCertificate>> {
        self.certificate.as_ref()
    }

    /// Whether no stream can be opened any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.closed.get() || self.link.is_leaving()
    }

    /// Whether it has carried nothing for this long.
    pub(crate) fn is_idle(&self, now: Instant, for_time: Duration) -> bool {
        self.state.streams.get() == 0
            && now.saturating_duration_since(self.state.idle_since.get()) >= for_time
    }

    /// Whether the origin takes WebSockets in streams (RFC 8441 section 3), as far as it has said.
    pub(crate) fn takes_websockets(&self) -> bool {
        self.link.takes_websockets()
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
    async fn run(self) {
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
        let driving = async {
            let mut unanswered = pin!(unanswered(link, *pings, || state.streams.get() > 0));
            let mut is_dead = false;
            poll_fn(|context| {
                link.watch(context);
                if let Some(fault) = link.fault() {
                    tracing::debug!(%fault, "an upstream HTTP/2 connection ended");
                    return Poll::Ready(());
                }
                if !is_dead && unanswered.as_mut().poll(context).is_ready() {
                    is_dead = true;
                    transport.cut();
                }
                // One that was told to go opens no more streams; those that are open go on.
                let is_quiet = state.streams.get() == 0;
                let is_left = link.is_leaving() && is_quiet;
                match state.is_abandoned(context) || is_left || link.is_over() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
            state.closed.set(true);
            link.end(NO_ERROR);
        };
        join(pin!(driving), pin!(link.pump(pumped))).await;
    }
}
