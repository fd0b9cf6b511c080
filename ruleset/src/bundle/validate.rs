//! The one place that checks what a bundle refers to: every span, number, list and state. After
//! it, evaluation needs no checks for corruption. The hashes have been compared before; what is
//! caught here was made by hand.

use std::collections::HashSet;

use super::BundleError;
use crate::index::record::*;
use crate::limits::{RULES_MAX, WINDOWS_MAX};
use crate::matcher::family;
use crate::matcher::hash::Slot;
use crate::matcher::regex::{self, Automata};
use crate::{FieldType, Source};

/// The parts that stay bytes.
#[derive(Clone, Copy)]
pub(super) struct Parts<'b> {
    pub(super) strings: &'b [u8],
    pub(super) slots: &'b [Slot],
    pub(super) automata: &'b [u8],
}

/// Checks all references.
pub(super) fn validate(index: &Index, parts: Parts<'_>) -> Result<(), BundleError> {
    let lists = Lists::of(&index.lists).ok_or(inconsistent("lists"))?;
    let check = Check {
        index,
        parts,
        lists,
    };
    check.rules().ok_or(inconsistent("rules"))?;
    check.predicates().ok_or(inconsistent("predicates"))?;
    check.fields().ok_or(inconsistent("fields"))?;
    check.tables().ok_or(inconsistent("tables"))?;
    check.trees().ok_or(inconsistent("trees"))?;
    check.patterns().ok_or(inconsistent("patterns"))?;
    check.schedules().ok_or(inconsistent("schedules"))?;
    check.access().ok_or(inconsistent("access"))
}

const fn inconsistent(what: &'static str) -> BundleError {
    BundleError::Inconsistent { what }
}

/// `Some` when the check holds.
fn ensure(holds: bool) -> Option<()> {
    holds.then_some(())
}

/// Spans that are walked here or at load follow one another: if they could share, a small file
/// could ask for any amount of work.
fn follows(end: &mut u32, span: Span) -> Option<()> {
    ensure(span.start == *end)?;
    *end = span.start.checked_add(span.len)?;
    Some(())
}

/// Whether a number that is one more than a position is none or in range.
fn is_position(number: u32, count: usize) -> bool {
    number as usize <= count
}

/// For each list, one more than its largest item; so that each use costs one comparison.
struct Lists {
    /// By position; `None` where no list begins.
    bounds: Vec<Option<u32>>,
}

impl Lists {
    /// Lists tile the words, the first is empty, items ascend.
    fn of(words: &[u32]) -> Option<Self> {
        let mut bounds = vec![None; words.len()];
        let mut position = 0;
        while let Some(len) = words.get(position) {
            let end = position.checked_add(1)?.checked_add(*len as usize)?;
            let items = words.get(position + 1..end)?;
            ensure(items.is_sorted_by(|a, b| a < b))?;
            let bound = items.last().map_or(Some(0), |last| last.checked_add(1))?;
            *bounds.get_mut(position)? = Some(bound);
            position = end;
        }
        (words.first() == Some(&0)).then_some(Self { bounds })
    }

    /// Whether it is a list, of numbers below `count`.
    fn is_below(&self, list: u32, count: usize) -> bool {
        matches!(self.bounds.get(list as usize), Some(Some(bound)) if *bound as usize <= count)
    }
}

struct Check<'b> {
    index: &'b Index,
    parts: Parts<'b>,
    lists: Lists,
}

