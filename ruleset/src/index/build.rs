//! Builds the index of a ruleset: predicates, then the structures of each field, then access.
//! Not here: the bytes of it (`bundle/write.rs`).

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::access::{self, RuleConditions};
use super::record::*;
use super::tables::{
    Lists, Numbers, Overflow, Relation, Strings, TableBuilder, TableWords, number,
};
use super::values;
use crate::limits::{RULES_MAX, VALUE_BYTES_MAX};
use crate::matcher::cidr::{self, Family};
use crate::matcher::regex::{self, Automata, RegexError};
use crate::matcher::{glob, interval, literals};
use crate::{
    Condition, Field, FieldType, Phase, Protocol, Rule, Ruleset, Test, TimeZoneOffsets, ValueList,
    WeeklySchedule,
};

/// Which condition is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Position of the group in the ruleset.
    pub group: usize,
    /// The phase.
    pub phase: Phase,
    /// Position of the rule in the group's list for the phase.
    pub rule: usize,
    /// Position of the condition in the rule.
    pub condition: usize,
}

/// Why a ruleset cannot become a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A regular expression.
    #[error("group {}, {} rule {}, condition {}: value {value:?}: {cause}", at.group, at.phase, at.rule, at.condition)]
    Regex {
        /// Where.
        at: Place,
        /// The expression.
        value: String,
        /// What is wrong with it.
        cause: RegexError,
    },
    /// The test does not fit the type of the field.
    #[error("group {}, {} rule {}, condition {}: the test does not fit the field", at.group, at.phase, at.rule, at.condition)]
    TestDoesNotFit {
        /// Where.
        at: Place,
    },
    /// A value is longer than [`VALUE_BYTES_MAX`].
    #[error("group {}, {} rule {}, condition {}: a value is longer than {VALUE_BYTES_MAX} bytes", at.group, at.phase, at.rule, at.condition)]
    ValueTooLong {
        /// Where.
        at: Place,
    },
    /// More rules than [`RULES_MAX`], or more than 4 GiB of one kind of content.
    #[error("the ruleset is too large for a bundle")]
    TooLarge,
}

impl From<Overflow> for WriteError {
    fn from(_: Overflow) -> Self {
        Self::TooLarge
    }
}

/// A distinct predicate and where it comes from.
#[derive(Debug)]
pub(crate) struct PredicateSource<'r> {
    pub(crate) field: &'r Field,
    pub(crate) test: &'r Test,
    pub(crate) has_residuals: bool,
    place: Place,
    field_number: u32,
    phases: u32,
}

/// The index and the parts that stay bytes.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) index: Index,
    pub(crate) strings: Vec<u8>,
    pub(crate) tables: TableWords,
    pub(crate) automata: Vec<u8>,
}

/// Builds everything; the same ruleset gives the same result, whatever the machine.
pub(crate) fn build(ruleset: &Ruleset) -> Result<Built, WriteError> {
    let mut builder = Builder::new(ruleset);
    builder.add_rules(ruleset)?;
    builder.add_predicates()?;
    builder.add_access()?;
    builder.finish()
}

struct Builder<'r> {
    index: Index,
    strings: Strings,
    lists: Lists,
    tables: TableWords,
    automata: Vec<u8>,
    predicates: Vec<PredicateSource<'r>>,
    predicate_numbers: HashMap<(&'r Field, &'r Test), u32, FixedState>,
    fields: Numbers<&'r Field>,
    automata_numbers: HashMap<&'r str, u32, FixedState>,
    zones: Vec<Arc<TimeZoneOffsets>>,
}

/// The structures of one field in the making.
#[derive(Default)]
struct FieldBuilder {
    absent: Vec<u32>,
    present: Vec<u32>,
    short: ViewBuilder,
    full: ViewBuilder,
    first: Vec<(RangeInclusive<u128>, u32)>,
    v6: Vec<(RangeInclusive<u128>, u32)>,
    protocols: [Vec<u32>; 7],
}

