//! What each type of ACL asks: its values as a formula over the fields of a request.

use sallyport_ruleset::{Field, Protocol};

use super::super::condition::{Condition, Formula, Values, operator};
use super::super::regex::from_posix;
use super::super::report::Place;
use super::acl::{Acl, AclValue, Translator};
use super::address::{Addresses, addresses};
use super::time;
use super::url_regex::{self, in_case, plain_http, protocol, with_query};
use super::vocabulary;
use crate::operator::{Comparison, Question};

/// One ACL being worked on.
pub(super) struct Work<'t, 'a> {
    translator: &'t mut Translator,
    acl: &'a Acl,
    differences: Vec<String>,
    left: Vec<(Place, String, String)>,
}

impl<'t, 'a> Work<'t, 'a> {
    pub(super) const fn new(translator: &'t mut Translator, acl: &'a Acl) -> Self {
        Self {
            translator,
            acl,
            differences: Vec::new(),
            left: Vec::new(),
        }
    }

    /// What is different, and the values that are left.
    pub(super) fn finish(self) -> (Vec<String>, Vec<(Place, String, String)>) {
        (self.differences, self.left)
    }

    /// What the ACL asks.
    ///
    /// # Errors
    /// Why it cannot be carried over.
    pub(super) fn formula(&mut self) -> Result<Formula, String> {
        Ok(match self.acl.kind.as_str() {
            "src" => self.networks(Field::SourceIp),
            "dst" => self.destination(),
            "dstdomain" => self.domains(&Field::DestinationDomain),
            "dstdom_regex" => self.expressions(&Field::DestinationDomain),
            "port" => self.numbers(Field::DestinationPort, 0),
            "http_status" => self.numbers(Field::ResponseStatusCode, 999),
            "method" => self.methods(),
            "proto" => self.schemes(),
            "time" => self.times(),
            "url_regex" => self.urls(),
            "urlpath_regex" => self.paths(),
            "proxy_auth" => self.users(),
            "proxy_auth_regex" => {
                self.differs(AUTHENTICATION);
                self.expressions(&Field::Principal)
            }
            "browser" => self.request_field(&Field::HttpUserAgent),
            "referer_regex" => self.request_field(&Field::RequestHeader("referer".into())),
            "req_mime_type" => {
                self.differs(CONTENT_TYPE);
                self.request_field(&Field::HttpContentType)
            }
            "rep_mime_type" => {
                self.differs(CONTENT_TYPE);
                self.expressions(&Field::ResponseContentType)
            }
            "req_header" => self.headers("request:Http:Header/")?,
            "rep_header" => self.headers("response:Http:Header/")?,
            "ssl::server_name" => self.server_names(),
            "ssl::server_name_regex" => self.server_name_expressions(),
            other => {
                let why = vocabulary::acl_type_left(other);
                return Err(why.unwrap_or("Squid knows no ACL of this type").to_owned());
            }
        })
    }

    fn differs(&mut self, difference: &str) {
        if !self.differences.iter().any(|known| known == difference) {
            self.differences.push(difference.to_owned());
        }
    }

    fn leave(&mut self, value: &AclValue, why: impl Into<String>) {
        self.left
            .push((value.place.clone(), value.text.clone(), why.into()));
    }

    fn values(&self) -> impl Iterator<Item = &'a AclValue> + use<'a> {
        let acl = self.acl;
        acl.lines.iter().flat_map(|line| &line.values)
    }

    /// One condition over the values that are good, or none that ever holds.
    fn condition(&self, field: Field, question: Question, items: Vec<String>) -> Formula {
        if items.is_empty() {
            return Formula::Never;
        }
        let place = self.acl.lines.first().map(|line| line.place.to_string());
        let values = Values {
            name: self.acl.name.clone(),
            origin: format!(
                "{}: acl {} {}",
                place.unwrap_or_default(),
                self.acl.name,
                self.acl.kind
            ),
            items,
        };
        Condition::new(field, operator(question, false), values).into()
    }

