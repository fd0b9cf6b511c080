//! A loaded bundle. Loading checks every byte once and works out what evaluation needs; large
//! parts stay where they are (a mapping, say), shared by all shards.

use std::fmt;
use std::ops::Range;

use super::header::{Frame, Section, VERSION};
use super::plan::{self, HeaderNames, PhasePlan};
use super::section::{MetaRecord, decode};
use super::signature::Signature;
use super::validate::{Parts, validate};
use super::{BuildRecord, BundleError};
use crate::cost::{self, Certificate};
use crate::index::record::*;
use crate::invariant::{Invariant, at};
use crate::matcher::hash::Slot;
use crate::matcher::literals::Searcher;
use crate::{Action, Defaults, Phase, RuleIndex, Source};

/// A compiled ruleset, checked and ready to evaluate.
pub struct Bundle {
    bytes: Box<dyn AsRef<[u8]> + Send + Sync>,
    id: String,
    pub(super) signature: Option<Signature>,
    record: BuildRecord,
    pub(crate) index: Index,
    strings: Range<usize>,
    slots: Range<usize>,
    certificate: Certificate,
    automata: Range<usize>,
    pub(crate) plans: [PhasePlan; 3],
    pub(crate) searchers: Vec<Option<Searcher>>,
    pub(crate) pattern_phases: Vec<u32>,
    /// Number of the field of each source that has one field, by [`Source::index`].
    pub(crate) source_fields: [Option<u32>; Source::ALL.len()],
    pub(crate) source_labels: HeaderNames,
    pub(crate) request_headers: HeaderNames,
    pub(crate) response_headers: HeaderNames,
    frame: Frame,
}

/// A part of the file, for `inspect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionSize {
    /// What is in it.
    pub name: &'static str,
    /// Without the zeros around it.
    pub bytes: usize,
}

/// What is inside a bundle, for `inspect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The file.
    pub bytes: usize,
    /// By [`Phase::index`].
    pub rules_count: [usize; 3],
    /// Rule groups.
    pub groups_count: usize,
    /// Distinct conditions.
    pub predicates_count: usize,
    /// Distinct fields that conditions use.
    pub fields_count: usize,
    /// Values in hash tables.
    pub table_entries_count: usize,
    /// Bytes of hash tables, without the values.
    pub table_bytes: usize,
    /// Ends of ranges of numbers, times and addresses.
    pub bounds_count: usize,
    /// Globs that are found by their shape, of all forms of a text.
    pub window_keys_count: usize,
    /// Globs and regular expressions behind the pass over literals.
    pub patterns_count: usize,
    /// Tests that no index answers.
    pub residuals_count: usize,
    /// Regular expressions that are tried alone.
    pub automata_count: usize,
    /// Automata of several regular expressions.
    pub families_count: usize,
    /// States of all automata.
    pub automata_states_count: usize,
    /// Bytes of all automata.
    pub automata_bytes: usize,
    /// Bytes of names and values.
    pub strings_bytes: usize,
    /// Memory of the literal searchers, which are built at load, not in the file.
    pub searcher_bytes: usize,
}

impl Bundle {
    /// Checks and loads a bundle.
    ///
    /// # Errors
    /// When the bytes are not exactly what [`super::write`] gives: see [`BundleError`].
    pub fn load(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self, BundleError> {
        let bytes: Box<dyn AsRef<[u8]> + Send + Sync> = Box::new(bytes);
        let content = (*bytes).as_ref();
        let frame = Frame::read(content)?;
        let (index, meta) = read_index(content, &frame)?;
        let strings = part(content, &frame.range(Section::Strings));
        let parts = Parts {
            strings,
            slots: slots(content, &frame.range(Section::Slots)),
            automata: part(content, &frame.range(Section::Automata)),
        };
        validate(&index, parts)?;
        let text = |span: Span| {
            let text = strings.get(span.range());
            let text = text.and_then(|bytes| str::from_utf8(bytes).ok());
            text.map(str::to_owned).ok_or(inconsistent("build record"))
        };
        let record = BuildRecord {
            tool_version: text(meta.tool_version)?,
            source_digest: text(meta.source_digest)?,
        };
        let certificate = read_certificate(content, &frame)?;
        let mut source_fields = [None; Source::ALL.len()];
        for (number, field) in (0..).zip(&index.fields) {
            let place = source_fields.get_mut(field.source.index());
            *place.or_broken("a source") = Some(number);
        }
        Ok(Self {
            id: frame.id.iter().map(|byte| format!("{byte:02x}")).collect(),
            signature: frame.signature,
            record,
            strings: frame.range(Section::Strings),
            slots: frame.range(Section::Slots),
            certificate,
            automata: frame.range(Section::Automata),
            plans: Phase::ALL.map(|phase| PhasePlan::new(&index, phase)),
            searchers: plan::searchers(&index, strings).ok_or(inconsistent("needles"))?,
            pattern_phases: plan::pattern_phases(&index),
            source_fields,
            source_labels: HeaderNames::new(&index, Source::SourceLabels, strings),
            request_headers: HeaderNames::new(&index, Source::RequestHeaders, strings),
            response_headers: HeaderNames::new(&index, Source::ResponseHeaders, strings),
            index,
            bytes,
            frame,
        })
    }

    /// The identity: a hash of the whole content, in hex. Every log line carries it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The version of the format; what was loaded has the one that this program writes.
    #[must_use]
    pub const fn format_version(&self) -> u32 {
        VERSION
    }

    /// All bytes but the signature: what [`super::write`] gave.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        part(self.bytes(), &(0..self.frame.content_end()))
    }

