//! Conditions that compile but may not do what their author wants. Warnings only.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use foldhash::fast::FixedState;
use sallyport_ruleset::{Action, Condition, Field, FieldType, Test, ValueList};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, counted};
use crate::ir;
use crate::limits::COVERED_VALUES_MAX;
use crate::lower::LoweredCondition;
use crate::source::{Sources, Span};
use crate::validate::condition::is_http;
use crate::validate::{method, query};
use crate::value::address;

/// So many values of a list are looked through for what a query can meet.
const QUERIED_VALUES_MAX: usize = 200;

/// Looks for doubtful conditions; remembers which lists it has looked through.
#[derive(Debug)]
pub struct Lints<'a> {
    sources: &'a Sources,
    lists: &'a [ir::List],
    tls_passthrough: bool,
    lists_seen: BTreeSet<usize>,
    /// How many more values are examined for being covered.
    values_left: usize,
}

impl<'a> Lints<'a> {
    /// For the conditions of one ruleset; `tls_passthrough`: the engine will not decrypt TLS.
    #[must_use]
    pub const fn new(sources: &'a Sources, lists: &'a [ir::List], tls_passthrough: bool) -> Self {
        Self {
            sources,
            lists,
            tls_passthrough,
            lists_seen: BTreeSet::new(),
            values_left: COVERED_VALUES_MAX,
        }
    }

    /// Warns of lists that hold no value.
    pub fn lists(&self, diagnostics: &mut Diagnostics) {
        for list in self
            .lists
            .iter()
            .filter(|list| list.file.is_some() && list.entries.is_empty())
        {
            let message = format!("the list `{}` has no entry", list.name.value);
            diagnostics.report(
                Diagnostic::new(Code::EmptyList, list.name.span, message)
                    .help("a condition on it alone never holds; a negated one always does"),
            );
        }
    }

    /// Warns of what is doubtful in one rule; `lowered` are its conditions that could be lowered.
    pub fn rule(
        &mut self,
        rule: &ir::Rule,
        lowered: &[LoweredCondition],
        diagnostics: &mut Diagnostics,
    ) {
        if self.tls_passthrough {
            unseen_in_tunnels(rule, diagnostics);
        }
        for condition in lowered {
            matches_everything(condition, diagnostics);
            careless_suffix(condition, self.sources, diagnostics);
            method::odd(condition, diagnostics);
            if condition.complete {
                self.covered_values(condition, diagnostics);
            }
            if rule.action == Some(Action::Allow) && !condition.condition.negated
                || rule.action == Some(Action::Deny) && condition.condition.negated
            {
                query_can_match(condition, diagnostics);
            }
        }
        if rule.action == Some(Action::Deny) {
            negated_over_absent(rule, lowered, diagnostics);
        }
    }

    fn covered_values(&mut self, condition: &LoweredCondition, diagnostics: &mut Diagnostics) {
        let only_list = match condition.origins.as_slice() {
            [origin] => origin.list,
            _ => None,
        };
        if only_list.is_some_and(|list| !self.lists_seen.insert(list)) {
            return;
        }
        let values_count: usize = condition
            .origins
            .iter()
            .map(|origin| origin.values_count)
            .sum();
        let Some(left) = self.values_left.checked_sub(values_count) else {
            return;
        };
        self.values_left = left;
        let pairs = match plain(&condition.condition.test) {
            Test::Domain(values) => covered_domains(values),
            Test::Exact { values, .. } | Test::Glob(values) | Test::Regex(values) => {
                repeated(values.iter())
            }
            Test::Ip(networks) => address::covered(networks),
            // Numbers and times are merged into ranges; several values there are rarely a slip.
            Test::Number(_)
            | Test::Time(_)
            | Test::TimeOfDay(_)
            | Test::Absent(_)
            | Test::Every(_) => Vec::new(),
        };
        self.report_covered(condition, &pairs, diagnostics);
    }

    fn report_covered(
        &self,
        condition: &LoweredCondition,
        pairs: &[(usize, usize)],
        diagnostics: &mut Diagnostics,
    ) {
        let mut in_lists: HashMap<usize, (usize, usize, usize)> = HashMap::new();
        for (covered, by) in pairs {
            let Some((list, span)) = self.place(condition, *covered) else {
                continue;
            };
            if let Some(list) = list {
                in_lists.entry(list).or_insert((0, *covered, *by)).0 += 1;
                continue;
            }
            let mut warning = Diagnostic::new(
                Code::CoveredValue,
                span,
                self.covered_message(condition, *covered, *by),
            )
            .help("remove one of them");
            if let Some((_, other)) = self.place(condition, *by) {
                warning = warning.related(other, "it is covered");
            }
            diagnostics.report(warning);
        }
        for (count, covered, by) in in_lists.into_values() {
            let Some((_, span)) = self.place(condition, covered) else {
                continue;
            };
            let mut message = self.covered_message(condition, covered, by);
            if count > 1 {
                message.push_str(&format!(", and {} more like it in this list", count - 1));
            }
            diagnostics.report(
                Diagnostic::new(Code::CoveredValue, span, message)
                    .help(format!("{} can be removed", counted(count, "line"))),
            );
        }
    }

