//! YAML with the line of each value, as CloudFormation writes it: its short tags (`!Sub`) become the
//! functions that they stand for (`Fn::Sub`). Anchors are refused: what they repeat would grow
//! without end.

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::json::{Json, Kind};

/// Sequences and mappings inside each other.
const DEPTH_MAX: usize = 128;

/// Parses the first document.
///
/// # Errors
/// What is wrong with it, in words, with its line.
pub(super) fn parse(text: &str) -> Result<Json, String> {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        let done = match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_anchor(anchor, &span)?;
                Some(tagged(scalar(&text, style, &span), tag.as_deref()))
            }
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag)
                if open.len() >= DEPTH_MAX =>
            {
                let _ = (anchor, tag);
                return Err(at(&span, "more than 128 values are nested"));
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_anchor(anchor, &span)?;
                open.push(Open::new(
                    &span,
                    tag.as_deref(),
                    Inside::Sequence(Vec::new()),
                ));
                None
            }
            Event::MappingStart(anchor, tag) => {
                refuse_anchor(anchor, &span)?;
                let inside = Inside::Mapping(Vec::new(), None);
                open.push(Open::new(&span, tag.as_deref(), inside));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(Open::close),
            Event::Alias(_) => return Err(at(&span, "an alias: anchors are not read")),
            _ => None,
        };
        let Some(value) = done else { continue };
        match open.last_mut() {
            Some(parent) => parent.take(value).map_err(|why| at(&span, why))?,
            None => return Ok(value),
        }
    }
    Err("the file is empty".to_owned())
}

fn at(span: &Span, why: &str) -> String {
    format!("line {}: {why}", span.start.line())
}

fn refuse_anchor(anchor: usize, span: &Span) -> Result<(), String> {
    match anchor {
        0 => Ok(()),
        _ => Err(at(span, "an anchor: anchors are not read")),
    }
}

/// The place of a block is that of its text, not that of its sign.
fn scalar(text: &str, style: ScalarStyle, span: &Span) -> Json {
    let is_null = style == ScalarStyle::Plain && matches!(text, "" | "~" | "null");
    Json {
        line: span.start.line(),
        kind: if is_null {
            Kind::Other("null".to_owned())
        } else {
            Kind::Text(text.to_owned())
        },
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

/// A sequence or a mapping that has begun.
struct Open {
    line: usize,
    tag: Option<Tag>,
    inside: Inside,
}

enum Inside {
    Sequence(Vec<Json>),
    /// The members, and the name of the next one.
    Mapping(Vec<(String, Json)>, Option<String>),
}

impl Open {
    fn new(span: &Span, tag: Option<&Tag>, inside: Inside) -> Self {
        Self {
            line: span.start.line(),
            tag: tag.cloned(),
            inside,
        }
    }

    fn take(&mut self, value: Json) -> Result<(), &'static str> {
        match &mut self.inside {
            Inside::Sequence(elements) => elements.push(value),
            Inside::Mapping(members, name) => match name.take() {
                None => *name = Some(value.text().ok_or("a name that is no text")?.to_owned()),
                Some(name) => members.push((name, value)),
            },
        }
        Ok(())
    }

    fn close(self) -> Json {
        let kind = match self.inside {
            Inside::Sequence(elements) => Kind::Array(elements),
            Inside::Mapping(members, _) => Kind::Object(members),
        };
        let value = Json {
            line: self.line,
            kind,
        };
        tagged(value, self.tag.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_read() {
        let text = "A: 1\nB:\n  - x\n  - !Sub |\n    one\n    two\n  - !GetAtt C.Arn\n  - ~\nD: {E: [f, 'g']}\n";
        let found = parse(text).unwrap();
        assert_eq!(
            found.shown(),
            "{\"A\": \"1\", \"B\": [\"x\", {\"Fn::Sub\": \"one\ntwo\n\"}, {\"Fn::GetAtt\": \"C.Arn\"}, null], \"D\": {\"E\": [\"f\", \"g\"]}}"
        );
        let block = found.get("B").unwrap().elements()[1]
            .get("Fn::Sub")
            .unwrap();
        assert_eq!(block.line, 5);
    }

    #[test]
    fn what_grows_or_breaks_is_refused() {
        assert!(
            parse("a: &x [1]\nb: *x\n")
                .unwrap_err()
                .contains("line 1: an anchor")
        );
        assert!(parse("").is_err());
        assert!(parse("a: [").is_err());
        assert!(parse(&"[".repeat(10_000)).is_err());
    }
}
