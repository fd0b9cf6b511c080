//! Envoy's RBAC filter: policies of permissions and principals, as far as they are about what a proxy
//! sees.
//!
//! With `ALLOW` what a policy matches is allowed and all else denied; with `DENY` the other way round.
//! Policies are asked together, so their order does not matter.

use sallyport_ruleset::{Action, Field, Protocol};

use super::book::{Book, End, Rule, Target, Targets, documents, one, port, ports, protocols};
use super::condition::{Condition, Formula, ValueError};
use super::draft::DefaultsBy;
use super::input::InputFiles;
use super::json::Json;
use super::outcome::{Import, ImportError};
use super::report::{Difference, Effect};
use crate::operator::Question;

/// Imports the rules of the RBAC filters in a file.
///
/// # Errors
/// When it cannot be read, has rules with different actions, or its result does not compile.
pub fn import(files: &dyn InputFiles, path: &str) -> Result<Import, ImportError> {
    let documents = documents(files, path)?;
    let mut walk = Walk {
        book: Book::new(path),
        default: Action::Allow,
        found: false,
    };
    let mut all = Vec::new();
    for document in &documents {
        document.holders("policies", &mut all);
    }
    let action = |rules: &Json| {
        rules
            .get("action")
            .and_then(Json::word)
            .unwrap_or("ALLOW")
            .to_owned()
    };
    let allows = all.iter().filter(|rules| action(rules) == "ALLOW").count();
    if allows > 1 {
        return Err(ImportError::Malformed(format!(
            "`{path}`: it has {allows} filters that allow, and a request must pass all of them: import them one by one"
        )));
    }
    // A request must pass each filter: what denies comes first.
    all.sort_by_key(|rules| action(rules) == "ALLOW");
    for rules in all {
        walk.rules(rules);
    }
    walk.finish(path)
}

struct Walk {
    book: Book,
    default: Action,
    found: bool,
}

/// Why a policy is not carried over. As text it is a phrase for the report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Unsupported {
    /// A permission or principal with no member, or several.
    #[error("`{0}` is not one question")]
    Question(String),
    /// A permission or principal of another kind.
    #[error("`{0}` is nothing that a proxy knows")]
    Unknown(String),
    /// `destination_port`
    #[error("it is not a port")]
    Port,
    /// `destination_port_range`
    #[error("a range has a `start` and an `end`")]
    Range,
    /// From its start to its end.
    #[error("it is not a range of ports")]
    PortRange,
    /// Of a network.
    #[error("there is no `address_prefix`")]
    NoAddress,
    /// `url_path`
    #[error(
        "a path is asked without its query there, here with it as well: use `header` `:path` with a prefix"
    )]
    UrlPath,
    /// `header` alone.
    #[error("the header has no name")]
    NoHeaderName,
    /// `:scheme` and others.
    #[error("`{0}` is not seen here")]
    PseudoHeader(String),
    /// Not one that HTTP has.
    #[error("it is no name of a header")]
    HeaderName,
    /// `:path` by anything but a prefix.
    #[error(
        "`:path` is matched with its query there, here without it as well: only a prefix is the same"
    )]
    WholePath,
    /// `:path` with a query.
    #[error("a prefix that goes beyond the path cannot be said")]
    BeyondPath,
    /// `:authority` with a colon.
    #[error("it does not end with a port")]
    AuthorityPort,
    /// `:authority` by other parts of it.
    #[error("of `:authority` only a whole host, or an end that begins with a dot, can be said")]
    Authority,
    /// None of the matchers.
    #[error("how it is matched is not known here")]
    Matcher,
    /// `ignore_case`
    #[error("texts that are compared without regard to case are left")]
    IgnoreCase,
    /// A value that the compiler would refuse.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// What a permission or principal becomes, or why it cannot be said.
type Said = Result<Formula, Unsupported>;

