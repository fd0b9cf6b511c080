//! From words to the ruleset crate's types: keys, operators and values are checked here, and
//! values take their normal form.
//!
//! Everything that is wrong with a rule is reported; what remains is lowered nevertheless, so that
//! later stages can look at the rest. A ruleset with errors is never emitted.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use sallyport_ruleset::{Action, Condition, Field, Phase, Rule, Test, ValueList};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::ir;
use crate::limits::EXPANDED_VALUES_MAX;
use crate::operator::{Operator, Question};
use crate::source::{Located, Sources, Span};
use crate::suggest::did_you_mean;
use crate::validate::condition;
use crate::value::schedule::Schedules;
use crate::value::text::{Normalizer, TextForm};
use crate::value::{BadValue, address, date, number};

/// Lowers the rules of one ruleset.
#[derive(Debug)]
pub struct Lowering<'a> {
    sources: &'a Sources,
    lists: &'a [ir::List],
    normalizer: Normalizer,
    schedules: Schedules,
    /// Normal forms of whole lists: a list that many rules use is read once.
    text_lists: BTreeMap<(usize, TextForm), ValueList>,
    /// How many more values lists may be expanded to.
    values_left: usize,
}

/// A condition, and where each of its values was written.
#[derive(Debug)]
pub struct LoweredCondition {
    /// The condition itself.
    pub condition: Condition,
    /// For each value of the source in order, its place and how many values it stands for.
    pub origins: Vec<Origin>,
    /// Every value of the source was good: positions in `origins` are positions in the test.
    pub complete: bool,
}

/// Where values of a condition come from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The place in the rule.
    pub span: Span,
    /// The position of the list, if the value names one.
    pub list: Option<usize>,
    /// How many values there are.
    pub values_count: usize,
}

impl<'a> Lowering<'a> {
    /// Lowers rules that may use these lists.
    #[must_use]
    pub fn new(sources: &'a Sources, lists: &'a [ir::List]) -> Self {
        Self {
            sources,
            lists,
            normalizer: Normalizer::default(),
            schedules: Schedules::default(),
            text_lists: BTreeMap::new(),
            values_left: EXPANDED_VALUES_MAX,
        }
    }

    /// Lowers one rule; the second part tells where its conditions come from.
    pub fn rule(
        &mut self,
        rule: &ir::Rule,
        phase: Phase,
        diagnostics: &mut Diagnostics,
    ) -> (Rule, Vec<LoweredCondition>) {
        let conditions: Vec<LoweredCondition> = rule
            .conditions
            .iter()
            .filter_map(|condition| self.condition(condition, phase, diagnostics))
            .collect();
        let lowered = Rule {
            name: rule.name.value.clone(),
            description: rule.description.clone(),
            // A missing action was reported; the ruleset will not be emitted.
            action: rule.action.unwrap_or(Action::Deny),
            conditions: conditions
                .iter()
                .map(|lowered| lowered.condition.clone())
                .collect(),
        };
        (lowered, conditions)
    }

    fn condition(
        &mut self,
        condition: &ir::Condition,
        phase: Phase,
        diagnostics: &mut Diagnostics,
    ) -> Option<LoweredCondition> {
        let field = condition::field(&condition.key, phase, diagnostics);
        let operator = condition::operator(&condition.operator, field.as_ref(), diagnostics);
        let (field, operator) = (field?, operator?);
        let mut values = Values {
            lowering: self,
            diagnostics,
            origins: Vec::new(),
            bad: 0,
        };
        let test = values.test(&field, operator, condition)?;
        let (origins, bad) = (values.origins, values.bad);
        let whole = |origin: &Origin| {
            let list = origin.list.and_then(|list| self.lists.get(list));
            list.is_none_or(|list| list.entries.len() == origin.values_count)
        };
        let complete = bad == 0 && origins.iter().all(whole);
        let test = if operator.every {
            Test::Every(Box::new(test))
        } else {
            test
        };
        let condition = Condition {
            field,
            negated: operator.negated,
            test,
        };
        Some(LoweredCondition {
            condition,
            origins,
            complete,
        })
    }
}

/// Reads the values of one condition.
struct Values<'l, 'a, 'd> {
    lowering: &'l mut Lowering<'a>,
    diagnostics: &'d mut Diagnostics,
    origins: Vec<Origin>,
    bad: usize,
}

