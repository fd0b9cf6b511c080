//! Why a phase was decided as it was, from the bundle alone. Slow and allocating; called by tools,
//! never on the data path.

use std::fmt;

use crate::cost::Free;
use crate::evaluate::{Evaluation, evaluate};
use crate::index::record::{Operator, PredicateRecord};
use crate::invariant::at;
use crate::known_values;
use crate::{Bundle, Facts, Field, Outcome, Phase, RuleIndex};

/// What a phase answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseExplanation {
    /// The phase.
    pub phase: Phase,
    /// The verdict, unless unknown facts matter.
    pub outcome: Outcome,
    /// The alert rules that fired, in their order.
    pub alerts: Vec<RuleIndex>,
}

/// A condition of a rule, and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionExplanation {
    /// The key, such as `request:DestinationDomain`.
    pub field: String,
    /// The operator; those that compare numbers or times are shown as one `Equals` of ranges.
    pub operator: &'static str,
    /// The first values and how many more there are.
    pub values: String,
    /// Whether it holds; `None` when that rests on unknown facts.
    pub holds: Option<bool>,
    /// What the field is.
    pub found: Found,
}

/// The value of a field, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Not known.
    Unknown,
    /// It is not there.
    Absent,
    /// One or several; text in quotes, what is no UTF-8 replaced, times in seconds since 1970.
    Values(Vec<String>),
}

impl Found {
    /// What a field is, as conditions see it: in its normal form.
    #[must_use]
    pub fn new(field: &Field, facts: &Facts<'_>) -> Self {
        if field.source().is_unknown(facts) {
            return Self::Unknown;
        }
        match known_values::shown_values(field, facts) {
            values if values.is_empty() => Self::Absent,
            values => Self::Values(values),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Absent => f.write_str("absent"),
            Self::Values(values) => f.write_str(&values.join(", ")),
        }
    }
}

impl fmt::Display for ConditionExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.field, self.operator, self.values)
    }
}

/// Decides a phase, with what made the decision.
#[must_use]
pub fn explain_phase(bundle: &Bundle, phase: Phase, facts: &Facts<'_>) -> PhaseExplanation {
    let mut scratch = bundle.scratch();
    let outcome = evaluate(bundle, phase, facts, &mut scratch);
    PhaseExplanation {
        phase,
        outcome,
        alerts: scratch.alerts().to_vec(),
    }
}

/// The conditions of a rule in their order, each with its answer. With [`Facts::unknown`] this
/// just lists them. Empty for an index that is none of the phase.
#[must_use]
pub fn explain_rule(
    bundle: &Bundle,
    phase: Phase,
    rule: RuleIndex,
    facts: &Facts<'_>,
) -> Vec<ConditionExplanation> {
    let Some(rule) = bundle.rule(phase, rule) else {
        return Vec::new();
    };
    let conditions = rule.conditions.of(&bundle.index.conditions);
    let mut scratch = bundle.scratch();
    let mut evaluation = Evaluation::new(bundle, phase, facts, &mut scratch, Free);
    conditions
        .iter()
        .map(|condition| {
            let predicate = at(&bundle.index.predicates, condition / 2);
            let is_negated = condition % 2 == 1;
            let field = bundle.field(predicate.field);
            ConditionExplanation {
                found: Found::new(&field, facts),
                field: field.to_string(),
                operator: operator_name(predicate, is_negated),
                values: values(bundle, predicate, is_negated),
                holds: evaluation.condition_holds(*condition),
            }
        })
        .collect()
}

/// What a condition of a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The field.
    pub field: Field,
    /// Whether the condition holds where the field is absent.
    pub holds_if_absent: bool,
}

/// What the conditions of a rule ask for, in their order; cheap enough to be asked of all rules. Empty for
/// an index that is none of the phase.
#[must_use]
pub fn asked(bundle: &Bundle, phase: Phase, rule: RuleIndex) -> Vec<Asked> {
    let Some(rule) = bundle.rule(phase, rule) else {
        return Vec::new();
    };
    let asked = |condition: &u32| {
        let predicate = at(&bundle.index.predicates, condition / 2);
        let is_negated = condition % 2 == 1;
        let holds = predicate.every || matches!(predicate.operator, Operator::Absent);
        Asked {
            field: bundle.field(predicate.field),
            holds_if_absent: holds != is_negated,
        }
    };
    let conditions = rule.conditions.of(&bundle.index.conditions);
    conditions.iter().map(asked).collect()
}

/// A negated `Null` is shown as the other `Null`.
fn values(bundle: &Bundle, predicate: &PredicateRecord, is_negated: bool) -> String {
    match predicate.operator {
        Operator::Absent => (!is_negated).to_string(),
        Operator::Present => is_negated.to_string(),
        _ => bundle.text(predicate.values).to_owned(),
    }
}

const fn operator_name(predicate: &PredicateRecord, is_negated: bool) -> &'static str {
    if predicate.every {
        return every_operator_name(predicate.operator, is_negated);
    }
    match (predicate.operator, is_negated) {
        (Operator::Exact, false) => "StringEquals",
        (Operator::Exact, true) => "StringNotEquals",
        (Operator::ExactIgnoreCase, false) => "StringEqualsIgnoreCase",
        (Operator::ExactIgnoreCase, true) => "StringNotEqualsIgnoreCase",
        (Operator::Glob, false) => "StringLike",
        (Operator::Glob, true) => "StringNotLike",
        (Operator::Regex, false) => "StringMatches",
        (Operator::Regex, true) => "StringNotMatches",
        (Operator::Domain, false) => "DomainMatch",
        (Operator::Domain, true) => "NotDomainMatch",
        (Operator::Number, false) => "NumericEquals",
        (Operator::Number, true) => "NumericNotEquals",
        (Operator::Ip, false) => "IpAddress",
        (Operator::Ip, true) => "NotIpAddress",
        (Operator::Time, false) => "DateEquals",
        (Operator::Time, true) => "DateNotEquals",
        (Operator::TimeOfDay, false) => "TimeOfDay",
        (Operator::TimeOfDay, true) => "NotTimeOfDay",
        (Operator::Absent | Operator::Present, _) => "Null",
    }
}

