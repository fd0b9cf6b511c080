//! The accept loops of a shard: take a connection in, or refuse it with a word.

use std::cell::RefCell;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener as StdListener};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use monoio::net::{TcpListener, TcpStream};

use crate::io::deadline::shut_down;
use crate::io::join::catch_panic;
use crate::io::socket::Socket;
use crate::io::task;
use crate::listener::tls::ListenerTls;
use crate::proxy_error::ProxyError;
use crate::shard::Shard;
use crate::shard::clients::Limited;
use crate::shard::connections::Registered;
use crate::shard::exhaustion::is_want_of_descriptors;
use crate::tls::stream::HandshakeError;
use crate::transaction::{self, Arrived, Client, ListenerName, Proxy, Unasked, Unused};
use crate::transport::Transport;

/// A socket that listens already.
#[derive(Debug)]
pub(crate) struct BoundListener {
    pub(crate) address: SocketAddr,
    /// The address as the configuration has it, which may leave the port open.
    pub(crate) configured: SocketAddr,
    pub(crate) socket: StdListener,
}

/// The accept loops of one shard.
#[derive(Debug)]
pub(crate) struct Listeners {
    listeners: Vec<(RawFd, StdListener, Rc<Entrance>)>,
}

/// What the connections of one listener have in common.
#[derive(Debug)]
struct Entrance {
    name: ListenerName,
    /// How it speaks TLS, if it does.
    tls: Option<ListenerTls>,
}

/// Pause after the kernel could not give a connection, so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

impl Listeners {
    /// Starts one accept loop per socket. A loop is never raced against anything else: a dropped
    /// accept leaks what it accepted.
    pub(crate) fn start(proxy: &Rc<Proxy>, bound: Vec<BoundListener>) -> io::Result<Self> {
        let mut listeners = Vec::new();
        for BoundListener {
            address,
            configured,
            socket,
        } in bound
        {
            let entrance = Rc::new(Entrance {
                name: address.to_string().into(),
                tls: ListenerTls::of(&proxy.shard, configured),
            });
            let rest = socket.try_clone()?;
            let listener = TcpListener::from_std(socket)?;
            listeners.push((listener.as_raw_fd(), rest, Rc::clone(&entrance)));
            let proxy = Rc::clone(proxy);
            monoio::spawn(async move {
                while let Err(panic) =
                    catch_panic(pin!(accept_loop(&proxy, &listener, &entrance))).await
                {
                    task::tell("accepting connections", &*panic);
                    monoio::time::sleep(ACCEPT_PAUSE).await;
                }
            });
        }
        let listeners = Self { listeners };
        listeners.look_after(&proxy.shard);
        Ok(listeners)
    }

    /// Has the kernel look after the connections that are accepted from now on.
    pub(crate) fn look_after(&self, shard: &Shard) {
        let liveness = shard.snapshot().liveness;
        for (_, socket, _) in &self.listeners {
            if let Err(error) = liveness.apply(socket) {
                tracing::warn!(%error, "clients that vanish will be noticed late (tcp)");
            }
        }
    }

    /// Stops listening, after serving what the kernel had already accepted for us.
    pub(crate) fn stop(&self, proxy: &Rc<Proxy>) {
        for (descriptor, rest, entrance) in &self.listeners {
            while let Ok((stream, peer)) = rest.accept() {
                // The epoll driver takes it for granted, the ring does not mind.
                let stream = stream.set_nonblocking(true).map(|()| stream);
                match stream.and_then(TcpStream::from_std) {
                    Ok(stream) => admit(proxy, stream, peer, entrance),
                    Err(error) => tracing::warn!(%error, "an accepted connection was lost"),
                }
            }
            shut_down(*descriptor, Shutdown::Both);
        }
    }
}

