//! The whole plan of `sallyport-load run`, checked.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::mix::{self, Route, Template};
use super::stop::Stop;
use super::url::{Scheme, Url};
use crate::cli::RunArgs;
use crate::error::LoadError;
use crate::worker::tls;

/// Length of the window when nothing else ends it.
const DURATION_DEFAULT: Duration = Duration::from_secs(10);

/// What workers follow.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Connection `i` of the run takes route `i` modulo their number; at least one.
    pub(crate) routes: Vec<Route>,
    /// Set if a route needs it.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    /// Requests a second of an open loop; a closed loop without.
    pub(crate) rate: Option<f64>,
    pub(crate) new_connections: bool,
    /// Local addresses, taken in turn; the system's choice if empty.
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) stop: Stop,
}

impl Plan {
    /// Checks the command line, reads certificates, resolves names.
    pub(crate) fn from_args(args: &RunArgs) -> Result<Self, LoadError> {
        let urls = args
            .url
            .iter()
            .map(|text| Url::parse(text))
            .collect::<Result<Vec<_>, _>>()?;
        let overrides = Overrides::parse(&args.resolve)?;
        let proxy = match &args.proxy {
            None => None,
            Some(text) => Some(overrides.address(&proxy_url(text)?)?),
        };
        let template = Template {
            method: &args.method,
            headers: &args.header,
            body_bytes: args.body_bytes as usize,
            always_tunnel: args.connect,
            new_connections: args.new_connections,
            expect_status: args.expect_status,
            expect_bytes: args.expect_bytes,
            check_bodies: !args.no_body_check,
        };
        let routes = mix::routes(&urls, proxy, &template, |url| overrides.address(url))?;
        let tls = match routes.iter().any(|route| route.tls.is_some()) {
            true => Some(tls::client_config(args)?),
            false => None,
        };
        let (connections, threads) = (args.connections as usize, usize::from(args.threads));
        if connections < threads || connections < routes.len() {
            return Err(LoadError::Usage(format!(
                "--connections {connections}: fewer than threads ({threads}) or routes ({})",
                routes.len()
            )));
        }
        if args.rate.is_some_and(|rate| !(rate > 0.0 && rate <= 1e8)) {
            return Err(LoadError::Usage(
                "--rate: not between 0 and 100 million".to_owned(),
            ));
        }
        let duration = args
            .duration
            .or_else(|| args.requests.is_none().then_some(DURATION_DEFAULT));
        if duration == Some(Duration::ZERO) {
            return Err(LoadError::Usage(
                "--duration: nothing to measure".to_owned(),
            ));
        }
        let stop = Stop {
            warmup: args.warmup,
            duration,
            requests: args.requests,
            timeout: args.timeout,
        };
        Ok(Self {
            routes,
            tls,
            connections,
            threads,
            rate: args.rate,
            new_connections: args.new_connections,
            sources: args.source.clone(),
            stop,
        })
    }
}

fn proxy_url(text: &str) -> Result<Url, LoadError> {
    let url = Url::parse(text)?;
    if url.scheme == Scheme::Http {
        Ok(url)
    } else {
        Err(LoadError::Url {
            url: text.to_owned(),
            reason: "only http proxies are spoken to",
        })
    }
}

/// `--resolve`: addresses that need no resolver.
struct Overrides(Vec<(String, IpAddr)>);

impl Overrides {
    fn parse(texts: &[String]) -> Result<Self, LoadError> {
        let one = |text: &String| {
            // The address may have colons of its own.
            let mut parts = text.splitn(3, ':');
            let (host, port, address) = (parts.next(), parts.next(), parts.next());
            let address = address.map(|text| text.trim_matches(['[', ']']).parse());
            match (host, port, address) {
                (Some(host), Some(port), Some(Ok(address))) => {
                    Ok((format!("{host}:{port}"), address))
                }
                _ => Err(LoadError::Usage(format!(
                    "--resolve {text}: not HOST:PORT:ADDR"
                ))),
            }
        };
        texts.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    fn address(&self, url: &Url) -> Result<SocketAddr, LoadError> {
        let authority = url.authority();
        if let Some((_, address)) = self.0.iter().find(|(known, _)| *known == authority) {
            return Ok(SocketAddr::new(*address, url.port));
        }
        let unresolved = |reason: String| LoadError::Resolve {
            host: authority.clone(),
            reason,
        };
        let mut addresses = authority
            .to_socket_addrs()
            .map_err(|error| unresolved(error.to_string()))?;
        addresses
            .next()
            .ok_or_else(|| unresolved("no address".to_owned()))
    }
}
