//! Whether a tunnel that is open may go on. What let it in (PreDNS, the guard, what is done with its TLS,
//! fronting, PreREQUEST as far as it is about the tunnel) is asked again under each new snapshot: before
//! the next request inside, and while bytes flow or nothing happens (`reload.tunnels`).
//!
//! A tunnel is judged at most once for each snapshot. One that may not go on stays ended, whatever the
//! next snapshot says: its client has been told.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;

use sallyport_ruleset::normalize::normalize_domain;
use sallyport_ruleset::{Fact, Facts, Protocol};
use sallyport_wire::http1::{Authority, Host};

use crate::config::checked::{Fronting, ReloadTunnels, TlsVersion, TunnelEnds, UnknownProtocol};
use crate::destination::AddressList;
use crate::enforcement::{Decisions, Guarded};
use crate::identity::Subject;
use crate::proxy_error::ProxyError;
use crate::shard::Snapshot;
use crate::shard::tunnels::Watch;
use crate::tls::configs::{Handling, OriginParameters};
use crate::transaction::phases;
use crate::transaction::request::addresses::Addresses;
use crate::transaction::request::admission::Admission;
use crate::transaction::request::arrival::unix_seconds;
use crate::transaction::request::context::{Enclosing, Request};
use crate::transaction::request::destination::{Destination, NormalHost};
use crate::transaction::request::grounds::{Over, Standing};
use crate::transaction::request::progress::{Counted, LongStep};
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::Refusal;
use crate::transaction::request::target;
use crate::transaction::tunnel::client_hello::check_ech;
use crate::transaction::tunnel::held::{Hello, Holds, facts_of_tunnel, without_tls};
use crate::transaction::tunnel::opened;
use crate::upstream::tls::Origin;

/// A tunnel that is open.
pub(crate) struct OpenTunnel<'a> {
    /// The request that it began with.
    request: &'a Request<'a>,
    destination: &'a Destination<'a>,
    holds: Holds<'a>,
    /// Where it may lead, or where it is connected to.
    addresses: AddressList,
    watch: Watch,
    state: RefCell<Result<Rc<Standing>, Rc<Over>>>,
}

impl fmt::Debug for OpenTunnel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenTunnel")
            .field("destination", &self.destination.host)
            .field("holds", &self.holds)
            .finish_non_exhaustive()
    }
}

impl<'a> OpenTunnel<'a> {
    /// A tunnel with requests inside, let in under the snapshot of `request`.
    pub(crate) fn of_requests(
        request: &'a Request<'a>,
        destination: &'a Destination<'a>,
        holds: Holds<'a>,
        (guarded, origin): (Guarded, Option<Origin>),
    ) -> Self {
        let standing = Standing {
            snapshot: Rc::clone(request.snapshot),
            guarded: Some(guarded.clone()),
            origin,
            admission: None,
        };
        Self {
            addresses: guarded.list(),
            state: RefCell::new(Ok(Rc::new(standing))),
            ..Self::of_bytes(request, destination, holds, None)
        }
    }

    /// A tunnel to a connection that is up, let in under the snapshot of `request`.
    pub(crate) fn of_bytes(
        request: &'a Request<'a>,
        destination: &'a Destination<'a>,
        holds: Holds<'a>,
        connected: impl Into<Option<IpAddr>>,
    ) -> Self {
        let standing = Standing {
            snapshot: Rc::clone(request.snapshot),
            guarded: None,
            origin: None,
            admission: None,
        };
        let connected: Option<IpAddr> = connected.into();
        Self {
            request,
            destination,
            holds,
            addresses: connected.map_or_else(AddressList::empty, AddressList::one),
            watch: request.proxy.shard.tunnels.watch(),
            state: RefCell::new(Ok(Rc::new(standing))),
        }
    }

    /// Notes what the CONNECT was let in by.
    pub(crate) fn let_in_by(self, decisions: &Decisions) -> Self {
        if let Ok(standing) = &mut *self.state.borrow_mut()
            && let Some(standing) = Rc::get_mut(standing)
        {
            standing.admission = Admission::of(&standing.snapshot, decisions);
        }
        self
    }

