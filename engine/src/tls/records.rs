//! One TLS connection without its I/O: records in, plaintext out, and back.
//!
//! rustls works on the bytes that lie in [`Records`]; `stream` brings them and takes what is to be
//! sent away. Once the handshake is over an empty connection holds no buffer here.

use std::fmt;

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};
use rustls::{CommonState, Error};

use sallyport_wire::invariant::{part, part_mut};

use crate::io::buffers::{BUFFER_BYTES, BULK_BUFFER_BYTES, BufferPool, Lease};

/// What one record costs beyond its content, at most: header, explicit nonce, tag, content type.
const RECORD_OVERHEAD_BYTES: usize = 32;
/// Content of a full record (RFC 8446 section 5.1).
const RECORD_BYTES: usize = 16 * 1024;
/// Content that is encrypted at once: as many full records as a bulk buffer has room for.
const SEAL_BYTES_MAX: usize = 7 * RECORD_BYTES;

/// The state of one TLS connection and the bytes that wait in it.
pub(crate) struct Records {
    side: Side,
    /// Received and not yet decrypted, from `inbox_start` on.
    inbox: Vec<u8>,
    lease: Lease,
    inbox_start: usize,
    /// Decrypted and not yet taken, from `plain_start` on.
    plain: Vec<u8>,
    plain_start: usize,
    /// Whether what was received last may hold more than was taken.
    has_more: bool,
    /// Whether the last receive filled its buffer: more is probably on its way.
    was_full: bool,
    has_ended: bool,
    failed: Option<Error>,
}

/// Which end of the connection we are.
enum Side {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// What receiving came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// So many bytes of plaintext.
    Bytes(usize),
    /// A whole record has not arrived yet.
    NeedMore,
    /// The other side has said that nothing more will come.
    End,
}

