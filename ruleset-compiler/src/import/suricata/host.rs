//! Hosts: names as questions about a name, and addresses, which are text for a firewall and no name
//! here, as networks where there is no name.

use std::net::IpAddr;

use sallyport_ruleset::{Field, Protocol};

use super::super::condition::{Condition, Formula};
use super::address::{self, Addresses, Extent};
use super::ask::{Absent, Asker, condition, like, listed, protocols};
use super::bound::{Bound, Difference};
use super::chain::Sought;
use super::text::{self, Literal, Pattern};
use super::unsupported::Unsupported;
use crate::operator::Question;

impl Asker<'_> {
    pub(super) fn host(
        &mut self,
        field: &Field,
        sought: &[Sought],
    ) -> Result<Formula, Unsupported> {
        let mut asked = Vec::new();
        let mut is_positive = false;
        for one in sought {
            let formula = self.name(field, &one.pattern)?;
            asked.push(if one.negated {
                formula.negated()
            } else {
                formula
            });
            is_positive |= !one.negated;
        }
        for (items, negated) in listed(self.used) {
            let formula = self.names(field, items)?;
            asked.push(if negated { formula.negated() } else { formula });
            is_positive |= !negated;
        }
        if self.used.absent == Some(Absent::Only) {
            return Ok(self.presence(field, Vec::new(), false));
        }
        let addresses = self.addresses(sought)?;
        if *field == Field::DestinationDomain && addresses.is_all() && !is_positive {
            // A request always has a host; where it has no name, it is an address.
            return Ok(Formula::all(asked));
        }
        let names = self.presence(field, asked, !is_positive);
        let nameless = self.nameless(field, &addresses);
        Ok(Formula::any([names, nameless]))
    }

    fn addresses(&self, sought: &[Sought]) -> Result<Addresses, Unsupported> {
        let dotprefix = self.used.dotprefix;
        let mut expressions = Vec::with_capacity(sought.len());
        for one in sought {
            expressions.push((over_host(&one.pattern, dotprefix), one.negated));
        }
        for (items, negated) in listed(self.used) {
            let items = items.iter().map(|item| text::escaped(item));
            let items: Vec<String> = items.collect();
            expressions.push((format!("^(?:{})$", items.join("|")), negated));
        }
        address::matching(&expressions)
    }

    /// A request for an address whose text matches.
    fn nameless(&mut self, field: &Field, addresses: &Addresses) -> Formula {
        if addresses.is_none() {
            return Formula::Never;
        }
        let is_sni = *field == Field::TlsSni;
        if is_sni && self.bound == Bound::Narrower {
            self.differ(Difference::narrower(
                "a ClientHello that names an address counts as one without a name, which does not match",
            ));
            return Formula::Never;
        }
        let mut networks: Vec<String> = match &addresses.version_4 {
            Some(networks) => networks.iter().map(ToString::to_string).collect(),
            None => {
                self.differ(self.many("IPv4"));
                self.all_if_wider("0.0.0.0/0")
            }
        };
        networks.extend(match addresses.version_6 {
            Extent::None => Vec::new(),
            Extent::All => vec!["::/0".to_owned()],
            Extent::Some => {
                self.differ(self.many("IPv6"));
                self.all_if_wider("::/0")
            }
        });
        let null = |field: &Field| Formula::from(Condition::null(field.clone(), true));
        let at = if addresses.is_all() {
            Formula::Always
        } else {
            condition(Field::DestinationIp, Question::Ip, "addresses", networks)
        };
        let nameless = Formula::all([null(&Field::DestinationDomain), at]);
        if !is_sni {
            return nameless;
        }
        self.differ(Difference::wider(
            "a ClientHello that names an address counts as one without a name, so TLS to such an address is meant",
        ));
        let tls = protocols(&[Protocol::Https, Protocol::Wss]);
        Formula::all([tls, null(field), nameless])
    }

    fn all_if_wider(&self, all: &str) -> Vec<String> {
        match self.bound {
            Bound::Wider => vec![all.to_owned()],
            Bound::Narrower => Vec::new(),
        }
    }

    fn many(&self, version: &str) -> Difference {
        match self.bound {
            Bound::Wider => Difference::wider(&format!(
                "some {version} addresses match as text, too many to name: all of them are meant where the host is one"
            )),
            Bound::Narrower => Difference::narrower(&format!(
                "some {version} addresses match as text, too many to name: none of them is meant"
            )),
        }
    }

    /// A pattern as a question about a name.
    fn name(&mut self, field: &Field, pattern: &Pattern) -> Result<Formula, Unsupported> {
        let Pattern::Literal(literal) = pattern else {
            if self.used.dotprefix && !matches!(pattern, Pattern::AtLeast(_)) {
                return Err(Unsupported::BehindDotprefix);
            }
            let expression = over_host(pattern, self.used.dotprefix);
            return self.expression_over_names(field, expression);
        };
        let text = literal.text()?;
        if !literal.nocase && text.chars().any(|c| c.is_ascii_uppercase()) {
            let note = "names are compared without regard to case";
            self.differ(match self.bound {
                Bound::Wider => Difference::wider(note),
                Bound::Narrower => Difference::plain(note),
            });
        }
        let text = text.to_ascii_lowercase();
        if self.used.dotprefix {
            return self.dot_prefixed(field, &text, literal);
        }
        if literal.is_whole() {
            if text.parse::<IpAddr>().is_ok() {
                return Ok(Formula::Never);
            }
            return self.one(field, Question::Equals, text);
        }
        if text.contains(['*', '?']) {
            return self.expression_over_names(field, pattern.expression());
        }
        let wild = like(literal, &text);
        self.one(field, Question::Like, wild)
            .or_else(|_| self.expression_over_names(field, pattern.expression()))
    }

    fn expression_over_names(
        &mut self,
        field: &Field,
        expression: String,
    ) -> Result<Formula, Unsupported> {
        let expression = if expression.starts_with("(?i)") {
            expression
        } else {
            format!("(?i){expression}")
        };
        self.one(field, Question::Matches, expression)
    }

    /// `.example.com` at the end of a name with a dot before it: the name and all names under it.
    fn dot_prefixed(
        &mut self,
        field: &Field,
        text: &str,
        literal: &Literal,
    ) -> Result<Formula, Unsupported> {
        let mut like = |pattern: String| self.one(field, Question::Like, pattern);
        match (text.strip_prefix('.'), literal.starts, literal.ends) {
            (Some(name), false, true) => self.one(field, Question::Domain, name.to_owned()),
            (Some(name), true, true) => self.one(field, Question::Equals, name.to_owned()),
            (Some(name), true, false) => like(format!("{name}*")),
            (Some(name), false, false) => Ok(Formula::any([
                like(format!("{name}*"))?,
                like(format!("*.{name}*"))?,
            ])),
            (None, true, _) => Ok(Formula::Never),
            (None, false, true) => like(format!("*{text}")),
            (None, false, false) => like(format!("*{text}*")),
        }
    }

    /// Whole names; what is an address among them is asked elsewhere.
    fn names(&mut self, field: &Field, items: &[Vec<u8>]) -> Result<Formula, Unsupported> {
        let mut names = Vec::new();
        for item in items {
            let name = std::str::from_utf8(item).map_err(|_| Unsupported::ListNoText)?;
            if name.parse::<IpAddr>().is_err() {
                names.push(name.to_ascii_lowercase());
            }
        }
        self.any_of(field, Question::Equals, names)
    }
}

/// A pattern over a host, perhaps with a dot before it, as an expression over the host alone.
fn over_host(pattern: &Pattern, dotprefix: bool) -> String {
    match pattern {
        _ if !dotprefix => pattern.expression(),
        Pattern::Expression(expression) => expression.clone(),
        Pattern::AtLeast(bytes_count) => {
            format!("(?s)^.{{{}}}", bytes_count.saturating_sub(1))
        }
        Pattern::Literal(literal) => {
            let Some(below) = literal.bytes.strip_prefix(b".") else {
                if literal.starts {
                    return "[^\\x00-\\xFF]".to_owned();
                }
                return pattern.expression();
            };
            let text = text::escaped(below);
            let start = if literal.starts { "^" } else { r"(?:^|\.)" };
            let end = if literal.ends { "$" } else { "" };
            format!("(?i){start}{text}{end}")
        }
    }
}
