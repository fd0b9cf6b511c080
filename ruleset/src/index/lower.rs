//! Puts predicates into the structures of their fields: hash tables, trees, patterns behind
//! literals; what none of them answers becomes residual. Not here: laying the structures out
//! (`layout.rs`).

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::builder::Builder;
use super::error::{Place, WriteError};
use super::record::*;
use super::tables::{Numbers, Overflow, Relation, TableBuilder, number};
use crate::invariant::Invariant;
use crate::limits::{
    AUTOMATA_BYTES_MAX, AUTOMATA_STATES_MAX, GLOB_SEARCHED_BYTES_MAX, ON_DEMAND_PATTERNS_MAX,
};
use crate::matcher::cidr::{self, Family};
use crate::matcher::literals::Literals;
use crate::matcher::regex::{self, Automata};
use crate::matcher::{glob, interval, literals};
use crate::{Field, FieldType, Protocol, Test, WeeklySchedule};

/// The structures of one field in the making.
#[derive(Default)]
pub(super) struct FieldBuilder {
    pub(super) absent: Vec<u32>,
    pub(super) present: Vec<u32>,
    pub(super) short: ViewBuilder,
    pub(super) full: ViewBuilder,
    pub(super) first: Vec<(RangeInclusive<u128>, u32)>,
    pub(super) v6: Vec<(RangeInclusive<u128>, u32)>,
    pub(super) protocols: [Vec<u32>; 7],
}

#[derive(Default)]
pub(super) struct ViewBuilder {
    pub(super) table: TableBuilder,
    pub(super) folded: TableBuilder,
    pub(super) patterns: Numbers<Pattern>,
    /// Sets of literals of each pattern, by one of which it is found.
    pub(super) literals: Vec<Vec<Literals>>,
    pub(super) predicates: Relation,
    /// Some patterns are tried on the short form too.
    pub(super) tried_on_short: bool,
}

