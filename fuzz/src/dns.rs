//! The resolver between hostile servers: messages of raw bytes, messages that fit the query and lie
//! in their records, failing transports and the passing of time, in any order.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sallyport_dns::{
    Addresses, DnsError, Lookup, LookupId, Resolver, ResolverConfig, Transmit, Transport, limits,
};

use crate::input::Input;

/// Each lookup ends once and in time, with addresses that make sense or an error, and leaves
/// nothing behind.
pub fn dns_messages(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new(input.byte());
    world.look_up("www.example.com");
    while !input.is_empty() {
        world.step(&mut input);
    }
    world.run_out();
}

struct World {
    resolver: Resolver,
    now: Instant,
    /// Queries on their way to a server, oldest first.
    sent: VecDeque<Transmit>,
    /// When each lookup began that has not ended yet.
    pending: BTreeMap<LookupId, Instant>,
}

const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

impl World {
    fn new(flags: u8) -> Self {
        let is_set = |bit: u8| flags >> bit & 1 == 1;
        let servers: Vec<SocketAddr> =
            vec![([192, 0, 2, 1], 53).into(), ([192, 0, 2, 2], 53).into()];
        let config = ResolverConfig {
            servers: servers[usize::from(is_set(0))..].to_vec(),
            lookup_timeout: LOOKUP_TIMEOUT,
            case_mixing: !is_set(1),
            ipv6: !is_set(2),
            cache_entries_max: if is_set(3) { 1 } else { 100 },
            lookups_in_flight_max: 4,
            ..ResolverConfig::default()
        };
        Self {
            resolver: Resolver::new(config, [flags; 32]),
            now: Instant::now(),
            sent: VecDeque::new(),
            pending: BTreeMap::new(),
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(8) {
            0 => {
                let names = [
                    "a.test",
                    "b.test",
                    "www.example.com",
                    "localhost",
                    "1.2.3.4",
                    "A b",
                ];
                self.look_up(names[usize::from(input.below(6))]);
            }
            1 => {
                let len = input.u16().into();
                let bytes = input.take(len);
                self.deliver(bytes);
            }
            2 | 3 => self.answer(Answer::with_raw_records(input)),
            4 | 5 => self.answer(Answer::with_good_records(input)),
            6 => {
                if let Some(query) = self.sent.pop_front() {
                    self.resolver.on_transport_error(query.query, self.now);
                }
            }
            _ => self.pass(Duration::from_millis(u64::from(input.byte()) * 8)),
        }
        self.drain();
    }

    fn look_up(&mut self, name: &str) {
        match self.resolver.lookup(name, self.now) {
            Lookup::Answer(addresses) => check(&addresses),
            Lookup::Failed(_) => {}
            Lookup::Pending(id) => {
                self.pending.entry(id).or_insert(self.now);
            }
        }
        self.drain();
    }

    /// Gives the oldest query a message and keeps the query on the way, as a socket would.
    fn deliver(&mut self, bytes: &[u8]) {
        if let Some(query) = self.sent.pop_front() {
            self.resolver.on_message(query.query, bytes, self.now);
            self.sent.push_back(query);
        }
    }

    fn answer(&mut self, answer: Answer) {
        if let Some(query) = self.sent.front() {
            self.deliver(&answer.to(&query.message.clone()));
        }
    }

    /// Lets time pass, but not beyond the next deadline.
    fn pass(&mut self, duration: Duration) {
        let then = self.now + duration;
        self.now = self
            .resolver
            .next_deadline()
            .map_or(then, |deadline| deadline.min(then));
        self.resolver.on_deadline(self.now);
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.resolver.next_transmit(self.now) {
            assert!((limits::MESSAGE_BYTES_MIN..=512).contains(&transmit.message.len()));
            assert!(transmit.deadline > self.now);
            assert!(matches!(
                transmit.transport,
                Transport::Udp | Transport::Tcp
            ));
            self.sent.push_back(transmit);
        }
        while let Some((id, result)) = self.resolver.finished() {
            self.finish(id, &result);
        }
    }

    fn finish(&mut self, id: LookupId, result: &Result<Addresses, DnsError>) {
        let began = self
            .pending
            .remove(&id)
            .expect("a lookup that has not ended before");
        assert!(self.now <= began + LOOKUP_TIMEOUT, "late");
        if let Ok(addresses) = result {
            check(addresses);
        }
    }

    /// Nobody answers any more: all ends by itself.
    fn run_out(&mut self) {
        let mut steps = 0;
        while let Some(deadline) = self.resolver.next_deadline() {
            assert!(deadline >= self.now, "a deadline was left behind");
            self.now = deadline;
            self.resolver.on_deadline(self.now);
            self.drain();
            steps += 1;
            assert!(steps < 1_000, "timers without an end");
        }
        assert!(self.pending.is_empty(), "nobody told of {:?}", self.pending);
        assert_eq!(self.resolver.counters().lookups_in_flight, 0);
    }
}

/// Never empty, without duplicates, bounded, IPv6 before IPv4.
fn check(addresses: &Addresses) {
    let list = addresses.as_slice();
    assert!((1..=2 * limits::ADDRESSES_PER_FAMILY_MAX).contains(&list.len()));
    assert!(list.is_sorted_by_key(|address| address.is_ipv4()));
    for (at, address) in list.iter().enumerate() {
        assert!(!list[..at].contains(address));
    }
}

/// What follows the question of an answer, and the flags and counts before it.
struct Answer {
    flags: [u8; 2],
    /// Answer, authority and additional records, as the header has it.
    counts: [u8; 3],
    records: Vec<u8>,
}

impl Answer {
    /// Counts and records need not fit.
    fn with_raw_records(input: &mut Input<'_>) -> Self {
        let flags = [input.byte(), input.byte()];
        let counts = [input.below(5), input.below(3), input.below(3)];
        let len = input.byte().into();
        Self {
            flags,
            counts,
            records: input.take(len).to_vec(),
        }
    }

