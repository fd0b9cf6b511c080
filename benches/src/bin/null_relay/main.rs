//! The floor: a relay that accepts, connects to one fixed target and copies both ways. It parses
//! nothing, decides nothing, logs nothing. What a proxy costs above it is what the proxy does.
//!
//! Four forms, each as lean as its interface allows: `io_uring` through monoio, the runtime of the
//! proxy, with the flags that the proxy uses; `epoll` with nothing between it and the kernel;
//! `splice`, the same without copying, for the floor of bulk; `tls`, the same with rustls on both
//! sides, for the floor of interception.
//! Started by `benches/peers/run`.

#![deny(unsafe_code)]
#![expect(clippy::print_stdout, reason = "tells the script that it listens")]

mod epoll;
mod event_loop;
mod readable;
mod splice;
mod tls;
mod uring;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Octets of a copy buffer.
const BUFFER_BYTES: usize = 16 * 1024;
/// Connections waiting to be accepted.
const BACKLOG: i32 = 4_096;

/// Relays TCP connections to one target.
#[derive(Debug, Parser)]
struct Args {
    /// Address to listen on; printed when ready.
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// Address every connection is relayed to.
    #[arg(long, value_name = "ADDR")]
    target: SocketAddr,
    /// How to wait for the kernel.
    #[arg(long, value_enum)]
    driver: Driver,
    /// PEM files that `tls` shows to clients; the origin's certificate must be signed by the first.
    #[arg(long, num_args = 2, value_names = ["CERT", "KEY"], required_if_eq("driver", "tls"))]
    identity: Vec<PathBuf>,
    /// The name that the origin's certificate must be for, with `tls`.
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    origin_name: String,
    /// CPU to run on.
    #[arg(long, value_name = "CPU")]
    pin: Option<usize>,
}

/// The four forms.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Driver {
    #[value(name = "io_uring")]
    IoUring,
    Epoll,
    Splice,
    Tls,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    if let Some(id) = args.pin
        && !core_affinity::set_for_current(core_affinity::CoreId { id })
    {
        return Err(io::Error::other("this process may not run on that CPU"));
    }
    let listener = listen(args.listen)?;
    match args.driver {
        Driver::IoUring => uring::run(listener, args.target),
        Driver::Epoll => event_loop::run(&listener, args.target, epoll::Copying::default()),
        Driver::Splice => event_loop::run(&listener, args.target, splice::Splicing::default()),
        Driver::Tls => {
            let [certificate, key] = args.identity.as_slice() else {
                return Err(io::Error::other("--identity CERT KEY is missing"));
            };
            let identity = tls::Identity::load(certificate, key, args.origin_name)?;
            event_loop::run(&listener, args.target, tls::Terminating::new(identity))
        }
    }
}

/// Tells the script that connections will be served from now on.
fn announce(listener: &TcpListener) -> io::Result<()> {
    println!("listening on {}", listener.local_addr()?);
    Ok(())
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM.nonblocking(), None)?;
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit it.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
