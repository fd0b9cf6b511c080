//! The bytes of a tunnel: both directions at once, each half closed on its own. Small exchanges are
//! copied through a buffer; bulk between two sockets goes through a pipe (`splice.rs`).

use std::cell::Cell;
use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use sallyport_wire::tls::{AlertDescription, RecordFollower, fatal_alert};

use super::Transport;
use crate::clock;
use crate::io::buffers::{BUFFER_BYTES, BufferPool};
use crate::io::join::{join, yield_now};
use crate::io::socket::Socket;
use crate::io::splice::RentedPipe;

/// Bytes that one direction moves before other connections get their turn.
const TURN_BYTES: usize = 1024 * 1024;

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
    /// The client went on with something else than TLS, in a tunnel that is held to it.
    ClientNotTls,
    /// The origin answered with something else.
    UpstreamNotTls,
}

/// What holds a tunnel to TLS: the records of both directions are followed until a direction carries
/// bulk, whose bytes never come into this process.
#[derive(Debug)]
pub(crate) struct HeldToTls {
    pub(crate) client: RecordFollower,
    pub(crate) upstream: RecordFollower,
}

/// Copies until both directions have ended.
///
/// An end of stream on one side is passed on as such and the other direction goes on (a client may
/// half-close); an error ends both. What is not TLS where it must be is not passed on: the client gets
/// an alert, if it can understand one at that point, and both are cut.
pub(crate) async fn tunnel(
    client: &Transport,
    upstream: &Transport,
    pool: &BufferPool,
    life: TunnelLife,
    held: Option<HeldToTls>,
) -> TunnelEnd {
    let (client_follower, upstream_follower) = held.map_or((None, None), |held| {
        (Some(held.client), Some(held.upstream))
    });
    let clock = Clock {
        life,
        ends: [client, upstream],
        dies: life.total.map(|total| clock::now() + total),
    };
    clock.touch();
    let end = Cell::new(TunnelEnd::Closed);
    let fail = |cause: TunnelEnd| {
        if end.get() == TunnelEnd::Closed {
            end.set(match clock.is_expired() {
                true => TunnelEnd::Expired,
                false => cause,
            });
        }
        client.cut();
        upstream.cut();
    };
    let (client_ended, upstream_ended) = (Cell::new(false), Cell::new(false));
    // Whether the client has whole records so far.
    let may_alert = Cell::new(true);
    let cut_off = |cause: TunnelEnd| {
        if may_alert.get() {
            let _ = client.send_now(&fatal_alert(AlertDescription::UnexpectedMessage));
        }
        fail(cause);
    };
    let up = pin!(async {
        let mut way = OneWay {
            from: client,
            to: upstream,
            pool,
            clock: &clock,
            follower: client_follower,
            may_alert: None,
        };
        match way.run().await {
            Ok(()) => client_ended.set(true),
            Err(Failure::NotTls) => cut_off(TunnelEnd::ClientNotTls),
            // What has said its last word may stop listening: that is no failure.
            Err(Failure::Write) if upstream_ended.get() => fail(TunnelEnd::Closed),
            Err(Failure::Write) => fail(TunnelEnd::UpstreamFailed),
            Err(Failure::Read) => fail(TunnelEnd::ClientFailed),
        }
    });
    let down = pin!(async {
        let mut way = OneWay {
            from: upstream,
            to: client,
            pool,
            clock: &clock,
            follower: upstream_follower,
            may_alert: Some(&may_alert),
        };
        match way.run().await {
            Ok(()) => upstream_ended.set(true),
            Err(Failure::NotTls) => cut_off(TunnelEnd::UpstreamNotTls),
            Err(Failure::Write) if client_ended.get() => fail(TunnelEnd::Closed),
            Err(Failure::Write) => fail(TunnelEnd::ClientFailed),
            Err(Failure::Read) => fail(TunnelEnd::UpstreamFailed),
        }
    });
    join(up, down).await;
    client.disarm();
    upstream.disarm();
    end.get()
}

/// Keeps the deadlines ahead of the tunnel's activity. There are two, because either end may be waited
/// for in both directions: one that neither reads nor sends.
struct Clock<'a> {
    life: TunnelLife,
    ends: [&'a Transport; 2],
    dies: Option<Instant>,
}

impl Clock<'_> {
    fn touch(&self) {
        let idle = self.life.idle;
        let left = self.dies.map_or(idle, |dies| {
            idle.min(dies.saturating_duration_since(clock::now()))
        });
        for end in self.ends {
            end.arm(left);
        }
    }

    fn is_expired(&self) -> bool {
        self.ends.iter().any(|end| end.expired())
    }

    /// An expired deadline reads as an end of stream: tell them apart.
    fn check(&self) -> Result<(), Failure> {
        match self.is_expired() {
            true => Err(Failure::Read),
            false => Ok(()),
        }
    }
}

enum Failure {
    Read,
    Write,
    NotTls,
}

/// What one turn of one direction came to.
enum Turn {
    Moved(usize),
    /// The sender has said its last word.
    Ended,
}

/// One direction of a tunnel.
struct OneWay<'a> {
    from: &'a Transport,
    to: &'a Transport,
    pool: &'a BufferPool,
    clock: &'a Clock<'a>,
    /// Where the bytes must be TLS.
    follower: Option<RecordFollower>,
    /// Towards a client: whether an alert may follow what it has.
    may_alert: Option<&'a Cell<bool>>,
}