#[derive(Default)]
struct ViewBuilder {
    table: TableBuilder,
    folded: TableBuilder,
    patterns: Numbers<Pattern>,
    /// Literals of each pattern.
    literals: Vec<Vec<Vec<u8>>>,
    predicates: Relation,
}

impl<'r> Builder<'r> {
    fn new(ruleset: &Ruleset) -> Self {
        Self {
            index: Index {
                defaults: ruleset.defaults,
                phases: [Span::default(); 3],
                groups: Vec::new(),
                rules: Vec::new(),
                literals: Vec::new(),
                predicates: Vec::new(),
                fields: Vec::new(),
                views: Vec::new(),
                tables: Vec::new(),
                trees: Vec::new(),
                bounds: Vec::new(),
                nodes: Vec::new(),
                needles: Vec::new(),
                patterns: Vec::new(),
                automata: Vec::new(),
                residuals: Vec::new(),
                schedules: Vec::new(),
                zones: Vec::new(),
                transitions: Vec::new(),
                access: Vec::new(),
                lists: Vec::new(),
            },
            strings: Strings::default(),
            lists: Lists::default(),
            tables: TableWords::default(),
            automata: Vec::new(),
            predicates: Vec::new(),
            predicate_numbers: HashMap::default(),
            fields: Numbers::default(),
            automata_numbers: HashMap::default(),
            zones: Vec::new(),
        }
    }

    fn add_rules(&mut self, ruleset: &'r Ruleset) -> Result<(), WriteError> {
        for group in &ruleset.groups {
            let name = self.strings.intern(group.name.as_bytes())?;
            self.index.groups.push(GroupRecord {
                name,
                priority: group.priority,
            });
        }
        for phase in Phase::ALL {
            let start = number(self.index.rules.len())?;
            for (group, rules) in ruleset
                .groups
                .iter()
                .map(|group| group.rules(phase))
                .enumerate()
            {
                for (position, rule) in rules.iter().enumerate() {
                    let place = Place {
                        group,
                        phase,
                        rule: position,
                        condition: 0,
                    };
                    self.add_rule(rule, place)?;
                }
            }
            let len = number(self.index.rules.len())? - start;
            if let Some(span) = self.index.phases.get_mut(phase.index()) {
                *span = Span { start, len };
            }
        }
        if self.index.rules.len() > RULES_MAX {
            Err(WriteError::TooLarge)
        } else {
            Ok(())
        }
    }

    fn add_rule(&mut self, rule: &'r Rule, place: Place) -> Result<(), WriteError> {
        let start = number(self.index.literals.len())?;
        for (condition, position) in rule.conditions.iter().zip(0..) {
            let predicate = self.predicate(
                condition,
                Place {
                    condition: position,
                    ..place
                },
            )?;
            self.index
                .literals
                .push(predicate * 2 + u32::from(condition.negated));
        }
        let len = number(self.index.literals.len())? - start;
        let record = RuleRecord {
            action: rule.action,
            group: number(place.group)?,
            name: self.strings.intern(rule.name.as_bytes())?,
            description: self.strings.intern(rule.description.as_bytes())?,
            literals: Span { start, len },
        };
        self.index.rules.push(record);
        Ok(())
    }

    fn predicate(&mut self, condition: &'r Condition, place: Place) -> Result<u32, WriteError> {
        let (field, test) = (&condition.field, &condition.test);
        let phase_bit = 1 << place.phase.index();
        if let Some(found) = self.predicate_numbers.get(&(field, test)) {
            if let Some(predicate) = self.predicates.get_mut(*found as usize) {
                predicate.phases |= phase_bit;
            }
            return Ok(*found);
        }
        if !test.fits(field.field_type()) {
            return Err(WriteError::TestDoesNotFit { at: place });
        }
        if let Some(values) = text_values(test)
            && values.iter().any(|value| value.len() > VALUE_BYTES_MAX)
        {
            return Err(WriteError::ValueTooLong { at: place });
        }
        // Literals are twice the number, in 32 bits.
        let new = number(self.predicates.len() * 2)? / 2;
        self.predicates.push(PredicateSource {
            field,
            test,
            has_residuals: false,
            place,
            field_number: self.fields.of(field)?,
            phases: phase_bit,
        });
        self.predicate_numbers.insert((field, test), new);
        Ok(new)
    }

