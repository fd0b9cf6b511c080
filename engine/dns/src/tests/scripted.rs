//! One behavior at a time: the test plays the servers by hand.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, NS};
use hickory_proto::rr::{RData, RecordType};

use super::server::{Entry, Zone, record, start, tld};
use crate::limits::{ALIAS_QUESTIONS_MAX, ALIASES_MAX};
use crate::{
    Addresses, DnsError, Held, Lookup, LookupId, MessageOutcome, NameError, Resolver,
    ResolverConfig, Transmit, Transport,
};

/// A resolver, its caller's clock, and a zone.
struct Scene {
    resolver: Resolver,
    now: Instant,
    zone: Zone,
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn zone() -> Zone {
    Zone::new(&[
        (
            "both.test",
            Entry::Addresses(vec![ip("192.0.2.1"), ip("2001:db8::1")]),
        ),
        (
            "four.test",
            Entry::Addresses(vec![ip("192.0.2.4"), ip("192.0.2.5")]),
        ),
        ("none.test", Entry::Addresses(vec![])),
        ("alias.test", Entry::Alias("both.test")),
        ("dangling.test", Entry::Alias("gone.test")),
        ("loop-a.test", Entry::Alias("loop-b.test")),
        ("loop-b.test", Entry::Alias("loop-a.test")),
    ])
}

fn servers(count: u8) -> Vec<SocketAddr> {
    (1..=count)
        .map(|last| SocketAddr::from(([198, 51, 100, last], 53)))
        .collect()
}

impl Scene {
    fn new(config: ResolverConfig) -> Self {
        Self {
            resolver: Resolver::new(config, [9; 32]),
            now: start(),
            zone: zone(),
        }
    }

    fn with_servers(count: u8) -> Self {
        Self::new(ResolverConfig {
            servers: servers(count),
            ..ResolverConfig::default()
        })
    }

    fn begin(&mut self, name: &str) -> LookupId {
        match self.resolver.lookup(name, self.now) {
            Lookup::Pending(id) => id,
            other => panic!("{name}: {other:?}"),
        }
    }

    fn transmits(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.resolver.next_transmit(self.now)).collect()
    }

    fn deliver(&mut self, transmit: &Transmit, message: &Message) -> MessageOutcome {
        self.resolver
            .on_message(transmit.query, &message.to_vec().unwrap(), self.now)
    }

    /// Answers everything that is sent, each answer as `change` leaves it, until nothing is.
    fn serve(&mut self, mut change: impl FnMut(&Transmit, &mut Message)) -> usize {
        let mut served = 0;
        loop {
            let transmits = self.transmits();
            if transmits.is_empty() {
                return served;
            }
            for transmit in transmits {
                let mut answer = self.zone.answer(&transmit.message);
                change(&transmit, &mut answer);
                assert_eq!(self.deliver(&transmit, &answer), MessageOutcome::Accepted);
                served += 1;
            }
        }
    }

    fn result(&mut self, id: LookupId) -> Result<Vec<IpAddr>, DnsError> {
        let (finished, result) = self.resolver.finished().expect("a result");
        assert_eq!(finished, id);
        assert!(self.resolver.finished().is_none());
        result.map(|addresses| addresses.as_slice().to_vec())
    }

    /// A whole lookup with servers that answer as the zone has it.
    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        let id = self.begin(name);
        self.serve(|_, _| ());
        self.result(id)
    }

    fn cached(&mut self, name: &str) -> Option<Addresses> {
        match self.resolver.lookup(name, self.now) {
            Lookup::Answer(addresses) => Some(addresses),
            Lookup::Failed(_) | Lookup::Pending(_) => None,
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        self.resolver.on_deadline(self.now);
    }
}

fn question_type(transmit: &Transmit) -> RecordType {
    Message::from_vec(&transmit.message).unwrap().queries[0].query_type
}

