//! A plan as it is written: a TOML file, or a command line in the same shape (`cli::RunArgs` fills
//! it). Only shapes; `check` judges whether it makes sense. `docs/loadgen.md` lists every key.

use std::path::PathBuf;

use serde::Deserialize;

use super::arrival::Spacing;
use super::period::{Octets, Period};
use crate::net::affinity::CpuList;

/// What is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scenario {
    /// Requests and responses.
    #[default]
    Requests,
    /// The same, but octets are what counts: they are counted as they pass, and what is under way
    /// at the end is cut off.
    Bulk,
    /// Connections are set up (with tunnel and TLS, if there are any) and closed again.
    Handshakes,
    /// Connections are set up and held open, idle, to the end.
    Hold,
}

/// How http URLs go through a proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// Absolute-form for http URLs, a CONNECT tunnel for https ones.
    #[default]
    Auto,
    /// A CONNECT tunnel for http URLs too.
    Connect,
}

/// Version of HTTP that is spoken to the origin (or what intercepts the way to it).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
pub(crate) enum HttpVersion {
    /// HTTP/1.1
    #[default]
    #[serde(rename = "1.1")]
    #[value(name = "1.1")]
    One,
    /// HTTP/2 over TLS, agreed by ALPN.
    #[serde(rename = "2")]
    #[value(name = "2")]
    Two,
}

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PlanFile {
    pub(crate) name: Option<String>,
    pub(crate) scenario: Scenario,
    pub(crate) proxy: Option<String>,
    pub(crate) form: Form,
    pub(crate) http: HttpVersion,
    /// Requests at a time on an HTTP/2 connection.
    pub(crate) streams: Option<u32>,
    pub(crate) connections: Option<u32>,
    pub(crate) threads: Option<u16>,
    pub(crate) pin: Option<CpuList>,
    pub(crate) duration: Option<Period>,
    pub(crate) warmup: Option<Period>,
    pub(crate) requests: Option<u64>,
    pub(crate) timeout: Option<Period>,
    pub(crate) seed: Option<u64>,
    /// Share of requests that get a connection of their own.
    pub(crate) new_connections: Option<f64>,
    /// Requests a connection carries before it is closed.
    pub(crate) keep_alive: Option<u64>,
    /// Rest between an answer and the next request of a closed loop.
    pub(crate) think_time: Option<Period>,
    pub(crate) think: Think,
    /// Local addresses, of clients that name none.
    pub(crate) sources: Vec<std::net::IpAddr>,
    /// `HOST:PORT:ADDR`
    pub(crate) resolve: Vec<String>,
    pub(crate) pids: Vec<i32>,
    pub(crate) arrivals: ArrivalsFile,
    pub(crate) hosts: HostsFile,
    pub(crate) tls: TlsFile,
    pub(crate) proxy_protocol: Option<ProxyProtocolFile>,
    pub(crate) defaults: RequestFile,
    pub(crate) request: Vec<RequestFile>,
    pub(crate) client: Vec<ClientFile>,
}

/// How think times are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Think {
    #[default]
    Constant,
    Exponential,
}

/// `[arrivals]`: an open loop. At most one of `rate`, `steps`, `recorded`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ArrivalsFile {
    pub(crate) rate: Option<f64>,
    pub(crate) steps: Vec<StepFile>,
    /// A file of moments, seconds after the start, one a line.
    pub(crate) recorded: Option<PathBuf>,
    pub(crate) spacing: Spacing,
}

/// One of `arrivals.steps`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepFile {
    pub(crate) rate: f64,
    pub(crate) duration: Period,
}

/// `[hosts]`: what `{host}` in a URL stands for.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HostsFile {
    pub(crate) names: Vec<String>,
    /// A name with `{n}` for a number from 1 to `count`.
    pub(crate) pattern: Option<String>,
    pub(crate) count: Option<usize>,
    /// Exponent of the Zipf distribution of popularity; all equal without.
    pub(crate) zipf: Option<f64>,
}

/// `[tls]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TlsFile {
    pub(crate) ca: Option<PathBuf>,
    pub(crate) insecure: bool,
    pub(crate) resumption: Option<bool>,
}

/// `proxy_protocol`: a version 2 header before all else.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProxyProtocolFile {
    /// Made-up clients: each connection takes an address of this range by chance.
    pub(crate) clients: Option<ipnet::IpNet>,
    /// VPC endpoint ids, taken in turn.
    pub(crate) vpce: Vec<String>,
}

/// `[[request]]`, and `[defaults]` for all of them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RequestFile {
    pub(crate) url: Option<String>,
    pub(crate) weight: Option<f64>,
    pub(crate) method: Option<String>,
    pub(crate) headers: Option<Vec<String>>,
    pub(crate) body_bytes: Option<Octets>,
    /// Instead of `body_bytes`: what is sent.
    pub(crate) body_file: Option<PathBuf>,
    pub(crate) expect_status: Option<u16>,
    pub(crate) expect_bytes: Option<Octets>,
    /// CRC-32C of the body, eight hexadecimal digits.
    pub(crate) expect_crc32c: Option<String>,
    pub(crate) check_body: Option<bool>,
}

/// `[[client]]`: who asks.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClientFile {
    pub(crate) name: Option<String>,
    /// Share of the connections.
    pub(crate) weight: Option<f64>,
    /// On each request.
    pub(crate) headers: Vec<String>,
    /// On what the proxy itself reads: CONNECT, absolute-form requests.
    pub(crate) proxy_headers: Vec<String>,
    pub(crate) sources: Vec<std::net::IpAddr>,
    pub(crate) proxy_protocol: Option<ProxyProtocolFile>,
    pub(crate) slow: Option<SlowFile>,
}

/// `slow`: so many octets at a time, sent and read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlowFile {
    pub(crate) bytes: Octets,
    pub(crate) every: Period,
}