    fn add_predicates(&mut self) -> Result<(), WriteError> {
        let mut fields: Vec<FieldBuilder> = self
            .fields
            .keys
            .iter()
            .map(|_| FieldBuilder::default())
            .collect();
        for id in 0..self.predicates.len() {
            let Some(source) = self.predicates.get(id) else {
                break;
            };
            let (field, test, place) = (source.field, source.test, source.place);
            let (field_number, phases) = (source.field_number, source.phases);
            let Some(builder) = fields.get_mut(field_number as usize) else {
                break;
            };
            let start = number(self.index.residuals.len())?;
            self.lower(field, test, number(id)?, place, builder)?;
            let residuals = Span {
                start,
                len: number(self.index.residuals.len())? - start,
            };
            let values = self.strings.intern(values::render(test).as_bytes())?;
            let operator = operator(test);
            self.index.predicates.push(PredicateRecord {
                field: field_number,
                operator,
                values,
                residuals,
                phases,
            });
            if let Some(source) = self.predicates.get_mut(id) {
                source.has_residuals = residuals.len > 0;
            }
        }
        let keys = std::mem::take(&mut self.fields.keys);
        for (field, builder) in keys.into_iter().zip(fields) {
            let record = self.finish_field(field, builder)?;
            self.index.fields.push(record);
        }
        Ok(())
    }

    /// Puts one predicate into the structures of its field.
    fn lower(
        &mut self,
        field: &Field,
        test: &'r Test,
        id: u32,
        place: Place,
        builder: &mut FieldBuilder,
    ) -> Result<(), WriteError> {
        match test {
            Test::Absent(true) => builder.absent.push(id),
            Test::Absent(false) => builder.present.push(id),
            Test::Number(ranges) => builder.first.extend(
                ranges
                    .iter()
                    .map(|r| (u128::from(*r.start())..=u128::from(*r.end()), id)),
            ),
            Test::Time(ranges) => builder.first.extend(ranges.iter().map(|range| {
                (
                    interval::time_key(*range.start())..=interval::time_key(*range.end()),
                    id,
                )
            })),
            Test::Ip(networks) => {
                for network in networks {
                    match cidr::range(*network) {
                        (Family::V4, range) => builder.first.push((range, id)),
                        (Family::V6, range) => builder.v6.push((range, id)),
                    }
                }
            }
            Test::TimeOfDay(schedules) => {
                for schedule in schedules {
                    let schedule = self.schedule(schedule)?;
                    self.index
                        .residuals
                        .push(ResidualRecord::Schedule(schedule));
                }
            }
            text if *field == Field::Protocol => {
                for (protocol, list) in Protocol::ALL.iter().zip(&mut builder.protocols) {
                    if self.holds_for_word(text, protocol.name(), place)? {
                        list.push(id);
                    }
                }
            }
            Test::Exact {
                values,
                ignore_case: false,
            } => {
                for value in values.iter() {
                    let key = self.strings.intern(value.as_bytes())?;
                    builder.view(field, value).table.add_whole(key, id)?;
                }
            }
            Test::Exact {
                values,
                ignore_case: true,
            } => {
                for value in values.iter() {
                    let key = self.strings.intern(value.to_ascii_lowercase().as_bytes())?;
                    builder.view(field, value).folded.add_whole(key, id)?;
                }
            }
            Test::Domain(values) => {
                for value in values.iter() {
                    let key = self.strings.intern(value.as_bytes())?;
                    builder.short.table.add_whole(key, id)?;
                    builder.short.table.add_below(key, id)?;
                }
            }
            Test::Glob(values) => {
                for value in values.iter() {
                    self.lower_glob(field, value, id, builder)?;
                }
            }
            Test::Regex(values) => {
                for value in values.iter() {
                    let error = |cause| WriteError::Regex {
                        at: place,
                        value: value.into(),
                        cause,
                    };
                    let hir = regex::parse(value).map_err(error)?;
                    let pattern = Pattern::Regex(self.automaton(value, place)?);
                    let literals = literals::of_regex(&hir);
                    self.lower_pattern(field, value, pattern, literals, id, builder)?;
                }
            }
        }
        Ok(())
    }

