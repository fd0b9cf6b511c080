//! What became of each line of what was imported. Importers fill it; it renders as text and JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use sallyport_ruleset::Action;
use serde_json::{Value, json};

/// Longest piece of a source line that is shown, in characters.
const SHOWN_CHARS_MAX: usize = 160;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It means the same here.
    Carried,
    /// It is there, with a difference in meaning that a note tells.
    Changed,
    /// It is not there; a note tells why.
    Left,
    /// Nothing has to be there for it.
    Unneeded,
}

impl Fate {
    /// All of them, in the order of the summary.
    pub const ALL: [Self; 4] = [Self::Carried, Self::Changed, Self::Left, Self::Unneeded];

    /// The word in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Carried => "carried",
            Self::Changed => "changed",
            Self::Left => "left",
            Self::Unneeded => "unneeded",
        }
    }
}

/// What the ruleset does that the source did not, because a line was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It allows more.
    Wider,
    /// It allows less.
    Narrower,
}

impl Effect {
    /// Of leaving a rule with this action; an alert decides nothing.
    #[must_use]
    pub const fn of_leaving(action: Action) -> Option<Self> {
        match action {
            Action::Allow => Some(Self::Narrower),
            Action::Deny => Some(Self::Wider),
            Action::Alert => None,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Wider => "the ruleset allows more without it",
            Self::Narrower => "the ruleset allows less without it",
        }
    }
}

/// A line of a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as the user named it.
    pub file: Rc<str>,
    /// From one.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
    /// Of leaving it.
    pub effect: Option<Effect>,
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
            effect: None,
        }
    }

    /// Adds a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// What became of all lines.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What holds for all of it.
    pub remarks: Vec<String>,
    /// In source order.
    pub entries: Vec<Entry>,
}

impl Report {
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

    /// How many lines had this fate.
    #[must_use]
    pub fn count(&self, fate: Fate) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.fate == fate)
            .count()
    }

    /// One line: how many lines had which fate.
    #[must_use]
    pub fn summary(&self) -> String {
        let parts = Fate::ALL.map(|fate| format!("{} {}", self.count(fate), fate.word()));
        parts.join(", ")
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
        for fate in Fate::ALL {
            let _ = write!(out, "  {:>8}", fate.word());
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

    /// The whole report, as it is put beside the ruleset.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}\n\n{}\n{}\n{}",
            self.summary(),
            self.kinds_text(),
            self.remarks_text(),
            self.lines_text()
        )
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let counts: serde_json::Map<String, Value> = Fate::ALL
            .into_iter()
            .map(|fate| (fate.word().to_owned(), self.count(fate).into()))
            .collect();
        let lines: Vec<Value> = self.entries.iter().map(entry_json).collect();
        json!({ "counts": counts, "remarks": self.remarks, "lines": lines })
    }

    fn kinds(&self) -> BTreeMap<&str, [usize; Fate::ALL.len()]> {
        let mut kinds: BTreeMap<&str, [usize; Fate::ALL.len()]> = BTreeMap::new();
        for entry in &self.entries {
            let counts = kinds.entry(&entry.kind).or_default();
            for (count, fate) in counts.iter_mut().zip(Fate::ALL) {
                *count += usize::from(fate == entry.fate);
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
    if let Some(effect) = entry.effect {
        let _ = writeln!(out, "    {}", effect.words());
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
        "effect": entry.effect.map(|effect| match effect {
            Effect::Wider => "wider",
            Effect::Narrower => "narrower",
        }),
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
    use super::*;

    #[test]
    fn reports_read_well() {
        let place = |line| Place {
            file: "f".into(),
            line,
        };
        let mut report = Report::default();
        let mut carried = Entry::new(place(1), "a\tb", "acl", Fate::Carried);
        carried.rules.push("g/r".into());
        report.push(carried);
        let mut left = Entry::new(place(2), "c", "http_access", Fate::Left).note("why");
        left.effect = Effect::of_leaving(Action::Deny);
        report.push(left);
        report.remark("all");
        report.remark("all");
        let expected = "\
1 carried, 0 changed, 1 left, 0 unneeded

kind          carried   changed      left  unneeded
acl                 1         0         0         0
http_access         0         0         1         0

note: all

f:1: carried: a b
    rules: g/r
f:2: left: c
    why
    the ruleset allows more without it
";
        assert_eq!(report.text(), expected);
        assert_eq!(report.json()["lines"][1]["effect"], "wider");
    }
}
