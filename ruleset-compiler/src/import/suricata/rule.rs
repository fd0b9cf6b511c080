//! One rule as formulas over fields: its protocol, its two sides, and what its options ask.

use std::collections::BTreeMap;

use sallyport_ruleset::{Action, Field};

use super::super::condition::{Checker, Formula};
use super::application;
use super::ask::ask;
use super::bound::{Bound, Difference};
use super::endpoint::Endpoints;
use super::number::UriLength;
use super::option::{Options, Rate};
use super::parse::{RuleText, Side};
use super::unsupported::Unsupported;
use super::uri;

/// In the order in which they are asked by action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SuricataAction {
    Pass,
    Drop,
    Reject,
    Alert,
}

impl SuricataAction {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "pass" => Self::Pass,
            "drop" => Self::Drop,
            "reject" | "rejectsrc" | "rejectdst" | "rejectboth" => Self::Reject,
            "alert" => Self::Alert,
            _ => return None,
        })
    }

    pub(super) const fn ours(self) -> Action {
        match self {
            Self::Pass => Action::Allow,
            Self::Drop | Self::Reject => Action::Deny,
            Self::Alert => Action::Alert,
        }
    }
}

/// What a rule is about, and what of it is different here.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    pub(super) formula: Formula,
    pub(super) differences: Vec<Difference>,
}

/// A rule that needs no place here, or cannot have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Without {
    /// Nothing has to be there for it; why.
    Unneeded(String),
    /// It is not carried over; why.
    Left(Unsupported),
}

impl From<Unsupported> for Without {
    fn from(why: Unsupported) -> Self {
        Self::Left(why)
    }
}

/// What holds for all rules of a file.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) tls_inspection: bool,
    pub(super) checker: &'a mut Checker,
    /// Variables that nobody defined and that were taken for any address.
    pub(super) taken_for_any: &'a mut Vec<String>,
}

impl Context<'_> {
    /// What a rule is about.
    ///
    /// # Errors
    /// When it needs no place here, or cannot have one.
    pub(super) fn meaning(
        &mut self,
        rule: &RuleText,
        options: &Options,
        action: SuricataAction,
    ) -> Result<Meaning, Without> {
        unneeded(rule, options, action)?;
        let bound = Bound::of(action.ours());
        let mut differences = Vec::new();
        let mut parts = vec![self.sides(rule, options, action)?];
        let (protocol, difference) =
            application::formula(&rule.protocol, self.tls_inspection, bound)?;
        differences.extend(difference);
        // Only TLS has a server name.
        if !(rule.protocol == "tls" && asks_server_name(options)) {
            parts.insert(0, protocol);
        }
        if options.is_client_hello && rule.protocol != "tls" {
            parts.push(application::formula("tls", false, bound)?.0);
        }
        for (negated, name) in &options.applications {
            let (formula, difference) = if *negated {
                application::other_than(name, self.tls_inspection, bound)?
            } else {
                application::formula(name, self.tls_inspection, bound)?
            };
            parts.push(formula);
            differences.extend(difference);
        }
        for used in &options.uses {
            let (formula, different) =
                ask(used, bound, self.checker).map_err(|why| why.within(keyword(used)))?;
            parts.push(formula);
            differences.extend(different);
        }
        for length in &options.uri_lengths {
            let UriLength { least, most, raw } = *length;
            let said = if raw {
                uri::raw_length(least, most, bound, self.checker)
            } else {
                uri::length(least, most, bound, self.checker)
            };
            let (formula, difference) = said.map_err(|why| why.within("urilen"))?;
            parts.push(formula);
            differences.push(difference);
        }
        differences.extend(rate(options, action)?);
        if options.uses.iter().any(|used| used.of_answers) && !options.flow.to_server {
            differences.push(match bound {
                Bound::Wider => Difference::narrower(ANSWERS),
                Bound::Narrower => Difference::plain(ANSWERS),
            });
        }
        Ok(Meaning {
            formula: Formula::all(parts),
            differences,
        })
    }

    /// Addresses and ports. Packets of answers come from the server: a rule that does not say which
    /// way it looks blocks a connection too when it meets those.
    fn sides(
        &mut self,
        rule: &RuleText,
        options: &Options,
        action: SuricataAction,
    ) -> Result<Formula, Unsupported> {
        let forth = (&rule.source, &rule.destination);
        let back = (&rule.destination, &rule.source);
        if options.flow.to_client {
            if options.looks_inside() {
                return Err(Unsupported::OfServer);
            }
            return self.one_way(back);
        }
        let meets_answers = action.ours() == Action::Deny
            && !options.flow.to_server
            && !options.looks_inside()
            && may_be_server(&rule.source)
            && rule.destination.ports == "any";
        let forth = self.one_way(forth)?;
        if !rule.both_ways && !meets_answers {
            return Ok(forth);
        }
        let back = self.one_way(back)?;
        Ok(if back == forth {
            forth
        } else {
            Formula::any([forth, back])
        })
    }

    fn one_way(&mut self, (client, server): (&Side, &Side)) -> Result<Formula, Unsupported> {
        let mut endpoints = Endpoints {
            variables: self.variables,
            checker: self.checker,
            taken_for_any: std::mem::take(self.taken_for_any),
            is_negated: false,
        };
        let mut read = || {
            Ok(Formula::all([
                endpoints.addresses(&client.addresses, &Field::SourceIp)?,
                endpoints.ports(&client.ports, &Field::SourcePort)?,
                endpoints.addresses(&server.addresses, &Field::DestinationIp)?,
                endpoints.ports(&server.ports, &Field::DestinationPort)?,
            ]))
        };
        let formula = read();
        *self.taken_for_any = endpoints.taken_for_any;
        formula
    }
}

