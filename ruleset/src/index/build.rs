//! Builds the index of a ruleset: rules and predicates, then the structures of each field
//! (`lower.rs`, `layout.rs`), then access. Not here: the bytes of it (`bundle/write.rs`).

use super::access::{self, RuleConditions};
use super::builder::{Builder, PredicateSource};
use super::error::{Place, WriteError};
use super::lower::FieldBuilder;
use super::record::*;
use super::tables::number;
use super::values;
use crate::bundle::Unreachable;
use crate::bundle::tests_written;
use crate::invariant::Invariant;
use crate::limits::{RULES_MAX, VALUE_BYTES_MAX};
use crate::{Condition, Phase, Rule, RuleIndex, Ruleset, Test, ValueList};

/// The index and the parts that stay bytes.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) index: Index,
    pub(crate) strings: Vec<u8>,
    pub(crate) slots: Vec<u32>,
    pub(crate) automata: Vec<u8>,
    /// Of all predicates, for tools.
    pub(crate) tests_written: Vec<u8>,
}

/// Builds everything; the same ruleset gives the same result, whatever the machine.
pub(crate) fn build(ruleset: &Ruleset, unreachable: &Unreachable) -> Result<Built, WriteError> {
    let mut builder = Builder::new(ruleset);
    builder.add_rules(ruleset, unreachable)?;
    builder.add_predicates()?;
    builder.add_access()?;
    builder.finish()
}

impl<'r> Builder<'r> {
    fn add_rules(
        &mut self,
        ruleset: &'r Ruleset,
        unreachable: &Unreachable,
    ) -> Result<(), WriteError> {
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
                    let index = RuleIndex(number(self.index.rules.len())? - start);
                    let is_reachable = !unreachable.contains(phase, index);
                    self.add_rule(rule, place, is_reachable)?;
                }
            }
            let len = number(self.index.rules.len())? - start;
            let span = self.index.phases.get_mut(phase.index());
            *span.or_broken("a phase") = Span { start, len };
        }
        if self.index.rules.len() > RULES_MAX {
            Err(WriteError::TooLarge)
        } else {
            Ok(())
        }
    }

    fn add_rule(
        &mut self,
        rule: &'r Rule,
        place: Place,
        is_reachable: bool,
    ) -> Result<(), WriteError> {
        let start = number(self.index.conditions.len())?;
        for (condition, position) in rule.conditions.iter().zip(0..) {
            let predicate = self.predicate(
                condition,
                Place {
                    condition: position,
                    ..place
                },
            )?;
            self.index
                .conditions
                .push(predicate * 2 + u32::from(condition.negated));
        }
        let len = number(self.index.conditions.len())? - start;
        let record = RuleRecord {
            action: rule.action,
            group: number(place.group)?,
            name: self.strings.intern(rule.name.as_bytes())?,
            description: self.strings.intern(rule.description.as_bytes())?,
            conditions: Span { start, len },
            is_reachable,
        };
        self.index.rules.push(record);
        Ok(())
    }

    fn predicate(&mut self, condition: &'r Condition, place: Place) -> Result<u32, WriteError> {
        let (field, test) = (&condition.field, &condition.test);
        let phase_bit = 1 << place.phase.index();
        if let Some(found) = self.predicate_numbers.get(&(field, test)) {
            let predicate = self.predicates.get_mut(*found as usize);
            predicate.or_broken("a predicate").phases |= phase_bit;
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
            let source = self.predicates.get(id).or_broken("a predicate");
            let (field, test, place) = (source.field, source.test, source.place);
            let (field_number, phases) = (source.field_number, source.phases);
            let builder = fields.get_mut(field_number as usize);
            let builder = builder.or_broken("a field");
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
                every: matches!(test, Test::Every(_)),
                values,
                residuals,
                phases,
            });
            let source = self.predicates.get_mut(id).or_broken("a predicate");
            source.has_residuals = residuals.len > 0;
        }
        let keys = std::mem::take(&mut self.fields.keys);
        for (field, builder) in keys.into_iter().zip(fields) {
            let record = self.finish_field(field, builder)?;
            self.index.fields.push(record);
        }
        Ok(())
    }

    fn add_access(&mut self) -> Result<(), WriteError> {
        let mut positive: Vec<Vec<u32>> = Vec::with_capacity(self.index.rules.len());
        for rule in &self.index.rules {
            let conditions = rule.conditions.of(&self.index.conditions).iter();
            let plain = conditions.filter(|condition| **condition % 2 == 0);
            positive.push(plain.map(|condition| *condition / 2).collect());
        }
        let mut rules = Vec::with_capacity(positive.len());
        for (phase, span) in (0..).zip(self.index.phases) {
            let of_phase = span.of(&positive);
            let records = span.of(&self.index.rules);
            let reachable = (0..)
                .zip(of_phase)
                .zip(records)
                .filter(|(_, record)| record.is_reachable);
            rules.extend(reachable.map(|((rule, positive), _)| RuleConditions {
                phase,
                rule,
                positive,
            }));
        }
        self.index.access = access::build(&rules, &self.predicates, &mut self.lists)?;
        Ok(())
    }

    fn finish(mut self) -> Result<Built, WriteError> {
        self.finish_automata()?;
        self.append_window_slots()?;
        self.index.meanings = self.tables.meanings.keys;
        self.index.lists = self.lists.words;
        number(self.index.lists.len())?;
        let tests = self.predicates.iter();
        let tests = tests.map(|predicate| (operator(predicate.test), predicate.test));
        let tests_written = tests_written::encode(tests, &self.zones, &mut self.strings)?;
        Ok(Built {
            index: self.index,
            strings: self.strings.bytes,
            slots: self.tables.slots,
            automata: self.automata,
            tests_written,
        })
    }
}

fn text_values(test: &Test) -> Option<&ValueList> {
    match test {
        Test::Exact { values, .. }
        | Test::Glob(values)
        | Test::Regex(values)
        | Test::Domain(values) => Some(values),
        Test::Every(test) => text_values(test),
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
        Test::Every(test) => operator(test),
    }
}