    /// Records of kinds that matter, with their own ideas of owners and data.
    fn with_good_records(input: &mut Input<'_>) -> Self {
        let flags = [input.byte(), input.byte()];
        let counts = [input.below(5), input.below(3), input.below(2)];
        let mut records = Vec::new();
        for _ in 0..counts.iter().sum() {
            let owner: &[u8] = match input.below(4) {
                0 => b"\x01b\x04test\0",
                1 => &[0xc0, 0x10],
                // The name of the question.
                _ => &[0xc0, 0x0c],
            };
            let ttl = [0, 0, input.byte(), input.byte()];
            let (kind, data): (u8, Vec<u8>) = match input.below(6) {
                0 => (1, vec![192, 0, 2, input.byte()]),
                1 => (
                    28,
                    [&[0x20, 1, 0xd, 0xb8], &[0; 11][..], &[input.byte()]].concat(),
                ),
                2 => (5, vec![0xc0, input.byte()]),
                3 => (5, b"\x01b\x04test\0".to_vec()),
                4 => (
                    6,
                    [&[0, 0], &[0; 16][..], &[0, 0, 0, input.byte()]].concat(),
                ),
                _ => {
                    let (kind, len) = (input.byte(), input.below(24));
                    (kind, input.take(len.into()).to_vec())
                }
            };
            records.extend_from_slice(owner);
            records.extend_from_slice(&[0, kind, 0, 1]);
            records.extend_from_slice(&ttl);
            records.extend_from_slice(&u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
            records.extend_from_slice(&data);
        }
        Self {
            flags,
            counts,
            records,
        }
    }

    /// The message: the id and the question of the query, then what this answer has to say.
    fn to(&self, query: &[u8]) -> Vec<u8> {
        let labels_end = query[12..]
            .iter()
            .position(|byte| *byte == 0)
            .expect("a root label");
        let question = &query[12..12 + labels_end + 5];
        let [answers, authorities, additionals] = self.counts;
        let [first, second] = self.flags;
        let mut message = query[..2].to_vec();
        // A response to a standard query; whether it is truncated is left to chance.
        message.extend_from_slice(&[first & 0x87 | 0x80, second, 0, 1]);
        message.extend_from_slice(&[0, answers, 0, authorities, 0, additionals]);
        message.extend_from_slice(question);
        message.extend_from_slice(&self.records);
        message
    }
}
