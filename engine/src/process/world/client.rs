//! A client: some requests on one connection, sent and left as chances say.

use std::cell::Cell;
use std::net::Shutdown;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use crate::io::join::join;
use crate::io::scripted::{End, World};

use super::ledger::{Kind, Ledger, TUNNEL_PORTS};
use super::message::{Content, Head, Wire, chunks, content};
use super::origin::{DENIED_TYPE, ECHO};
use super::streams::Streams;

/// The most that a request brings.
pub(super) const CONTENT_BYTES_MAX: usize = 30_000;

/// One connection of a client.
pub(super) struct Client {
    pub(super) world: Rc<World>,
    pub(super) ledger: Rc<Ledger>,
    pub(super) end: End,
}

/// A request that is sent.
pub(super) struct Sent {
    pub(super) number: usize,
    pub(super) is_head: bool,
}

/// How a client breaks off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    Never,
    /// It resets the connection at this byte of what it sends.
    ResetAt(usize),
    /// It sends nothing more from this byte on, and listens.
    FinishAt(usize),
    /// It sends nothing for a long time.
    StallAt(usize),
}

impl Client {
    /// Does all that this client does.
    pub(super) async fn run(self) {
        let world = &*self.world;
        world
            .sleep(Duration::from_millis(world.below(400) as u64))
            .await;
        let mut wire = Wire::new(world, &self.end);
        let mut inside = None;
        if world.one_in(3) {
            inside = self.tunnel(&mut wire).await;
            if inside.is_none() {
                return self.leave();
            }
            match (world.below(8), inside) {
                (0 | 1, _) => {
                    self.echo(&mut wire).await;
                    return self.leave();
                }
                (2..=4, Some(host)) => {
                    Streams::new(&self, wire, host).run().await;
                    return self.leave();
                }
                _ => {}
            }
        }
        for _ in 0..1 + world.below(3) {
            let (sent, text) = self.requests(inside);
            if !self.exchange(&mut wire, &sent, &text).await {
                break;
            }
            if world.one_in(4) {
                world
                    .sleep(Duration::from_millis(world.below(8_000) as u64))
                    .await;
            }
        }
        self.leave();
    }

    fn leave(self) {
        match self.world.below(4) {
            0 => self.end.reset(),
            1 => self.end.shut_down(Shutdown::Write),
            _ => drop(self.end),
        }
    }

    /// Asks for a tunnel; the host that it goes to, if there is one now.
    async fn tunnel(&self, wire: &mut Wire<'_>) -> Option<&'static str> {
        let host = self.host();
        let number = self.ledger.begin(Kind::Tunnel, "CONNECT", 0);
        let port = TUNNEL_PORTS + number;
        let text = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
        wire.send(text.as_bytes()).await.ok()?;
        let head = wire.head().await.ok()??;
        self.ledger
            .with(number, |entry| entry.status = Some(head.status()));
        (head.status() == 200).then_some(host)
    }

    /// Has something come back that is no HTTP.
    async fn echo(&self, wire: &mut Wire<'_>) {
        let mut data = content(7, 1 + self.world.below(50_000));
        data[0] = ECHO;
        let send = async {
            if wire.send(&data).await.is_ok() && self.world.one_in(2) {
                self.end.shut_down(Shutdown::Write);
            }
        };
        let receive = async {
            let mut back = Wire::new(&self.world, &self.end);
            while back.input.len() < data.len() && back.more().await.unwrap_or(false) {}
            assert!(data.starts_with(&back.input), "a tunnel changes nothing");
        };
        join(pin!(send), pin!(receive)).await;
    }

    fn host(&self) -> &'static str {
        match self.world.below(12) {
            0 => "denied.test",
            1 => "silent.test",
            2 => "refusing.test",
            3 => "inside.test",
            4 | 5 => "two.test",
            _ => "a.test",
        }
    }

    /// Some requests, one behind the other.
    fn requests(&self, inside: Option<&'static str>) -> (Vec<Sent>, Vec<u8>) {
        let (mut sent, mut text) = (Vec::new(), Vec::new());
        let count = match self.world.one_in(4) {
            true => 2 + self.world.below(3),
            false => 1,
        };
        for _ in 0..count {
            sent.push(self.request(inside, &mut text));
        }
        (sent, text)
    }

    fn request(&self, inside: Option<&'static str>, text: &mut Vec<u8>) -> Sent {
        let world = &*self.world;
        let (method, bytes) = match world.below(6) {
            0 => ("HEAD", 0),
            1 | 2 => ("POST", world.below(CONTENT_BYTES_MAX)),
            3 => ("PUT", 1 + world.below(200)),
            4 => ("POST", 0),
            _ => ("GET", 0),
        };
        let (kind, path) = match world.one_in(6) {
            true => (Kind::Denied, "denied"),
            false => (Kind::Allowed, "allowed"),
        };
        let number = self.ledger.begin(kind, method, bytes);
        let (host, target) = match inside {
            // Another host than that of the tunnel now and then.
            Some(_) if world.one_in(8) => (self.host(), format!("/{path}/{number}")),
            Some(host) => (host, format!("/{path}/{number}")),
            None => {
                let host = self.host();
                (host, format!("http://{host}/{path}/{number}"))
            }
        };
        let version = if world.one_in(8) { "1.0" } else { "1.1" };
        let mut head = format!("{method} {target} HTTP/{version}\r\nHost: {host}\r\n");
        if version == "1.1" && bytes > 2_000 && world.one_in(2) {
            head.push_str("Expect: 100-continue\r\n");
        }
        if world.one_in(10) {
            head.push_str("Connection: close\r\n");
        }
        let body = content(number, bytes);
        let (framing, body) = match (bytes, world.one_in(2)) {
            (0, _) if method == "GET" || method == "HEAD" => (String::new(), body),
            (_, true) if version == "1.1" => (
                "Transfer-Encoding: chunked\r\n".to_owned(),
                chunks(world, &body),
            ),
            _ => (format!("Content-Length: {bytes}\r\n"), body),
        };
        head.push_str(&framing);
        head.push_str("\r\n");
        text.extend_from_slice(head.as_bytes());
        text.extend_from_slice(&body);
        Sent {
            number,
            is_head: method == "HEAD",
        }
    }