    /// The value if the compiler takes it; else it is left.
    fn checked(
        &mut self,
        field: &Field,
        question: Question,
        item: String,
        value: &AclValue,
    ) -> Option<String> {
        match self.translator.checker.check(field, question, &item) {
            Ok(()) => Some(item),
            Err(why) => {
                self.leave(value, why);
                None
            }
        }
    }

    fn networks(&mut self, field: Field) -> Formula {
        let mut items = Vec::new();
        for value in self.values() {
            match addresses(&value.text) {
                Ok(Addresses::All) => return Formula::Always,
                Ok(Addresses::Networks(networks)) => {
                    // A host is written as an address, not as a network of one.
                    items.extend(networks.iter().map(|network| {
                        if network.prefix_len() == network.max_prefix_len() {
                            network.addr().to_string()
                        } else {
                            network.to_string()
                        }
                    }));
                }
                Err(why) => self.leave(value, why),
            }
        }
        items.dedup();
        self.condition(field, Question::Ip, items)
    }

    fn destination(&mut self) -> Formula {
        let formula = self.networks(Field::DestinationIp);
        if self.acl.lines.iter().any(|line| line.no_lookup) {
            let literal = Condition::null(Field::DestinationDomain, true);
            return Formula::all([literal.into(), formula]);
        }
        if formula != Formula::Always {
            self.differs(
                "each address of a name is judged by itself, and only those that are allowed are dialed; in Squid one that matches is enough",
            );
        }
        formula
    }