async fn accept_loop(proxy: &Rc<Proxy>, listener: &TcpListener, entrance: &Rc<Entrance>) {
    let spare = RefCell::new(SpareDescriptor::new());
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(proxy, stream, peer, entrance),
            Err(_) if proxy.shard.is_draining() => return,
            Err(error) if is_want_of_descriptors(&error) => {
                if !proxy.make_descriptors().await {
                    proxy.shard.exhaustion.refused();
                    refuse_one(listener, &spare);
                    monoio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                monoio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(proxy: &Rc<Proxy>, stream: TcpStream, peer: SocketAddr, entrance: &Rc<Entrance>) {
    // Small exchanges must not wait for each other's acknowledgments; failure costs only speed.
    let _ = stream.set_nodelay(true);
    let registered = {
        let config = proxy.shard.config();
        proxy
            .shard
            .connections
            .register(peer.ip(), stream.as_raw_fd(), &config.limits)
    };
    let socket = Socket::new(stream, &proxy.shard.wheel);
    match registered {
        Ok(registered) => {
            let (proxy, entrance) = (Rc::clone(proxy), Rc::clone(entrance));
            monoio::spawn(async move {
                let served = pin!(serve(&proxy, socket, registered, peer, &entrance));
                if let Err(panic) = catch_panic(served).await {
                    task::tell(&format!("the connection of {peer}"), &*panic);
                }
            });
        }
        Err(limited) => {
            // Nothing can be said in the clear where TLS is spoken.
            let is_told = entrance.tls.is_none();
            arrival(&proxy.shard, peer, entrance).failed(Unused {
                status: is_told.then(|| limited.status()),
                error: ProxyError::ConnectionLimitReached,
                detail: &limited.detail(),
            });
            if is_told {
                let refusing = async move { refuse(socket, limited).await };
                task::spawn("refusing a connection", refusing, || {});
            }
        }
    }
}

async fn serve(
    proxy: &Rc<Proxy>,
    socket: Socket,
    registered: Registered,
    peer: SocketAddr,
    entrance: &Entrance,
) {
    let arrived = arrival(&proxy.shard, peer, entrance);
    let (mut transport, mut identity) = (Rc::new(Transport::Plain(socket)), None);
    if let Some(tls) = &entrance.tls {
        // Boxed: it is gone before the connection's long life begins.
        match Box::pin(tls.secure(&proxy.shard, &registered, Rc::clone(&transport))).await {
            Ok(secured) => (transport, identity) = (secured.transport, Some(secured.identity)),
            Err(error) => {
                tell_failed_handshake(&arrived, &transport, &error);
                drop(registered);
                return;
            }
        }
    }
    let name = Rc::clone(&entrance.name);
    let arrived = Arrived {
        id: arrived.id,
        address: peer,
        began: arrived.began,
    };
    let client = Client::new(proxy, transport, registered, arrived, name, identity);
    transaction::serve(client).await;
}

/// A connection of which nothing more is known yet.
fn arrival<'a>(shard: &'a Shard, client: SocketAddr, entrance: &'a Entrance) -> Unasked<'a> {
    Unasked {
        shard,
        id: shard.connection_id(),
        client,
        listener: &entrance.name,
        began: Instant::now(),
    }
}

fn tell_failed_handshake(arrived: &Unasked<'_>, carrier: &Transport, error: &HandshakeError) {
    let unused = |error, detail| Unused {
        status: None,
        error,
        detail,
    };
    if carrier.bytes_in() == 0 {
        let detail = "the client sent nothing";
        return arrived.unused(unused(ProxyError::ConnectionTerminated, detail));
    }
    let said;
    arrived.failed(match error {
        _ if carrier.expired() => {
            let detail = "the client took too long for the TLS handshake";
            unused(ProxyError::ConnectionReadTimeout, detail)
        }
        HandshakeError::Connection(_) => {
            let detail = "the client closed the connection within the TLS handshake";
            unused(ProxyError::ConnectionTerminated, detail)
        }
        HandshakeError::Tls(fault) => {
            let token = match error.alert() {
                Some(_) => ProxyError::TlsAlertReceived,
                None => ProxyError::TlsProtocolError,
            };
            said = format!("the TLS handshake with the client failed: {fault}");
            unused(token, &said)
        }
    });
}

/// Tells a client that it cannot be served now.
async fn refuse(socket: Socket, limited: Limited) {
    socket.arm(Duration::from_secs(1));
    let reply = match limited.status() {
        429 => TOO_MANY,
        _ => UNAVAILABLE,
    };
    let _ = socket.write_all(reply.to_vec()).await;
    socket.shut_down(Shutdown::Write);
    // Reading what the client sends keeps a reset from overtaking the reply.
    let (_, _) = socket.read_after(Vec::with_capacity(4096), 0).await;
}

const TOO_MANY: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain; charset=utf-8\r\n\
Retry-After: 1\r\nProxy-Status: sallyport; error=connection_limit_reached\r\nConnection: close\r\n\
Content-Length: 28\r\n\r\nToo many client connections\n";
const UNAVAILABLE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
Retry-After: 1\r\nProxy-Status: sallyport; error=connection_limit_reached\r\nConnection: close\r\n\
Content-Length: 21\r\n\r\nThe proxy is at work\n";

/// A descriptor held back for the moment when there are none left.
struct SpareDescriptor(Option<std::fs::File>);

impl SpareDescriptor {
    fn new() -> Self {
        Self(std::fs::File::open("/dev/null").ok())
    }
}

/// Out of descriptors, a waiting client would hang: with the spare one it gets a 503.
fn refuse_one(listener: &TcpListener, spare: &RefCell<SpareDescriptor>) {
    drop(spare.borrow_mut().0.take());
    if let Ok(descriptor) = nix::sys::socket::accept(listener.as_raw_fd()) {
        let _ = nix::sys::socket::send(
            descriptor,
            UNAVAILABLE,
            nix::sys::socket::MsgFlags::MSG_DONTWAIT,
        );
        let _ = nix::unistd::close(descriptor);
    }
    *spare.borrow_mut() = SpareDescriptor::new();
}
