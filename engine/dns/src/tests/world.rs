//! A world of random delay, loss, truncation, failure and lies, from a seed: every lookup ends in
//! time, with the truth or an error.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME};
use hickory_proto::rr::{RData, RecordType};
use proptest::prelude::*;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use super::server::{Entry, Zone, record, start, tld};
use crate::{DnsError, Lookup, LookupId, QueryId, Resolver, ResolverConfig, Transmit, Transport};

const SERVERS: u8 = 3;
const LOOKUPS: u32 = 60;
/// The address of every lie.
const FORGED: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66));
const ALIASES: [&str; 4] = ["n3.test", "a1.test", "n17.test", "a9.test"];

/// How often things go wrong, in percent.
#[derive(Clone, Copy, Debug)]
struct Weather {
    lost: u32,
    truncated: u32,
    failed: u32,
    garbled: u32,
    forged: u32,
    transport_error: u32,
    delay_ms_max: u32,
    resolution_delay_ms: u64,
}

const CALM: Weather = Weather {
    lost: 0,
    truncated: 10,
    failed: 0,
    garbled: 0,
    forged: 30,
    transport_error: 0,
    delay_ms_max: 40,
    // Longer than both families can be apart, so that answers are whole.
    resolution_delay_ms: 4_000,
};

const STORM: Weather = Weather {
    lost: 25,
    truncated: 15,
    failed: 15,
    garbled: 10,
    forged: 30,
    transport_error: 10,
    delay_ms_max: 2_500,
    resolution_delay_ms: 50,
};

enum Arrival {
    Message(QueryId, Vec<u8>),
    TransportError(QueryId),
    Begin(String),
}

struct World {
    resolver: Resolver,
    zone: Zone,
    weather: Weather,
    rng: ChaCha12Rng,
    now: Instant,
    arrivals: BTreeMap<(Instant, u64), Arrival>,
    arrivals_count: u64,
    /// Begun and not yet finished.
    waiting: HashMap<LookupId, (String, Instant)>,
    answered: u32,
    /// Answers that lack a family.
    partial: u32,
    failures: u32,
}

impl World {
    fn new(seed: u8, weather: Weather) -> Self {
        let mut rng = ChaCha12Rng::from_seed([seed; 32]);
        let mut zone = random_zone(&mut rng);
        zone.follows_aliases = seed.is_multiple_of(2);
        zone.negative_ttl = seed.is_multiple_of(3).then_some(2);
        let config = ResolverConfig {
            servers: (1..=SERVERS)
                .map(|n| SocketAddr::from(([198, 51, 100, n], 53)))
                .collect(),
            cache_entries_max: 12,
            lookup_timeout: LOOKUP_TIMEOUT,
            resolution_delay: Duration::from_millis(weather.resolution_delay_ms),
            ..ResolverConfig::default()
        };
        let mut world = Self {
            resolver: Resolver::new(config, [seed ^ 0x55; 32]),
            zone,
            weather,
            rng,
            now: start(),
            arrivals: BTreeMap::new(),
            arrivals_count: 0,
            waiting: HashMap::new(),
            answered: 0,
            partial: 0,
            failures: 0,
        };
        for _ in 0..LOOKUPS {
            let name = match world.below(4) {
                0 => format!("a{}.test", world.below(12)),
                _ => format!("n{}.test", world.below(24)),
            };
            let delay_ms = world.below(10_000);
            world.arrive(delay_ms, Arrival::Begin(name));
        }
        world
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.rng.next_u32() % bound
    }

    fn happens(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    fn arrive(&mut self, delay_ms: u32, arrival: Arrival) {
        self.arrivals_count += 1;
        let at = self.now + Duration::from_millis(u64::from(delay_ms));
        self.arrivals.insert((at, self.arrivals_count), arrival);
    }

    /// Runs to the end of all events. Time only moves to the next arrival or deadline.
    fn run(&mut self) {
        let mut steps = 0;
        loop {
            steps += 1;
            assert!(steps < 100_000, "the world does not come to rest");
            self.send_and_collect();
            let arrival = self.arrivals.first_key_value().map(|(key, _)| key.0);
            let Some(next) = arrival
                .into_iter()
                .chain(self.resolver.next_deadline())
                .min()
            else {
                break;
            };
            assert!(next >= self.now, "a deadline in the past was left standing");
            self.now = next;
            if arrival == Some(next) {
                let (_, arrival) = self.arrivals.pop_first().unwrap();
                self.take(arrival);
            } else {
                self.resolver.on_deadline(next);
            }
        }
        assert!(
            self.waiting.is_empty(),
            "never finished: {:?}",
            self.waiting
        );
        assert!(self.resolver.is_at_rest());
        assert!(self.resolver.counters().cache_entries <= 12);
    }

    fn take(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Message(query, bytes) => {
                self.resolver.on_message(query, &bytes, self.now);
            }
            Arrival::TransportError(query) => self.resolver.on_transport_error(query, self.now),
            Arrival::Begin(name) => match self.resolver.lookup(&name, self.now) {
                Lookup::Answer(addresses) => self.check(&name, Ok(addresses.as_slice())),
                Lookup::Failed(error) => self.check(&name, Err(error)),
                Lookup::Pending(id) => {
                    self.waiting.entry(id).or_insert((name, self.now));
                }
            },
        }
    }