impl OneWay<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        let sockets = self.from.plain().zip(self.to.plain());
        let mut pace = Pace::default();
        let mut unbroken_bytes = 0;
        loop {
            let turn = match sockets.filter(|_| pace.is_bulk()) {
                Some(sockets) => {
                    // Records that begin in what is spliced have no end that could be told.
                    self.follower = None;
                    self.allow_alert(false);
                    spliced_turn(sockets, self.pool, self.clock).await?
                }
                None => None,
            };
            let turn = match turn {
                Some(turn) => turn,
                None => self.copied_turn(pace.is_large).await?,
            };
            let Turn::Moved(bytes) = turn else {
                self.clock.check()?;
                self.to.finish().await;
                return Ok(());
            };
            pace.saw(bytes);
            unbroken_bytes += bytes;
            if unbroken_bytes >= TURN_BYTES {
                unbroken_bytes = 0;
                yield_now().await;
            }
        }
    }

    fn allow_alert(&self, allowed: bool) {
        if let Some(may_alert) = self.may_alert {
            may_alert.set(allowed);
        }
    }

    async fn copied_turn(&mut self, is_large: bool) -> Result<Turn, Failure> {
        let Self {
            from,
            to,
            pool,
            clock,
            ..
        } = *self;
        // A plain socket is read at once as long as few wait so. Otherwise no buffer is held while the
        // tunnel is silent.
        let is_large = is_large && pool.shortage().is_none();
        let leave = match is_large {
            false => from.plain().and_then(|_| pool.tunnel_wait()),
            true => None,
        };
        if leave.is_none() {
            from.readable().await.map_err(|_| Failure::Read)?;
        }
        let buffer = match is_large {
            true => pool.rent_bulk(),
            false => pool.rent(),
        };
        let _lease = pool.lease(buffer.capacity());
        let (result, buffer) = from.read_after(buffer, 0).await;
        drop(leave);
        let bytes = match result {
            Ok(0) => {
                pool.give_back(buffer);
                return Ok(Turn::Ended);
            }
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                pool.give_back(buffer);
                return Ok(Turn::Moved(0));
            }
            Err(_) => return Err(Failure::Read),
        };
        clock.touch();
        if let Some(follower) = &mut self.follower
            && follower.follow(&buffer).is_err()
        {
            pool.give_back(buffer);
            return Err(Failure::NotTls);
        }
        self.allow_alert(false);
        let (result, buffer) = to.write_all(buffer).await;
        result.map_err(|_| Failure::Write)?;
        self.allow_alert(
            self.follower
                .as_ref()
                .is_some_and(RecordFollower::is_between_records),
        );
        pool.give_back(buffer);
        clock.touch();
        Ok(Turn::Moved(bytes))
    }
}

/// What the last turns moved: whether the next will be worth a pipe.
#[derive(Default)]
struct Pace {
    /// The last one filled an ordinary buffer.
    is_large: bool,
    /// Rises with each such turn and falls faster with each other.
    score: u8,
}

impl Pace {
    /// From here on two more system calls cost less than copying.
    const BULK: u8 = 4;
    /// Reached after a while: three small turns in a row then end it.
    const HIGHEST: u8 = 8;

    fn is_bulk(&self) -> bool {
        self.score >= Self::BULK
    }

    fn saw(&mut self, bytes: usize) {
        self.is_large = bytes >= BUFFER_BYTES;
        self.score = match self.is_large {
            true => (self.score + 1).min(Self::HIGHEST),
            false => self.score.saturating_sub(2),
        };
    }
}

/// `None` if there is no pipe to be had.
async fn spliced_turn(
    (from, to): (&Socket, &Socket),
    pool: &BufferPool,
    clock: &Clock<'_>,
) -> Result<Option<Turn>, Failure> {
    from.readable().await.map_err(|_| Failure::Read)?;
    let Some(mut pipe) = pool.pipes().rent() else {
        return Ok(None);
    };
    let mut moved = 0;
    while moved < TURN_BYTES {
        match pipe.fill(from) {
            Ok(0) if moved == 0 => return Ok(Some(Turn::Ended)),
            // The next turn meets the end again.
            Ok(0) => break,
            Ok(bytes) => moved += bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(Failure::Read),
        }
        clock.touch();
        empty(&mut pipe, to).await?;
        clock.touch();
    }
    Ok(Some(Turn::Moved(moved)))
}

/// Waits until `to` has taken all that is in the pipe.
async fn empty(pipe: &mut RentedPipe<'_>, to: &Socket) -> Result<(), Failure> {
    while pipe.held() > 0 {
        match pipe.drain(to) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                to.writable().await.map_err(|_| Failure::Write)?;
            }
            Err(_) => return Err(Failure::Write),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_for_what_stays_large() {
        let mut pace = Pace::default();
        let mut seen = |bytes: &[usize]| {
            bytes.iter().for_each(|bytes| pace.saw(*bytes));
            pace.is_bulk()
        };
        assert!(!seen(&[BUFFER_BYTES; 3]));
        assert!(seen(&[BUFFER_BYTES; 20]));
        assert!(seen(&[64, 64]));
        assert!(!seen(&[64]));
        assert!(!seen(&[
            BUFFER_BYTES,
            64,
            BUFFER_BYTES,
            64,
            BUFFER_BYTES,
            64
        ]));
    }
}
