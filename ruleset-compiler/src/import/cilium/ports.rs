//! `toPorts`: ports, and what requests through them must look like.

use sallyport_ruleset::Field;

use super::super::book::{one, port, ports};
use super::super::condition::Formula;
use super::super::json::Json;
use super::super::report::{Difference, Effect};
use super::unsupported::Unsupported;
use super::walk::{Peer, Walk};
use crate::operator::Question;

impl Walk {
    /// Ports, any of them. `None`: nothing that a proxy carries is left of the rule.
    pub(super) fn peer_ports(&mut self, peer: &Peer<'_>) -> Option<(Formula, Vec<usize>)> {
        let Some(list) = peer.json.get("toPorts") else {
            return Some((Formula::Always, Vec::new()));
        };
        let of_leaving = Effect::of_leaving(peer.action);
        let (mut alternatives, mut entries) = (Vec::new(), Vec::new());
        for item in list.elements() {
            let (numbers, found) = self.ports_of(item, of_leaving);
            entries.extend(found);
            let Some(numbers) = numbers else { continue };
            let (Some(requests), Some(names)) =
                (self.http(item, peer), self.server_names(item, peer))
            else {
                continue;
            };
            alternatives.push(Formula::all([ports(&numbers), requests, names]));
        }
        (!alternatives.is_empty()).then(|| (Formula::any(alternatives), entries))
    }

    /// The ports of one item; `None`: none that a proxy carries. An empty list: every port.
    fn ports_of(&mut self, item: &Json, of_leaving: Effect) -> (Option<Vec<String>>, Vec<usize>) {
        let (mut numbers, mut entries) = (Vec::new(), Vec::new());
        let list = item.get("ports").map_or(&[][..], Json::elements);
        for one in list {
            let shown = one.shown();
            let protocol = one.get("protocol").and_then(Json::word).unwrap_or("ANY");
            if !["TCP", "ANY"].contains(&protocol) {
                let why = "a forward proxy carries TCP only";
                self.book.unneeded(one.line, &shown, "ports", why);
                continue;
            }
            let first = one.get("port").and_then(Json::word).unwrap_or("");
            if first == "0" {
                entries.push(self.book.carried(one.line, &shown, "ports"));
                return (Some(Vec::new()), entries);
            }
            let written = match one.get("endPort").and_then(Json::word) {
                Some(last) if last != "0" => format!("{first}-{last}"),
                _ => first.to_owned(),
            };
            match port(&written) {
                Some(number) => {
                    numbers.push(number);
                    entries.push(self.book.carried(one.line, &shown, "ports"));
                }
                None => {
                    let why = "ports of pods have names; here they are numbers";
                    self.book
                        .left(one.line, &shown, "ports", Difference::new(of_leaving, why));
                }
            }
        }
        if list.is_empty() {
            return (Some(Vec::new()), entries);
        }
        (
            if numbers.is_empty() {
                None
            } else {
                Some(numbers)
            },
            entries,
        )
    }

    /// The names that a ClientHello may ask for, and what else an item says. `None`: it is left.
    fn server_names(&mut self, item: &Json, peer: &Peer<'_>) -> Option<Formula> {
        let mut formula = Formula::Always;
        for (key, value) in item.members() {
            match key.as_str() {
                "ports" | "rules" => {}
                "serverNames" => {
                    let names: Vec<String> = value
                        .elements()
                        .iter()
                        .filter_map(Json::word)
                        .map(str::to_owned)
                        .collect();
                    let check =
                        |name: &String| self.book.check(&Field::TlsSni, Question::Equals, name);
                    let refused = names.iter().map(check).find_map(Result::err);
                    let has_wildcard = names.iter().any(|name| name.contains('*'));
                    if refused.is_some() || has_wildcard {
                        let why = refused.map_or(Unsupported::ServerNamePattern, Unsupported::from);
                        let effect = Effect::of_leaving(peer.action);
                        self.leave(value, key, effect, &why.to_string());
                        return None;
                    }
                    let shown = format!("{key}: {}", value.shown());
                    self.book.carried(value.line, &shown, key);
                    formula = one(Field::TlsSni, Question::Equals, "server-names", &names);
                }
                "terminatingTLS" | "originatingTLS" | "listener" => {
                    self.leave(
                        value,
                        key,
                        Effect::Neither,
                        "TLS and listeners are configuration here",
                    );
                }
                _ => {
                    let why = "it is no part of a rule that is known here";
                    self.leave(value, key, Effect::of_leaving(peer.action), why);
                    return None;
                }
            }
        }
        Some(formula)
    }

    /// What requests must look like; `None`: none of it can be said, so the item is left.
    fn http(&mut self, item: &Json, peer: &Peer<'_>) -> Option<Formula> {
        let Some(rules) = item.get("rules") else {
            return Some(Formula::Always);
        };
        let mut alternatives = Vec::new();
        for (key, value) in rules.members() {
            if key == "dns" {
                let shown = format!("dns: {}", value.shown());
                self.book.unneeded(
                    value.line,
                    &shown,
                    "rules dns",
                    "names are resolved by the proxy itself",
                );
                continue;
            }
            if key != "http" {
                let why = "of protocols inside a connection only HTTP is known here";
                self.leave(value, key, Effect::of_leaving(peer.action), why);
                continue;
            }
            for rule in value.elements() {
                match self.http_rule(rule) {
                    Ok(formula) => {
                        self.http_entry(rule);
                        alternatives.push(formula);
                    }
                    Err(why) => {
                        let why = Difference::new(Effect::of_leaving(peer.action), why);
                        self.book.left(rule.line, &rule.shown(), "rules http", why);
                    }
                }
            }
        }
        if alternatives.is_empty() {
            None
        } else {
            Some(Formula::any(alternatives))
        }
    }

    fn http_entry(&mut self, rule: &Json) {
        let entry = self.book.carried(rule.line, &rule.shown(), "rules http");
        let path = rule.get("path").and_then(Json::word);
        if path.is_some_and(|path| !path.ends_with(".*")) {
            let note = "requests with a query are not allowed by it, as an expression is also asked of the path alone here";
            self.book.differ(entry, Effect::Narrower, note);
        }
    }

    fn http_rule(&mut self, rule: &Json) -> Result<Formula, Unsupported> {
        let mut parts = Vec::new();
        for (key, value) in rule.members() {
            let text = value.word().unwrap_or("");
            let whole = format!("^(?:{text})$");
            let field = match key.as_str() {
                "method" => Field::HttpMethod,
                "path" => {
                    // The field is the path with its query, and also without it.
                    if !text.ends_with(".*") {
                        let query = [r"\?".to_owned()];
                        let query = one(Field::HttpUri, Question::Matches, "query", &query);
                        parts.push(query.negated());
                    }
                    Field::HttpUri
                }
                "host" => Field::DestinationDomain,
                _ => return Err(Unsupported::RequestKey(key.clone())),
            };
            self.book.check(&field, Question::Matches, &whole)?;
            parts.push(one(field, Question::Matches, key, &[whole]));
        }
        Ok(Formula::all(parts))
    }
}