    fn send_and_collect(&mut self) {
        while let Some(transmit) = self.resolver.next_transmit(self.now) {
            self.serve(&transmit);
        }
        while let Some((id, result)) = self.resolver.finished() {
            let (name, begun) = self
                .waiting
                .remove(&id)
                .expect("reported once, to who asked");
            assert!(
                self.now - begun <= LOOKUP_TIMEOUT,
                "{name} took {:?}",
                self.now - begun
            );
            match &result {
                Ok(addresses) => self.check(&name, Ok(addresses.as_slice())),
                Err(error) => self.check(&name, Err(*error)),
            }
        }
    }

    /// The truth, the truth of one family, or an error that does not contradict it.
    fn check(&mut self, name: &str, result: Result<&[IpAddr], DnsError>) {
        let truth = self.zone.truth(name);
        self.answered += 1;
        match result {
            Ok(found) => {
                let truth = truth.unwrap_or_default();
                let of_family = |ipv6: bool| -> Vec<IpAddr> {
                    truth
                        .iter()
                        .copied()
                        .filter(|address| address.is_ipv6() == ipv6)
                        .collect()
                };
                let (ipv6, ipv4) = (of_family(true), of_family(false));
                let whole = [ipv6.clone(), ipv4.clone()].concat();
                let is_true = found == whole || found == ipv6 || found == ipv4;
                assert!(
                    is_true && !found.is_empty(),
                    "{name}: {found:?} is not of {truth:?}"
                );
                self.partial += u32::from(found.len() < whole.len());
            }
            Err(DnsError::NoSuchName) => assert_eq!(truth, None, "{name}"),
            Err(DnsError::NoAddresses) => assert_eq!(truth, Some(vec![]), "{name}"),
            Err(
                DnsError::AliasLoop
                | DnsError::AliasChainTooLong
                | DnsError::BadName(_)
                | DnsError::TooManyLookups
                | DnsError::NoServers,
            ) => panic!("{name}: {result:?}"),
            Err(_) => self.failures += 1,
        }
    }

    /// A server's side of one query, and a forger's.
    fn serve(&mut self, transmit: &Transmit) {
        if transmit.transport == Transport::Udp && self.happens(self.weather.forged) {
            let forged = self.forge(&transmit.message);
            let delay_ms = self.below(self.weather.delay_ms_max);
            self.arrive(delay_ms, Arrival::Message(transmit.query, forged));
        }
        let delay_ms = self.below(self.weather.delay_ms_max);
        if self.happens(self.weather.transport_error) {
            self.arrive(delay_ms, Arrival::TransportError(transmit.query));
            return;
        }
        if self.happens(self.weather.lost) {
            return;
        }
        let mut answer = self.zone.answer(&transmit.message);
        if self.happens(self.weather.failed) {
            let codes = [
                ResponseCode::ServFail,
                ResponseCode::Refused,
                ResponseCode::FormErr,
            ];
            answer.metadata.response_code = codes[self.below(3) as usize];
            answer.answers.clear();
        } else if transmit.transport == Transport::Udp && self.happens(self.weather.truncated) {
            answer.metadata.truncation = true;
            answer.answers.truncate(1);
        }
        // What belongs to other names must not be believed even from the server itself.
        answer.add_additional(record(&tld("n1.test."), 60, lie()));
        answer
            .answers
            .insert(0, record(&tld("elsewhere.test."), 60, lie()));
        let mut bytes = answer.to_vec().unwrap();
        if self.happens(self.weather.garbled) {
            let cut = self.below(u32::try_from(bytes.len()).unwrap()) as usize;
            bytes.truncate(cut);
        }
        self.arrive(delay_ms, Arrival::Message(transmit.query, bytes.clone()));
        if self.happens(10) {
            self.arrive(delay_ms + 1, Arrival::Message(transmit.query, bytes));
        }
    }

    /// An answer by someone who does not see the query: something in it is wrong.
    fn forge(&mut self, query: &[u8]) -> Vec<u8> {
        let mut forged = self.zone.answer(query);
        let name = forged.queries[0].name.clone();
        forged.metadata.response_code = ResponseCode::NoError;
        forged.answers = vec![record(&name, 3_600, lie())];
        match self.below(4) {
            0 => forged.metadata.id ^= 1 << self.below(16),
            1 => forged.queries[0].name = tld("another.test."),
            2 => forged.queries[0].query_type = RecordType::MX,
            _ => {
                let folded = name.to_lowercase();
                if folded.eq_case(&name) {
                    forged.metadata.id ^= 1;
                }
                forged.queries[0].name = folded;
            }
        }
        forged.to_vec().unwrap()
    }
}

