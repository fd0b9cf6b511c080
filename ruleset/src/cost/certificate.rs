//! The certificate: for each phase and each source that its rules ask for, what a lookup costs at
//! worst, as a linear function of how many values the source has and how long they are.

use std::ops::{Add, Mul};

use crate::{Phase, Protocol, RuleIndex, Source};

/// Counts of what is done. Sums and products saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Slots of hash tables, bounds of ranges and nodes of trees that are looked at.
    pub probes: u64,
    /// Bytes of input that go through automata and globs; a byte that several look at counts for
    /// each.
    pub steps: u64,
    /// Rules whose conditions are asked for.
    pub rules: u64,
    /// Bytes of the bundle, and of what was built from it at load, that are read.
    pub bytes: u64,
}

impl Cost {
    /// Whether no count is above the other's.
    #[must_use]
    pub const fn is_within(&self, bound: &Self) -> bool {
        self.probes <= bound.probes
            && self.steps <= bound.steps
            && self.rules <= bound.rules
            && self.bytes <= bound.bytes
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            probes: self.probes.saturating_add(other.probes),
            steps: self.steps.saturating_add(other.steps),
            rules: self.rules.saturating_add(other.rules),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

impl Mul<u64> for Cost {
    type Output = Self;

    fn mul(self, factor: u64) -> Self {
        Self {
            probes: self.probes.saturating_mul(factor),
            steps: self.steps.saturating_mul(factor),
            rules: self.rules.saturating_mul(factor),
            bytes: self.bytes.saturating_mul(factor),
        }
    }
}

/// Looking up one source: `fixed + per_value × values + per_byte × bytes of all values`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceCost {
    /// The source.
    pub source: Source,
    /// Whatever its values.
    pub fixed: Cost,
    /// For each value: a header line is one, of whatever name.
    pub per_value: Cost,
    /// For each byte of a value.
    pub per_byte: Cost,
}

/// One phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseCost {
    /// The sources that rules of the phase ask for.
    pub sources: Vec<SourceCost>,
    /// Rules that are looked at whatever the request.
    pub always: u64,
    /// Rules that can be looked at at all.
    pub rules: u64,
    /// Bytes that judging one rule reads at most.
    pub rule_bytes: u64,
    /// Those that cost most.
    pub costly: Vec<CostlyRule>,
}

/// A rule that stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostlyRule {
    /// Its place in the phase.
    pub rule: RuleIndex,
    /// In what way.
    pub why: Why,
    /// Steps for each byte of input that its patterns may take; for [`Why::Always`] 0.
    pub steps_per_byte: u64,
}

/// Why a rule is costly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It has patterns that are tried whenever a literal of theirs is met.
    Patterns,
    /// It has patterns without a literal, or a schedule: tried whenever the rule is looked at.
    OnDemand,
    /// No index can tell that it does not match: it is looked at for every request.
    Always,
}

impl Why {
    /// All.
    pub const ALL: [Self; 3] = [Self::Patterns, Self::OnDemand, Self::Always];

    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Patterns => "patterns",
            Self::OnDemand => "patterns or schedules on demand",
            Self::Always => "looked at for every request",
        }
    }
}

/// What a URL has besides name, path and query: `https://`, a colon and a port; brackets.
const URL_EXTRA_BYTES: u64 = 16;

/// How much a request can bring. The defaults are those of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputLimits {
    /// Lines of a header section, and labels of a client.
    pub lines: u64,
    /// Bytes of a header section.
    pub head_bytes: u64,
    /// Bytes of path and query.
    pub uri_bytes: u64,
    /// Bytes of a name.
    pub name_bytes: u64,
    /// Bytes of any other text.
    pub text_bytes: u64,
}

impl Default for InputLimits {
    fn default() -> Self {
        Self {
            lines: 128,
            head_bytes: 32 * 1024,
            uri_bytes: 16 * 1024,
            name_bytes: 255,
            text_bytes: 8 * 1024,
        }
    }
}

impl InputLimits {
    /// Most values of a source, and most bytes of all of them.
    const fn of(&self, source: Source) -> (u64, u64) {
        match source {
            Source::RequestHeaders | Source::ResponseHeaders | Source::SourceLabels => {
                (self.lines, self.head_bytes)
            }
            Source::TlsAlpn => (self.lines, self.text_bytes),
            Source::HttpUserAgent => (self.lines, self.head_bytes),
            Source::HttpContentType | Source::ResponseContentType => (
                self.lines * crate::normalize::CONTENT_TYPES_MAX as u64,
                self.head_bytes,
            ),
            // `ForAllValues` has each word tested.
            Source::Protocol => (Protocol::ALL.len() as u64, Protocol::NAMES_BYTES),
            Source::HttpUri => (1, self.uri_bytes),
            Source::Url => (1, self.uri_bytes + self.name_bytes + URL_EXTRA_BYTES),
            Source::DestinationHost | Source::Authority => (1, self.name_bytes + URL_EXTRA_BYTES),
            Source::DestinationDomain | Source::TlsSni => (1, self.name_bytes),
            _ => (1, self.text_bytes),
        }
    }
}