impl Check<'_> {
    fn is_string(&self, span: Span) -> bool {
        self.parts.strings.get(span.range()).is_some()
    }

    fn is_text(&self, span: Span) -> bool {
        self.parts
            .strings
            .get(span.range())
            .is_some_and(|bytes| str::from_utf8(bytes).is_ok())
    }

    fn is_predicates(&self, list: u32) -> bool {
        self.lists.is_below(list, self.index.predicates.len())
    }

    fn rules(&self) -> Option<()> {
        let Index {
            rules,
            groups,
            conditions,
            predicates,
            phases,
            ..
        } = self.index;
        ensure(rules.len() <= RULES_MAX)?;
        let mut end = 0;
        for phase in phases {
            follows(&mut end, *phase)?;
        }
        ensure(end as usize == rules.len())?;
        ensure(groups.iter().all(|group| self.is_text(group.name)))?;
        ensure(
            conditions
                .iter()
                .all(|condition| ((*condition / 2) as usize) < predicates.len()),
        )?;
        ensure(rules.iter().all(|rule| {
            (rule.group as usize) < groups.len()
                && self.is_text(rule.name)
                && self.is_text(rule.description)
                && conditions.get(rule.conditions.range()).is_some()
        }))
    }

    fn predicates(&self) -> Option<()> {
        let Index {
            predicates,
            fields,
            residuals,
            ..
        } = self.index;
        // How many schedules stand before each residual: predicates may share residuals, and to walk those of
        // each would have no bound.
        let mut schedules_before = vec![0_u32];
        for residual in residuals {
            let is_schedule = matches!(residual, ResidualRecord::Schedule(_));
            schedules_before.push(schedules_before.last()? + u32::from(is_schedule));
        }
        for predicate in predicates {
            ensure(self.is_text(predicate.values))?;
            let field = fields.get(predicate.field as usize)?;
            let Span { start, len } = predicate.residuals;
            let end = schedules_before.get(start as usize + len as usize)?;
            let schedules = end - schedules_before.get(start as usize)?;
            ensure(match field.source.field_type() {
                FieldType::Time => schedules == len,
                FieldType::String | FieldType::Domain => schedules == 0,
                FieldType::Number | FieldType::Ip => len == 0,
            })?;
        }
        Some(())
    }

    /// Whether a field is looked up as evaluation looks up fields of its source.
    fn fits(source: Source, index: FieldIndex) -> bool {
        match (source.field_type(), index) {
            _ if source == Source::Protocol => matches!(index, FieldIndex::Protocol { .. }),
            (FieldType::String | FieldType::Domain, FieldIndex::Text { .. }) => true,
            (FieldType::Number | FieldType::Time | FieldType::Ip, index) => {
                matches!(index, FieldIndex::Tree { .. })
            }
            _ => false,
        }
    }

    /// Whether no field comes twice: what is looked up for a source is found in one place.
    fn fields_are_distinct(&self) -> bool {
        let mut seen = HashSet::new();
        self.index.fields.iter().all(|field| {
            let is_named = field.source.has_named_fields();
            let name = self.parts.strings.get(field.header.range());
            seen.insert((field.source.index(), name.filter(|_| is_named)))
        })
    }

    fn fields(&self) -> Option<()> {
        let Index {
            fields,
            views,
            trees,
            nodes,
            ..
        } = self.index;
        ensure(fields.iter().all(|field| {
            let index_is_sound = match field.index {
                FieldIndex::Text { short, full } => {
                    is_position(short, views.len()) && is_position(full, views.len())
                }
                FieldIndex::Tree { first, v6 } => {
                    is_position(first, trees.len()) && is_position(v6, trees.len())
                }
                FieldIndex::Protocol { nodes: first } => FieldIndex::protocol_lists(first)
                    .is_some_and(|lists| nodes.get(lists.range()).is_some()),
            };
            index_is_sound
                && Self::fits(field.source, field.index)
                && self.is_text(field.header)
                && self.is_predicates(field.absent)
                && self.is_predicates(field.present)
        }))?;
        ensure(self.fields_are_distinct())?;
        let (mut end, mut windows_end) = (0, 0);
        for view in views {
            follows(&mut end, view.needles)?;
            follows(&mut windows_end, view.windows)?;
            self.index.windows.get(view.windows.range())?;
            ensure(view.windows.len as usize <= WINDOWS_MAX)?;
            ensure(is_position(view.table, self.index.tables.len()))?;
            ensure(is_position(view.folded, self.index.tables.len()))?;
            self.index.needles.get(view.needles.range())?;
        }
        Some(())
    }

    fn tables(&self) -> Option<()> {
        let Index {
            tables,
            meanings,
            windows,
            window_keys,
            patterns,
            ..
        } = self.index;
        let mut end = 0;
        for table in tables {
            follows(&mut end, table.slots)?;
            self.slots(table.slots, meanings.len())?;
        }
        let mut keys_end = 0;
        for window in windows {
            follows(&mut end, window.slots)?;
            follows(&mut keys_end, window.keys)?;
            window_keys.get(window.keys.range())?;
            self.slots(window.slots, window.keys.len as usize)?;
            ensure(window.shape.is_possible())?;
        }
        ensure(end as usize == self.parts.slots.len())?;
        ensure(window_keys.iter().all(|key| {
            self.is_predicates(key.proven) && self.lists.is_below(key.tried, patterns.len())
        }))?;
        ensure(
            meanings.iter().all(|meaning| {
                self.is_predicates(meaning.whole) && self.is_predicates(meaning.below)
            }),
        )
    }

    /// A hash table whose keys stand for one of `count` things.
    fn slots(&self, slots: Span, count: usize) -> Option<()> {
        let slots = self.parts.slots.get(slots.range())?;
        ensure(slots.len().is_power_of_two())?;
        // An empty slot ends every search.
        ensure(slots.iter().any(|[.., content]| *content == [0; 4]))?;
        ensure(slots.iter().all(|slot| {
            let [_, start, len, content] = slot.map(u32::from_le_bytes);
            self.is_string(Span { start, len }) && is_position(content, count)
        }))
    }

    fn trees(&self) -> Option<()> {
        let mut end = 0;
        for tree in &self.index.trees {
            follows(&mut end, tree.bounds)?;
            let bounds = self.index.bounds.get(tree.bounds.range())?;
            let nodes = self.index.nodes.get(tree.nodes.range())?;
            ensure(nodes.len() == (bounds.len() + 1) * 2)?;
            ensure(bounds.is_sorted_by(|a, b| a < b))?;
        }
        ensure(
            self.index
                .nodes
                .iter()
                .all(|list| self.is_predicates(*list)),
        )
    }

    fn patterns(&self) -> Option<()> {
        let Index {
            needles,
            patterns,
            residuals,
            ..
        } = self.index;
        ensure(needles.iter().all(|needle| {
            needle.text.len > 0
                && self.is_string(needle.text)
                && self.lists.is_below(needle.patterns, patterns.len())
        }))?;
        ensure(patterns.iter().all(|record| {
            self.is_pattern(record.pattern) && self.is_predicates(record.predicates)
        }))?;
        ensure(residuals.iter().all(|residual| match residual {
            ResidualRecord::Short(pattern) | ResidualRecord::Full(pattern) => {
                !matches!(pattern, Pattern::Family(_)) && self.is_pattern(*pattern)
            }
            ResidualRecord::Schedule(schedule) => (*schedule as usize) < self.index.schedules.len(),
        }))?;
        let end = self.families(self.automata()?)?;
        ensure(end == self.parts.automata.len())
    }

    /// Where the automata of single expressions end.
    fn automata(&self) -> Option<usize> {
        let mut end = 0;
        for record in &self.index.automata {
            // One after the other, none twice: or the time to check them had no bound.
            ensure(record.offset as usize == end)?;
            let (states, classes) = (record.states as usize, record.classes as usize);
            let bytes = self
                .parts
                .automata
                .get(end..)?
                .get(..regex::size(states, classes)?)?;
            ensure(Automata::cut(bytes, states, classes)?.is_sound())?;
            end += bytes.len();
        }
        Some(end)
    }

    /// Where the automata of families end, which begin where those of single expressions end.
    fn families(&self, begin: usize) -> Option<usize> {
        let Index {
            families, reports, ..
        } = self.index;
        let (mut end, mut reports_end) = (begin, 0);
        for record in families {
            follows(&mut reports_end, record.reports)?;
            reports.get(record.reports.range())?;
            ensure(record.offset as usize == end)?;
            let shape = record.shape();
            let bytes = self.parts.automata.get(end..)?.get(..shape.size()?)?;
            let automaton = family::Automaton::cut(bytes, shape)?;
            ensure(automaton.is_sound(record.reports.len as usize))?;
            end += bytes.len();
        }
        ensure(reports.iter().all(|list| self.is_predicates(*list)))?;
        Some(end)
    }

    fn is_pattern(&self, pattern: Pattern) -> bool {
        match pattern {
            Pattern::Glob(text) => self.is_string(text),
            Pattern::Regex(automata) => (automata as usize) < self.index.automata.len(),
            Pattern::Family(family) => (family as usize) < self.index.families.len(),
        }
    }

    fn schedules(&self) -> Option<()> {
        let Index {
            schedules,
            zones,
            transitions,
            ..
        } = self.index;
        ensure(
            schedules
                .iter()
                .all(|schedule| (schedule.zone as usize) < zones.len() && schedule.days <= 0x7f),
        )?;
        ensure(
            zones
                .iter()
                .all(|zone| transitions.get(zone.transitions.range()).is_some()),
        )
    }

    fn access(&self) -> Option<()> {
        let Index {
            access,
            phases,
            predicates,
            ..
        } = self.index;
        let key = |record: &AccessRecord| (record.phase, record.predicate, record.mask);
        ensure(access.is_sorted_by(|a, b| key(a) < key(b)))?;
        ensure(access.iter().all(|record| {
            phases.get(record.phase as usize).is_some_and(|rules| {
                is_position(record.predicate, predicates.len())
                    && self.lists.is_below(record.rules, rules.len as usize)
            })
        }))
    }
}
