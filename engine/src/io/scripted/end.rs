//! One end of a connection in memory.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::RawFd;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::World;
use crate::io::kernel_line::HangUp;

/// What one direction holds, as the buffers of two kernels do.
const WAY_BYTES: usize = 64 * 1024;

/// One end: what it has sent, and what has arrived.
#[derive(Debug)]
pub(super) struct State {
    pub(super) number: RawFd,
    pub(super) peer: RawFd,
    /// Sent, and not there yet.
    pub(super) under_way: RefCell<VecDeque<u8>>,
    /// Received, and not read yet.
    pub(super) arrived: RefCell<VecDeque<u8>>,
    pub(super) sends: Cell<Sending>,
    /// A reset is under way to the peer.
    pub(super) resets: Cell<bool>,
    pub(super) receives: Cell<Receiving>,
    /// The word of a reset, which is given once.
    pub(super) error: Cell<Option<io::ErrorKind>>,
    pub(super) resets_when_dropped: Cell<bool>,
    /// Nobody has this end any more.
    pub(super) is_closed: Cell<bool>,
    /// What the peer's kernel has acknowledged.
    pub(super) acknowledged: Cell<u64>,
    pub(super) wakers: RefCell<Vec<Waker>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    Open,
    /// Nothing more is sent; the word of it is under way.
    Finishing,
    Finished,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receiving {
    Open,
    /// The peer has said that nothing more comes.
    Finished,
    /// This side wants nothing more.
    Unwanted,
    Reset,
}

/// One end of a connection, for its owner.
#[derive(Debug)]
pub(crate) struct End(pub(super) Rc<State>);

impl State {
    pub(super) fn wake(&self) {
        self.wakers.borrow_mut().drain(..).for_each(Waker::wake);
    }

    fn wait<T>(&self, context: &Context<'_>) -> Poll<T> {
        let mut wakers = self.wakers.borrow_mut();
        if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            wakers.push(context.waker().clone());
        }
        Poll::Pending
    }

    pub(super) fn is_reset_by(&self, world: &World) {
        let before = self.receives.replace(Receiving::Reset);
        self.error.set(Some(match before {
            Receiving::Finished => io::ErrorKind::BrokenPipe,
            _ => io::ErrorKind::ConnectionReset,
        }));
        self.sends.set(Sending::Finished);
        self.under_way.borrow_mut().clear();
        // Of what had arrived some kernels give what was not read yet, others do not.
        if world.one_in(2) {
            self.arrived.borrow_mut().clear();
        }
    }

    pub(super) fn shut_down(&self, how: Shutdown) {
        if how != Shutdown::Read && self.sends.get() == Sending::Open {
            self.sends.set(Sending::Finishing);
        }
        if how != Shutdown::Write && self.receives.get() != Receiving::Reset {
            self.receives.set(Receiving::Unwanted);
        }
        self.wake();
    }

    fn room(&self, peer_holds: usize) -> usize {
        WAY_BYTES.saturating_sub(self.under_way.borrow().len() + peer_holds)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let has_unread = !self.0.arrived.borrow().is_empty();
        self.close(has_unread || self.0.resets_when_dropped.get());
    }
}

impl End {
    /// Connects to `address`. May be dropped.
    pub(crate) async fn connect(world: &World, address: SocketAddr) -> io::Result<Self> {
        world.network.connect(address).await
    }

    /// What its deadlines know it by.
    pub(crate) fn number(&self) -> RawFd {
        self.0.number
    }

    fn close(&self, with_reset: bool) {
        let state = &self.0;
        state.is_closed.set(true);
        state.arrived.borrow_mut().clear();
        if with_reset && state.receives.get() != Receiving::Reset {
            state.under_way.borrow_mut().clear();
            state.sends.set(Sending::Finished);
            state.resets.set(true);
        } else if state.sends.get() == Sending::Open {
            state.sends.set(Sending::Finishing);
        }
        if let Some(world) = World::current() {
            world.network.forget(state);
        }
    }

    /// Has its drop reset the connection.
    pub(crate) fn reset_when_dropped(&self) {
        self.0.resets_when_dropped.set(true);
    }

    /// Closes it so that the other side is told nothing but that it is no more.
    pub(crate) fn reset(self) {
        self.close(true);
    }