impl PhaseCost {
    /// What an evaluation costs at most when everything is known.
    #[must_use]
    pub fn worst(&self, limits: &InputLimits) -> Cost {
        let looked_up = self.looked_up(limits);
        let rules = looked_up.rules.saturating_add(self.always);
        self.with_rules(looked_up, rules.min(self.rules))
    }

    /// What it costs at most while any facts are unknown: every rule may have to be looked at.
    #[must_use]
    pub fn worst_early(&self, limits: &InputLimits) -> Cost {
        self.with_rules(self.looked_up(limits), self.rules)
    }

    fn looked_up(&self, limits: &InputLimits) -> Cost {
        self.sources.iter().fold(Cost::default(), |sum, cost| {
            let (values, bytes) = limits.of(cost.source);
            sum + cost.fixed + cost.per_value * values + cost.per_byte * bytes
        })
    }

    const fn with_rules(&self, looked_up: Cost, rules: u64) -> Cost {
        Cost {
            rules,
            bytes: looked_up
                .bytes
                .saturating_add(rules.saturating_mul(self.rule_bytes)),
            ..looked_up
        }
    }
}

/// What evaluations of a bundle cost at worst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// By [`Phase::index`].
    pub phases: [PhaseCost; 3],
}

/// As it is written: a row for each phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PhaseCostRecord {
    pub(crate) always: u64,
    pub(crate) rules: u64,
    pub(crate) rule_bytes: u64,
}

/// As it is written: a row for each phase and source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CostRecord {
    pub(crate) phase: u32,
    pub(crate) source: Source,
    pub(crate) fixed: Cost,
    pub(crate) per_value: Cost,
    pub(crate) per_byte: Cost,
}

/// As it is written: a row for each phase and costly rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CostlyRuleRecord {
    pub(crate) phase: u32,
    pub(crate) rule: u32,
    pub(crate) why: u32,
    pub(crate) steps_per_byte: u64,
}

/// A certificate as rows.
pub(crate) type CertificateRecords = (Vec<PhaseCostRecord>, Vec<CostRecord>, Vec<CostlyRuleRecord>);

impl Certificate {
    /// The costs of one phase.
    #[must_use]
    pub const fn phase(&self, phase: Phase) -> &PhaseCost {
        let [pre_dns, pre_request, post_response] = &self.phases;
        match phase {
            Phase::PreDns => pre_dns,
            Phase::PreRequest => pre_request,
            Phase::PostResponse => post_response,
        }
    }

    /// The rows to write.
    pub(crate) fn records(&self) -> CertificateRecords {
        let (mut phases, mut costs, mut costly) = (Vec::new(), Vec::new(), Vec::new());
        for (phase, cost) in (0..).zip(&self.phases) {
            phases.push(PhaseCostRecord {
                always: cost.always,
                rules: cost.rules,
                rule_bytes: cost.rule_bytes,
            });
            costs.extend(cost.sources.iter().map(|source| CostRecord {
                phase,
                source: source.source,
                fixed: source.fixed,
                per_value: source.per_value,
                per_byte: source.per_byte,
            }));
            costly.extend(cost.costly.iter().map(|rule| CostlyRuleRecord {
                phase,
                rule: rule.rule.0,
                why: rule.why as u32,
                steps_per_byte: rule.steps_per_byte,
            }));
        }
        (phases, costs, costly)
    }

    /// From rows that were read; `None` when they are none.
    pub(crate) fn from_records(
        phases: &[PhaseCostRecord],
        costs: &[CostRecord],
        costly: &[CostlyRuleRecord],
    ) -> Option<Self> {
        let phases: &[PhaseCostRecord; 3] = phases.try_into().ok()?;
        let mut certificate = Self {
            phases: phases.map(|record| PhaseCost {
                sources: Vec::new(),
                always: record.always,
                rules: record.rules,
                rule_bytes: record.rule_bytes,
                costly: Vec::new(),
            }),
        };
        for record in costs {
            let phase = certificate.phases.get_mut(record.phase as usize)?;
            phase.sources.push(SourceCost {
                source: record.source,
                fixed: record.fixed,
                per_value: record.per_value,
                per_byte: record.per_byte,
            });
        }
        for record in costly {
            let phase = certificate.phases.get_mut(record.phase as usize)?;
            phase.costly.push(CostlyRule {
                rule: RuleIndex(record.rule),
                why: *Why::ALL.get(record.why as usize)?,
                steps_per_byte: record.steps_per_byte,
            });
        }
        Some(certificate)
    }
}
