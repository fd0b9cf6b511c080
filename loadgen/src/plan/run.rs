//! The whole plan, checked: what workers follow and never change.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::arrival::ArrivalPlan;
use super::check::{Checker, Life};
use super::client::{Client, clients};
use super::defaults::SEED_DEFAULT;
use super::file::{Form, HttpVersion, PlanFile, Scenario, Think};
use super::mix::{self, Route, Way};
use super::problem::{Place, PlanErrors, Problem};
use super::random::{Chooser, deal};
use super::resolve::Overrides;
use super::stop::Stop;
use super::url::{Scheme, Url};
use crate::error::LoadError;
use crate::net::affinity::CpuList;
use crate::worker::tls;

/// What workers follow.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: Option<String>,
    pub(crate) scenario: Scenario,
    pub(crate) http: HttpVersion,
    /// Requests at a time on one connection; 1 for HTTP/1.1.
    pub(crate) streams: usize,
    /// At least one.
    pub(crate) routes: Vec<Route>,
    pub(crate) route_chooser: Chooser,
    /// Route of each connection's first life.
    pub(crate) first_routes: Vec<usize>,
    pub(crate) clients: Vec<Client>,
    /// Client of each connection.
    pub(crate) client_deal: Vec<usize>,
    /// Set if a route needs it.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    pub(crate) pin: Option<CpuList>,
    /// An open loop; a closed loop without.
    pub(crate) arrivals: Option<ArrivalPlan>,
    pub(crate) life: Life,
    pub(crate) think: Option<(Duration, Think)>,
    pub(crate) stop: Stop,
    pub(crate) seed: u64,
    pub(crate) pids: Vec<i32>,
    /// As given, for the report.
    pub(crate) urls: Vec<String>,
    pub(crate) proxy: Option<String>,
}

impl Plan {
    /// Checks what is written, reads certificates, resolves names.
    ///
    /// # Errors
    /// All that is wrong, each with its place.
    pub(crate) fn new(file: &PlanFile, place: &Place) -> Result<Self, LoadError> {
        let mut checker = Checker::new(file);
        let (connections, threads, streams) = checker.counts();
        let arrivals = checker.arrivals();
        let stop = checker.stop(arrivals.as_ref());
        let life = checker.life(streams);
        let templates = checker.templates();
        checker.combinations(&templates);
        checker.machine();
        let mut problems = checker.problems;
        let clients = clients(file, &mut problems);
        let (overrides, wrong) = Overrides::parse(&file.resolve);
        let wrong = wrong.into_iter();
        problems
            .extend(wrong.map(|(index, message)| Problem::of(format!("resolve.{index}"), message)));
        let is_https = templates.iter().any(|t| t.url.scheme == Scheme::Https);
        let tls = tls(file, is_https, &mut problems);
        let way = Way {
            proxy: proxy_address(file, &overrides, &mut problems),
            always_tunnel: file.form == Form::Connect,
        };
        let (routes, unrouted) = mix::routes(&templates, way, |url| overrides.address(url));
        problems.extend(unrouted);
        let route_weights: Vec<f64> = routes.iter().map(|route| route.weight).collect();
        let first_routes = deal(&route_weights, connections);
        if problems.is_empty() {
            problems.extend(all_served(&first_routes, routes.len(), life));
        }
        refuse(place, problems)?;
        let client_weights: Vec<f64> = clients.iter().map(|client| client.weight).collect();
        Ok(Self {
            name: file.name.clone(),
            scenario: file.scenario,
            http: file.http,
            streams,
            route_chooser: Chooser::new(&route_weights),
            first_routes,
            client_deal: deal(&client_weights, connections),
            clients,
            tls,
            routes,
            connections,
            threads,
            pin: file.pin.clone(),
            arrivals,
            life,
            think: file.think_time.map(|period| (period.0, file.think)),
            stop,
            seed: file.seed.unwrap_or(SEED_DEFAULT),
            pids: file.pids.clone(),
            urls: file
                .request
                .iter()
                .filter_map(|request| request.url.clone())
                .collect(),
            proxy: file.proxy.clone(),
        })
    }

    /// Whether connections are set up and nothing is sent over them.
    pub(crate) fn is_setup_only(&self) -> bool {
        matches!(self.scenario, Scenario::Handshakes | Scenario::Hold)
    }
}

/// What is wrong, if anything is: what the file does not hold is told before what follows from it.
fn refuse(place: &Place, found: Vec<Problem>) -> Result<(), LoadError> {
    let mut problems = place.known.clone();
    for problem in found {
        let is_told = |other: &Problem| problem == *other;
        let follows = |known: &Problem| problem.follows_from(known);
        if !problems.iter().any(is_told) && !place.known.iter().any(follows) {
            problems.push(problem);
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(LoadError::Plan(PlanErrors::new(place, problems)))
    }
}

/// What the connections of https URLs share.
fn tls(file: &PlanFile, is_https: bool, problems: &mut Vec<Problem>) -> Option<Arc<ClientConfig>> {
    if is_https && file.tls.ca.is_none() && !file.tls.insecure {
        let message = "https needs certificate authorities, or --insecure";
        problems.push(Problem::of("tls.ca", message));
        return None;
    }
    // A file that is named is looked at, whatever the URLs are.
    if !is_https && file.tls.ca.is_none() {
        return None;
    }
    match tls::client_config(&file.tls, file.http) {
        Ok(config) => Some(config).filter(|_| is_https),
        Err(error) => {
            problems.push(Problem::of("tls.ca", error.to_string()));
            None
        }
    }
}

/// Where the proxy is, if there is one. `HOST:PORT` alone is an http proxy, as for curl.
fn proxy_address(
    file: &PlanFile,
    overrides: &Overrides,
    problems: &mut Vec<Problem>,
) -> Option<SocketAddr> {
    let Some(text) = file.proxy.as_deref() else {
        if file.form == Form::Connect {
            problems.push(Problem::of("form", "a tunnel needs a proxy"));
        }
        return None;
    };
    let scheme = if text.contains("://") { "" } else { "http://" };
    let problem = match Url::parse(&format!("{scheme}{text}")) {
        Ok(url) if url.scheme == Scheme::Http => match overrides.address(&url) {
            Ok(address) => return Some(address),
            Err(error) => Problem::of("proxy", error),
        },
        Ok(_) => Problem::of("proxy", "only http proxies are spoken to"),
        Err(error) => Problem::of("proxy", error),
    };
    problems.push(problem);
    None
}

/// Connections that live for ever keep their route: each route needs one.
fn all_served(first_routes: &[usize], routes_count: usize, life: Life) -> Option<Problem> {
    let mut served = vec![false; routes_count];
    for &route in first_routes {
        if let Some(served) = served.get_mut(route) {
            *served = true;
        }
    }
    let without = served.iter().filter(|served| !**served).count();
    if without == 0 || life.is_finite() {
        return None;
    }
    let message = format!(
        "{without} of {routes_count} origins would get no connection: more connections, or \
         keep_alive or new_connections, so that connections move on"
    );
    Some(Problem::of("connections", message))
}
