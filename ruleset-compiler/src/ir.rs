//! What rule text says, with the place of each word: the form between parsing and lowering.
//!
//! Parsers of all source formats produce it. Words are still words here: whether a key, an
//! operator or a value makes sense is found out by `validate` and `lower`.

use sallyport_ruleset::{Action, Phase};

use crate::source::{FileId, Located, Span};

/// A ruleset file.
#[derive(Debug, Default)]
pub struct Ruleset {
    /// Default action of each phase; `None` where it is missing or bad (already reported).
    pub defaults: PerPhase<Option<Action>>,
    /// Named lists in source order.
    pub lists: Vec<ListReference>,
    /// Groups in source order.
    pub groups: Vec<GroupEntry>,
}

/// One value for each phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerPhase<T> {
    /// Before the destination's name is resolved.
    pub pre_dns: T,
    /// Before anything of the request is forwarded.
    pub pre_request: T,
    /// Before anything of the response is returned.
    pub post_response: T,
}

impl<T> PerPhase<T> {
    /// The value for a phase.
    pub const fn of(&self, phase: Phase) -> &T {
        match phase {
            Phase::PreDns => &self.pre_dns,
            Phase::PreRequest => &self.pre_request,
            Phase::PostResponse => &self.post_response,
        }
    }

    /// The value for a phase, to be changed.
    pub const fn of_mut(&mut self, phase: Phase) -> &mut T {
        match phase {
            Phase::PreDns => &mut self.pre_dns,
            Phase::PreRequest => &mut self.pre_request,
            Phase::PostResponse => &mut self.post_response,
        }
    }
}

/// The phases in the order in which they run.
pub const PHASES: [Phase; 3] = [Phase::PreDns, Phase::PreRequest, Phase::PostResponse];

/// The phase's name in TOML sources.
#[must_use]
pub const fn phase_key(phase: Phase) -> &'static str {
    match phase {
        Phase::PreDns => "pre_dns",
        Phase::PreRequest => "pre_request",
        Phase::PostResponse => "post_response",
    }
}

/// A list and the file that holds it.
#[derive(Debug)]
pub struct ListReference {
    /// What follows the `@` in conditions.
    pub name: Located<String>,
    /// Relative to the ruleset file.
    pub path: Located<String>,
}

/// A group's place in the ruleset.
#[derive(Debug)]
pub struct GroupEntry {
    /// Where the entry begins.
    pub span: Span,
    /// Lower numbers are evaluated first; `None` if missing or bad (already reported).
    pub priority: Option<Located<u32>>,
    /// The rules, or where they are.
    pub body: GroupBody,
}

/// The rules of a group, or where they are.
#[derive(Debug)]
pub enum GroupBody {
    /// In a file of their own, relative to the ruleset file.
    File(Located<String>),
    /// In a file of the group's name, beside the ruleset file.
    Named(Located<String>),
    /// In the ruleset file.
    Inline(Group),
}

/// A rule group.
#[derive(Debug, Default)]
pub struct Group {
    /// `None` if missing or bad (already reported).
    pub name: Option<Located<String>>,
    /// Rules of each phase in source order.
    pub rules: PerPhase<Vec<Rule>>,
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Unique in its group.
    pub name: Located<String>,
    /// For people.
    pub description: String,
    /// What happens when all conditions hold; `None` if missing or bad (already reported).
    pub action: Option<Action>,
    /// All must hold.
    pub conditions: Vec<Condition>,
}

/// A condition: key, operator, values.
#[derive(Debug)]
pub struct Condition {
    /// As written, for example `request:DestinationPort`.
    pub key: Located<String>,
    /// As written, for example `NumericEquals`.
    pub operator: Located<String>,
    /// As written; never empty.
    pub values: Vec<Located<Value>>,
}

/// A value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string, or `@name` for a list.
    Text(String),
    /// A number, boolean or date without quotes.
    Bare(String),
    /// An array of two inside the array of values.
    Pair(String, String),
}

/// A list's file, and where in it the values are. Values stay in the source text: a list may have
/// a hundred thousand of them.
#[derive(Debug)]
pub struct List {
    /// Where the ruleset names it.
    pub name: Located<String>,
    /// `None` if it could not be read (already reported).
    pub file: Option<FileId>,
    /// In source order.
    pub entries: Vec<std::ops::Range<usize>>,
}
