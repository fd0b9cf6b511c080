//! What each type of ACL asks: its values as a formula over the fields of a request.

use sallyport_ruleset::{Field, Protocol};

use super::super::condition::{Condition, Formula, Values, operator};
use super::super::regex::from_posix;
use super::super::report::Matching;
use super::acl::{Acl, AclValue, Differences, LeftValues, Translator, View};
use super::address::{Addresses, addresses};
use super::time;
use super::unsupported::Unsupported;
use super::url_regex::{self, in_case, lean, protocol};
use super::vocabulary;
use crate::operator::{Comparison, Question};

/// One ACL being worked on.
pub(super) struct Work<'t, 'a> {
    translator: &'t mut Translator,
    acl: &'a Acl,
    view: View,
    differences: Differences,
    left: LeftValues,
}

impl<'t, 'a> Work<'t, 'a> {
    pub(super) const fn new(translator: &'t mut Translator, acl: &'a Acl, view: View) -> Self {
        Self {
            translator,
            acl,
            view,
            differences: Vec::new(),
            left: Vec::new(),
        }
    }

    /// What is different, and the values that are left.
    pub(super) fn finish(self) -> (Differences, LeftValues) {
        (self.differences, self.left)
    }

    /// What the ACL asks.
    ///
    /// # Errors
    /// Why it cannot be carried over.
    pub(super) fn formula(&mut self) -> Result<Formula, Unsupported> {
        Ok(match self.acl.kind.as_str() {
            "src" => self.networks(Field::SourceIp),
            "dst" => self.destination(),
            "dstdomain" => {
                self.differs_by_names();
                self.domains(&Field::DestinationDomain)
            }
            "dstdom_regex" => {
                self.differs_by_names();
                self.expressions(&Field::DestinationHost)
            }
            "port" => self.numbers(Field::DestinationPort, 0),
            "http_status" => self.numbers(Field::ResponseStatusCode, 999),
            "method" => self.methods(),
            "proto" => self.schemes(),
            "time" => self.times(),
            "url_regex" => self.urls(),
            "urlpath_regex" => self.paths(),
            "proxy_auth" => self.users(),
            "proxy_auth_regex" => {
                self.differs(Matching::Same, AUTHENTICATION);
                self.expressions(&Field::Principal)
            }
            "browser" => self.request_field(&Field::HttpUserAgent),
            "referer_regex" => self.request_field(&Field::RequestHeader("referer".into())),
            "req_mime_type" => {
                self.differs(Matching::Same, CONTENT_TYPE);
                self.request_field(&Field::HttpContentType)
            }
            "rep_mime_type" => {
                self.differs(Matching::More, CONTENT_TYPE);
                self.expressions(&Field::ResponseContentType)
            }
            "req_header" => self.headers("request:Http:Header/")?,
            "rep_header" => self.headers("response:Http:Header/")?,
            "ssl::server_name" => self.server_names(),
            "ssl::server_name_regex" => self.server_name_expressions(),
            other => {
                let why = vocabulary::acl_type_left(other);
                return Err(Unsupported::AclType(
                    why.unwrap_or("Squid knows no ACL of this type"),
                ));
            }
        })
    }

    fn differs(&mut self, matching: Matching, difference: &str) {
        if !self
            .differences
            .iter()
            .any(|(_, known)| known == difference)
        {
            self.differences.push((matching, difference.to_owned()));
        }
    }

