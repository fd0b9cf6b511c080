//! Noticing that a client goes away while it waits for the begin of its answer.
//!
//! Nothing is read: what a client sends ahead stays where it is. A reset is told by the kernel. An end
//! of what the client sends is not: TCP says the same of a client that has closed and of one that only
//! has nothing more to say and still listens (RFC 9112 section 9.6 speaks of both). So the client is
//! told something: the first byte of the answer, which is the same whatever the answer will be. Who
//! listens receives it a little early; who has closed answers with a reset.
//!
//! Called while the head of a response is waited for; the wait begins with [`LOOK_AFTER`], so that
//! requests that are answered at once cost nothing.

use std::cell::Cell;
use std::time::Duration;

use super::{Bottom, Transport};
use crate::io::deadline::TICK;
use crate::io::line::HangUp;
use crate::io::socket::Socket;

/// How long an origin may think before somebody looks whether the client still waits: longer than a
/// busy proxy takes for an exchange, since looking costs operations of the ring.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// Longest pause between two looks at a client whose socket is readable all the time.
const PAUSE_MAX: Duration = Duration::from_millis(800);
/// What every answer over HTTP/1 begins with.
const FIRST_BYTE: u8 = b'H';

/// The first byte of an answer, which may be sent before its head is known: that tells a client that has only
/// ended what it sends from one that is gone.
#[derive(Debug, Default)]
pub(crate) struct EarlyByte(Cell<bool>);

impl EarlyByte {
    /// Takes off an encoded answer what was sent of it; says whether something was.
    pub(crate) fn trim(&self, answer: &mut Vec<u8>) -> bool {
        let was_sent = self.0.take() && answer.first() == Some(&FIRST_BYTE);
        if was_sent {
            answer.remove(0);
        }
        was_sent
    }

    /// Takes back a [`EarlyByte::trim`] whose answer was not sent: another one takes its place.
    pub(crate) fn restore(&self, was_sent: bool) {
        self.0.set(was_sent);
    }
}

/// Waits until the client has gone away. May be dropped. The client's deadline must not be in use, and
/// nothing be read from it or written to it meanwhile.
pub(crate) async fn departed(client: &Transport, early_byte: &EarlyByte) {
    match client.bottom() {
        Bottom::Socket(socket) => departed_from(socket, client, early_byte).await,
        // A stream tells by itself. Boxed: few clients bring TLS in a stream.
        Bottom::Stream(stream) => Box::pin(stream.gone()).await,
    }
}

/// Waits until a client is gone for certain to which a response is sent, but not at the moment. The same
/// holds as above. One that has only ended what it sends is not gone; if it has closed, its kernel says
/// so when it is asked (`liveness`).
pub(crate) async fn lost(client: &Transport) {
    let socket = match client.bottom() {
        Bottom::Socket(socket) => socket,
        Bottom::Stream(stream) => return Box::pin(stream.gone()).await,
    };
    socket.deadline().rest(LOOK_AFTER).await;
    let _ = socket.readable().await;
    let mut pause = TICK;
    while socket.hang_up() != HangUp::Gone {
        socket.deadline().rest(pause).await;
        pause = PAUSE_MAX.min(pause * 2);
    }
}

async fn departed_from(socket: &Socket, client: &Transport, early_byte: &EarlyByte) {
    socket.deadline().rest(LOOK_AFTER).await;
    // Bytes, an end or an error. It stays readable from here on.
    let _ = socket.readable().await;
    let mut pause = TICK;
    loop {
        match socket.hang_up() {
            HangUp::Gone => return,
            HangUp::Finished if !early_byte.0.get() && socket.is_writable_now() => {
                early_byte.0.set(true);
                if !client.send_now(&[FIRST_BYTE]) {
                    return;
                }
                pause = TICK;
            }
            HangUp::Finished | HangUp::None => {}
        }
        socket.deadline().rest(pause).await;
        pause = PAUSE_MAX.min(pause * 2);
    }
}
