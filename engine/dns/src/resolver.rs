//! The resolver: lookups in, queries out, messages and deadlines in, results out.
//!
//! Here lie the tables (lookups, queries, timers) and the order of the steps. Whom to ask next is
//! `question.rs`'s, what a message says `answer.rs`'s, what two families come to `lookup.rs`'s.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Instant;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::HashMap;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use crate::addresses::Addresses;
use crate::answer::{self, Reply};
use crate::cache::Cache;
use crate::config::ResolverConfig;
use crate::counters::Counters;
use crate::error::DnsError;
use crate::lookup::{Family, Held, InFlight, Progress};
pub use crate::lookup::{Lookup, LookupId};
use crate::name;
use crate::query::{Match, QueryId, SentQuery, Transmit, Transport};
use crate::question::{Attempt, Next, Question};
use crate::servers::Servers;
use crate::static_hosts::StaticHosts;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageOutcome {
    /// It answers the query; the socket can be closed.
    Accepted,
    /// It does not answer the query, which stays open: keep listening.
    Ignored,
    /// The query is over since before this message; the socket can be closed.
    Stale,
}

/// A stub resolver for one core. Not `Send`: what it hands out is counted without atomics.
#[derive(Debug)]
pub struct Resolver {
    config: ResolverConfig,
    rng: ChaCha12Rng,
    static_hosts: StaticHosts,
    cache: Cache,
    servers: Servers,
    /// Lookups in flight by name, for those who come later with the same name.
    names: HashMap<Rc<str>, LookupId, SeedableRandomState>,
    lookups: HashMap<LookupId, InFlight, SeedableRandomState>,
    queries: HashMap<QueryId, OpenQuery, SeedableRandomState>,
    /// Exactly one entry per open query, one per lookup, and one per lookup that waits for its
    /// second family.
    timers: BTreeSet<(Instant, Timer)>,
    /// Queries not yet handed out; those closed in the meantime are skipped.
    outgoing: VecDeque<QueryId>,
    finished: VecDeque<(LookupId, Result<Addresses, DnsError>)>,
    ids_used: u64,
    counters: Counters,
}

#[derive(Debug)]
struct OpenQuery {
    lookup: LookupId,
    family: Family,
    attempt: Attempt,
    sent: SentQuery,
    deadline: Instant,
    case_differed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Query(QueryId),
    Delay(LookupId),
    Lookup(LookupId),
}

impl Resolver {
    /// A resolver with an empty cache.
    ///
    /// `seed` comes from the operating system's random source, and no two resolvers share one:
    /// message ids and case mixing are drawn from it (ChaCha12), and a stranger who can predict
    /// them can forge answers.
    #[must_use]
    pub fn new(config: ResolverConfig, seed: [u8; 32]) -> Self {
        let config = config.bounded();
        let mut rng = ChaCha12Rng::from_seed(seed);
        let cache = Cache::new(config.cache_entries_max, rng.next_u64());
        let hash_state =
            SeedableRandomState::with_seed(rng.next_u64(), SharedSeed::global_random());
        Self {
            rng,
            static_hosts: StaticHosts::new(&config, hash_state.clone()),
            cache,
            servers: Servers::new(&config.servers),
            names: HashMap::with_hasher(hash_state.clone()),
            lookups: HashMap::with_hasher(hash_state.clone()),
            queries: HashMap::with_hasher(hash_state),
            timers: BTreeSet::new(),
            outgoing: VecDeque::new(),
            finished: VecDeque::new(),
            ids_used: 0,
            counters: Counters::default(),
            config,
        }
    }

    /// The addresses of `name`, which is in normal form: ASCII, lower case, no trailing dot, no IP
    /// literal.
    ///
    /// Static hosts come first, then `localhost` (RFC 6761 section 6.3), the cache, and a lookup in
    /// flight for the same name. An answer from the cache allocates nothing.
    pub fn lookup(&mut self, name: &str, now: Instant) -> Lookup {
        self.lookup_if(name, now, || Some(Box::new(())))
    }