    /// `.example.com` is the name and all under it, `example.com` is just the name.
    fn domains(&mut self, field: &Field) -> Formula {
        let (mut names, mut trees, mut literals) = (Vec::new(), Vec::new(), Vec::new());
        for value in self.values() {
            let text = value.text.to_ascii_lowercase();
            if let Ok(address) = text.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
                literals.push(address.to_string());
            } else if let Some(tree) = text.strip_prefix('.') {
                trees.extend(self.checked(field, Question::Domain, tree.to_owned(), value));
            } else {
                names.extend(self.checked(field, Question::Equals, text, value));
            }
        }
        let literal = Formula::all([
            Condition::null(field.clone(), true).into(),
            self.condition(Field::DestinationIp, Question::Ip, literals),
        ]);
        Formula::any([
            self.condition(field.clone(), Question::Domain, trees),
            self.condition(field.clone(), Question::Equals, names),
            literal,
        ])
    }

    fn expressions(&mut self, field: &Field) -> Formula {
        let always_lower = matches!(field, Field::HttpContentType | Field::ResponseContentType);
        let mut items = Vec::new();
        for value in self.values() {
            let ours = in_case(
                &from_posix(lean(&value.text)),
                value.ignore_case || always_lower,
            );
            let ours = if *field == Field::HttpUri {
                with_query(ours)
            } else {
                ours
            };
            items.extend(self.checked(field, Question::Matches, ours, value));
        }
        self.condition(field.clone(), Question::Matches, items)
    }

    fn request_field(&mut self, field: &Field) -> Formula {
        self.differs(
            "fields of a CONNECT request itself are not looked at, only those of requests that are seen: plain ones, and those inside tunnels that can be read",
        );
        self.expressions(field)
    }

    fn paths(&mut self) -> Formula {
        self.differs(
            "matched against path and query in their normal form (dot segments removed, needless escapes decoded), and against the path alone: `$` also matches before the query",
        );
        self.expressions(&Field::HttpUri)
    }

    fn urls(&mut self) -> Formula {
        self.differs(
            "rules see host, port, path and query apart: the expression is asked of the parts that it can be about, whatever the port; a host that is an address has no name to match",
        );
        let origin = format!("acl {} {}", self.acl.name, self.acl.kind);
        let mut formulas = Vec::new();
        for value in self.values() {
            let ours = from_posix(lean(&value.text));
            let source = (self.acl.name.as_str(), origin.as_str());
            let checker = &mut self.translator.checker;
            match url_regex::formula(&ours, value.ignore_case, source, checker) {
                Ok(formula) => formulas.push(formula),
                Err(why) => self.leave(value, why),
            }
        }
        joined(formulas)
    }

    /// Numbers and ranges; `open_end` is where a range without an end stops, if it may.
    fn numbers(&mut self, field: Field, open_end: u64) -> Formula {
        let equal = Question::Number(Comparison::Equal);
        let (mut numbers, mut ranges) = (Vec::new(), Vec::new());
        for value in self.values() {
            match value.text.split_once('-') {
                None => numbers.extend(self.checked(&field, equal, value.text.clone(), value)),
                Some((from, "")) if open_end > 0 => {
                    let range = format!("{from}-{open_end}");
                    ranges.extend(self.checked(&field, Question::Between, range, value));
                }
                Some(_) => {
                    ranges.extend(self.checked(
                        &field,
                        Question::Between,
                        value.text.clone(),
                        value,
                    ));
                }
            }
        }
        Formula::any([
            self.condition(field.clone(), equal, numbers),
            self.condition(field, Question::Between, ranges),
        ])
    }

    fn methods(&mut self) -> Formula {
        let mut items = Vec::new();
        let mut connect = Formula::Never;
        for value in self.values() {
            match vocabulary::method(&value.text) {
                method if method == "CONNECT" => connect = protocol(&[Protocol::Connect]),
                method => {
                    items.extend(self.checked(&Field::HttpMethod, Question::Equals, method, value))
                }
            }
        }
        Formula::any([
            connect,
            self.condition(Field::HttpMethod, Question::Equals, items),
        ])
    }

    fn schemes(&mut self) -> Formula {
        let mut formulas = Vec::new();
        for value in self.values() {
            formulas.push(match value.text.to_ascii_uppercase().as_str() {
                "HTTP" => plain_http(),
                "HTTPS" => {
                    self.differs(HTTPS);
                    protocol(&[Protocol::Https, Protocol::Wss])
                }
                // Never true: nothing else passes here.
                "FTP" | "URN" | "WAIS" | "GOPHER" | "CACHE_OBJECT" | "ICP" | "HTCP" | "WHOIS" => {
                    Formula::Never
                }
                _ => {
                    self.leave(value, "Squid knows no such scheme");
                    Formula::Never
                }
            });
        }
        Formula::any(formulas)
    }

    fn times(&mut self) -> Formula {
        let zone = self.translator.zone.clone();
        if zone.is_none() {
            self.differs(
                "times are taken as UTC; Squid takes the machine's own time: `--zone` says which",
            );
        }
        let mut items = Vec::new();
        let acl = self.acl;
        for line in &acl.lines {
            let words: Vec<&str> = line
                .values
                .iter()
                .map(|value| value.text.as_str())
                .collect();
            let schedules = time::schedules(&words).and_then(|schedules| {
                let with_zone = schedules.into_iter().map(|schedule| match &zone {
                    Some(zone) if zone != "UTC" => format!("{schedule} {zone}"),
                    _ => schedule,
                });
                let with_zone: Vec<String> = with_zone.collect();
                for item in &with_zone {
                    self.translator
                        .checker
                        .check(&Field::Time, Question::TimeOfDay, item)?;
                }
                Ok(with_zone)
            });
            match schedules {
                Ok(schedules) => items.extend(schedules),
                Err(why) => line
                    .values
                    .iter()
                    .for_each(|value| self.leave(value, why.clone())),
            }
        }
        self.condition(Field::Time, Question::TimeOfDay, items)
    }

    fn users(&mut self) -> Formula {
        self.differs(AUTHENTICATION);
        let (mut exact, mut loose) = (Vec::new(), Vec::new());
        for value in self.values() {
            if value.text == "REQUIRED" {
                return Condition::null(Field::Principal, false).into();
            }
            let (question, items) = if value.ignore_case {
                (Question::EqualsIgnoreCase, &mut loose)
            } else {
                (Question::Equals, &mut exact)
            };
            let text = value.text.clone();
            match self
                .translator
                .checker
                .check(&Field::Principal, question, &text)
            {
                Ok(()) => items.push(text),
                Err(why) => self.left.push((value.place.clone(), text, why)),
            }
        }
        Formula::any([
            self.condition(Field::Principal, Question::Equals, exact),
            self.condition(Field::Principal, Question::EqualsIgnoreCase, loose),
        ])
    }

    /// Lines may name different headers.
    fn headers(&mut self, prefix: &str) -> Result<Formula, String> {
        let acl = self.acl;
        let mut formulas = Vec::new();
        for line in &acl.lines {
            let name = line.header.as_deref().unwrap_or("");
            let field = Field::parse(&format!("{prefix}{name}"))
                .ok_or_else(|| format!("`{name}` is no name of a header"))?;
            let mut items = Vec::new();
            for value in &line.values {
                let ours = in_case(&from_posix(lean(&value.text)), value.ignore_case);
                items.extend(self.checked(&field, Question::Matches, ours, value));
            }
            formulas.push(self.condition(field, Question::Matches, items));
        }
        if prefix.starts_with("request") {
            self.differs(
                "fields of a CONNECT request itself are not looked at; several fields of one name are matched one by one, not joined",
            );
        }
        Ok(Formula::any(formulas))
    }

    /// The name in the ClientHello, or the one that the CONNECT asks for.
    fn server_names(&mut self) -> Formula {
        self.differs(SERVER_NAME);
        let sni = self.domains(&Field::TlsSni);
        // The same values again: what is left was said once.
        let left = self.left.len();
        let asked = self.domains(&Field::DestinationDomain);
        self.left.truncate(left);
        without_sni(sni, asked)
    }

    fn server_name_expressions(&mut self) -> Formula {
        self.differs(SERVER_NAME);
        let sni = self.expressions(&Field::TlsSni);
        let left = self.left.len();
        let asked = self.expressions(&Field::DestinationDomain);
        self.left.truncate(left);
        without_sni(sni, asked)
    }
}

