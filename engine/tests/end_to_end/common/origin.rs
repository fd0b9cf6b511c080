//! Origins: the real one of the workspace, and one whose every byte a test writes itself.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use super::certificates::Certificate;
use super::connection::Connection;
use super::message::{header_values, parse_chunked, parse_head};
use super::pki::Identity;
use super::process::Process;
use super::programs::sallyport_load;
use super::wait::wait_for;

/// `sallyport-load origin`.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    _process: Process,
}

impl Origin {
    pub(crate) fn start() -> Self {
        Self::start_on("127.0.0.1:0")
    }

    pub(crate) fn start_on(listen: &str) -> Self {
        Self::start_with(listen, &[])
    }

    pub(crate) fn start_tls(certificate: &Certificate) -> Self {
        let paths = [&certificate.certificate, &certificate.key].map(|path| path.to_str().unwrap());
        Self::start_with("127.0.0.1:0", &["--tls", paths[0], paths[1]])
    }

    /// The same with a certificate of an authority.
    pub(crate) fn certified(identity: &Identity) -> Self {
        let paths = [&identity.certificate, &identity.key].map(|path| path.to_str().unwrap());
        Self::start_with("127.0.0.1:0", &["--tls", paths[0], paths[1]])
    }

    fn start_with(listen: &str, arguments: &[&str]) -> Self {
        let mut command = sallyport_load();
        command.args(["origin", "--listen", listen]).args(arguments);
        let mut process = Process::start(&mut command);
        let address = process.wait_line("the origin", |line| {
            line.strip_prefix("listening on ")?.trim().parse().ok()
        });
        Self {
            address,
            _process: process,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// An `http` URL of it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many (connections, requests) it has seen, without those of this question.
    pub(crate) fn count(&self) -> (u64, u64) {
        let mut direct = Connection::open(self.address);
        direct.send("GET /count HTTP/1.1\r\nHost: origin\r\nConnection: close\r\n\r\n");
        let count: Value = serde_json::from_slice(&direct.response().body).unwrap();
        let number = |name: &str| count[name].as_u64().unwrap() - 1;
        (number("connections"), number("requests"))
    }
}

/// One connection as the origin's script sees it.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) connection: Connection,
    /// 0 for the first connection of the origin.
    pub(crate) index: usize,
}

/// A request as it reached the origin.
#[derive(Debug, Clone)]
pub(crate) struct SeenRequest {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl SeenRequest {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values = header_values(&self.headers, name);
        (!values.is_empty()).then(|| values.join(", "))
    }
}

impl Accepted {
    /// The next request, body included.
    pub(crate) fn request(&mut self) -> SeenRequest {
        let (line, headers) = parse_head(&self.connection.head());
        let mut request = SeenRequest {
            line,
            headers,
            body: Vec::new(),
            trailers: Vec::new(),
        };
        if let Some(length) = request.header("content-length") {
            request.body = self.connection.bytes(length.parse().unwrap());
        } else if request.header("transfer-encoding").is_some() {
            let chunked = loop {
                match parse_chunked(&self.connection.received) {
                    Some(chunked) => break chunked,
                    None => {
                        let more = self.connection.bytes(self.connection.received.len() + 1);
                        self.connection.received.splice(0..0, more);
                    }
                }
            };
            self.connection.received.drain(..chunked.length);
            request.body = chunked.data;
            request.trailers = chunked.trailers;
        }
        request
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.connection.send(bytes);
        self
    }
}

/// An origin that counts every connection and lets a script answer on it.
#[derive(Debug)]
pub(crate) struct ScriptedOrigin {
    pub(crate) address: SocketAddr,
    /// The other end of each connection, in order.
    accepted: Arc<Mutex<Vec<SocketAddr>>>,
    requests: Arc<Mutex<Vec<SeenRequest>>>,
}

/// Where a script puts the requests that it wants to be seen by the test.
#[derive(Debug, Clone)]
pub(crate) struct Notebook(Arc<Mutex<Vec<SeenRequest>>>);

impl Notebook {
    pub(crate) fn note(&self, request: SeenRequest) {
        self.0.lock().unwrap().push(request);
    }
}

impl ScriptedOrigin {
    /// Runs `script` for each connection, each in a thread of its own.
    pub(crate) fn start(script: impl Fn(Accepted, &Notebook) + Send + Sync + 'static) -> Self {
        Self::start_on("127.0.0.1:0", script)
    }