/// How far a handshake is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshake {
    NeedMore,
    Done,
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("inbox", &self.inbox.len())
            .field("plain", &self.plain.len())
            .field("has_ended", &self.has_ended)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl Records {
    /// The client's end of a connection.
    pub(crate) fn client(connection: UnbufferedClientConnection) -> Self {
        Self::new(Side::Client(connection), Vec::new())
    }

    /// The server's end; `received` is what the client has sent already.
    pub(crate) fn server(connection: UnbufferedServerConnection, received: Vec<u8>) -> Self {
        Self::new(Side::Server(connection), received)
    }

    fn new(side: Side, inbox: Vec<u8>) -> Self {
        Self {
            side,
            inbox,
            lease: Lease::default(),
            inbox_start: 0,
            plain: Vec::new(),
            plain_start: 0,
            has_more: false,
            was_full: false,
            has_ended: false,
            failed: None,
        }
    }

    /// What was negotiated.
    pub(crate) fn common(&self) -> &CommonState {
        match &self.side {
            Side::Client(connection) => connection,
            Side::Server(connection) => connection,
        }
    }

    /// Whether receiving would give something without more from the other side.
    pub(crate) fn has_pending(&self) -> bool {
        self.plain_start < self.plain.len()
            || self.has_more
            || self.has_ended
            || self.failed.is_some()
    }

    /// Whether the begin of a record has arrived and its end has not.
    pub(crate) fn holds_part(&self) -> bool {
        self.inbox_start < self.inbox.len()
    }

    /// Goes on with the handshake; what is to be sent is appended to `out`, also when it fails.
    pub(crate) fn handshake(&mut self, out: &mut Vec<u8>) -> Result<Handshake, Error> {
        loop {
            match self.turn(&mut Wants::Handshake, out)? {
                Turn::Again => {}
                Turn::Blocked => return Ok(Handshake::NeedMore),
                // The other side may end the connection as soon as it has begun.
                turn @ (Turn::Ready | Turn::Full | Turn::Ended) => {
                    self.has_more = turn == Turn::Full || self.inbox_start < self.inbox.len();
                    return Ok(Handshake::Done);
                }
            }
        }
    }

    /// Decrypts into the free room of `into`. What is to be sent because of it goes to `out`.
    pub(crate) fn receive(
        &mut self,
        into: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<Received, Error> {
        let begin = into.len();
        if self.plain_start < self.plain.len() {
            self.take_plain(into);
            return Ok(Received::Bytes(into.len() - begin));
        }
        let outcome = match self.failed.clone() {
            Some(error) => Err(error),
            None => self.decrypt(into, out),
        };
        let bytes = into.len() - begin;
        match outcome {
            // What arrived before the fault is good; the fault comes next.
            _ if bytes > 0 => Ok(Received::Bytes(bytes)),
            Err(error) => Err(error),
            Ok(()) if self.has_ended => Ok(Received::End),
            Ok(()) => Ok(Received::NeedMore),
        }
    }

    fn decrypt(&mut self, into: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), Error> {
        let begin = into.len();
        self.has_more = false;
        loop {
            match self.turn(&mut Wants::Plain(into), out)? {
                Turn::Again => {}
                Turn::Full => {
                    if into.len() == begin {
                        // One record is larger than the room: it waits here.
                        self.turn(&mut Wants::PlainAside, out)?;
                        self.take_plain(into);
                    }
                    self.has_more = true;
                    return Ok(());
                }
                Turn::Blocked | Turn::Ready | Turn::Ended => return Ok(()),
            }
        }
    }

    fn take_plain(&mut self, into: &mut Vec<u8>) {
        let waiting = part(&self.plain, self.plain_start..);
        let bytes = waiting.len().min(into.capacity() - into.len());
        into.extend_from_slice(part(waiting, ..bytes));
        self.plain_start += bytes;
        if self.plain_start == self.plain.len() {
            self.plain = Vec::new();
            self.plain_start = 0;
        }
    }

    /// Encrypts the beginning of `data` onto `out` and says how much of it that was.
    pub(crate) fn seal(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<usize, Error> {
        let data = data.get(..SEAL_BYTES_MAX).unwrap_or(data);
        let mut wants = Wants::Encrypt(data);
        self.until_ready(&mut wants, out)?;
        Ok(data.len())
    }

    /// Appends the word that nothing more will be sent.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.until_ready(&mut Wants::Close, out)
    }

    fn until_ready(&mut self, wants: &mut Wants<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(error) = self.failed.clone() {
            return Err(error);
        }
        loop {
            match self.turn(wants, out)? {
                Turn::Again => {}
                Turn::Full => {
                    self.turn(&mut Wants::PlainAside, out)?;
                }
                Turn::Ready => return Ok(()),
                Turn::Blocked | Turn::Ended => return Err(Error::HandshakeNotComplete),
            }
        }
    }

    /// One step of rustls over what lies in the inbox. A fault is kept, and what there is to say
    /// about it to the other side is appended to `out`.
    fn turn(&mut self, wants: &mut Wants<'_>, out: &mut Vec<u8>) -> Result<Turn, Error> {
        let unread = part_mut(&mut self.inbox, self.inbox_start..);
        let mut step = Step {
            wants,
            out,
            plain: &mut self.plain,
        };
        let (discard, outcome, ended) = match &mut self.side {
            Side::Client(connection) => step.take(connection.process_tls_records(unread)),
            Side::Server(connection) => step.take(connection.process_tls_records(unread)),
        };
        self.has_ended |= ended;
        self.inbox_start = (self.inbox_start + discard).min(self.inbox.len());
        if let Err(error) = &outcome
            && self.failed.is_none()
        {
            self.failed = Some(error.clone());
            // The alert that belongs to the fault; what has arrived is not looked at any more.
            while self.common().wants_write() && self.turn(&mut Wants::Handshake, out).is_ok() {}
        }
        outcome
    }

    /// A buffer to receive into, behind what it holds already: the begin of a record, or nothing.
    pub(crate) fn receiving_buffer(&mut self, pool: &BufferPool) -> Vec<u8> {
        let partial = part(&self.inbox, self.inbox_start..);
        let may_grow = self.was_full && pool.shortage().is_none();
        let is_bulk = may_grow || partial.len() + RECORD_OVERHEAD_BYTES > BUFFER_BYTES / 2;
        let mut buffer = match is_bulk {
            true => pool.rent_bulk(),
            false => pool.rent(),
        };
        self.lease = pool.lease(buffer.capacity());
        // No handshake message or record that rustls accepts is larger than a bulk buffer.
        buffer.extend_from_slice(partial);
        if buffer.len() == buffer.capacity() {
            buffer.reserve(BUFFER_BYTES);
        }
        buffer
    }

    /// Takes what was received, in the buffer that [`Records::receiving_buffer`] gave.
    pub(crate) fn received(&mut self, buffer: Vec<u8>, pool: &BufferPool) {
        self.was_full = buffer.len() == buffer.capacity();
        pool.give_back(std::mem::replace(&mut self.inbox, buffer));
        self.inbox_start = 0;
        self.has_more = self.inbox.len() > self.inbox_start;
    }

    /// Gives the storage back if nothing waits in it.
    pub(crate) fn release(&mut self, pool: &BufferPool) {
        if self.inbox_start == self.inbox.len() && self.inbox.capacity() > 0 {
            self.lease = Lease::default();
            pool.give_back(std::mem::take(&mut self.inbox));
            self.inbox_start = 0;
        }
    }
}

/// Room for `bytes` of content and what goes with it.
pub(crate) fn sealing_buffer(pool: &BufferPool, bytes: usize) -> Vec<u8> {
    if bytes + 2 * RECORD_OVERHEAD_BYTES > BUFFER_BYTES {
        pool.rent_bulk()
    } else {
        pool.rent()
    }
}

/// What a caller is after.
enum Wants<'a> {
    Handshake,
    /// Plaintext, as far as there is room.
    Plain(&'a mut Vec<u8>),
    /// The next record's plaintext, wherever it may go.
    PlainAside,
    Encrypt(&'a [u8]),
    Close,
}

/// What one step of rustls came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Something was done, more may follow.
    Again,
    /// More of the handshake must arrive.
    Blocked,
    /// The connection is up, and what was wanted of it was done.
    Ready,
    /// Plaintext is there and no room for it.
    Full,
    /// Both sides have ended.
    Ended,
}

struct Step<'s, 'w> {
    wants: &'s mut Wants<'w>,
    out: &'s mut Vec<u8>,
    plain: &'s mut Vec<u8>,
}

impl Step<'_, '_> {
    /// Bytes used, what was done, and whether the other side has ended.
    fn take<Data>(
        &mut self,
        status: UnbufferedStatus<'_, '_, Data>,
    ) -> (usize, Result<Turn, Error>, bool) {
        let discard = status.discard;
        let state = match status.state {
            Ok(state) => state,
            Err(error) => return (discard, Err(error), false),
        };
        let turn = match state {
            ConnectionState::ReadTraffic(mut traffic) => {
                return self.take_traffic(discard, &mut traffic);
            }
            ConnectionState::EncodeTlsData(mut data) => {
                let encoded = append(self.out, 0, |room| match data.encode(room) {
                    Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                        Err(Some(required_size))
                    }
                    Err(EncodeError::AlreadyEncoded) => Err(None),
                    Ok(bytes) => Ok(bytes),
                });
                encoded.map(|()| Turn::Again)
            }
            ConnectionState::TransmitTlsData(data) => {
                // It is on its way: it lies in `out`, before anything that comes later.
                data.done();
                Ok(Turn::Again)
            }
            ConnectionState::PeerClosed => return (discard, Ok(Turn::Again), true),
            ConnectionState::Closed => return (discard, Ok(Turn::Ended), true),
            ConnectionState::BlockedHandshake => Ok(Turn::Blocked),
            ConnectionState::WriteTraffic(mut traffic) => match self.wants {
                Wants::Encrypt(data) => {
                    let records = data.len().div_ceil(RECORD_BYTES).max(1);
                    let bytes = data.len() + records * RECORD_OVERHEAD_BYTES;
                    append(self.out, bytes, |room| {
                        traffic.encrypt(data, room).map_err(required)
                    })
                    .map(|()| Turn::Ready)
                }
                Wants::Close => append(self.out, RECORD_OVERHEAD_BYTES, |room| {
                    traffic.queue_close_notify(room).map_err(required)
                })
                .map(|()| Turn::Ready),
                Wants::Handshake | Wants::Plain(_) | Wants::PlainAside => Ok(Turn::Ready),
            },
            // Early data is not enabled, and there are no other states.
            _ => Err(Error::General("unexpected state of the TLS library".into())),
        };
        (discard, turn, false)
    }

    fn take_traffic<Data>(
        &mut self,
        mut discard: usize,
        traffic: &mut rustls::unbuffered::ReadTraffic<'_, '_, Data>,
    ) -> (usize, Result<Turn, Error>, bool) {
        while let Some(bytes) = traffic.peek_len() {
            let into = match self.wants {
                Wants::Plain(into) if into.capacity() - into.len() >= bytes.get() => &mut **into,
                Wants::PlainAside => &mut *self.plain,
                _ => return (discard, Ok(Turn::Full), false),
            };
            match traffic.next_record() {
                Some(Ok(record)) => {
                    into.extend_from_slice(record.payload);
                    discard += record.discard;
                }
                Some(Err(error)) => return (discard, Err(error), false),
                None => break,
            }
        }
        (discard, Ok(Turn::Again), false)
    }
}

/// The size that was missing, if that was it.
fn required(error: EncryptError) -> Option<usize> {
    match error {
        EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => {
            Some(required_size)
        }
        EncryptError::EncryptExhausted => None,
    }
}

/// Lets `write` write behind what is in `out`: into `bytes`, or into as many as it says it needs.
fn append(
    out: &mut Vec<u8>,
    bytes: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> Result<(), Error> {
    let begin = out.len();
    let mut room = bytes;
    for _ in 0..2 {
        out.resize(begin + room, 0);
        match write(part_mut(out, begin..)) {
            Ok(written) => {
                out.truncate(begin + written);
                return Ok(());
            }
            Err(Some(needed)) => room = needed,
            Err(None) => break,
        }
    }
    out.truncate(begin);
    Err(Error::EncryptError)
}

const _: () = {
    assert!(
        SEAL_BYTES_MAX + (SEAL_BYTES_MAX / RECORD_BYTES + 1) * RECORD_OVERHEAD_BYTES
            <= BULK_BUFFER_BYTES
    );
};
