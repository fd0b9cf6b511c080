//! A ruleset in the making: groups of rules with comments, in the order in which they are to be
//! written. `toml_text` turns it into files.

use std::collections::HashSet;

use clap::ValueEnum;
use sallyport_ruleset::{Action, Phase};

use super::condition::Condition;
use crate::ir::{PHASES, PerPhase};
use crate::limits::{DESCRIPTION_BYTES_MAX, GROUP_RULES_MAX_DEFAULT, NAME_BYTES_MAX};

/// A ruleset in the making.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Lines at the top of the ruleset file.
    pub about: Vec<String>,
    /// What a phase decides when no rule does.
    pub defaults: PerPhase<Action>,
    /// Who says so.
    pub defaults_by: DefaultsBy,
    /// In the order of evaluation.
    pub groups: Vec<DraftGroup>,
}

/// Who says what is decided where no rule does. A ruleset that lets everything pass is only written
/// if the source or the user asked for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultsBy {
    /// The source, by a line of it or by what its format means; or the user, by an option.
    Source,
    /// Nobody: the importer assumes it. The text says what the user can do about it.
    Assumption(&'static str),
}

/// A group in the making.
#[derive(Clone, Debug, Default)]
pub struct DraftGroup {
    /// Its name, and that of its file.
    pub name: String,
    /// Lines at the top of its file.
    pub about: Vec<String>,
    /// What it holds, in order.
    pub items: PerPhase<Vec<Item>>,
}

/// A rule, or a remark between rules.
#[derive(Clone, Debug)]
pub enum Item {
    /// A rule.
    Rule(DraftRule),
    /// Lines of a comment.
    Remark(Vec<String>),
}

/// A rule in the making.
#[derive(Clone, Debug)]
pub struct DraftRule {
    /// Unique in its group: see [`Names`].
    pub name: String,
    /// For people; may be empty.
    pub description: String,
    /// What it does.
    pub action: Action,
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// Where it comes from, a line each.
    pub origin: Vec<String>,
}

impl Draft {
    /// No rules yet; where none decides, `defaults` do, and `defaults_by` says so.
    #[must_use]
    pub const fn new(defaults: PerPhase<Action>, defaults_by: DefaultsBy) -> Self {
        Self {
            about: Vec::new(),
            defaults,
            defaults_by,
            groups: Vec::new(),
        }
    }

    /// Whether no request can be denied: no phase does so by default, and no rule does.
    #[must_use]
    pub fn allows_everything(&self) -> bool {
        let denies = |item: &Item| matches!(item, Item::Rule(rule) if rule.action == Action::Deny);
        let denies_in = |phase: Phase| {
            let mut groups = self.groups.iter();
            *self.defaults.of(phase) == Action::Deny
                || groups.any(|group| group.items.of(phase).iter().any(denies))
        };
        !PHASES.into_iter().any(denies_in)
    }

    /// As it is written: groups with more rules than the compiler takes by default are cut into several, and
    /// there are no empty ones.
    #[must_use]
    pub(super) fn cut(mut self) -> Self {
        self.groups = self.groups.into_iter().flat_map(DraftGroup::cut).collect();
        self.groups.retain(|group| !group.is_empty());
        self
    }

    /// Rules over all groups and phases.
    #[must_use]
    pub fn rules_count(&self) -> usize {
        self.groups.iter().map(DraftGroup::rules_count).sum()
    }
}

/// What is decided where no rule does, as a user says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DefaultAction {
    /// It passes
    Allow,
    /// It is refused
    Deny,
}

impl DefaultAction {
    /// The action of rules.
    #[must_use]
    pub const fn action(self) -> Action {
        match self {
            Self::Allow => Action::Allow,
            Self::Deny => Action::Deny,
        }
    }
}

/// Each phase lets pass what no rule of it decides.
pub const ALLOW_BY_DEFAULT: PerPhase<Action> = PerPhase {
    pre_dns: Action::Allow,
    pre_request: Action::Allow,
    post_response: Action::Allow,
};

impl DraftGroup {
    /// An empty group.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Adds a rule at the end of a phase.
    pub fn push(&mut self, phase: Phase, rule: DraftRule) {
        self.items.of_mut(phase).push(Item::Rule(rule));
    }

    /// Adds a comment at the end of a phase.
    pub fn remark(&mut self, phase: Phase, lines: Vec<String>) {
        self.items.of_mut(phase).push(Item::Remark(lines));
    }