    fn start_on(
        listen: &str,
        script: impl Fn(Accepted, &Notebook) + Send + Sync + 'static,
    ) -> Self {
        Self::start_greeting(listen, "", script)
    }

    fn start_greeting(
        listen: &str,
        greeting: &'static str,
        script: impl Fn(Accepted, &Notebook) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(listen).unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, requests) = (Arc::<Mutex<Vec<_>>>::default(), Arc::default());
        let (counter, notebook) = (Arc::clone(&accepted), Notebook(Arc::clone(&requests)));
        let script = Arc::new(script);
        // Ends with the test process: a blocked accept holds nothing but a socket.
        thread::spawn(move || {
            while let Ok((mut stream, client)) = listener.accept() {
                // A probe may be gone already.
                let _ = stream.write_all(greeting.as_bytes());
                let index = {
                    let mut accepted = counter.lock().unwrap();
                    accepted.push(client);
                    accepted.len() - 1
                };
                let (script, notebook) = (Arc::clone(&script), notebook.clone());
                thread::spawn(move || serve(stream, index, &*script, &notebook));
            }
        });
        Self {
            address,
            accepted,
            requests,
        }
    }

    /// Sends `greeting` at once and runs `script` when the client has said something.
    pub(crate) fn greeting(
        greeting: &'static str,
        script: impl Fn(Accepted, &Notebook) + Send + Sync + 'static,
    ) -> Self {
        Self::start_greeting("127.0.0.1:0", greeting, script)
    }

    /// Answers each request on each connection with these bytes.
    pub(crate) fn answering(response: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::start(move |mut accepted, notebook| {
            while accepted.has_more() {
                let request = accepted.request();
                notebook.note(request);
                accepted.send(response.as_ref());
            }
        })
    }

    /// Answers the first request of a connection with these bytes and closes it.
    pub(crate) fn answering_once(response: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::start(move |mut accepted, notebook| {
            let request = accepted.request();
            notebook.note(request);
            accepted.connection.send_in_vain(response.as_ref());
            accepted.connection.finish();
            accepted.connection.rest();
        })
    }

    /// Answers nothing: for tests in which nothing may arrive.
    pub(crate) fn silent() -> Self {
        Self::silent_on("127.0.0.1:0")
    }

    pub(crate) fn silent_on(listen: &str) -> Self {
        Self::start_on(listen, |mut accepted, _| drop(accepted.connection.rest()))
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Connections so far, whether they carried a byte or not.
    pub(crate) fn connections(&self) -> usize {
        // A connection of our own is accepted after all that came before it.
        let probe = TcpStream::connect(self.address).unwrap();
        let own = probe.local_addr().unwrap();
        wait_for("the probe to be accepted", || {
            let mut accepted = self.accepted.lock().unwrap();
            let place = accepted.iter().position(|client| *client == own)?;
            accepted.remove(place);
            Some(place)
        })
    }

    /// Waits until the script has noted `count` requests.
    pub(crate) fn requests(&self, count: usize) -> Vec<SeenRequest> {
        wait_for(&format!("{count} requests at the origin"), || {
            let requests = self.requests.lock().unwrap();
            (requests.len() >= count).then(|| requests.clone())
        })
    }
}

fn serve(
    stream: TcpStream,
    index: usize,
    script: &impl Fn(Accepted, &Notebook),
    notebook: &Notebook,
) {
    let connection = Connection::over(stream);
    let mut accepted = Accepted { connection, index };
    // A connection without a byte is a probe, or one that the test judges by its count.
    if accepted.has_more() {
        script(accepted, notebook);
    }
}

impl Accepted {
    /// Whether another byte comes before the end of the connection.
    pub(crate) fn has_more(&mut self) -> bool {
        if !self.connection.received.is_empty() {
            return true;
        }
        let mut byte = [0];
        matches!(self.connection.stream.peek(&mut byte), Ok(1))
    }
}
