//! What phases decided, as text. Most transactions end by few rules, so what was said of a rule is kept
//! and said again.

use sallyport_ruleset::{Action, Bundle, Phase, RuleIndex};

use super::fields::{array, own, text_key, word};

/// Where the names of rules are.
pub trait RuleNames: std::fmt::Debug {
    /// The name of a rule.
    fn name(&self, phase: Phase, rule: RuleIndex) -> &str;

    /// The name of its group.
    fn group(&self, phase: Phase, rule: RuleIndex) -> &str;
}

impl RuleNames for Bundle {
    fn name(&self, phase: Phase, rule: RuleIndex) -> &str {
        self.rule_name(phase, rule)
    }

    fn group(&self, phase: Phase, rule: RuleIndex) -> &str {
        self.rule_group(phase, rule)
    }
}

/// What one phase decided, or an alert rule of it.
#[derive(Debug, Clone, Copy)]
pub struct PhaseOutcome<'a> {
    /// The phase.
    pub phase: Phase,
    /// What was decided.
    pub action: Action,
    /// Rule that decided; absent if the default action did.
    pub rule: Option<RuleIndex>,
    /// Where its name is.
    pub names: &'a dyn RuleNames,
}

impl PhaseOutcome<'_> {
    fn key(&self) -> Key {
        (self.phase, self.action, self.rule)
    }

    /// `"phase":"…"`, then action, rule and group.
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"phase\":\"");
        out.extend_from_slice(self.phase.name().as_bytes());
        out.push(b'"');
        own(out, text_key!("action"), Some(self.action.name()));
        if let Some(rule) = self.rule {
            let name = self.names.name(self.phase, rule);
            word(out, text_key!("rule"), Some(name.as_bytes()));
            let group = self.names.group(self.phase, rule);
            word(out, text_key!("group"), Some(group.as_bytes()));
        }
    }
}

type Key = (Phase, Action, Option<RuleIndex>);

/// So many texts are kept; a power of two.
const KEPT: usize = 64;

/// The texts of outcomes under the bundle of the line before.
#[derive(Debug)]
pub(super) struct OutcomeTexts(Box<[KeptText; KEPT]>);

#[derive(Debug, Default)]
struct KeptText {
    key: Option<Key>,
    text: Vec<u8>,
}

impl OutcomeTexts {
    pub(super) fn new() -> Self {
        Self(Box::new(std::array::from_fn(|_| KeptText::default())))
    }

    /// Other rules have the numbers of those that were told.
    pub(super) fn forget(&mut self) {
        for kept in self.0.iter_mut() {
            kept.key = None;
        }
    }

    /// `"phase":"…","action":"…","rule":"…","group":"…"`.
    pub(super) fn of(&mut self, outcome: &PhaseOutcome<'_>) -> &[u8] {
        let rule = outcome.rule.map_or(usize::MAX, |rule| rule.0 as usize);
        // Neighbors in a ruleset decide alike often, and each in one phase.
        let place = rule.wrapping_mul(Phase::ALL.len()) + outcome.phase.index();
        #[expect(clippy::indexing_slicing, reason = "a remainder is below its divisor")]
        let kept = &mut self.0[place % KEPT];
        let key = Some(outcome.key());
        if kept.key != key {
            kept.key = key;
            kept.text.clear();
            outcome.encode(&mut kept.text);
        }
        &kept.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that say which rule is asked for, and under which bundle.
    #[derive(Debug)]
    struct Numbered(&'static str);

    impl RuleNames for Numbered {
        fn name(&self, _: Phase, rule: RuleIndex) -> &str {
            ["a", "b", "c"][rule.0 as usize % 3]
        }

        fn group(&self, _: Phase, _: RuleIndex) -> &str {
            self.0
        }
    }

    #[test]
    fn what_is_kept_is_what_would_be_said_anew() {
        let mut texts = OutcomeTexts::new();
        // More rules than are kept, so that they displace each other, twice.
        for round in 0..2 {
            for (number, phase) in (0..500).flat_map(|n| Phase::ALL.map(|phase| (n, phase))) {
                for action in [Action::Allow, Action::Deny, Action::Alert] {
                    let rule = (number > 0).then(|| RuleIndex(number - 1));
                    let outcome = PhaseOutcome {
                        phase,
                        action,
                        rule,
                        names: &Numbered("g"),
                    };
                    let mut anew = Vec::new();
                    outcome.encode(&mut anew);
                    assert_eq!(texts.of(&outcome), anew, "{round} {outcome:?}");
                    assert_eq!(texts.of(&outcome), anew, "{round} {outcome:?}");
                }
            }
        }
    }

    #[test]
    fn another_bundle_has_other_names() {
        let mut texts = OutcomeTexts::new();
        let mut text = |names, forgets: bool| {
            if forgets {
                texts.forget();
            }
            let outcome = PhaseOutcome {
                phase: Phase::PreDns,
                action: Action::Deny,
                rule: Some(RuleIndex(1)),
                names,
            };
            String::from_utf8(texts.of(&outcome).to_vec()).unwrap()
        };
        let of =
            |group| format!(r#""phase":"PreDNS","action":"deny","rule":"b","group":"{group}""#);
        assert_eq!(text(&Numbered("old"), false), of("old"));
        assert_eq!(text(&Numbered("new"), true), of("new"));
    }
}
