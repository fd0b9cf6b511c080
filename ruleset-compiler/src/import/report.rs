//! What became of each line of what was imported. Importers fill it; it renders as text and JSON.
//!
//! A line that is not here as it was says in its type which way that errs: [`Fate::Changed`] and
//! [`Fate::Left`] take an [`Effect`], so that no importer can forget to think about it.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::rc::Rc;

use serde_json::{Value, json};

pub use super::effect::{Difference, Effect, Fate, Matching};

/// Longest piece of a source line that is shown, in characters.
const SHOWN_CHARS_MAX: usize = 160;

/// A line of a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as the user named it.
    pub file: Rc<str>,
    /// From one.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What became of one line, or of one part of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it stands.
    pub place: Place,
    /// What stands there.
    pub text: String,
    /// What sort of thing it is, in the words of its format.
    pub kind: String,
    /// What became of it.
    pub fate: Fate,
    /// Why, and what is different.
    pub notes: Vec<String>,
    /// The rules that it became or has a part in.
    pub rules: Vec<String>,
}

impl Entry {
    /// An entry without notes.
    #[must_use]
    pub fn new(place: Place, text: &str, kind: impl Into<String>, fate: Fate) -> Self {
        Self {
            place,
            text: shortened(text),
            kind: kind.into(),
            fate,
            notes: Vec::new(),
            rules: Vec::new(),
        }
    }

    /// Adds a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds something that is different: what was carried is changed then.
    pub fn differ(&mut self, difference: Difference) {
        self.fate = self.fate.and(difference.effect);
        self.notes.push(difference.note);
    }
}

/// What became of all lines.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What holds for all of it.
    pub remarks: Vec<String>,
    /// In source order.
    pub entries: Vec<Entry>,
    /// Files that the source names and that could not be read: what they say is not here.
    unread: Vec<String>,
}

impl Report {
    /// Notes that a file that the source names could not be read; the entry is told apart.
    pub fn unread(&mut self, path: &str) {
        if !self.unread.iter().any(|known| known == path) {
            self.unread.push(path.to_owned());
            self.remark(format!(
                "`{path}` could not be read: what it says is not in the ruleset, and the import is not complete"
            ));
        }
    }

    /// Whether every file that the source names was read.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.unread.is_empty()
    }

    /// Adds what became of a line.
    pub fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Adds a remark, once.
    pub fn remark(&mut self, remark: impl Into<String>) {
        let remark = remark.into();
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    /// How many lines had a fate with this word, one of [`Fate::WORDS`].
    #[must_use]
    pub fn count(&self, word: &str) -> usize {
        let has = |entry: &&Entry| entry.fate.word() == word;
        self.entries.iter().filter(has).count()
    }

    /// How many lines make the ruleset allow what the source refused.
    #[must_use]
    pub fn allows_more_count(&self) -> usize {
        let allows = |entry: &&Entry| entry.fate.effect().allows_more();
        self.entries.iter().filter(allows).count()
    }

    /// How many lines make the ruleset refuse what the source let pass.
    #[must_use]
    pub fn denies_more_count(&self) -> usize {
        let denies = |entry: &&Entry| entry.fate.effect().denies_more();
        self.entries.iter().filter(denies).count()
    }

    /// One line: how many lines had which fate, and how many err which way.
    #[must_use]
    pub fn summary(&self) -> String {
        let parts = Fate::WORDS.map(|word| format!("{} {word}", self.count(word)));
        format!(
            "{}; allows more: {}, denies more: {}",
            parts.join(", "),
            self.allows_more_count(),
            self.denies_more_count()
        )
    }

    /// Line by line.
    #[must_use]
    pub fn lines_text(&self) -> String {
        let mut out = String::new();
        for entry in &self.entries {
            entry_text(&mut out, entry);
        }
        out
    }

    /// How many lines of which kind had which fate, as a table.
    #[must_use]
    pub fn kinds_text(&self) -> String {
        let kinds = self.kinds();
        let width = kinds
            .keys()
            .map(|kind| kind.chars().count())
            .max()
            .unwrap_or(0)
            .max(4);
        let mut out = format!("{:width$}", "kind");
        for word in Fate::WORDS {
            let _ = write!(out, "  {word:>8}");
        }
        out.push('\n');
        for (kind, counts) in kinds {
            let _ = write!(out, "{kind:width$}");
            for count in counts {
                let _ = write!(out, "  {count:>8}");
            }
            out.push('\n');
        }
        out
    }

    /// What holds for all of it, a line each.
    #[must_use]
    pub fn remarks_text(&self) -> String {
        let lines = self
            .remarks
            .iter()
            .map(|remark| format!("note: {remark}\n"));
        lines.collect()
    }

    /// The whole report, as it is put beside the ruleset. The summary is its first line and its last.
    #[must_use]
    pub fn text(&self) -> String {
        let summary = self.summary();
        let (kinds, remarks, lines) = (self.kinds_text(), self.remarks_text(), self.lines_text());
        format!("{summary}\n\n{kinds}\n{remarks}\n{lines}\n{summary}\n")
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut counts: serde_json::Map<String, Value> = Fate::WORDS
            .into_iter()
            .map(|word| (word.to_owned(), self.count(word).into()))
            .collect();
        counts.insert("allows_more".to_owned(), self.allows_more_count().into());
        counts.insert("denies_more".to_owned(), self.denies_more_count().into());
        let lines: Vec<Value> = self.entries.iter().map(entry_json).collect();
        json!({
            "counts": counts,
            "remarks": self.remarks,
            "unread": self.unread,
            "lines": lines,
        })
    }

    fn kinds(&self) -> BTreeMap<&str, [usize; Fate::WORDS.len()]> {
        let mut kinds: BTreeMap<&str, [usize; Fate::WORDS.len()]> = BTreeMap::new();
        for entry in &self.entries {
            let counts = kinds.entry(&entry.kind).or_default();
            for (count, word) in counts.iter_mut().zip(Fate::WORDS) {
                *count += usize::from(word == entry.fate.word());
            }
        }
        kinds
    }
}

