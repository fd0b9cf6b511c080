//! Bundles whose hashes fit and whose content nobody compiled: for each check of `validate.rs` one that
//! is just good enough, where there is such a thing, and one that is one step worse.

use super::write::Written;
use super::{BuildRecord, Bundle, BundleError, Unreachable};
use crate::generate;
use crate::index::build::Built;
use crate::index::record::*;
use crate::{
    Action, Condition, Field, FieldType, Phase, Ruleset, Test, TimeZoneOffsets, Weekdays,
    WeeklySchedule,
};

/// Something in every table.
fn ruleset() -> Ruleset {
    let on = |field, test| Condition {
        field,
        negated: false,
        test,
    };
    let values = |values: &[&str]| values.iter().collect();
    let domains = Test::Domain(values(&["a.com", "b.org"]));
    let mut ruleset = generate::single_rule(vec![on(Field::DestinationDomain, domains)]);
    let schedule = WeeklySchedule {
        days: Weekdays::ALL,
        from_second: 0,
        to_second: 3600,
        zone: TimeZoneOffsets {
            name: "Test/Zone".into(),
            first_offset_seconds: 0,
            transitions: vec![(0, 3600), (100, 7200)],
        }
        .into(),
    };
    let folded = Test::Exact {
        values: values(&["Curl", "wget"]),
        ignore_case: true,
    };
    let conditions = [
        on(
            Field::HttpUri,
            Test::Glob(values(&["*/secret/*", "*/other/*"])),
        ),
        on(Field::HttpMethod, Test::Regex(values(&["^[A-Z]$"]))),
        on(Field::HttpUserAgent, folded),
        on(Field::HttpUserAgent, Test::Regex(values(&["needle[0-9]"]))),
        on(
            Field::HttpHost,
            Test::Regex(
                (0..16)
                    .map(|n| format!("[ab]/shop/n{n:02}x"))
                    .collect::<Vec<_>>()
                    .iter()
                    .collect(),
            ),
        ),
        on(
            Field::SourceIp,
            Test::Ip(vec![
                "10.0.0.0/8".parse().unwrap(),
                "fd00::/8".parse().unwrap(),
            ]),
        ),
        on(Field::DestinationPort, Test::Number(vec![80..=443])),
        on(Field::Protocol, Test::Glob(values(&["h*"]))),
        on(Field::RequestHeader("x-a".into()), Test::Absent(true)),
        on(Field::RequestHeader("x-a".into()), Test::Absent(false)),
        on(Field::Time, Test::TimeOfDay(vec![schedule])),
    ];
    let letters = ["aa", "ab", "ac", "ba", "bb", "bc", "ca", "cb", "cc"];
    let shapes = letters
        .iter()
        .flat_map(|one| letters.map(|two| format!("*{one}?{two}*{one}")))
        .collect::<Vec<_>>();
    let shapes = on(Field::HttpHost, Test::Glob(shapes.iter().collect()));
    let group = ruleset.groups.first_mut().unwrap();
    for (number, condition) in conditions.into_iter().chain([shapes]).enumerate() {
        let mut rule = group.rules(Phase::PreDns)[0].clone();
        rule.name = format!("rule-{number}");
        rule.action = Action::Alert;
        rule.conditions = vec![condition];
        let phase = [Phase::PreRequest, Phase::PostResponse][number % 2];
        if number < 8 {
            group.rules_mut(phase).push(rule.clone());
        }
        group.rules_mut(Phase::PreRequest).push(rule);
    }
    ruleset
}

/// What loading says to a bundle that was changed.
fn load(change: impl FnOnce(&mut Built)) -> Result<(), BundleError> {
    let mut written =
        Written::new(&ruleset(), &Unreachable::default(), &BuildRecord::default()).unwrap();
    change(&mut written.built);
    Bundle::load(written.join()).map(drop)
}

