//! The permits, and the steps that give them: nothing outside this file can make one.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use sallyport_ruleset::{Decision, Fact, Facts, Outcome, Phase, Verdict};
use sallyport_wire::http1::RequestHead;

use super::remembered::AnswerId;
use super::rules::{Denied, DeniedBy, Rules};
use crate::decisions::Decisions;
use crate::destination::AddressList;
use crate::destination::{DestinationGuard, Prohibited};

/// PreDNS let the transaction in: its name may be resolved.
#[derive(Debug)]
pub(crate) struct Admitted(Option<AnswerId>);

/// The addresses of an admitted name.
#[derive(Debug)]
pub(crate) struct Resolved {
    addresses: AddressList,
    port: u16,
}

/// Addresses that the destination guard let through.
#[derive(Debug, Clone)]
pub(crate) struct Guarded {
    addresses: AddressList,
    port: u16,
}

/// Addresses that PreREQUEST allowed as well: packets may leave for them.
///
/// ```compile_fail,E0451
/// let unjudged = sallyport::enforcement::Dialable { addresses: todo!(), port: 443 };
/// ```
#[derive(Debug, Clone)]
pub struct Dialable {
    addresses: AddressList,
    port: u16,
}

/// A request as it would be written to its origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outbound<'a> {
    pub(crate) head: &'a RequestHead,
    /// What the spans of `head` refer to.
    pub(crate) bytes: &'a [u8],
    /// What is sent as `Host`.
    pub(crate) authority: &'a str,
    pub(crate) path_and_query: &'a [u8],
}

impl Outbound<'_> {
    /// Whether `facts` are those of this request.
    fn is_of(&self, facts: &Facts<'_>) -> bool {
        let method = self.head.method.of(self.bytes);
        let host = self.authority.as_bytes();
        matches!(facts.method, Fact::Known(judged) if judged == method)
            && matches!(facts.host, Fact::Known(judged) if judged == host)
    }
}

/// PreREQUEST allowed this request with every fact known: it may be written to the origin.
///
/// ```compile_fail,E0423
/// let unjudged = sallyport::enforcement::Permitted(todo!());
/// ```
#[derive(Debug)]
pub struct Permitted<'a>(Outbound<'a>);

impl<'a> Permitted<'a> {
    /// The request that was judged, to be written.
    pub(crate) fn outbound(&self) -> &Outbound<'a> {
        &self.0
    }
}

/// PreREQUEST allowed a tunnel with every fact known: its bytes may flow.
///
/// ```compile_fail,E0423
/// let unjudged = sallyport::enforcement::Passable(());
/// ```
#[derive(Debug)]
pub struct Passable(());

/// PostRESPONSE allowed the response: it may be written to the client.
///
/// ```compile_fail,E0423
/// let unjudged = sallyport::enforcement::Released(());
/// ```
#[derive(Debug)]
pub struct Released(());

/// What PreREQUEST says while facts are missing.
#[derive(Debug)]
pub(crate) enum Early {
    /// Whatever the missing facts are, the answer is yes.
    Allowed(Dialable),
    /// It depends on what is not known yet.
    Open,
}

/// Runs PreDNS.
pub(crate) fn pre_dns(
    rules: &Rules,
    facts: &Facts<'_>,
    decisions: &mut Decisions,
) -> Result<Admitted, Denied> {
    rules.decide_pre_dns(facts, decisions).map(Admitted)
}

/// Runs PostRESPONSE.
pub(crate) fn post_response(
    rules: &Rules,
    facts: &Facts<'_>,
    decisions: &mut Decisions,
) -> Result<Released, Denied> {
    rules
        .decide(Phase::PostResponse, facts, decisions)
        .map(|_| Released(()))
}

impl Admitted {
    /// The addresses that the guard of the same snapshot let through before, while they are those of the
    /// name.
    pub(crate) fn guarded_before(&self, rules: &Rules, port: u16, now: Instant) -> Option<Guarded> {
        let remembered = rules.remembered.borrow();
        let addresses = *remembered.guarded(self.0?, now)?;
        Some(Guarded { addresses, port })
    }

    /// Has what was `guarded` stand for the addresses of the name until they expire.
    pub(crate) fn remember(&self, rules: &Rules, guarded: &Guarded, expires: Instant) {
        if let Some(id) = self.0 {
            let mut remembered = rules.remembered.borrow_mut();
            remembered.keep_guarded(id, guarded.addresses, expires);
        }
    }

    /// Joins the addresses that the name of this transaction resolved to.
    pub(crate) fn resolved(&self, addresses: AddressList, port: u16) -> Resolved {
        Resolved { addresses, port }
    }
}

impl Resolved {
    /// Keeps the addresses that may be dialed at all; if none may, says why the first may not.
    pub(crate) fn guard(self, guard: &DestinationGuard) -> Result<Guarded, (IpAddr, Prohibited)> {
        let mut kept = AddressList::empty();
        let mut refused = None;
        for address in self.addresses.as_slice() {
            match guard.judge(SocketAddr::new(*address, self.port)) {
                Ok(()) => kept.push(*address),
                Err(why) => refused = refused.or(Some((*address, why))),
            }
        }
        match refused {
            Some(refused) if kept.is_empty() => Err(refused),
            _ => Ok(Guarded {
                addresses: kept,
                port: self.port,
            }),
        }
    }
}