    fn covered_message(&self, condition: &LoweredCondition, covered: usize, by: usize) -> String {
        let shown = |at| {
            self.place(condition, at)
                .map_or("", |(_, span)| unquoted(self.sources.snippet(span)))
        };
        let (covered, by) = (shown(covered), shown(by));
        if covered == by {
            format!("the value `{covered}` occurs twice")
        } else {
            format!("the value `{covered}` is covered by `{by}`")
        }
    }

    /// Where the value at a position of the test was written.
    fn place(
        &self,
        condition: &LoweredCondition,
        position: usize,
    ) -> Option<(Option<usize>, Span)> {
        let mut first = 0;
        for origin in &condition.origins {
            if position < first + origin.values_count {
                let Some(list) = origin.list else {
                    return Some((None, origin.span));
                };
                let source = self.lists.get(list)?;
                let range = source.entries.get(position - first)?.clone();
                return Some((Some(list), Span::new(source.file?, range)));
            }
            first += origin.values_count;
        }
        None
    }
}

fn unquoted(text: &str) -> &str {
    text.trim_matches(['"', '\''])
}

fn unseen_in_tunnels(rule: &ir::Rule, diagnostics: &mut Diagnostics) {
    for condition in &rule.conditions {
        if Field::parse(&condition.key.value).is_some_and(|field| is_http(&field)) {
            let message = format!(
                "`{}` is not seen inside TLS with `--tls passthrough`",
                condition.key.value
            );
            diagnostics.report(
                Diagnostic::new(Code::UnseenInTunnel, condition.key.span, message)
                    .help("the rule works for plain HTTP only; for TLS use `request:DestinationDomain` or `request:TlsSni`"),
            );
        }
    }
}

fn matches_everything(condition: &LoweredCondition, diagnostics: &mut Diagnostics) {
    let every = |position: usize| match plain(&condition.condition.test) {
        Test::Glob(values) => values
            .get(position)
            .is_some_and(|glob| !glob.is_empty() && glob.bytes().all(|b| b == b'*')),
        Test::Regex(values) => values.get(position).is_some_and(|regex| {
            matches!(
                regex,
                "" | ".*" | "^" | "$" | "^.*" | ".*$" | "^.*$" | "(?s).*" | ".*?"
            )
        }),
        _ => false,
    };
    let mut position = 0;
    for origin in &condition.origins {
        let range = position..position + origin.values_count;
        position = range.end;
        if !range.into_iter().any(every) {
            continue;
        }
        let field = &condition.condition.field;
        let always = if condition.condition.negated {
            "excludes"
        } else {
            "matches"
        };
        diagnostics.report(
            Diagnostic::new(
                Code::MatchesEverything,
                origin.span,
                format!("this {always} every value of `{field}`"),
            )
            .help("to ask whether the field is there, use `Null = false`"),
        );
    }
}

/// `*facebook.com` is meant to say "facebook.com and what is under it".
fn careless_suffix(condition: &LoweredCondition, sources: &Sources, diagnostics: &mut Diagnostics) {
    let Test::Glob(values) = plain(&condition.condition.test) else {
        return;
    };
    if condition.condition.field.field_type() != FieldType::Domain {
        return;
    }
    let mut position = 0;
    for origin in &condition.origins {
        let range = position..position + origin.values_count;
        position = range.end;
        for glob in range.filter_map(|position| values.get(position)) {
            let Some(suffix) = glob.strip_prefix('*') else {
                continue;
            };
            let is_name = suffix.starts_with(|c: char| c.is_ascii_alphanumeric())
                && suffix.contains('.')
                && !suffix.contains(['*', '?']);
            if is_name {
                let shown = if origin.list.is_some() {
                    glob
                } else {
                    unquoted(sources.snippet(origin.span))
                };
                diagnostics.report(
                    Diagnostic::new(
                        Code::LooseSuffix,
                        origin.span,
                        format!("`{shown}` also matches `not{suffix}`"),
                    )
                    .help(format!(
                        "`DomainMatch = \"{suffix}\"` matches the name and all names under it"
                    )),
                );
            }
        }
    }
}

