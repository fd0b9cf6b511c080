//! A script played: what the client and the origin got to see.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt::Linger};

use super::script::Step;
use super::world::World;

/// What came of a script.
pub(super) struct Played {
    pub(super) client_port: u16,
    /// Every byte that the client got; nothing behind its reset.
    pub(super) client: Vec<u8>,
    /// Every byte that the origin got, of each connection.
    pub(super) origin: Vec<Vec<u8>>,
}

/// How long nothing must have happened for "nothing happens any more".
const QUIET: Duration = Duration::from_millis(2);
/// A connection that goes on for longer than any wait that is configured hangs.
const END_MAX: Duration = Duration::from_secs(20);
/// The client reads no more than this much at once, so that responses have to wait.
const READ_BYTES: usize = 1024;

pub(super) fn play(steps: &[Step<'_>], world: &World) -> Played {
    let mut stage = Stage::new(world);
    for step in steps {
        stage.step(step);
    }
    stage.finish()
}

struct Stage<'w> {
    world: &'w World,
    client_port: u16,
    client: Side,
    origins: Vec<Side>,
}

impl<'w> Stage<'w> {
    fn new(world: &'w World) -> Self {
        let stream = world.connect();
        Self {
            world,
            client_port: stream.local_addr().expect("it is connected").port(),
            client: Side::new(stream),
            origins: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step<'_>) {
        match step {
            Step::ClientSends(bytes) => {
                let bytes = with_port(bytes, self.world.origin_port());
                self.client.send(&bytes);
            }
            Step::OriginSends(bytes) => self.at_origin(|origin| origin.send(bytes)),
            Step::Wait => self.pump(),
            Step::ClientFinishes => self.client.finish(),
            Step::ClientAborts => self.client.abort(),
            Step::OriginCloses => self.at_origin(Side::close),
            Step::OriginResets => self.at_origin(Side::abort),
        }
    }

    /// What the origin does waits for what makes it, if that comes at all.
    fn at_origin(&mut self, act: impl FnOnce(&mut Side)) {
        self.pump();
        if let Some(origin) = self.origins.last_mut() {
            act(origin);
        }
    }

    /// Takes what there is until nothing comes for a moment.
    fn pump(&mut self) {
        let mut quiet_since = Instant::now();
        while quiet_since.elapsed() < QUIET {
            if self.turn() {
                quiet_since = Instant::now();
            } else {
                thread::sleep(Duration::from_micros(100));
            }
        }
    }

    /// Whether anything came.
    fn turn(&mut self) -> bool {
        let accepted = self.world.origin().accept();
        let is_new = accepted.is_ok();
        self.origins
            .extend(accepted.into_iter().map(|(stream, _)| Side::new(stream)));
        let origins = self.origins.iter_mut().map(Side::receive);
        let heard = origins.fold(false, |heard, some| heard | some);
        self.client.receive() | heard | is_new
    }

    /// Both sides say that there is no more, and the proxy ends in time.
    fn finish(mut self) -> Played {
        self.pump();
        self.client.finish();
        let begun = Instant::now();
        while !self.client.is_over() {
            self.pump();
            self.origins.iter_mut().for_each(Side::close);
            assert!(begun.elapsed() < END_MAX, "the client's connection hangs");
        }
        self.pump();
        Played {
            client_port: self.client_port,
            client: self.client.received,
            origin: self.origins.into_iter().map(|side| side.received).collect(),
        }
    }
}

/// The placeholder of the origin's port filled in.
fn with_port(bytes: &[u8], port: u16) -> Vec<u8> {
    const PLACEHOLDER: &[u8] = b"{port}";
    let mut filled = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, more)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(PLACEHOLDER) {
            filled.extend_from_slice(port.to_string().as_bytes());
            rest = behind;
        } else {
            filled.push(*first);
            rest = more;
        }
    }
    filled
}

/// One end of a connection; `None` once it is closed.
struct Side {
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

impl Side {
    fn new(stream: TcpStream) -> Self {
        stream
            .set_nonblocking(true)
            .expect("a socket that does not block");
        Self {
            stream: Some(stream),
            received: Vec::new(),
        }
    }

    const fn is_over(&self) -> bool {
        self.stream.is_none()
    }

    /// As much as the other side takes: scripts are shorter than what a socket holds.
    fn send(&mut self, bytes: &[u8]) {
        if let Some(stream) = &mut self.stream {
            // It may be gone by now.
            let _ = stream.write_all(bytes);
        }
    }

    fn finish(&mut self) {
        if let Some(stream) = &self.stream {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    }

    fn close(&mut self) {
        self.receive();
        self.stream = None;
    }

    fn abort(&mut self) {
        if let Some(stream) = &self.stream {
            let at_once = nix::libc::linger {
                l_onoff: 1,
                l_linger: 0,
            };
            setsockopt(stream, Linger, &at_once).expect("a socket that resets");
        }
        self.stream = None;
    }

    /// Whether there was something, an end included.
    fn receive(&mut self) -> bool {
        let Some(stream) = &mut self.stream else {
            return false;
        };
        let mut bytes = [0; READ_BYTES];
        match stream.read(&mut bytes) {
            Ok(0) => self.stream = None,
            Ok(count) => self.received.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => self.stream = None,
        }
        true
    }
}
