//! One question (a name and a record type) from its first attempt to its outcome: whom to ask next,
//! and when to stop.
//!
//! Pure decisions; `resolver.rs` carries them out.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::answer::{Chain, Reply, Ttl};
use crate::config::ResolverConfig;
use crate::error::DnsError;
use crate::query::{QueryId, Transport};
use crate::servers::{ServerIndex, ServerSet, Servers};

/// How one query goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) server: ServerIndex,
    pub(crate) transport: Transport,
    pub(crate) edns: bool,
}

/// What to do after an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Ask(Attempt),
    Done(Outcome),
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Addresses, never an empty list, or why there are none.
    pub(crate) result: Result<Vec<IpAddr>, DnsError>,
    pub(crate) expires: Instant,
}

/// A question on its way.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) chain: Chain,
    /// The query that is out, if one is. At most one at a time.
    pub(crate) query: Option<QueryId>,
    /// The earliest expiry among the aliases of earlier answers.
    aliases_expire: Option<Instant>,
    /// Attempts that failed.
    failures: u32,
    /// Servers that answered with a failure or could not be reached: not asked again.
    useless: ServerSet,
}

impl Question {
    pub(crate) fn new(chain: Chain) -> Self {
        Self {
            chain,
            query: None,
            aliases_expire: None,
            failures: 0,
            useless: ServerSet::default(),
        }
    }

    /// The first attempt, for the name of the question and again for each alias.
    pub(crate) fn first(&self, servers: &Servers, config: &ResolverConfig, now: Instant) -> Next {
        match servers.preferred() {
            Some(server) => Next::Ask(attempt(server, servers)),
            None => failed(DnsError::NoServers, config, now),
        }
    }

    /// The attempt lasted too long. If a message came that differed in nothing but the case of the
    /// name, the server probably folds case: TCP decides.
    pub(crate) fn timed_out(
        &mut self,
        attempt: Attempt,
        case_differed: bool,
        servers: &mut Servers,
        config: &ResolverConfig,
        now: Instant,
    ) -> Next {
        if case_differed && attempt.transport == Transport::Udp {
            servers.note_folds_case(attempt.server);
            return Next::Ask(Attempt {
                transport: Transport::Tcp,
                ..attempt
            });
        }
        servers.demote(attempt.server);
        self.retry(attempt.server, DnsError::Timeout, servers, config, now)
    }

    /// The server could not be reached, or closed the connection.
    pub(crate) fn transport_failed(
        &mut self,
        attempt: Attempt,
        servers: &mut Servers,
        config: &ResolverConfig,
        now: Instant,
    ) -> Next {
        servers.demote(attempt.server);
        self.useless.insert(attempt.server);
        self.retry(attempt.server, DnsError::Unreachable, servers, config, now)
    }

    /// The server answered.
    pub(crate) fn answered(
        &mut self,
        attempt: Attempt,
        reply: Reply,
        servers: &mut Servers,
        config: &ResolverConfig,
        now: Instant,
    ) -> Next {
        let understood = !matches!(reply, Reply::EdnsRefused | Reply::Failed(_));
        if understood && !attempt.edns {
            servers.note_no_edns(attempt.server);
        }
        match reply {
            Reply::Addresses(addresses, ttl) => {
                let expires = self
                    .expiry(ttl, now)
                    .clamp(now + config.ttl_min, now + config.ttl_max);
                Next::Done(Outcome {
                    result: Ok(addresses),
                    expires,
                })
            }
            Reply::Alias(ttl) => {
                self.aliases_expire = Some(self.expiry(ttl, now));
                Next::Ask(Attempt {
                    edns: attempt.edns,
                    ..self::attempt(attempt.server, servers)
                })
            }
            Reply::Absent(error, Some(ttl)) => {
                let latest = now + config.negative_ttl_max.max(config.failure_ttl);
                let expires = self
                    .expiry(ttl, now)
                    .clamp(now + config.failure_ttl, latest);
                Next::Done(Outcome {
                    result: Err(error),
                    expires,
                })
            }
            Reply::Absent(error, None) | Reply::BadChain(error) => failed(error, config, now),
            Reply::Truncated => Next::Ask(Attempt {
                transport: Transport::Tcp,
                ..attempt
            }),
            Reply::EdnsRefused => Next::Ask(Attempt {
                edns: false,
                ..attempt
            }),
            Reply::Failed(error) => {
                if error == DnsError::Refused {
                    servers.demote(attempt.server);
                }
                self.useless.insert(attempt.server);
                self.retry(attempt.server, error, servers, config, now)
            }
        }
    }

    /// After a failure: the next server, unless there were too many failures or no server is left.
    fn retry(
        &mut self,
        server: ServerIndex,
        error: DnsError,
        servers: &Servers,
        config: &ResolverConfig,
        now: Instant,
    ) -> Next {
        self.failures += 1;
        match servers.next(server, self.useless) {
            Some(server) if self.failures < config.attempts_max => {
                Next::Ask(attempt(server, servers))
            }
            _ => failed(error, config, now),
        }
    }

    fn expiry(&self, ttl: Ttl, now: Instant) -> Instant {
        let expires = now + Duration::from_secs(u64::from(ttl.0));
        self.aliases_expire
            .map_or(expires, |aliases_expire| aliases_expire.min(expires))
    }
}

/// A question that ends here, to be remembered only briefly (RFC 2308 section 7).
pub(crate) fn failed(error: DnsError, config: &ResolverConfig, now: Instant) -> Next {
    Next::Done(Outcome {
        result: Err(error),
        expires: now + config.failure_ttl,
    })
}

fn attempt(server: ServerIndex, servers: &Servers) -> Attempt {
    let transport = if servers.keeps_case(server) {
        Transport::Udp
    } else {
        Transport::Tcp
    };
    Attempt {
        server,
        transport,
        edns: servers.understands_edns(server),
    }
}
