//! A request as people describe it: on the command line of `explain`, in the cases of `test`.
//! What it means is `request.rs`.

use std::net::IpAddr;

use clap::Args;
use sallyport_ruleset::Phase;
use serde::Deserialize;

/// What is said of a request. What is not said is unknown, but for what ordinary clients do not have
/// (`request.rs`).
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestArgs {
    /// The URL asked for: http, https, ws or wss
    #[arg(long, required_unless_present = "phase")]
    pub url: Option<String>,
    /// The client's address
    #[arg(long, value_name = "IP")]
    pub from: Option<IpAddr>,
    /// The client's port
    #[arg(long, value_name = "PORT")]
    pub from_port: Option<u16>,
    /// The endpoint that the client comes through
    #[arg(long, value_name = "ID")]
    pub vpce: Option<String>,
    /// The client's VPC
    #[arg(long, value_name = "ID")]
    pub vpc: Option<String>,
    /// The client's account
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// A label of the client; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub label: Vec<String>,
    /// The authenticated user
    #[arg(long, value_name = "NAME")]
    pub principal: Option<String>,
    /// The time, instead of now: ISO 8601 with an offset, a day, or seconds since 1970
    #[arg(long)]
    pub time: Option<String>,
    /// The address that the name resolves to
    #[arg(long, value_name = "IP")]
    pub dst_ip: Option<IpAddr>,
    /// The request's method [default: GET]
    #[arg(long)]
    pub method: Option<String>,
    /// A request header; may be given several times
    #[arg(long, value_name = "'NAME: VALUE'")]
    pub header: Vec<String>,
    /// Decrypt TLS: the request in an https URL is seen
    #[arg(long)]
    pub intercept: bool,
    /// The name in the ClientHello [default: the URL's host]
    #[arg(long, value_name = "NAME")]
    pub sni: Option<String>,
    /// The response's status code
    #[arg(long, value_name = "CODE")]
    pub status: Option<u16>,
    /// A response header; may be given several times
    #[arg(long, value_name = "'NAME: VALUE'", requires = "status")]
    pub response_header: Vec<String>,
    /// A fact by its key, as it is (`\\xNN` stands for a byte); may be given several times, for several values of one key too
    #[arg(long, value_name = "KEY=VALUE")]
    pub fact: Vec<String>,
    /// What is absent: a key, or the name of the option that would give it; may be given several times
    #[arg(long, value_name = "KEY")]
    pub absent: Vec<String>,
    /// What is unknown, although the URL or the habits of ordinary clients would say it
    #[arg(long, value_name = "KEY")]
    pub unknown: Vec<String>,
    /// Ask this phase alone; no URL is needed then, and what is not given is unknown
    #[arg(long, value_enum, value_name = "PHASE")]
    pub phase: Option<PhaseName>,
}

/// A phase, as an option has it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// Before the name is resolved
    #[value(name = "pre_dns", alias = "PreDNS")]
    PreDns,
    /// Before anything is sent
    #[value(name = "pre_request", alias = "PreREQUEST")]
    PreRequest,
    /// Before the response is let through
    #[value(name = "post_response", alias = "PostRESPONSE")]
    PostResponse,
}

impl From<PhaseName> for Phase {
    fn from(name: PhaseName) -> Self {
        match name {
            PhaseName::PreDns => Self::PreDns,
            PhaseName::PreRequest => Self::PreRequest,
            PhaseName::PostResponse => Self::PostResponse,
        }
    }
}

/// The word of an option for a phase.
pub(super) const fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::PreDns => "pre_dns",
        Phase::PreRequest => "pre_request",
        Phase::PostResponse => "post_response",
    }
}

impl RequestArgs {
    /// The method, given or not.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("GET")
    }

    /// The URL; empty if there is none.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_deref().unwrap_or_default()
    }

    /// The same, with what it does not say taken from `defaults`.
    #[must_use]
    pub fn or(self, defaults: &Self) -> Self {
        let defaults = defaults.clone();
        let list = |own: Vec<String>, other: Vec<String>| if own.is_empty() { other } else { own };
        Self {
            url: self.url.or(defaults.url),
            from: self.from.or(defaults.from),
            from_port: self.from_port.or(defaults.from_port),
            vpce: self.vpce.or(defaults.vpce),
            vpc: self.vpc.or(defaults.vpc),
            account: self.account.or(defaults.account),
            label: list(self.label, defaults.label),
            principal: self.principal.or(defaults.principal),
            time: self.time.or(defaults.time),
            dst_ip: self.dst_ip.or(defaults.dst_ip),
            method: self.method.or(defaults.method),
            header: list(self.header, defaults.header),
            intercept: self.intercept || defaults.intercept,
            sni: self.sni.or(defaults.sni),
            status: self.status.or(defaults.status),
            response_header: list(self.response_header, defaults.response_header),
            fact: list(self.fact, defaults.fact),
            absent: list(self.absent, defaults.absent),
            unknown: list(self.unknown, defaults.unknown),
            phase: self.phase.or(defaults.phase),
        }
    }
}