impl Guarded {
    /// Runs PreREQUEST with what is known so far (`facts.destination_ip` is set here).
    pub(crate) fn early(
        &self,
        rules: &Rules,
        facts: &Facts<'_>,
        decisions: &mut Decisions,
    ) -> Result<Early, Denied> {
        let phase = Phase::PreRequest;
        let mut facts = *facts;
        let (mut allowed, mut denied, mut open) = (AddressList::empty(), None, false);
        for address in self.judged(rules) {
            facts.destination_ip = Fact::Known(*address);
            match rules.evaluate(phase, &facts, decisions) {
                Outcome::Decided(verdict) if verdict.action == Decision::Deny => {
                    denied = Some(Denied::by(phase, verdict));
                }
                Outcome::Decided(_) => allowed.push(*address),
                Outcome::Undetermined => open = true,
            }
        }
        if open {
            return Ok(Early::Open);
        }
        if let Some(denied) = denied.filter(|_| allowed.is_empty()) {
            return Err(denied);
        }
        let addresses = if rules.judges_addresses {
            allowed
        } else {
            self.addresses
        };
        Ok(Early::Allowed(Dialable {
            addresses,
            port: self.port,
        }))
    }

    /// Runs PreREQUEST over the facts of a request (`facts.destination_ip` is set here).
    pub(crate) fn pre_request<'a>(
        &self,
        rules: &Rules,
        (outbound, facts): (Outbound<'a>, &mut Facts<'_>),
        decisions: &mut Decisions,
    ) -> Result<(Dialable, Permitted<'a>), Denied> {
        if !outbound.is_of(facts) {
            // Cannot happen while both are made of one request; if it does, the gate stays shut.
            tracing::error!("the facts of another request were to be judged: denied");
            return Err(Denied {
                phase: Phase::PreRequest,
                by: DeniedBy::Default,
            });
        }
        let dialable = self.judge(rules, facts, decisions)?;
        Ok((dialable, Permitted(outbound)))
    }

    /// Runs PreREQUEST over the facts of a tunnel (`facts.destination_ip` is set here).
    pub(crate) fn pre_request_of_tunnel(
        &self,
        rules: &Rules,
        facts: &Facts<'_>,
        decisions: &mut Decisions,
    ) -> Result<(Dialable, Passable), Denied> {
        let dialable = self.judge(rules, &mut { *facts }, decisions)?;
        Ok((dialable, Passable(())))
    }

    /// Of several addresses those stay that are allowed by the same rule as the first allowed one,
    /// so that the verdict in the log is true of whichever is connected to.
    fn judge(
        &self,
        rules: &Rules,
        facts: &mut Facts<'_>,
        decisions: &mut Decisions,
    ) -> Result<Dialable, Denied> {
        let mut first: Option<(IpAddr, Verdict)> = None;
        let mut kept = AddressList::empty();
        let mut denied = Denied {
            phase: Phase::PreRequest,
            by: DeniedBy::Default,
        };
        let judged = self.judged(rules);
        for address in judged {
            facts.destination_ip = Fact::Known(*address);
            let verdict = rules.decide(Phase::PreRequest, facts, decisions);
            match (verdict, &first) {
                (Err(by), None) => denied = by,
                (Ok(verdict), None) => {
                    first = Some((*address, verdict));
                    kept.push(*address);
                }
                (Ok(verdict), Some((_, same))) if verdict == *same => kept.push(*address),
                _ => {}
            }
        }
        let Some((address, _)) = first else {
            return Err(denied);
        };
        if judged.len() > 1 {
            // What is noted is of the last address judged: make it the deciding one's.
            facts.destination_ip = Fact::Known(address);
            rules.decide(Phase::PreRequest, facts, decisions)?;
        }
        let addresses = if rules.judges_addresses {
            kept
        } else {
            self.addresses
        };
        Ok(Dialable {
            addresses,
            port: self.port,
        })
    }

    /// One address stands for all where no rule looks at it.
    fn judged(&self, rules: &Rules) -> &[IpAddr] {
        let all = self.addresses.as_slice();
        if rules.judges_addresses {
            all
        } else {
            all.get(..1).unwrap_or_default()
        }
    }

    /// Those of them that `keep` says yes to; `None` if it says so of none.
    pub(crate) fn only(&self, keep: impl Fn(IpAddr) -> bool) -> Option<Self> {
        let mut kept = AddressList::empty();
        for address in self.addresses.as_slice() {
            if keep(*address) {
                kept.push(*address);
            }
        }
        (!kept.is_empty()).then_some(Self {
            addresses: kept,
            port: self.port,
        })
    }

    /// All of them, in the order in which they are tried.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        self.addresses.as_slice()
    }

    /// The same, to be judged again.
    pub(crate) fn list(&self) -> AddressList {
        self.addresses
    }

    /// The address that is tried first.
    pub(crate) fn first(&self) -> Option<IpAddr> {
        self.addresses.first()
    }
}

impl Dialable {
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        self.addresses.as_slice()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Runs PreREQUEST over the facts of a tunnel, for the address that was connected to.
    pub(crate) fn pre_request_of_tunnel(
        &self,
        connected: IpAddr,
        rules: &Rules,
        facts: &Facts<'_>,
        decisions: &mut Decisions,
    ) -> Result<Passable, Denied> {
        let facts = Facts {
            destination_ip: Fact::Known(connected),
            ..*facts
        };
        rules
            .decide(Phase::PreRequest, &facts, decisions)
            .map(|_| Passable(()))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