const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

fn lie() -> RData {
    match FORGED {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(_) => unreachable!("the lie is an IPv4 address"),
    }
}

fn random_zone(rng: &mut ChaCha12Rng) -> Zone {
    let mut zone = Zone::new(&[]);
    zone.ttl = 1 + rng.next_u32() % 4;
    for index in 0..20u8 {
        let kind = rng.next_u32();
        let count = |kind: u32| [0, 1, 2][(kind % 3) as usize];
        let mut addresses = Vec::new();
        for last in 0..count(kind) {
            addresses.push(IpAddr::V4(Ipv4Addr::new(192, 0, 2, index * 3 + last)));
        }
        for last in 0..count(kind / 3) {
            let last = u16::from(index * 3 + last);
            addresses.push(IpAddr::V6(Ipv6Addr::new(
                0x2001, 0xdb8, 0, 0, 0, 0, 0, last,
            )));
        }
        zone.entries
            .insert(format!("n{index}.test"), Entry::Addresses(addresses));
    }
    for index in 0..10u32 {
        // No loops: aliases lead to names or to aliases of a higher number.
        let targets = if index < 9 { 4 } else { 1 };
        let target = ALIASES[(rng.next_u32() % targets) as usize];
        let is_later = |target: &str| target.starts_with('n') || target == "a9.test" || index < 1;
        let target = if is_later(target) { target } else { "n3.test" };
        zone.entries
            .insert(format!("a{index}.test"), Entry::Alias(target));
    }
    zone
}

#[test]
fn in_a_storm_every_lookup_ends_in_time_with_the_truth_or_an_error() {
    let (mut answered, mut failures) = (0, 0);
    for seed in 0..120 {
        let mut world = World::new(seed, STORM);
        world.run();
        answered += world.answered;
        failures += world.failures;
    }
    // Joined lookups are answered together, hence fewer answers than lookups.
    assert!(answered > 5_000, "{answered}");
    assert!(failures > 0, "a storm without damage tests nothing");
    assert!(failures * 2 < answered, "{failures} of {answered} failed");
}

#[test]
fn in_calm_weather_every_answer_is_the_whole_truth_whatever_forgers_send() {
    for seed in 0..60 {
        let mut world = World::new(seed, CALM);
        world.run();
        assert_eq!((world.failures, world.partial), (0, 0), "seed {seed}");
        assert!(world.resolver.counters().messages_ignored > 0);
        assert!(world.resolver.counters().queries_tcp > 0);
    }
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let counters = || {
        let mut world = World::new(7, STORM);
        world.run();
        world.resolver.counters()
    };
    assert_eq!(counters(), counters());
}

proptest! {
    /// A server that is hostile to the byte: whatever follows a good question is read without
    /// panic, and the lookup still ends.
    #[test]
    fn hostile_bytes_neither_panic_nor_stall(
        flips in prop::collection::vec((0..400usize, any::<u8>()), 0..12),
        tail in prop::collection::vec(any::<u8>(), 0..200),
        seed: u8,
    ) {
        let mut world = World::new(seed, CALM);
        world.arrivals.clear();
        let id = match world.resolver.lookup("a0.test", world.now) {
            Lookup::Pending(id) => id,
            other => panic!("{other:?}"),
        };
        let mut finished = None;
        while let Some(deadline) = world.resolver.next_deadline() {
            while let Some(transmit) = world.resolver.next_transmit(world.now) {
                let mut answer = world.zone.answer(&transmit.message);
                let name = answer.queries[0].name.clone();
                answer.add_answer(record(&name, 1, RData::CNAME(CNAME(tld("n3.test.")))));
                let mut bytes = answer.to_vec().unwrap();
                let question_ends = Message::from_vec(&transmit.message)
                    .map(|query| 12 + query.queries[0].name.len() + 4)
                    .unwrap();
                for (at, value) in &flips {
                    let span = bytes.len() - 2;
                    // The flags and counts, or anything behind the question.
                    let position = 2 + at % span;
                    if !(12..question_ends).contains(&position) {
                        bytes[position] = *value;
                    }
                }
                bytes.extend_from_slice(&tail);
                world.resolver.on_message(transmit.query, &bytes, world.now);
            }
            finished = finished.or_else(|| world.resolver.finished());
            world.now = deadline;
            world.resolver.on_deadline(deadline);
        }
        finished = finished.or_else(|| world.resolver.finished());
        prop_assert_eq!(finished.map(|(finished, _)| finished), Some(id));
    }
}