const ANSWERS: &str =
    "only requests are looked at; without `flow:to_server` the rule looks at answers too";

/// A side that is neither everybody nor the clients.
fn may_be_server(side: &Side) -> bool {
    let is_everybody = side.addresses == "any" && side.ports == "any";
    !is_everybody && side.addresses != "$HOME_NET"
}

fn keyword(used: &super::ask::BufferUse) -> &str {
    if used.keyword.is_empty() {
        "content"
    } else {
        &used.keyword
    }
}

/// Whether a server name must be there for the rule to hold.
fn asks_server_name(options: &Options) -> bool {
    let is_name = |used: &super::ask::BufferUse| {
        used.buffer == super::buffer::Buffer::Field(Field::TlsSni) && used.absent.is_none()
    };
    options.uses.iter().any(is_name)
}

/// Rules about packets that a proxy has no part in.
fn unneeded(rule: &RuleText, options: &Options, action: SuricataAction) -> Result<(), Without> {
    let unneeded = |why: &str| Err(Without::Unneeded(why.to_owned()));
    let passes = action == SuricataAction::Pass;
    if let Some(why) = application::never_here(&rule.protocol) {
        return unneeded(why);
    }
    if options.is_other_transport {
        return unneeded(
            "it is not about TCP, so it never meets what comes through a forward proxy",
        );
    }
    if passes && (options.flow.not_established || options.of_first_packet) {
        return unneeded(
            "it lets TCP handshakes pass; here the decision comes before the connection",
        );
    }
    if passes && options.of_packets {
        return unneeded("it lets single packets pass; a proxy has its own connections");
    }
    if options.of_packets {
        return Err(Without::Left(Unsupported::Packets));
    }
    if passes && options.flow.to_client {
        return unneeded("it lets answers pass; here they belong to the request that was allowed");
    }
    let looks_inside = options.looks_inside() || !application::is_anything(&rule.protocol);
    if looks_inside && (options.flow.not_established || options.of_first_packet) {
        return unneeded("it never matches: a handshake has no protocol yet");
    }
    Ok(())
}

fn rate(options: &Options, action: SuricataAction) -> Result<Option<Difference>, Unsupported> {
    Ok(match (options.rate, action.ours()) {
        (None, _) | (Some(Rate::Tells), Action::Deny | Action::Allow) => None,
        (Some(_), Action::Alert) => Some(Difference::plain(
            "each request is told: rates are not counted",
        )),
        (Some(Rate::Acts), Action::Deny) => Some(Difference::wider(
            "it denies from the first request on: rates are not counted",
        )),
        (Some(Rate::Acts), Action::Allow) => {
            return Err(Unsupported::Rate);
        }
    })
}