    /// Sends requests and reads what comes back; whether the connection is good for more.
    async fn exchange(&self, wire: &mut Wire<'_>, sent: &[Sent], text: &[u8]) -> bool {
        let world = &*self.world;
        let at = world.below(text.len());
        let leaving = match world.below(24) {
            0 | 1 => Leaving::ResetAt(at),
            2..=4 => Leaving::FinishAt(at),
            5 => Leaving::StallAt(at),
            _ => Leaving::Never,
        };
        let is_whole = Cell::new(false);
        let sending = Wire::new(world, &self.end);
        let send = async { is_whole.set(self.send(&sending, text, leaving).await) };
        let is_good = Cell::new(false);
        let receive = async { is_good.set(self.receive(wire, sent).await) };
        if let Leaving::ResetAt(_) = leaving {
            // Nobody reads what comes back.
            send.await;
            return false;
        }
        join(pin!(send), pin!(receive)).await;
        is_whole.get() && is_good.get()
    }

    /// Whether all was sent.
    async fn send(&self, wire: &Wire<'_>, text: &[u8], leaving: Leaving) -> bool {
        let (Leaving::ResetAt(at) | Leaving::FinishAt(at) | Leaving::StallAt(at)) = leaving else {
            return wire.send(text).await.is_ok();
        };
        let (first, rest) = text.split_at(at);
        if wire.send(first).await.is_err() {
            return false;
        }
        match leaving {
            Leaving::FinishAt(_) => {
                self.end.shut_down(Shutdown::Write);
                false
            }
            Leaving::StallAt(_) => {
                let time = Duration::from_millis(self.world.below(10_000) as u64);
                self.world.sleep(time).await;
                wire.send(rest).await.is_ok()
            }
            Leaving::Never | Leaving::ResetAt(_) => false,
        }
    }

    /// Reads the answers to `sent`; whether the connection is good for more.
    async fn receive(&self, wire: &mut Wire<'_>, sent: &[Sent]) -> bool {
        for sent in sent {
            if self.world.one_in(30) {
                self.world.sleep(Duration::from_secs(5)).await;
            }
            let Some(head) = self.final_head(wire).await else {
                return false;
            };
            self.ledger
                .with(sent.number, |entry| entry.status = Some(head.status()));
            let (is_good, content) = self.content(wire, &head, sent.is_head).await;
            self.judge(sent, &head, &content);
            if !is_good {
                return false;
            }
        }
        true
    }

    async fn final_head(&self, wire: &mut Wire<'_>) -> Option<Head> {
        loop {
            let head = wire.head().await.ok()??;
            if head.status() >= 200 {
                return Some(head);
            }
        }
    }

    /// The content of a response, and whether another can follow it.
    async fn content(&self, wire: &mut Wire<'_>, head: &Head, is_head: bool) -> (bool, Content) {
        let stays = head.field("connection") != Some("close");
        let content = match (
            head.field("transfer-encoding"),
            head.field("content-length"),
        ) {
            _ if is_head || head.status() == 204 || head.status() == 304 => wire.sized(0).await,
            (Some("chunked"), None) => wire.chunked().await,
            (None, Some(length)) => wire.sized(length.parse().expect("a length")).await,
            (None, None) => {
                let content = wire.until_end().await;
                return (false, content);
            }
            other => panic!("content is framed in one way: {other:?}"),
        };
        (stays && content.is_complete, content)
    }

    /// What a client gets is the answer to what it asked, or a word of the proxy.
    pub(super) fn judge(&self, sent: &Sent, head: &Head, received: &Content) {
        let number = sent.number;
        assert_ne!(
            head.field("content-type"),
            Some(DENIED_TYPE),
            "{number}: {head:?}"
        );
        let Some(told) = head.field("x-number") else {
            assert!(head.status() >= 400, "{number}: {head:?}");
            return;
        };
        assert_eq!(told, number.to_string(), "the answer to another request");
        self.ledger.with(number, |entry| {
            assert_eq!(entry.kind, Kind::Allowed, "{number} has no permit");
            assert!(!entry.answer_denied, "{number}: {head:?}");
            let bytes = entry.answer_bytes.expect("an origin has answered");
            let whole = content(number, bytes);
            assert!(
                whole.starts_with(&received.bytes),
                "content of the answer to {number}"
            );
            let has_none = sent.is_head || head.status() == 204;
            assert!(
                !received.is_complete || has_none || received.bytes.len() == bytes,
                "the answer to {number} is told to be complete with {} of {bytes} bytes: {head:?}",
                received.bytes.len()
            );
        });
    }
}