impl Values<'_, '_, '_> {
    fn test(&mut self, field: &Field, operator: Operator, source: &ir::Condition) -> Option<Test> {
        let max = number_max(field);
        Some(match operator.question {
            Question::Equals => Test::Exact {
                values: self.texts(field, operator, source),
                ignore_case: false,
            },
            Question::EqualsIgnoreCase => Test::Exact {
                values: self.texts(field, operator, source),
                ignore_case: true,
            },
            Question::Like => Test::Glob(self.texts(field, operator, source)),
            Question::Matches => Test::Regex(self.texts(field, operator, source)),
            Question::Domain => Test::Domain(self.texts(field, operator, source)),
            Question::Number(comparison) => Test::Number(number::merged(
                self.each(source, |_, text| number::compared(text, comparison, max)),
            )),
            Question::Between => Test::Number(number::merged(self.ranges(source, max))),
            Question::Ip => Test::Ip(self.each(source, |_, text| address::network(text))),
            Question::Date(comparison) => {
                Test::Time(self.each(source, |_, text| date::compared(text, comparison)))
            }
            Question::TimeOfDay => {
                Test::TimeOfDay(self.each(source, |schedules, text| schedules.parse(text)))
            }
            Question::Null => Test::Absent(self.null(source)?),
        })
    }

    /// Text values in the normal form of the field. A condition whose only value is a list shares
    /// it with all others like it.
    fn texts(&mut self, field: &Field, operator: Operator, source: &ir::Condition) -> ValueList {
        let form = TextForm::of(field, operator.question);
        if let [only] = source.values.as_slice()
            && let Some(list) = self.list(only)
        {
            let values = self.text_list(list, form);
            self.origins.push(Origin {
                span: only.span,
                list: Some(list),
                values_count: values.len(),
            });
            return values;
        }
        let mut texts: Vec<String> = Vec::new();
        for value in &source.values {
            let before = texts.len();
            let list = self.list(value);
            match (list, &value.value) {
                (Some(list), _) if self.may_expand(list, value.span) => {
                    texts.extend(self.text_list(list, form).iter().map(str::to_owned));
                }
                (Some(_), _) => {}
                (None, ir::Value::Text(text)) => {
                    let Some(text) = self.literal(text, value.span) else {
                        continue;
                    };
                    let applied = self
                        .lowering
                        .normalizer
                        .apply(form, text)
                        .map(str::to_owned);
                    texts.extend(self.good(applied, value.span));
                }
                (None, ir::Value::Bare(text)) => {
                    self.reject(
                        value.span,
                        BadValue::new(
                            Code::WrongType,
                            format!("found `{text}` without quotes"),
                            "a string",
                        )
                        .help(format!("write `\"{text}\"`")),
                    );
                }
                (None, ir::Value::Pair(..)) => self.reject(value.span, nested()),
            }
            let values_count = texts.len() - before;
            self.origins.push(Origin {
                span: value.span,
                list,
                values_count,
            });
        }
        texts.into_iter().collect()
    }

    fn text_list(&mut self, list: usize, form: TextForm) -> ValueList {
        if let Some(values) = self.lowering.text_lists.get(&(list, form)) {
            return values.clone();
        }
        let mut texts: Vec<String> = Vec::new();
        let Lowering {
            sources,
            lists,
            normalizer,
            ..
        } = &mut *self.lowering;
        for (text, span) in list_entries(sources, lists, list) {
            match normalizer.apply(form, text) {
                Ok(text) => texts.push(text.to_owned()),
                Err(bad) => self.diagnostics.report(at(span, bad)),
            }
        }
        let values: ValueList = texts.into_iter().collect();
        self.lowering
            .text_lists
            .insert((list, form), values.clone());
        values
    }

    /// Values that are not text: each is read by `read`, from lists too.
    fn each<T>(
        &mut self,
        source: &ir::Condition,
        read: impl Fn(&mut Schedules, &str) -> Result<T, BadValue>,
    ) -> Vec<T> {
        let mut out = Vec::new();
        for value in &source.values {
            let before = out.len();
            let list = self.list(value);
            match (list, &value.value) {
                (Some(list), _) if self.may_expand(list, value.span) => {
                    self.each_of_list(list, &read, &mut out);
                }
                (Some(_), _) => {}
                (None, ir::Value::Text(text)) => {
                    let Some(text) = self.literal(text, value.span) else {
                        continue;
                    };
                    let read = read(&mut self.lowering.schedules, text);
                    out.extend(self.good(read, value.span));
                }
                (None, ir::Value::Bare(text)) => {
                    let read = read(&mut self.lowering.schedules, text);
                    out.extend(self.good(read, value.span));
                }
                (None, ir::Value::Pair(..)) => self.reject(value.span, nested()),
            }
            self.origins.push(Origin {
                span: value.span,
                list,
                values_count: out.len() - before,
            });
        }
        out
    }

    fn each_of_list<T>(
        &mut self,
        list: usize,
        read: &impl Fn(&mut Schedules, &str) -> Result<T, BadValue>,
        out: &mut Vec<T>,
    ) {
        let (sources, lists) = (self.lowering.sources, self.lowering.lists);
        for (text, span) in list_entries(sources, lists, list) {
            let read = read(&mut self.lowering.schedules, text);
            out.extend(self.good(read, span));
        }
    }

    /// Ranges: `"a-b"`, `[a, b]`, or several of either. An array of just two numbers is one range.
    fn ranges(&mut self, source: &ir::Condition, max: u64) -> Vec<RangeInclusive<u64>> {
        if let [
            Located {
                value: ir::Value::Bare(from),
                span,
            },
            Located {
                value: ir::Value::Bare(to),
                ..
            },
        ] = source.values.as_slice()
        {
            return self
                .good(number::ends(from, to, max), *span)
                .into_iter()
                .collect();
        }
        let mut out = Vec::new();
        let mut rest = Vec::new();
        for value in &source.values {
            if let ir::Value::Pair(from, to) = &value.value {
                out.extend(self.good(number::ends(from, to, max), value.span));
            } else {
                rest.push(value.clone());
            }
        }
        let rest = ir::Condition {
            key: source.key.clone(),
            operator: source.operator.clone(),
            values: rest,
        };
        out.extend(self.each(&rest, |_, text| number::range(text, max)));
        out
    }

    fn null(&mut self, source: &ir::Condition) -> Option<bool> {
        let answer = match source.values.as_slice() {
            [
                Located {
                    value: ir::Value::Bare(word) | ir::Value::Text(word),
                    ..
                },
            ] => word.parse().ok(),
            _ => None,
        };
        if answer.is_none() {
            let span = source
                .values
                .first()
                .map_or(source.operator.span, |value| value.span);
            self.reject(
                span,
                BadValue::new(
                    Code::BadNull,
                    "`Null` asks one yes-or-no question",
                    "`true` (the field is absent) or `false` (it is there)",
                ),
            );
        }
        answer
    }

    /// The position of the list that a value names; an unknown name is reported.
    fn list(&mut self, value: &Located<ir::Value>) -> Option<usize> {
        let ir::Value::Text(text) = &value.value else {
            return None;
        };
        let name = text
            .strip_prefix('@')
            .filter(|name| !name.starts_with('@'))?;
        self.lowering
            .lists
            .iter()
            .position(|list| list.name.value == name)
    }

    /// Whether a list may be expanded once more; reported if not.
    fn may_expand(&mut self, list: usize, span: Span) -> bool {
        let count = self
            .lowering
            .lists
            .get(list)
            .map_or(0, |list| list.entries.len());
        let left = self.lowering.values_left.checked_sub(count);
        self.lowering.values_left = left.unwrap_or(0);
        if left.is_none() {
            let expected =
                format!("at most {EXPANDED_VALUES_MAX} values from lists in all conditions");
            self.reject(
                span,
                BadValue::new(
                    Code::TooManyListValues,
                    "this list is used too often",
                    expected,
                ),
            );
        }
        left.is_some()
    }

    /// The text that a value stands for: `@@` is how a literal `@` at the start is written.
    fn literal<'t>(&mut self, text: &'t str, span: Span) -> Option<&'t str> {
        let Some(name) = text.strip_prefix('@') else {
            return Some(text);
        };
        if name.starts_with('@') {
            return Some(name);
        }
        let known = self
            .lowering
            .lists
            .iter()
            .map(|list| list.name.value.as_str());
        let mut bad = BadValue::new(
            Code::UnknownList,
            format!("unknown list `{name}`"),
            "a name from `[lists]` of the ruleset file, or `@@` for a text that begins with `@`",
        );
        bad.help = did_you_mean(name, known);
        self.reject(span, bad);
        None
    }

    fn good<T>(&mut self, value: Result<T, BadValue>, span: Span) -> Option<T> {
        value.map_err(|bad| self.reject(span, bad)).ok()
    }

    fn reject(&mut self, span: Span, bad: BadValue) {
        self.bad += 1;
        self.diagnostics.report(at(span, bad));
    }
}

fn at(span: Span, bad: BadValue) -> Diagnostic {
    Diagnostic::new(bad.code, span, bad.message)
        .expected(bad.expected)
        .help_if(bad.help)
}

fn nested() -> BadValue {
    BadValue::new(
        Code::WrongType,
        "found an array inside the array of values",
        "one flat array of values",
    )
    .help("only `NumericBetween` takes pairs")
}

fn list_entries<'a>(
    sources: &'a Sources,
    lists: &'a [ir::List],
    list: usize,
) -> impl Iterator<Item = (&'a str, Span)> {
    let list = lists
        .get(list)
        .and_then(|list| list.file.map(|file| (file, &list.entries)));
    list.into_iter().flat_map(move |(file, entries)| {
        let text = sources.text(file);
        entries.iter().map(move |range| {
            (
                text.get(range.clone()).unwrap_or(""),
                Span::new(file, range.clone()),
            )
        })
    })
}

/// The largest number that the field can have.
#[must_use]
pub fn number_max(field: &Field) -> u64 {
    match field {
        Field::SourcePort | Field::DestinationPort => u64::from(u16::MAX),
        Field::ResponseStatusCode => 999,
        _ => u64::MAX,
    }
}