    /// The same, but a lookup that has to begin does so only with `leave`, which it holds until it is
    /// over. Without, it fails with [`DnsError::TooManyLookups`].
    pub fn lookup_if(
        &mut self,
        name: &str,
        now: Instant,
        leave: impl FnOnce() -> Option<Held>,
    ) -> Lookup {
        if let Some(list) = self.static_hosts.find(name) {
            self.counters.static_hits += 1;
            let expires = now + self.config.ttl_max;
            return Lookup::Answer(Addresses::new(list.clone(), expires, false));
        }
        match self.cache.find(name, now) {
            Some((Ok(list), expires)) => {
                self.counters.cache_hits += 1;
                return Lookup::Answer(Addresses::new(list.clone(), expires, true));
            }
            Some((Err(error), _)) => {
                self.counters.negative_hits += 1;
                return Lookup::Failed(*error);
            }
            None => {}
        }
        self.join_or_begin(name, now, leave)
    }

    /// The next query to send; none until another call brings one about.
    pub fn next_transmit(&mut self, now: Instant) -> Option<Transmit> {
        while let Some(id) = self.outgoing.pop_front() {
            let Some(query) = self.queries.get(&id) else {
                continue;
            };
            let message = query.sent.encode(self.config.edns_payload_bytes);
            let (Ok(message), Some(server)) = (message, self.servers.address(query.attempt.server))
            else {
                self.on_transport_error(id, now);
                continue;
            };
            let transport = query.attempt.transport;
            match transport {
                Transport::Udp => self.counters.queries_udp += 1,
                Transport::Tcp => self.counters.queries_tcp += 1,
            }
            return Some(Transmit {
                query: id,
                server,
                transport,
                message,
                deadline: query.deadline,
            });
        }
        None
    }

    /// A message that came on the socket of `query`, without the length that TCP puts in front.
    ///
    /// One that does not answer the query is ignored and does not count as a failed attempt, or
    /// else whoever sends nonsense could stop lookups (RFC 5452 section 9.1).
    pub fn on_message(&mut self, query: QueryId, bytes: &[u8], now: Instant) -> MessageOutcome {
        let Some(open) = self.queries.get_mut(&query) else {
            return MessageOutcome::Stale;
        };
        let (header, decoder) = match open.sent.match_message(bytes) {
            Match::Yes(header, decoder) => (header, decoder),
            Match::CaseDiffers => {
                open.case_differed = true;
                self.counters.messages_ignored += 1;
                self.counters.messages_case_differs += 1;
                return MessageOutcome::Ignored;
            }
            Match::No => {
                self.counters.messages_ignored += 1;
                return MessageOutcome::Ignored;
            }
        };
        let Some(open) = self.close_query(query) else {
            return MessageOutcome::Stale;
        };
        let Some(question) = question_of(&mut self.lookups, &open) else {
            return MessageOutcome::Stale;
        };
        let reply = answer::read(&open.sent, &header, decoder, &mut question.chain);
        match reply {
            Reply::Truncated => self.counters.truncated += 1,
            Reply::EdnsRefused => self.counters.edns_fallbacks += 1,
            _ => {}
        }
        let next = question.answered(open.attempt, reply, &mut self.servers, &self.config, now);
        self.advance(open.lookup, open.family, next, now);
        MessageOutcome::Accepted
    }

    /// The socket of `query` failed: connection refused, network unreachable, TCP closed before the
    /// answer. The next server is asked.
    pub fn on_transport_error(&mut self, query: QueryId, now: Instant) {
        let Some(open) = self.close_query(query) else {
            return;
        };
        self.counters.transport_errors += 1;
        let Some(question) = question_of(&mut self.lookups, &open) else {
            return;
        };
        let next = question.transport_failed(open.attempt, &mut self.servers, &self.config, now);
        self.advance(open.lookup, open.family, next, now);
    }

