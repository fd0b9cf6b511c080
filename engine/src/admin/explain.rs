//! `POST /explain`: what the rules in force say of a request that is described, phase by phase. Nothing is
//! resolved and nobody is asked: what is not said is unknown, and a phase that rests on it stays open.

use std::net::IpAddr;

use hyper::Uri;
use sallyport_ruleset::composed::UrlScheme;
use sallyport_ruleset::explain::{ConditionExplanation, explain_phase, explain_rule};
use sallyport_ruleset::normalize::{normalize_domain, normalize_uri};
use sallyport_ruleset::{
    Bundle, Composed, Decision, Fact, Facts, FieldValues, Host, Outcome, Phase, Protocol,
    ProtocolSet, RuleIndex,
};
use serde_json::{Value, json};
use thiserror::Error;

/// Why a description cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum Undescribed {
    #[error("the body is no JSON object")]
    NoObject,
    #[error("there is no such member: {0}")]
    Unknown(String),
    #[error("{0}: {1}")]
    Wrong(&'static str, &'static str),
}

/// Names and values of header fields, or of labels.
type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A request as it is described; each member that is missing is unknown.
#[derive(Debug, Default)]
struct Described {
    from: Option<IpAddr>,
    host: String,
    address: Option<IpAddr>,
    port: u16,
    is_secure: bool,
    uri: Vec<u8>,
    method: Vec<u8>,
    headers: Fields,
    destination_ip: Option<IpAddr>,
    time: Option<i64>,
    vpce: Option<String>,
    vpc: Option<String>,
    account: Option<String>,
    principal: Option<String>,
    labels: Option<Fields>,
    status: Option<u16>,
    response_headers: Option<Fields>,
}

/// What each phase says of the request that `body` describes.
pub(super) fn page(bundle: &Bundle, body: &[u8]) -> Result<Value, Undescribed> {
    let described = Described::read(body)?;
    let host = match described.address {
        Some(address) => Host::Address(address),
        None => Host::Name(&described.host),
    };
    let phases = Phase::ALL.map(|phase| {
        let facts = described.facts(phase, host);
        let explained = explain_phase(bundle, phase, &facts);
        let rule = |rule| told(bundle, phase, rule, &facts);
        let (decision, by) = match explained.outcome {
            Outcome::Decided(verdict) => (
                Some(match verdict.action {
                    Decision::Allow => "allow",
                    Decision::Deny => "deny",
                }),
                verdict.rule.map(rule),
            ),
            Outcome::Undetermined => (None, None),
        };
        json!({
            "phase": phase.to_string(),
            // Null: it rests on what is not known.
            "decision": decision,
            // Null: the default.
            "rule": by,
            "alerts": explained.alerts.into_iter().map(rule).collect::<Vec<_>>(),
        })
    });
    Ok(json!({ "bundle": bundle.id(), "phases": phases }))
}

fn told(bundle: &Bundle, phase: Phase, rule: RuleIndex, facts: &Facts<'_>) -> Value {
    let condition = |condition: ConditionExplanation| {
        json!({
            "condition": condition.to_string(),
            "holds": condition.holds,
            "found": condition.found.to_string(),
        })
    };
    let conditions = explain_rule(bundle, phase, rule, facts);
    json!({
        "group": bundle.rule_group(phase, rule),
        "rule": bundle.rule_name(phase, rule),
        "conditions": conditions.into_iter().map(condition).collect::<Vec<_>>(),
    })
}