/// A change of one table, by what it must be refused as; `None`: it must load.
pub(super) type Forgery = (&'static str, Option<&'static str>, fn(&mut Built));

pub(super) fn check(forgeries: &[Forgery]) {
    load(|_| ()).unwrap();
    for (what, refused_as, change) in forgeries {
        let expected = match refused_as {
            Some(table) => Err(BundleError::Inconsistent { what: table }),
            None => Ok(()),
        };
        assert_eq!(load(change), expected, "{what}");
    }
}

pub(super) fn count<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap()
}

/// The last byte of the strings, and one more.
pub(super) fn beyond(built: &Built) -> Span {
    Span {
        start: count(&built.strings) - 1,
        len: 2,
    }
}

/// Nothing, where the strings end.
pub(super) fn at_end(built: &Built) -> Span {
    Span {
        start: count(&built.strings),
        len: 0,
    }
}

/// A string that is no text.
fn no_text(built: &mut Built) -> Span {
    let span = Span {
        start: count(&built.strings),
        len: 1,
    };
    built.strings.push(0xff);
    span
}

/// A list of one item.
pub(super) fn list_of(built: &mut Built, item: u32) -> u32 {
    let list = count(&built.index.lists);
    built.index.lists.extend([1, item]);
    list
}

/// A list of the first number that is no predicate.
pub(super) fn no_predicates(built: &mut Built) -> u32 {
    let item = count(&built.index.predicates);
    list_of(built, item)
}

/// A list of the last predicate.
pub(super) fn predicates(built: &mut Built) -> u32 {
    let item = count(&built.index.predicates) - 1;
    list_of(built, item)
}

/// The field that is looked up in texts, trees or words.
fn field(built: &mut Built, is_it: fn(&FieldIndex) -> bool) -> &mut FieldRecord {
    let mut fields = built.index.fields.iter_mut();
    fields.find(|field| is_it(&field.index)).unwrap()
}

fn text_field(built: &mut Built) -> &mut FieldRecord {
    field(built, |index| matches!(index, FieldIndex::Text { .. }))
}

fn tree_field(built: &mut Built) -> &mut FieldRecord {
    field(built, |index| matches!(index, FieldIndex::Tree { .. }))
}

/// A predicate of a field of some type.
fn of_type(built: &mut Built, field_type: FieldType) -> &mut PredicateRecord {
    let fields = &built.index.fields;
    let is_of_type =
        |one: &&mut PredicateRecord| fields[one.field as usize].source.field_type() == field_type;
    built.index.predicates.iter_mut().find(is_of_type).unwrap()
}

fn protocol_field(built: &mut Built) -> &mut FieldRecord {
    field(built, |index| matches!(index, FieldIndex::Protocol { .. }))
}

#[test]
fn rules() {
    const RULES: Option<&str> = Some("rules");
    check(&[
        ("a gap between phases", RULES, |b| {
            b.index.phases[1].start += 1
        }),
        ("phases that overlap", RULES, |b| {
            b.index.phases[1].start -= 1
        }),
        ("a rule of no phase", RULES, |b| b.index.phases[2].len -= 1),
        ("a phase beyond the rules", RULES, |b| {
            b.index.phases[2].len += 1
        }),
        ("the name of a group at the end", None, |b| {
            b.index.groups[0].name = at_end(b)
        }),
        ("the name of a group beyond", RULES, |b| {
            b.index.groups[0].name = beyond(b)
        }),
        ("the name of a group no text", RULES, |b| {
            b.index.groups[0].name = no_text(b)
        }),
        ("the last condition", None, |b| {
            b.index.conditions[0] = count(&b.index.predicates) * 2 - 1
        }),
        ("a condition beyond", RULES, |b| {
            b.index.conditions[0] = count(&b.index.predicates) * 2
        }),
        ("a group beyond", RULES, |b| {
            b.index.rules[0].group = count(&b.index.groups)
        }),
        ("the name of a rule at the end", None, |b| {
            b.index.rules[0].name = at_end(b)
        }),
        ("the name of a rule beyond", RULES, |b| {
            b.index.rules[0].name = beyond(b)
        }),
        ("the name of a rule no text", RULES, |b| {
            b.index.rules[0].name = no_text(b)
        }),
        ("a description beyond", RULES, |b| {
            b.index.rules[0].description = beyond(b)
        }),
        ("a description no text", RULES, |b| {
            b.index.rules[0].description = no_text(b)
        }),
        ("conditions to the end", None, |b| {
            b.index.rules[0].conditions = Span {
                start: count(&b.index.conditions) - 1,
                len: 1,
            };
        }),
        ("conditions beyond", RULES, |b| {
            b.index.rules[0].conditions = Span {
                start: count(&b.index.conditions) - 1,
                len: 2,
            };
        }),
    ]);
}