fn entry_text(out: &mut String, entry: &Entry) {
    let _ = writeln!(
        out,
        "{}: {}: {}",
        entry.place,
        entry.fate.word(),
        entry.text
    );
    if !entry.rules.is_empty() {
        let _ = writeln!(out, "    rules: {}", entry.rules.join(", "));
    }
    for note in &entry.notes {
        let _ = writeln!(out, "    {note}");
    }
    if let Some(words) = Effect::words(entry.fate) {
        let _ = writeln!(out, "    {words}");
    }
}

fn entry_json(entry: &Entry) -> Value {
    json!({
        "file": &*entry.place.file,
        "line": entry.place.line,
        "text": entry.text,
        "kind": entry.kind,
        "fate": entry.fate.word(),
        "notes": entry.notes,
        "rules": entry.rules,
        "effect": entry.fate.effect().word(),
    })
}

/// A source line for a person: control characters visible, not too long.
fn shortened(text: &str) -> String {
    let visible = text.trim().chars().map(|c| if c == '\t' { ' ' } else { c });
    let mut out: String = visible
        .clone()
        .take(SHOWN_CHARS_MAX)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if visible.count() > SHOWN_CHARS_MAX {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use sallyport_ruleset::Action;

    use super::*;

    fn entry(line: usize, text: &str, kind: &str, fate: Fate) -> Entry {
        let file = "f".into();
        Entry::new(Place { file, line }, text, kind, fate)
    }

    #[test]
    fn reports_read_well() {
        let mut report = Report::default();
        let mut carried = entry(1, "a\tb", "acl", Fate::Carried);
        carried.rules.push("g/r".into());
        report.push(carried);
        let left = Fate::Left(Effect::of_leaving(Action::Deny));
        report.push(entry(2, "c", "http_access", left).note("why"));
        report.remark("all");
        report.remark("all");
        let expected = "\
1 carried, 0 changed, 1 left, 0 unneeded; allows more: 1, denies more: 0

kind          carried   changed      left  unneeded
acl                 1         0         0         0
http_access         0         0         1         0

note: all

f:1: carried: a b
    rules: g/r
f:2: left: c
    why
    the ruleset allows more without it

1 carried, 0 changed, 1 left, 0 unneeded; allows more: 1, denies more: 0
";
        assert_eq!(report.text(), expected);
        assert_eq!(report.json()["lines"][1]["effect"], "wider");
        assert_eq!(report.json()["counts"]["allows_more"], 1);
    }

    #[test]
    fn differences_add_up() {
        let mut one = entry(1, "x", "rule", Fate::Carried);
        one.differ(Difference::new(Effect::Neither, "an answer"));
        assert_eq!(one.fate, Fate::Changed(Effect::Neither));
        one.differ(Difference::new(Effect::Narrower, "a name more"));
        assert_eq!(one.fate, Fate::Changed(Effect::Narrower));
        one.differ(Difference::new(Effect::Wider, "a name less"));
        assert_eq!(one.fate, Fate::Changed(Effect::Either));
        let mut report = Report::default();
        report.push(one);
        assert_eq!(
            (report.allows_more_count(), report.denies_more_count()),
            (1, 1)
        );
    }

    #[test]
    fn a_file_that_could_not_be_read_is_told_once() {
        let mut report = Report::default();
        assert!(report.is_complete());
        report.unread("/etc/bad");
        report.unread("/etc/bad");
        assert!(!report.is_complete());
        assert_eq!(report.remarks.len(), 1);
        assert_eq!(report.json()["unread"][0], "/etc/bad");
    }
}
