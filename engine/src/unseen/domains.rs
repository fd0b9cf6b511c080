//! Whether a rule can meet a tunnel that is passed through, by what it asks of `request:DestinationDomain` and
//! by the scopes of `[tls]`. Exact over domains: every name is treated as one of few that stand for it.
//! Addresses, ports and clients of scopes are not held against the rule: a scope that has any may or may not
//! speak of a tunnel.

use std::collections::{HashMap, HashSet};

use sallyport_ruleset::{Condition, Field, Test};

use crate::config::checked::{Tls, TlsMode};

/// A label that no name has: `-.a.test` stands for the names under `a.test` that nothing speaks of.
const OTHER: &str = "-";

/// The scopes by the names that they have.
#[derive(Debug)]
pub(super) struct ScopesByName<'c> {
    mode: TlsMode,
    scopes: Vec<ScopeNames<'c>>,
    /// Names that scopes have, by each name that they are or are under.
    bases_under: HashMap<&'c str, Vec<&'c str>>,
}

#[derive(Debug)]
struct ScopeNames<'c> {
    mode: TlsMode,
    /// It has addresses, ports or clients as well.
    is_partial: bool,
    /// All names, and addresses too.
    is_of_all: bool,
    /// Those that stand for themselves.
    exact: HashSet<&'c str>,
    /// Those that stand for the names under them.
    above: HashSet<&'c str>,
}

impl<'c> ScopesByName<'c> {
    pub(super) fn new(tls: &'c Tls) -> Self {
        let mut bases_under: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut scopes = Vec::new();
        for scope in &tls.scopes {
            let mut names = ScopeNames {
                mode: scope.mode,
                is_partial: !(scope.destinations.is_empty()
                    && scope.ports.is_empty()
                    && scope.clients.is_empty()),
                is_of_all: scope.domains.is_empty(),
                exact: HashSet::new(),
                above: HashSet::new(),
            };
            for pattern in &scope.domains {
                let base = pattern.strip_prefix("*.").unwrap_or(pattern);
                if base.len() == pattern.len() {
                    names.exact.insert(base);
                }
                names.above.insert(base);
                for suffix in suffixes(base) {
                    bases_under.entry(suffix).or_default().push(base);
                }
            }
            scopes.push(names);
        }
        Self {
            mode: tls.mode,
            scopes,
            bases_under,
        }
    }

    /// Whether a rule with these conditions can hold for a host whose tunnels may be passed through.
    pub(super) fn may_be_passed_through(&self, conditions: &[Condition]) -> bool {
        let of_domain = conditions
            .iter()
            .filter(|condition| condition.field == Field::DestinationDomain);
        let asked: Vec<Asked<'_>> = of_domain.map(Asked::new).collect();
        let mut hosts = self.standing_for_all(&asked);
        hosts.any(|host| {
            let host = host.as_deref();
            self.may_pass(host) && asked.iter().all(|asked| asked.may_hold(host))
        })
    }

    /// Whether a tunnel to a host may be passed through; `None` is one to an address.
    fn may_pass(&self, host: Option<&str>) -> bool {
        for scope in &self.scopes {
            let speaks = scope.is_of_all || host.is_some_and(|host| scope.names(host));
            match (speaks, scope.is_partial, scope.mode) {
                (true, _, TlsMode::Passthrough) => return true,
                (true, false, TlsMode::Intercept) => return false,
                (true, true, TlsMode::Intercept) | (false, ..) => {}
            }
        }
        self.mode == TlsMode::Passthrough
    }

    /// Hosts, so that each for which the conditions can hold is treated as one of them by scopes and
    /// conditions alike: each name that is spoken of, and one under it that is not.
    fn standing_for_all<'h>(
        &'h self,
        asked: &'h [Asked<'h>],
    ) -> impl Iterator<Item = Option<String>> {
        let narrow = asked.iter().find_map(Asked::names);
        let in_scopes: Box<dyn Iterator<Item = &str>> = match narrow {
            Some(names) => Box::new(
                names
                    .iter()
                    .filter_map(|name| self.bases_under.get(name))
                    .flatten()
                    .copied(),
            ),
            None => Box::new(self.scopes.iter().flat_map(|scope| &scope.above).copied()),
        };
        let in_rule = asked.iter().flat_map(Asked::spoken_of);
        let spoken_of = in_rule
            .chain(in_scopes)
            .flat_map(|name| [name.to_owned(), format!("{OTHER}.{name}")]);
        // A name without anything in common with those, and an address.
        let others = [Some(OTHER.to_owned()), None];
        let others = others.into_iter().filter(move |_| narrow.is_none());
        spoken_of.map(Some).chain(others)
    }
}

impl ScopeNames<'_> {
    fn names(&self, host: &str) -> bool {
        let mut above = suffixes(host).skip(1);
        self.exact.contains(host) || above.any(|name| self.above.contains(name))
    }
}

/// A condition on the domain.
struct Asked<'r> {
    negated: bool,
    test: TestOfName<'r>,
}

enum TestOfName<'r> {
    /// One of these; true: or a name under one.
    Names(HashSet<&'r str>, bool),
    /// There is no name.
    Absent(bool),
    /// Expressions, which may hold for any.
    Unknown,
}

impl<'r> Asked<'r> {
    fn new(condition: &'r Condition) -> Self {
        let test = match &condition.test {
            // Names are in lower case.
            Test::Exact { values, .. } => TestOfName::Names(values.iter().collect(), false),
            Test::Domain(values) => TestOfName::Names(values.iter().collect(), true),
            Test::Absent(absent) => TestOfName::Absent(*absent),
            _ => TestOfName::Unknown,
        };
        Self {
            negated: condition.negated,
            test,
        }
    }

    fn may_hold(&self, host: Option<&str>) -> bool {
        let holds = match &self.test {
            TestOfName::Names(names, false) => host.is_some_and(|host| names.contains(host)),
            TestOfName::Names(names, true) => {
                host.is_some_and(|host| suffixes(host).any(|name| names.contains(name)))
            }
            TestOfName::Absent(absent) => host.is_none() == *absent,
            TestOfName::Unknown => return true,
        };
        holds != self.negated
    }

    /// The condition never holds but for these and those under them.
    const fn names(&self) -> Option<&HashSet<&'r str>> {
        match &self.test {
            TestOfName::Names(names, _) if !self.negated => Some(names),
            _ => None,
        }
    }

    fn spoken_of(&self) -> impl Iterator<Item = &'r str> {
        let names = match &self.test {
            TestOfName::Names(names, _) => Some(names),
            _ => None,
        };
        names.into_iter().flatten().copied()
    }
}

/// A name, and the names above it.
fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    let after = name.match_indices('.').map(|(at, _)| at + 1);
    std::iter::once(0)
        .chain(after)
        .filter_map(|at| name.get(at..))
}