    /// Globs that a hash table answers go there, the others are patterns.
    fn lower_glob(
        &mut self,
        field: &Field,
        value: &'r str,
        id: u32,
        builder: &mut FieldBuilder,
    ) -> Result<(), WriteError> {
        if !glob::has_wildcard(value) {
            let key = self.strings.intern(value.as_bytes())?;
            builder.view(field, value).table.add_whole(key, id)?;
            return Ok(());
        }
        if value.bytes().all(|byte| byte == b'*') {
            if builder.present.last() != Some(&id) {
                builder.present.push(id);
            }
            return Ok(());
        }
        if field.field_type() == FieldType::Domain
            && let Some(parent) = value.strip_prefix("*.")
            && !glob::has_wildcard(parent)
        {
            let key = self.strings.intern(parent.as_bytes())?;
            builder.short.table.add_below(key, id)?;
            return Ok(());
        }
        let pattern = Pattern::Glob(self.strings.intern(value.as_bytes())?);
        self.lower_pattern(field, value, pattern, literals::of_glob(value), id, builder)
    }

    /// Patterns with a literal go behind the pass over literals, the others are residual. The `?`
    /// of a pattern for a URI may be a wildcard or a quantifier: such a pattern is tried on both
    /// forms.
    fn lower_pattern(
        &mut self,
        field: &Field,
        value: &str,
        pattern: Pattern,
        literals: Option<Vec<Vec<u8>>>,
        id: u32,
        builder: &mut FieldBuilder,
    ) -> Result<(), WriteError> {
        let full = is_full(field, value);
        let short = !full || *field == Field::HttpUri;
        let Some(literals) = literals else {
            self.index
                .residuals
                .extend(short.then_some(ResidualRecord::Short(pattern)));
            self.index
                .residuals
                .extend(full.then_some(ResidualRecord::Full(pattern)));
            return Ok(());
        };
        if short {
            builder.short.add_pattern(pattern, &literals, id)?;
        }
        if full {
            builder.full.add_pattern(pattern, &literals, id)?;
        }
        Ok(())
    }

    fn automaton(&mut self, value: &'r str, place: Place) -> Result<u32, WriteError> {
        if let Some(found) = self.automata_numbers.get(value) {
            return Ok(*found);
        }
        let compiled = regex::compile(value).map_err(|cause| WriteError::Regex {
            at: place,
            value: value.into(),
            cause,
        })?;
        let new = number(self.index.automata.len())?;
        self.index.automata.push(AutomataRecord {
            offset: number(self.automata.len())?,
            states: number(compiled.states)?,
            classes: number(compiled.classes)?,
        });
        self.automata.extend_from_slice(&compiled.bytes);
        number(self.automata.len())?;
        self.automata_numbers.insert(value, new);
        Ok(new)
    }

    /// Whether a test holds for one of the fixed words of `request:Protocol`.
    fn holds_for_word(&self, test: &Test, word: &str, place: Place) -> Result<bool, WriteError> {
        Ok(match test {
            Test::Exact {
                values,
                ignore_case: false,
            } => values.iter().any(|value| value == word),
            Test::Exact {
                values,
                ignore_case: true,
            } => values.iter().any(|value| value.eq_ignore_ascii_case(word)),
            Test::Glob(values) => values
                .iter()
                .any(|value| glob::matches(value.as_bytes(), word.as_bytes())),
            Test::Regex(values) => {
                for value in values.iter() {
                    let compiled = regex::compile(value).map_err(|cause| WriteError::Regex {
                        at: place,
                        value: value.into(),
                        cause,
                    })?;
                    let automata =
                        Automata::cut(&compiled.bytes, compiled.states, compiled.classes);
                    if automata.is_some_and(|automata| automata.is_match(word.as_bytes())) {
                        return Ok(true);
                    }
                }
                false
            }
            _ => false,
        })
    }