#[test]
fn predicates_of_fields() {
    const PREDICATES: Option<&str> = Some("predicates");
    check(&[
        ("a field beyond", PREDICATES, |b| {
            b.index.predicates[0].field = count(&b.index.fields);
        }),
        ("the last field", None, |b| {
            b.index.predicates[0].field = count(&b.index.fields) - 1
        }),
        ("values at the end", None, |b| {
            b.index.predicates[0].values = at_end(b)
        }),
        ("values beyond", PREDICATES, |b| {
            b.index.predicates[0].values = beyond(b)
        }),
        ("values no text", PREDICATES, |b| {
            b.index.predicates[0].values = no_text(b)
        }),
        ("residuals to the end", None, |b| {
            let last = count(&b.index.residuals) - 1;
            of_type(b, FieldType::Time).residuals = Span {
                start: last,
                len: 1,
            };
        }),
        ("a schedule for a text", PREDICATES, |b| {
            let schedules = of_type(b, FieldType::Time).residuals;
            of_type(b, FieldType::String).residuals = schedules;
        }),
        ("a pattern for a time", PREDICATES, |b| {
            let is_pattern = |one: &ResidualRecord| !matches!(one, ResidualRecord::Schedule(_));
            let at = b.index.residuals.iter().position(is_pattern).unwrap();
            let start = u32::try_from(at).unwrap();
            of_type(b, FieldType::Time).residuals = Span { start, len: 1 };
        }),
        ("a test on demand for an address", PREDICATES, |b| {
            of_type(b, FieldType::Ip).residuals = Span { start: 0, len: 1 };
        }),
        ("residuals beyond", PREDICATES, |b| {
            b.index.predicates[0].residuals = Span {
                start: count(&b.index.residuals) - 1,
                len: 2,
            };
        }),
    ]);
}

#[test]
fn fields() {
    const FIELDS: Option<&str> = Some("fields");
    check(&[
        ("the last view", None, |b| {
            let last = count(&b.index.views);
            text_field(b).index = FieldIndex::Text {
                short: last,
                full: last,
            };
        }),
        ("a view of short forms beyond", FIELDS, |b| {
            let past = count(&b.index.views) + 1;
            text_field(b).index = FieldIndex::Text {
                short: past,
                full: 0,
            };
        }),
        ("a view of full forms beyond", FIELDS, |b| {
            let past = count(&b.index.views) + 1;
            text_field(b).index = FieldIndex::Text {
                short: 0,
                full: past,
            };
        }),
        ("the last tree", None, |b| {
            let last = count(&b.index.trees);
            tree_field(b).index = FieldIndex::Tree {
                first: last,
                v6: last,
            };
        }),
        ("a tree beyond", FIELDS, |b| {
            let past = count(&b.index.trees) + 1;
            tree_field(b).index = FieldIndex::Tree { first: past, v6: 0 };
        }),
        ("a tree of IPv6 beyond", FIELDS, |b| {
            let past = count(&b.index.trees) + 1;
            tree_field(b).index = FieldIndex::Tree { first: 0, v6: past };
        }),
        ("the last nodes of words", None, |b| {
            let last = count(&b.index.nodes) - 7 + 1;
            protocol_field(b).index = FieldIndex::Protocol { nodes: last };
        }),
        ("nodes of words beyond", FIELDS, |b| {
            let past = count(&b.index.nodes) - 7 + 2;
            protocol_field(b).index = FieldIndex::Protocol { nodes: past };
        }),
        ("no nodes of words", FIELDS, |b| {
            protocol_field(b).index = FieldIndex::Protocol { nodes: 0 };
        }),
        ("a text in trees", FIELDS, |b| {
            text_field(b).index = FieldIndex::Tree { first: 0, v6: 0 };
        }),
        ("an address among texts", FIELDS, |b| {
            tree_field(b).index = FieldIndex::Text { short: 0, full: 0 };
        }),
        ("words of a protocol among texts", FIELDS, |b| {
            protocol_field(b).index = FieldIndex::Text { short: 0, full: 0 };
        }),
        ("a field that comes twice", FIELDS, |b| {
            let again = *text_field(b);
            b.index.fields.push(again);
        }),
    ]);
}

