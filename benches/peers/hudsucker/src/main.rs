//! A proxy that intercepts, made of the hudsucker library as its examples do: one thread, an authority
//! that mints, origins that a root of the benchmark has signed.
//!
//! With `--domains` only requests to those are let through, with `--log` each leaves a line: what every
//! other peer does. Without both it is the library alone.

use std::collections::HashSet;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use hudsucker::certificate_authority::RcgenAuthority;
use hudsucker::hyper::{Method, Request, Response, StatusCode, Uri};
use hudsucker::hyper_util::client::legacy::connect::HttpConnector;
use hudsucker::rcgen::{Issuer, KeyPair};
use hudsucker::rustls::crypto::aws_lc_rs;
use hudsucker::rustls::pki_types::CertificateDer;
use hudsucker::rustls::pki_types::pem::PemObject;
use hudsucker::rustls::{ClientConfig, RootCertStore};
use hudsucker::{Body, HttpContext, HttpHandler, Proxy, RequestOrResponse};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Certificates that are kept, as in the library's examples.
const CACHED_CERTIFICATES_COUNT: u64 = 1_000;

struct Arguments {
    listen: SocketAddr,
    ca: PathBuf,
    ca_key: PathBuf,
    roots: PathBuf,
    domains: Option<PathBuf>,
    log: Option<PathBuf>,
}

impl Arguments {
    fn read() -> Outcome<Self> {
        let (mut listen, mut ca, mut ca_key, mut roots) = (None, None, None, None);
        let (mut domains, mut log) = (None, None);
        let mut words = std::env::args().skip(1);
        while let Some(flag) = words.next() {
            let value = words.next().ok_or_else(|| format!("{flag}: no value"))?;
            match flag.as_str() {
                "--listen" => listen = Some(value.parse()?),
                "--ca" => ca = Some(value.into()),
                "--ca-key" => ca_key = Some(value.into()),
                "--roots" => roots = Some(value.into()),
                "--domains" => domains = Some(value.into()),
                "--log" => log = Some(value.into()),
                _ => return Err(format!("{flag}: unknown").into()),
            }
        }
        Ok(Self {
            listen: listen.ok_or("--listen is required")?,
            ca: ca.ok_or("--ca is required")?,
            ca_key: ca_key.ok_or("--ca-key is required")?,
            roots: roots.ok_or("--roots is required")?,
            domains,
            log,
        })
    }
}

/// What is known of a request until its response is there: the library keeps a handler for each pair.
#[derive(Clone, Default)]
struct Handler {
    domains: Option<Arc<HashSet<String>>>,
    log: Option<Arc<Mutex<BufWriter<File>>>>,
    request: Option<(Method, Uri)>,
}

impl Handler {
    fn new(arguments: &Arguments) -> Outcome<Self> {
        let domains = match &arguments.domains {
            Some(path) => {
                let text = fs::read_to_string(path)?;
                Some(Arc::new(
                    text.split_whitespace().map(str::to_owned).collect(),
                ))
            }
            None => None,
        };
        let log = match &arguments.log {
            Some(path) => Some(Arc::new(Mutex::new(BufWriter::new(File::create(path)?)))),
            None => None,
        };
        Ok(Self {
            domains,
            log,
            request: None,
        })
    }

    fn is_allowed(&self, uri: &Uri) -> bool {
        self.domains
            .as_ref()
            .is_none_or(|domains| uri.host().is_some_and(|host| domains.contains(host)))
    }

    fn write(&self, context: &HttpContext, status: StatusCode) {
        let (Some(log), Some((method, uri))) = (&self.log, &self.request) else {
            return;
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let Ok(mut log) = log.lock() else { return };
        let written = writeln!(
            log,
            "{}.{:06} {} {method} {uri} {}",
            now.as_secs(),
            now.subsec_micros(),
            context.client_addr,
            status.as_u16()
        );
        if let Err(error) = written {
            eprintln!("log: {error}");
        }
    }
}

impl HttpHandler for Handler {
    async fn handle_request(
        &mut self,
        context: &HttpContext,
        request: Request<Body>,
    ) -> RequestOrResponse {
        if self.log.is_some() {
            self.request = Some((request.method().clone(), request.uri().clone()));
        }
        if self.is_allowed(request.uri()) {
            return request.into();
        }
        self.write(context, StatusCode::FORBIDDEN);
        let mut refusal = Response::new(Body::empty());
        *refusal.status_mut() = StatusCode::FORBIDDEN;
        refusal.into()
    }

    async fn handle_response(
        &mut self,
        context: &HttpContext,
        response: Response<Body>,
    ) -> Response<Body> {
        self.write(context, response.status());
        response
    }
}

fn authority(arguments: &Arguments) -> Outcome<RcgenAuthority> {
    let key = KeyPair::from_pem(&fs::read_to_string(&arguments.ca_key)?)?;
    let issuer = Issuer::from_ca_cert_pem(&fs::read_to_string(&arguments.ca)?, key)?;
    Ok(RcgenAuthority::new(
        issuer,
        CACHED_CERTIFICATES_COUNT,
        aws_lc_rs::default_provider(),
    ))
}

/// The library's own connector, but for whom it trusts.
fn connector(arguments: &Arguments) -> Outcome<HttpsConnector<HttpConnector>> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(&arguments.roots)? {
        roots.add(root?)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let builder = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http();
    Ok(builder.enable_http1().enable_http2().build())
}

fn main() -> Outcome<()> {
    let arguments = Arguments::read()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let proxy = Proxy::builder()
            .with_addr(arguments.listen)
            .with_ca(authority(&arguments)?)
            .with_http_connector(connector(&arguments)?)
            .with_http_handler(Handler::new(&arguments)?)
            .build()?;
        Ok(proxy.start().await?)
    })
}