    fn peer_holds(&self) -> usize {
        let Some(world) = World::current() else {
            return 0;
        };
        let ends = world.network.ends.borrow();
        let peer = ends.get(&self.0.peer);
        peer.map_or(0, |peer| peer.arrived.borrow().len())
    }

    fn room(&self) -> usize {
        self.0.room(self.peer_holds())
    }

    fn may_send(&self) -> io::Result<()> {
        match (self.0.error.take(), self.0.sends.get()) {
            (Some(error), _) => Err(error.into()),
            (None, Sending::Open) => Ok(()),
            (None, Sending::Finishing | Sending::Finished) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Whether a read would not wait.
    pub(crate) fn is_readable(&self) -> bool {
        !self.0.arrived.borrow().is_empty() || self.0.receives.get() != Receiving::Open
    }

    /// Whether a write would not wait.
    pub(crate) fn is_writable(&self) -> bool {
        self.0.sends.get() != Sending::Open || self.room() > 0
    }

    /// What the other side is known to have done.
    pub(crate) fn hang_up(&self) -> HangUp {
        match (self.0.receives.get(), self.0.sends.get()) {
            (Receiving::Reset, _) => HangUp::Gone,
            (Receiving::Open, _) => HangUp::None,
            (Receiving::Finished | Receiving::Unwanted, Sending::Open) => HangUp::Finished,
            (Receiving::Finished | Receiving::Unwanted, _) => HangUp::Gone,
        }
    }

    /// Whether nothing more will happen to it, and how much of what it sent has arrived.
    pub(crate) fn progress(&self) -> (bool, u64) {
        let is_over = self.hang_up() == HangUp::Gone;
        (is_over, self.0.acknowledged.get())
    }

    /// Takes some of what has arrived.
    pub(crate) fn receive(&self, world: &World, room: &mut [u8]) -> io::Result<usize> {
        let mut arrived = self.0.arrived.borrow_mut();
        if arrived.is_empty() {
            return match (self.0.error.take(), self.0.receives.get()) {
                (Some(error), _) => Err(error.into()),
                (None, Receiving::Open) => Err(io::ErrorKind::WouldBlock.into()),
                (None, Receiving::Finished | Receiving::Unwanted | Receiving::Reset) => Ok(0),
            };
        }
        let most = room.len().min(arrived.len());
        let bytes = match world.one_in(4) {
            true if most > 0 => 1 + world.below(most),
            _ => most,
        };
        for (place, byte) in room.iter_mut().zip(arrived.drain(..bytes)) {
            *place = byte;
        }
        drop(arrived);
        // There is room again.
        let peer = world.network.ends.borrow().get(&self.0.peer).cloned();
        if let Some(peer) = peer {
            peer.wake();
        }
        Ok(bytes)
    }

    /// Sends as much as there is room for.
    pub(crate) fn send(&self, world: &World, data: &[u8]) -> io::Result<usize> {
        self.may_send()?;
        let most = self.room().min(data.len());
        if most == 0 && !data.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let bytes = match world.one_in(4) {
            true if most > 0 => 1 + world.below(most),
            _ => most,
        };
        let some = data.iter().take(bytes);
        self.0.under_way.borrow_mut().extend(some);
        Ok(bytes)
    }

    /// Waits until a read would not wait. May be dropped.
    pub(crate) async fn readable(&self) {
        poll_fn(|context| match self.is_readable() {
            true => Poll::Ready(()),
            false => self.0.wait(context),
        })
        .await;
    }

    /// Waits until a write would not wait. May be dropped.
    pub(crate) async fn writable(&self) {
        poll_fn(|context| match self.is_writable() {
            true => Poll::Ready(()),
            false => self.0.wait(context),
        })
        .await;
    }

    /// Reads some bytes; 0 is the end.
    pub(crate) async fn read(&self, world: &World, room: &mut [u8]) -> io::Result<usize> {
        self.readable().await;
        self.receive(world, room)
    }

    /// Writes some bytes.
    pub(crate) async fn write(&self, world: &World, data: &[u8]) -> io::Result<usize> {
        self.writable().await;
        self.send(world, data)
    }

    /// Ends one or both directions.
    pub(crate) fn shut_down(&self, how: Shutdown) {
        self.0.shut_down(how);
    }
}
