//! JSON with the line of each value, for imports of what the AWS command line prints; YAML and HCL
//! become the same (`documents`, `hcl`).

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::document_error::DocumentError;

/// A value and its line, from one.
#[derive(Clone, Debug)]
pub(super) struct Json {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Its members in order.
    Object(Vec<(String, Json)>),
    /// Its elements.
    Array(Vec<Json>),
    /// A string.
    Text(String),
    /// A string with something in it that has to be evaluated, as it is written: `${…}`.
    Template(String),
    /// A number, boolean or null, as written.
    Other(String),
}

impl Json {
    /// Parses a document.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, DocumentError> {
        let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default());
        let value = parsed?.value;
        let value = value.ok_or(DocumentError::Empty)?;
        let starts: Vec<usize> = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(end, _)| end + 1))
            .collect();
        Ok(Self::of(&value, &starts))
    }

    fn of(value: &Value<'_>, starts: &[usize]) -> Self {
        let line = starts.partition_point(|start| *start <= value.range().start);
        let kind = match value {
            Value::Object(object) => {
                let member = |property: &jsonc_parser::ast::ObjectProp<'_>| {
                    let name = property.name.as_str().to_owned();
                    (name, Self::of(&property.value, starts))
                };
                Kind::Object(object.properties.iter().map(member).collect())
            }
            Value::Array(array) => {
                let elements = array.elements.iter();
                Kind::Array(elements.map(|element| Self::of(element, starts)).collect())
            }
            Value::StringLit(text) => Kind::Text(text.value.to_string()),
            Value::NumberLit(number) => Kind::Other(number.value.to_owned()),
            Value::BooleanLit(boolean) => Kind::Other(boolean.value.to_string()),
            Value::NullKeyword(_) => Kind::Other("null".to_owned()),
        };
        Self { line, kind }
    }

    /// A member of an object.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.members()
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value)
    }

    /// A member of a member.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// The members of an object; none of anything else.
    pub(super) fn members(&self) -> &[(String, Self)] {
        match &self.kind {
            Kind::Object(members) => members,
            _ => &[],
        }
    }

    /// The elements of an array; none of anything else.
    pub(super) fn elements(&self) -> &[Self] {
        match &self.kind {
            Kind::Array(elements) => elements,
            _ => &[],
        }
    }

    /// The text of a string.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a string, or a number, boolean or null as written.
    pub(super) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) | Kind::Other(text) => Some(text),
            Kind::Object(_) | Kind::Array(_) | Kind::Template(_) => None,
        }
    }

    /// All objects that have this member, this one or below it.
    pub(super) fn holders<'a>(&'a self, name: &str, found: &mut Vec<&'a Self>) {
        if self.get(name).is_some() {
            found.push(self);
        }
        let members = self.members().iter().map(|(_, value)| value);
        for value in members.chain(self.elements()) {
            value.holders(name, found);
        }
    }

    /// As it would be written on one line, for the report.
    pub(super) fn shown(&self) -> String {
        match &self.kind {
            Kind::Text(text) => format!("\"{text}\""),
            Kind::Template(text) => format!("`{text}`"),
            Kind::Other(text) => text.clone(),
            Kind::Array(elements) => {
                let shown: Vec<String> = elements.iter().map(Self::shown).collect();
                format!("[{}]", shown.join(", "))
            }
            Kind::Object(members) => {
                let member =
                    |(name, value): &(String, Self)| format!("\"{name}\": {}", value.shown());
                let shown: Vec<String> = members.iter().map(member).collect();
                format!("{{{}}}", shown.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_lines() {
        let json = Json::parse("{\n  \"a\": [\n    \"x\",\n    1\n  ]\n}").unwrap();
        let elements = json.get("a").unwrap().elements();
        assert_eq!((elements[0].line, elements[0].text()), (3, Some("x")));
        assert_eq!((elements[1].line, elements[1].shown()), (4, "1".to_owned()));
        assert!(Json::parse("").is_err() && Json::parse("{").is_err());
    }
}