    /// The life of the tunnel, as the log tells it.
    pub(crate) fn long_step(&self, counted: Option<Counted<'a>>) -> LongStep<'a> {
        LongStep {
            request: self.request,
            destination: self.destination,
            counted,
        }
    }

    /// Who has opened it.
    pub(crate) fn subject(&self) -> &Rc<Subject> {
        self.request.subject
    }

    /// What it stands on under the snapshot that is current.
    pub(crate) fn stands(&self) -> Result<Rc<Standing>, Rc<Over>> {
        let state = self.state.borrow().clone();
        match state {
            Ok(standing) if !self.request.proxy.shard.is_current(&standing.snapshot) => {
                let state = self.judge(&standing);
                *self.state.borrow_mut() = state.clone();
                state
            }
            state => state,
        }
    }

    /// The same for a task that is to be woken when that changes.
    pub(crate) fn look(&self, context: &Context<'_>) -> bool {
        self.watch.set(context);
        self.is_standing()
    }

    /// Awaits `waiting`; `end` is called when the tunnel may not go on, and has to bring it to its end.
    pub(crate) async fn unless_over<T>(
        &self,
        waiting: impl Future<Output = T>,
        end: impl Fn(),
    ) -> T {
        let mut waiting = pin!(waiting);
        let mut ended = false;
        poll_fn(|context| {
            if !ended && !self.look(context) {
                ended = true;
                end();
            }
            waiting.as_mut().poll(context)
        })
        .await
    }

    /// Has the log say why the tunnel was ended, if it was.
    pub(crate) fn conclude(&self, draft: &mut RecordBuilder) {
        if let Err(over) = &*self.state.borrow() {
            over.refuse(draft);
        }
    }

    fn judge(&self, before: &Standing) -> Result<Rc<Standing>, Rc<Over>> {
        let snapshot = self.request.proxy.shard.snapshot();
        let is_left = snapshot.config.reload.tunnels == ReloadTunnels::Leave;
        // Renewed files change nothing else.
        let client = self.request.client;
        let renewed = client.renewed(self.request.subject, &snapshot, unix_seconds());
        if is_left || renewed.is_ok() && snapshot.says_the_same(&before.snapshot) {
            return Ok(Rc::new(Standing {
                snapshot,
                guarded: before.guarded.clone(),
                origin: before.origin.clone(),
                admission: before.admission.clone(),
            }));
        }
        let mut decisions = Decisions::default();
        let judged = renewed
            .and_then(|subject| self.judge_under((&snapshot, &subject), before, &mut decisions));
        match judged {
            Ok((guarded, origin)) => Ok(Rc::new(Standing {
                admission: Admission::of(&snapshot, &decisions),
                snapshot,
                guarded: Some(guarded),
                origin,
            })),
            Err(refusal) => {
                let detail = format!("{}: the tunnel ends after a reload", refusal.detail);
                Err(Rc::new(Over {
                    snapshot,
                    decisions,
                    refusal: Refusal {
                        detail: detail.into(),
                        closes: true,
                        ..refusal
                    },
                }))
            }
        }
    }

    fn judge_under(
        &self,
        (snapshot, subject): (&Rc<Snapshot>, &Rc<Subject>),
        before: &Standing,
        decisions: &mut Decisions,
    ) -> Result<(Guarded, Option<Origin>), Refusal> {
        let request = Request {
            snapshot,
            subject,
            unix_time: unix_seconds(),
            ..*self.request
        };
        // No CONNECT began it: the request that switched protocols is judged again.
        if let Holds::Switched(inside) = self.holds {
            let guarded = self.judge_switched(&request, inside, decisions)?;
            return Ok((guarded, None));
        }
        opened::check_port(&snapshot.config, self.destination.port)?;
        let guarded = self.admit(&request, self.addresses, decisions)?;
        let parameters = self.handle(&request, &guarded)?;
        self.judge_content(&request, &guarded, decisions)?;
        let origin = before.origin.as_ref().zip(parameters);
        let origin = origin.map(|(origin, parameters)| Origin {
            parameters,
            ..origin.clone()
        });
        Ok((guarded, origin))
    }

    /// PreDNS and the guard.
    fn admit(
        &self,
        request: &Request<'_>,
        addresses: AddressList,
        decisions: &mut Decisions,
    ) -> Result<Guarded, Refusal> {
        let admitted = phases::pre_dns_again(request, self.destination, decisions)?;
        let resolved = Addresses {
            list: addresses,
            expires: None,
        };
        let guarded = phases::guard(request, &admitted, resolved, self.destination.port);
        guarded.map_err(|(_, why)| Refusal::prohibited(request.head, why))
    }

    /// Whether with TLS the same is to be done as was; how to speak to the origin if it ends here.
    fn handle(
        &self,
        request: &Request<'_>,
        guarded: &Guarded,
    ) -> Result<Option<Arc<OriginParameters>>, Refusal> {
        let changed = |what| Refusal::with_status(503, ProxyError::ConnectionTerminated, what);
        let config = &request.snapshot.config;
        match self.holds {
            Holds::Intercepted(hello) => {
                let ends = TunnelEnds {
                    domain: self.destination.host.domain(),
                    destination: None,
                    port: self.destination.port,
                    client: request.client.address.ip(),
                };
                let is_old = hello.notes.version == Some("TLSv1.2");
                if is_old && config.tls.version_min == TlsVersion::V13 {
                    return Err(changed("TLS 1.2 is spoken no longer (tls.version_min)"));
                }
                let tls = &request.snapshot.tls;
                match tls.handling(config, &ends, guarded.addresses()) {
                    Handling::Intercept(parameters) => Ok(Some(parameters)),
                    Handling::Passthrough => Err(changed(
                        "TLS to this host is passed through now (tls.mode, tls.scope)",
                    )),
                }
            }
            Holds::PassedTls(_) => match opened::handling(request, self.destination, guarded).0 {
                Handling::Passthrough => Ok(None),
                Handling::Intercept(_) => Err(changed(
                    "TLS to this host is intercepted now (tls.mode, tls.scope)",
                )),
            },
            Holds::Http | Holds::Other | Holds::Switched(_) => Ok(None),
        }
    }

    /// Fronting and PreREQUEST, by what is in the tunnel.
    fn judge_content(
        &self,
        request: &Request<'_>,
        guarded: &Guarded,
        decisions: &mut Decisions,
    ) -> Result<(), Refusal> {
        let config = &request.snapshot.config;
        let facts = request.pre_dns_facts(self.destination);
        let tunnel = |what| facts_of_tunnel(facts, what);
        match self.holds {
            Holds::Http => {
                self.check_hosts(request)?;
                let facts = without_tls(Facts {
                    protocol: Fact::Unknown,
                    ..facts
                });
                phases::early(request, guarded, &facts, decisions)?;
            }
            Holds::Intercepted(hello) => {
                self.check_hosts(request)?;
                self.check_fronting(request, hello, decisions)?;
                let facts = Facts {
                    protocol: Fact::Unknown,
                    ..facts
                };
                phases::early(request, guarded, &hello.facts(facts), decisions)?;
            }
            Holds::PassedTls(hello) => {
                check_ech(request, hello.notes.has_ech)?;
                self.check_fronting(request, hello, decisions)?;
                let facts = hello.facts(tunnel(Protocol::Https));
                phases::pre_request_of_tunnel(request, guarded, &facts, decisions)?;
            }
            Holds::Other => {
                if config.tunnel.unknown_protocol == UnknownProtocol::Deny {
                    return Err(Refusal::new(
                        ProxyError::HttpRequestDenied,
                        "the tunnel holds neither TLS nor HTTP (tunnel.unknown_protocol)",
                    ));
                }
                let facts = without_tls(tunnel(Protocol::Tcp));
                phases::pre_request_of_tunnel(request, guarded, &facts, decisions)?;
            }
            Holds::Switched(_) => {}
        }
        Ok(())
    }

    /// Requests inside go to the addresses that the tunnel began with: other ones need another tunnel.
    fn check_hosts(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let of = |snapshot: &Snapshot| {
            let name = self.destination.host.domain()?;
            snapshot.config.hosts.get(name).cloned()
        };
        if of(request.snapshot) == of(self.request.snapshot) {
            return Ok(());
        }
        let what = "`hosts` gives other addresses to this host now";
        Err(Refusal::with_status(
            503,
            ProxyError::ConnectionTerminated,
            what,
        ))
    }

    /// The name that the client has said in TLS.
    fn check_fronting(
        &self,
        request: &Request<'_>,
        hello: Hello<'_>,
        decisions: &mut Decisions,
    ) -> Result<(), Refusal> {
        let sni = hello.notes.sni.as_deref();
        let sni = sni.and_then(|sni| str::from_utf8(sni).ok());
        let mut scratch = String::new();
        let sni = sni.and_then(|sni| normalize_domain(sni, &mut scratch).ok());
        // An address in its place names nobody.
        let sni = sni.filter(|sni| {
            let host = Authority::parse(sni.as_bytes()).map(|authority| authority.host);
            matches!(host, Ok(Host::Domain(_)))
        });
        match sni {
            Some(sni) => {
                let named = NormalHost::Domain(sni);
                check_named(request, self.destination, named, decisions)
            }
            None => Ok(()),
        }
    }

    /// What has been switched to goes on as long as its request would be sent.
    fn judge_switched(
        &self,
        request: &Request<'_>,
        inside: Option<&dyn Enclosing>,
        decisions: &mut Decisions,
    ) -> Result<Guarded, Refusal> {
        let destination = self.destination;
        let guarded = match inside {
            None => {
                target::check_http_port(&request.snapshot.config, destination.port)?;
                self.admit(request, self.addresses, decisions)?
            }
            Some(tunnel) => tunnel.admit_inside(request, destination, self.addresses, decisions)?,
        };
        phases::pre_request_again(request, destination, &guarded, decisions)?;
        Ok(guarded)
    }
}

impl Enclosing for OpenTunnel<'_> {
    fn is_standing(&self) -> bool {
        // Under one snapshot it was judged before: there is nothing to be taken along.
        if let Ok(standing) = &*self.state.borrow()
            && self.request.proxy.shard.is_current(&standing.snapshot)
        {
            return true;
        }
        self.stands().is_ok()
    }

    fn admit_inside(
        &self,
        request: &Request<'_>,
        destination: &Destination<'_>,
        addresses: AddressList,
        decisions: &mut Decisions,
    ) -> Result<Guarded, Refusal> {
        if let Err(over) = self.stands() {
            *decisions = over.decisions.clone();
            return Err(over.refusal.clone());
        }
        check_named(request, self.destination, destination.host, decisions)?;
        self.admit(request, addresses, decisions)
    }
}

/// A name inside a tunnel that need not be the tunnel's.
fn check_named(
    request: &Request<'_>,
    tunnel: &Destination<'_>,
    named: NormalHost<'_>,
    decisions: &mut Decisions,
) -> Result<(), Refusal> {
    if named.names_same(&tunnel.host) {
        return Ok(());
    }
    match request.snapshot.config.tunnel.fronting {
        Fronting::Deny => Err(Refusal::new(
            ProxyError::HttpRequestDenied,
            "another host is named inside than in the CONNECT (tunnel.fronting)",
        )),
        Fronting::Alert => Ok(()),
        Fronting::Allow => {
            let fronted = Destination {
                host: named,
                ..*tunnel
            };
            phases::pre_dns_again(request, &fronted, decisions)?;
            Ok(())
        }
    }
}
