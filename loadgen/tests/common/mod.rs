//! What the end-to-end tests share: the real binary as origin and as meter, and a client that
//! speaks raw bytes.

#![expect(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// The binary under test.
pub(crate) fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sallyport-load"))
}

/// A running origin; ended with the test.
pub(crate) struct Origin {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Origin {
    pub(crate) fn start(extra: &[&str]) -> Self {
        let mut child = binary()
            .args(["origin", "--listen", "127.0.0.1:0"])
            .args(extra)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the origin starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .expect("the announcement");
        Self {
            address: address.parse().expect("an address"),
            child,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends bytes on a new connection, reads to the end of the stream.
    pub(crate) fn exchange(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("sent");
        let mut response = Vec::new();
        stream.read_to_end(&mut response).expect("an orderly end");
        String::from_utf8(response).expect("text")
    }

    /// GET on a connection that is closed afterwards.
    pub(crate) fn get(&self, target: &str) -> String {
        self.exchange(&format!(
            "GET {target} HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n"
        ))
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connected");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a time-out");
        stream
    }

    /// Connections and requests so far, this one included.
    pub(crate) fn count(&self) -> (u64, u64) {
        let response = self.get("/count");
        let (_, body) = response.split_once("\r\n\r\n").expect("a body");
        let value: Value = serde_json::from_str(body).expect("JSON");
        (
            value["connections"].as_u64().expect("a number"),
            value["requests"].as_u64().expect("a number"),
        )
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the meter to its end.
pub(crate) fn run_output(args: &[&str]) -> Output {
    binary()
        .arg("run")
        .args(args)
        .output()
        .expect("the meter runs")
}

/// Runs the meter and reads its JSON report.
pub(crate) fn run(args: &[&str]) -> Value {
    let output = run_output(&[args, &["--json"]].concat());
    parse_report(&output)
}

pub(crate) fn parse_report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// A number in a report, by a path such as `latency_us.p50`.
pub(crate) fn number(report: &Value, path: &str) -> f64 {
    let value = path.split('.').fold(report, |value, key| &value[key]);
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{path} in {report}"))
}

/// A server that answers every request with an empty 200 and keeps the heads it was sent.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<Vec<u8>>>>,
    connections: Arc<AtomicUsize>,
}

impl Recorder {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let recorder = Self {
            address: listener.local_addr().expect("an address"),
            heads: Arc::default(),
            connections: Arc::default(),
        };
        let (heads, connections) = (
            Arc::clone(&recorder.heads),
            Arc::clone(&recorder.connections),
        );
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                let heads = Arc::clone(&heads);
                thread::spawn(move || record(stream, &heads));
            }
        });
        recorder
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn heads(&self) -> Vec<Vec<u8>> {
        self.heads.lock().expect("no panic").clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn record(mut stream: TcpStream, heads: &Mutex<Vec<Vec<u8>>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
        // The PROXY protocol's signature has an empty line of its own.
        if head.len() > 16 && head.ends_with(b"\r\n\r\n") {
            heads
                .lock()
                .expect("no panic")
                .push(std::mem::take(&mut head));
            if stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .is_err()
            {
                return;
            }
        }
    }
}

/// A plan in a file that lives as long as the folder.
pub(crate) fn plan(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.toml");
    std::fs::write(&path, text).expect("written");
    let path = path.to_str().expect("a path").to_owned();
    (folder, path)
}

/// A server that gives every connection the same bytes, whatever it is sent, and closes.
pub(crate) fn parrot(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(bytes);
        }
    });
    address
}

/// A real CONNECT proxy without rules: reads a head, connects, copies both ways.
pub(crate) fn connect_proxy() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || relay(stream));
        }
    });
    address
}

fn relay(mut client: TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default();
    assert!(head.starts_with("CONNECT "), "{head}");
    let port = target.rsplit(':').next().unwrap_or_default();
    let Ok(mut origin) = TcpStream::connect(format!("127.0.0.1:{port}")) else {
        return;
    };
    let _ = client.write_all(b"HTTP/1.1 200 Connection established\r\nVia: t\r\n\r\n");
    let (mut client_read, mut origin_write) = (
        client.try_clone().expect("clone"),
        origin.try_clone().expect("clone"),
    );
    let up = thread::spawn(move || {
        let _ = std::io::copy(&mut client_read, &mut origin_write);
        let _ = origin_write.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut origin, &mut client);
    let _ = client.shutdown(std::net::Shutdown::Write);
    let _ = up.join();
}

/// A certificate for `localhost` and its key, in files that live as long as the folder.
pub(crate) struct Certificate {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    pub(crate) fn make() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, key) = (
            folder.path().join("cert.pem"),
            folder.path().join("key.pem"),
        );
        std::fs::write(&certificate, made.cert.pem()).expect("written");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
        Self {
            folder,
            certificate,
            key,
        }
    }

    pub(crate) fn origin(&self) -> Origin {
        let (certificate, key) = (self.certificate.to_str(), self.key.to_str());
        Origin::start(&["--tls", certificate.expect("a path"), key.expect("a path")])
    }
}
