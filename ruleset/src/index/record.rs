//! The index as plain records: what the builder fills, what a bundle holds, what evaluation reads.
//!
//! Numbers refer to other tables: a list is the position of its length in `lists`, followed by its
//! items; list 0 is the empty one. Texts are places in the bundle's strings. That all of them are
//! in range is checked once, in `bundle/validate.rs`.

use crate::invariant::Invariant;
use crate::matcher::{family, window};
use crate::{Action, Defaults, Protocol, Source};

/// A run of bytes in the strings, or of items in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Span {
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }

    /// The items that it stands for, of the table for which it was checked.
    #[inline]
    #[track_caller]
    pub(crate) fn of<T>(self, items: &[T]) -> &[T] {
        items.get(self.range()).or_broken("a span")
    }
}

/// Everything but the three large parts (strings, hash slots, automata), which stay bytes.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) defaults: Defaults,
    /// Rules of each phase, by [`crate::Phase::index`].
    pub(crate) phases: [Span; 3],
    pub(crate) groups: Vec<GroupRecord>,
    pub(crate) rules: Vec<RuleRecord>,
    /// Conditions of rules: predicate × 2, plus 1 when negated.
    pub(crate) conditions: Vec<u32>,
    pub(crate) predicates: Vec<PredicateRecord>,
    pub(crate) fields: Vec<FieldRecord>,
    pub(crate) views: Vec<ViewRecord>,
    pub(crate) tables: Vec<TableRecord>,
    pub(crate) meanings: Vec<MeaningRecord>,
    pub(crate) trees: Vec<TreeRecord>,
    pub(crate) bounds: Vec<u128>,
    /// Lists of predicates of tree nodes.
    pub(crate) nodes: Vec<u32>,
    pub(crate) needles: Vec<NeedleRecord>,
    pub(crate) windows: Vec<WindowRecord>,
    pub(crate) window_keys: Vec<WindowKeyRecord>,
    pub(crate) patterns: Vec<PatternRecord>,
    pub(crate) automata: Vec<AutomataRecord>,
    pub(crate) families: Vec<FamilyRecord>,
    /// Lists of predicates: what the automata of families tell.
    pub(crate) reports: Vec<u32>,
    pub(crate) residuals: Vec<ResidualRecord>,
    pub(crate) schedules: Vec<ScheduleRecord>,
    pub(crate) zones: Vec<ZoneRecord>,
    pub(crate) transitions: Vec<TransitionRecord>,
    pub(crate) access: Vec<AccessRecord>,
    pub(crate) lists: Vec<u32>,
}

impl Index {
    /// The items of a list.
    #[inline]
    #[track_caller]
    pub(crate) fn list(&self, list: u32) -> &[u32] {
        self.lists
            .get(list as usize..)
            .and_then(<[u32]>::split_first)
            .and_then(|(len, items)| items.get(..*len as usize))
            .or_broken("a list")
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupRecord {
    pub(crate) name: Span,
    pub(crate) priority: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleRecord {
    pub(crate) action: Action,
    pub(crate) group: u32,
    pub(crate) name: Span,
    pub(crate) description: Span,
    pub(crate) conditions: Span,
    /// Whether it is looked for at all.
    pub(crate) is_reachable: bool,
}

/// A distinct (field, test).
#[derive(Clone, Copy, Debug)]
pub(crate) struct PredicateRecord {
    pub(crate) field: u32,
    pub(crate) operator: Operator,
    /// Each value of the field must pass, and an absent field does.
    pub(crate) every: bool,
    /// The values as text, shortened.
    pub(crate) values: Span,
    /// Tests that no index answers, to be made when the predicate is asked for.
    pub(crate) residuals: Span,
    /// Bits of the phases whose rules use it.
    pub(crate) phases: u32,
}

/// The kind of a test, for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Exact,
    ExactIgnoreCase,
    Glob,
    Regex,
    Domain,
    Number,
    Ip,
    Time,
    TimeOfDay,
    Absent,
    Present,
}

impl Operator {
    pub(crate) const ALL: [Self; 11] = [
        Self::Exact,
        Self::ExactIgnoreCase,
        Self::Glob,
        Self::Regex,
        Self::Domain,
        Self::Number,
        Self::Ip,
        Self::Time,
        Self::TimeOfDay,
        Self::Absent,
        Self::Present,
    ];
}

/// A field that some condition uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldRecord {
    pub(crate) source: Source,
    /// Lower-case name, for headers and labels; else empty.
    pub(crate) header: Span,
    /// Predicates that hold when the field is absent, and when it is not.
    pub(crate) absent: u32,
    pub(crate) present: u32,
    pub(crate) index: FieldIndex,
}

/// How values of a field become predicates. Numbers are one more than the position: 0 is none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FieldIndex {
    /// Views of the short form (path, type without parameters; the value itself) and of the full
    /// form (with query, with parameters).
    Text { short: u32, full: u32 },
    /// One tree (numbers, times), or one for each address family.
    Tree { first: u32, v6: u32 },
    /// Nodes: a list for each word of [`Protocol::ALL`].
    Protocol { nodes: u32 },
}

