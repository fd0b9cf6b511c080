//! Istio: service entries, which name what a mesh may reach where `outboundTrafficPolicy` is
//! `REGISTRY_ONLY`.

use sallyport_ruleset::Action;

use super::book::{Book, End, Rule, Target, Targets, documents, port, ports};
use super::condition::Formula;
use super::draft::DefaultsBy;
use super::input::InputFiles;
use super::json::Json;
use super::outcome::{Import, ImportError};
use super::report::{Difference, Effect};

/// Imports the service entries in a file.
///
/// # Errors
/// When it cannot be read, or its result does not compile.
pub fn import(files: &dyn InputFiles, path: &str) -> Result<Import, ImportError> {
    let documents = documents(files, path)?;
    let mut walk = Walk {
        book: Book::new(path),
        modes: Vec::new(),
    };
    for document in &documents {
        walk.document(document);
    }
    walk.finish(path)
}

struct Walk {
    book: Book,
    /// What `outboundTrafficPolicy` says, each time: whether everything may be reached.
    modes: Vec<bool>,
}

impl Walk {
    fn document(&mut self, document: &Json) {
        let kind = document.get("kind").and_then(Json::text).unwrap_or("");
        let shown = || {
            let name = document
                .at(&["metadata", "name"])
                .and_then(Json::word)
                .unwrap_or("");
            format!("{kind} {name}")
        };
        match kind {
            "ServiceEntry" => {
                let name = document
                    .at(&["metadata", "name"])
                    .and_then(Json::word)
                    .unwrap_or("service");
                if let Some(spec) = document.get("spec") {
                    self.entry(spec, name);
                }
            }
            "List" => {
                for item in document.get("items").map_or(&[][..], Json::elements) {
                    self.document(item);
                }
            }
            "Sidecar" | "IstioOperator" | "MeshConfig" => {
                self.mode(document);
                let why = "which namespaces see which services is known only in the mesh";
                for holder in document
                    .at(&["spec", "egress"])
                    .map_or(&[][..], Json::elements)
                {
                    let why = Difference::new(Effect::Wider, why);
                    self.book
                        .left(holder.line, &holder.shown(), "Sidecar egress", why);
                }
            }
            "Gateway" | "VirtualService" | "DestinationRule" | "WorkloadEntry" => {
                let why = "where requests are sent is configuration, not rules";
                self.book.left(
                    document.line,
                    &shown(),
                    kind,
                    Difference::new(Effect::Neither, why),
                );
            }
            _ if document.members().is_empty() => {}
            _ => {
                let why = "only service entries are carried over";
                self.book.left(
                    document.line,
                    &shown(),
                    "document",
                    Difference::new(Effect::Either, why),
                );
            }
        }
    }

    /// `outboundTrafficPolicy`: whether the entries are all that may be reached.
    fn mode(&mut self, document: &Json) {
        let mut holders = Vec::new();
        document.holders("outboundTrafficPolicy", &mut holders);
        for mode in holders
            .iter()
            .filter_map(|holder| holder.at(&["outboundTrafficPolicy", "mode"]))
        {
            let shown = format!("outboundTrafficPolicy: {}", mode.shown());
            self.book
                .carried(mode.line, &shown, "outboundTrafficPolicy");
            self.modes.push(mode.word() == Some("ALLOW_ANY"));
        }
    }

    fn entry(&mut self, spec: &Json, name: &str) {
        let inside = spec.get("location").and_then(Json::word) == Some("MESH_INTERNAL");
        let (mut targets, mut entries) = (Targets::default(), Vec::new());
        let hosts = spec.get("hosts").map_or(&[][..], Json::elements);
        for host in hosts {
            let text = host.word().unwrap_or("");
            let shown = format!("host {text}");
            if inside {
                let why =
                    "it is a service inside the mesh, which is not reached through an egress proxy";
                self.book.left(
                    host.line,
                    &shown,
                    "hosts",
                    Difference::new(Effect::Narrower, why),
                );
                continue;
            }
            let target = match text.strip_prefix("*.") {
                _ if text == "*" => Target::Like("*".to_owned()),
                Some(_) => Target::Like(text.to_owned()),
                None => Target::Exact(text.to_owned()),
            };
            match self.book.add(&mut targets, target) {
                Ok(()) => entries.push(self.book.carried(host.line, &shown, "hosts")),
                Err(why) => self.book.left(
                    host.line,
                    &shown,
                    "hosts",
                    Difference::new(Effect::Narrower, why),
                ),
            }
        }
        for address in spec.get("addresses").map_or(&[][..], Json::elements) {
            let text = address.word().unwrap_or("");
            match self
                .book
                .add(&mut targets, Target::Network(text.to_owned()))
            {
                Ok(()) => entries.push(self.book.carried(address.line, text, "addresses")),
                Err(why) => {
                    let why = Difference::new(Effect::Narrower, why);
                    self.book
                        .left(address.line, &address.shown(), "addresses", why);
                }
            }
        }
        let numbers = self.ports(spec, &mut entries);
        self.rest(spec);
        if numbers.is_empty() {
            for entry in entries {
                self.book.differ(
                    entry,
                    Effect::Narrower,
                    "the service entry has no port that a proxy carries",
                );
            }
            return;
        }
        let formula = Formula::all([ports(&numbers), targets.formula(name)]);
        if formula != Formula::Never {
            self.book
                .rule(Rule::new(name, Action::Allow, formula).from(entries));
        }
    }

