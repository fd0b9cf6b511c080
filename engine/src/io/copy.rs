//! The byte pipe of a tunnel: both directions at once, each half closed on its own.

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use super::buffers::{BUFFER_BYTES, BufferPool};
use super::join::join;
use super::transport::Transport;

/// How long a tunnel may live.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TunnelLife {
    /// Longest silence in both directions.
    pub(crate) idle: Duration,
    /// Longest life, however busy.
    pub(crate) total: Option<Duration>,
}

/// How a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TunnelEnd {
    /// Both sides closed in order.
    Closed,
    /// Silent for too long, or older than it may get.
    Expired,
    /// The client reset the connection or could not be written to.
    ClientFailed,
    /// The origin reset the connection or could not be written to.
    UpstreamFailed,
}

/// Copies until both directions have ended.
///
/// An end of stream on one side is passed on as such and the other direction goes on (a client may
/// half-close); an error ends both.
pub(crate) async fn tunnel(
    client: &Transport,
    upstream: &Transport,
    pool: &BufferPool,
    life: TunnelLife,
) -> TunnelEnd {
    let clock = Clock {
        life,
        client,
        dies: life.total.map(|total| Instant::now() + total),
    };
    clock.touch();
    let end = Cell::new(TunnelEnd::Closed);
    let fail = |cause: TunnelEnd| {
        if end.get() == TunnelEnd::Closed {
            end.set(if client.expired() {
                TunnelEnd::Expired
            } else {
                cause
            });
        }
        client.cut();
        upstream.cut();
    };
    let (client_ended, upstream_ended) = (Cell::new(false), Cell::new(false));
    let up = async {
        match one_way(client, upstream, pool, &clock).await {
            Ok(()) => client_ended.set(true),
            // What has said its last word may stop listening: that is no failure.
            Err(Failure::Write) if upstream_ended.get() => fail(TunnelEnd::Closed),
            Err(Failure::Write) => fail(TunnelEnd::UpstreamFailed),
            Err(Failure::Read) => fail(TunnelEnd::ClientFailed),
        }
    };
    let down = async {
        match one_way(upstream, client, pool, &clock).await {
            Ok(()) => upstream_ended.set(true),
            Err(Failure::Write) if client_ended.get() => fail(TunnelEnd::Closed),
            Err(Failure::Write) => fail(TunnelEnd::ClientFailed),
            Err(Failure::Read) => fail(TunnelEnd::UpstreamFailed),
        }
    };
    join(up, down).await;
    client.disarm();
    end.get()
}

/// Keeps the client's deadline ahead of the tunnel's activity.
struct Clock<'a> {
    life: TunnelLife,
    client: &'a Transport,
    dies: Option<Instant>,
}

impl Clock<'_> {
    fn touch(&self) {
        let idle = self.life.idle;
        self.client.arm(self.dies.map_or(idle, |dies| {
            idle.min(dies.saturating_duration_since(Instant::now()))
        }));
    }

    /// An expired deadline reads as an end of stream: tell them apart.
    fn check(&self) -> Result<(), Failure> {
        if self.client.expired() {
            Err(Failure::Read)
        } else {
            Ok(())
        }
    }
}

enum Failure {
    Read,
    Write,
}

async fn one_way(
    from: &Transport,
    to: &Transport,
    pool: &BufferPool,
    clock: &Clock<'_>,
) -> Result<(), Failure> {
    let mut bulk = false;
    loop {
        // No buffer is held while the tunnel is silent.
        from.readable().await.map_err(|_| Failure::Read)?;
        let buffer = if bulk { pool.rent_bulk() } else { pool.rent() };
        let room = buffer.capacity();
        let (result, buffer) = from.read_after(buffer, 0).await;
        let bytes = match result {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(Failure::Read),
        };
        if bytes == 0 {
            pool.give_back(buffer);
            clock.check()?;
            to.finish().await;
            return Ok(());
        }
        bulk = if bulk {
            bytes >= BUFFER_BYTES
        } else {
            bytes == room
        };
        clock.touch();
        let (result, buffer) = to.write_all(buffer).await;
        result.map_err(|_| Failure::Write)?;
        pool.give_back(buffer);
        clock.touch();
    }
}
