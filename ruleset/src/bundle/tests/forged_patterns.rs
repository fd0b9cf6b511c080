//! As `forgeries.rs`, of patterns: literals, automata, families, and globs of one shape.

use super::forgeries::{at_end, beyond, check, count, list_of, no_predicates, predicates};
use crate::index::build::Built;
use crate::index::record::*;
use crate::limits::{REGEX_STATES_MAX, WINDOWS_MAX};

/// A test of a time.
fn schedule(built: &mut Built) -> &mut ResidualRecord {
    let mut residuals = built.index.residuals.iter_mut();
    let schedule = residuals.find(|one| matches!(one, ResidualRecord::Schedule(_)));
    schedule.unwrap()
}

#[test]
fn patterns() {
    const PATTERNS: Option<&str> = Some("patterns");
    check(&[
        ("an empty needle", PATTERNS, |b| {
            b.index.needles[0].text.len = 0
        }),
        ("a needle beyond", PATTERNS, |b| {
            b.index.needles[0].text = beyond(b)
        }),
        ("the last pattern", None, |b| {
            let last = count(&b.index.patterns) - 1;
            b.index.needles[0].patterns = list_of(b, last);
        }),
        ("a pattern beyond", PATTERNS, |b| {
            let past = count(&b.index.patterns);
            b.index.needles[0].patterns = list_of(b, past);
        }),
        ("a glob to the end", None, |b| {
            b.index.patterns[0].pattern = Pattern::Glob(at_end(b))
        }),
        ("a glob beyond", PATTERNS, |b| {
            b.index.patterns[0].pattern = Pattern::Glob(beyond(b))
        }),
        ("the last automaton", None, |b| {
            b.index.patterns[0].pattern = Pattern::Regex(count(&b.index.automata) - 1);
        }),
        ("an automaton beyond", PATTERNS, |b| {
            b.index.patterns[0].pattern = Pattern::Regex(count(&b.index.automata));
        }),
        ("a predicate beyond", PATTERNS, |b| {
            b.index.patterns[0].predicates = no_predicates(b)
        }),
        ("the last predicate", None, |b| {
            b.index.patterns[0].predicates = predicates(b)
        }),
        ("a test of the short form beyond", PATTERNS, |b| {
            b.index.residuals[0] = ResidualRecord::Short(Pattern::Glob(beyond(b)));
        }),
        ("a test of the full form beyond", PATTERNS, |b| {
            b.index.residuals[0] = ResidualRecord::Full(Pattern::Regex(count(&b.index.automata)));
        }),
        ("the last schedule", None, |b| {
            let last = count(&b.index.schedules) - 1;
            *schedule(b) = ResidualRecord::Schedule(last);
        }),
        ("a schedule beyond", PATTERNS, |b| {
            let past = count(&b.index.schedules);
            *schedule(b) = ResidualRecord::Schedule(past);
        }),
    ]);
}

#[test]
fn automata() {
    const PATTERNS: Option<&str> = Some("patterns");
    // Classes of the 256 bytes, rows of states, whether the text may end there.
    const ROWS: usize = 256;
    check(&[
        ("a gap before an automaton", PATTERNS, |b| {
            b.index.automata[0].offset = 1
        }),
        ("automata that overlap", PATTERNS, |b| {
            b.index.automata[1].offset = 0
        }),
        ("fewer states than there are fixed ones", PATTERNS, |b| {
            b.index.automata[0].states = 2
        }),
        ("no class", PATTERNS, |b| b.index.automata[0].classes = 0),
        ("more classes than bytes", PATTERNS, |b| {
            b.index.automata[0].classes = 257
        }),
        ("more states than allowed", PATTERNS, |b| {
            let states = REGEX_STATES_MAX + 1;
            b.index.automata.truncate(1);
            b.index.automata[0].states = u32::try_from(states).unwrap();
            b.index.automata[0].classes = 1;
            b.automata = vec![0; 256 + states * 3];
            only_automaton(b);
        }),
        ("as many states as allowed", None, |b| {
            let states = REGEX_STATES_MAX;
            b.index.automata.truncate(1);
            b.index.automata[0].states = u32::try_from(states).unwrap();
            b.index.automata[0].classes = 1;
            b.automata = vec![0; 256 + states * 3];
            only_automaton(b);
        }),
        ("an automaton that is cut", PATTERNS, |b| {
            b.automata.pop();
        }),
        ("bytes behind the last", PATTERNS, |b| b.automata.push(0)),
        ("the last class", None, |b| {
            b.automata[0] = u8::try_from(b.index.automata[0].classes - 1).unwrap();
        }),
        ("a class beyond", PATTERNS, |b| {
            b.automata[0] = u8::try_from(b.index.automata[0].classes).unwrap();
        }),
        ("the last state", None, |b| {
            let state = u16::try_from(b.index.automata[0].states - 1).unwrap();
            b.automata[ROWS..ROWS + 2].copy_from_slice(&state.to_le_bytes());
        }),
        ("a state beyond", PATTERNS, |b| {
            let state = u16::try_from(b.index.automata[0].states).unwrap();
            b.automata[ROWS..ROWS + 2].copy_from_slice(&state.to_le_bytes());
        }),
    ]);
}

