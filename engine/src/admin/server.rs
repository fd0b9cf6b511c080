//! The thread of the admin listener: its runtime, its connections.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

use super::bind::AdminSocket;
use super::instance::Instance;
use super::route::{Reached, answer};
use crate::limits::{ADMIN_CONNECTIONS_MAX, ADMIN_HEAD_TIMEOUT};

/// Bytes of a connection's buffer, and of the longest head.
const BUFFER_BYTES: usize = 16 << 10;
/// Pause after a connection could not be accepted, so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Starts the thread, which ends with the process.
pub(crate) fn start(socket: AdminSocket, instance: Arc<Instance>) -> io::Result<()> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_io().enable_time().build()?;
    thread::Builder::new()
        .name("admin".to_owned())
        .spawn(move || {
            if let Err(error) = runtime.block_on(serve(socket, instance)) {
                tracing::error!(%error, "the admin listener has ended");
            }
        })
        .map(drop)
}

async fn serve(socket: AdminSocket, instance: Arc<Instance>) -> io::Result<()> {
    match socket {
        AdminSocket::Tcp(listener, _) => {
            let listener = TcpListener::from_std(listener)?;
            let accept = async || listener.accept().await.map(|(stream, _)| stream);
            accept_all(accept, &instance, Reached::Tcp).await
        }
        AdminSocket::Unix(listener, _) => {
            let listener = UnixListener::from_std(listener)?;
            let accept = async || listener.accept().await.map(|(stream, _)| stream);
            accept_all(accept, &instance, Reached::Unix).await
        }
    }
}

/// Serves connections for as long as the process runs.
async fn accept_all<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    accept: impl AsyncFn() -> io::Result<S>,
    instance: &Arc<Instance>,
    reached: Reached,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let place = place.map_err(io::Error::other)?;
        match accept().await {
            Ok(stream) => {
                let instance = Arc::clone(instance);
                tokio::spawn(async move {
                    connection(stream, instance, reached).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection to the admin listener");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    instance: Arc<Instance>,
    reached: Reached,
) {
    let service = service_fn(|request| {
        let instance = Arc::clone(&instance);
        async move { Ok::<_, Infallible>(answer(&instance, reached, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(ADMIN_HEAD_TIMEOUT)
        .max_buf_size(BUFFER_BYTES);
    // What goes wrong on a connection is its client's affair.
    if let Err(error) = builder
        .serve_connection(TokioIo::new(stream), service)
        .await
    {
        tracing::debug!(%error, "a connection to the admin listener has ended");
    }
}
