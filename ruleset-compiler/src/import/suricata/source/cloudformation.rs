//! Functions of CloudFormation templates that say a text: `Fn::Sub`, `Fn::Join`. What they put in
//! from elsewhere stays as it is written.

use super::super::super::json::{Json, Kind};

/// The tree with those functions worked out as far as they can be.
pub(super) fn resolved(value: Json) -> Json {
    let line = value.line;
    let kind = match value.kind {
        Kind::Array(elements) => Kind::Array(elements.into_iter().map(resolved).collect()),
        Kind::Object(members) => {
            let members: Vec<(String, Json)> = members
                .into_iter()
                .map(|(name, value)| (name, resolved(value)))
                .collect();
            return function(&members).unwrap_or(Json {
                line,
                kind: Kind::Object(members),
            });
        }
        kind => kind,
    };
    Json { line, kind }
}

fn function(members: &[(String, Json)]) -> Option<Json> {
    let [(name, value)] = members else {
        return None;
    };
    match name.as_str() {
        "Fn::Sub" => {
            // With a map of values it is a list, the text first.
            let text = match &value.kind {
                Kind::Array(elements) => elements.first()?,
                _ => value,
            };
            let written = text.text()?;
            let kind = if written.replace("${!", "").contains("${") {
                Kind::Template(written.to_owned())
            } else {
                Kind::Text(written.replace("${!", "${"))
            };
            Some(Json {
                line: text.line,
                kind,
            })
        }
        "Fn::Join" => {
            let [between, list] = value.elements() else {
                return None;
            };
            let is_list = matches!(list.kind, Kind::Array(_));
            let between = between.text().filter(|_| is_list)?;
            let mut is_plain = true;
            let parts = list.elements().iter().map(|part| match &part.kind {
                Kind::Text(text) => text.clone(),
                Kind::Template(text) => {
                    is_plain = false;
                    text.clone()
                }
                _ => {
                    is_plain = false;
                    format!("${{{}}}", part.shown().replace('\n', " "))
                }
            });
            let text = parts.collect::<Vec<_>>().join(between);
            Some(Json {
                line: list
                    .elements()
                    .first()
                    .map_or(list.line, |first| first.line),
                kind: if is_plain {
                    Kind::Text(text)
                } else {
                    Kind::Template(text)
                },
            })
        }
        _ => None,
    }
}