    fn leave(&mut self, value: &AclValue, why: &dyn std::fmt::Display) {
        self.left
            .push((value.place.clone(), value.text.clone(), why.to_string()));
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
                self.leave(value, &why);
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
                Err(why) => self.leave(value, &why),
            }
        }
        items.dedup();
        self.condition(field, Question::Ip, items)
    }

    fn destination(&mut self) -> Formula {
        let formula = self.networks(Field::DestinationIp);
        let (banned, looked_up): (Vec<_>, Vec<_>) =
            self.acl.lines.iter().partition(|line| line.no_lookup);
        // Of lines of both sorts the stricter reading is taken, and what it may miss is told.
        if !looked_up.is_empty() && formula != Formula::Always {
            self.differs(Matching::Fewer, ONE_ADDRESS);
        }
        if banned.is_empty() {
            return formula;
        }
        let literal = Condition::null(Field::DestinationDomain, true);
        Formula::all([literal.into(), formula])
    }

    /// Squid asks for the name of an address in a URL, and takes `none` where it has none.
    fn differs_by_names(&mut self) {
        if self.acl.lines.iter().any(|line| !line.no_lookup) {
            self.differs(Matching::Fewer, LOOKED_UP);
        }
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
        // One condition for both: a negated ACL is then one rule all the same.
        let exact = if literals.is_empty() || *field != Field::DestinationDomain {
            self.condition(field.clone(), Question::Equals, names)
        } else {
            names.extend(literals);
            self.condition(Field::DestinationHost, Question::Equals, names)
        };
        Formula::any([
            self.condition(field.clone(), Question::Domain, trees),
            exact,
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
            items.extend(self.checked(field, Question::Matches, ours, value));
        }
        self.condition(field.clone(), Question::Matches, items)
    }

    fn request_field(&mut self, field: &Field) -> Formula {
        if self.view != View::Plain {
            self.differs(Matching::Fewer, CONNECT_FIELDS);
        }
        self.expressions(field)
    }

    /// The path, with the query: that of a CONNECT is empty.
    fn paths(&mut self) -> Formula {
        if self.view == View::Tunnel {
            return Formula::Never;
        }
        self.differs(Matching::Same, NORMAL_FORM);
        let (mut parts, mut wholes) = (Vec::new(), Vec::new());
        for value in self.values() {
            let ours = from_posix(lean(&value.text));
            match url_regex::path(&ours, value.ignore_case) {
                Ok((Field::HttpUri, ours)) => {
                    parts.extend(self.checked(&Field::HttpUri, Question::Matches, ours, value))
                }
                // No path is like that.
                Ok((_, ours)) if ours.is_empty() => {}
                Ok((field, ours)) => {
                    wholes.extend(self.checked(&field, Question::Matches, ours, value));
                }
                Err(why) => self.leave(value, &why),
            }
        }
        Formula::any([
            self.condition(Field::HttpUri, Question::Matches, parts),
            self.condition(Field::Url, Question::Matches, wholes),
        ])
    }

    /// The whole URL; of a CONNECT it is host and port.
    fn urls(&mut self) -> Formula {
        let field = match self.view {
            View::Tunnel => Field::Authority,
            View::Plain | View::Inside => Field::Url,
        };
        if field == Field::Url {
            self.differs(Matching::Same, NORMAL_FORM);
        }
        let mut items = Vec::new();
        for value in self.values() {
            let ours = from_posix(lean(&value.text));
            let ours = match field {
                Field::Authority => url_regex::authority(&ours, value.ignore_case),
                _ => url_regex::url(&ours, value.ignore_case),
            };
            match ours {
                // No URL is like that.
                Ok(ours) if ours.is_empty() => {}
                Ok(ours) => items.extend(self.checked(&field, Question::Matches, ours, value)),
                Err(why) => self.leave(value, &why),
            }
        }
        self.condition(field, Question::Matches, items)
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
            match (vocabulary::method(&value.text), self.view) {
                (method, View::Plain) if method == "CONNECT" => {}
                (method, View::Tunnel) if method == "CONNECT" => connect = Formula::Always,
                // One that is passed through; requests inside have methods of their own.
                (method, View::Inside) if method == "CONNECT" => {
                    connect = Condition::null(Field::HttpMethod, true).into();
                }
                (_, View::Tunnel) => {}
                (method, _) => {
                    items.extend(self.checked(&Field::HttpMethod, Question::Equals, method, value))
                }
            }
        }
        Formula::any([
            connect,
            self.condition(Field::HttpMethod, Question::Equals, items),
        ])
    }

    /// A CONNECT has no scheme.
    fn schemes(&mut self) -> Formula {
        let read = match self.view {
            View::Tunnel => Formula::Never,
            View::Plain => Formula::Always,
            View::Inside => Condition::null(Field::HttpMethod, false).into(),
        };
        let mut formulas = Vec::new();
        for value in self.values() {
            formulas.push(match value.text.to_ascii_uppercase().as_str() {
                "HTTP" => protocol(&[Protocol::Http, Protocol::Ws]),
                "HTTPS" => protocol(&[Protocol::Https, Protocol::Wss]),
                // Never true: nothing else passes here.
                "FTP" | "URN" | "WAIS" | "GOPHER" | "CACHE_OBJECT" | "ICP" | "HTCP" | "WHOIS"
                | "COAP" | "COAPS" | "ICY" => Formula::Never,
                _ => {
                    self.leave(value, &"Squid knows no such scheme");
                    Formula::Never
                }
            });
        }
        Formula::all([read, Formula::any(formulas)])
    }

    fn times(&mut self) -> Formula {
        let zone = self.translator.zone.clone();
        if zone.is_none() {
            self.differs(
                Matching::Other,
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
                Err(why) => line.values.iter().for_each(|value| self.leave(value, &why)),
            }
        }
        self.condition(Field::Time, Question::TimeOfDay, items)
    }

    fn users(&mut self) -> Formula {
        self.differs(Matching::Same, AUTHENTICATION);
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
                Err(why) => self.left.push((value.place.clone(), text, why.to_string())),
            }
        }
        Formula::any([
            self.condition(Field::Principal, Question::Equals, exact),
            self.condition(Field::Principal, Question::EqualsIgnoreCase, loose),
        ])
    }

    /// Lines may name different headers.
    fn headers(&mut self, prefix: &str) -> Result<Formula, Unsupported> {
        let acl = self.acl;
        let mut formulas = Vec::new();
        for line in &acl.lines {
            let name = line.header.as_deref().unwrap_or("");
            let field = Field::parse(&format!("{prefix}{name}"))
                .ok_or_else(|| Unsupported::HeaderName(name.to_owned()))?;
            let mut items = Vec::new();
            for value in &line.values {
                let ours = in_case(&from_posix(lean(&value.text)), value.ignore_case);
                items.extend(self.checked(&field, Question::Matches, ours, value));
            }
            formulas.push(self.condition(field, Question::Matches, items));
        }
        self.differs(
            Matching::Fewer,
            "several fields of one name are matched one by one, not joined",
        );
        if prefix.starts_with("request") && self.view != View::Plain {
            self.differs(Matching::Fewer, CONNECT_FIELDS);
        }
        Ok(Formula::any(formulas))
    }

    /// The name in the ClientHello, or the one that the CONNECT asks for.
    fn server_names(&mut self) -> Formula {
        if self.view != View::Inside {
            return self.domains(&Field::DestinationDomain);
        }
        self.differs(Matching::Other, SERVER_NAME);
        let sni = self.domains(&Field::TlsSni);
        // The same values again: what is left was said once.
        let left = self.left.len();
        let asked = self.domains(&Field::DestinationDomain);
        self.left.truncate(left);
        without_sni(sni, asked)
    }

    fn server_name_expressions(&mut self) -> Formula {
        if self.view != View::Inside {
            return self.expressions(&Field::DestinationHost);
        }
        self.differs(Matching::Other, SERVER_NAME);
        let sni = self.expressions(&Field::TlsSni);
        let left = self.left.len();
        let asked = self.expressions(&Field::DestinationDomain);
        self.left.truncate(left);
        without_sni(sni, asked)
    }
}

const AUTHENTICATION: &str =
    "how users prove who they are is configuration of the listener: `listener.client_ca`";
const LOOKED_UP: &str = "the name of an address in a URL is not looked up: where Squid finds one that matches, this does not match";
const ONE_ADDRESS: &str = "each address of a name is judged by itself, and only those that are allowed are dialed; in Squid one that matches is enough for all";
const NORMAL_FORM: &str = "seen in its normal form: dot segments are removed and a fragment is dropped before it is matched; escapes are matched as what they stand for";
const CONNECT_FIELDS: &str = "fields of a CONNECT itself are not seen: those of the requests inside are, where tunnels are looked into";
const CONTENT_TYPE: &str =
    "matched without regard to case, and without parameters unless the expression has a `;`";
const SERVER_NAME: &str = "the name in the ClientHello, else the one that the CONNECT asks for; the server's certificate has no part in it";

fn without_sni(sni: Formula, asked: Formula) -> Formula {
    let absent = Condition::null(Field::TlsSni, true);
    Formula::any([sni, Formula::all([absent.into(), asked])])
}
