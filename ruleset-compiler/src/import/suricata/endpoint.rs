//! Addresses and ports: lists, negations, ranges and variables.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net, Ipv4Subnets};
use sallyport_ruleset::Field;

use super::super::condition::{Checker, Condition, Formula, Values, operator};
use super::parse::list_items;
use super::unsupported::Unsupported;
use crate::operator::Question;

/// Variables inside variables, and lists inside lists, at most so deep.
const NESTING_MAX: usize = 16;

/// Reads addresses and ports.
#[derive(Debug)]
pub(super) struct Endpoints<'a> {
    /// Without the `$`.
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) checker: &'a mut Checker,
    /// Variables that nobody defined and that were taken for any address.
    pub(super) taken_for_any: Vec<String>,
    /// What is read is what is not meant.
    pub(super) is_negated: bool,
}

impl Endpoints<'_> {
    /// What addresses ask of a field.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub(super) fn addresses(&mut self, text: &str, field: &Field) -> Result<Formula, Unsupported> {
        self.expression(text, field, 0)
    }

    /// What ports ask of a field.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub(super) fn ports(&mut self, text: &str, field: &Field) -> Result<Formula, Unsupported> {
        self.expression(text, field, 0)
    }

    fn expression(
        &mut self,
        text: &str,
        field: &Field,
        depth: usize,
    ) -> Result<Formula, Unsupported> {
        if depth > NESTING_MAX {
            return Err(Unsupported::Nesting(NESTING_MAX));
        }
        let text = text.trim();
        if let Some(inner) = text.strip_prefix('!') {
            self.is_negated = !self.is_negated;
            let formula = self.expression(inner, field, depth + 1);
            self.is_negated = !self.is_negated;
            return formula.map(Formula::negated);
        }
        if let Some(inner) = text
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
        {
            return self.list(inner, field, depth);
        }
        if let Some(name) = text.strip_prefix('$') {
            return self.variable(name, field, depth);
        }
        if let Some(name) = text.strip_prefix('@') {
            if self.variables.contains_key(name) {
                return self.variable(name, field, depth);
            }
            return Err(Unsupported::Reference {
                text: text.to_owned(),
                name: name.to_owned(),
            });
        }
        if text.eq_ignore_ascii_case("any") {
            return Ok(Formula::Always);
        }
        self.single(text, field)
    }

    /// Any of the plain items, and none of the negated ones.
    fn list(&mut self, inner: &str, field: &Field, depth: usize) -> Result<Formula, Unsupported> {
        let (mut wanted, mut parts) = (Vec::new(), Vec::new());
        for item in list_items(inner) {
            let formula = self.expression(item, field, depth + 1)?;
            if item.starts_with('!') {
                parts.push(formula);
            } else {
                wanted.push(formula);
            }
        }
        if !wanted.is_empty() {
            parts.push(joined(wanted));
        }
        Ok(Formula::all(parts))
    }

    fn variable(
        &mut self,
        name: &str,
        field: &Field,
        depth: usize,
    ) -> Result<Formula, Unsupported> {
        if let Some(value) = self.variables.get(name) {
            let value = value.clone();
            return self.expression(&value, field, depth + 1);
        }
        match name {
            // On the firewall it is what is not the home network.
            "EXTERNAL_NET" if self.variables.contains_key("HOME_NET") => {
                self.expression("!$HOME_NET", field, depth + 1)
            }
            // Anything but any address would be none.
            "HOME_NET" | "EXTERNAL_NET" if !self.is_negated => {
                if !self.taken_for_any.iter().any(|known| known == name) {
                    self.taken_for_any.push(name.to_owned());
                }
                Ok(Formula::Always)
            }
            _ => Err(Unsupported::Variable(name.to_owned())),
        }
    }

    fn single(&mut self, text: &str, field: &Field) -> Result<Formula, Unsupported> {
        let (question, items) = match field {
            Field::SourceIp | Field::DestinationIp => (Question::Ip, networks(text)),
            _ => match text.split_once(':') {
                None => (Question::Between, vec![format!("{text}-{text}")]),
                Some((from, to)) => {
                    let from = if from.is_empty() { "0" } else { from };
                    let to = if to.is_empty() { "65535" } else { to };
                    (Question::Between, vec![format!("{from}-{to}")])
                }
            },
        };
        for item in &items {
            self.checker.check(field, question, item)?;
        }
        let values = Values {
            name: "endpoints".to_owned(),
            origin: String::new(),
            items,
        };
        Ok(Condition::new(field.clone(), operator(question, false), values).into())
    }
}

