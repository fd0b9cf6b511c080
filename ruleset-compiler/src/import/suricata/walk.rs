//! The walk over the rules, their order, and what is decided where none matches.

use std::collections::BTreeMap;
use std::rc::Rc;

use clap::ValueEnum;
use sallyport_ruleset::{Action, Field, Phase, Protocol};

use super::super::condition::{Checker, Condition, Formula, Values, operator};
use super::super::draft::{
    ALLOW_BY_DEFAULT, DefaultsBy, Draft, DraftGroup, DraftRule, Names, description,
};
use super::super::input::InputFiles;
use super::super::outcome::{Import, ImportError, Origin};
use super::super::report::{Effect, Entry, Fate, Matching, Report};
use super::endpoint::Endpoints;
use super::keyword::{self, Keywords, protocols};
use super::parse::{self, RuleText};
use super::source::{self, Line};
use crate::operator::{Comparison, Question};

/// Which rule is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// As they stand
    Strict,
    /// All pass rules, then drop, reject and alert
    Action,
}

/// What happens where no rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Default {
    /// It passes
    Allow,
    /// It is refused
    Deny,
}

/// What a file of rules does not say.
#[derive(Clone, Debug, std::default::Default)]
pub struct SuricataOptions {
    /// `None`: what the rule group says, else by action.
    pub order: Option<Order>,
    /// `None`: allow in order of actions, deny in strict order.
    pub default: Option<Default>,
    /// Variables without their `$`; they take the place of those in the file.
    pub variables: BTreeMap<String, String>,
    /// The firewall decrypted TLS: `http` rules are about requests in TLS too.
    pub tls_inspection: bool,
}

/// Imports a file of rules, or the JSON of a rule group.
///
/// # Errors
/// When it cannot be read, or its result does not compile.
pub fn import(
    files: &dyn InputFiles,
    path: &str,
    options: &SuricataOptions,
) -> Result<Import, ImportError> {
    let text = files.text(path).map_err(|why| ImportError::Unreadable {
        path: path.to_owned(),
        why,
    })?;
    let file: Rc<str> = path.into();
    let mut report = Report::default();
    let source = source::read(&file, &text, &mut report)
        .map_err(|why| ImportError::Malformed(format!("`{path}`: {why}")))?;
    let mut variables = source.variables;
    variables.extend(options.variables.clone());
    let mut walk = Walk {
        report,
        checker: Checker::default(),
        variables,
        tls_inspection: options.tls_inspection,
        taken_for_any: Vec::new(),
        rules: Vec::new(),
    };
    for line in &source.lines {
        walk.line(line);
    }
    let of_group = source
        .strict_order
        .map(|strict| if strict { Order::Strict } else { Order::Action });
    let order = options.order.or(of_group).unwrap_or(Order::Action);
    let (draft, report) = walk.finish(path, order, options.default);
    let what = "is a rule of Suricata that can be carried over";
    Import::new(draft, report, Origin { path, what })
}

/// A rule that is carried over.
struct Carried {
    action: SuricataAction,
    alternatives: Vec<Vec<Condition>>,
    name: String,
    description: String,
    origin: String,
    looks_inside: bool,
    established: bool,
    entry: usize,
}

/// In the order in which they are asked by action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SuricataAction {
    Pass,
    Drop,
    Reject,
    Alert,
}

impl SuricataAction {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "pass" => Self::Pass,
            "drop" => Self::Drop,
            "reject" | "rejectsrc" | "rejectdst" | "rejectboth" => Self::Reject,
            "alert" => Self::Alert,
            _ => return None,
        })
    }

    const fn ours(self) -> Action {
        match self {
            Self::Pass => Action::Allow,
            Self::Drop | Self::Reject => Action::Deny,
            Self::Alert => Action::Alert,
        }
    }
}

struct Walk {
    report: Report,
    checker: Checker,
    variables: BTreeMap<String, String>,
    tls_inspection: bool,
    taken_for_any: Vec<String>,
    rules: Vec<Carried>,
}

impl Walk {
    fn line(&mut self, line: &Line) {
        let rule = match parse::rule(&line.text) {
            Ok(rule) => rule,
            Err(why) => return self.tell(line, "rule", Fate::Left(left_by(&line.text)), &[why]),
        };
        let kind = format!("{} {}", rule.action, rule.protocol);
        let Some(action) = SuricataAction::parse(&rule.action) else {
            let why = format!("`{}` is no action that is known here", rule.action);
            return self.tell(line, &kind, Fate::Left(Effect::Either), &[why]);
        };
        if let Some(why) = never_here(&rule.protocol) {
            return self.tell(line, &kind, Fate::Unneeded, &[why.to_owned()]);
        }
        match self.rule(line, &rule, action, &kind) {
            Ok(()) => {}
            Err(why) => {
                let left = Fate::Left(Effect::of_leaving(action.ours()));
                self.tell(line, &kind, left, &[why]);
            }
        }
    }