impl Walk {
    fn rules(&mut self, rules: &Json) {
        self.found = true;
        let action = rules
            .get("action")
            .map_or("ALLOW", |action| action.word().unwrap_or(""));
        let line = rules.get("action").map_or(rules.line, |action| action.line);
        let action = match action {
            "ALLOW" | "0" => {
                self.default = Action::Deny;
                Action::Allow
            }
            "DENY" | "1" => Action::Deny,
            "LOG" | "2" => Action::Alert,
            other => {
                let why = Difference::new(Effect::Either, "it is no action that is known here");
                self.book
                    .left(line, &format!("action: {other}"), "action", why);
                return;
            }
        };
        self.book
            .carried(line, &format!("action: {}", word_of(action)), "action");
        for (name, policy) in rules.get("policies").map_or(&[][..], Json::members) {
            self.policy(name, policy, action);
        }
    }

    fn policy(&mut self, name: &str, policy: &Json, action: Action) {
        let shown = format!("{name}: {}", policy.shown());
        if policy.get("condition").is_some() || policy.get("checked_condition").is_some() {
            let why = "its condition is an expression that is not read";
            self.book.left(
                policy.line,
                &shown,
                "policy",
                Difference::new(Effect::of_leaving(action), why),
            );
            return;
        }
        let permissions = self.any(policy, "permissions");
        let principals = self.any(policy, "principals");
        match permissions.and_then(|what| Ok(Formula::all([what, principals?]))) {
            Ok(formula) => {
                let entry = self.book.carried(policy.line, &shown, "policy");
                self.book
                    .rule(Rule::new(name, action, formula).from([entry]));
            }
            Err(why) => {
                self.book.left(
                    policy.line,
                    &shown,
                    "policy",
                    Difference::new(Effect::of_leaving(action), why),
                );
            }
        }
    }

    fn any(&mut self, policy: &Json, name: &str) -> Said {
        let list = policy.get(name).map_or(&[][..], Json::elements);
        let all: Result<Vec<Formula>, Unsupported> =
            list.iter().map(|item| self.said(item)).collect();
        Ok(Formula::any(all?))
    }

    /// A permission or a principal: an object with one member.
    fn said(&mut self, json: &Json) -> Said {
        let [(key, value)] = json.members() else {
            return Err(Unsupported::Question(json.shown()));
        };
        match key.as_str() {
            "any" if value.word() == Some("true") => Ok(Formula::Always),
            "and_rules" | "andRules" => self.nested(value, "rules").map(Formula::all),
            "or_rules" | "orRules" => self.nested(value, "rules").map(Formula::any),
            "and_ids" | "andIds" => self.nested(value, "ids").map(Formula::all),
            "or_ids" | "orIds" => self.nested(value, "ids").map(Formula::any),
            "not_rule" | "notRule" | "not_id" | "notId" => self.said(value).map(Formula::negated),
            "destination_port" | "destinationPort" => {
                let number = value.word().and_then(port).ok_or(Unsupported::Port)?;
                Ok(ports(&[number]))
            }
            "destination_port_range" | "destinationPortRange" => self.port_range(value),
            "destination_ip" | "destinationIp" => self.network(value, Field::DestinationIp),
            "source_ip" | "sourceIp" | "direct_remote_ip" | "directRemoteIp" | "remote_ip"
            | "remoteIp" => self.network(value, Field::SourceIp),
            "requested_server_name" | "requestedServerName" => self.text(value, &Field::TlsSni),
            "url_path" | "urlPath" => Err(Unsupported::UrlPath),
            "authenticated" => self.authenticated(value),
            "header" => self.header(value),
            other => Err(Unsupported::Unknown(other.to_owned())),
        }
    }

    fn nested(&mut self, json: &Json, name: &str) -> Result<Vec<Formula>, Unsupported> {
        let list = json.get(name).map_or(&[][..], Json::elements);
        list.iter().map(|item| self.said(item)).collect()
    }