impl Described {
    fn read(body: &[u8]) -> Result<Self, Undescribed> {
        let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
            return Err(Undescribed::NoObject);
        };
        let mut described = Self {
            method: b"GET".to_vec(),
            ..Self::default()
        };
        let mut has_url = false;
        for (name, value) in &members {
            match name.as_str() {
                "url" => {
                    described.read_url(value)?;
                    has_url = true;
                }
                "from" => described.from = Some(address("from", value)?),
                "destination_ip" => {
                    described.destination_ip = Some(address("destination_ip", value)?);
                }
                "method" => described.method = text("method", value)?.into_bytes(),
                "headers" => described.headers = fields("headers", value)?,
                "time" => {
                    let time = value.as_i64();
                    let time = time.ok_or(Undescribed::Wrong("time", "no seconds since 1970"))?;
                    described.time = Some(time);
                }
                "vpce" => described.vpce = Some(text("vpce", value)?),
                "vpc" => described.vpc = Some(text("vpc", value)?),
                "account" => described.account = Some(text("account", value)?),
                "principal" => described.principal = Some(text("principal", value)?),
                "labels" => described.labels = Some(fields("labels", value)?),
                "status" => {
                    let status = value.as_u64().and_then(|status| status.try_into().ok());
                    described.status =
                        Some(status.ok_or(Undescribed::Wrong("status", "no status code"))?);
                }
                "response_headers" => {
                    described.response_headers = Some(fields("response_headers", value)?);
                }
                other => return Err(Undescribed::Unknown(other.to_owned())),
            }
        }
        match has_url {
            true => Ok(described),
            false => Err(Undescribed::Wrong("url", "it is needed")),
        }
    }

    fn read_url(&mut self, value: &Value) -> Result<(), Undescribed> {
        let wrong = || Undescribed::Wrong("url", "no http or https URL with a host");
        let url: Uri = text("url", value)?.parse().map_err(|_| wrong())?;
        (self.is_secure, self.port) = match url.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(wrong()),
        };
        self.port = url.port_u16().unwrap_or(self.port);
        let host = url.host().ok_or_else(wrong)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        self.address = bare.parse().ok();
        if self.address.is_none() {
            let mut scratch = String::new();
            let normal = normalize_domain(host, &mut scratch).map_err(|_| wrong())?;
            self.host = normal.to_owned();
        }
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        normalize_uri(path.as_bytes(), &mut self.uri);
        Ok(())
    }

    /// As for a request in an intercepted tunnel where the scheme is `https`.
    fn facts<'f>(&'f self, phase: Phase, host: Host<'f>) -> Facts<'f> {
        let connect = ProtocolSet::EMPTY.with(Protocol::Connect);
        let (scheme, protocol) = match self.is_secure {
            // What runs inside a CONNECT is not known before its first bytes have come.
            true if phase == Phase::PreDns => (UrlScheme::Https, connect),
            true => (UrlScheme::Https, connect.with(Protocol::Https)),
            false => (UrlScheme::Http, ProtocolSet::EMPTY.with(Protocol::Http)),
        };
        let values = |fields: &'f Fields, name: &'static str| {
            let mut names = fields.iter().map(|(name, _)| name);
            match names.any(|other| other.eq_ignore_ascii_case(name.as_bytes())) {
                true => Fact::Known(FieldValues::Named(fields, name)),
                false => Fact::Absent,
            }
        };
        let known = |text: &'f Option<String>| match text {
            Some(text) => Fact::Known(text.as_bytes()),
            None => Fact::Unknown,
        };
        let mut facts = Facts {
            protocol: Fact::Known(protocol),
            destination_domain: match host {
                Host::Name(name) => Fact::Known(name),
                Host::Address(_) => Fact::Absent,
            },
            destination_host: Fact::Known(Composed::Host(host)),
            authority: Fact::Known(Composed::Authority(host, self.port)),
            destination_port: Fact::Known(self.port),
            uri: Fact::Known(&self.uri),
            url: Fact::Known(Composed::Url {
                scheme,
                host,
                port: self.port,
                uri: &self.uri,
            }),
            method: Fact::Known(&self.method),
            user_agent: values(&self.headers, "user-agent"),
            content_type: values(&self.headers, "content-type"),
            request_headers: Fact::Known(&self.headers),
            source_vpce: known(&self.vpce),
            source_vpc: known(&self.vpc),
            source_account: known(&self.account),
            principal: known(&self.principal),
            ..Facts::unknown()
        };
        let or_unknown = |address: Option<IpAddr>| address.map_or(Fact::Unknown, Fact::Known);
        facts.source_ip = or_unknown(self.from);
        facts.destination_ip = or_unknown(self.destination_ip.or(self.address));
        facts.time = self.time.map_or(Fact::Unknown, Fact::Known);
        facts.status_code = self.status.map_or(Fact::Unknown, Fact::Known);
        if let Some(labels) = &self.labels {
            facts.source_labels = Fact::Known(labels);
        }
        if let Some(headers) = &self.response_headers {
            facts.response_headers = Fact::Known(headers);
            facts.response_content_type = values(headers, "content-type");
        }
        facts
    }
}

fn text(name: &'static str, value: &Value) -> Result<String, Undescribed> {
    let text = value.as_str().ok_or(Undescribed::Wrong(name, "no text"))?;
    Ok(text.to_owned())
}

fn address(name: &'static str, value: &Value) -> Result<IpAddr, Undescribed> {
    let address = value.as_str().and_then(|text| text.parse().ok());
    address.ok_or(Undescribed::Wrong(name, "no address"))
}

fn fields(name: &'static str, value: &Value) -> Result<Fields, Undescribed> {
    let wrong = Undescribed::Wrong(name, "no object whose members are texts");
    let Some(members) = value.as_object() else {
        return Err(wrong);
    };
    let mut fields = Fields::new();
    for (name, value) in members {
        match value.as_str() {
            Some(value) => fields.push((name.clone().into_bytes(), value.as_bytes().to_vec())),
            None => return Err(wrong),
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_description_is_told() {
        for (body, why) in [
            ("[]", "the body is no JSON object"),
            ("{}", "url: it is needed"),
            (
                r#"{"url":"ftp://a.test/"}"#,
                "url: no http or https URL with a host",
            ),
            (
                r#"{"url":"http://a.test/","uri":1}"#,
                "there is no such member: uri",
            ),
            (r#"{"url":"http://a.test/","from":"a"}"#, "from: no address"),
            (
                r#"{"url":"http://a.test/","time":"noon"}"#,
                "time: no seconds since 1970",
            ),
            (
                r#"{"url":"http://a.test/","headers":["a"]}"#,
                "headers: no object whose members are texts",
            ),
        ] {
            let said = Described::read(body.as_bytes()).unwrap_err().to_string();
            assert_eq!(said, why, "{body}");
        }
    }

    #[test]
    fn a_url_is_taken_apart() {
        let body = r#"{"url":"https://[2001:db8::1]/a/../b?c","method":"PUT"}"#;
        let described = Described::read(body.as_bytes()).unwrap();
        assert_eq!(described.address, "2001:db8::1".parse().ok());
        assert_eq!((described.port, &*described.uri), (443, &b"/b?c"[..]));
        let named = Described::read(br#"{"url":"http://A.Test:8080"}"#).unwrap();
        assert_eq!(
            (&*named.host, named.port, &*named.uri),
            ("a.test", 8080, &b"/"[..])
        );
    }
}
