//! The accept loops of a shard: take a connection in, or refuse it with a word.

use std::cell::RefCell;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener as StdListener};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use monoio::net::{TcpListener, TcpStream};

use crate::client::{Arrival, Peer};
use crate::clock;
use crate::config::checked::ProxyProtocol;
use crate::io::join::catch_panic;
use crate::io::line::{Line, shut_down};
use crate::io::socket::Socket;
use crate::io::task;
use crate::io::timer;
use crate::listener::proxy_protocol::{Announced, Expected, NotAnnounced, receive};
use crate::listener::tls::ListenerTls;
use crate::observe::ListenerIndex;
use crate::proxy_error::ProxyError;
use crate::shard::Shard;
use crate::shard::clients::Limited;
use crate::shard::connections::Registered;
use crate::shard::exhaustion::is_want_of_descriptors;
use crate::tls::stream::HandshakeError;
use crate::tls::words::tls_fault;
use crate::transaction::{self, Arrived, Client, ListenerName, Proxy, Unasked, Unused};
use crate::transport::Transport;
use crate::transport::read_buffer::ReadBuffer;

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
pub(crate) struct Entrance {
    name: ListenerName,
    /// Its place in the configuration.
    index: ListenerIndex,
    /// What identifies it in the configuration.
    configured: SocketAddr,
    /// How it speaks TLS, if it does.
    tls: Option<ListenerTls>,
    /// Who may say for whom it connects, if anybody may.
    proxy_protocol: RefCell<Option<Rc<ProxyProtocol>>>,
}

impl Entrance {
    /// That of a listener at `address`, which the configuration knows as `configured`.
    pub(crate) fn new(
        shard: &Shard,
        index: ListenerIndex,
        address: SocketAddr,
        configured: SocketAddr,
    ) -> Self {
        Self {
            name: address.to_string().into(),
            index,
            configured,
            tls: ListenerTls::of(shard, configured),
            proxy_protocol: RefCell::default(),
        }
    }

    /// Takes up what the present configuration says, should it speak of this listener.
    fn adopt(&self, shard: &Shard) {
        let config = shard.config();
        let mut listeners = config.listeners.iter();
        if let Some(listener) = listeners.find(|one| one.address == self.configured) {
            let policy = listener.proxy_protocol.clone();
            self.proxy_protocol.replace(policy.map(Rc::new));
        }
    }
}

/// Pause after the kernel could not give a connection, so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

impl Listeners {
    /// Starts one accept loop per socket. A loop is never raced against anything else: a dropped
    /// accept leaks what it accepted.
    pub(crate) fn start(proxy: &Rc<Proxy>, bound: Vec<BoundListener>) -> io::Result<Self> {
        let mut listeners = Vec::new();
        for (index, bound) in bound.into_iter().enumerate() {
            let BoundListener {
                address,
                configured,
                socket,
            } = bound;
            let index = ListenerIndex(index);
            let entrance = Rc::new(Entrance::new(&proxy.shard, index, address, configured));
            let rest = socket.try_clone()?;
            let listener = TcpListener::from_std(socket)?;
            listeners.push((listener.as_raw_fd(), rest, Rc::clone(&entrance)));
            let proxy = Rc::clone(proxy);
            task::start(async move {
                while let Err(panic) =
                    catch_panic(pin!(accept_loop(&proxy, &listener, &entrance))).await
                {
                    task::tell("accepting connections", &*panic);
                    timer::sleep(ACCEPT_PAUSE).await;
                }
            });
        }
        let listeners = Self { listeners };
        listeners.adopt(&proxy.shard);
        Ok(listeners)
    }

