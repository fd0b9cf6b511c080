//! Tunnels between real sockets, under both drivers: every byte arrives, in order and counted, however
//! it travels.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use monoio::{LegacyDriver, RuntimeBuilder};

use super::Transport;
use super::copy::{TunnelEnd, TunnelLife, tunnel};
use crate::io::buffers::BufferPool;
use crate::io::deadline::{TICK, Wheel};
use crate::io::driver::{io_uring_runtime, probe_io_uring};
use crate::io::line::Line;
use crate::io::socket::Socket;
use crate::limits::PIPES_MAX;
use crate::observe::Traffic;

#[path = "../../tests/skip.rs"]
mod skip;

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driver {
    IoUring,
    Epoll,
}

/// Those that run here.
fn drivers() -> Vec<Driver> {
    match probe_io_uring() {
        Ok(()) => vec![Driver::IoUring, Driver::Epoll],
        Err(error) => {
            skip::skip(&format!("no io_uring here: {error}"));
            vec![Driver::Epoll]
        }
    }
}

/// What a tunnel came to.
#[derive(Debug)]
struct Outcome {
    end: TunnelEnd,
    /// Received from the client and sent to the origin.
    up: [u64; 2],
    /// Received from the origin and sent to the client.
    down: [u64; 2],
    /// Pipes that were made.
    pipes: usize,
}

/// How a tunnel is set up.
#[derive(Debug, Clone, Copy)]
struct Plan {
    driver: Driver,
    idle: Duration,
    /// Pipes that others use already.
    pipes_in_use: usize,
    /// Bytes of the kernel's buffers of each socket, 0 for its own choice.
    buffer_bytes: usize,
}

impl Plan {
    fn new(driver: Driver) -> Self {
        Self {
            driver,
            idle: PATIENCE,
            pipes_in_use: 0,
            buffer_bytes: 0,
        }
    }

    /// Starts a tunnel; gives the client's socket and the origin's.
    fn start(self) -> (TcpStream, TcpStream, JoinHandle<Outcome>) {
        let (client, client_side) = self.pair();
        let (origin, origin_side) = self.pair();
        let proxy = thread::spawn(move || match self.driver {
            Driver::IoUring => {
                let builder = io_uring_runtime().unwrap().enable_timer();
                let mut runtime = builder.build().unwrap();
                runtime.block_on(self.run(client_side, origin_side))
            }
            Driver::Epoll => {
                let builder = RuntimeBuilder::<LegacyDriver>::new().enable_timer();
                let mut runtime = builder.build().unwrap();
                runtime.block_on(self.run(client_side, origin_side))
            }
        });
        (client, origin, proxy)
    }

    async fn run(self, client: TcpStream, origin: TcpStream) -> Outcome {
        let wheel = Wheel::new(Instant::now());
        let pool = BufferPool::new(1 << 20);
        pool.pipes().set_open(self.pipes_in_use);
        let [client, origin] = [client, origin].map(|stream| {
            let stream = monoio::net::TcpStream::from_std(stream).unwrap();
            Transport::Plain(Socket::new(
                Line::new(stream),
                &wheel,
                &Traffic::uncounted(),
            ))
        });
        let ticking = Rc::clone(&wheel);
        monoio::spawn(async move {
            loop {
                monoio::time::sleep(TICK).await;
                ticking.advance(Instant::now());
            }
        });
        let life = TunnelLife {
            idle: self.idle,
            total: None,
        };
        let end = tunnel(&client, &origin, &pool, life, None).await;
        let outcome = Outcome {
            end,
            up: [client.bytes_in(), origin.bytes_out()],
            down: [origin.bytes_in(), client.bytes_out()],
            pipes: pool.pipes().open() - self.pipes_in_use,
        };
        drop((client, origin));
        // The ring closes them when it is next waited for.
        monoio::time::sleep(TICK).await;
        outcome
    }

    fn pair(&self) -> (TcpStream, TcpStream) {
        let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let listener = TcpListener::bind(address).unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let theirs = listener.accept().unwrap().0;
        if self.buffer_bytes > 0 {
            for stream in [&ours, &theirs] {
                let socket = socket2::SockRef::from(stream);
                socket.set_recv_buffer_size(self.buffer_bytes).unwrap();
                socket.set_send_buffer_size(self.buffer_bytes).unwrap();
            }
        }
        // As each driver leaves those that it accepts.
        theirs
            .set_nonblocking(self.driver == Driver::Epoll)
            .unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        ours.set_write_timeout(Some(PATIENCE)).unwrap();
        (ours, theirs)
    }
}

/// Bytes that tell when one is lost, doubled or out of place (xorshift64).
fn content(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_ne_bytes()
    });
    words.flatten().take(bytes).collect()
}

/// Sends `bytes` and ends; meanwhile receives to the end.
fn speak(stream: TcpStream, bytes: Vec<u8>) -> JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut sending = stream.try_clone()?;
        let sender = thread::spawn(move || {
            sending.write_all(&bytes)?;
            sending.shutdown(Shutdown::Write)
        });
        let mut received = Vec::new();
        let mut stream = stream;
        stream.read_to_end(&mut received)?;
        sender.join().unwrap()?;
        Ok(received)
    })
}