    fn tell(&mut self, line: &Line, kind: &str, fate: Fate, notes: &[String]) {
        let mut entry = Entry::new(line.place.clone(), &line.text, kind, fate);
        entry.notes = notes.to_vec();
        self.report.push(entry);
    }

    fn rule(
        &mut self,
        line: &Line,
        rule: &RuleText,
        action: SuricataAction,
        kind: &str,
    ) -> Result<(), String> {
        is_seen(&rule.protocol)?;
        let keywords = keyword::read(&rule.options, &mut self.checker)?;
        if keywords.handshake && action == SuricataAction::Pass {
            let why = "it lets TCP handshakes pass; here the decision comes before the connection";
            self.tell(line, kind, Fate::Unneeded, &[why.to_owned()]);
            return Ok(());
        }
        if keywords.silent && action == SuricataAction::Alert {
            self.tell(
                line,
                kind,
                Fate::Unneeded,
                &["it tells nobody (`noalert`)".to_owned()],
            );
            return Ok(());
        }
        let protocol = self.protocol(&rule.protocol, &keywords);
        let sides = self.sides(rule)?;
        let mut parts = vec![protocol, sides];
        parts.extend(keywords.formulas);
        let alternatives = Formula::all(parts)
            .alternatives()
            .map_err(|why| why.to_string())?;
        if alternatives.is_empty() {
            self.tell(line, kind, Fate::Unneeded, &["it never matches".to_owned()]);
            return Ok(());
        }
        let mut fate = if keywords.differences.is_empty() {
            Fate::Carried
        } else {
            Fate::Changed(Matching::Other.under(action.ours()))
        };
        let mut notes = keywords.differences;
        if action == SuricataAction::Reject {
            fate = fate.and(Effect::Neither);
            notes.push(
                "the client is answered 403, or a TLS alert, instead of a TCP reset".to_owned(),
            );
        }
        self.tell(line, kind, fate, &notes);
        let name = if keywords.sid.is_empty() {
            format!("line-{}", line.place.line)
        } else {
            format!("sid-{}", keywords.sid)
        };
        self.rules.push(Carried {
            action,
            alternatives,
            name,
            established: keywords.established,
            description: description(&keywords.message),
            origin: format!("{}: {}", line.place, line.text),
            looks_inside: keywords.looks_inside
                || ["tls", "http", "http1", "http2"].contains(&rule.protocol.as_str()),
            entry: self.report.entries.len() - 1,
        });
        Ok(())
    }

    fn protocol(&self, protocol: &str, keywords: &Keywords) -> Formula {
        match protocol {
            // Only TLS has a server name.
            "tls" if keywords.looks_at_sni => Formula::Always,
            "tls" => protocols(&[Protocol::Https, Protocol::Wss]),
            "http" | "http1" if self.tls_inspection => {
                Condition::null(Field::HttpMethod, false).into()
            }
            "http" | "http1" => protocols(&[Protocol::Http, Protocol::Ws]),
            "http2" => protocols(&[Protocol::H2]),
            _ => Formula::Always,
        }
    }

    fn sides(&mut self, rule: &RuleText) -> Result<Formula, String> {
        let mut endpoints = Endpoints {
            variables: &self.variables,
            checker: &mut self.checker,
            taken_for_any: std::mem::take(&mut self.taken_for_any),
        };
        let mut one_way = |client: &parse::Side, server: &parse::Side| -> Result<Formula, String> {
            Ok(Formula::all([
                endpoints.addresses(&client.addresses, &Field::SourceIp)?,
                endpoints.ports(&client.ports, &Field::SourcePort)?,
                endpoints.addresses(&server.addresses, &Field::DestinationIp)?,
                endpoints.ports(&server.ports, &Field::DestinationPort)?,
            ]))
        };
        let forth = one_way(&rule.source, &rule.destination);
        let back = if rule.both_ways {
            Some(one_way(&rule.destination, &rule.source))
        } else {
            None
        };
        self.taken_for_any = endpoints.taken_for_any;
        match back {
            Some(back) => Ok(Formula::any([forth?, back?])),
            None => forth,
        }
    }

