//! What each key of `[dns]` changes, seen by a name server that answers as it is told.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Origin, Proxy};

/// What a name server answers to questions for addresses of IPv4. Of IPv6 there are none.
#[derive(Debug, Clone, Copy)]
enum Answers {
    /// 127.0.0.1, to be kept so many seconds.
    Address { ttl: u32 },
    /// The same, and not a word about IPv6.
    AddressOnly,
    /// No such name, to be remembered for an hour.
    Nothing,
}

/// A question: the name as it was written, and the type.
type Question = (String, u16);

const A: u16 = 1;
const AAAA: u16 = 28;

struct NameServer {
    address: SocketAddr,
    questions: Arc<Mutex<Vec<Question>>>,
}

impl NameServer {
    fn start(answers: Answers) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let questions = Arc::<Mutex<Vec<_>>>::default();
        let asked = Arc::clone(&questions);
        // Ends with the test process: a blocked receive holds nothing but a socket.
        thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((_, client)) = socket.recv_from(&mut query) {
                let (question, end) = question(&query);
                let record_type = question.1;
                asked.lock().unwrap().push(question);
                if let Some(reply) = reply(&query[..end], record_type, answers) {
                    socket.send_to(&reply, client).unwrap();
                }
            }
        });
        Self { address, questions }
    }

    /// What was asked since the last call.
    fn take(&self) -> Vec<Question> {
        std::mem::take(&mut *self.questions.lock().unwrap())
    }
}

/// The question of a query, and where it ends.
fn question(query: &[u8]) -> (Question, usize) {
    let mut name = String::new();
    let mut at = 12;
    while query[at] != 0 {
        let label = &query[at + 1..=at + usize::from(query[at])];
        name.push_str(std::str::from_utf8(label).unwrap());
        name.push('.');
        at += 1 + label.len();
    }
    let record_type = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    ((name, record_type), at + 5)
}

fn reply(query: &[u8], record_type: u16, answers: Answers) -> Option<Vec<u8>> {
    let mut reply = query.to_vec();
    // A response from a recursive server, one question; the counts of records follow.
    reply[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
    match (answers, record_type) {
        (Answers::AddressOnly, AAAA) => return None,
        (Answers::Address { .. } | Answers::AddressOnly, A) => {
            let ttl = match answers {
                Answers::Address { ttl } => ttl,
                _ => 3600,
            };
            reply[7] = 1;
            reply.extend([0xc0, 12, 0, 1, 0, 1]);
            reply.extend(ttl.to_be_bytes());
            reply.extend([0, 4, 127, 0, 0, 1]);
        }
        _ => {
            if matches!(answers, Answers::Nothing) {
                reply[3] |= 3;
            }
            // The SOA of the root: how long that may be remembered.
            reply[9] = 1;
            reply.extend([0, 0, 6, 0, 1]);
            reply.extend(3600_u32.to_be_bytes());
            reply.extend([0, 22, 0, 0]);
            reply.extend(
                [1_u32, 3600, 600, 86400, 3600]
                    .iter()
                    .flat_map(|n| n.to_be_bytes()),
            );
        }
    }
    Some(reply)
}

/// A proxy that asks `server`, with these keys.
fn proxy(server: &NameServer, keys: &[(&str, &str)]) -> Proxy {
    let mut setup = Setup::new()
        .key("shards", "1")
        .key("dns.servers", &format!("[\"{}\"]", server.address))
        .key("dns.lookup_timeout", "\"5s\"");
    for (key, value) in keys {
        setup = setup.key(key, value);
    }
    setup.start(ALLOW_ALL)
}

const NAME: &str = "a-long-name-of-many-letters.origin.test";

fn get(proxy: &Proxy, origin: &Origin) -> u16 {
    let url = format!("http://{NAME}:{}/", origin.port());
    proxy.connection().get(&url).status
}

#[test]
fn case_mixing() {
    let (server, origin) = (
        NameServer::start(Answers::Address { ttl: 60 }),
        Origin::start(),
    );
    for (value, mixed) in [("true", true), ("false", false)] {
        let proxy = proxy(&server, &[("dns.case_mixing", value)]);
        assert_eq!(get(&proxy, &origin), 200);
        let questions = server.take();
        let has_upper = |(name, _): &Question| name.contains(|letter: char| letter.is_uppercase());
        // By chance none of thirty letters twice: once in 2⁶⁰.
        assert_eq!(questions.iter().any(has_upper), mixed, "{questions:?}");
        let plain = |(name, _): &Question| name.to_lowercase() == format!("{NAME}.");
        assert!(questions.iter().all(plain), "{questions:?}");
    }
}

#[test]
fn families() {
    let (server, origin) = (
        NameServer::start(Answers::Address { ttl: 60 }),
        Origin::start(),
    );
    for (off, status, asked) in [
        (None, 200, vec![A, AAAA]),
        (Some("dns.ipv6"), 200, vec![A]),
        (Some("dns.ipv4"), 502, vec![AAAA]),
    ] {
        let keys: Vec<_> = off.iter().map(|key| (*key, "false")).collect();
        let proxy = proxy(&server, &keys);
        assert_eq!(get(&proxy, &origin), status, "{off:?}");
        let mut types: Vec<_> = server.take().into_iter().map(|(_, of)| of).collect();
        types.sort_unstable();
        assert_eq!(types, asked, "{off:?}");
    }
}

/// How often the server is asked for a name that two requests name, under these keys.
fn lookups(answers: Answers, keys: &[(&str, &str)]) -> usize {
    let (server, origin) = (NameServer::start(answers), Origin::start());
    let proxy = proxy(&server, keys);
    let expected = match answers {
        Answers::Nothing => 502,
        _ => 200,
    };
    for turn in 0..2 {
        assert_eq!(get(&proxy, &origin), expected);
        if turn == 0 && matches!(answers, Answers::Nothing) {
            // What there is not is remembered for a second at least.
            thread::sleep(Duration::from_millis(1_200));
        }
    }
    let questions = server.take();
    questions
        .iter()
        .filter(|(_, record_type)| *record_type == A)
        .count()
}

#[test]
fn how_long_answers_are_kept() {
    let (short, long) = (Answers::Address { ttl: 0 }, Answers::Address { ttl: 3600 });
    for (answers, keys, expected) in [
        (long, &[][..], 1),
        (long, &[("dns.ttl_max", "\"0s\"")], 2),
        (long, &[("dns.cache_entries", "0")], 2),
        (short, &[("dns.ttl_min", "\"0s\"")], 2),
        (short, &[("dns.ttl_min", "\"1m\"")], 1),
        (Answers::Nothing, &[], 1),
        (Answers::Nothing, &[("dns.negative_ttl_max", "\"0s\"")], 2),
    ] {
        assert_eq!(lookups(answers, keys), expected, "{answers:?} {keys:?}");
    }
}

/// The first family with addresses waits for the other one as long as it is told.
#[test]
fn resolution_delay() {
    let (server, origin) = (NameServer::start(Answers::AddressOnly), Origin::start());
    for (delay, least, most) in [("0s", 0, 1_000_000), ("1500ms", 1_400_000, u64::MAX)] {
        let delay = format!("\"{delay}\"");
        let keys = [
            ("dns.resolution_delay", &*delay),
            ("dns.attempt_timeout", "\"5s\""),
        ];
        let proxy = proxy(&server, &keys);
        assert_eq!(get(&proxy, &origin), 200);
        let took = proxy.log.transaction()["t_dns"].as_u64().unwrap();
        assert!((least..most).contains(&took), "{delay}: {took} µs");
    }
}
