//! What rules ask for and this configuration never shows them: fields that nothing here fills, and what
//! is inside tunnels that are passed through. Such rules are not wrong, but their author may count on them;
//! `check`, the start and each reload name them. Called there only.

use sallyport_ruleset::explain::{Asked, asked};
use sallyport_ruleset::{Bundle, Condition, Field, Phase, RuleIndex, Source};

use super::domains::ScopesByName;
use crate::config::Config;
use crate::config::checked::{Listener, TlsMode, TlsScope};

/// So many rules are named; of the others the count is.
const NAMED_MAX: usize = 12;

/// What is to be told about the rules of a bundle under a configuration.
pub(crate) fn warnings(config: &Config, bundle: &Bundle) -> Vec<String> {
    let mut warnings = unfilled(config, bundle);
    warnings.extend(in_tunnels(config, bundle));
    warnings
}

/// Tells them as messages of the process.
pub(crate) fn warn(config: &Config, bundle: &Bundle) {
    for warning in warnings(config, bundle) {
        tracing::warn!("{warning}");
    }
}

/// Fields that stay absent whatever a client does, and why.
fn never_there(config: &Config) -> Vec<(Source, &'static str)> {
    let mut sources = Vec::new();
    let mut all = config.listeners.iter();
    if all.all(|listener| listener.proxy_protocol.is_none()) {
        sources.push((Source::SourceVpce, "no listener has a `proxy_protocol`"));
    }
    let known = &config.identity_sources;
    let no_source = "no `[[identity.source]]` gives it";
    if known.iter().all(|source| source.vpc.is_none()) {
        sources.push((Source::SourceVpc, no_source));
    }
    if known.iter().all(|source| source.account.is_none()) {
        sources.push((Source::SourceAccount, no_source));
    }
    // Tokens may have labels as well.
    let takes_tokens = |listener: &Listener| listener.auth.takes_tokens();
    if known.iter().all(|source| source.labels.is_empty())
        && !config.listeners.iter().any(takes_tokens)
    {
        sources.push((Source::SourceLabels, no_source));
    }
    let authenticates = |listener: &Listener| {
        let tls = listener.protocol.tls();
        listener.auth.are_any() || tls.is_some_and(|tls| tls.client_ca.is_some())
    };
    if !config.listeners.iter().any(authenticates) {
        let why = "no listener has an `auth` or a `client_ca`";
        sources.push((Source::Principal, why));
    }
    if !config.tls.intercepts() {
        let why = "nothing is intercepted";
        sources.extend([
            (Source::ResponseTlsIssuer, why),
            (Source::ResponseTlsSha256, why),
        ]);
    }
    sources
}

/// One warning for each key that is never there and that rules ask for.
fn unfilled(config: &Config, bundle: &Bundle) -> Vec<String> {
    let mut warnings = Vec::new();
    for (source, why) in never_there(config) {
        let (mut void, mut certain) = (Names::default(), Names::default());
        let mut keys: Vec<String> = Vec::new();
        for (phase, rule) in rules(bundle, |phase| bundle.sources(phase).contains(&source)) {
            let asked = asked(bundle, phase, rule);
            let mut of_source = asked.iter().filter(|one| one.field.source() == source);
            let Some(first) = of_source.next() else {
                continue;
            };
            let key = first.field.to_string();
            if !keys.contains(&key) && keys.len() < NAMED_MAX {
                keys.push(key);
            }
            if first.holds_if_absent && of_source.all(|one| one.holds_if_absent) {
                certain.add(bundle, phase, rule);
            } else {
                void.add(bundle, phase, rule);
            }
        }
        let said = [
            void.said("never matching"),
            certain.said("matching without regard to it"),
        ];
        let said: Vec<_> = said.into_iter().flatten().collect();
        if !said.is_empty() {
            let keys = keys.join(", ");
            warnings.push(format!(
                "{keys} is never there ({why}): {}",
                said.join("; ")
            ));
        }
    }
    warnings
}

/// What is passed through of TLS, in words; `None`: nothing.
fn passed_through(config: &Config) -> Option<String> {
    let tls = &config.tls;
    let of = |mode| tls.scopes.iter().filter(|scope| scope.mode == mode).count();
    match (tls.mode, of(TlsMode::Intercept), of(TlsMode::Passthrough)) {
        (TlsMode::Passthrough, 0, _) => {
            Some("TLS is passed through (`tls.mode = \"passthrough\"`)".to_owned())
        }
        (TlsMode::Passthrough, ..) => {
            Some("TLS is passed through but for what a `[[tls.scope]]` intercepts".to_owned())
        }
        (TlsMode::Intercept, _, 0) => None,
        (TlsMode::Intercept, _, 1) => Some("a `[[tls.scope]]` passes TLS through".to_owned()),
        (TlsMode::Intercept, _, count) => Some(format!(
            "{count} entries of `[[tls.scope]]` pass TLS through"
        )),
    }
}