/// What lets requests pass by a pattern for their path must not be met by what a client puts into a query.
fn query_can_match(condition: &LoweredCondition, diagnostics: &mut Diagnostics) {
    if condition.condition.field != Field::HttpUri {
        return;
    }
    let (values, witness): (_, fn(&str) -> Option<String>) = match plain(&condition.condition.test)
    {
        Test::Glob(values) => (values, query::witness_of_glob),
        Test::Regex(values) => (values, query::witness_of_regex),
        _ => return,
    };
    let mut position = 0;
    for origin in &condition.origins {
        let range = position..position + origin.values_count;
        position = range.end;
        let mut values = range
            .filter_map(|position| values.get(position))
            .take(QUERIED_VALUES_MAX);
        // A pattern that names a query is meant to be met by one.
        let found = values.find_map(|value| {
            let names_query = value.contains(r"\?") || value.contains("[?");
            Some((value, (!names_query).then(|| witness(value)).flatten()?))
        });
        if let Some((value, met)) = found {
            let message =
                format!("`{value}` lets `{met}` pass, whatever the path is before the `?`");
            diagnostics.report(
                Diagnostic::new(Code::QueryCanMatch, origin.span, message).help(
                    "patterns see path and query; `StringMatches` with `[^?]` for what may stand in the path does not reach into the query",
                ),
            );
        }
    }
}

/// A negated condition holds for an absent field, and a deny rule may then deny more than meant.
fn negated_over_absent(
    rule: &ir::Rule,
    lowered: &[LoweredCondition],
    diagnostics: &mut Diagnostics,
) {
    for (at, LoweredCondition { condition, .. }) in lowered.iter().enumerate() {
        let says_present = |other: &LoweredCondition| {
            other.condition.field == condition.field && !holds_if_absent(&other.condition)
        };
        if matches!(condition.test, Test::Absent(_))
            || !holds_if_absent(condition)
            || !may_be_absent(&condition.field)
            || lowered.iter().any(says_present)
        {
            continue;
        }
        // Only conditions that could not be lowered are missing from `lowered`.
        let span = lowered
            .get(at)
            .and_then(|it| it.origins.first())
            .map_or(rule.name.span, |o| o.span);
        let message = format!(
            "this deny rule also denies where `{}` is absent",
            condition.field
        );
        diagnostics.report(Diagnostic::new(Code::DeniesAbsent, span, message).help(
            "add `Null = false` for the same key; if absence is to be denied too, say so in a rule of its own with `Null = true`",
        ));
    }
}

/// Whether the condition holds for a field that is not there.
const fn holds_if_absent(condition: &Condition) -> bool {
    let answer = matches!(condition.test, Test::Absent(true) | Test::Every(_));
    answer != condition.negated
}

/// The test that is asked of single values.
fn plain(test: &Test) -> &Test {
    match test {
        Test::Every(test) => test,
        test => test,
    }
}

const fn may_be_absent(field: &Field) -> bool {
    !matches!(
        field,
        Field::SourceIp
            | Field::SourcePort
            | Field::Time
            | Field::Protocol
            | Field::DestinationHost
            | Field::Authority
            | Field::DestinationPort
            | Field::DestinationIp
            | Field::Url
            | Field::ResponseStatusCode
    )
}

/// Positions of values that occurred before, with the position of the first occurrence.
fn repeated<T: Hash + Eq>(values: impl Iterator<Item = T>) -> Vec<(usize, usize)> {
    let mut first: HashMap<T, usize, FixedState> = HashMap::default();
    let mut pairs = Vec::new();
    for (position, value) in values.enumerate() {
        let first = *first.entry(value).or_insert(position);
        if first != position {
            pairs.push((position, first));
        }
    }
    pairs
}

fn covered_domains(values: &ValueList) -> Vec<(usize, usize)> {
    let mut first: HashMap<&str, usize, FixedState> = HashMap::default();
    for (position, value) in values.iter().enumerate() {
        first.entry(value).or_insert(position);
    }
    let mut pairs = Vec::new();
    for (position, value) in values.iter().enumerate() {
        let parents =
            std::iter::successors(Some(value), |name| name.split_once('.').map(|(_, up)| up));
        let widest = parents.filter_map(|name| first.get(name)).last();
        if let Some(by) = widest.filter(|by| **by != position) {
            pairs.push((position, *by));
        }
    }
    pairs
}
