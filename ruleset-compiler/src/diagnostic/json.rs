//! Problems for editors and CI: one JSON object a line, documented in `docs/rules.md`.

use serde_json::{Map, Value, json};

use super::{Code, Diagnostic, Diagnostics, Severity};
use crate::source::{Sources, Span};

impl Diagnostics {
    /// Everything, one object a line; control characters are escaped by the format.
    #[must_use]
    pub fn json_lines(&self, sources: &Sources) -> String {
        let shown = self.sorted().into_iter().map(|item| object(item, sources));
        let hidden = self.hidden().map(|hidden| {
            json!({
                "file": sources.name(hidden.file),
                "severity": hidden.severity.name(),
                "code": "not-shown",
                "message": format!("{} more of this kind in this file", hidden.count),
                "count": hidden.count,
            })
        });
        shown
            .chain(hidden)
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

/// The line for a ruleset file that cannot be read: there is no place in it to point to.
#[must_use]
pub fn unreadable_json_line(path: &str, message: &str) -> String {
    let line = json!({
        "file": path,
        "severity": Severity::Error.name(),
        "code": Code::UnreadableFile.name(),
        "message": message,
    });
    format!("{line}\n")
}

fn object(item: &Diagnostic, sources: &Sources) -> Value {
    let mut object = place(item.span, sources);
    object.insert("severity".into(), item.severity().name().into());
    object.insert("code".into(), item.code.name().into());
    object.insert("message".into(), item.message.as_str().into());
    object.insert("expected".into(), item.expected.as_deref().into());
    object.insert("help".into(), item.help.as_deref().into());
    let related = item.related.as_ref().map(|(span, message)| {
        let mut related = place(*span, sources);
        related.insert("message".into(), message.as_str().into());
        related
    });
    object.insert("related".into(), related.map_or(Value::Null, Value::Object));
    Value::Object(object)
}

/// File, line and column of the start and of the end, from one, columns in characters; the end is
/// the first character that no longer belongs.
fn place(span: Span, sources: &Sources) -> Map<String, Value> {
    let start = sources.place(span);
    let end = sources.place(span.end());
    let mut place = Map::new();
    place.insert("file".into(), sources.name(span.file).into());
    place.insert("line".into(), start.line_number.into());
    place.insert("column".into(), start.column.into());
    place.insert(
        "end".into(),
        json!({ "line": end.line_number, "column": end.column }),
    );
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::FILE_DIAGNOSTICS_MAX;
    use crate::source::MemoryFiles;

    fn lines(
        text: &str,
        report: impl FnOnce(&mut Diagnostics, crate::source::FileId),
    ) -> Vec<Value> {
        let mut sources = Sources::default();
        let files = MemoryFiles::default().with("r.toml", text);
        let file = sources.load(&files, "r.toml").unwrap();
        let mut diagnostics = Diagnostics::default();
        report(&mut diagnostics, file);
        let text = diagnostics.json_lines(&sources);
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }

    #[test]
    fn one_object_a_line() {
        let found = lines("a\nwörd\n\u{7}z", |diagnostics, file| {
            let span = |range| Span::new(file, range);
            diagnostics.report(
                Diagnostic::new(Code::BadName, span(2..7), "bad\n\u{7}")
                    .expected("good")
                    .related(span(0..1), "there"),
            );
        });
        let expected = json!({
            "file": "r.toml", "line": 2, "column": 1, "end": { "line": 2, "column": 5 },
            "severity": "error", "code": "bad-name", "message": "bad\n\u{7}", "expected": "good",
            "help": null,
            "related": {
                "file": "r.toml", "line": 1, "column": 1, "end": { "line": 1, "column": 2 },
                "message": "there",
            },
        });
        assert_eq!(found, [expected]);
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let found = lines(&"x\n".repeat(300), |diagnostics, file| {
            for line in 0..300 {
                let span = Span::new(file, line * 2..line * 2 + 1);
                diagnostics.report(Diagnostic::new(Code::LooseSuffix, span, "doubtful"));
            }
        });
        assert_eq!(found.len(), FILE_DIAGNOSTICS_MAX + 1);
        let last = found.last().unwrap();
        assert_eq!(last["count"], 300 - FILE_DIAGNOSTICS_MAX);
        assert_eq!(last["severity"], "warning");
    }
}