    fn schedule(&mut self, schedule: &WeeklySchedule) -> Result<u32, WriteError> {
        let known = self.zones.iter().position(|zone| *zone == schedule.zone);
        let zone = match known {
            Some(zone) => zone,
            None => {
                let start = number(self.index.transitions.len())?;
                self.index
                    .transitions
                    .extend(schedule.zone.transitions.iter().map(|(from, offset)| {
                        TransitionRecord {
                            from: *from,
                            offset_seconds: *offset,
                        }
                    }));
                let len = number(self.index.transitions.len())? - start;
                self.index.zones.push(ZoneRecord {
                    first_offset_seconds: schedule.zone.first_offset_seconds,
                    transitions: Span { start, len },
                });
                self.zones.push(Arc::clone(&schedule.zone));
                self.zones.len() - 1
            }
        };
        let new = number(self.index.schedules.len())?;
        self.index.schedules.push(ScheduleRecord {
            days: schedule.days.bits().into(),
            from_second: schedule.from_second,
            to_second: schedule.to_second,
            zone: number(zone)?,
        });
        Ok(new)
    }

    fn finish_field(
        &mut self,
        field: &Field,
        builder: FieldBuilder,
    ) -> Result<FieldRecord, WriteError> {
        let index = match field.field_type() {
            _ if *field == Field::Protocol => {
                let nodes = number(self.index.nodes.len())? + 1;
                for predicates in &builder.protocols {
                    self.index.nodes.push(self.lists.intern(predicates)?);
                }
                FieldIndex::Protocol { nodes }
            }
            FieldType::String | FieldType::Domain => {
                let by_label = field.field_type() == FieldType::Domain;
                FieldIndex::Text {
                    short: self.finish_view(builder.short, by_label)?,
                    full: self.finish_view(builder.full, by_label)?,
                }
            }
            FieldType::Number | FieldType::Time | FieldType::Ip => FieldIndex::Tree {
                first: self.finish_tree(&builder.first)?,
                v6: self.finish_tree(&builder.v6)?,
            },
        };
        let header = match field {
            Field::RequestHeader(name) | Field::ResponseHeader(name) => {
                self.strings.intern(name.as_bytes())?
            }
            _ => Span::default(),
        };
        Ok(FieldRecord {
            source: field.source(),
            header,
            absent: self.lists.intern(&builder.absent)?,
            present: self.lists.intern(&builder.present)?,
            index,
        })
    }

    fn finish_view(&mut self, view: ViewBuilder, by_label: bool) -> Result<u32, WriteError> {
        let table = self.finish_table(view.table, by_label)?;
        let folded = self.finish_table(view.folded, false)?;
        let first_pattern = number(self.index.patterns.len())?;
        let predicates = view
            .predicates
            .lists(view.patterns.keys.len(), &mut self.lists)?;
        for (pattern, predicates) in view.patterns.keys.iter().zip(predicates) {
            self.index.patterns.push(PatternRecord {
                pattern: *pattern,
                predicates,
            });
        }
        let mut needles = Numbers::default();
        let mut needed_by = Relation::default();
        for (pattern, literals) in (first_pattern..).zip(&view.literals) {
            for literal in literals {
                needed_by.add(needles.of(self.strings.intern(literal)?)?, pattern);
            }
        }
        let start = number(self.index.needles.len())?;
        let lists = needed_by.lists(needles.keys.len(), &mut self.lists)?;
        for (text, patterns) in needles.keys.iter().zip(lists) {
            self.index.needles.push(NeedleRecord {
                text: *text,
                patterns,
            });
        }
        let needles = Span {
            start,
            len: number(self.index.needles.len())? - start,
        };
        if table == 0 && folded == 0 && needles.len == 0 {
            return Ok(0);
        }
        self.index.views.push(ViewRecord {
            table,
            folded,
            needles,
        });
        Ok(number(self.index.views.len())?)
    }

    fn finish_table(&mut self, table: TableBuilder, by_label: bool) -> Result<u32, WriteError> {
        let record = table.finish(by_label, &self.strings, &mut self.lists, &mut self.tables)?;
        let Some(record) = record else { return Ok(0) };
        self.index.tables.push(record);
        Ok(number(self.index.tables.len())?)
    }

