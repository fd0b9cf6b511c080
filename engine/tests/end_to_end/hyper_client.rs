//! hyper's client, which many Rust programs are built on, on a connection of its own.

use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use hyper::client::conn::http1::handshake;
use hyper::rt::{Read as HyperRead, ReadBufCursor, Write as HyperWrite};

/// Sends a CONNECT as hyper does it, without `Host`; the status of the answer.
pub(crate) fn connect(proxy: SocketAddr, target: &str) -> u16 {
    let stream = TcpStream::connect(proxy).unwrap();
    stream.set_nonblocking(true).unwrap();
    let request = hyper::Request::connect(target).body(String::new()).unwrap();
    let mut exchange = pin!(async {
        let (mut sender, connection) = handshake(Io(stream)).await.unwrap();
        let mut answer = pin!(sender.send_request(request));
        let mut connection = pin!(connection.with_upgrades());
        std::future::poll_fn(|context| {
            let ended = connection.as_mut().poll(context);
            match answer.as_mut().poll(context) {
                Poll::Pending if ended.is_ready() => panic!("no answer: {ended:?}"),
                answer => answer,
            }
        })
        .await
        .unwrap()
        .status()
    });
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(status) = exchange.as_mut().poll(&mut context) {
            return status.as_u16();
        }
        // No runtime: its sockets are asked again and again.
        thread::sleep(Duration::from_millis(1));
    }
}

/// A socket that does not block.
struct Io(TcpStream);

fn polled<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

impl HyperRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = vec![0; buffer.remaining()];
        polled(self.0.read(&mut bytes)).map_ok(|count| buffer.put_slice(&bytes[..count]))
    }
}

impl HyperWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        polled(self.0.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown(Shutdown::Write))
    }
}
