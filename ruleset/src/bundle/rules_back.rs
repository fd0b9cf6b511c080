//! From a bundle back to the rules that it was made from, for tools that compare and prove. Slow
//! and allocating; never on the data path.

use super::header::Section;
use super::tests_written;
use super::write::write_reachable;
use super::{Bundle, BundleError, Unreachable};
use crate::index::record::RuleRecord;
use crate::invariant::{Invariant, at};
use crate::{Condition, Field, Phase, Rule, RuleGroup, RuleIndex, Ruleset, Source, Test};

impl Bundle {
    /// The rules that the bundle was made from. To be sure that they are the rules by which it
    /// decides, they are compiled again: a bundle that differs from what its own rules give is
    /// refused. Costs as much as compiling.
    ///
    /// # Errors
    /// [`BundleError::Inconsistent`] when the rules are not in the bundle, or not its own.
    pub fn ruleset(&self) -> Result<Ruleset, BundleError> {
        let ruleset = self.rules_as_written().ok_or(BundleError::Inconsistent {
            what: Section::TestsWritten.name(),
        })?;
        let again = write_reachable(&ruleset, &self.unreachable(), self.build_record());
        if again.is_ok_and(|again| again == self.content()) {
            Ok(ruleset)
        } else {
            Err(BundleError::Inconsistent {
                what: "the rules that it holds are not those by which it decides",
            })
        }
    }

    /// The rules that are not looked for.
    fn unreachable(&self) -> Unreachable {
        let mut unreachable = Unreachable::default();
        for phase in Phase::ALL {
            for (rule, record) in (0..).map(RuleIndex).zip(self.rules(phase)) {
                if !record.is_reachable {
                    unreachable.insert(phase, rule);
                }
            }
        }
        unreachable
    }

    /// A field by its number.
    pub(crate) fn field(&self, number: u32) -> Field {
        let record = at(&self.index.fields, number);
        let header = self.text(record.header);
        match record.source {
            Source::SourceLabels => Field::SourceLabel(header.into()),
            Source::RequestHeaders => Field::RequestHeader(header.into()),
            Source::ResponseHeaders => Field::ResponseHeader(header.into()),
            source => {
                let mut fields = Field::words().map(|(_, field)| field);
                let field = fields.find(|field| field.source() == source);
                field.or_broken("the field of a source").clone()
            }
        }
    }

    /// The rules that the bundle says it was made from, if it says so. Whether it decides by them is not checked:
    /// for what is told to people. Costs as much as reading all values.
    #[must_use]
    pub fn rules_as_written(&self) -> Option<Ruleset> {
        let predicates = &self.index.predicates;
        let strings = self.strings(self.bytes());
        let tests = tests_written::decode(self.tests_written(), strings, predicates.len())?;
        let fields: Vec<Field> = predicates
            .iter()
            .map(|predicate| self.field(predicate.field))
            .collect();
        let mut groups: Vec<RuleGroup> = self
            .groups()
            .map(|(name, priority)| RuleGroup {
                name: name.to_owned(),
                priority,
                rules: [Vec::new(), Vec::new(), Vec::new()],
            })
            .collect();
        for phase in Phase::ALL {
            for record in self.rules(phase) {
                let rule = self.rule_as_written(record, &fields, &tests)?;
                let group = groups.get_mut(record.group as usize);
                group
                    .or_broken("the group of a rule")
                    .rules_mut(phase)
                    .push(rule);
            }
        }
        Some(Ruleset {
            defaults: self.defaults(),
            groups,
        })
    }

    fn rule_as_written(
        &self,
        record: &RuleRecord,
        fields: &[Field],
        tests: &[Test],
    ) -> Option<Rule> {
        let conditions = record.conditions.of(&self.index.conditions);
        let condition = |condition: &u32| {
            let predicate = (condition / 2) as usize;
            Some(Condition {
                field: fields.get(predicate)?.clone(),
                negated: condition % 2 == 1,
                test: tests.get(predicate)?.clone(),
            })
        };
        Some(Rule {
            name: self.text(record.name).to_owned(),
            description: self.text(record.description).to_owned(),
            action: record.action,
            conditions: conditions.iter().map(condition).collect::<Option<_>>()?,
        })
    }
}
