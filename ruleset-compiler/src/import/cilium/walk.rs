//! The walk over policies. What is denied is asked first, then what is allowed; what a policy about
//! egress does not allow is denied.

use sallyport_ruleset::Action;

use super::super::book::{Book, End, Rule, documents};
use super::super::condition::Formula;
use super::super::draft::DefaultsBy;
use super::super::input::InputFiles;
use super::super::json::Json;
use super::super::outcome::{Import, ImportError};
use super::super::report::{Difference, Effect};

/// Imports the policies in a file.
///
/// # Errors
/// When it cannot be read, or its result does not compile.
pub fn import(files: &dyn InputFiles, path: &str) -> Result<Import, ImportError> {
    let documents = documents(files, path)?;
    let mut walk = Walk {
        book: Book::new(path),
        denials: Vec::new(),
        allowances: Vec::new(),
        selectors: Vec::new(),
        restricts: false,
    };
    for document in &documents {
        walk.document(document);
    }
    walk.finish(path)
}

pub(super) struct Walk {
    pub(super) book: Book,
    denials: Vec<Rule>,
    allowances: Vec<Rule>,
    /// Which pods policies are for, as written, and their entries.
    selectors: Vec<(String, usize)>,
    /// Whether a policy is about egress.
    restricts: bool,
}

/// One entry of `egress` or `egressDeny`.
pub(super) struct Peer<'j> {
    pub(super) json: &'j Json,
    pub(super) action: Action,
    pub(super) name: String,
}

impl Walk {
    fn document(&mut self, document: &Json) {
        let kind = document.get("kind").and_then(Json::text).unwrap_or("");
        if kind == "List" {
            for item in document.get("items").map_or(&[][..], Json::elements) {
                self.document(item);
            }
            return;
        }
        if !["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"].contains(&kind) {
            if !document.members().is_empty() {
                let why = "it is no policy of Cilium that is known here";
                let why = Difference::new(Effect::Either, why);
                self.book
                    .left(document.line, &format!("kind: {kind}"), "document", why);
            }
            return;
        }
        let name = document
            .at(&["metadata", "name"])
            .and_then(Json::word)
            .unwrap_or("policy")
            .to_owned();
        let specs = document.get("specs").map_or(&[][..], Json::elements);
        for spec in document.get("spec").into_iter().chain(specs) {
            self.spec(spec, &name);
        }
    }

    fn spec(&mut self, spec: &Json, name: &str) {
        for (key, value) in spec.members() {
            let shown = format!("{key}: {}", value.shown());
            match key.as_str() {
                "endpointSelector" | "nodeSelector" => {
                    let entry = self.book.carried(value.line, &shown, key);
                    self.selectors.push((value.shown(), entry));
                }
                "egress" | "egressDeny" => {
                    self.restricts |= !value.elements().is_empty();
                    let action = if key == "egress" {
                        Action::Allow
                    } else {
                        Action::Deny
                    };
                    for (at, peer) in value.elements().iter().enumerate() {
                        let name = format!("{name}-{}", at + 1);
                        self.peer(&Peer {
                            json: peer,
                            action,
                            name,
                        });
                    }
                }
                "ingress" | "ingressDeny" => {
                    let why = "it is about who may connect to the pods";
                    self.book.unneeded(value.line, &shown, key, why);
                }
                "description" | "labels" | "log" => {
                    self.book
                        .unneeded(value.line, &shown, key, "it is for people")
                }
                "enableDefaultDeny" => self.default_deny(value, &shown),
                _ => self.leave(
                    value,
                    key,
                    Effect::Either,
                    "it is no part of a policy that is known here",
                ),
            }
        }
    }

    fn default_deny(&mut self, value: &Json, shown: &str) {
        let entry = self.book.carried(value.line, shown, "enableDefaultDeny");
        if value.get("egress").and_then(Json::word) == Some("false") {
            let note = "the policy alone does not deny what it does not name; here that is denied";
            self.book.differ(entry, Effect::Narrower, note);
        }
    }

    pub(super) fn leave(&mut self, value: &Json, kind: &str, effect: Effect, why: &str) {
        let shown = format!("{kind}: {}", value.shown());
        self.book
            .left(value.line, &shown, kind, Difference::new(effect, why));
    }

