//! The gate: the only caller of `ruleset::evaluate`, and the permits that prove what it said.
//!
//! ```text
//! pre_dns ─▶ Admitted ─resolved─▶ Resolved ─guard─▶ Guarded ─pre_request─▶ Dialable + Permitted
//!                                                      ├─pre_request_of_tunnel─▶ Dialable + Passable
//!                                                      └─early─▶ Dialable ─pre_request_of_tunnel─▶ Passable
//! Answered ─post_response─▶ Released
//! ```
//!
//! Each permit is taken by value or by reference by the step that needs it and nothing outside this
//! file can make one: `upstream::dial` wants a [`Dialable`], a request head is written to an origin
//! with a [`Permitted`], bytes flow through a tunnel with a [`Passable`], a response byte goes to the
//! client with a [`Released`]. A connection whose address no PreREQUEST rule has seen, or a response
//! forwarded before its verdict, does not compile. A [`Permitted`] holds the request that was judged, and
//! the encoder writes what it holds: it cannot serve for another.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use sallyport_ruleset::normalize::media_types_differ;
use sallyport_ruleset::{
    Action, Bundle, Decision, Fact, Facts, FieldValues, Outcome, Phase, Scratch, Source, Verdict,
    evaluate,
};
use sallyport_wire::http1::RequestHead;

use crate::destination::{DestinationGuard, Prohibited};
pub(crate) use crate::trail::{PhaseDecision, Trail};
use crate::upstream::addresses::AddressList;

/// The ruleset as one shard uses it. A transaction keeps the one that it began with.
pub(crate) struct Rules {
    bundle: Arc<Bundle>,
    scratch: RefCell<Scratch>,
    /// Whether PreREQUEST can differ between two addresses of one name.
    judges_addresses: bool,
    /// Whether a phase can differ between two content types of a request, or of a response.
    judges_content_types: [bool; 2],
    /// Whether what is inside TLS is judged: by HTTP fields of a request, or by a rule for responses.
    judges_content: bool,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules")
            .field("bundle", &self.bundle.id())
            .finish_non_exhaustive()
    }
}

impl Rules {
    pub(crate) fn new(bundle: Arc<Bundle>) -> Self {
        let judges_addresses = bundle
            .sources(Phase::PreRequest)
            .contains(&Source::DestinationIp);
        let judges = |wanted: &[Source]| {
            let all = Phase::ALL
                .into_iter()
                .flat_map(|phase| bundle.sources(phase));
            all.into_iter().any(|source| wanted.contains(source))
        };
        let judges_content_types = [
            judges(&[Source::HttpContentType, Source::RequestHeaders]),
            judges(&[Source::ResponseContentType, Source::ResponseHeaders]),
        ];
        let mut sources = bundle.sources(Phase::PreRequest).iter();
        let judges_content = sources.any(|source| *source >= Source::HttpUri)
            || bundle.rules_count(Phase::PostResponse) > 0
            || bundle.defaults().post_response == Action::Deny;
        Self {
            scratch: RefCell::new(bundle.scratch()),
            bundle,
            judges_addresses,
            judges_content_types,
            judges_content,
        }
    }

    /// Whether a message may pass as far as its content types go. If a message names several media
    /// types, the recipient takes one of them, and nobody knows which: to a rule that denies one of
    /// them the message is denied, but one that allows one of them has not allowed the others.
    pub(crate) fn has_one_meaning(&self, facts: &Facts<'_>) -> bool {
        let [of_requests, of_responses] = self.judges_content_types;
        let differ = |is_judged: bool, fact: &Fact<FieldValues<'_>>| match fact {
            Fact::Known(values) if is_judged => media_types_differ(*values),
            _ => false,
        };
        !differ(of_requests, &facts.content_type)
            && !differ(of_responses, &facts.response_content_type)
    }

    /// Whether a tunnel that is passed through escapes rules that it would meet if it were intercepted.
    pub(crate) fn judges_content(&self) -> bool {
        self.judges_content
    }

    pub(crate) fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    fn evaluate(&self, phase: Phase, facts: &Facts<'_>, trail: &mut Trail) -> Outcome {
        let started = Instant::now();
        let mut scratch = self.scratch.borrow_mut();
        let outcome = evaluate(&self.bundle, phase, facts, &mut scratch);
        if let Outcome::Decided(verdict) = outcome {
            trail.record(phase, verdict, scratch.alerts());
        }
        trail.elapsed += started.elapsed();
        outcome
    }

    /// An evaluation in which every fact is known or absent: what is not allowed is denied.
    fn decide(
        &self,
        phase: Phase,
        facts: &Facts<'_>,
        trail: &mut Trail,
    ) -> Result<Verdict, Denied> {
        match self.evaluate(phase, facts, trail) {
            Outcome::Decided(verdict) if verdict.action == Decision::Allow => Ok(verdict),
            Outcome::Decided(verdict) => Err(Denied::by(phase, verdict)),
            Outcome::Undetermined => {
                // Cannot happen while the callers set every fact; if it does, the gate stays shut.
                tracing::error!(%phase, "a rule was left undetermined: denied");
                trail.note(PhaseDecision {
                    phase,
                    action: Decision::Deny,
                    rule: None,
                });
                Err(Denied {
                    phase,
                    by: DeniedBy::Default,
                })
            }
        }
    }
}

