//! From a text to the globs and regular expressions that match it: literals and pieces of one shape
//! lead to those that are tried.

use super::Evaluation;
use crate::cost::{Meter, record_bytes};
use crate::index::record::*;
use crate::invariant::{Invariant, at, broken, nth};
use crate::matcher::regex::Automata;
use crate::matcher::{family, glob, hash};

impl<'a, M: Meter> Evaluation<'a, '_, M> {
    /// Marks the predicates of the patterns of a view that match a text.
    #[inline]
    pub(super) fn look_up_patterns(&mut self, view: &ViewRecord, number: u32, text: &[u8]) {
        // Lists of whole values have none.
        if view.needles.len | view.windows.len != 0 {
            self.search_patterns(view, number, text);
        }
    }

    fn search_patterns(&mut self, view: &ViewRecord, number: u32, text: &[u8]) {
        if view.needles.len != 0 {
            self.look_up_needles(view, number, text);
        }
        if view.windows.len != 0 {
            self.look_up_windows(view, text);
        }
        self.scratch.tested.clear();
    }

    fn look_up_needles(&mut self, view: &ViewRecord, number: u32, text: &[u8]) {
        let (index, bundle) = (self.index, self.bundle);
        let searcher = nth(&bundle.searchers, number).and_then(Option::as_ref);
        let searcher = searcher.or_broken("the searcher of a view");
        let needles = view.needles.of(&index.needles);
        self.meter.steps(text.len());
        self.meter.bytes(text.len() * record_bytes::SEARCH_STEP);
        // One pass finds every literal. A pattern that needs one which is not there cannot match, so only those
        // of the literals met are tried.
        searcher.scan(text, |number| {
            // A literal that comes again leads to nothing new.
            if !self.scratch.met.insert(number) {
                return;
            }
            let needle = at(needles, number);
            let patterns = index.list(needle.patterns);
            self.meter
                .bytes((patterns.len() + 1) * record_bytes::NUMBER);
            for number in patterns {
                self.test_pattern(*number, text);
            }
        });
        self.scratch.met.clear();
    }

    /// Looks each run of the text up among the pieces of each shape.
    fn look_up_windows(&mut self, view: &ViewRecord, text: &[u8]) {
        let index = self.index;
        let strings = self.bundle.strings(self.bytes);
        let slots = self.bundle.slots(self.bytes);
        for window in view.windows.of(&index.windows) {
            let slots = window.slots.of(slots);
            let keys = window.keys.of(&index.window_keys);
            window.shape.for_each_run(text, |run, hash| {
                if M::COUNTS {
                    let probes = hash::probes_count(slots, hash);
                    self.meter.steps(run.len());
                    self.meter.probes(probes);
                    self.meter.bytes(probes * record_bytes::SLOT);
                }
                for entry in hash::probe(slots, hash) {
                    self.meter.bytes(entry.key_len as usize);
                    let piece = Span {
                        start: entry.key_start,
                        len: entry.key_len,
                    };
                    // A piece that comes again tells nothing new.
                    if piece.of(strings) == run
                        && let Some(key) = nth(keys, entry.content)
                        && self.scratch.met.insert(entry.content - 1)
                    {
                        self.look_up_piece(key, text);
                    }
                }
            });
            self.scratch.met.clear();
        }
    }

    fn look_up_piece(&mut self, key: &WindowKeyRecord, text: &[u8]) {
        let patterns = self.index.list(key.tried);
        self.meter
            .bytes(record_bytes::MEANING + (patterns.len() + 1) * record_bytes::NUMBER);
        self.mark(key.proven);
        for number in patterns {
            self.test_pattern(*number, text);
        }
    }

    /// Tests a pattern of which a literal was met, if it can matter and was not tested yet.
    fn test_pattern(&mut self, number: u32, text: &[u8]) {
        // A view serves all phases; a pattern that no rule of this one asks for would be tried for nothing.
        let phases = *at(&self.bundle.pattern_phases, number);
        if phases & self.phase_bit == 0 || !self.scratch.tested.insert(number) {
            return;
        }
        let record = at(&self.index.patterns, number);
        match record.pattern {
            Pattern::Family(family) => self.look_up_family(family, text),
            pattern if self.pattern_matches(pattern, text) => self.mark(record.predicates),
            _ => {}
        }
    }

    /// Marks what those of a family hold that match, in one pass.
    fn look_up_family(&mut self, number: u32, text: &[u8]) {
        let (index, bundle) = (self.index, self.bundle);
        let record = at(&index.families, number);
        let automata = bundle.automata(self.bytes).get(record.offset as usize..);
        let automaton = automata
            .and_then(|bytes| family::Automaton::cut(bytes, record.shape()))
            .or_broken("the automaton of a family");
        self.meter.steps(text.len());
        self.meter
            .bytes((text.len() + 1) * record_bytes::FAMILY_STEP);
        // The automaton does not stop at a match: each member may match at another place, and all are told.
        let reports = record.reports.of(&index.reports);
        automaton.scan(text, |report| {
            // A report that comes again tells nothing new.
            if self.scratch.reported.insert(report.into()) {
                self.mark(*at(reports, report.into()));
            }
        });
        self.scratch.reported.clear();
    }

    pub(super) fn pattern_matches(&self, pattern: Pattern, text: &[u8]) -> bool {
        match pattern {
            Pattern::Glob(glob) => {
                let glob = glob.of(self.bundle.strings(self.bytes));
                glob::matches_counted(glob, text, |steps| {
                    self.meter.steps(steps);
                    self.meter.bytes(steps);
                })
            }
            Pattern::Regex(number) => {
                self.meter.steps(text.len());
                self.meter.bytes(text.len() * record_bytes::REGEX_STEP);
                self.automata(number).is_match(text)
            }
            // A family has no single answer. `test_pattern` takes its own way for one, and validation refuses
            // one among the patterns that are tried on demand.
            Pattern::Family(_) => broken("the pattern of a predicate"),
        }
    }

    fn automata(&self, number: u32) -> Automata<'a> {
        let record = at(&self.index.automata, number);
        let (states, classes) = (record.states as usize, record.classes as usize);
        let automata = self.bundle.automata(self.bytes);
        let bytes = automata.get(record.offset as usize..);
        bytes
            .and_then(|bytes| Automata::cut(bytes, states, classes))
            .or_broken("the automaton of an expression")
    }
}