impl<'r> Builder<'r> {
    /// Puts one predicate into the structures of its field.
    pub(super) fn lower(
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
            Test::Every(test) => {
                builder.absent.push(id);
                if field.has_several_values() {
                    self.lower_every(field, test, place)?;
                } else {
                    self.lower(field, test, id, place, builder)?;
                }
            }
            text => self.lower_text(field, text, id, place, builder)?,
        }
        Ok(())
    }

    /// Tables tell that some value fits, not that each does: the values become automata that are
    /// asked about each value of the field.
    fn lower_every(
        &mut self,
        field: &Field,
        test: &'r Test,
        place: Place,
    ) -> Result<(), WriteError> {
        let mut residuals = Vec::new();
        match test {
            Test::Exact {
                values,
                ignore_case,
            } => {
                for full in [false, true] {
                    let of_form = values.iter().filter(|value| is_full(field, value) == full);
                    let alternatives: Vec<_> = of_form.map(regex_syntax::escape).collect();
                    if alternatives.is_empty() {
                        continue;
                    }
                    let flag = if *ignore_case { "i" } else { "" };
                    let expression = format!(r"(?{flag}:\A(?:{})\z)", alternatives.join("|"));
                    let pattern = Pattern::Regex(self.new_automaton(&expression, place)?);
                    let forms = Forms { short: !full, full };
                    residuals.extend(forms.residuals(pattern));
                }
            }
            Test::Glob(values) => {
                for value in values.iter() {
                    check_glob(value, place)?;
                    let pattern = Pattern::Glob(self.strings.intern(value.as_bytes())?);
                    residuals.extend(Forms::of_pattern(field, value, false).residuals(pattern));
                }
            }
            Test::Regex(values) => {
                for value in values.iter() {
                    let pattern = Pattern::Regex(self.automaton(value, place)?);
                    residuals.extend(Forms::of_pattern(field, value, false).residuals(pattern));
                }
            }
            _ => {}
        }
        self.index.residuals.extend(residuals);
        Ok(())
    }

    fn lower_text(
        &mut self,
        field: &Field,
        test: &'r Test,
        id: u32,
        place: Place,
        builder: &mut FieldBuilder,
    ) -> Result<(), WriteError> {
        match test {
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
                    self.lower_glob(field, value, id, place, builder)?;
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
                    let forms = Forms::of_pattern(field, value, !regex::asks_what_follows(&hir));
                    self.lower_pattern((value, forms), pattern, literals, (id, place), builder)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Globs that a hash table answers go there, the others are patterns.
    fn lower_glob(
        &mut self,
        field: &Field,
        value: &'r str,
        id: u32,
        place: Place,
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
        check_glob(value, place)?;
        let pattern = Pattern::Glob(self.strings.intern(value.as_bytes())?);
        let literals = literals::of_glob(value);
        let forms = Forms::of_pattern(field, value, value.ends_with('*'));
        self.lower_pattern((value, forms), pattern, literals, (id, place), builder)
    }

    /// Patterns with a literal go behind the pass over literals, the others are residual.
    fn lower_pattern(
        &mut self,
        (value, forms): (&str, Forms),
        pattern: Pattern,
        literals: Vec<Literals>,
        (id, place): (u32, Place),
        builder: &mut FieldBuilder,
    ) -> Result<(), WriteError> {
        if literals.is_empty() {
            self.index.residuals.extend(forms.residuals(pattern));
            if self.index.residuals.len() > ON_DEMAND_PATTERNS_MAX {
                let why =
                    "over 4096 patterns have no literal of two bytes by which they could be found";
                return Err(too_costly(place, value, why));
            }
            return Ok(());
        }
        // Those that are tried on both forms stand once, with the full one.
        let view = match forms.full {
            true => &mut builder.full,
            false => &mut builder.short,
        };
        view.tried_on_short |= forms.short && forms.full;
        view.add_pattern(pattern, &literals, id)?;
        Ok(())
    }

    fn automaton(&mut self, value: &'r str, place: Place) -> Result<u32, WriteError> {
        if let Some(found) = self.automata_numbers.get(value) {
            return Ok(*found);
        }
        let new = self.new_automaton(value, place)?;
        self.automata_numbers.insert(value, new);
        self.automata_values.insert(new, value);
        Ok(new)
    }

    fn new_automaton(&mut self, value: &str, place: Place) -> Result<u32, WriteError> {
        let compiled = regex::compile(value).map_err(|cause| WriteError::Regex {
            at: place,
            value: value.into(),
            cause,
        })?;
        self.automata_states += compiled.states;
        if self.automata.len() + compiled.bytes.len() > AUTOMATA_BYTES_MAX
            || self.automata_states > AUTOMATA_STATES_MAX
        {
            let why = "the automata of all regular expressions together are over 1.5 million states or 128 MiB";
            return Err(too_costly(place, value, why));
        }
        let new = number(self.index.automata.len())?;
        self.index.automata.push(AutomataRecord {
            offset: number(self.automata.len())?,
            states: number(compiled.states)?,
            classes: number(compiled.classes)?,
        });
        self.automata.extend_from_slice(&compiled.bytes);
        number(self.automata.len())?;
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
                    let automata = automata.or_broken("an automaton just made");
                    if automata.is_match(word.as_bytes()) {
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
        literals: &[Literals],
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

/// A piece that is tried at every place of a text must be short.
fn check_glob(value: &str, place: Place) -> Result<(), WriteError> {
    if glob::searched_piece_bytes(value.as_bytes()) <= GLOB_SEARCHED_BYTES_MAX {
        return Ok(());
    }
    let why = "over 64 bytes with a `?` between two `*`";
    Err(too_costly(place, value, why))
}

fn too_costly(at: Place, value: &str, why: &'static str) -> WriteError {
    WriteError::TooCostly {
        at,
        value: value.into(),
        why,
    }
}

/// The forms of a text that a pattern is tried on.
#[derive(Clone, Copy)]
struct Forms {
    short: bool,
    full: bool,
}

impl Forms {
    /// A pattern for a URI is tried on the path, and on path and query. If it matches whatever follows a
    /// match (`is_open`), it matches all of the URI where it matches the path: once is enough.
    fn of_pattern(field: &Field, value: &str, is_open: bool) -> Self {
        if *field == Field::HttpUri {
            return Self {
                short: !is_open,
                full: true,
            };
        }
        let full = is_full(field, value);
        Self { short: !full, full }
    }

    fn residuals(self, pattern: Pattern) -> impl Iterator<Item = ResidualRecord> {
        let short = self.short.then_some(ResidualRecord::Short(pattern));
        let full = self.full.then_some(ResidualRecord::Full(pattern));
        short.into_iter().chain(full)
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