const AUTHENTICATION: &str = "whether and how users prove who they are is configuration; a request without a user just does not match";
const HTTPS: &str = "`HTTPS` is TLS inside a CONNECT, decrypted or not, and known after resolution; Squid asks it of decrypted requests alone";
const CONTENT_TYPE: &str =
    "matched without regard to case, and without parameters unless the expression has a `;`";
const SERVER_NAME: &str = "the name in the ClientHello, else the one that the CONNECT asks for; the server's certificate has no part in it";

fn without_sni(sni: Formula, asked: Formula) -> Formula {
    let absent = Condition::null(Field::TlsSni, true);
    Formula::any([sni, Formula::all([absent.into(), asked])])
}

/// Any of them, where conditions that ask the same question are one with all values.
fn joined(formulas: Vec<Formula>) -> Formula {
    let mut kept: Vec<Formula> = Vec::new();
    let flat = formulas.into_iter().flat_map(|formula| match formula {
        Formula::Any(parts) => parts,
        other => vec![other],
    });
    for formula in flat {
        let same = kept.iter_mut().find_map(|other| match (other, &formula) {
            (Formula::One(other), Formula::One(one))
                if other.field == one.field && other.operator == one.operator =>
            {
                Some(other)
            }
            _ => None,
        });
        match (same, formula) {
            (Some(other), Formula::One(one)) => {
                let mut items = other.values.items.clone();
                items.extend(one.values.items.iter().cloned());
                other.values = std::rc::Rc::new(Values {
                    name: other.values.name.clone(),
                    origin: other.values.origin.clone(),
                    items,
                });
            }
            (_, formula) => kept.push(formula),
        }
    }
    Formula::any(kept)
}

/// Without the wildcards at its start, which change nothing; Squid drops them too.
fn lean(pattern: &str) -> &str {
    let mut rest = pattern.strip_prefix("^.*").unwrap_or(pattern);
    while let Some(after) = rest.strip_prefix(".*") {
        rest = after;
    }
    // A repetition sign would have repeated what was dropped.
    if rest.is_empty() || rest.starts_with(['?', '+', '*', '{', '|']) {
        pattern
    } else {
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needless_wildcards_go() {
        for (pattern, lean_pattern) in [
            ("^.*ads", "ads"),
            (".*.*ads", "ads"),
            (".*", ".*"),
            (".*?x", ".*?x"),
            (".*|x", ".*|x"),
            ("^ads", "^ads"),
        ] {
            assert_eq!(lean(pattern), lean_pattern);
        }
    }
}