    fn finish(mut self, path: &str, order: Order, default: Option<Default>) -> (Draft, Report) {
        if order == Order::Action {
            self.rules.sort_by_key(|rule| rule.action);
        }
        let decided = default.unwrap_or(match order {
            Order::Action => Default::Allow,
            Order::Strict => Default::Deny,
        });
        self.remarks(order, decided, default.is_some());
        self.tell_of_handshakes();
        let by = match default {
            Some(_) => DefaultsBy::Source,
            None => DefaultsBy::Assumption(
                "what no rule decides is the policy's default action, which is not in the rules: `--default allow` or `--default deny` says it",
            ),
        };
        let mut draft = Draft::new(ALLOW_BY_DEFAULT, by);
        draft.about = vec![
            format!("Imported from {path} by `sallyport-rules import suricata`."),
            "import-report.txt says line by line what became of it.".to_owned(),
        ];
        draft.defaults.pre_request = match decided {
            Default::Allow => Action::Allow,
            Default::Deny => Action::Deny,
        };
        let mut group = DraftGroup::new("suricata");
        let mut names = Names::default();
        for rule in self.rules {
            for conditions in rule.alternatives {
                let name = names.unique(&rule.name);
                if let Some(entry) = self.report.entries.get_mut(rule.entry) {
                    entry.rules.push(format!("{}/{name}", group.name));
                }
                let rule = DraftRule {
                    name,
                    description: rule.description.clone(),
                    action: rule.action.ours(),
                    conditions: conditions.into_iter().map(simplified).collect(),
                    origin: vec![rule.origin.clone()],
                };
                group.push(Phase::PreRequest, rule);
            }
        }
        draft.groups.push(group);
        (draft, self.report)
    }

    fn remarks(&mut self, order: Order, decided: Default, given: bool) {
        let order = match order {
            Order::Strict => "in the order of the file (strict order)",
            Order::Action => "by action: pass, drop, reject, alert",
        };
        let decided = match decided {
            Default::Allow => "passes",
            Default::Deny => "is denied",
        };
        let why = if given {
            ""
        } else {
            "; that is the policy's default action, which is not in the rules: `--default` says it"
        };
        self.report.remark(format!(
            "rules are asked {order}; what no rule decides {decided}{why}"
        ));
        for name in &self.taken_for_any {
            self.report.remarks.push(format!(
                "`${name}` is not defined and taken for any address; `--var {name}=…` defines it"
            ));
        }
        self.report.remark(
            "what is denied is logged as denied; alerts that would come after it are not told",
        );
    }

    /// On a firewall the first packet has no name: what is dropped by its address and port alone
    /// is dropped before a rule over names can let it pass.
    fn tell_of_handshakes(&mut self) {
        let mut passed_inside = false;
        for rule in &self.rules {
            passed_inside |= rule.action == SuricataAction::Pass && rule.looks_inside;
            let blocks = matches!(rule.action, SuricataAction::Drop | SuricataAction::Reject);
            if !passed_inside || !blocks || rule.looks_inside || rule.established {
                continue;
            }
            if let Some(entry) = self.report.entries.get_mut(rule.entry) {
                entry.fate = entry.fate.and(Effect::Wider);
                entry.notes.push(
                    "rules that let names or requests pass are asked before it; on a firewall it meets the first packet, before there is a name, unless it says `flow:established`".to_owned(),
                );
            }
        }
    }
}

/// Of leaving a line that cannot be read as a rule, told from the action that it begins with.
fn left_by(text: &str) -> Effect {
    let word = text.split_whitespace().next().unwrap_or("");
    SuricataAction::parse(word).map_or(Effect::Either, |action| Effect::of_leaving(action.ours()))
}

/// Whether a proxy can tell this protocol from others.
fn is_seen(protocol: &str) -> Result<(), String> {
    const SEEN: [&str; 9] = [
        "ip",
        "tcp",
        "tcp-pkt",
        "tcp-stream",
        "pkthdr",
        "tls",
        "http",
        "http1",
        "http2",
    ];
    match protocol {
        seen if SEEN.contains(&seen) => Ok(()),
        "dns" => Err(
            "names are resolved by the proxy itself; deny them by `request:DestinationDomain`"
                .to_owned(),
        ),
        other => Err(format!(
            "a proxy does not tell `{other}` from other protocols: `tunnel.unknown_protocol` lets none of them pass unless it is told to"
        )),
    }
}

/// Ranges of one number each are numbers.
fn simplified(condition: Condition) -> Condition {
    let single = |item: &String| {
        let (from, to) = item.split_once('-')?;
        (from == to).then(|| from.to_owned())
    };
    let numbers: Option<Vec<String>> = condition.values.items.iter().map(single).collect();
    match numbers {
        Some(items) if condition.operator.question == Question::Between => {
            let equal = Question::Number(Comparison::Equal);
            let values = Values {
                name: condition.values.name.clone(),
                origin: condition.values.origin.clone(),
                items,
            };
            Condition::new(
                condition.field.clone(),
                operator(equal, condition.operator.negated),
                values,
            )
        }
        _ => condition,
    }
}

/// Why a protocol never comes through a forward proxy.
fn never_here(protocol: &str) -> Option<&'static str> {
    const NEVER: [&str; 13] = [
        "udp",
        "icmp",
        "quic",
        "dhcp",
        "ntp",
        "tftp",
        "snmp",
        "ike",
        "sctp",
        "icmpv4",
        "icmpv6",
        "ipv6-icmp",
        "igmp",
    ];
    NEVER
        .contains(&protocol)
        .then_some("it is not carried by TCP, so it never comes through a forward proxy")
}