    fn port_range(&mut self, json: &Json) -> Said {
        let number = |name: &str| {
            json.get(name)
                .and_then(Json::word)
                .and_then(|text| text.parse::<u32>().ok())
        };
        // The end is not in it.
        let (start, end) = number("start")
            .zip(number("end"))
            .ok_or(Unsupported::Range)?;
        let range =
            port(&format!("{start}-{}", end.saturating_sub(1))).ok_or(Unsupported::PortRange)?;
        Ok(ports(&[range]))
    }

    fn network(&mut self, json: &Json, field: Field) -> Said {
        let part = |one: &str, other: &str| {
            json.get(one)
                .or_else(|| json.get(other))
                .and_then(Json::word)
        };
        let address = part("address_prefix", "addressPrefix").ok_or(Unsupported::NoAddress)?;
        let whole = if address.contains(':') { "128" } else { "32" };
        let length = part("prefix_len", "prefixLen").unwrap_or(whole);
        let network = format!("{address}/{length}");
        self.book.check(&field, Question::Ip, &network)?;
        Ok(one(field, Question::Ip, "networks", &[network]))
    }

    fn authenticated(&mut self, json: &Json) -> Said {
        let Some(name) = json
            .get("principal_name")
            .or_else(|| json.get("principalName"))
        else {
            return Ok(Condition::null(Field::Principal, false).into());
        };
        self.text(name, &Field::Principal)
    }

    fn header(&mut self, json: &Json) -> Said {
        let name = json
            .get("name")
            .and_then(Json::word)
            .ok_or(Unsupported::NoHeaderName)?;
        let inverted = ["invert_match", "invertMatch"]
            .iter()
            .any(|key| json.get(key).and_then(Json::word) == Some("true"));
        let formula = match name.to_ascii_lowercase().as_str() {
            ":authority" | "host" => self.authority(json)?,
            ":method" => self.matcher(json, &Field::HttpMethod)?,
            ":path" => self.path(json)?,
            other if other.starts_with(':') => {
                return Err(Unsupported::PseudoHeader(name.to_owned()));
            }
            other => {
                let field = Field::parse(&format!("request:Http:Header/{other}"))
                    .ok_or(Unsupported::HeaderName)?;
                self.matcher(json, &field)?
            }
        };
        Ok(if inverted { formula.negated() } else { formula })
    }

    /// The path is matched with its query there. Here it is matched with it and without it: only what
    /// is about its start is the same.
    fn path(&mut self, json: &Json) -> Said {
        let (kind, text) = matcher(json)?;
        if kind != "prefix" {
            return Err(Unsupported::WholePath);
        }
        if text.contains('?') {
            return Err(Unsupported::BeyondPath);
        }
        self.words("prefix", text, &Field::HttpUri)
    }

    /// Host and port as one text.
    fn authority(&mut self, json: &Json) -> Said {
        let (kind, text) = matcher(json)?;
        let mut targets = Targets::default();
        let (host, number) = match text.rsplit_once(':') {
            Some((host, number)) => (host, Some(port(number).ok_or(Unsupported::AuthorityPort)?)),
            None => (text, None),
        };
        let target = match kind {
            "exact" if host.parse::<std::net::IpAddr>().is_ok() => Target::Literal(host.to_owned()),
            "exact" => Target::Exact(host.to_owned()),
            "suffix" if host.starts_with('.') && !host.contains('*') => {
                Target::Like(format!("*{host}"))
            }
            _ => return Err(Unsupported::Authority),
        };
        self.book.add(&mut targets, target)?;
        let asked = match number {
            Some(number) => ports(&[number]),
            // Only a request in plain HTTP to port 80 names no port; a CONNECT always does.
            None => Formula::all([
                ports(&["80".to_owned()]),
                protocols(&[Protocol::Http, Protocol::Ws]),
            ]),
        };
        Ok(Formula::all([targets.formula("hosts"), asked]))
    }