#[test]
fn families() {
    const PATTERNS: Option<&str> = Some("patterns");
    check(&[
        ("a gap before a family", PATTERNS, |b| {
            b.index.families[0].offset += 1
        }),
        ("a family among the others", PATTERNS, |b| {
            b.index.families[0].offset = 0
        }),
        ("a family beyond", PATTERNS, |b| {
            b.index.patterns[0].pattern = Pattern::Family(count(&b.index.families));
        }),
        ("the last family", None, |b| {
            b.index.patterns[0].pattern = Pattern::Family(count(&b.index.families) - 1);
        }),
        ("a family on demand", PATTERNS, |b| {
            b.index.residuals[0] = ResidualRecord::Short(Pattern::Family(0));
        }),
        ("no class", PATTERNS, |b| b.index.families[0].classes = 0),
        ("more classes than bytes", PATTERNS, |b| {
            b.index.families[0].classes = 257
        }),
        ("no state", PATTERNS, |b| b.index.families[0].states = 0),
        ("no state that is silent", PATTERNS, |b| {
            b.index.families[0].telling = b.index.families[0].states - 1
        }),
        ("a gap between reports", PATTERNS, |b| {
            b.index.families[0].reports.start += 1
        }),
        ("reports beyond", PATTERNS, |b| {
            b.index.families[0].reports.len += 1
        }),
        ("fewer reports than are told", PATTERNS, |b| {
            b.index.families[0].reports.len -= 1
        }),
        ("the last predicate", None, |b| {
            b.index.reports[0] = predicates(b)
        }),
        ("a predicate beyond", PATTERNS, |b| {
            b.index.reports[0] = no_predicates(b)
        }),
    ]);
}

#[test]
fn automata_of_families() {
    const PATTERNS: Option<&str> = Some("patterns");
    /// Where the automaton of the first family begins.
    fn bytes(built: &mut Built) -> &mut [u8] {
        let offset = built.index.families[0].offset as usize;
        &mut built.automata[offset..]
    }
    fn put(built: &mut Built, word: impl Fn(&FamilyRecord) -> u32, number: u32) {
        let at = 256 + 2 * word(&built.index.families[0]) as usize;
        let number = u16::try_from(number).unwrap();
        bytes(built)[at..at + 2].copy_from_slice(&number.to_le_bytes());
    }
    check(&[
        ("the last class", None, |b| {
            let classes = b.index.families[0].classes;
            bytes(b)[0] = u8::try_from(classes - 1).unwrap();
        }),
        ("a class beyond", PATTERNS, |b| {
            let classes = b.index.families[0].classes;
            bytes(b)[0] = u8::try_from(classes).unwrap();
        }),
        ("the last state", None, |b| {
            let states = b.index.families[0].states;
            put(b, |_| 0, states - 1);
        }),
        ("a state beyond", PATTERNS, |b| {
            let states = b.index.families[0].states;
            put(b, |_| 0, states);
        }),
        ("the last report at an end", None, |b| {
            let reports = b.index.families[0].reports.len;
            put(b, |f| f.states * f.classes, reports);
        }),
        ("a report beyond at an end", PATTERNS, |b| {
            let reports = b.index.families[0].reports.len;
            put(b, |f| f.states * f.classes, reports + 1);
        }),
        ("the last report of a state", None, |b| {
            let reports = b.index.families[0].reports.len;
            put(b, |f| f.states * (f.classes + 1), reports - 1);
        }),
        ("a report beyond of a state", PATTERNS, |b| {
            let reports = b.index.families[0].reports.len;
            put(b, |f| f.states * (f.classes + 1), reports);
        }),
        ("a family that is cut", PATTERNS, |b| {
            b.automata.pop();
        }),
    ]);
}

