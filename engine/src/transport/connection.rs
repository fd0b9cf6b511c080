//! A connection as sessions, exchanges and tunnels see it: bytes in, bytes out, a deadline, an end.
//!
//! Whether they travel in the clear is decided where the connection is made, and is nobody's concern
//! after that.

use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::time::Duration;

use sallyport_wire::http2::RequestFault;

use crate::http2::{Declined, OutboundHead, StreamTransport};
use crate::io::deadline::Deadline;
use crate::io::socket::Socket;
use crate::io::tcp_info::TcpInfo;
use crate::tls::configs::ALPN_HTTP2;
use crate::tls::stream::TlsStream;

/// TLS over a connection.
pub(crate) type TlsConnection = TlsStream<Transport>;

/// One connection, owned by one task; reading and writing may go on side by side.
#[expect(
    clippy::large_enum_variant,
    reason = "most connections are plain: a box would cost each of them an allocation"
)]
#[derive(Debug)]
pub(crate) enum Transport {
    /// Bytes as the kernel gives them.
    Plain(Socket),
    /// TLS over another connection.
    Tls(Box<TlsConnection>),
    /// One exchange of an HTTP/2 connection: typed heads, content without framing.
    Stream(Box<StreamTransport>),
}

/// What is beneath all TLS of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bottom<'a> {
    Socket(&'a Socket),
    Stream(&'a StreamTransport),
}

impl Transport {
    /// The deadline of whatever is at the bottom.
    fn deadline(&self) -> &Deadline {
        match self {
            Self::Plain(socket) => socket.deadline(),
            Self::Tls(stream) => stream.carrier().deadline(),
            Self::Stream(stream) => stream.deadline(),
        }
    }

    /// Waits until a client no longer wants what it asked for. Only streams can say so while nothing
    /// is read from them or written to them; may be dropped.
    pub(crate) async fn gone(&self) {
        match self {
            Self::Plain(_) | Self::Tls(_) => std::future::pending().await,
            Self::Stream(stream) => stream.gone().await,
        }
    }

    /// What carries the bytes in the end.
    pub(crate) fn bottom(&self) -> Bottom<'_> {
        match self {
            Self::Plain(socket) => Bottom::Socket(socket),
            Self::Tls(stream) => stream.carrier().bottom(),
            Self::Stream(stream) => Bottom::Stream(stream),
        }
    }

    /// Sends a few bytes if they can be sent at once; must not be called while a write is under way, and
    /// not unless the socket at the bottom is writable, as the connection is broken by what is sent in
    /// part. Says whether they were sent.
    pub(crate) fn send_now(&self, data: &[u8]) -> bool {
        match self {
            Self::Plain(socket) => socket.send_now(data),
            Self::Tls(stream) => stream.send_now(data),
            Self::Stream(_) => false,
        }
    }

    /// Whether both sides have agreed on HTTP/2 in their TLS handshake.
    pub(crate) fn speaks_http2(&self) -> bool {
        self.tls()
            .is_some_and(|tls| tls.with_common(|common| common.alpn_protocol() == Some(ALPN_HTTP2)))
    }

    /// Whether this is a stream of an HTTP/2 connection, which carries one message each way. One that has
    /// become a tunnel carries bytes.
    pub(crate) fn is_stream(&self) -> bool {
        self.stream().is_some()
    }

    /// The trailer lines that came beside the content of a stream, once its end was read.
    pub(crate) fn trailers(&self) -> Vec<u8> {
        match self {
            Self::Plain(_) | Self::Tls(_) => Vec::new(),
            Self::Stream(stream) => stream.trailers(),
        }
    }

    /// The stream that it is, in that sense.
    pub(crate) fn stream(&self) -> Option<&StreamTransport> {
        match self {
            Self::Plain(_) | Self::Tls(_) => None,
            Self::Stream(stream) => Some(&**stream).filter(|stream| !stream.is_tunnel()),
        }
    }

    /// Sends a head in a stream; `end` if no content follows. Elsewhere heads are text.
    pub(crate) async fn send_head(&self, head: OutboundHead<'_>, end: bool) -> io::Result<()> {
        match self {
            Self::Plain(_) | Self::Tls(_) => Err(io::ErrorKind::InvalidInput.into()),
            Self::Stream(stream) => stream.send_head(head, end).await,
        }
    }

    /// Why the request in a stream cannot be served although it was decoded.
    pub(crate) fn fault(&self) -> Option<RequestFault> {
        match self {
            Self::Plain(_) | Self::Tls(_) => None,
            Self::Stream(stream) => stream.fault(),
        }
    }

    /// Whether the origin said that it has not processed the request that was sent here.
    pub(crate) fn declined(&self) -> Option<Declined> {
        match self {
            Self::Plain(_) | Self::Tls(_) => None,
            Self::Stream(stream) => stream.declined(),
        }
    }

    /// What an HTTP/2 origin did wrong, or said was wrong, before all had come.
    pub(crate) fn origin_fault(&self) -> Option<String> {
        match self {
            Self::Plain(_) | Self::Tls(_) => None,
            Self::Stream(stream) => stream.origin_fault(),
        }
    }

    /// Whether it was given up because it held too much (`limits.buffer_bytes`).
    pub(crate) fn was_given_up(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Tls(_) => false,
            Self::Stream(stream) => stream.was_given_up(),
        }
    }

    /// Whether the origin has said that it wants HTTP/1.1.
    pub(crate) fn wants_http1(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Tls(_) => false,
            Self::Stream(stream) => stream.wants_http1(),
        }
    }

    /// Tells the client of a stream that nobody has processed its request; says whether it could.
    pub(crate) fn decline(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Tls(_) => false,
            Self::Stream(stream) => {
                stream.decline();
                true
            }
        }
    }

    /// How far the connection at the bottom has got; a stream shares it with others, and does not know.
    pub(crate) fn info(&self) -> Option<TcpInfo> {
        match self.bottom() {
            Bottom::Socket(socket) => socket.info(),
            Bottom::Stream(_) => None,
        }
    }

    /// Whether something (bytes, an end, an error) waits to be received, without waiting.
    pub(crate) fn is_readable_now(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_readable_now(),
            Self::Tls(stream) => stream.is_readable_now(),
            // Made for one request, which was not sent yet.
            Self::Stream(_) => false,
        }
    }

    /// Cuts the connection if it is still waiting after `after`.
    pub(crate) fn arm(&self, after: Duration) {
        self.deadline().arm(after);
    }

    /// Ends receiving if it is still waited for after `after`; sending stays possible.
    pub(crate) fn arm_read(&self, after: Duration) {
        self.deadline().arm_read(after);
    }

    /// Lets the connection live, whatever was armed.
    pub(crate) fn disarm(&self) {
        self.deadline().disarm();
    }

    /// Whether the connection was cut by its deadline.
    pub(crate) fn expired(&self) -> bool {
        self.deadline().expired()
    }

    /// Whether the end of what is received may have come before the other side's last byte.
    pub(crate) fn is_broken(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_broken(),
            // Its own word for an end is missing then, and receiving fails.
            Self::Tls(_) => false,
            Self::Stream(stream) => stream.is_broken(),
        }
    }

    /// The socket, if bytes are on it as they are here.
    pub(super) fn plain(&self) -> Option<&Socket> {
        match self {
            Self::Plain(socket) => Some(socket),
            Self::Tls(_) | Self::Stream(_) => None,
        }
    }

    /// What TLS negotiated, if this is a TLS connection.
    pub(crate) fn tls(&self) -> Option<&TlsConnection> {
        match self {
            Self::Plain(_) | Self::Stream(_) => None,
            Self::Tls(stream) => Some(stream),
        }
    }

    /// Bytes of content received so far.
    pub(crate) fn bytes_in(&self) -> u64 {
        match self {
            Self::Plain(socket) => socket.bytes_in(),
            Self::Tls(stream) => stream.bytes_in(),
            Self::Stream(stream) => stream.bytes_in(),
        }
    }

    /// Bytes of content sent so far.
    pub(crate) fn bytes_out(&self) -> u64 {
        match self {
            Self::Plain(socket) => socket.bytes_out(),
            Self::Tls(stream) => stream.bytes_out(),
            Self::Stream(stream) => stream.bytes_out(),
        }
    }

    /// Waits until a read may have something to give. May be dropped: nothing is consumed.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.readable().await,
            Self::Tls(stream) => stream.readable().await,
            Self::Stream(stream) => stream.readable().await,
        }
    }

    /// Receives into `data` behind its first `filled` bytes; `Ok(0)` is the end, said by the other
    /// side. Must be awaited to its end.
    pub(crate) async fn read_after(
        &self,
        data: Vec<u8>,
        filled: usize,
    ) -> (io::Result<usize>, Vec<u8>) {
        match self {
            Self::Plain(socket) => socket.read_after(data, filled).await,
            Self::Tls(stream) => stream.read_after(data, filled).await,
            Self::Stream(stream) => stream.read_after(data, filled).await,
        }
    }

    /// Sends `data[from..]` whole. Must be awaited to its end.
    pub(crate) async fn write_from(&self, data: Vec<u8>, from: usize) -> (io::Result<()>, Vec<u8>) {
        match self {
            Self::Plain(socket) => socket.write_from(data, from).await,
            Self::Tls(stream) => stream.write_from(data, from).await,
            Self::Stream(stream) => stream.write_from(data, from).await,
        }
    }

    /// Sends all of `data`. Must be awaited to its end.
    pub(crate) fn write_all(
        &self,
        data: Vec<u8>,
    ) -> impl Future<Output = (io::Result<()>, Vec<u8>)> {
        self.write_from(data, 0)
    }

    /// Sends `data[from..]`, which ends a message; where its text does not say so, the end and the trailer
    /// lines go beside it. Must be awaited to its end.
    pub(crate) async fn write_last(
        &self,
        data: Vec<u8>,
        from: usize,
        trailers: &[u8],
    ) -> (io::Result<()>, Vec<u8>) {
        match self {
            Self::Plain(socket) => socket.write_from(data, from).await,
            Self::Tls(stream) => stream.write_from(data, from).await,
            Self::Stream(stream) => stream.write_last(data, from, trailers).await,
        }
    }

    /// Says that nothing more will be sent; receiving goes on. Must be awaited to its end.
    pub(crate) async fn finish(&self) {
        match self {
            Self::Plain(socket) => socket.shut_down(Shutdown::Write),
            Self::Tls(stream) => stream.finish().await,
            Self::Stream(stream) => stream.finish(),
        }
    }

    /// Has nothing more be received than what has come already, also under a pending operation.
    pub(crate) fn stop_receiving(&self) {
        match self {
            Self::Plain(socket) => socket.shut_down(Shutdown::Read),
            Self::Tls(stream) => stream.carrier().stop_receiving(),
            Self::Stream(stream) => stream.stop_receiving(),
        }
    }

    /// Has the other side see that what it was sent is not all, when the connection is dropped. TLS and
    /// streams have words for an end, and leave them out.
    pub(crate) fn break_off(&self) {
        match self {
            Self::Plain(socket) => socket.reset_when_dropped(),
            Self::Tls(_) | Self::Stream(_) => self.cut(),
        }
    }

    /// Ends both directions at once and without a word, also under a pending operation.
    pub(crate) fn cut(&self) {
        match self {
            Self::Plain(socket) => socket.cut(),
            Self::Tls(stream) => stream.cut(),
            Self::Stream(stream) => stream.cut(),
        }
    }
}
