//! The tables under construction. Each file of this folder fills some of them, in the order of `build.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::error::Place;
use super::record::*;
use super::tables::{Lists, Numbers, Strings, TableWords};
use crate::{Field, Ruleset, Test, TimeZoneOffsets};

/// Tables under construction.
pub(super) struct Builder<'r> {
    pub(super) index: Index,
    pub(super) strings: Strings,
    pub(super) lists: Lists,
    pub(super) tables: TableWords,
    pub(super) automata: Vec<u8>,
    pub(super) automata_states: usize,
    pub(super) predicates: Vec<PredicateSource<'r>>,
    pub(super) predicate_numbers: HashMap<(&'r Field, &'r Test), u32, FixedState>,
    pub(super) fields: Numbers<&'r Field>,
    pub(super) automata_numbers: HashMap<&'r str, u32, FixedState>,
    /// The expressions that have numbers there.
    pub(super) automata_values: HashMap<u32, &'r str, FixedState>,
    pub(super) family_automata: Vec<u8>,
    pub(super) window_slots: Vec<u32>,
    pub(super) known_families: KnownFamilies,
    pub(super) zones: Vec<Arc<TimeZoneOffsets>>,
}

impl Builder<'_> {
    pub(super) fn new(ruleset: &Ruleset) -> Self {
        Self {
            index: Index {
                defaults: ruleset.defaults,
                phases: [Span::default(); 3],
                groups: Vec::new(),
                rules: Vec::new(),
                conditions: Vec::new(),
                predicates: Vec::new(),
                fields: Vec::new(),
                views: Vec::new(),
                tables: Vec::new(),
                meanings: Vec::new(),
                trees: Vec::new(),
                bounds: Vec::new(),
                nodes: Vec::new(),
                needles: Vec::new(),
                windows: Vec::new(),
                window_keys: Vec::new(),
                patterns: Vec::new(),
                automata: Vec::new(),
                families: Vec::new(),
                reports: Vec::new(),
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
            automata_states: 0,
            predicates: Vec::new(),
            predicate_numbers: HashMap::default(),
            fields: Numbers::default(),
            automata_numbers: HashMap::default(),
            automata_values: HashMap::default(),
            family_automata: Vec::new(),
            window_slots: Vec::new(),
            known_families: HashMap::default(),
            zones: Vec::new(),
        }
    }
}

/// A distinct predicate and where it comes from.
#[derive(Debug)]
pub(crate) struct PredicateSource<'r> {
    pub(crate) field: &'r Field,
    pub(crate) test: &'r Test,
    pub(crate) has_residuals: bool,
    pub(super) place: Place,
    pub(super) field_number: u32,
    pub(super) phases: u32,
}

/// Groups that were tried already: another view has the same expressions. By automata and lists of
/// predicates; `None` when it did not fit.
pub(super) type KnownFamilies = HashMap<Vec<(u32, u32)>, Option<PatternRecord>, FixedState>;