#[test]
fn what_fields_say() {
    const FIELDS: Option<&str> = Some("fields");
    check(&[
        ("a header at the end", None, |b| {
            b.index.fields[0].header = at_end(b)
        }),
        ("a header beyond", FIELDS, |b| {
            b.index.fields[0].header = beyond(b)
        }),
        ("a header no text", FIELDS, |b| {
            b.index.fields[0].header = no_text(b)
        }),
        ("the last predicate if absent", None, |b| {
            b.index.fields[0].absent = predicates(b)
        }),
        ("a predicate beyond if absent", FIELDS, |b| {
            b.index.fields[0].absent = no_predicates(b)
        }),
        ("a predicate beyond if present", FIELDS, |b| {
            b.index.fields[0].present = no_predicates(b)
        }),
        ("no list", FIELDS, |b| {
            b.index.fields[0].absent = predicates(b) + 1
        }),
        ("a list beyond", FIELDS, |b| {
            b.index.fields[0].present = count(&b.index.lists)
        }),
    ]);
}

#[test]
fn views() {
    const FIELDS: Option<&str> = Some("fields");
    check(&[
        ("needles that overlap", FIELDS, |b| {
            let views = &mut b.index.views;
            let view = views
                .iter_mut()
                .rfind(|view| view.needles.start > 0)
                .unwrap();
            view.needles.start -= 1;
        }),
        ("a gap between needles", FIELDS, |b| {
            b.index.views[0].needles.start += 1
        }),
        ("needles beyond", FIELDS, |b| {
            b.index.views.last_mut().unwrap().needles.len += 1
        }),
        ("the last table", None, |b| {
            b.index.views[0].table = count(&b.index.tables)
        }),
        ("a table beyond", FIELDS, |b| {
            b.index.views[0].table = count(&b.index.tables) + 1
        }),
        ("the last folded table", None, |b| {
            b.index.views[0].folded = count(&b.index.tables)
        }),
        ("a folded table beyond", FIELDS, |b| {
            b.index.views[0].folded = count(&b.index.tables) + 1
        }),
    ]);
}

/// The place of the first word of a slot that is in use.
fn used_slot(built: &Built) -> usize {
    let mut slots = built.slots.chunks(4);
    slots.position(|slot| slot[3] != 0).unwrap() * 4
}

