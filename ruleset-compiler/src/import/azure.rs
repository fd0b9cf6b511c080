//! Azure Firewall: application and network rules of classic rule collections and of firewall policies,
//! from ARM templates and from what `az network firewall` prints.
//!
//! Collections are asked by priority, the lowest number first; network rules before application rules;
//! what no rule allows is denied.

use sallyport_ruleset::{Action, Field, Protocol};

use super::book::{Book, End, Rule, Target, Targets, documents, one, port, ports, protocols};
use super::condition::Formula;
use super::draft::DefaultsBy;
use super::input::InputFiles;
use super::json::Json;
use super::outcome::{Import, ImportError};
use super::report::{Difference, Effect};
use crate::operator::Question;

/// Imports the rule collections in a file.
///
/// # Errors
/// When it cannot be read, or its result does not compile.
pub fn import(files: &dyn InputFiles, path: &str) -> Result<Import, ImportError> {
    let documents = documents(files, path)?;
    let mut found = Vec::new();
    for document in &documents {
        collections(document, 0, &mut found);
    }
    // Network rules come before application rules, then groups and collections by priority.
    found.sort_by_key(|collection| {
        (
            collection.kind,
            collection.group_priority,
            collection.priority,
        )
    });
    let mut walk = Walk {
        book: Book::new(path),
    };
    for collection in &found {
        walk.collection(collection);
    }
    walk.book.finish(&End {
        path,
        format: "azure-firewall",
        what: "is a rule collection of Azure Firewall",
        default: Action::Deny,
        default_by: DefaultsBy::Source,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Network,
    Application,
}

struct Collection<'j> {
    json: &'j Json,
    kind: Kind,
    group_priority: u64,
    priority: u64,
}

/// A member, whatever the case of its first letter, of an object or of its `properties`.
fn member<'j>(json: &'j Json, name: &str) -> Option<&'j Json> {
    let find = |json: &'j Json| {
        let mut members = json.members().iter();
        members
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    find(json).or_else(|| json.get("properties").and_then(find))
}

fn number(json: &Json, name: &str) -> Option<u64> {
    member(json, name)?.word()?.parse().ok()
}

/// All collections below a value, with the priority of the group that they are in.
fn collections<'j>(json: &'j Json, group_priority: u64, found: &mut Vec<Collection<'j>>) {
    for (key, value) in json.members() {
        let kind = match key.to_ascii_lowercase().as_str() {
            "applicationrulecollections" => Some(Kind::Application),
            "networkrulecollections" => Some(Kind::Network),
            "rulecollections" => None,
            _ => {
                collections(value, group_priority, found);
                continue;
            }
        };
        let group = number(json, "priority").unwrap_or(group_priority);
        for collection in value.elements() {
            // In a policy each rule says its kind, and a collection has rules of one kind.
            let of_rules = || {
                let rules = member(collection, "rules").map_or(&[][..], Json::elements);
                let is_network = |rule: &Json| {
                    member(rule, "ruleType").and_then(Json::text) == Some("NetworkRule")
                };
                if rules.iter().any(is_network) {
                    Kind::Network
                } else {
                    Kind::Application
                }
            };
            found.push(Collection {
                json: collection,
                kind: kind.unwrap_or_else(of_rules),
                group_priority: if kind.is_some() { 0 } else { group },
                priority: number(collection, "priority").unwrap_or(u64::MAX),
            });
        }
    }
    for element in json.elements() {
        collections(element, group_priority, found);
    }
}

struct Walk {
    book: Book,
}

/// One rule being read.
struct Work<'j> {
    json: &'j Json,
    action: Action,
    name: String,
    /// Why a part that is left makes the whole rule left.
    lost: Option<String>,
    differences: Vec<Difference>,
}

impl Walk {
    fn collection(&mut self, collection: &Collection<'_>) {
        let json = collection.json;
        let word = member(json, "action").and_then(|action| {
            let of_type = action.get("type").or_else(|| action.get("Type"));
            of_type.map_or_else(|| action.text(), Json::text)
        });
        let name = json
            .get("name")
            .or_else(|| json.get("Name"))
            .and_then(Json::word)
            .unwrap_or("collection");
        let shown = format!(
            "{name}: priority {}, {}",
            collection.priority,
            word.unwrap_or("no action")
        );
        let action = match word.map(str::to_ascii_lowercase).as_deref() {
            Some("allow") => Action::Allow,
            Some("deny") => Action::Deny,
            _ => {
                let why = "it neither allows nor denies: addresses are translated for those who connect from outside";
                self.book.left(
                    json.line,
                    &shown,
                    "collection",
                    Difference::new(Effect::Neither, why),
                );
                return;
            }
        };
        self.book.carried(json.line, &shown, "collection");
        for rule in member(json, "rules").map_or(&[][..], Json::elements) {
            self.rule(rule, action, name, collection.kind);
        }
    }