    /// The parts of the file in their order.
    pub fn sections(&self) -> impl Iterator<Item = SectionSize> {
        Section::ALL.iter().map(|section| SectionSize {
            name: section.name(),
            bytes: self.frame.range(*section).len(),
        })
    }

    /// Where the bundle comes from.
    #[must_use]
    pub const fn build_record(&self) -> &BuildRecord {
        &self.record
    }

    /// The default actions.
    #[must_use]
    pub const fn defaults(&self) -> Defaults {
        self.index.defaults
    }

    /// How many rules a phase has; their indexes are `0..rules_count`.
    #[must_use]
    pub fn rules_count(&self, phase: Phase) -> usize {
        self.phase(phase).len as usize
    }

    /// The name of a rule; empty for an index that is none of the phase.
    #[must_use]
    pub fn rule_name(&self, phase: Phase, rule: RuleIndex) -> &str {
        self.rule(phase, rule)
            .map_or("", |rule| self.text(rule.name))
    }

    /// The description of a rule; empty for an index that is none of the phase.
    #[must_use]
    pub fn rule_description(&self, phase: Phase, rule: RuleIndex) -> &str {
        self.rule(phase, rule)
            .map_or("", |rule| self.text(rule.description))
    }

    /// The action of a rule.
    #[must_use]
    pub fn rule_action(&self, phase: Phase, rule: RuleIndex) -> Option<Action> {
        self.rule(phase, rule).map(|rule| rule.action)
    }

    /// Whether a rule is looked for at all: the compiler has not proven that it is never reached.
    #[must_use]
    pub fn is_reachable(&self, phase: Phase, rule: RuleIndex) -> bool {
        self.rule(phase, rule).is_some_and(|rule| rule.is_reachable)
    }

    /// The name of a rule's group; empty for an index that is none of the phase.
    #[must_use]
    pub fn rule_group(&self, phase: Phase, rule: RuleIndex) -> &str {
        let group = |rule: &RuleRecord| at(&self.index.groups, rule.group);
        self.rule(phase, rule)
            .map_or("", |rule| self.text(group(rule).name))
    }

    /// The rule of a name in a group, in whatever phase it is.
    #[must_use]
    pub fn find_rule(&self, group: &str, name: &str) -> Option<(Phase, RuleIndex)> {
        Phase::ALL.into_iter().find_map(|phase| {
            let mut indexes = (0..).map(RuleIndex).take(self.rules_count(phase));
            indexes
                .find(|rule| {
                    self.rule_name(phase, *rule) == name && self.rule_group(phase, *rule) == group
                })
                .map(|rule| (phase, rule))
        })
    }

    /// The groups in their order: name and priority.
    pub fn groups(&self) -> impl Iterator<Item = (&str, u32)> {
        self.index
            .groups
            .iter()
            .map(|group| (self.text(group.name), group.priority))
    }

    /// The sources that rules of a phase ask for: what the engine must find out at all.
    #[must_use]
    pub fn sources(&self, phase: Phase) -> &[Source] {
        let [pre_dns, pre_request, post_response] = &self.plans;
        match phase {
            Phase::PreDns => &pre_dns.sources,
            Phase::PreRequest => &pre_request.sources,
            Phase::PostResponse => &post_response.sources,
        }
    }

    /// What evaluations cost at worst, as the compiler found it.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The certificate worked out again: whether the one in the file holds.
    #[must_use]
    pub fn certificate_again(&self) -> Certificate {
        let bytes = self.bytes();
        let slots: Vec<[u32; 4]> = self
            .slots(bytes)
            .iter()
            .map(|slot| slot.map(u32::from_le_bytes))
            .collect();
        cost::compute(&self.index, &slots, self.strings(bytes))
    }