    fn peer(&mut self, peer: &Peer<'_>) {
        let of_leaving = Effect::of_leaving(peer.action);
        let (mut parts, mut entries) = (Vec::new(), Vec::new());
        let mut has_peers = false;
        if is_dns(peer.json) {
            let why = "names are resolved by the proxy itself";
            self.book
                .unneeded(peer.json.line, &peer.json.shown(), "egress to DNS", why);
            return;
        }
        let lost_before = self.book.report.count("left");
        let Some((formula, port_entries)) = self.peer_ports(peer) else {
            let lost = self.book.report.count("left") > lost_before;
            let shown = peer.json.shown();
            let why = "nothing that a proxy carries is left of its ports";
            if lost {
                let why = Difference::new(of_leaving, why);
                self.book.left(peer.json.line, &shown, "egress", why);
            } else {
                self.book.unneeded(peer.json.line, &shown, "egress", why);
            }
            return;
        };
        for (key, value) in peer.json.members() {
            has_peers |= key != "toPorts" && key != "icmps" && key != "authentication";
            match key.as_str() {
                "toPorts" => {}
                "toFQDNs" => parts.push(self.names(value, peer, &mut entries)),
                "toCIDR" => parts.push(self.networks(value, peer, &mut entries)),
                "toCIDRSet" => parts.push(self.network_sets(value, peer, &mut entries)),
                "toEntities" => parts.push(self.entities(value, peer, &mut entries)),
                "toEndpoints" | "toServices" | "toGroups" | "toNodes" | "toRequires" => {
                    let why = "which pods, services or groups these are is known only in the cluster: name their hosts";
                    self.leave(value, key, of_leaving, why);
                }
                "icmps" => {
                    let shown = format!("{key}: {}", value.shown());
                    self.book
                        .unneeded(value.line, &shown, key, "a forward proxy carries no ICMP");
                    has_peers = true;
                }
                _ => {
                    self.leave(
                        value,
                        key,
                        Effect::Either,
                        "it is no part of a rule that is known here",
                    );
                    if peer.action == Action::Allow {
                        // It may narrow what the rule allows.
                        return;
                    }
                }
            }
        }
        if !has_peers && peer.json.get("toPorts").is_some() {
            parts.push(Formula::Always);
        }
        let formula = Formula::all([formula, Formula::any(parts)]);
        if formula == Formula::Never {
            return;
        }
        entries.extend(port_entries);
        let rule = Rule::new(peer.name.clone(), peer.action, formula).from(entries);
        match peer.action {
            Action::Deny => self.denials.push(rule),
            Action::Allow | Action::Alert => self.allowances.push(rule),
        }
    }

    fn finish(mut self, path: &str) -> Result<Import, ImportError> {
        self.tell_of_selectors();
        for rule in self.denials.drain(..).chain(self.allowances.drain(..)) {
            self.book.rule(rule);
        }
        self.book.report.remark(
            "Cilium allows the addresses that an allowed name led to; here it is the name that is allowed, and other names at these addresses are not",
        );
        self.book.finish(&End {
            path,
            format: "cilium",
            what: "is a policy of Cilium about egress",
            default: if self.restricts {
                Action::Deny
            } else {
                Action::Allow
            },
            default_by: DefaultsBy::Assumption("no policy in it is about egress"),
        })
    }

    /// Policies are for some pods; the ruleset is for all clients of the proxy.
    fn tell_of_selectors(&mut self) {
        let mut kinds: Vec<&String> = self.selectors.iter().map(|(shown, _)| shown).collect();
        kinds.sort();
        kinds.dedup();
        let effect = if kinds.len() > 1 {
            Effect::Either
        } else {
            Effect::Narrower
        };
        for (shown, entry) in std::mem::take(&mut self.selectors) {
            if shown == "{}" && effect == Effect::Narrower {
                continue;
            }
            let note = match effect {
                Effect::Either => {
                    "it is for the pods that it selects; here all clients get what any of the policies allows: import them one by one to keep them apart"
                }
                _ => "it is for the pods that it selects; here it is for all clients of the proxy",
            };
            self.book.differ(entry, effect, note);
        }
    }
}

/// The rule that every policy with names needs: port 53 of the cluster's resolver.
fn is_dns(peer: &Json) -> bool {
    let lists = peer.get("toPorts").map_or(&[][..], Json::elements);
    let mut all = lists
        .iter()
        .flat_map(|item| item.get("ports").map_or(&[][..], Json::elements))
        .peekable();
    all.peek().is_some() && all.all(|one| one.get("port").and_then(Json::word) == Some("53"))
}
