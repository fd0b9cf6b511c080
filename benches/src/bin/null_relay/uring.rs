//! The io_uring form: monoio with the set-up flags of the proxy; readiness first, buffer after.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt, Splitable};
use monoio::net::tcp::{TcpOwnedReadHalf, TcpOwnedWriteHalf};
use monoio::net::{TcpListener, TcpStream};
use monoio::{IoUringDriver, RuntimeBuilder};

use super::readable::readable;
use super::{BUFFER_BYTES, announce};

/// Entries of the submission ring.
const RING_ENTRIES: u32 = 1_024;

/// Buffers that nobody holds at the moment.
type Pool = Rc<RefCell<Vec<Vec<u8>>>>;

/// Relays until the process is killed.
pub(super) fn run(listener: std::net::TcpListener, target: SocketAddr) -> io::Result<()> {
    let mut flags = io_uring::IoUring::builder();
    flags.setup_single_issuer().setup_defer_taskrun();
    let builder = RuntimeBuilder::<IoUringDriver>::new().uring_builder(flags);
    let mut runtime = builder.with_entries(RING_ENTRIES).build()?;
    announce(&listener)?;
    runtime.block_on(accept(listener, target))
}

async fn accept(listener: std::net::TcpListener, target: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let pool = Pool::default();
    loop {
        // A client that is gone already is no reason to stop.
        if let Ok((client, _)) = listener.accept().await {
            let pool = Rc::clone(&pool);
            monoio::spawn(async move {
                // The client sees the end of its connection; nobody else is to be told.
                let _ = relay(client, target, pool).await;
            });
        }
    }
}

async fn relay(client: TcpStream, target: SocketAddr, pool: Pool) -> io::Result<()> {
    let origin = TcpStream::connect_addr(target).await?;
    origin.set_nodelay(true)?;
    let (client_read, client_write) = client.into_split();
    let (origin_read, origin_write) = origin.into_split();
    let down_pool = Rc::clone(&pool);
    let down = monoio::spawn(async move { copy(origin_read, client_write, &down_pool).await });
    copy(client_read, origin_write, &pool).await?;
    down.await
}

/// Copies one way to its end, and passes the end on.
async fn copy(
    mut from: TcpOwnedReadHalf,
    mut to: TcpOwnedWriteHalf,
    pool: &Pool,
) -> io::Result<()> {
    loop {
        readable(&from).await?;
        let rented = pool.borrow_mut().pop();
        let buffer = rented.unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES));
        let (count, buffer) = from.read(buffer).await;
        let (written, mut buffer) = match count {
            Ok(0) => return to.shutdown().await,
            Ok(_) => to.write_all(buffer).await,
            Err(error) => (to.shutdown().await.and(Err(error)), buffer),
        };
        buffer.clear();
        pool.borrow_mut().push(buffer);
        written?;
    }
}
