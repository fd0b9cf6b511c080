//! Lays out the structures of each field, one after the other. Not here: what goes into them
//! (`lower.rs`), and their bytes (`bundle/write.rs`).

use std::collections::HashSet;
use std::ops::RangeInclusive;

use super::builder::Builder;
use super::error::WriteError;
use super::lower::{FieldBuilder, ViewBuilder};
use super::record::*;
use super::tables::{Numbers, Relation, TableBuilder, number};
use crate::invariant::Invariant;
use crate::matcher::{interval, literals};
use crate::{Field, FieldType};

impl Builder<'_> {
    /// The record of a field, its structures laid out.
    pub(super) fn finish_field(
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
            Field::SourceLabel(name) | Field::RequestHeader(name) | Field::ResponseHeader(name) => {
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
        let predicates = view
            .predicates
            .lists(view.patterns.keys.len(), &mut self.lists)?;
        let chosen = literals::choose(&view.literals);
        let shaped = self.shaped(&view.patterns.keys, &chosen)?;
        let globs = || shaped.iter().flat_map(|(_, globs)| globs);
        let proven: HashSet<usize> = globs()
            .filter(|glob| glob.is_all)
            .map(|glob| glob.position)
            .collect();
        let without_needle: HashSet<usize> = globs().map(|glob| glob.position).collect();
        let patterns = self.finish_patterns(&view.patterns.keys, &predicates, &proven)?;
        let windows = self.finish_windows(shaped, &patterns, &predicates)?;
        let mut needles = Numbers::default();
        let mut needed_by = Relation::default();
        for (position, (pattern, literals)) in patterns.into_iter().zip(chosen).enumerate() {
            let Some(pattern) = pattern.filter(|_| !without_needle.contains(&position)) else {
                continue;
            };
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
        if table == 0 && folded == 0 && needles.len == 0 && windows.len == 0 {
            return Ok(0);
        }
        self.index.views.push(ViewRecord {
            table,
            folded,
            needles,
            windows,
            tried_on_short: view.tried_on_short,
        });
        Ok(number(self.index.views.len())?)
    }

    /// For each pattern the number of its record; those of a family share one, and those that are proven
    /// without being tried have none.
    fn finish_patterns(
        &mut self,
        patterns: &[Pattern],
        predicates: &[u32],
        proven: &HashSet<usize>,
    ) -> Result<Vec<Option<u32>>, WriteError> {
        let mut numbers = vec![None; patterns.len()];
        for family in self.families(patterns, predicates)? {
            let record = number(self.index.patterns.len())?;
            self.index.patterns.push(family.record);
            for member in family.members {
                *numbers.get_mut(member).or_broken("a member") = Some(record);
            }
        }
        let all = numbers.into_iter().zip(patterns.iter().zip(predicates));
        let numbers = all.enumerate();
        let numbers = numbers.map(|(position, (known, (pattern, predicates)))| {
            if known.is_some() || proven.contains(&position) {
                return Ok(known);
            }
            let record = number(self.index.patterns.len())?;
            self.index.patterns.push(PatternRecord {
                pattern: *pattern,
                predicates: *predicates,
            });
            Ok(Some(record))
        });
        numbers.collect()
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
}