    fn rule(&mut self, json: &Json, action: Action, collection: &str, kind: Kind) {
        let own = json
            .get("name")
            .or_else(|| json.get("Name"))
            .and_then(Json::word)
            .unwrap_or("rule");
        let mut work = Work {
            json,
            action,
            name: format!("{collection}-{own}"),
            lost: None,
            differences: Vec::new(),
        };
        let targets = match kind {
            Kind::Application => self.application(&mut work),
            Kind::Network => self.network(&mut work),
        };
        let formula = Formula::all([self.sources(&mut work), targets]);
        let label = match kind {
            Kind::Application => "application rule",
            Kind::Network => "network rule",
        };
        if let Some(why) = work.lost.take() {
            let why = Difference::new(Effect::of_leaving(action), why);
            self.book.left(json.line, &json.shown(), label, why);
            return;
        }
        if formula == Formula::Never {
            match work.differences.pop() {
                Some(difference) => self.book.left(json.line, &json.shown(), label, difference),
                None => self.book.unneeded(
                    json.line,
                    &json.shown(),
                    label,
                    "it never matches what a forward proxy carries",
                ),
            }
            return;
        }
        let entry = self.book.carried(json.line, &json.shown(), label);
        for difference in work.differences {
            self.book.differ(entry, difference.effect, difference.note);
        }
        self.book
            .rule(Rule::new(work.name, action, formula).from([entry]));
    }

    fn words(work: &Work<'_>, name: &str) -> Vec<String> {
        let list = member(work.json, name).map_or(&[][..], Json::elements);
        list.iter()
            .filter_map(Json::word)
            .map(str::to_owned)
            .collect()
    }

    fn sources(&mut self, work: &mut Work<'_>) -> Formula {
        let groups = Self::words(work, "sourceIpGroups");
        let addresses = Self::words(work, "sourceAddresses");
        if !groups.is_empty() {
            // Without them the rule is for fewer clients.
            work.differ_by_fewer("groups of addresses (`sourceIpGroups`) are kept elsewhere: the rule is not for them");
        }
        if addresses.iter().any(|address| address == "*")
            || (addresses.is_empty() && groups.is_empty())
        {
            return Formula::Always;
        }
        let networks = self.networks(work, addresses, &Field::SourceIp);
        one(
            Field::SourceIp,
            Question::Ip,
            &format!("{}-sources", work.name),
            &networks,
        )
    }

    /// The addresses, networks and ranges that are good.
    fn networks(&mut self, work: &mut Work<'_>, items: Vec<String>, field: &Field) -> Vec<String> {
        let mut good = Vec::new();
        for item in items {
            let read = super::addresses::networks(&item).and_then(|networks| {
                networks
                    .iter()
                    .try_for_each(|network| self.book.check(field, Question::Ip, network))?;
                Ok(networks)
            });
            match read {
                Ok(networks) => good.extend(networks),
                Err(why) => work.differ_by_fewer(&format!("`{item}` is left: {why}")),
            }
        }
        good
    }

    fn application(&mut self, work: &mut Work<'_>) -> Formula {
        let mut targets = Targets::default();
        for name in ["targetFqdns", "targetFQDNs"] {
            for text in Self::words(work, name) {
                self.name(work, &mut targets, &text);
            }
        }
        for (name, what) in [
            (
                "fqdnTags",
                "what names a tag stands for is known to Azure alone",
            ),
            (
                "webCategories",
                "categories of sites are known to Azure alone",
            ),
            (
                "targetUrls",
                "URLs are left: give hosts, or rules over `request:Http:Uri`",
            ),
        ] {
            let words = Self::words(work, name);
            if !words.is_empty() {
                work.differ_by_fewer(&format!("`{name}` {}: {what}", words.join(", ")));
            }
        }
        let headers = member(work.json, "httpHeadersToInsert").map_or(&[][..], Json::elements);
        if !headers.is_empty() {
            work.differences.push(Difference::new(
                Effect::Neither,
                "requests are decided on, not changed: no header is inserted",
            ));
        }
        let destinations = Self::words(work, "destinationAddresses");
        let mut parts = vec![targets.formula(&work.name), self.protocols(work)];
        if !destinations.is_empty() && !destinations.iter().any(|address| address == "*") {
            let networks = self.networks(work, destinations, &Field::DestinationIp);
            parts.push(one(
                Field::DestinationIp,
                Question::Ip,
                "destinations",
                &networks,
            ));
        }
        Formula::all(parts)
    }

