//! The documents of a file: YAML in the tree that JSON is read into, with the line of each value. Parsing is `saphyr-parser`'s;
//! here its events become values, aliases are worked in, and both are bounded. The short tags of CloudFormation (`!Sub`) become the
//! functions that they stand for (`Fn::Sub`).

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::document_error::DocumentError;
use super::json::{Json, Kind};

/// Deepest nesting of values.
const DEPTH_MAX: usize = 64;
/// Most values over all documents, with those that aliases repeat.
const VALUES_MAX: usize = 1_000_000;

/// The documents of a file: one of JSON, or any number of YAML.
///
/// # Errors
/// What is wrong with it, and where.
pub(super) fn documents(text: &str) -> Result<Vec<Json>, DocumentError> {
    if text.trim_start().starts_with(['{', '['])
        && let Ok(json) = Json::parse(text)
    {
        return Ok(vec![json]);
    }
    let mut loader = Loader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event?;
        loader.event(event, span)?;
    }
    Ok(loader.documents)
}

/// The first of them.
///
/// # Errors
/// The same, or that there is none.
pub(super) fn first(text: &str) -> Result<Json, DocumentError> {
    let all = documents(text)?;
    all.into_iter().next().ok_or(DocumentError::Empty)
}

#[derive(Default)]
struct Loader {
    documents: Vec<Json>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Json, usize)>,
    values_count: usize,
}

/// A value that is not yet whole.
struct Open {
    json: Json,
    anchor: usize,
    tag: Option<Tag>,
    /// The name of the member that comes next.
    name: Option<String>,
    values_before: usize,
}

impl Loader {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), DocumentError> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, line)?;
                let json = Json {
                    line,
                    kind: scalar(&text, style),
                };
                self.value(tagged(json, tag.as_deref()), anchor, 1);
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Kind::Array(Vec::new()), anchor, tag.as_deref(), line)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(Kind::Object(Vec::new()), anchor, tag.as_deref(), line)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    let count = self.values_count - open.values_before;
                    let json = tagged(open.json, open.tag.as_ref());
                    self.value(json, open.anchor, count);
                }
            }
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let (json, count) = known.ok_or(DocumentError::UnknownAlias { line })?;
                self.count(count, line)?;
                self.value(json, 0, count);
            }
            Event::DocumentStart(_) => self.anchors.clear(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn count(&mut self, values: usize, line: usize) -> Result<(), DocumentError> {
        self.values_count += values;
        if self.values_count > VALUES_MAX {
            let most = VALUES_MAX;
            return Err(DocumentError::TooManyValues { line, most });
        }
        Ok(())
    }

    fn begin(
        &mut self,
        kind: Kind,
        anchor: usize,
        tag: Option<&Tag>,
        line: usize,
    ) -> Result<(), DocumentError> {
        if self.open.len() >= DEPTH_MAX {
            let most = DEPTH_MAX;
            return Err(DocumentError::TooDeep { line, most });
        }
        let values_before = self.values_count;
        self.count(1, line)?;
        self.open.push(Open {
            json: Json { line, kind },
            anchor,
            tag: tag.cloned(),
            name: None,
            values_before,
        });
        Ok(())
    }

    /// Puts a whole value where it belongs.
    fn value(&mut self, json: Json, anchor: usize, count: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, (json.clone(), count));
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(json);
            return;
        };
        match &mut open.json.kind {
            Kind::Array(elements) => elements.push(json),
            Kind::Object(members) => match open.name.take() {
                None => open.name = Some(json.word().map_or_else(|| json.shown(), str::to_owned)),
                Some(name) => members.push((name, json)),
            },
            Kind::Text(_) | Kind::Other(_) | Kind::Template(_) => {}
        }
    }
}

/// `!Sub x` is `{"Fn::Sub": "x"}`.
fn tagged(value: Json, tag: Option<&Tag>) -> Json {
    let Some(tag) = tag.filter(|tag| tag.handle == "!" && !tag.suffix.is_empty()) else {
        return value;
    };
    let name = match tag.suffix.as_str() {
        name @ ("Ref" | "Condition") => name.to_owned(),
        name => format!("Fn::{name}"),
    };
    Json {
        line: value.line,
        kind: Kind::Object(vec![(name, value)]),
    }
}

/// Plain scalars may be numbers, booleans and null (YAML 1.2 core schema); others are text.
fn scalar(text: &str, style: ScalarStyle) -> Kind {
    let is_other = style == ScalarStyle::Plain
        && (matches!(
            text,
            "" | "~"
                | "null"
                | "Null"
                | "NULL"
                | "true"
                | "True"
                | "TRUE"
                | "false"
                | "False"
                | "FALSE"
        ) || text.parse::<f64>().is_ok()
            && text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)));
    if is_other {
        Kind::Other(text.to_owned())
    } else {
        Kind::Text(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_know_their_lines() {
        let text = "a: 1\nb:\n  - x\n  - \"2\"\n---\nc: &c {d: e}\nf: *c\ng: >\n  one\n  two\n";
        let found = documents(text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].shown(), r#"{"a": 1, "b": ["x", "2"]}"#);
        assert_eq!(found[0].get("b").unwrap().elements()[1].line, 4);
        assert_eq!(found[1].at(&["f", "d"]).unwrap().text(), Some("e"));
        assert_eq!(found[1].get("g").unwrap().text(), Some("one two\n"));
        assert_eq!(
            documents("{\"a\": [1]}").unwrap()[0].shown(),
            r#"{"a": [1]}"#
        );
    }

    #[test]
    fn short_tags_are_functions() {
        let text =
            "B:\n  - !Sub |\n    one\n    two\n  - !GetAtt C.Arn\n  - !Ref D\n  - !Join [a, [b]]\n";
        let found = documents(text).unwrap();
        let list = found[0].get("B").unwrap();
        assert_eq!(
            list.shown(),
            "[{\"Fn::Sub\": \"one\ntwo\n\"}, {\"Fn::GetAtt\": \"C.Arn\"}, {\"Ref\": \"D\"}, {\"Fn::Join\": [\"a\", [\"b\"]]}]"
        );
        // The place of a block is that of its text, not that of its sign.
        assert_eq!(list.elements()[0].get("Fn::Sub").unwrap().line, 3);
    }

    #[test]
    fn bombs_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = level - 1;
            let aliases = vec![format!("*a{before}"); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(
            documents(&text)
                .unwrap_err()
                .to_string()
                .contains("more than")
        );
        assert!(
            documents(&"[".repeat(100))
                .unwrap_err()
                .to_string()
                .contains("deep")
        );
        assert!(documents("a: [").is_err());
        assert!(documents("a: *b").is_err());
    }
}
