//! The null relays carry every byte both ways, half-closes included: a floor that loses data is
//! no floor.

#[path = "../../engine/tests/skip.rs"]
mod skip;

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

use skip::skip;

/// A running relay; ended with the test.
struct Relay {
    child: Child,
    address: SocketAddr,
}

impl Relay {
    /// `None` where the driver cannot run.
    fn start(driver: &str, target: SocketAddr, options: &[&str]) -> io::Result<Option<Self>> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_null_relay"))
            .args(["--listen", "127.0.0.1:0", "--driver", driver])
            .args(options)
            .args(["--target", &target.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        thread::sleep(Duration::from_millis(20));
        let address = line
            .trim()
            .rsplit(' ')
            .next()
            .and_then(|text| text.parse().ok());
        match (address, child.try_wait()?) {
            (Some(address), None) => Ok(Some(Self { child, address })),
            _ => {
                skip(&format!("the {driver} driver does not run here"));
                Ok(None)
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It runs until it is killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that reads to the end of each connection and only then sends all of it back.
fn reflector() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes)?;
                stream.write_all(&bytes)
            });
        }
    });
    Ok(address)
}

fn content(length: usize, seed: u8) -> Vec<u8> {
    (0..=250_u8)
        .cycle()
        .map(|byte| byte ^ seed)
        .take(length)
        .collect()
}

fn check(driver: &str) -> io::Result<()> {
    let Some(relay) = Relay::start(driver, reflector()?, &[])? else {
        return Ok(());
    };
    let address = relay.address;
    let clients: Vec<_> = [0, 1, 1_000, 16_384, 100_000, 5_000_000]
        .into_iter()
        .zip(1_u8..)
        .map(|(length, seed)| {
            thread::spawn(move || -> io::Result<bool> {
                let sent = content(length, seed);
                let mut stream = TcpStream::connect(address)?;
                stream.set_read_timeout(Some(Duration::from_secs(20)))?;
                stream.write_all(&sent)?;
                stream.shutdown(Shutdown::Write)?;
                // Long enough for what comes back to fill every buffer on the way.
                thread::sleep(Duration::from_millis(100));
                let mut received = Vec::new();
                stream.read_to_end(&mut received)?;
                Ok(received == sent)
            })
        })
        .collect();
    for client in clients {
        assert!(
            client
                .join()
                .map_err(|_| io::Error::other("a client failed"))??,
            "{driver}"
        );
    }
    Ok(())
}

#[test]
fn io_uring_carries_every_byte() -> io::Result<()> {
    check("io_uring")
}

#[test]
fn epoll_carries_every_byte() -> io::Result<()> {
    check("epoll")
}

#[test]
fn splice_carries_every_byte() -> io::Result<()> {
    check("splice")
}

/// Each end speaks TLS with the relay, none with the other.
#[test]
fn tls_carries_every_byte() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()])?;
    fs::write(&certificate, cert.pem())?;
    fs::write(&key, signing_key.serialize_pem())?;
    let key_der = PrivateKeyDer::try_from(signing_key.serialize_der())?;
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key_der)?;
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone())?;
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let identity = [certificate.to_string_lossy(), key.to_string_lossy()];
    let options = ["--identity", &identity[0], &identity[1]];
    let relay =
        Relay::start("tls", tls_echo(server)?, &options)?.ok_or("the relay does not run")?;
    for (length, seed) in [(1, 1), (1_000, 2), (16_384, 3), (3_000_000, 4)] {
        let session = ClientConnection::new(Arc::new(client.clone()), "localhost".try_into()?)?;
        let stream = TcpStream::connect(relay.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut stream = StreamOwned::new(session, stream);
        let sent = content(length, seed);
        stream.write_all(&u64::try_from(length)?.to_be_bytes())?;
        stream.write_all(&sent)?;
        let mut received = Vec::new();
        stream.read_to_end(&mut received)?;
        assert_eq!(received, sent);
    }
    Ok(())
}

/// A server that reads a length and so many bytes, and only then sends them back.
fn tls_echo(config: ServerConfig) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let config = Arc::new(config);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            thread::spawn(move || {
                let session = ServerConnection::new(config).map_err(io::Error::other)?;
                let mut stream = StreamOwned::new(session, stream);
                let mut length = [0; 8];
                stream.read_exact(&mut length)?;
                let length =
                    usize::try_from(u64::from_be_bytes(length)).map_err(io::Error::other)?;
                let mut bytes = vec![0; length];
                stream.read_exact(&mut bytes)?;
                stream.write_all(&bytes)?;
                stream.conn.send_close_notify();
                stream.flush()
            });
        }
    });
    Ok(address)
}
