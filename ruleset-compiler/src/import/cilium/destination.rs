//! What an entry of `egress` goes to: names, networks and entities.

use sallyport_ruleset::{Action, Field};

use super::super::book::{Target, Targets, one};
use super::super::condition::{Condition, Formula};
use super::super::json::Json;
use super::super::report::{Difference, Effect};
use super::pattern;
use super::unsupported::Unsupported;
use super::walk::{Peer, Walk};
use crate::operator::Question;

/// Networks that `world` does not mean: clusters are in them.
const INSIDE: [&str; 6] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "fc00::/7",
    "fe80::/10",
];

impl Walk {
    pub(super) fn names(
        &mut self,
        list: &Json,
        peer: &Peer<'_>,
        entries: &mut Vec<usize>,
    ) -> Formula {
        let mut targets = Targets::default();
        for item in list.elements() {
            for (key, value) in item.members() {
                let text = value.word().unwrap_or("");
                let target = match key.as_str() {
                    "matchName" => Ok(Target::Exact(text.trim_end_matches('.').to_owned())),
                    "matchPattern" => pattern::target(text),
                    _ => Err(Unsupported::NameKind),
                };
                let shown = format!("{key}: {text}");
                let added = target.and_then(|target| Ok(self.book.add(&mut targets, target)?));
                self.settle(value.line, &shown, key, peer, added, entries);
            }
        }
        targets.formula(&peer.name)
    }

    pub(super) fn networks(
        &mut self,
        list: &Json,
        peer: &Peer<'_>,
        entries: &mut Vec<usize>,
    ) -> Formula {
        let mut targets = Targets::default();
        for item in list.elements() {
            let text = item.word().unwrap_or("");
            let added = self
                .book
                .add(&mut targets, Target::Network(text.to_owned()))
                .map_err(Unsupported::from);
            let shown = if added.is_ok() {
                text.to_owned()
            } else {
                item.shown()
            };
            self.settle(item.line, &shown, "toCIDR", peer, added, entries);
        }
        targets.formula(&peer.name)
    }

    pub(super) fn network_sets(
        &mut self,
        list: &Json,
        peer: &Peer<'_>,
        entries: &mut Vec<usize>,
    ) -> Formula {
        let mut all = Vec::new();
        for item in list.elements() {
            let set = self.network_set(item);
            all.extend(self.settle(item.line, &item.shown(), "toCIDRSet", peer, set, entries));
        }
        Formula::any(all)
    }

    /// Tells of an item what became of it: it is carried, and its entry kept for what is told of the whole
    /// peer later, or it is left; what it is here, if it is.
    fn settle<T>(
        &mut self,
        line: usize,
        shown: &str,
        kind: &str,
        peer: &Peer<'_>,
        found: Result<T, Unsupported>,
        entries: &mut Vec<usize>,
    ) -> Option<T> {
        match found {
            Ok(found) => {
                entries.push(self.book.carried(line, shown, kind));
                Some(found)
            }
            Err(why) => {
                let why = Difference::new(Effect::of_leaving(peer.action), why);
                self.book.left(line, shown, kind, why);
                None
            }
        }
    }

    fn network_set(&mut self, item: &Json) -> Result<Formula, Unsupported> {
        let network = item
            .get("cidr")
            .and_then(Json::word)
            .ok_or(Unsupported::NetworkGroup)?;
        let except = item.get("except").map_or(&[][..], Json::elements);
        let except: Vec<String> = except
            .iter()
            .filter_map(Json::word)
            .map(str::to_owned)
            .collect();
        for text in std::iter::once(network).chain(except.iter().map(String::as_str)) {
            self.book.check(&Field::DestinationIp, Question::Ip, text)?;
        }
        let within = one(
            Field::DestinationIp,
            Question::Ip,
            "cidr",
            &[network.to_owned()],
        );
        let but = one(Field::DestinationIp, Question::Ip, "except", &except);
        Ok(Formula::all([within, but.negated()]))
    }

    pub(super) fn entities(
        &mut self,
        list: &Json,
        peer: &Peer<'_>,
        entries: &mut Vec<usize>,
    ) -> Formula {
        let mut all = Vec::new();
        for item in list.elements() {
            let word = item.word().unwrap_or("");
            let formula = match word {
                "all" => Ok(Formula::Always),
                "world" => Ok(world(peer.action)),
                _ => Err(Unsupported::Entity),
            };
            let shown = if formula.is_ok() {
                word.to_owned()
            } else {
                item.shown()
            };
            let found = self.settle(item.line, &shown, "toEntities", peer, formula, entries);
            if word == "world"
                && let Some(entry) = entries.last()
            {
                self.book.differ(*entry, Effect::Narrower, "which addresses are in the cluster is not known here: private networks are not allowed by this, and all is denied by it");
            }
            all.extend(found);
        }
        Formula::any(all)
    }
}

/// What is outside of the cluster, as much as can be said: it is denied with the inside, and allowed only
/// where it cannot be the inside.
fn world(action: Action) -> Formula {
    match action {
        Action::Deny => Formula::Always,
        Action::Allow | Action::Alert => {
            let inside = INSIDE.map(str::to_owned);
            let inside = one(Field::DestinationIp, Question::Ip, "inside", &inside);
            let known = Condition::null(Field::DestinationIp, false);
            Formula::all([known.into(), inside.negated()])
        }
    }
}