    /// Ends the attempts and lookups whose time is up at `now`. Calling it early or late is
    /// harmless.
    pub fn on_deadline(&mut self, now: Instant) {
        while let Some((at, timer)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.timers.remove(&(at, timer));
            match timer {
                Timer::Query(query) => self.time_out_query(query, now),
                Timer::Delay(lookup) => self.report(lookup, now),
                Timer::Lookup(lookup) => {
                    self.report(lookup, now);
                    self.remove_lookup(lookup);
                }
            }
        }
    }

    /// When [`Resolver::on_deadline`] is due; none while nothing is in flight.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The next result of a pending lookup. Each id is reported once, to be handed to all who wait
    /// for it.
    pub fn finished(&mut self) -> Option<(LookupId, Result<Addresses, DnsError>)> {
        self.finished.pop_front()
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            cache_entries: self.cache.len(),
            lookups_in_flight: self.lookups.len(),
            ..self.counters
        }
    }

    fn join_or_begin(
        &mut self,
        name: &str,
        now: Instant,
        leave: impl FnOnce() -> Option<Held>,
    ) -> Lookup {
        if let Some(id) = self.names.get(name).copied() {
            if self.lookups.get(&id).is_some_and(|lookup| !lookup.reported) {
                self.counters.joined += 1;
                return Lookup::Pending(id);
            }
            // Reported, yet the cache no longer has it: those who ask now are owed a lookup of
            // their own.
            self.remove_lookup(id);
        }
        match self.begin(name, now, leave) {
            Ok(id) => {
                self.counters.cache_misses += 1;
                Lookup::Pending(id)
            }
            Err(error) => {
                self.counters.rejected += 1;
                Lookup::Failed(error)
            }
        }
    }

    fn begin(
        &mut self,
        text: &str,
        now: Instant,
        leave: impl FnOnce() -> Option<Held>,
    ) -> Result<LookupId, DnsError> {
        let wire_name = name::parse(text)?;
        if self.lookups.len() >= self.config.lookups_in_flight_max {
            return Err(DnsError::TooManyLookups);
        }
        if self.config.servers.is_empty() {
            return Err(DnsError::NoServers);
        }
        if name::is_localhost(text) || !(self.config.ipv4 || self.config.ipv6) {
            return Err(DnsError::NoAddresses);
        }
        let held = leave().ok_or(DnsError::TooManyLookups)?;
        let id = LookupId(self.next_id());
        let name: Rc<str> = Rc::from(text);
        let deadline = now + self.config.lookup_timeout;
        self.names.insert(name.clone(), id);
        let lookup = InFlight::new((name, &wire_name), deadline, &self.config, held);
        self.lookups.insert(id, lookup);
        self.timers.insert((deadline, Timer::Lookup(id)));
        for family in Family::ALL {
            let question = self
                .lookups
                .get_mut(&id)
                .and_then(|lookup| lookup.question_mut(family));
            if let Some(next) =
                question.map(|question| question.first(&self.servers, &self.config, now))
            {
                self.advance(id, family, next, now);
            }
        }
        Ok(id)
    }

    fn advance(&mut self, id: LookupId, family: Family, next: Next, now: Instant) {
        match next {
            Next::Ask(attempt) => self.ask(id, family, attempt, now),
            Next::Done(outcome) => {
                if let Some(lookup) = self.lookups.get_mut(&id) {
                    *lookup.progress_mut(family) = Progress::Done(outcome);
                }
                self.settle(id, now);
            }
        }
    }

    /// Opens a query and puts it in the line of those to be sent.
    fn ask(&mut self, lookup_id: LookupId, family: Family, attempt: Attempt, now: Instant) {
        let query_id = QueryId(self.next_id());
        let message_id = self.message_id();
        let Some(lookup) = self.lookups.get_mut(&lookup_id) else {
            return;
        };
        if lookup.deadline <= now {
            // The lookup's own timer is due and ends it.
            return;
        }
        let deadline = lookup.deadline.min(now + self.config.attempt_timeout);
        let Some(question) = lookup.question_mut(family) else {
            return;
        };
        question.query = Some(query_id);
        let name = question.chain.current();
        // Over TCP there is nobody to guess, and a server that folds case is asked that way.
        let mix = self.config.case_mixing && attempt.transport == Transport::Udp;
        let sent = SentQuery {
            id: message_id,
            name: if mix {
                name::mix_case(name, &mut self.rng)
            } else {
                name.clone()
            },
            record_type: family.record_type(),
            edns: attempt.edns,
            transport: attempt.transport,
            case_exact: mix,
        };
        let query = OpenQuery {
            lookup: lookup_id,
            family,
            attempt,
            sent,
            deadline,
            case_differed: false,
        };
        self.queries.insert(query_id, query);
        self.timers.insert((deadline, Timer::Query(query_id)));
        self.outgoing.push_back(query_id);
    }

    /// One family is done: reports the lookup, or gives the other family its delay (RFC 8305
    /// section 3).
    fn settle(&mut self, id: LookupId, now: Instant) {
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return;
        };
        if lookup.is_complete() {
            self.report(id, now);
            self.remove_lookup(id);
        } else if lookup.has_addresses() {
            let ends = now + self.config.resolution_delay;
            lookup.delay_ends = Some(ends);
            self.timers.insert((ends, Timer::Delay(id)));
        }
    }

    /// Caches what is known by now, what is open counting as timed out, and tells the waiters unless
    /// they have been told.
    fn report(&mut self, id: LookupId, now: Instant) {
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return;
        };
        let (answer, expires) = lookup.answer(now + self.config.failure_ttl, now);
        if self
            .cache
            .insert(&lookup.name, answer.clone(), expires, now)
        {
            self.counters.cache_evictions += 1;
        }
        if std::mem::replace(&mut lookup.reported, true) {
            return;
        }
        match answer {
            Ok(_) => self.counters.succeeded += 1,
            Err(_) => self.counters.failed += 1,
        }
        let kept_until = match self.config.cache_entries_max {
            0 => now,
            _ => expires,
        };
        let answer = answer.map(|list| Addresses::new(list, kept_until, false));
        self.finished.push_back((id, answer));
    }

    /// Forgets a lookup, its timers and its queries.
    fn remove_lookup(&mut self, id: LookupId) {
        let Some(lookup) = self.lookups.remove(&id) else {
            return;
        };
        self.names.remove(&lookup.name);
        self.timers.remove(&(lookup.deadline, Timer::Lookup(id)));
        if let Some(ends) = lookup.delay_ends {
            self.timers.remove(&(ends, Timer::Delay(id)));
        }
        for query in lookup.open_queries() {
            self.close_query(query);
        }
    }

    fn time_out_query(&mut self, query: QueryId, now: Instant) {
        let Some(open) = self.close_query(query) else {
            return;
        };
        self.counters.attempt_timeouts += 1;
        let Some(question) = question_of(&mut self.lookups, &open) else {
            return;
        };
        let next = question.timed_out(
            open.attempt,
            open.case_differed,
            &mut self.servers,
            &self.config,
            now,
        );
        self.advance(open.lookup, open.family, next, now);
    }

    fn close_query(&mut self, query: QueryId) -> Option<OpenQuery> {
        let open = self.queries.remove(&query)?;
        self.timers.remove(&(open.deadline, Timer::Query(query)));
        Some(open)
    }

    /// True if nothing is in flight and no table holds a trace of what was.
    #[cfg(test)]
    pub(crate) fn is_at_rest(&self) -> bool {
        let tables = [self.names.len(), self.lookups.len(), self.queries.len()];
        tables == [0; 3] && self.timers.is_empty() && self.finished.is_empty()
    }

    fn message_id(&mut self) -> u16 {
        let [low, high, ..] = self.rng.next_u32().to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    fn next_id(&mut self) -> u64 {
        self.ids_used += 1;
        self.ids_used
    }
}

fn question_of<'lookups>(
    lookups: &'lookups mut HashMap<LookupId, InFlight, SeedableRandomState>,
    open: &OpenQuery,
) -> Option<&'lookups mut Question> {
    lookups.get_mut(&open.lookup)?.question_mut(open.family)
}