fn check(plan: Plan, up_bytes: usize, down_bytes: usize) -> Outcome {
    let (client, origin, proxy) = plan.start();
    let (up, down) = (content(up_bytes, 3), content(down_bytes, 5));
    let client = speak(client, up.clone());
    let origin = speak(origin, down.clone());
    // Not `assert_eq`, which would print megabytes.
    assert!(client.join().unwrap().unwrap() == down, "{plan:?}: down");
    assert!(origin.join().unwrap().unwrap() == up, "{plan:?}: up");
    let outcome = proxy.join().unwrap();
    assert_eq!(outcome.end, TunnelEnd::Closed, "{plan:?}");
    assert_eq!(outcome.up, [up_bytes as u64; 2], "{plan:?}");
    assert_eq!(outcome.down, [down_bytes as u64; 2], "{plan:?}");
    outcome
}

#[test]
fn every_byte_arrives_both_ways_at_once() {
    for driver in drivers() {
        for (up, down) in [
            (0, 0),
            (1, 70_000),
            (17 * 1024, 17 * 1024 + 1),
            (128 * 1024, 0),
            (300_000, 1_000_003),
            (6_000_001, 9_000_017),
        ] {
            check(Plan::new(driver), up, down);
        }
    }
}

#[test]
fn bulk_takes_a_pipe_and_goes_without_where_there_is_none() {
    for driver in drivers() {
        let plan = Plan::new(driver);
        assert_ne!(check(plan, 0, 20_000_000).pipes, 0, "{plan:?}");
        assert_eq!(check(plan, 1_000, 1_000).pipes, 0, "{plan:?}");
        let without = Plan {
            pipes_in_use: PIPES_MAX,
            ..plan
        };
        assert_eq!(check(without, 5_000_000, 20_000_000).pipes, 0);
    }
}

/// The writing side blocks with the pipe full, again and again.
#[test]
fn slow_readers_get_all_of_it() {
    for driver in drivers() {
        let plan = Plan {
            buffer_bytes: 256 * 1024,
            ..Plan::new(driver)
        };
        let (mut client, origin, proxy) = plan.start();
        let down = content(12_000_000, 7);
        let origin = speak(origin, down.clone());
        client.shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        let mut buffer = vec![0; 100_000];
        loop {
            let bytes = client.read(&mut buffer).unwrap();
            if bytes == 0 {
                break;
            }
            received.extend_from_slice(&buffer[..bytes]);
            thread::sleep(Duration::from_millis(1));
        }
        assert!(received == down, "{plan:?}");
        assert_eq!(origin.join().unwrap().unwrap(), b"");
        let outcome = proxy.join().unwrap();
        assert_eq!(outcome.end, TunnelEnd::Closed);
        assert_eq!(outcome.down, [12_000_000; 2]);
        assert_ne!(outcome.pipes, 0, "{plan:?}");
    }
}

#[test]
fn bulk_and_small_exchanges_take_turns() {
    for driver in drivers() {
        let (mut client, mut origin, proxy) = Plan::new(driver).start();
        let bulk = content(3_000_000, 11);
        for round in 0..4_u8 {
            let sent = bulk.clone();
            let mut sending = origin.try_clone().unwrap();
            let sender = thread::spawn(move || sending.write_all(&sent).unwrap());
            let mut received = vec![0; bulk.len()];
            client.read_exact(&mut received).unwrap();
            assert!(received == bulk, "{driver:?}, round {round}");
            sender.join().unwrap();
            for number in 0..50 {
                client.write_all(&[round, number]).unwrap();
                let mut two = [0; 2];
                origin.read_exact(&mut two).unwrap();
                origin.write_all(&two).unwrap();
                client.read_exact(&mut two).unwrap();
                assert_eq!(two, [round, number]);
            }
        }
        drop((client, origin));
        assert_eq!(proxy.join().unwrap().up, [400; 2]);
    }
}

/// In the middle of bulk, with bytes in the pipe.
#[test]
fn resets_end_the_other_side_too() {
    for driver in drivers() {
        for (by_client, cause) in [
            (true, TunnelEnd::ClientFailed),
            (false, TunnelEnd::UpstreamFailed),
        ] {
            let (client, origin, proxy) = Plan::new(driver).start();
            let (mut failing, mut sending) = match by_client {
                true => (client, origin),
                false => (origin, client),
            };
            let sender = thread::spawn(move || {
                let bytes = content(64 * 1024, 13);
                while sending.write_all(&bytes).is_ok() {}
            });
            failing.read_exact(&mut vec![0; 2_000_000]).unwrap();
            let socket = socket2::SockRef::from(&failing);
            socket.set_linger(Some(Duration::ZERO)).unwrap();
            drop(failing);
            sender.join().unwrap();
            let outcome = proxy.join().unwrap();
            assert_eq!(outcome.end, cause, "{driver:?}");
        }
    }
}

/// Neither end says a word: the one that does not read holds the other up for so long and no longer.
#[test]
fn a_reader_that_stops_is_an_idle_tunnel() {
    for driver in drivers() {
        for (up, down) in [(64 << 20, 0), (0, 64 << 20)] {
            let plan = Plan {
                idle: Duration::from_millis(300),
                ..Plan::new(driver)
            };
            let (client, origin, proxy) = plan.start();
            let (mut sending, _silent) = match up > 0 {
                true => (client, origin),
                false => (origin, client),
            };
            let sender = thread::spawn(move || sending.write_all(&content(up.max(down), 17)));
            assert_eq!(proxy.join().unwrap().end, TunnelEnd::Expired, "{driver:?}");
            assert!(sender.join().unwrap().is_err());
        }
    }
}