    /// No listener at all.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        let listeners = Vec::new();
        Self { listeners }
    }

    /// Has the connections that are accepted from now on follow the present configuration: the kernel looks
    /// after them, and some are believed to connect for others.
    pub(crate) fn adopt(&self, shard: &Shard) {
        let liveness = shard.snapshot().liveness;
        for (_, socket, entrance) in &self.listeners {
            entrance.adopt(shard);
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
                    Ok(stream) => admit(proxy, Line::new(stream), peer, entrance),
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
            Ok((stream, peer)) => admit(proxy, Line::new(stream), peer, entrance),
            Err(_) if proxy.shard.is_draining() => return,
            Err(error) if is_want_of_descriptors(&error) => {
                if !proxy.make_descriptors().await {
                    proxy.shard.exhaustion.refused();
                    refuse_one(listener, &spare);
                    timer::sleep(ACCEPT_PAUSE).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                timer::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Takes a connection in, or refuses it.
pub(crate) fn admit(proxy: &Rc<Proxy>, line: Line, peer: SocketAddr, entrance: &Rc<Entrance>) {
    proxy.shard.metrics.connections.count((entrance.index,));
    let policy = entrance.proxy_protocol.borrow();
    let expected = match &*policy {
        None => None,
        Some(policy) => match Expected::of(policy, peer.ip()) {
            Ok(expected) => Some(expected),
            Err(refused) => {
                let arrived = arrival(&proxy.shard, peer, entrance);
                return tell_not_announced(&arrived, &refused);
            }
        },
    };
    let registered = {
        let config = proxy.shard.config();
        let connections = &proxy.shard.connections;
        let (address, descriptor) = (peer.ip(), line.number());
        match expected {
            None | Some(Expected::NoHeader) => {
                connections.register(address, descriptor, &config.limits)
            }
            Some(Expected::Any | Expected::Header) => {
                connections.register_unnamed(address, descriptor, &config.limits)
            }
        }
    };
    let socket = Socket::new(line, &proxy.shard.wheel, &proxy.shard.client_traffic);
    match registered {
        Ok(registered) => {
            let (proxy, entrance) = (Rc::clone(proxy), Rc::clone(entrance));
            let accepted = Accepted {
                registered,
                peer,
                expected,
            };
            task::start(async move {
                let served = pin!(serve(&proxy, socket, accepted, &entrance));
                if let Err(panic) = catch_panic(served).await {
                    task::tell(&format!("the connection of {peer}"), &*panic);
                }
            });
        }
        Err(limited) => {
            tell_limited(&arrival(&proxy.shard, peer, entrance), entrance, limited);
            if entrance.tls.is_none() {
                let refusing = async move { refuse(&socket, limited).await };
                task::spawn("refusing a connection", refusing, || {});
            }
        }
    }
}

/// A connection that there is room for.
struct Accepted {
    registered: Registered,
    /// Who is at the other end of its socket.
    peer: SocketAddr,
    /// What has to come before anything else, on a listener where the PROXY protocol is spoken.
    expected: Option<Expected>,
}

async fn serve(proxy: &Rc<Proxy>, socket: Socket, accepted: Accepted, entrance: &Entrance) {
    let Accepted {
        mut registered,
        peer,
        expected,
    } = accepted;
    let mut arrived = arrival(&proxy.shard, peer, entrance);
    let (mut transport, mut identity) = (Rc::new(Transport::Plain(socket)), None);
    let (mut input, mut endpoint, mut header_bytes) = (ReadBuffer::default(), None, 0);
    if let Some(expected) = expected {
        // Boxed, as it is gone before the connection's long life begins.
        let carried = (&*transport, &mut input);
        match Box::pin(name(&proxy.shard, &mut registered, carried, expected)).await {
            Ok(announced) => {
                arrived.client = announced.client.unwrap_or(peer);
                (endpoint, header_bytes) = (announced.endpoint, announced.bytes);
            }
            Err(unnamed) => {
                discard(&mut input, &registered);
                refuse_unnamed(arrived, entrance, &transport, unnamed).await;
                drop(registered);
                return;
            }
        }
    }
    if let Some(tls) = &entrance.tls {
        let early = input.unread().to_vec();
        discard(&mut input, &registered);
        let carried = (Rc::clone(&transport), early);
        // Boxed for the same reason.
        match Box::pin(tls.secure(&proxy.shard, &registered, carried)).await {
            Ok(secured) => (transport, identity) = (secured.transport, Some(secured.identity)),
            Err(error) => {
                tell_failed_handshake(&arrived, (&transport, header_bytes), &error);
                drop(registered);
                return;
            }
        }
    }
    let arrived = Arrived {
        id: arrived.id,
        address: arrived.client,
        began: arrived.began,
        listener: Rc::clone(&entrance.name),
        listener_index: entrance.index,
        peer: Peer::new(Arrival {
            listener: entrance.configured,
            address: arrived.client.ip(),
            endpoint,
            certificate: identity,
        }),
    };
    let client = Client::new(proxy, (transport, input), registered, arrived);
    transaction::serve(client).await;
}

/// Why a connection is not served for anybody.
enum Unnamed {
    NotAnnounced(NotAnnounced),
    /// The client that it is for has too many.
    Limited(Option<SocketAddr>, Limited),
}

/// Learns for whom a connection is, and has it count for them.
async fn name(
    shard: &Shard,
    registered: &mut Registered,
    carried: (&Transport, &mut ReadBuffer),
    expected: Expected,
) -> Result<Announced, Unnamed> {
    let announced = receive(shard, registered, carried, expected).await;
    let announced = announced.map_err(Unnamed::NotAnnounced)?;
    if expected != Expected::NoHeader {
        let client = announced.client;
        let address = client.map_or_else(|| registered.address(), |client| client.ip());
        let renamed = registered.rename(address, &shard.config().limits);
        renamed.map_err(|limited| Unnamed::Limited(client, limited))?;
    }
    Ok(announced)
}

/// Ends a connection that is not served for anybody.
async fn refuse_unnamed(
    mut arrived: Unasked<'_>,
    entrance: &Entrance,
    transport: &Transport,
    unnamed: Unnamed,
) {
    match unnamed {
        Unnamed::NotAnnounced(refused) => tell_not_announced(&arrived, &refused),
        Unnamed::Limited(client, limited) => {
            arrived.client = client.unwrap_or(arrived.client);
            tell_limited(&arrived, entrance, limited);
            if let Transport::Plain(socket) = transport
                && entrance.tls.is_none()
            {
                refuse(socket, limited).await;
            }
        }
    }
}

fn tell_not_announced(arrived: &Unasked<'_>, refused: &NotAnnounced) {
    refused.count(arrived.client.ip(), arrived.listener);
    let (error, detail) = refused.told();
    let unused = Unused {
        status: None,
        error,
        detail: &detail,
    };
    match refused {
        NotAnnounced::Unused => arrived.unused(unused),
        _ => arrived.failed(unused),
    }
}

fn tell_limited(arrived: &Unasked<'_>, entrance: &Entrance, limited: Limited) {
    arrived.shard.metrics.limits_hit.count((limited.limit(),));
    // Nothing can be said in the clear where TLS is spoken.
    let status = entrance.tls.is_none().then(|| limited.status());
    arrived.failed(Unused {
        status,
        error: ProxyError::ConnectionLimitReached,
        detail: &limited.detail(),
    });
}

/// Gives back what the first bytes of a connection came in.
fn discard(input: &mut ReadBuffer, registered: &Registered) {
    input.consume(usize::MAX);
    input.release(registered.account().buffers());
}

/// A connection of which nothing more is known yet.
fn arrival<'a>(shard: &'a Shard, client: SocketAddr, entrance: &'a Entrance) -> Unasked<'a> {
    Unasked {
        shard,
        id: shard.connection_id(),
        client,
        listener: &entrance.name,
        began: clock::now(),
    }
}

/// Tells of a handshake over `carrier`, in front of which `header_bytes` came from somebody else.
fn tell_failed_handshake(
    arrived: &Unasked<'_>,
    (carrier, header_bytes): (&Transport, u64),
    error: &HandshakeError,
) {
    let unused = |error, detail| Unused {
        status: None,
        error,
        detail,
    };
    if carrier.bytes_in() == header_bytes {
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
            let fault = tls_fault(fault);
            said = format!("the TLS handshake with the client failed: {fault}");
            unused(token, &said)
        }
    });
}

/// Tells a client that it cannot be served now.
async fn refuse(socket: &Socket, limited: Limited) {
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
