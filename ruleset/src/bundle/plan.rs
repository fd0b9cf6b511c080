//! What is worked out once at load so that evaluation does not have to: per phase, which sources
//! matter and where each predicate's rules are; the searchers; the names of headers.

use hashbrown::HashTable;

use crate::index::record::{AccessRecord, FieldRecord, Index, NeedleRecord};
use crate::invariant::{Invariant, at};
use crate::matcher::hash::{SEED, hash};
use crate::matcher::literals::Searcher;
use crate::{Phase, Source};

/// Evaluation of one phase.
#[derive(Debug, Default)]
pub(crate) struct PhasePlan {
    /// Sources that some rule of the phase asks for.
    pub(crate) sources: Vec<Source>,
    /// Sources that some rule is filed under, each with the masks for which it counts.
    pub(crate) lookups: Vec<(Source, Vec<u64>)>,
    /// Access records without a predicate.
    pub(crate) always: Vec<AccessRecord>,
    /// Access records with one, by predicate.
    access: Vec<AccessRecord>,
    /// Position in `access` of the first record of each predicate, and the end.
    starts: Vec<u32>,
}

impl PhasePlan {
    /// The records of rules filed under a predicate.
    pub(crate) fn access(&self, predicate: u32) -> &[AccessRecord] {
        let starts = self.starts.get(predicate as usize..);
        let [start, end] = *starts
            .and_then(<[u32]>::first_chunk)
            .or_broken("where the records of a predicate are");
        let records = self.access.get(start as usize..end as usize);
        records.or_broken("the records of a predicate")
    }

    pub(crate) fn new(index: &Index, phase: Phase) -> Self {
        let number = phase.index();
        let of_phase = index
            .access
            .iter()
            .filter(|record| record.phase as usize == number);
        let (always, access): (Vec<_>, Vec<_>) =
            of_phase.copied().partition(|record| record.predicate == 0);
        let starts = (1..)
            .take(index.predicates.len() + 1)
            .map(|predicate| access.partition_point(|record| record.predicate < predicate))
            .map(|position| u32::try_from(position).ok().or_broken("a position"))
            .collect();
        let mut lookups: Vec<(Source, Vec<u64>)> = Vec::new();
        for record in &access {
            let source = source_of(index, record.predicate - 1);
            match lookups.iter_mut().find(|(known, _)| *known == source) {
                Some((_, masks)) if masks.contains(&record.mask) => {}
                Some((_, masks)) => masks.push(record.mask),
                None => lookups.push((source, vec![record.mask])),
            }
        }
        let mut sources: Vec<_> = (0..)
            .zip(&index.predicates)
            .filter(|(_, predicate)| predicate.phases >> number & 1 == 1)
            .map(|(id, _)| source_of(index, id))
            .collect();
        sources.sort_unstable();
        sources.dedup();
        Self {
            sources,
            lookups,
            always,
            access,
            starts,
        }
    }
}

fn source_of(index: &Index, predicate: u32) -> Source {
    let field = at(&index.predicates, predicate).field;
    at(&index.fields, field).source
}

/// A searcher for each view that has literals.
pub(super) fn searchers(index: &Index, strings: &[u8]) -> Option<Vec<Option<Searcher>>> {
    let views = index.views.iter().map(|view| {
        let needles = view.needles.of(&index.needles);
        if needles.is_empty() {
            return Some(None);
        }
        let text = |needle: &NeedleRecord| needle.text.of(strings);
        Searcher::new(needles.iter().map(text)).map(Some)
    });
    views.collect()
}

/// For each pattern, the phases in which it can matter.
pub(super) fn pattern_phases(index: &Index) -> Vec<u32> {
    let phases = |predicate: &u32| at(&index.predicates, *predicate).phases;
    let of_list = |list: u32| {
        index
            .list(list)
            .iter()
            .map(phases)
            .fold(0, |all, one| all | one)
    };
    index
        .patterns
        .iter()
        .map(|pattern| of_list(pattern.predicates))
        .collect()
}

/// The header names that rules ask for, of one message.
#[derive(Debug, Default)]
pub(crate) struct HeaderNames {
    /// Fields by the hash of their name.
    table: HashTable<(u64, u32)>,
    /// The fields.
    pub(crate) fields: Vec<u32>,
    longest: usize,
}

/// Longer names than this are never asked for in practice; they are compared all the same.
const NAME_BYTES_MAX: usize = 64;

impl HeaderNames {
    pub(super) fn new(index: &Index, source: Source, strings: &[u8]) -> Self {
        let mut names = Self::default();
        let of_source = (0..)
            .zip(&index.fields)
            .filter(|(_, field): &(u32, _)| field.source == source);
        for (number, field) in of_source {
            let name = name_of(field, strings);
            let hash = hash(SEED, name);
            names
                .table
                .insert_unique(hash, (hash, number), |(hash, _)| *hash);
            names.fields.push(number);
            names.longest = names.longest.max(name.len());
        }
        names
    }

    /// The field for a name as received.
    pub(crate) fn find(&self, name: &[u8], fields: &[FieldRecord], strings: &[u8]) -> Option<u32> {
        if name.len() > self.longest {
            return None;
        }
        let is_name = |number: u32| name_of(at(fields, number), strings).eq_ignore_ascii_case(name);
        let mut buffer = [0; NAME_BYTES_MAX];
        let Some(lower) = buffer.get_mut(..name.len()) else {
            return self.fields.iter().copied().find(|number| is_name(*number));
        };
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        let found = self
            .table
            .find(hash(SEED, lower), |(_, number)| is_name(*number));
        found.map(|(_, number)| *number)
    }
}

fn name_of<'s>(field: &FieldRecord, strings: &'s [u8]) -> &'s [u8] {
    field.header.of(strings)
}
