//! A request as people describe it: on the command line of `explain`, in the cases of `test`.
//! What it means is `request.rs`.

use std::net::IpAddr;

use clap::Args;
use serde::Deserialize;

/// What is said of a request. What is not said is unknown.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestArgs {
    /// The URL asked for: http, https, ws or wss
    #[arg(long, required = true)]
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
        }
    }
}
