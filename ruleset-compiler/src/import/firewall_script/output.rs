//! Rules of the chain OUTPUT, as commands of `iptables` and `ip6tables` write them.

use sallyport_ruleset::Action;

use super::super::book::{port, ports};
use super::super::condition::Formula;
use super::super::report::{Difference, Effect, Matching};
use super::iptables::{self, Command, Matches};
use super::shell::{Statement, Value};
use super::unsupported::Unsupported;
use super::walk::{Output, Set, Walk, all_v6};

impl Walk<'_> {
    pub(super) fn iptables(&mut self, statement: &Statement, rest: &[String], v6: bool) {
        let (line, text) = (statement.line, statement.text.as_str());
        match iptables::read(rest) {
            Command::Other => {
                self.book
                    .unneeded(line, text, "iptables", "it does not say what may go out")
            }
            Command::Flush(chain) => {
                if !v6 && chain.is_none_or(|chain| chain == "OUTPUT") {
                    self.rules.clear();
                }
                self.book
                    .unneeded(line, text, "iptables", "the rules begin anew");
            }
            Command::Policy { chain, .. } | Command::Rule { chain, .. } if chain != "OUTPUT" => {
                let why = "only the chain OUTPUT is about what may go out";
                self.book.unneeded(line, text, "iptables", why);
            }
            Command::Policy { target, .. } => {
                self.book.carried(line, text, "iptables -P OUTPUT");
                let action = if target == "ACCEPT" {
                    Action::Allow
                } else {
                    Action::Deny
                };
                if v6 {
                    self.policy_v6 = Some(action);
                } else {
                    self.policy = Some(action);
                }
            }
            Command::Rule { first, rule, .. } => self.output(statement, first, v6, &rule),
        }
    }

    fn output(&mut self, statement: &Statement, first: bool, v6: bool, rule: &Matches) {
        const KIND: &str = "iptables OUTPUT";
        let (line, text) = (statement.line, statement.text.as_str());
        let action = match rule.target.as_str() {
            "ACCEPT" => Action::Allow,
            "DROP" | "REJECT" => Action::Deny,
            "LOG" | "NFLOG" => Action::Alert,
            _ => {
                let why = "chains of the script's own are not followed";
                return self
                    .book
                    .left(line, text, KIND, Difference::new(Effect::Either, why));
            }
        };
        if let Some(why) = unneeded(rule, action) {
            return self.book.unneeded(line, text, KIND, why);
        }
        if let Some(why) = self.unsaid(rule, action) {
            let why = Difference::new(Effect::of_leaving(action), why);
            return self.book.left(line, text, KIND, why);
        }
        let mut entries = Vec::new();
        match self.matches(statement, v6, (rule, action), &mut entries) {
            Err(why) => self.book.left(
                line,
                text,
                KIND,
                Difference::new(Effect::of_leaving(action), why),
            ),
            Ok(formula) => {
                let entry = self.book.carried(line, text, KIND);
                if rule
                    .interface
                    .as_ref()
                    .is_some_and(|(_, name)| name != "lo")
                {
                    let note = "which interface a packet leaves by is not asked here";
                    self.book.differ(entry, Matching::More.under(action), note);
                }
                if self.conditions > 0 {
                    let note = "it stands under a condition, which is taken to hold";
                    self.book.differ(entry, Matching::More.under(action), note);
                }
                entries.insert(0, entry);
                let output = Output {
                    action,
                    formula,
                    set: rule.set.clone(),
                    entries,
                };
                if first {
                    self.rules.insert(0, output);
                } else {
                    self.rules.push(output);
                }
            }
        }
    }

    /// Why a rule cannot be said. What allows under a condition, or on one way out, is left; what
    /// denies so is asked of all.
    fn unsaid(&self, rule: &Matches, action: Action) -> Option<Unsupported> {
        let variable = rule
            .protocol
            .as_ref()
            .filter(|protocol| protocol.contains('$'));
        if let Some(unknown) = rule.unknown.as_ref().or(variable) {
            return Some(Unsupported::Unknown(unknown.clone()));
        }
        if action != Action::Allow {
            return None;
        }
        if self.conditions > 0 {
            return Some(Unsupported::Condition);
        }
        // Containers have one way out, which is called so.
        let usual = ["eth", "en", "wl"];
        let interface = rule.interface.as_ref();
        let other = interface.filter(|(negated, name)| {
            !negated && !usual.iter().any(|start| name.starts_with(start))
        });
        other.map(|(_, name)| Unsupported::Interface(name.clone()))
    }

    fn matches(
        &mut self,
        statement: &Statement,
        v6: bool,
        (rule, action): (&Matches, Action),
        entries: &mut Vec<usize>,
    ) -> Result<Formula, Unsupported> {
        let mut parts = Vec::new();
        if v6 {
            parts.push(all_v6());
        }
        if let Some((negated, text)) = &rule.destination {
            let value = self
                .variables
                .value(&text.replace(',', " "), statement.line);
            if value == Value::Unknown {
                return Err(Unsupported::Variable(text.clone()));
            }
            let mut set = Set::default();
            self.fill(&mut set, &value, statement, of_missing(*negated, action));
            entries.extend(set.entries);
            let formula = set.targets.formula("destination");
            if formula == Formula::Never {
                return Err(Unsupported::NoDestination);
            }
            parts.push(if *negated { formula.negated() } else { formula });
        }
        if let Some((negated, text)) = &rule.ports {
            let Value::Words(words) = self.variables.value(text, statement.line) else {
                return Err(Unsupported::Variable(text.clone()));
            };
            let items = words.iter().flat_map(|(word, _)| word.split(','));
            let numbers: Option<Vec<String>> = items.map(port).collect();
            let numbers = numbers.ok_or_else(|| Unsupported::Port(text.clone()))?;
            let formula = ports(&numbers);
            parts.push(if *negated { formula.negated() } else { formula });
        }
        Ok(Formula::all(parts))
    }
}

/// Of a destination that is not there, or means less.
const fn of_missing(negated: bool, action: Action) -> Effect {
    let matching = if negated {
        Matching::More
    } else {
        Matching::Fewer
    };
    matching.under(action)
}

/// Why a rule has nothing to say here.
fn unneeded(rule: &Matches, action: Action) -> Option<&'static str> {
    let protocol = rule.protocol.as_deref().unwrap_or("all");
    if !["tcp", "all", "6", "0"].contains(&protocol) && !protocol.contains('$') {
        return Some("a forward proxy carries TCP only, and resolves names itself");
    }
    if rule.interface == Some((false, "lo".to_owned())) {
        return Some("what goes to the machine itself does not go through a proxy");
    }
    let is_dns = rule
        .ports
        .as_ref()
        .is_some_and(|(negated, port)| !negated && port == "53");
    if is_dns && action == Action::Allow {
        return Some("names are resolved by the proxy itself");
    }
    let states = rule.states.as_deref().unwrap_or("NEW");
    (!states.contains("NEW")).then_some("a decision holds for the whole connection")
}