/// Rules that need what is inside TLS, where it is passed through.
fn in_tunnels(config: &Config, bundle: &Bundle) -> Option<String> {
    let why = passed_through(config)?;
    let seeing = Seeing::new(config, bundle);
    let (mut void, mut certain) = (Names::default(), Names::default());
    for (phase, rule) in rules(bundle, |phase| phase != Phase::PreDns) {
        let asked = asked(bundle, phase, rule);
        let mut of_head = asked.iter().filter(|one| is_of_a_head(&one.field));
        let first = of_head.next();
        if (phase == Phase::PreRequest && first.is_none()) || seeing.sees_all(phase, rule) {
            continue;
        }
        let holds = |one: &Asked| one.holds_if_absent;
        if phase == Phase::PreRequest && first.is_some_and(holds) && of_head.all(holds) {
            certain.add(bundle, phase, rule);
        } else {
            void.add(bundle, phase, rule);
        }
    }
    let said = [
        void.said("never matching there"),
        certain.said(
            "matching as if what they ask for were absent (`request:Http:Method` with `Null = false` leaves such tunnels out)",
        ),
    ];
    let said: Vec<_> = said.into_iter().flatten().collect();
    (!said.is_empty()).then(|| format!("{why}: {}", said.join("; ")))
}

/// Which rules are only about domains that are intercepted.
struct Seeing<'c> {
    scopes: ScopesByName<'c>,
    /// The conditions of all rules by phase; none if scopes do not matter, or the bundle does not say.
    conditions: Option<[Vec<Vec<Condition>>; 3]>,
}

impl<'c> Seeing<'c> {
    fn new(config: &'c Config, bundle: &Bundle) -> Self {
        // Without a scope that has names, what is passed through is so for all of them.
        let has_names = |scope: &TlsScope| !scope.domains.is_empty();
        let matters = config.tls.scopes.iter().any(has_names);
        let ruleset = matters.then(|| bundle.rules_as_written()).flatten();
        Self {
            scopes: ScopesByName::new(&config.tls),
            conditions: ruleset.map(|ruleset| {
                Phase::ALL.map(|phase| {
                    let rules = ruleset.rules(phase);
                    rules.map(|(_, rule)| rule.conditions.clone()).collect()
                })
            }),
        }
    }

    fn sees_all(&self, phase: Phase, rule: RuleIndex) -> bool {
        let of_phase = Phase::ALL.iter().position(|one| *one == phase);
        let conditions = self
            .conditions
            .as_ref()
            .zip(of_phase)
            .and_then(|(all, at)| all.get(at)?.get(rule.0 as usize));
        conditions.is_some_and(|conditions| !self.scopes.may_be_passed_through(conditions))
    }
}

/// What is read from a request head, and so not seen inside TLS.
fn is_of_a_head(field: &Field) -> bool {
    (Source::HttpUri..=Source::RequestHeaders).contains(&field.source())
}

/// Rules that are looked for at all, of some phases.
fn rules(
    bundle: &Bundle,
    wanted: impl Fn(Phase) -> bool,
) -> impl Iterator<Item = (Phase, RuleIndex)> {
    Phase::ALL
        .into_iter()
        .filter(move |phase| wanted(*phase))
        .flat_map(|phase| {
            let all = (0..).map(RuleIndex).take(bundle.rules_count(phase));
            all.map(move |rule| (phase, rule))
        })
        .filter(|(phase, rule)| bundle.is_reachable(*phase, *rule))
}

/// Names of rules, as many as anyone reads.
#[derive(Debug, Default)]
struct Names {
    names: Vec<String>,
    count: usize,
}

impl Names {
    fn add(&mut self, bundle: &Bundle, phase: Phase, rule: RuleIndex) {
        self.count += 1;
        if self.names.len() < NAMED_MAX {
            let (group, name) = (
                bundle.rule_group(phase, rule),
                bundle.rule_name(phase, rule),
            );
            self.names.push(format!("{group}/{name}"));
        }
    }

    /// `never matching: a/b, a/c (2)`.
    fn said(&self, what: &str) -> Option<String> {
        if self.count == 0 {
            return None;
        }
        let names = self.names.join(", ");
        let more = match self.count - self.names.len() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        Some(format!("{what}: {names}{more} ({})", self.count))
    }
}
