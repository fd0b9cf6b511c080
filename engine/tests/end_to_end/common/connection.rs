//! A client that speaks bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use super::message::{head_end, parse_chunked, parse_head};
use super::response::Response;
use super::wait::PATIENCE;

/// A TCP connection and what was received on it but not used.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) received: Vec<u8>,
}

/// How a connection was found to have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Reset,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        Self::over(stream)
    }

    /// From an address of this machine: another client.
    pub(crate) fn open_from(client: &str, address: SocketAddr) -> Self {
        let client = SocketAddr::new(client.parse().unwrap(), 0);
        let socket = Socket::new(Domain::for_address(client), Type::STREAM, None).unwrap();
        socket.bind(&client.into()).unwrap();
        socket.connect(&address.into()).unwrap();
        Self::over(socket.into())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            received: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).expect("sent");
        self
    }

    /// Sends as much as the other end takes: it may have refused and closed in between.
    pub(crate) fn send_in_vain(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.stream.write_all(bytes.as_ref());
        self
    }

    /// Ends the sending direction.
    pub(crate) fn finish(&mut self) -> &mut Self {
        self.stream.shutdown(Shutdown::Write).unwrap();
        self
    }

    /// Receives more; `None` says how the connection ended instead.
    fn receive(&mut self) -> Result<(), End> {
        let mut buffer = [0; 65536];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(End::Closed),
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Err(End::Reset),
            Err(error) => panic!(
                "nothing more came: {error}; so far {:?}",
                self.text_so_far()
            ),
        }
    }

    fn text_so_far(&self) -> String {
        String::from_utf8_lossy(&self.received[..self.received.len().min(2000)]).into_owned()
    }

    /// Exactly `count` bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.received.len() < count {
            if let Err(end) = self.receive() {
                panic!(
                    "{end:?} before {count} bytes came: {:?}",
                    self.text_so_far()
                );
            }
        }
        self.received.drain(..count).collect()
    }

    /// Everything up to the end, and how it ended.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, End) {
        loop {
            if let Err(end) = self.receive() {
                return (std::mem::take(&mut self.received), end);
            }
        }
    }

    /// Asserts that nothing more comes and the connection ends in order.
    pub(crate) fn assert_closed(&mut self) {
        let (rest, end) = self.rest();
        assert!(
            rest.is_empty(),
            "after the end: {:?}",
            String::from_utf8_lossy(&rest)
        );
        assert_eq!(end, End::Closed);
    }

    /// The next head, with its empty line.
    pub(crate) fn head(&mut self) -> Vec<u8> {
        loop {
            if let Some(end) = head_end(&self.received) {
                return self.received.drain(..end).collect();
            }
            if let Err(end) = self.receive() {
                panic!("{end:?} before a whole head came: {:?}", self.text_so_far());
            }
        }
    }

    /// The next response, to a request with this method.
    pub(crate) fn response_to(&mut self, method: &str) -> Response {
        let head = self.head();
        let (start, headers) = parse_head(&head);
        let mut words = start.splitn(3, ' ');
        let version = words.next().unwrap_or_default().to_owned();
        let status = words.next().and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {start:?}"));
        let mut response = Response {
            version,
            status,
            headers,
            body: Vec::new(),
            trailers: Vec::new(),
        };
        let is_bodiless = method == "HEAD"
            || status < 200
            || status == 204
            || status == 304
            || (method == "CONNECT" && status < 300);
        if !is_bodiless {
            self.body_of(&mut response);
        }
        response
    }

    /// RFC 9112 section 6.3, without leniency.
    fn body_of(&mut self, response: &mut Response) {
        let coding = response.header("transfer-encoding");
        let length = response.header("content-length");
        match (coding.as_deref(), length) {
            (Some("chunked"), None) => {
                let chunked = loop {
                    if let Some(chunked) = parse_chunked(&self.received) {
                        break chunked;
                    }
                    if let Err(end) = self.receive() {
                        panic!("{end:?} within a chunked body: {:?}", self.text_so_far());
                    }
                };
                self.received.drain(..chunked.length);
                response.body = chunked.data;
                response.trailers = chunked.trailers;
            }
            (None, Some(length)) => response.body = self.bytes(length.parse().unwrap()),
            (None, None) => response.body = self.rest().0,
            (coding, length) => panic!("ambiguous framing: {coding:?}, {length:?}"),
        }
    }

    /// The next response to a GET.
    pub(crate) fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// Sends a GET in absolute form and returns the response.
    pub(crate) fn get(&mut self, url: &str) -> Response {
        let authority = url
            .strip_prefix("http://")
            .unwrap()
            .split('/')
            .next()
            .unwrap();
        self.send(format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
        self.response()
    }

    /// Opens a tunnel, or returns what was answered instead of 200.
    pub(crate) fn connect(&mut self, authority: &str) -> Result<(), Response> {
        self.send(format!(
            "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"
        ));
        let response = self.response_to("CONNECT");
        if response.status == 200 {
            Ok(())
        } else {
            Err(response)
        }
    }
}