/// Has all expressions be the first.
fn only_automaton(built: &mut Built) {
    let index = &mut built.index;
    index.families.clear();
    index.reports.clear();
    let patterns = index.patterns.iter_mut().map(|record| &mut record.pattern);
    let residuals = index
        .residuals
        .iter_mut()
        .filter_map(|record| match record {
            ResidualRecord::Short(pattern) | ResidualRecord::Full(pattern) => Some(pattern),
            ResidualRecord::Schedule(_) => None,
        });
    for pattern in patterns.chain(residuals) {
        if matches!(pattern, Pattern::Regex(_) | Pattern::Family(_)) {
            *pattern = Pattern::Regex(0);
        }
    }
}

#[test]
fn windows() {
    const TABLES: Option<&str> = Some("tables");
    const FIELDS: Option<&str> = Some("fields");
    check(&[
        ("windows that overlap", FIELDS, |b| {
            b.index.views[0].windows.len = 1
        }),
        ("windows beyond", FIELDS, |b| {
            b.index.views.last_mut().unwrap().windows.len += 1
        }),
        ("as many windows as allowed", None, |b| {
            more_windows(b, WINDOWS_MAX - 1)
        }),
        ("more windows than allowed", FIELDS, |b| {
            more_windows(b, WINDOWS_MAX)
        }),
        ("a gap before the slots", TABLES, |b| {
            b.index.windows[0].slots.start += 1
        }),
        ("slots that are shared", TABLES, |b| {
            b.index.windows[0].slots.start = 0
        }),
        ("a number of slots that is no power of two", TABLES, |b| {
            b.index.windows[0].slots.len -= 1
        }),
    ]);
}

#[test]
fn keys_of_windows() {
    const TABLES: Option<&str> = Some("tables");
    /// The first slot of the first window that is used, in words.
    fn used(built: &Built) -> usize {
        let slots = built.index.windows[0].slots.range();
        let mut slots = slots.map(|slot| slot * 4);
        slots.find(|slot| built.slots[slot + 3] != 0).unwrap()
    }
    check(&[
        ("slots of nobody", TABLES, |b| b.slots.extend([0; 4])),
        ("a gap between keys", TABLES, |b| {
            b.index.windows[0].keys.start += 1
        }),
        ("keys beyond", TABLES, |b| b.index.windows[0].keys.len += 1),
        ("fewer keys than are named", TABLES, |b| {
            b.index.windows[0].keys.len -= 1
        }),
        ("the longest piece", None, |b| {
            b.index.windows[0].shape.bytes = 64
        }),
        ("a longer piece", TABLES, |b| {
            b.index.windows[0].shape.bytes = 65
        }),
        ("a piece of nothing", TABLES, |b| {
            b.index.windows[0].shape.bytes = 0
        }),
        ("the last key", None, |b| {
            let slot = used(b);
            b.slots[slot + 3] = b.index.windows[0].keys.len;
        }),
        ("a key beyond", TABLES, |b| {
            let slot = used(b);
            b.slots[slot + 3] = b.index.windows[0].keys.len + 1;
        }),
        ("a piece to the end", None, |b| {
            let (slot, end) = (used(b), at_end(b));
            (b.slots[slot + 1], b.slots[slot + 2]) = (end.start, end.len);
        }),
        ("a piece beyond", TABLES, |b| {
            let (slot, beyond) = (used(b), beyond(b));
            (b.slots[slot + 1], b.slots[slot + 2]) = (beyond.start, beyond.len);
        }),
    ]);
}

/// Adds windows without a key to the view that has one.
fn more_windows(built: &mut Built, more: usize) {
    let index = &mut built.index;
    let shape = index.windows[0].shape;
    for _ in 0..more {
        let slots = Span {
            start: count(&built.slots) / 4,
            len: 1,
        };
        let keys = Span {
            start: count(&index.window_keys),
            len: 0,
        };
        built.slots.extend([0; 4]);
        index.windows.push(WindowRecord { shape, slots, keys });
    }
    let more = u32::try_from(more).unwrap();
    for view in &mut index.views {
        match view.windows {
            Span { len: 1, .. } => view.windows.len += more,
            Span { start: 1.., .. } => view.windows.start += more,
            _ => {}
        }
    }
}

#[test]
fn window_keys() {
    const TABLES: Option<&str> = Some("tables");
    check(&[
        ("the last predicate", None, |b| {
            b.index.window_keys[0].proven = predicates(b)
        }),
        ("a predicate beyond", TABLES, |b| {
            b.index.window_keys[0].proven = no_predicates(b)
        }),
        ("the last pattern", None, |b| {
            let last = count(&b.index.patterns) - 1;
            b.index.window_keys[0].tried = list_of(b, last);
        }),
        ("a pattern beyond", TABLES, |b| {
            let past = count(&b.index.patterns);
            b.index.window_keys[0].tried = list_of(b, past);
        }),
    ]);
}