    fn rules_count(&self) -> usize {
        let is_rule = |item: &&Item| matches!(item, Item::Rule(_));
        PHASES
            .into_iter()
            .map(|phase| self.items.of(phase).iter().filter(is_rule).count())
            .sum()
    }

    /// Whether a phase has a rule.
    #[must_use]
    pub fn has_rules_in(&self, phase: Phase) -> bool {
        let is_rule = |item: &Item| matches!(item, Item::Rule(_));
        self.items.of(phase).iter().any(is_rule)
    }

    fn is_empty(&self) -> bool {
        PHASES
            .into_iter()
            .all(|phase| self.items.of(phase).is_empty())
    }

    /// The group in pieces that the compiler takes. Phases are cut one after the other, so that
    /// the order within each stays.
    fn cut(self) -> Vec<Self> {
        if self.rules_count() <= GROUP_RULES_MAX_DEFAULT {
            return vec![self];
        }
        let Self {
            name,
            about,
            mut items,
        } = self;
        let mut pieces: Vec<Self> = Vec::new();
        for phase in PHASES {
            for item in std::mem::take(items.of_mut(phase)) {
                let full = pieces
                    .last()
                    .is_none_or(|piece| piece.rules_count() >= GROUP_RULES_MAX_DEFAULT);
                if full {
                    let number = pieces.len() + 1;
                    let name = match number {
                        1 => name.clone(),
                        _ => format!("{name}-{number}"),
                    };
                    let mut piece = Self::new(name);
                    piece.about.clone_from(&about);
                    pieces.push(piece);
                }
                if let Some(piece) = pieces.last_mut() {
                    piece.items.of_mut(phase).push(item);
                }
            }
        }
        pieces
    }
}

/// Gives names that the compiler takes, each once.
#[derive(Clone, Debug, Default)]
pub struct Names(HashSet<String>);

impl Names {
    /// A name like the wanted one: other characters than names may have become `-`, and a number
    /// follows when the name is taken.
    pub fn unique(&mut self, wanted: &str) -> String {
        let base = plain_name(wanted);
        let mut name = base.clone();
        let mut number = 2;
        while !self.0.insert(name.clone()) {
            name = format!("{base}-{number}");
            number += 1;
        }
        name
    }
}

/// Room for a number behind the name.
const NUMBER_BYTES_MAX: usize = 12;

/// Letters, digits, `-`, `_` and `.` stay; what stands between them becomes one `-`.
#[must_use]
fn plain_name(wanted: &str) -> String {
    let mut name = String::new();
    for c in wanted.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | '.') {
            name.push(c);
        } else if !name.ends_with('-') && !name.is_empty() {
            name.push('-');
        }
        if name.len() >= NAME_BYTES_MAX - NUMBER_BYTES_MAX {
            break;
        }
    }
    let trimmed = name.trim_matches(['-', '.']);
    if trimmed.is_empty() {
        "unnamed".to_owned()
    } else {
        trimmed.to_owned()
    }
}

/// A text as a rule's description: one line, not too long.
pub(super) fn description(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let mut end = line.len().min(DESCRIPTION_BYTES_MAX);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.truncate(end);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_fit_and_unique() {
        let mut names = Names::default();
        assert_eq!(names.unique("deny bad/hosts"), "deny-bad-hosts");
        assert_eq!(names.unique("deny bad hosts"), "deny-bad-hosts-2");
        assert_eq!(names.unique("…"), "unnamed");
        assert!(names.unique(&"x".repeat(500)).len() <= NAME_BYTES_MAX);
    }

    #[test]
    fn large_groups_are_cut_in_order() {
        let rule = |number: usize| DraftRule {
            name: format!("r{number}"),
            description: String::new(),
            action: Action::Deny,
            conditions: Vec::new(),
            origin: Vec::new(),
        };
        let mut group = DraftGroup::new("many");
        for number in 0..2_500 {
            let phase = if number < 500 {
                Phase::PreDns
            } else {
                Phase::PreRequest
            };
            group.push(phase, rule(number));
        }
        let pieces = group.cut();
        let counts: Vec<usize> = pieces.iter().map(DraftGroup::rules_count).collect();
        assert_eq!(counts, [1_000, 1_000, 500]);
        assert_eq!(pieces[2].name, "many-3");
        assert_eq!(pieces[0].items.pre_dns.len(), 500);
    }
}