#[test]
fn both_families_are_asked_and_cached_until_they_expire() {
    let mut scene = Scene::with_servers(1);
    let expect = vec![ip("2001:db8::1"), ip("192.0.2.1")];
    assert_eq!(scene.resolve("both.test"), Ok(expect.clone()));
    scene.wait(59_999);
    let cached = scene.cached("both.test").expect("cached for its TTL");
    assert!(cached.from_cache());
    assert_eq!(cached.as_slice(), expect);
    assert_eq!(cached.expires(), scene.now + Duration::from_millis(1));
    scene.wait(1);
    assert!(scene.cached("both.test").is_none());
    assert_eq!(scene.resolver.counters().queries_udp, 2);
    assert_eq!(scene.resolver.counters().cache_hits, 1);
}

#[test]
fn ttls_are_kept_between_floor_and_ceiling() {
    for (ttl, expect) in [(0, 1), (7, 7), (100_000, 3_600), (0x8000_0000, 1)] {
        let mut scene = Scene::with_servers(1);
        scene.zone.ttl = ttl;
        scene.resolve("both.test").unwrap();
        let expires = scene.cached("both.test").unwrap().expires();
        assert_eq!(
            expires,
            scene.now + Duration::from_secs(expect),
            "TTL {ttl}"
        );
    }
}

#[test]
fn those_who_ask_for_the_same_name_share_one_lookup() {
    let mut scene = Scene::with_servers(1);
    let id = scene.begin("both.test");
    assert_eq!(scene.begin("both.test"), id);
    assert_ne!(scene.begin("four.test"), id);
    assert_eq!(scene.transmits().len(), 4);
    assert_eq!(scene.resolver.counters().joined, 1);
}

#[test]
fn static_hosts_and_localhost_need_no_server() {
    let mut scene = Scene::new(ResolverConfig {
        static_hosts: vec![
            ("A.Origin.Test.".into(), vec![ip("192.0.2.7")]),
            (
                "a.origin.test".into(),
                vec![ip("192.0.2.8"), ip("192.0.2.7")],
            ),
            ("own.localhost".into(), vec![ip("192.0.2.9")]),
            ("empty.test".into(), vec![]),
        ],
        ..ResolverConfig::default()
    });
    let mut addresses = |name: &str| scene.cached(name).map(|found| found.as_slice().to_vec());
    assert_eq!(
        addresses("a.origin.test"),
        Some(vec![ip("192.0.2.7"), ip("192.0.2.8")])
    );
    assert_eq!(addresses("b.a.origin.test"), None, "no wildcards");
    assert_eq!(addresses("own.localhost"), Some(vec![ip("192.0.2.9")]));
    assert_eq!(
        addresses("localhost"),
        Some(vec![ip("::1"), ip("127.0.0.1")])
    );
    assert_eq!(
        addresses("a.b.localhost"),
        Some(vec![ip("::1"), ip("127.0.0.1")])
    );
    assert_eq!(addresses("empty.test"), None);
}

#[test]
fn what_cannot_begin_fails_at_once() {
    let mut scene = Scene::with_servers(1);
    for (name, error) in [
        ("", NameError::Empty),
        ("192.0.2.1", NameError::NumericTopLabel),
        ("Both.test", NameError::Character),
    ] {
        let expect = Lookup::Failed(DnsError::BadName(error));
        assert_eq!(scene.resolver.lookup(name, scene.now), expect);
    }
    let mut bare = Scene::new(ResolverConfig::default());
    assert_eq!(
        bare.resolver.lookup("a.test", bare.now),
        Lookup::Failed(DnsError::NoServers)
    );
    let config = ResolverConfig {
        servers: servers(1),
        lookups_in_flight_max: 1,
        ..ResolverConfig::default()
    };
    let mut narrow = Scene::new(config);
    narrow.begin("both.test");
    let second = narrow.resolver.lookup("four.test", narrow.now);
    assert_eq!(second, Lookup::Failed(DnsError::TooManyLookups));
    narrow.begin("both.test");
    assert_eq!(narrow.resolver.counters().rejected, 1);
}