/// The rules said no; the [`Trail`] says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) phase: Phase,
    pub(crate) by: DeniedBy,
}

/// What in a phase has denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeniedBy {
    Rule,
    /// No rule decided: the default action did.
    Default,
}

impl Denied {
    fn by(phase: Phase, verdict: Verdict) -> Self {
        let by = match verdict.rule {
            Some(_) => DeniedBy::Rule,
            None => DeniedBy::Default,
        };
        Self { phase, by }
    }
}

/// PreDNS let the transaction in: its name may be resolved.
#[derive(Debug)]
pub(crate) struct Admitted(());

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
    trail: &mut Trail,
) -> Result<Admitted, Denied> {
    rules
        .decide(Phase::PreDns, facts, trail)
        .map(|_| Admitted(()))
}

/// Runs PostRESPONSE.
pub(crate) fn post_response(
    rules: &Rules,
    facts: &Facts<'_>,
    trail: &mut Trail,
) -> Result<Released, Denied> {
    rules
        .decide(Phase::PostResponse, facts, trail)
        .map(|_| Released(()))
}

impl Admitted {
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
        trail: &mut Trail,
    ) -> Result<Early, Denied> {
        let phase = Phase::PreRequest;
        let (mut allowed, mut denied, mut open) = (AddressList::empty(), None, false);
        for address in self.judged(rules) {
            match rules.evaluate(phase, &at(facts, *address), trail) {
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
        (outbound, facts): (Outbound<'a>, &Facts<'_>),
        trail: &mut Trail,
    ) -> Result<(Dialable, Permitted<'a>), Denied> {
        if !outbound.is_of(facts) {
            // Cannot happen while both are made of one request; if it does, the gate stays shut.
            tracing::error!("the facts of another request were to be judged: denied");
            return Err(Denied {
                phase: Phase::PreRequest,
                by: DeniedBy::Default,
            });
        }
        let dialable = self.judge(rules, facts, trail)?;
        Ok((dialable, Permitted(outbound)))
    }

    /// Runs PreREQUEST over the facts of a tunnel (`facts.destination_ip` is set here).
    pub(crate) fn pre_request_of_tunnel(
        &self,
        rules: &Rules,
        facts: &Facts<'_>,
        trail: &mut Trail,
    ) -> Result<(Dialable, Passable), Denied> {
        let dialable = self.judge(rules, facts, trail)?;
        Ok((dialable, Passable(())))
    }

    /// Of several addresses those stay that are allowed by the same rule as the first allowed one,
    /// so that the verdict in the log is true of whichever is connected to.
    fn judge(
        &self,
        rules: &Rules,
        facts: &Facts<'_>,
        trail: &mut Trail,
    ) -> Result<Dialable, Denied> {
        let mut first: Option<(IpAddr, Verdict)> = None;
        let mut kept = AddressList::empty();
        let mut denied = Denied {
            phase: Phase::PreRequest,
            by: DeniedBy::Default,
        };
        let judged = self.judged(rules);
        for address in judged {
            let verdict = rules.decide(Phase::PreRequest, &at(facts, *address), trail);
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
            // The trail holds the last address judged: make it the deciding one's.
            rules.decide(Phase::PreRequest, &at(facts, address), trail)?;
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
        trail: &mut Trail,
    ) -> Result<Passable, Denied> {
        rules
            .decide(Phase::PreRequest, &at(facts, connected), trail)
            .map(|_| Passable(()))
    }
}

fn at<'a>(facts: &Facts<'a>, address: IpAddr) -> Facts<'a> {
    Facts {
        destination_ip: Fact::Known(address),
        ..*facts
    }
}

#[cfg(test)]
mod tests;
