//! A ruleset becomes a bundle.

use super::Unreachable;
use super::header::{Section, join};
use super::section::{MetaRecord, encode, encode_words};
use crate::cost::{self, CertificateRecords};
use crate::index::build::{Built, build};
use crate::index::error::WriteError;
use crate::index::record::Span;
use crate::index::tables::number;
use crate::{Defaults, Ruleset};

/// Where a bundle comes from. Part of its content, and so of its identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildRecord {
    /// Name and version of what compiled it.
    pub tool_version: String,
    /// Hash of the rule text, in hex.
    pub source_digest: String,
}

/// Compiles and writes a ruleset. The same input gives the same bytes on every machine.
///
/// # Errors
/// When a condition cannot be compiled (the error says which), or the ruleset is too large.
pub fn write(ruleset: &Ruleset, record: &BuildRecord) -> Result<Vec<u8>, WriteError> {
    write_reachable(ruleset, &Unreachable::default(), record)
}

/// As [`write()`]; rules that were proven unreachable are not looked for. If they were not, the bundle
/// decides as if they were absent.
///
/// # Errors
/// As for [`write()`].
pub fn write_reachable(
    ruleset: &Ruleset,
    unreachable: &Unreachable,
    record: &BuildRecord,
) -> Result<Vec<u8>, WriteError> {
    Ok(Written::new(ruleset, unreachable, record)?.join())
}

/// What a bundle is made of, before it becomes bytes. Tests change it, to see what a reader refuses.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) built: Built,
    tool_version: Span,
    source_digest: Span,
    costs: CertificateRecords,
}

impl Written {
    pub(super) fn new(
        ruleset: &Ruleset,
        unreachable: &Unreachable,
        record: &BuildRecord,
    ) -> Result<Self, WriteError> {
        let mut built = build(ruleset, unreachable)?;
        let tool_version = append(&mut built.strings, &record.tool_version)?;
        let source_digest = append(&mut built.strings, &record.source_digest)?;
        let slots = built.slots.as_chunks::<4>().0;
        let certificate = cost::compute(&built.index, slots, &built.strings);
        Ok(Self {
            costs: certificate.records(),
            built,
            tool_version,
            source_digest,
        })
    }

    pub(super) fn join(&self) -> Vec<u8> {
        let Defaults {
            pre_dns,
            pre_request,
            post_response,
        } = self.built.index.defaults;
        let [pre_dns_rules, pre_request_rules, post_response_rules] = self.built.index.phases;
        let meta = MetaRecord {
            pre_dns,
            pre_request,
            post_response,
            pre_dns_rules,
            pre_request_rules,
            post_response_rules,
            tool_version: self.tool_version,
            source_digest: self.source_digest,
        };
        let sections: Vec<_> = Section::ALL
            .iter()
            .map(|section| content(*section, &self.built, &meta, &self.costs))
            .collect();
        join(&sections)
    }
}

fn append(strings: &mut Vec<u8>, text: &str) -> Result<Span, WriteError> {
    let span = Span {
        start: number(strings.len())?,
        len: number(text.len())?,
    };
    strings.extend_from_slice(text.as_bytes());
    number(strings.len())?;
    Ok(span)
}

fn content(
    section: Section,
    built: &Built,
    meta: &MetaRecord,
    (phase_costs, costs, costly_rules): &CertificateRecords,
) -> Vec<u8> {
    let index = &built.index;
    match section {
        Section::Meta => encode(std::slice::from_ref(meta)),
        Section::Groups => encode(&index.groups),
        Section::Rules => encode(&index.rules),
        Section::Conditions => encode_words(&index.conditions),
        Section::Predicates => encode(&index.predicates),
        Section::Fields => encode(&index.fields),
        Section::Views => encode(&index.views),
        Section::Tables => encode(&index.tables),
        Section::Meanings => encode(&index.meanings),
        Section::Trees => encode(&index.trees),
        Section::Bounds => encode(&index.bounds),
        Section::Nodes => encode_words(&index.nodes),
        Section::Needles => encode(&index.needles),
        Section::Windows => encode(&index.windows),
        Section::WindowKeys => encode(&index.window_keys),
        Section::Patterns => encode(&index.patterns),
        Section::AutomataIndex => encode(&index.automata),
        Section::Families => encode(&index.families),
        Section::Reports => encode_words(&index.reports),
        Section::Residuals => encode(&index.residuals),
        Section::Schedules => encode(&index.schedules),
        Section::Zones => encode(&index.zones),
        Section::Transitions => encode(&index.transitions),
        Section::Access => encode(&index.access),
        Section::Lists => encode_words(&index.lists),
        Section::Slots => encode_words(&built.slots),
        Section::Automata => built.automata.clone(),
        Section::PhaseCosts => encode(phase_costs),
        Section::Costs => encode(costs),
        Section::CostlyRules => encode(costly_rules),
        Section::TestsWritten => built.tests_written.clone(),
        Section::Strings => built.strings.clone(),
    }
}