    fn name(&mut self, work: &mut Work<'_>, targets: &mut Targets, text: &str) {
        let target = match text.strip_prefix('*') {
            // Whether it also means hosts that are addresses is not said.
            Some("") if work.action == Action::Allow => Target::Like("*".to_owned()),
            Some("") => Target::Any,
            Some(rest) if !rest.contains('*') => Target::Like(text.to_owned()),
            None if !text.contains('*') => Target::Exact(text.to_owned()),
            _ => {
                work.differ_by_fewer(&format!("`{text}` is left: a `*` stands only at the start"));
                return;
            }
        };
        if let Err(why) = self.book.add(targets, target) {
            work.differ_by_fewer(&format!("`{text}` is left: {why}"));
        }
    }

    /// Any of the protocols, each with its port.
    fn protocols(&mut self, work: &mut Work<'_>) -> Formula {
        let list = member(work.json, "protocols").map_or(&[][..], Json::elements);
        let mut all = Vec::new();
        for item in list {
            let word = member(item, "protocolType")
                .and_then(Json::word)
                .unwrap_or("");
            let number = member(item, "port").and_then(Json::word).and_then(port);
            let (words, usual): (&[Protocol], &str) = match word.to_ascii_lowercase().as_str() {
                "http" => (&[Protocol::Http, Protocol::Ws], "80"),
                "https" => (&[Protocol::Https, Protocol::Wss], "443"),
                _ => {
                    work.differ_by_fewer(&format!(
                        "`{word}` is left: a proxy carries HTTP and TLS"
                    ));
                    continue;
                }
            };
            let number = number.unwrap_or_else(|| usual.to_owned());
            let by_port = ports(&[number]);
            all.push(Formula::all([protocols(words), by_port]));
        }
        Formula::any(all)
    }

    fn network(&mut self, work: &mut Work<'_>) -> Formula {
        let mut protocols = Self::words(work, "ipProtocols");
        protocols.extend(Self::words(work, "protocols"));
        let tcp = |word: &String| ["tcp", "any"].contains(&word.to_ascii_lowercase().as_str());
        if !protocols.is_empty() && !protocols.iter().any(tcp) {
            return Formula::Never;
        }
        let mut targets = Targets::default();
        let addresses = Self::words(work, "destinationAddresses");
        if addresses.iter().any(|address| address == "*") {
            // This cannot fail.
            let _ = self.book.add(&mut targets, Target::Any);
        } else {
            for network in self.networks(work, addresses, &Field::DestinationIp) {
                let _ = self.book.add(&mut targets, Target::Network(network));
            }
        }
        for name in ["destinationFqdns", "destinationFQDNs"] {
            for text in Self::words(work, name) {
                self.name(work, &mut targets, &text);
            }
        }
        if !Self::words(work, "destinationIpGroups").is_empty() {
            work.differ_by_fewer("groups of addresses (`destinationIpGroups`) are kept elsewhere: the rule is not for them");
        }
        let numbers = Self::words(work, "destinationPorts");
        let every = numbers.iter().any(|text| text == "*");
        let good: Vec<String> = numbers.iter().filter_map(|text| port(text)).collect();
        if !every && good.len() < numbers.len() {
            work.lost = Some("a port of it is not a number".to_owned());
        }
        if !every && good.is_empty() {
            return Formula::Never;
        }
        let by_port = if every { Formula::Always } else { ports(&good) };
        Formula::all([by_port, targets.formula(&work.name)])
    }
}

impl Work<'_> {
    /// A part is left, so that the rule matches less.
    fn differ_by_fewer(&mut self, note: &str) {
        self.differences
            .push(Difference::new(Effect::of_leaving(self.action), note));
    }
}