    /// A matcher of a header: the text may be in `string_match`, or in a member of its own.
    fn matcher(&mut self, json: &Json, field: &Field) -> Said {
        let present = json
            .get("present_match")
            .or_else(|| json.get("presentMatch"))
            .and_then(Json::word);
        if let Some(present) = present {
            return Ok(Condition::null(field.clone(), present != "true").into());
        }
        let (kind, text) = matcher(json)?;
        self.words(kind, text, field)
    }

    fn text(&mut self, json: &Json, field: &Field) -> Said {
        let (kind, text) = string_match(json)?;
        self.words(kind, text, field)
    }

    fn words(&mut self, kind: &str, text: &str, field: &Field) -> Said {
        let literal = regex_syntax::escape(text);
        let expression = match kind {
            "exact" => format!("^{literal}$"),
            "prefix" => format!("^{literal}"),
            "suffix" => format!("{literal}$"),
            "contains" => literal,
            _ => format!("^(?:{text})$"),
        };
        let (question, value) = if kind == "exact" {
            (Question::Equals, text.to_owned())
        } else {
            (Question::Matches, expression)
        };
        self.book.check(field, question, &value)?;
        Ok(one(field.clone(), question, "values", &[value]))
    }

    fn finish(mut self, path: &str) -> Result<Import, ImportError> {
        self.book.report.remark(
            "an authority without a port is that of a request in plain HTTP; the one of a CONNECT has its port, as in `example.com:443`",
        );
        let by = if self.found {
            DefaultsBy::Source
        } else {
            DefaultsBy::Assumption("there is no `policies` in it")
        };
        self.book.finish(&End {
            path,
            format: "envoy-rbac",
            what: "is a policy of Envoy's RBAC filter",
            default: self.default,
            default_by: by,
        })
    }
}

const fn word_of(action: Action) -> &'static str {
    match action {
        Action::Allow => "ALLOW",
        Action::Deny => "DENY",
        Action::Alert => "LOG",
    }
}

/// What a header matcher asks: its kind and text.
fn matcher(json: &Json) -> Result<(&str, &str), Unsupported> {
    if let Some(inner) = json.get("string_match").or_else(|| json.get("stringMatch")) {
        return string_match(inner);
    }
    for (keys, kind) in [
        (["exact_match", "exactMatch"], "exact"),
        (["prefix_match", "prefixMatch"], "prefix"),
        (["suffix_match", "suffixMatch"], "suffix"),
        (["contains_match", "containsMatch"], "contains"),
    ] {
        if let Some(text) = keys
            .iter()
            .find_map(|key| json.get(key))
            .and_then(Json::word)
        {
            return Ok((kind, text));
        }
    }
    let expression = json
        .get("safe_regex_match")
        .or_else(|| json.get("safeRegexMatch"));
    match expression
        .and_then(|inner| inner.get("regex"))
        .and_then(Json::word)
    {
        Some(text) => Ok(("regex", text)),
        None => Err(Unsupported::Matcher),
    }
}

/// `exact`, `prefix`, `suffix`, `contains`, `safe_regex`.
fn string_match(json: &Json) -> Result<(&str, &str), Unsupported> {
    if ["ignore_case", "ignoreCase"]
        .iter()
        .any(|key| json.get(key).and_then(Json::word) == Some("true"))
    {
        return Err(Unsupported::IgnoreCase);
    }
    for kind in ["exact", "prefix", "suffix", "contains"] {
        if let Some(text) = json.get(kind).and_then(Json::word) {
            return Ok((kind, text));
        }
    }
    let expression = json.get("safe_regex").or_else(|| json.get("safeRegex"));
    match expression
        .and_then(|inner| inner.get("regex"))
        .and_then(Json::word)
    {
        Some(text) => Ok(("regex", text)),
        None => Err(Unsupported::Matcher),
    }
}