impl FieldIndex {
    /// The nodes of a field of protocols, from the number of the first; `None` for that of none.
    pub(crate) fn protocol_lists(nodes: u32) -> Option<Span> {
        let start = nodes.checked_sub(1)?;
        let len = u32::try_from(Protocol::ALL.len()).ok()?;
        Some(Span { start, len })
    }
}

/// What is asked of one form of a text. Numbers are one more than the position: 0 is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ViewRecord {
    /// Whole values, and names under them.
    pub(crate) table: u32,
    /// Whole values in lower case.
    pub(crate) folded: u32,
    /// Literals of the patterns.
    pub(crate) needles: Span,
    /// Globs that are found by their shape.
    pub(crate) windows: Span,
    /// Patterns are tried on the short form too, though this is the view of the full one.
    pub(crate) tried_on_short: bool,
}

/// A hash table of values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableRecord {
    /// Power of two, or none.
    pub(crate) slots: Span,
    /// Keys are hashed label by label (`matcher/domain.rs`).
    pub(crate) by_label: bool,
    /// By label: bits of the depths that occur. Else: length of the longest key.
    pub(crate) bound: u32,
}

/// What a key of a hash table stands for. Slots name it by one more than its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MeaningRecord {
    /// List of predicates that hold when the value equals the key.
    pub(crate) whole: u32,
    /// List of predicates that hold when the value is a name under the key.
    pub(crate) below: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct TreeRecord {
    pub(crate) bounds: Span,
    /// Twice one more than there are bounds.
    pub(crate) nodes: Span,
}

/// A literal, and the list of patterns that need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NeedleRecord {
    pub(crate) text: Span,
    pub(crate) patterns: u32,
}

/// Pieces of globs that have one shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowRecord {
    pub(crate) shape: window::Shape,
    /// Power of two. They name a key by one more than its position.
    pub(crate) slots: Span,
    pub(crate) keys: Span,
}

/// What a piece stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowKeyRecord {
    /// List of predicates that hold where the piece is.
    pub(crate) proven: u32,
    /// List of patterns that need it.
    pub(crate) tried: u32,
}

/// A glob, a regular expression or a family of them, and the list of predicates that hold when it matches: of a
/// family, all that may.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PatternRecord {
    pub(crate) pattern: Pattern,
    pub(crate) predicates: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pattern {
    /// Its text.
    Glob(Span),
    /// Its automaton.
    Regex(u32),
    /// Several regular expressions that are tried at once.
    Family(u32),
}

/// An automaton in the automata section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AutomataRecord {
    pub(crate) offset: u32,
    pub(crate) states: u32,
    pub(crate) classes: u32,
}

/// The automaton of several expressions, in the automata section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FamilyRecord {
    pub(crate) offset: u32,
    pub(crate) states: u32,
    pub(crate) classes: u32,
    /// States that tell of matches.
    pub(crate) telling: u32,
    /// What they tell.
    pub(crate) reports: Span,
}

impl FamilyRecord {
    pub(crate) const fn shape(&self) -> family::Shape {
        family::Shape {
            states: self.states as usize,
            classes: self.classes as usize,
            telling: self.telling as usize,
        }
    }
}

/// A test that is made on demand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ResidualRecord {
    /// Against the short form.
    Short(Pattern),
    /// Against the full form.
    Full(Pattern),
    /// A schedule.
    Schedule(u32),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ScheduleRecord {
    pub(crate) days: u32,
    pub(crate) from_second: u32,
    pub(crate) to_second: u32,
    pub(crate) zone: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ZoneRecord {
    pub(crate) first_offset_seconds: i32,
    pub(crate) transitions: Span,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct TransitionRecord {
    pub(crate) from: i64,
    pub(crate) offset_seconds: i32,
}

/// Rules that become candidates when a predicate holds and the sources of `mask` are all unknown.
/// Sorted by (phase, predicate, mask).
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccessRecord {
    pub(crate) phase: u32,
    /// One more than the predicate; 0: no predicate has to hold.
    pub(crate) predicate: u32,
    /// Bits of [`Source::index`].
    pub(crate) mask: u64,
    /// List of rules, by their position in the phase, ascending.
    pub(crate) rules: u32,
}