    fn ports(&mut self, spec: &Json, entries: &mut Vec<usize>) -> Vec<String> {
        let has_addresses = spec
            .get("addresses")
            .is_some_and(|list| !list.elements().is_empty());
        let mut numbers = Vec::new();
        for item in spec.get("ports").map_or(&[][..], Json::elements) {
            let shown = item.shown();
            let protocol = item
                .get("protocol")
                .and_then(Json::word)
                .unwrap_or("TCP")
                .to_ascii_uppercase();
            if protocol == "UDP" {
                self.book.unneeded(
                    item.line,
                    &shown,
                    "ports",
                    "a forward proxy carries TCP only",
                );
                continue;
            }
            let Some(number) = item.get("number").and_then(Json::word).and_then(port) else {
                let why = Difference::new(Effect::Narrower, "its number is not one of a port");
                self.book.left(item.line, &shown, "ports", why);
                continue;
            };
            let entry = self.book.carried(item.line, &shown, "ports");
            entries.push(entry);
            let by_name =
                ["HTTP", "HTTPS", "HTTP2", "GRPC", "GRPC-WEB", "TLS"].contains(&protocol.as_str());
            if !by_name && !has_addresses {
                let note = "such a port has no names in Istio: whatever address a connection goes to passes; here only the hosts of this entry do";
                self.book.differ(entry, Effect::Narrower, note);
            }
            numbers.push(number);
        }
        numbers
    }

    /// What else a service entry says.
    fn rest(&mut self, spec: &Json) {
        for (key, value) in spec.members() {
            let shown = format!("{key}: {}", value.shown());
            match key.as_str() {
                "hosts" | "addresses" | "ports" => {}
                "location" | "resolution" => {
                    self.book
                        .unneeded(value.line, &shown, key, "the proxy resolves names itself");
                }
                "endpoints" | "workloadSelector" => {
                    let why = "where requests are sent is configuration, not rules";
                    self.book.left(
                        value.line,
                        &shown,
                        key,
                        Difference::new(Effect::Neither, why),
                    );
                }
                "exportTo" => {
                    let why =
                        "which namespaces see it is known only in the mesh: here all clients do";
                    let effect = match value.elements() {
                        [only] if only.word() == Some("*") => Effect::Neither,
                        _ => Effect::Wider,
                    };
                    self.book
                        .left(value.line, &shown, key, Difference::new(effect, why));
                }
                "subjectAltNames" => {
                    let why =
                        "certificates are checked for the name that was asked for, not for these";
                    self.book
                        .left(value.line, &shown, key, Difference::new(Effect::Wider, why));
                }
                _ => {
                    let why = "it is no part of a service entry that is known here";
                    self.book.left(
                        value.line,
                        &shown,
                        key,
                        Difference::new(Effect::Either, why),
                    );
                }
            }
        }
    }

    fn finish(mut self, path: &str) -> Result<Import, ImportError> {
        let everywhere = !self.modes.is_empty() && self.modes.iter().all(|mode| *mode);
        if self.modes.contains(&true) && !everywhere {
            self.book.report.remark(
                "some of it is `REGISTRY_ONLY` and some `ALLOW_ANY`: here what is not registered is denied to all",
            );
        }
        if self.modes.is_empty() {
            self.book.report.remark(
                "that only registered services may be reached is said by `outboundTrafficPolicy: REGISTRY_ONLY`, which is not in the file: it is taken for granted",
            );
        }
        self.book.finish(&End {
            path,
            format: "istio",
            what: "is a service entry of Istio",
            default: if everywhere {
                Action::Allow
            } else {
                Action::Deny
            },
            default_by: DefaultsBy::Source,
        })
    }
}