const fn every_operator_name(operator: Operator, is_negated: bool) -> &'static str {
    match (operator, is_negated) {
        (Operator::Exact, false) => "ForAllValues:StringEquals",
        (Operator::Exact, true) => "ForAnyValue:StringNotEquals",
        (Operator::ExactIgnoreCase, false) => "ForAllValues:StringEqualsIgnoreCase",
        (Operator::ExactIgnoreCase, true) => "ForAnyValue:StringNotEqualsIgnoreCase",
        (Operator::Glob, false) => "ForAllValues:StringLike",
        (Operator::Glob, true) => "ForAnyValue:StringNotLike",
        (Operator::Regex, false) => "ForAllValues:StringMatches",
        (Operator::Regex, true) => "ForAnyValue:StringNotMatches",
        (Operator::Domain, false) => "ForAllValues:DomainMatch",
        (Operator::Domain, true) => "ForAnyValue:NotDomainMatch",
        (Operator::Number, false) => "ForAllValues:NumericEquals",
        (Operator::Number, true) => "ForAnyValue:NumericNotEquals",
        (Operator::Ip, false) => "ForAllValues:IpAddress",
        (Operator::Ip, true) => "ForAnyValue:NotIpAddress",
        (Operator::Time, false) => "ForAllValues:DateEquals",
        (Operator::Time, true) => "ForAnyValue:DateNotEquals",
        (Operator::TimeOfDay, false) => "ForAllValues:TimeOfDay",
        (Operator::TimeOfDay, true) => "ForAnyValue:NotTimeOfDay",
        (Operator::Absent | Operator::Present, _) => "Null",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{BuildRecord, write};
    use crate::{Action, Condition, Defaults, Fact, Rule, RuleGroup, Ruleset, Test};

    fn bundle() -> Bundle {
        let names = ["a.com", "b.com", "c.com", "d.com"];
        let condition = |field, negated, test| Condition {
            field,
            negated,
            test,
        };
        let rule = Rule {
            name: "no-uploads".into(),
            description: "Nothing leaves.".into(),
            action: Action::Deny,
            conditions: vec![
                condition(
                    Field::DestinationDomain,
                    false,
                    Test::Domain(names.into_iter().collect()),
                ),
                condition(
                    Field::DestinationPort,
                    true,
                    Test::Number(vec![80..=80, 443..=450]),
                ),
                condition(Field::RequestHeader("x-a".into()), true, Test::Absent(true)),
            ],
        };
        let group = RuleGroup {
            name: "platform".into(),
            priority: 7,
            rules: [vec![], vec![rule], vec![]],
        };
        let ruleset = Ruleset {
            defaults: Defaults::all(Action::Alert),
            groups: vec![group],
        };
        let record = BuildRecord {
            tool_version: "test 1".into(),
            source_digest: "00".into(),
        };
        let bundle = Bundle::load(write(&ruleset, &record).unwrap()).unwrap();
        assert_eq!(bundle.build_record(), &record);
        bundle
    }

    #[test]
    fn says_which_condition_failed() {
        let mut facts = Facts::unknown();
        facts.destination_domain = Fact::Known("x.a.com");
        facts.destination_port = Fact::Known(443);
        let found = explain_rule(&bundle(), Phase::PreRequest, RuleIndex(0), &facts);
        let values: Vec<_> = found.iter().map(|c| c.found.to_string()).collect();
        assert_eq!(values, ["\"x.a.com\"", "443", "unknown"]);
        let found: Vec<_> = found.iter().map(|c| (c.to_string(), c.holds)).collect();
        let domains =
            r#"request:DestinationDomain DomainMatch ["a.com", "b.com", "c.com", … 1 more]"#;
        assert_eq!(
            found,
            [
                (domains.to_owned(), Some(true)),
                (
                    "request:DestinationPort NumericNotEquals [80, 443-450]".into(),
                    Some(false)
                ),
                ("request:Http:Header/x-a Null false".into(), None),
            ]
        );
    }

    #[test]
    fn names_what_decided() {
        let bundle = bundle();
        let mut facts = Facts::unknown();
        facts.destination_domain = Fact::Known("a.com");
        facts.destination_port = Fact::Known(22);
        let explanation = explain_phase(&bundle, Phase::PreRequest, &facts);
        assert_eq!(explanation.outcome, Outcome::Undetermined);
        let headers = vec![(b"X-A".to_vec(), b"1".to_vec())];
        facts.request_headers = Fact::Known(&headers);
        let explanation = explain_phase(&bundle, Phase::PreRequest, &facts);
        let Outcome::Decided(verdict) = explanation.outcome else {
            panic!("all is known")
        };
        let rule = verdict.rule.unwrap();
        assert_eq!(bundle.rule_name(Phase::PreRequest, rule), "no-uploads");
        assert_eq!(bundle.rule_group(Phase::PreRequest, rule), "platform");
        assert_eq!(
            bundle.find_rule("platform", "no-uploads"),
            Some((Phase::PreRequest, rule))
        );
        let explanation = explain_phase(&bundle, Phase::PreDns, &facts);
        let Outcome::Decided(verdict) = explanation.outcome else {
            panic!("no rule")
        };
        assert!(verdict.default_alert && verdict.rule.is_none());
    }
}