#[test]
fn tables() {
    const TABLES: Option<&str> = Some("tables");
    check(&[
        ("a gap before the slots", TABLES, |b| {
            b.index.tables[0].slots.start += 1
        }),
        ("slots that are shared", TABLES, |b| {
            b.index.tables[1].slots.start = 0
        }),
        ("slots beyond", TABLES, |b| {
            b.index.tables.last_mut().unwrap().slots.len *= 2
        }),
        ("a number of slots that is no power of two", TABLES, |b| {
            b.index.tables.last_mut().unwrap().slots.len -= 1;
        }),
        ("no slots", TABLES, |b| {
            b.index.tables.last_mut().unwrap().slots.len = 0
        }),
        ("no slot that is empty", TABLES, |b| {
            let used = used_slot(b);
            let slot = b.slots[used..used + 4].to_vec();
            let first = b.index.tables[0].slots.len as usize;
            b.slots[..first * 4]
                .chunks_mut(4)
                .for_each(|to| to.copy_from_slice(&slot));
        }),
        ("one slot that is empty", None, |b| {
            let used = used_slot(b);
            let slot = b.slots[used..used + 4].to_vec();
            let first = b.index.tables[0].slots.len as usize;
            b.slots[4..first * 4]
                .chunks_mut(4)
                .for_each(|to| to.copy_from_slice(&slot));
            b.slots[..4].fill(0);
        }),
        ("the last predicate of a whole value", None, |b| {
            b.index.meanings[0].whole = predicates(b)
        }),
        ("a predicate beyond of a whole value", TABLES, |b| {
            b.index.meanings[0].whole = no_predicates(b);
        }),
        ("a predicate beyond of names below", TABLES, |b| {
            b.index.meanings[0].below = no_predicates(b);
        }),
        ("a key to the end", None, |b| {
            let (slot, end) = (used_slot(b), at_end(b));
            (b.slots[slot + 1], b.slots[slot + 2]) = (end.start, end.len);
        }),
        ("a key beyond", TABLES, |b| {
            let (slot, beyond) = (used_slot(b), beyond(b));
            (b.slots[slot + 1], b.slots[slot + 2]) = (beyond.start, beyond.len);
        }),
        ("the last meaning", None, |b| {
            let slot = used_slot(b);
            b.slots[slot + 3] = count(&b.index.meanings);
        }),
        ("a meaning beyond", TABLES, |b| {
            let slot = used_slot(b);
            b.slots[slot + 3] = count(&b.index.meanings) + 1;
        }),
    ]);
}

/// A tree with at least two bounds.
fn tall_tree(built: &Built) -> TreeRecord {
    let mut trees = built.index.trees.iter();
    *trees.find(|tree| tree.bounds.len >= 2).unwrap()
}

#[test]
fn trees() {
    const TREES: Option<&str> = Some("trees");
    check(&[
        ("a gap between bounds", TREES, |b| {
            b.index.trees[0].bounds.start += 1
        }),
        ("bounds that are shared", TREES, |b| {
            b.index.trees[1].bounds.start = 0
        }),
        ("bounds beyond", TREES, |b| {
            let tree = b.index.trees.last_mut().unwrap();
            tree.bounds.len += 1;
            tree.nodes.len += 2;
            tree.nodes.start = 0;
        }),
        ("nodes to the end", None, |b| {
            let end = count(&b.index.nodes);
            let tree = &mut b.index.trees[0];
            tree.nodes.start = end - tree.nodes.len;
        }),
        ("nodes beyond", TREES, |b| {
            let end = count(&b.index.nodes);
            let tree = &mut b.index.trees[0];
            tree.nodes.start = end - tree.nodes.len + 1;
        }),
        ("a node too few", TREES, |b| b.index.trees[0].nodes.len -= 1),
        ("a node too many", TREES, |b| {
            b.index.trees[0].nodes.start = 0;
            b.index.trees[0].nodes.len += 1;
        }),
        ("bounds that are equal", TREES, |b| {
            let start = tall_tree(b).bounds.start as usize;
            b.index.bounds[start + 1] = b.index.bounds[start];
        }),
        ("bounds one after the other", None, |b| {
            let tree = tall_tree(b).bounds;
            let first = b.index.bounds[tree.start as usize];
            for (step, place) in (0..).zip(tree.range()) {
                b.index.bounds[place] = first + step;
            }
        }),
        ("a predicate beyond", TREES, |b| {
            b.index.nodes[0] = no_predicates(b)
        }),
        ("the last predicate", None, |b| {
            b.index.nodes[0] = predicates(b)
        }),
    ]);
}

