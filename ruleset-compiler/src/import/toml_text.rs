//! A draft as TOML and list files, as a person would lay them out: comments that say where each
//! rule comes from, short values in place, long ones in lists.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;

use sallyport_ruleset::{Action, FieldType};

use super::condition::{Condition, Values};
use super::draft::{Draft, DraftGroup, DraftRule, Item, Names};
use crate::ir::{PHASES, phase_key};
use crate::operator::{ALL_PREFIX, ANY_PREFIX, Operator, Question};
use crate::parse;

/// More values than this go into a list file.
const INLINE_VALUES_MAX: usize = 8;
/// Longer values than this together, in bytes, go into a list file.
const INLINE_BYTES_MAX: usize = 400;
/// A longer line is broken: one value a line.
const LINE_BYTES_MAX: usize = 110;
/// Longest comment line, in characters.
const COMMENT_CHARS_MAX: usize = 200;

/// The files of a ruleset by their paths, the ruleset file first: `ruleset.toml`, `groups/*.toml`,
/// `lists/*.txt`.
pub(super) fn files(draft: &Draft) -> Vec<(String, String)> {
    let mut lists = Lists::default();
    let mut groups = Vec::with_capacity(draft.groups.len());
    for group in &draft.groups {
        let text = group_text(group, &mut lists);
        groups.push((format!("groups/{}.toml", group.name), text));
    }
    let mut files = vec![("ruleset.toml".to_owned(), ruleset_text(draft, &lists))];
    files.extend(groups);
    files.extend(lists.files);
    files
}

/// Lists that conditions were given so far.
#[derive(Default)]
struct Lists {
    names: Names,
    by_values: HashMap<ByContent, String>,
    /// Name and path, in order.
    entries: Vec<(String, String)>,
    files: Vec<(String, String)>,
}

struct ByContent(Rc<Values>);

impl PartialEq for ByContent {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0) || self.0.items == other.0.items
    }
}

impl Eq for ByContent {}

impl std::hash::Hash for ByContent {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.items.len().hash(state);
        self.0.items.first().hash(state);
        self.0.items.last().hash(state);
    }
}

impl Lists {
    /// The name of the list that holds these values.
    fn name_of(&mut self, values: &Rc<Values>) -> String {
        let key = ByContent(Rc::clone(values));
        if let Some(name) = self.by_values.get(&key) {
            return name.clone();
        }
        let name = self.names.unique(&values.name);
        let path = format!("lists/{name}.txt");
        let mut text = String::new();
        if !values.origin.is_empty() {
            comment(&mut text, &values.origin);
        }
        for item in &values.items {
            text.push_str(item);
            text.push('\n');
        }
        self.files.push((path.clone(), text));
        self.entries.push((name.clone(), path));
        self.by_values.insert(key, name.clone());
        name
    }
}

fn ruleset_text(draft: &Draft, lists: &Lists) -> String {
    let mut out = String::new();
    for line in &draft.about {
        comment(&mut out, line);
    }
    out.push_str("\n[defaults]\n");
    for phase in PHASES {
        let action = action_word(*draft.defaults.of(phase));
        let _ = writeln!(out, "{} = \"{action}\"", phase_key(phase));
    }
    if !lists.entries.is_empty() {
        out.push_str("\n[lists]\n");
        for (name, path) in &lists.entries {
            let _ = writeln!(out, "{} = {}", string(name), string(path));
        }
    }
    for (group, priority) in draft.groups.iter().zip((10_u32..).step_by(10)) {
        let path = format!("groups/{}.toml", group.name);
        let _ = write!(
            out,
            "\n[[group]]\npriority = {priority}\nfile = {}\n",
            string(&path)
        );
    }
    out
}

fn group_text(group: &DraftGroup, lists: &mut Lists) -> String {
    let mut out = String::new();
    for line in &group.about {
        comment(&mut out, line);
    }
    let _ = writeln!(out, "name = {}", string(&group.name));
    for phase in PHASES {
        for item in group.items.of(phase) {
            out.push('\n');
            match item {
                Item::Remark(lines) => lines.iter().for_each(|line| comment(&mut out, line)),
                Item::Rule(rule) => {
                    rule.origin.iter().for_each(|line| comment(&mut out, line));
                    let _ = writeln!(out, "[[{}]]", phase_key(phase));
                    rule_text(&mut out, rule, lists);
                }
            }
        }
    }
    out
}