    fn finish_tree(&mut self, ranges: &[(RangeInclusive<u128>, u32)]) -> Result<u32, WriteError> {
        if ranges.is_empty() {
            return Ok(0);
        }
        let tree = interval::build(ranges);
        let bounds = Span {
            start: number(self.index.bounds.len())?,
            len: number(tree.bounds.len())?,
        };
        let nodes = Span {
            start: number(self.index.nodes.len())?,
            len: number(tree.nodes.len())?,
        };
        self.index.bounds.extend(tree.bounds);
        for predicates in &tree.nodes {
            self.index.nodes.push(self.lists.intern(predicates)?);
        }
        self.index.trees.push(TreeRecord { bounds, nodes });
        Ok(number(self.index.trees.len())?)
    }

    fn add_access(&mut self) -> Result<(), WriteError> {
        let mut positive: Vec<Vec<u32>> = Vec::with_capacity(self.index.rules.len());
        for rule in &self.index.rules {
            let literals = self
                .index
                .literals
                .get(rule.literals.range())
                .unwrap_or_default();
            positive.push(
                literals
                    .iter()
                    .filter(|l| **l % 2 == 0)
                    .map(|l| *l / 2)
                    .collect(),
            );
        }
        let mut rules = Vec::with_capacity(positive.len());
        for (phase, span) in (0..).zip(self.index.phases) {
            let of_phase = positive.get(span.range()).unwrap_or_default();
            rules.extend((0..).zip(of_phase).map(|(rule, positive)| RuleConditions {
                phase,
                rule,
                positive,
            }));
        }
        self.index.access = access::build(&rules, &self.predicates, &mut self.lists)?;
        Ok(())
    }

    fn finish(mut self) -> Result<Built, WriteError> {
        self.index.lists = self.lists.words;
        number(self.index.lists.len())?;
        Ok(Built {
            index: self.index,
            strings: self.strings.bytes,
            tables: self.tables,
            automata: self.automata,
        })
    }
}

impl FieldBuilder {
    /// The form of the text that a value is compared with.
    fn view(&mut self, field: &Field, value: &str) -> &mut ViewBuilder {
        if is_full(field, value) {
            &mut self.full
        } else {
            &mut self.short
        }
    }
}

impl ViewBuilder {
    fn add_pattern(
        &mut self,
        pattern: Pattern,
        literals: &[Vec<u8>],
        predicate: u32,
    ) -> Result<(), Overflow> {
        let pattern = self.patterns.of(pattern)?;
        if self.literals.len() <= pattern as usize {
            self.literals.push(literals.to_vec());
        }
        self.predicates.add(pattern, predicate);
        Ok(())
    }
}

/// Whether the value has a query or parameters, and so is compared with the full form.
fn is_full(field: &Field, value: &str) -> bool {
    match field {
        Field::HttpUri => value.contains('?'),
        Field::HttpContentType | Field::ResponseContentType => value.contains(';'),
        _ => false,
    }
}

fn text_values(test: &Test) -> Option<&ValueList> {
    match test {
        Test::Exact { values, .. }
        | Test::Glob(values)
        | Test::Regex(values)
        | Test::Domain(values) => Some(values),
        _ => None,
    }
}

fn operator(test: &Test) -> Operator {
    match test {
        Test::Exact {
            ignore_case: false, ..
        } => Operator::Exact,
        Test::Exact {
            ignore_case: true, ..
        } => Operator::ExactIgnoreCase,
        Test::Glob(_) => Operator::Glob,
        Test::Regex(_) => Operator::Regex,
        Test::Domain(_) => Operator::Domain,
        Test::Number(_) => Operator::Number,
        Test::Ip(_) => Operator::Ip,
        Test::Time(_) => Operator::Time,
        Test::TimeOfDay(_) => Operator::TimeOfDay,
        Test::Absent(true) => Operator::Absent,
        Test::Absent(false) => Operator::Present,
    }
}