    /// What is inside.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let searchers = self.searchers.iter().flatten();
        let slots = self.slots(self.bytes()).iter();
        let alone = self.index.automata.iter().map(|record| record.states);
        let families = self.index.families.iter().map(|record| record.states);
        Sizes {
            bytes: self.bytes().len(),
            rules_count: Phase::ALL.map(|phase| self.rules_count(phase)),
            groups_count: self.index.groups.len(),
            predicates_count: self.index.predicates.len(),
            fields_count: self.index.fields.len(),
            table_entries_count: slots.filter(|[.., content]| *content != [0; 4]).count(),
            table_bytes: self.slots.len(),
            bounds_count: self.index.bounds.len(),
            window_keys_count: self.index.window_keys.len(),
            patterns_count: self.index.patterns.len(),
            residuals_count: self.index.residuals.len(),
            automata_count: self.index.automata.len(),
            families_count: self.index.families.len(),
            automata_states_count: alone.chain(families).map(|states| states as usize).sum(),
            automata_bytes: self.automata.len(),
            strings_bytes: self.strings.len(),
            searcher_bytes: searchers.map(Searcher::memory_bytes).sum(),
        }
    }

    pub(super) const fn id_bytes(&self) -> &[u8] {
        &self.frame.id
    }

    pub(super) fn tests_written(&self) -> &[u8] {
        part(self.bytes(), &self.frame.range(Section::TestsWritten))
    }

    pub(crate) fn phase(&self, phase: Phase) -> Span {
        let [pre_dns, pre_request, post_response] = self.index.phases;
        match phase {
            Phase::PreDns => pre_dns,
            Phase::PreRequest => pre_request,
            Phase::PostResponse => post_response,
        }
    }

    pub(crate) fn plan(&self, phase: Phase) -> &PhasePlan {
        let [pre_dns, pre_request, post_response] = &self.plans;
        match phase {
            Phase::PreDns => pre_dns,
            Phase::PreRequest => pre_request,
            Phase::PostResponse => post_response,
        }
    }

    /// The rules of a phase.
    pub(crate) fn rules(&self, phase: Phase) -> &[RuleRecord] {
        self.phase(phase).of(&self.index.rules)
    }

    pub(crate) fn rule(&self, phase: Phase, rule: RuleIndex) -> Option<&RuleRecord> {
        self.rules(phase).get(rule.0 as usize)
    }

    pub(crate) fn text(&self, span: Span) -> &str {
        let text = str::from_utf8(span.of(self.strings(self.bytes())));
        text.ok().or_broken("a text")
    }

    /// All bytes. The parts below are cut from them; cutting is cheap, finding the bytes is a
    /// virtual call that an evaluation makes once.
    pub(crate) fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }

    pub(crate) fn strings<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        part(bytes, &self.strings)
    }

    pub(crate) fn slots<'b>(&self, bytes: &'b [u8]) -> &'b [Slot] {
        slots(bytes, &self.slots)
    }

    pub(crate) fn automata<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        part(bytes, &self.automata)
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn slots<'b>(bytes: &'b [u8], range: &Range<usize>) -> &'b [Slot] {
    let words = part(bytes, range).as_chunks::<4>().0;
    words.as_chunks::<4>().0
}

/// A part of the file, of which the frame has been checked.
fn part<'b>(bytes: &'b [u8], range: &Range<usize>) -> &'b [u8] {
    bytes.get(range.clone()).or_broken("a part of the file")
}

const fn inconsistent(what: &'static str) -> BundleError {
    BundleError::Inconsistent { what }
}

fn read_certificate(bytes: &[u8], frame: &Frame) -> Result<Certificate, BundleError> {
    let section = |section: Section| part(bytes, &frame.range(section));
    let certificate = || {
        Certificate::from_records(
            &decode(section(Section::PhaseCosts))?,
            &decode(section(Section::Costs))?,
            &decode(section(Section::CostlyRules))?,
        )
    };
    certificate().ok_or(inconsistent(Section::Costs.name()))
}

fn read_index(bytes: &[u8], frame: &Frame) -> Result<(Index, MetaRecord), BundleError> {
    let section = |section: Section| part(bytes, &frame.range(section));
    macro_rules! table {
        ($section:ident) => {
            decode(section(Section::$section)).ok_or(inconsistent(Section::$section.name()))?
        };
    }
    let meta: Vec<MetaRecord> = table!(Meta);
    let [meta] = meta.try_into().map_err(|_| inconsistent("head"))?;
    let MetaRecord {
        pre_dns,
        pre_request,
        post_response,
        ..
    } = meta;
    let index = Index {
        defaults: Defaults {
            pre_dns,
            pre_request,
            post_response,
        },
        phases: [
            meta.pre_dns_rules,
            meta.pre_request_rules,
            meta.post_response_rules,
        ],
        groups: table!(Groups),
        rules: table!(Rules),
        conditions: table!(Conditions),
        predicates: table!(Predicates),
        fields: table!(Fields),
        views: table!(Views),
        tables: table!(Tables),
        meanings: table!(Meanings),
        trees: table!(Trees),
        bounds: table!(Bounds),
        nodes: table!(Nodes),
        needles: table!(Needles),
        windows: table!(Windows),
        window_keys: table!(WindowKeys),
        patterns: table!(Patterns),
        automata: table!(AutomataIndex),
        families: table!(Families),
        reports: table!(Reports),
        residuals: table!(Residuals),
        schedules: table!(Schedules),
        zones: table!(Zones),
        transitions: table!(Transitions),
        access: table!(Access),
        lists: table!(Lists),
    };
    Ok((index, meta))
}
