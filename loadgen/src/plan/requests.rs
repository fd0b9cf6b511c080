//! `[[request]]`, `[defaults]` and `[hosts]` judged: each request for each of its hosts.

use super::body::{BODY_BYTES_MAX, Body};
use super::check::Checker;
use super::client::{fields, is_token};
use super::defaults::{METHOD_DEFAULT, STATUS_DEFAULT};
use super::file::RequestFile;
use super::mix::{Expectation, Sent, Template};
use super::period::Octets;
use super::random::zipf;
use super::url::Url;

const METHOD_WITH_FILE: &str = "POST";
/// Greatest weight: sums stay numbers.
const WEIGHT_MAX: f64 = 1e9;
/// Most host names.
const HOSTS_MAX: usize = 1_000_000;
/// Most requests over all hosts: each is rendered before the run (about 300 octets).
const TEMPLATES_MAX: usize = 4_000_000;

impl Checker<'_> {
    /// Each request for each of its hosts.
    pub(super) fn templates(&mut self) -> Vec<Template> {
        let hosts = self.hosts();
        if self.file.request.is_empty() {
            self.problem(
                "request",
                "nothing to ask for: give a url, or a plan with [[request]]",
            );
        }
        let uses_hosts = |request: &RequestFile| {
            request
                .url
                .as_deref()
                .is_some_and(|url| url.contains("{host}"))
        };
        let used = self.file.request.iter().filter(|r| uses_hosts(r)).count();
        if used == 0 && !hosts.is_empty() {
            self.problem("hosts", "no url has {host} in it");
        }
        if hosts.len().saturating_mul(used) > TEMPLATES_MAX {
            self.problem(
                "hosts",
                format!("more than {TEMPLATES_MAX} requests over all hosts"),
            );
            return Vec::new();
        }
        let mut templates = Vec::new();
        for (index, request) in self.file.request.iter().enumerate() {
            let Some(template) = self.template(index, request) else {
                continue;
            };
            let (Some(text), true) = (&request.url, uses_hosts(request)) else {
                templates.push(template);
                continue;
            };
            if hosts.is_empty() {
                self.problem(format!("request.{index}.url"), "{host}, but no [hosts]");
            }
            for (host, weight) in &hosts {
                match Url::parse(&text.replace("{host}", host)) {
                    Ok(url) => templates.push(Template {
                        url,
                        weight: template.weight * weight,
                        ..template.clone()
                    }),
                    Err(message) => {
                        self.problem(format!("request.{index}.url"), message);
                        break;
                    }
                }
            }
        }
        templates
    }

    /// Names and weights of `[hosts]`; the weights' mean is 1.
    fn hosts(&mut self) -> Vec<(String, f64)> {
        let hosts = &self.file.hosts;
        let names = match (&hosts.pattern, hosts.count) {
            (None, None) => hosts.names.clone(),
            (Some(pattern), Some(count @ 1..=HOSTS_MAX)) if pattern.contains("{n}") => (1..=count)
                .map(|number| pattern.replace("{n}", &number.to_string()))
                .chain(hosts.names.iter().cloned())
                .collect(),
            _ => {
                let message = "pattern (with {n} in it) and count (from 1 to 1000000) go together";
                self.problem("hosts", message);
                Vec::new()
            }
        };
        if hosts
            .zipf
            .is_some_and(|exponent| !(0.0..=10.0).contains(&exponent))
        {
            self.problem("hosts.zipf", "an exponent from 0 to 10");
        }
        let weights = match hosts.zipf {
            Some(exponent) => zipf(names.len(), exponent),
            None => vec![1.0; names.len()],
        };
        let mean = weights.iter().sum::<f64>() / weights.len().max(1) as f64;
        names
            .into_iter()
            .zip(weights.into_iter().map(|weight| weight / mean))
            .collect()
    }

    /// One request, with the first host.
    fn template(&mut self, index: usize, request: &RequestFile) -> Option<Template> {
        let defaults = &self.file.defaults;
        let key = |name: &str| format!("request.{index}.{name}");
        let key_of = |name: &str, is_own: bool| key_of_request(index, name, is_own);
        let before = self.problems.len();
        let text = request.url.as_deref().unwrap_or_default();
        let url = Url::parse(&text.replace("{host}", "host"));
        if let Err(error) = &url {
            self.problem(key("url"), error.clone());
        }
        let weight = request.weight.unwrap_or(1.0);
        if !(weight > 0.0 && weight <= WEIGHT_MAX) {
            self.problem(key("weight"), "not a positive number up to a billion");
        }
        let method = request.method.as_ref().or(defaults.method.as_ref());
        let has_file = request.body_file.is_some() || defaults.body_file.is_some();
        let usual = if has_file {
            METHOD_WITH_FILE
        } else {
            METHOD_DEFAULT
        };
        let method = method.map_or_else(|| usual.to_owned(), Clone::clone);
        if method.is_empty() || !method.bytes().all(is_token) || method == "CONNECT" {
            self.problem(
                key_of("method", request.method.is_some()),
                format!("{method}: not a method"),
            );
        }
        let mut all_fields = Vec::new();
        for (lines, is_own) in [(&defaults.headers, false), (&request.headers, true)] {
            match fields(lines.as_deref().unwrap_or_default()) {
                Ok(fields) => all_fields.extend(fields),
                Err(message) => self.problem(key_of("headers", is_own), message),
            }
        }
        let body = self.body(index, request);
        let expectation = self.expectation(index, request, url.as_ref().ok(), &method)?;
        let url = url.ok()?;
        (self.problems.len() == before).then(|| Template {
            request: index,
            url,
            weight,
            method,
            fields: self.with_usual_fields(all_fields),
            expectation: Expectation {
                sent: Sent {
                    bytes: body.bytes(),
                    crc32c: body.crc32c(),
                },
                ..expectation
            },
            body,
        })
    }

    /// What a request carries; what it says itself goes before `[defaults]`.
    fn body(&mut self, index: usize, request: &RequestFile) -> Body {
        let defaults = &self.file.defaults;
        let own = (request.body_bytes, request.body_file.as_ref());
        let (bytes, path) = match own {
            (None, None) => (defaults.body_bytes, defaults.body_file.as_ref()),
            own => own,
        };
        let key = |name: &str| format!("request.{index}.{name}");
        if bytes.is_some() && path.is_some() {
            self.problem(key("body_file"), "only one of body_bytes and body_file");
        }
        let Octets(bytes) = bytes.unwrap_or_default();
        if bytes > BODY_BYTES_MAX {
            self.problem(key("body_bytes"), "more than 64 GiB");
            return Body::default();
        }
        let Some(path) = path else {
            return Body::Pattern(bytes);
        };
        Body::read(path).unwrap_or_else(|message| {
            self.problem(key("body_file"), message);
            Body::default()
        })
    }

    /// What any client sends, unless the plan says otherwise.
    fn with_usual_fields(&self, fields: Vec<(String, String)>) -> Vec<(String, String)> {
        let of_clients = self.file.client.iter().flat_map(|client| &client.headers);
        let named = |wanted: &str| {
            let is = |name: &str| name.eq_ignore_ascii_case(wanted);
            let by_client = |line: &String| line.split_once(':').is_some_and(|(name, _)| is(name));
            fields.iter().any(|(name, _)| is(name)) || of_clients.clone().any(by_client)
        };
        let usual = [("User-Agent", "sallyport-load"), ("Accept", "*/*")];
        let usual: Vec<_> = usual
            .into_iter()
            .filter(|(name, _)| !named(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        usual.into_iter().chain(fields).collect()
    }

    fn expectation(
        &mut self,
        index: usize,
        request: &RequestFile,
        url: Option<&Url>,
        method: &str,
    ) -> Option<Expectation> {
        let defaults = &self.file.defaults;
        let key = |name: &str, is_own: bool| key_of_request(index, name, is_own);
        let status = request
            .expect_status
            .or(defaults.expect_status)
            .unwrap_or(STATUS_DEFAULT);
        if !(200..=599).contains(&status) {
            let is_own = request.expect_status.is_some();
            self.problem(key("expect_status", is_own), "not from 200 to 599");
        }
        let digits = request
            .expect_crc32c
            .as_ref()
            .or(defaults.expect_crc32c.as_ref());
        let crc32c = match digits.map(|digits| u32::from_str_radix(digits, 16)) {
            None => None,
            Some(Ok(crc)) => Some(crc),
            Some(Err(_)) => {
                let is_own = request.expect_crc32c.is_some();
                self.problem(key("expect_crc32c", is_own), "not eight hexadecimal digits");
                return None;
            }
        };
        let path = url.and_then(|url| url.path.split('?').next());
        let path = path.unwrap_or_default();
        let pattern_bytes = path.strip_prefix("/bytes/").and_then(|n| n.parse().ok());
        let check_body = request.check_body.or(defaults.check_body).unwrap_or(true);
        let pattern = check_body && pattern_bytes.is_some() && status == 200;
        let expect_bytes = request.expect_bytes.or(defaults.expect_bytes);
        let expect_bytes = expect_bytes.map(|Octets(bytes)| bytes);
        Some(Expectation {
            status,
            body_bytes: expect_bytes.or_else(|| pattern_bytes.filter(|_| pattern)),
            pattern,
            crc32c,
            sent: Sent::default(),
            head_only: method == "HEAD",
        })
    }
}

/// Where a key of a request stands: what it does not say itself, `[defaults]` has said.
fn key_of_request(index: usize, name: &str, is_own: bool) -> String {
    if is_own {
        format!("request.{index}.{name}")
    } else {
        format!("defaults.{name}")
    }
}