fn rule_text(out: &mut String, rule: &DraftRule, lists: &mut Lists) {
    let _ = writeln!(out, "name = {}", string(&rule.name));
    if !rule.description.is_empty() {
        let _ = writeln!(out, "description = {}", string(&rule.description));
    }
    let _ = writeln!(out, "action = \"{}\"", action_word(rule.action));
    // A table has each key once: two questions of the same kind about one field need the array.
    let repeats = rule.conditions.iter().enumerate().any(|(at, condition)| {
        let earlier = rule.conditions.iter().take(at);
        earlier
            .into_iter()
            .any(|other| other.field == condition.field && other.operator == condition.operator)
    });
    if repeats {
        out.push_str("when = [\n");
        for condition in &rule.conditions {
            let key = string(&condition.field.to_string());
            let _ = writeln!(out, "  {{ {key} = {{ {} }} }},", question(condition, lists));
        }
        out.push_str("]\n");
        return;
    }
    let mut written: Vec<String> = Vec::new();
    for condition in &rule.conditions {
        let key = condition.field.to_string();
        if written.contains(&key) {
            continue;
        }
        let same = rule
            .conditions
            .iter()
            .filter(|c| c.field == condition.field);
        let questions: Vec<String> = same.map(|c| question(c, lists)).collect();
        let _ = writeln!(
            out,
            "when.{} = {{ {} }}",
            string(&key),
            questions.join(", ")
        );
        written.push(key);
    }
}

fn question(condition: &Condition, lists: &mut Lists) -> String {
    let values = &condition.values;
    let bytes: usize = values.items.iter().map(String::len).sum();
    let long = values.items.len() > INLINE_VALUES_MAX || bytes > INLINE_BYTES_MAX;
    let shown = if long && values.items.len() > 1 && values.items.iter().all(|item| fits_list(item))
    {
        string(&format!("@{}", lists.name_of(values)))
    } else {
        inline(condition)
    };
    format!("{} = {shown}", operator_word(condition.operator))
}

/// The operator as a key: with IAM's prefix where it asks something that it does not ask by itself.
fn operator_word(operator: Operator) -> String {
    match (operator.every, operator.negated) {
        (false, _) => operator.name.to_owned(),
        (true, false) => string(&format!("{ALL_PREFIX}{}", operator.name)),
        (true, true) => string(&format!("{ANY_PREFIX}{}", operator.name)),
    }
}

/// Whether a line of a list file is read back as this value and nothing else.
fn fits_list(item: &str) -> bool {
    let line = format!("{item}\n");
    let only = 0..item.len();
    !item.contains(['\n', '\r', '\u{feff}'])
        && matches!(parse::list::entries(&line).as_slice(), [range] if *range == only)
}

fn inline(condition: &Condition) -> String {
    // A number in TOML does not begin with a zero.
    let is_number = |item: &str| {
        let is_plain = item == "0" || !item.starts_with('0');
        condition.field.field_type() == FieldType::Number
            && !item.is_empty()
            && is_plain
            && item.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_bare = |item: &str| is_number(item) || condition.operator.question == Question::Null;
    let mut shown: Vec<String> = Vec::with_capacity(condition.values.items.len());
    for item in &condition.values.items {
        shown.push(match item.strip_prefix('@') {
            _ if is_bare(item) => item.clone(),
            Some(rest) => string(&format!("@@{rest}")),
            None => string(item),
        });
    }
    if let [only] = shown.as_slice() {
        return only.clone();
    }
    let line = shown.join(", ");
    if line.len() <= LINE_BYTES_MAX {
        return format!("[{line}]");
    }
    format!("[\n  {},\n]", shown.join(",\n  "))
}

/// A TOML string: in single quotes where that saves escapes.
fn string(text: &str) -> String {
    let needs_escape = |c: char| c == '\\' || c == '"' || c.is_control();
    if !text.contains(needs_escape) {
        return format!("\"{text}\"");
    }
    if !text.contains(|c: char| c == '\'' || c.is_control()) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\\' | '"' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A comment line; control characters become visible, and what is too long is cut.
fn comment(out: &mut String, text: &str) {
    out.push('#');
    if !text.is_empty() {
        out.push(' ');
    }
    for (count, c) in text.chars().enumerate() {
        if count == COMMENT_CHARS_MAX {
            out.push('…');
            break;
        }
        if c.is_control() && c != '\t' {
            out.push('\u{fffd}');
        } else {
            out.push(c);
        }
    }
    out.push('\n');
}

const fn action_word(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::Deny => "deny",
        Action::Alert => "alert",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_take_the_quotes_that_need_no_escapes() {
        assert_eq!(string("plain"), "\"plain\"");
        assert_eq!(string(r"\.exe$"), r"'\.exe$'");
        assert_eq!(string(r"it's \d"), r#""it's \\d""#);
        assert_eq!(string("a\tb\"c"), "\"a\\u0009b\\\"c\"");
    }

    #[test]
    fn lists_take_only_what_they_give_back() {
        assert!(fits_list("example.com") && fits_list(r"^/a#b$"));
        for item in ["a #b", "#a", " a", "a ", "10.0.0.1 x", "", "localhost\n"] {
            assert!(!fits_list(item), "{item:?}");
        }
    }
}