/// One address, network (its bits behind the prefix do not count), netmask or range, as networks.
fn networks(text: &str) -> Vec<String> {
    let as_written = || vec![text.to_owned()];
    if let Some((first, last)) = text.split_once('-') {
        let ends = (first.trim().parse(), last.trim().parse());
        let (Ok(first), Ok(last)) = ends else {
            return as_written();
        };
        let subnets = Ipv4Subnets::new(first, last, 0);
        return subnets.map(|subnet| subnet.to_string()).collect();
    }
    let Some((address, mask)) = text.split_once('/') else {
        return as_written();
    };
    let masked = (address.parse::<Ipv4Addr>(), mask.parse::<Ipv4Addr>());
    if let (Ok(address), Ok(mask)) = masked {
        let network = Ipv4Net::with_netmask(address, mask);
        return network.map_or_else(
            |_| as_written(),
            |network| vec![network.trunc().to_string()],
        );
    }
    let network = text.parse::<IpNet>();
    network.map_or_else(
        |_| as_written(),
        |network| vec![network.trunc().to_string()],
    )
}

/// Any of them, where those that ask the same are one condition.
fn joined(formulas: Vec<Formula>) -> Formula {
    let mut kept: Vec<Formula> = Vec::new();
    for formula in formulas {
        let same = kept.iter_mut().find_map(|other| match (other, &formula) {
            (Formula::One(other), Formula::One(one))
                if other.operator == one.operator && !one.operator.negated =>
            {
                Some(other)
            }
            _ => None,
        });
        match (same, formula) {
            (Some(other), Formula::One(one)) => {
                let items = other.values.items.iter().chain(&one.values.items);
                let values = Values {
                    name: other.values.name.clone(),
                    origin: String::new(),
                    items: items.cloned().collect(),
                };
                *other = Condition::new(other.field.clone(), other.operator, values);
            }
            (_, formula) => kept.push(formula),
        }
    }
    Formula::any(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, field: &Field) -> String {
        let variables = BTreeMap::from([
            (
                "HOME_NET".to_owned(),
                "[10.0.0.0/8,192.168.0.0/16]".to_owned(),
            ),
            ("LOOP".to_owned(), "$LOOP".to_owned()),
        ]);
        let mut checker = Checker::default();
        let mut endpoints = Endpoints {
            variables: &variables,
            checker: &mut checker,
            taken_for_any: Vec::new(),
            is_negated: false,
        };
        let Ok(formula) = endpoints.expression(text, field, 0) else {
            return "bad".to_owned();
        };
        let show = |condition: &Condition| {
            let negated = if condition.operator.negated { "!" } else { "" };
            format!("{negated}{}", condition.values.items.join("|"))
        };
        let rules = formula.alternatives().unwrap();
        let rules: Vec<String> = rules
            .iter()
            .map(|rule| rule.iter().map(show).collect::<Vec<_>>().join(" & "))
            .collect();
        rules.join(" or ")
    }

    #[test]
    fn expressions() {
        for (text, expected) in [
            ("any", ""),
            ("192.0.2.1", "192.0.2.1"),
            ("!192.0.2.0/24", "!192.0.2.0/24"),
            (
                "[192.0.2.0/24,198.51.100.0/24,!192.0.2.7]",
                "!192.0.2.7 & 192.0.2.0/24|198.51.100.0/24",
            ),
            ("$HOME_NET", "10.0.0.0/8|192.168.0.0/16"),
            ("$EXTERNAL_NET", "!10.0.0.0/8|192.168.0.0/16"),
            (
                "![$HOME_NET,192.0.2.1]",
                "!10.0.0.0/8|192.168.0.0/16|192.0.2.1",
            ),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("192.0.2.0/255.255.255.0", "192.0.2.0/24"),
            ("192.0.2.1-192.0.2.3", "192.0.2.1/32|192.0.2.2/31"),
            ("$NONE", "bad"),
            ("$LOOP", "bad"),
            ("@REFERENCE", "bad"),
            ("example.com", "bad"),
        ] {
            assert_eq!(shown(text, &Field::DestinationIp), expected, "{text}");
        }
        for (text, expected) in [
            ("443", "443-443"),
            ("[80,443,8000:8099]", "80-80|443-443|8000-8099"),
            ("1024:", "1024-65535"),
            ("!:1023", "!0-1023"),
            ("x", "bad"),
        ] {
            assert_eq!(shown(text, &Field::DestinationPort), expected, "{text}");
        }
    }
}