#[test]
fn schedules() {
    const SCHEDULES: Option<&str> = Some("schedules");
    check(&[
        ("a zone beyond", SCHEDULES, |b| {
            b.index.schedules[0].zone = count(&b.index.zones)
        }),
        ("all days", None, |b| b.index.schedules[0].days = 0x7f),
        ("an eighth day", SCHEDULES, |b| {
            b.index.schedules[0].days = 0x80
        }),
        ("transitions to the end", None, |b| {
            b.index.zones[0].transitions = Span {
                start: count(&b.index.transitions) - 1,
                len: 1,
            };
        }),
        ("transitions beyond", SCHEDULES, |b| {
            b.index.zones[0].transitions = Span {
                start: count(&b.index.transitions) - 1,
                len: 2,
            };
        }),
    ]);
}

#[test]
fn access() {
    const ACCESS: Option<&str> = Some("access");
    check(&[
        ("the same twice", ACCESS, |b| {
            let again = b.index.access[0];
            b.index.access.insert(0, again);
        }),
        ("out of order", ACCESS, |b| b.index.access.swap(0, 1)),
        ("a fourth phase", ACCESS, |b| {
            b.index.access.last_mut().unwrap().phase = 3
        }),
        ("the last predicate", None, |b| {
            let last = count(&b.index.predicates);
            b.index.access.last_mut().unwrap().predicate = last;
        }),
        ("a predicate beyond", ACCESS, |b| {
            let past = count(&b.index.predicates) + 1;
            b.index.access.last_mut().unwrap().predicate = past;
        }),
        ("the last rule of the phase", None, |b| {
            let last = b.index.phases[0].len - 1;
            b.index.access[0].rules = list_of(b, last);
        }),
        ("a rule beyond the phase", ACCESS, |b| {
            let past = b.index.phases[0].len;
            b.index.access[0].rules = list_of(b, past);
        }),
    ]);
}

#[test]
fn lists() {
    const LISTS: Option<&str> = Some("lists");
    check(&[
        ("a first list that is not empty", LISTS, |b| {
            b.index.lists.splice(..1, [1, 0]).for_each(drop);
        }),
        ("no list at all", LISTS, |b| b.index.lists.clear()),
        ("a list to the end", None, |b| {
            b.index.lists.extend([2, 0, 1])
        }),
        ("a list beyond", LISTS, |b| b.index.lists.extend([3, 0, 1])),
        ("a list of any length", LISTS, |b| {
            b.index.lists.push(u32::MAX)
        }),
        ("an item twice", LISTS, |b| b.index.lists.extend([2, 1, 1])),
        ("items out of order", LISTS, |b| {
            b.index.lists.extend([2, 1, 0])
        }),
        ("a large item", None, |b| {
            b.index.lists.extend([1, u32::MAX - 1])
        }),
        ("the largest number", LISTS, |b| {
            b.index.lists.extend([1, u32::MAX])
        }),
    ]);
}

/// The build record and the places of costs are read beside the index.
#[test]
fn what_is_read_beside_the_index() {
    let text = Err(BundleError::Inconsistent {
        what: "build record",
    });
    let record = BuildRecord {
        tool_version: "test".to_owned(),
        source_digest: "digest".to_owned(),
    };
    for at in 0..record.tool_version.len() + record.source_digest.len() {
        let mut written = Written::new(&ruleset(), &Unreachable::default(), &record).unwrap();
        let end = written.built.strings.len();
        written.built.strings[end - 1 - at] = 0xff;
        assert_eq!(Bundle::load(written.join()).map(drop), text, "{at}");
    }
}
