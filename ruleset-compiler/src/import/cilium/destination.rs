//! What an entry of `egress` goes to: names, networks and entities.

use sallyport_ruleset::{Action, Field};

use super::super::book::{Target, Targets, one};
use super::super::condition::{Condition, Formula};
use super::super::json::Json;
use super::super::report::{Difference, Effect};
use super::pattern;
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
                    _ => Err("it is neither `matchName` nor `matchPattern`".to_owned()),
                };
                let shown = format!("{key}: {text}");
                match target.and_then(|target| self.book.add(&mut targets, target)) {
                    Ok(()) => entries.push(self.book.carried(value.line, &shown, key)),
                    Err(why) => {
                        let why = Difference::new(Effect::of_leaving(peer.action), why);
                        self.book.left(value.line, &shown, key, why);
                    }
                }
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
            match self
                .book
                .add(&mut targets, Target::Network(text.to_owned()))
            {
                Ok(()) => entries.push(self.book.carried(item.line, text, "toCIDR")),
                Err(why) => {
                    let why = Difference::new(Effect::of_leaving(peer.action), why);
                    self.book.left(item.line, &item.shown(), "toCIDR", why);
                }
            }
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
            match self.network_set(item) {
                Ok(formula) => {
                    entries.push(self.book.carried(item.line, &item.shown(), "toCIDRSet"));
                    all.push(formula);
                }
                Err(why) => {
                    let why = Difference::new(Effect::of_leaving(peer.action), why);
                    self.book.left(item.line, &item.shown(), "toCIDRSet", why);
                }
            }
        }
        Formula::any(all)
    }

    fn network_set(&mut self, item: &Json) -> Result<Formula, String> {
        let network = item
            .get("cidr")
            .and_then(Json::word)
            .ok_or("groups of networks are kept elsewhere: name the networks")?;
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
            match word {
                "all" => {
                    entries.push(self.book.carried(item.line, word, "toEntities"));
                    all.push(Formula::Always);
                }
                "world" => {
                    let entry = self.book.carried(item.line, word, "toEntities");
                    entries.push(entry);
                    let inside: Vec<String> =
                        INSIDE.iter().map(|text| (*text).to_owned()).collect();
                    let outside =
                        one(Field::DestinationIp, Question::Ip, "inside", &inside).negated();
                    let known = Condition::null(Field::DestinationIp, false);
                    let (formula, effect) = match peer.action {
                        Action::Deny => (Formula::Always, Effect::Narrower),
                        Action::Allow | Action::Alert => {
                            (Formula::all([known.into(), outside]), Effect::Narrower)
                        }
                    };
                    self.book.differ(entry, effect, "which addresses are in the cluster is not known here: private networks are not allowed by this, and all is denied by it");
                    all.push(formula);
                }
                _ => {
                    let why =
                        "what this is is known only in the cluster: name the hosts or networks";
                    let why = Difference::new(Effect::of_leaving(peer.action), why);
                    self.book.left(item.line, &item.shown(), "toEntities", why);
                }
            }
        }
        Formula::any(all)
    }
}