/// What a lookup holds is asked for once it has to begin, and dropped once it is over.
#[test]
fn a_lookup_holds_what_it_was_given_until_it_is_over() {
    let mut scene = Scene::with_servers(1);
    let held = Rc::new(());
    let leave = || Some(Box::new(Rc::clone(&held)) as Held);
    let (resolver, now) = (&mut scene.resolver, scene.now);
    let refused = resolver.lookup_if("both.test", now, || None);
    assert_eq!(refused, Lookup::Failed(DnsError::TooManyLookups));
    let first = resolver.lookup_if("both.test", now, leave);
    assert!(matches!(first, Lookup::Pending(_)));
    // Those who join it, or ask for what is known, need no leave.
    assert_eq!(resolver.lookup_if("both.test", now, || None), first);
    let local = resolver.lookup_if("localhost", now, || None);
    assert!(matches!(local, Lookup::Answer(_)));
    assert_eq!(Rc::strong_count(&held), 2);
    let end = scene.resolver.next_deadline().unwrap() + Duration::from_secs(60);
    while let Some(deadline) = scene.resolver.next_deadline().filter(|at| *at < end) {
        scene.resolver.on_deadline(deadline);
        while scene.resolver.next_transmit(deadline).is_some() {}
    }
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn absence_is_cached_for_the_soa_minimum() {
    for (name, error) in [
        ("gone.test", DnsError::NoSuchName),
        ("none.test", DnsError::NoAddresses),
        ("dangling.test", DnsError::NoSuchName),
    ] {
        let mut scene = Scene::with_servers(1);
        assert_eq!(scene.resolve(name), Err(error));
        scene.wait(29_999);
        assert_eq!(
            scene.resolver.lookup(name, scene.now),
            Lookup::Failed(error)
        );
        scene.wait(1);
        scene.begin(name);
    }
    let mut scene = Scene::with_servers(1);
    scene.zone.negative_ttl = None;
    assert_eq!(scene.resolve("gone.test"), Err(DnsError::NoSuchName));
    scene.wait(1_000);
    scene.begin("gone.test");
}

#[test]
fn absence_is_not_kept_beyond_its_ceiling() {
    let mut scene = Scene::with_servers(1);
    scene.zone.negative_ttl = Some(100_000);
    assert_eq!(scene.resolve("gone.test"), Err(DnsError::NoSuchName));
    scene.wait(300_000);
    scene.begin("gone.test");
}

#[test]
fn absence_behind_an_alias_is_kept_no_longer_than_the_alias() {
    let mut scene = Scene::with_servers(1);
    scene.zone.ttl = 5;
    assert_eq!(scene.resolve("dangling.test"), Err(DnsError::NoSuchName));
    scene.wait(4_999);
    let known = scene.resolver.lookup("dangling.test", scene.now);
    assert_eq!(known, Lookup::Failed(DnsError::NoSuchName));
    scene.wait(1);
    scene.begin("dangling.test");
}

#[test]
fn the_soa_of_another_zone_says_nothing() {
    let mut scene = Scene::with_servers(1);
    let id = scene.begin("gone.test");
    scene.serve(|_, answer| answer.authorities[0].name = tld("example."));
    assert_eq!(scene.result(id), Err(DnsError::NoSuchName));
    scene.wait(1_000);
    scene.begin("gone.test");
}

#[test]
fn one_family_alone_is_an_answer() {
    let mut scene = Scene::with_servers(1);
    let four = vec![ip("192.0.2.4"), ip("192.0.2.5")];
    assert_eq!(scene.resolve("four.test"), Ok(four.clone()));
    let config = ResolverConfig {
        servers: servers(1),
        ipv6: false,
        ..ResolverConfig::default()
    };
    let mut scene = Scene::new(config);
    assert_eq!(scene.resolve("four.test"), Ok(four));
    assert_eq!(scene.resolve("both.test"), Ok(vec![ip("192.0.2.1")]));
    assert_eq!(scene.resolver.counters().queries_udp, 2);
}

#[test]
fn a_late_family_is_waited_for_briefly_and_joins_the_cache_later() {
    let mut scene = Scene::with_servers(1);
    let id = scene.begin("both.test");
    let transmits = scene.transmits();
    let (late, first): (Vec<_>, Vec<_>) = transmits
        .iter()
        .partition(|transmit| question_type(transmit) == RecordType::AAAA);
    scene.deliver(first[0], &scene.zone.answer(&first[0].message));
    scene.wait(49);
    assert!(scene.resolver.finished().is_none());
    scene.wait(1);
    assert_eq!(scene.result(id), Ok(vec![ip("192.0.2.1")]));
    let partial = scene.cached("both.test").unwrap();
    assert_eq!(partial.as_slice(), [ip("192.0.2.1")]);
    assert_eq!(
        partial.expires(),
        scene.now + Duration::from_secs(30),
        "not for its whole TTL"
    );
    scene.wait(100);
    scene.deliver(late[0], &scene.zone.answer(&late[0].message));
    assert!(scene.resolver.finished().is_none(), "reported once");
    let whole = scene.cached("both.test").unwrap();
    assert_eq!(whole.as_slice(), [ip("2001:db8::1"), ip("192.0.2.1")]);
    assert_eq!(scene.resolver.counters().lookups_in_flight, 0);
    assert_eq!(scene.resolver.next_deadline(), None);
}

#[test]
fn a_family_that_never_comes_leaves_a_partial_answer() {
    let mut scene = Scene::with_servers(1);
    let id = scene.begin("both.test");
    let transmits = scene.transmits();
    let first = transmits
        .iter()
        .find(|t| question_type(t) == RecordType::A)
        .unwrap();
    scene.deliver(first, &scene.zone.answer(&first.message));
    scene.wait(50);
    assert_eq!(scene.result(id), Ok(vec![ip("192.0.2.1")]));
    while let Some(deadline) = scene.resolver.next_deadline() {
        scene.now = deadline;
        scene.resolver.on_deadline(deadline);
        scene.transmits();
    }
    assert!(
        scene.resolver.is_at_rest(),
        "reported once, and nothing is left behind"
    );
    let partial = scene.cached("both.test").unwrap();
    assert_eq!(partial.as_slice(), [ip("192.0.2.1")]);
    assert_eq!(partial.expires(), scene.now + Duration::from_secs(30));
}

#[test]
fn a_reported_lookup_that_left_the_cache_begins_anew() {
    let mut scene = Scene::with_servers(1);
    scene.zone.ttl = 1;
    let id = scene.begin("both.test");
    let transmits = scene.transmits();
    let first = transmits
        .iter()
        .find(|t| question_type(t) == RecordType::A)
        .unwrap();
    scene.deliver(first, &scene.zone.answer(&first.message));
    scene.wait(50);
    assert!(scene.result(id).is_ok());
    scene.wait(1_000);
    let again = scene.begin("both.test");
    assert_ne!(again, id);
    scene.serve(|_, _| ());
    assert_eq!(
        scene.result(again),
        Ok(vec![ip("2001:db8::1"), ip("192.0.2.1")])
    );
    assert_eq!(
        scene.resolver.next_deadline(),
        None,
        "nothing is left behind"
    );
    let late = transmits
        .iter()
        .find(|t| question_type(t) == RecordType::AAAA)
        .unwrap();
    assert_eq!(
        scene.deliver(late, &scene.zone.answer(&late.message)),
        MessageOutcome::Stale
    );
}

#[test]
fn aliases_are_followed_within_and_across_answers() {
    let expect = vec![ip("2001:db8::1"), ip("192.0.2.1")];
    let mut scene = Scene::with_servers(1);
    assert_eq!(scene.resolve("alias.test"), Ok(expect.clone()));
    assert_eq!(scene.resolver.counters().queries_udp, 2);

    let mut scene = Scene::with_servers(1);
    scene.zone.follows_aliases = false;
    scene.zone.negative_ttl = None;
    assert_eq!(scene.resolve("alias.test"), Ok(expect));
    assert_eq!(scene.resolver.counters().queries_udp, 4);
    assert_eq!(scene.resolve("dangling.test"), Err(DnsError::NoSuchName));
}

#[test]
fn the_least_ttl_of_a_chain_counts_even_across_answers() {
    let mut scene = Scene::with_servers(1);
    let id = scene.begin("alias.test");
    scene.serve(|_, answer| {
        answer.answers[0].ttl = 5;
        answer.answers.reverse();
    });
    scene.result(id).unwrap();
    let expires = scene.cached("alias.test").unwrap().expires();
    assert_eq!(expires, scene.now + Duration::from_secs(5));

    let mut scene = Scene::with_servers(1);
    (scene.zone.follows_aliases, scene.zone.negative_ttl) = (false, None);
    let id = scene.begin("alias.test");
    scene.serve(|_, answer| {
        if matches!(answer.answers[0].data, RData::CNAME(_)) {
            answer.answers[0].ttl = 5;
        }
    });
    scene.result(id).unwrap();
    let expires = scene.cached("alias.test").unwrap().expires();
    assert_eq!(expires, scene.now + Duration::from_secs(5));
}

#[test]
fn loops_and_long_chains_of_aliases_end() {
    for follows_aliases in [true, false] {
        let mut scene = Scene::with_servers(1);
        (scene.zone.follows_aliases, scene.zone.negative_ttl) = (follows_aliases, None);
        assert_eq!(scene.resolve("loop-a.test"), Err(DnsError::AliasLoop));
        // What one answer holds is followed further than what has to be asked for again.
        let most = match follows_aliases {
            true => ALIASES_MAX,
            false => ALIAS_QUESTIONS_MAX,
        };
        let name = |at: usize| &*format!("c{at}.test").leak();
        let last = Entry::Addresses(vec![ip("192.0.2.8")]);
        scene.zone.entries.insert(name(0).to_owned(), last);
        for at in 1..=most + 1 {
            let alias = Entry::Alias(name(at - 1));
            scene.zone.entries.insert(name(at).to_owned(), alias);
        }
        assert_eq!(scene.resolve(name(most)), Ok(vec![ip("192.0.2.8")]));
        let too_long = Err(DnsError::AliasChainTooLong);
        assert_eq!(scene.resolve(name(most + 1)), too_long);
    }
}

#[test]
fn a_truncated_answer_is_asked_for_again_over_tcp() {
    let mut scene = Scene::with_servers(2);
    let id = scene.begin("both.test");
    scene.serve(|transmit, answer| {
        assert_eq!(transmit.server, servers(2)[0]);
        if transmit.transport == Transport::Udp {
            answer.answers.clear();
            answer.metadata.truncation = true;
        }
    });
    assert_eq!(scene.result(id).unwrap().len(), 2);
    let counters = scene.resolver.counters();
    assert_eq!(
        (
            counters.truncated,
            counters.queries_udp,
            counters.queries_tcp
        ),
        (2, 2, 2)
    );
}

#[test]
fn only_the_truncated_part_of_a_chain_goes_over_tcp() {
    let mut scene = Scene::with_servers(1);
    (scene.zone.follows_aliases, scene.zone.negative_ttl) = (false, None);
    let id = scene.begin("alias.test");
    scene.serve(|transmit, answer| {
        let is_alias = answer.queries[0].name == tld("alias.test.");
        answer.metadata.truncation = is_alias && transmit.transport == Transport::Udp;
    });
    assert_eq!(scene.result(id).unwrap().len(), 2);
    let counters = scene.resolver.counters();
    assert_eq!((counters.queries_udp, counters.queries_tcp), (4, 2));
}

#[test]
fn an_answer_truncated_even_over_tcp_is_a_failure() {
    let mut scene = Scene::with_servers(1);
    let id = scene.begin("both.test");
    let mut answers = 0;
    scene.serve(|_, answer| {
        answer.metadata.truncation = true;
        answers += 1;
        assert!(answers <= 4, "asked without end");
    });
    assert_eq!(scene.result(id), Err(DnsError::ServerFailure));
}

#[test]
fn addresses_are_distinct_and_bounded_and_so_are_records() {
    let fill = |count: u16, distinct: u16| {
        let mut scene = Scene::with_servers(1);
        let id = scene.begin("four.test");
        scene.serve(|_, answer| {
            answer.answers.clear();
            for index in 0..count {
                let [high, low] = (index % distinct).to_be_bytes();
                let address = RData::A(A([10, 0, high, low].into()));
                answer.add_answer(record(&tld("four.test."), 60, address));
            }
        });
        scene.result(id).map(|addresses| addresses.len())
    };
    assert_eq!(fill(512, 3), Ok(3));
    assert_eq!(fill(512, 512), Ok(32));
    assert_eq!(fill(513, 3), Err(DnsError::ServerFailure));
}

#[test]
fn a_server_without_edns_is_asked_without_it_and_remembered() {
    let mut scene = Scene::with_servers(1);
    let refuse = |transmit: &Transmit, answer: &mut Message| {
        if Message::from_vec(&transmit.message).unwrap().edns.is_some() {
            (answer.edns, answer.metadata.response_code) = (None, ResponseCode::FormErr);
            answer.answers.clear();
            answer.queries.clear();
        }
    };
    let id = scene.begin("both.test");
    assert_eq!(scene.serve(refuse), 4);
    assert_eq!(scene.result(id).unwrap().len(), 2);
    scene.begin("four.test");
    assert_eq!(scene.serve(refuse), 2);
    assert_eq!(scene.resolver.counters().edns_fallbacks, 2);
}

#[test]
fn what_does_not_answer_the_question_is_ignored() {
    let mut scene = Scene::with_servers(1);
    let id = scene.begin("both.test");
    for transmit in scene.transmits() {
        let good = scene.zone.answer(&transmit.message);
        let mut forged = good.clone();
        forged.metadata.id ^= 0x100;
        assert_eq!(scene.deliver(&transmit, &forged), MessageOutcome::Ignored);
        let mut folded = good.clone();
        folded.queries[0].name = tld("both.test.");
        assert_eq!(scene.deliver(&transmit, &folded), MessageOutcome::Ignored);
        let garbage = scene
            .resolver
            .on_message(transmit.query, b"garbage", scene.now);
        assert_eq!(garbage, MessageOutcome::Ignored);
        assert_eq!(scene.deliver(&transmit, &good), MessageOutcome::Accepted);
        assert_eq!(scene.deliver(&transmit, &good), MessageOutcome::Stale);
    }
    assert_eq!(scene.result(id).unwrap().len(), 2);
    assert_eq!(scene.resolver.counters().messages_ignored, 6);
    assert_eq!(scene.resolver.counters().messages_case_differs, 2);
}

#[test]
fn records_about_other_names_are_not_believed() {
    let mut scene = Scene::with_servers(1);
    let id = scene.begin("four.test");
    let lie = RData::A(A([203, 0, 113, 66].into()));
    scene.serve(|_, answer| {
        let stray_alias = RData::CNAME(CNAME(tld("evil.test.")));
        let lies = [
            record(&tld("other.test."), 60, lie.clone()),
            record(&tld("x.test."), 60, stray_alias),
            record(&tld("evil.test."), 60, lie.clone()),
        ];
        answer.answers.splice(0..0, lies);
        answer.add_additional(record(&tld("four.test."), 60, lie.clone()));
    });
    assert_eq!(scene.result(id), Ok(vec![ip("192.0.2.4"), ip("192.0.2.5")]));
}

#[test]
fn a_server_that_folds_case_is_asked_over_tcp_from_then_on() {
    let mut scene = Scene::with_servers(1);
    let id = scene.begin("both.test");
    let fold = |scene: &mut Scene| {
        for transmit in scene.transmits() {
            let mut answer = scene.zone.answer(&transmit.message);
            answer.queries[0].name = answer.queries[0].name.to_lowercase();
            scene.deliver(&transmit, &answer);
        }
    };
    fold(&mut scene);
    scene.wait(1_500);
    fold(&mut scene);
    assert_eq!(scene.result(id).unwrap().len(), 2);
    let id = scene.begin("four.test");
    fold(&mut scene);
    assert_eq!(scene.result(id).unwrap().len(), 2, "at once");
    assert_eq!(scene.resolver.counters().queries_udp, 2);
}

#[test]
fn silence_moves_on_to_the_next_server_and_later_lookups_begin_there() {
    let mut scene = Scene::with_servers(2);
    let id = scene.begin("both.test");
    assert!(
        scene
            .transmits()
            .iter()
            .all(|transmit| transmit.server == servers(2)[0])
    );
    assert_eq!(
        scene.resolver.next_deadline(),
        Some(scene.now + Duration::from_millis(1_500))
    );
    scene.wait(1_500);
    scene.serve(|transmit, _| assert_eq!(transmit.server, servers(2)[1]));
    assert_eq!(scene.result(id).unwrap().len(), 2);
    scene.begin("four.test");
    scene.serve(|transmit, _| assert_eq!(transmit.server, servers(2)[1]));
}

#[test]
fn total_silence_is_a_timeout_in_time() {
    // Ends by the lookup's time; by its attempts; by its time, with attempts left.
    for (attempts_max, ends_ms, sent_expect) in [(4, 5_000, 8), (2, 3_000, 4), (16, 5_000, 8)] {
        let mut scene = Scene::new(ResolverConfig {
            servers: servers(1),
            attempts_max,
            ..ResolverConfig::default()
        });
        let (begun, id) = (scene.now, scene.begin("both.test"));
        let mut sent = 0;
        while let Some(deadline) = scene.resolver.next_deadline() {
            sent += scene.transmits().len();
            assert!(scene.resolver.finished().is_none());
            scene.now = deadline;
            scene.resolver.on_deadline(deadline);
        }
        assert_eq!(scene.now, begun + Duration::from_millis(ends_ms));
        assert_eq!(scene.result(id), Err(DnsError::Timeout));
        assert_eq!(sent, sent_expect);
        assert_eq!(scene.resolver.counters().attempt_timeouts, sent as u64);
        let again = scene.resolver.lookup("both.test", scene.now);
        assert_eq!(
            again,
            Lookup::Failed(DnsError::Timeout),
            "remembered briefly"
        );
        scene.wait(1_000);
        scene.begin("both.test");
    }
}

#[test]
fn servers_that_fail_are_asked_once_each() {
    for (code, error) in [
        (ResponseCode::ServFail, DnsError::ServerFailure),
        (ResponseCode::Refused, DnsError::Refused),
        (ResponseCode::NotAuth, DnsError::ServerFailure),
    ] {
        let mut scene = Scene::with_servers(2);
        let id = scene.begin("both.test");
        let served = scene.serve(|_, answer| answer.metadata.response_code = code);
        assert_eq!((served, scene.result(id)), (4, Err(error)));
    }
    let mut scene = Scene::with_servers(2);
    let id = scene.begin("both.test");
    for _ in 0..2 {
        for transmit in scene.transmits() {
            scene.resolver.on_transport_error(transmit.query, scene.now);
        }
    }
    assert_eq!(scene.result(id), Err(DnsError::Unreachable));
    assert_eq!(scene.resolver.counters().transport_errors, 4);
}

#[test]
fn a_referral_or_an_unreadable_answer_is_a_failure_of_that_server() {
    let mut scene = Scene::with_servers(2);
    let id = scene.begin("both.test");
    scene.serve(|transmit, answer| {
        if transmit.server == servers(2)[0] {
            answer.answers.clear();
            answer.metadata.recursion_available = false;
            answer.add_authority(record(&tld("test."), 60, RData::NS(NS(tld("ns.test.")))));
        }
    });
    assert_eq!(scene.result(id).unwrap().len(), 2);

    let mut scene = Scene::with_servers(1);
    let id = scene.begin("both.test");
    for transmit in scene.transmits() {
        let mut bytes = scene.zone.answer(&transmit.message).to_vec().unwrap();
        bytes.truncate(bytes.len() - 14);
        let outcome = scene.resolver.on_message(transmit.query, &bytes, scene.now);
        assert_eq!(outcome, MessageOutcome::Accepted);
    }
    assert_eq!(scene.result(id), Err(DnsError::ServerFailure));
}

#[test]
fn ids_and_case_follow_from_the_seed_alone() {
    let messages = |seed: u8| -> Vec<Vec<u8>> {
        let config = ResolverConfig {
            servers: servers(1),
            ..ResolverConfig::default()
        };
        let mut resolver = Resolver::new(config, [seed; 32]);
        let now = start();
        resolver.lookup("a-long-enough-name.test", now);
        std::iter::from_fn(|| resolver.next_transmit(now))
            .map(|sent| sent.message)
            .collect()
    };
    assert_eq!(messages(1), messages(1));
    assert_ne!(messages(1), messages(2));
    assert_ne!(messages(1)[0][..2], messages(1)[1][..2]);
}
