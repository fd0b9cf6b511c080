//! Terraform's language (HCL) with the line of each value, as the JSON that its blocks stand for.
//! What has to be evaluated stays as it is written; locals, texts in files, `join` and `jsonencode`
//! of plain values are followed.

use std::collections::HashMap;

use hcl_edit::expr::{Expression, FuncCall, ObjectKey, TraversalOperator};
use hcl_edit::structure::{Block, Body, Structure};
use hcl_edit::template::{Element, Template};
use hcl_edit::{Span, parser};

use super::document_error::DocumentError;
use super::input::InputFiles;
use super::json::{Json, Kind};

/// Locals inside locals, and functions inside functions.
const DEPTH_MAX: usize = 16;

/// Parses a file. Blocks are arrays under their names, with their labels as `#labels`.
///
/// # Errors
/// What is wrong with it, with its line.
pub(super) fn parse(text: &str, files: &dyn InputFiles) -> Result<Json, DocumentError> {
    let body: Body = parser::parse_body(text).map_err(|error| {
        let message = error.message().lines().next().unwrap_or_default();
        DocumentError::Terraform {
            line: error.location().line(),
            message: message.to_owned(),
        }
    })?;
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(end, _)| end + 1));
    let reader = Reader {
        text,
        starts: starts.collect(),
        locals: locals(&body),
        files,
    };
    Ok(reader.body(&body))
}

/// What `local.NAME` stands for.
fn locals(body: &Body) -> HashMap<&str, &Expression> {
    let blocks = body.iter().filter_map(Structure::as_block);
    let blocks = blocks.filter(|block| block.ident.as_str() == "locals");
    let attributes = blocks.flat_map(|block| block.body.iter().filter_map(Structure::as_attribute));
    attributes
        .map(|attribute| (attribute.key.as_str(), &attribute.value))
        .collect()
}

struct Reader<'t> {
    text: &'t str,
    starts: Vec<usize>,
    locals: HashMap<&'t str, &'t Expression>,
    files: &'t dyn InputFiles,
}

impl Reader<'_> {
    fn line(&self, place: &impl Span) -> usize {
        let start = place.span().map_or(0, |span| span.start);
        self.starts.partition_point(|known| *known <= start)
    }

    fn written(&self, place: &impl Span) -> String {
        let text = place.span().and_then(|span| self.text.get(span));
        text.unwrap_or_default().trim().to_owned()
    }

    fn body(&self, body: &Body) -> Json {
        let mut members: Vec<(String, Json)> = Vec::new();
        for structure in body.iter() {
            match structure {
                Structure::Attribute(attribute) => {
                    let value = self.value(&attribute.value, 0);
                    members.push((attribute.key.as_str().to_owned(), value));
                }
                Structure::Block(block) => {
                    let value = self.block(block);
                    let name = block.ident.as_str();
                    let known = members.iter_mut().find(|(known, _)| known == name);
                    match known.map(|(_, known)| &mut known.kind) {
                        Some(Kind::Array(elements)) => elements.push(value),
                        _ => members.push((
                            name.to_owned(),
                            Json {
                                line: value.line,
                                kind: Kind::Array(vec![value]),
                            },
                        )),
                    }
                }
            }
        }
        Json {
            line: self.line(body),
            kind: Kind::Object(members),
        }
    }

    fn block(&self, block: &Block) -> Json {
        let line = self.line(block);
        let mut value = self.body(&block.body);
        value.line = line;
        if let Kind::Object(members) = &mut value.kind
            && !block.labels.is_empty()
        {
            let labels = block.labels.iter().map(|label| Json {
                line,
                kind: Kind::Text(label.as_str().to_owned()),
            });
            let labels = Json {
                line,
                kind: Kind::Array(labels.collect()),
            };
            members.push(("#labels".to_owned(), labels));
        }
        value
    }

    fn value(&self, expression: &Expression, depth: usize) -> Json {
        let line = self.line(expression);
        let with = |kind| Json { line, kind };
        if depth > DEPTH_MAX {
            return with(self.unevaluated(expression));
        }
        match expression {
            Expression::Null(_) => with(Kind::Other("null".to_owned())),
            Expression::Bool(_) | Expression::Number(_) => {
                with(Kind::Other(self.written(expression)))
            }
            Expression::String(text) => with(Kind::Text(text.as_str().to_owned())),
            Expression::StringTemplate(template) => with(self.template(template)),
            Expression::HeredocTemplate(heredoc) => Json {
                // Its text begins on the line behind its sign.
                line: line + 1,
                kind: self.template(&heredoc.template),
            },
            Expression::Array(array) => {
                let elements = array.iter().map(|element| self.value(element, depth + 1));
                with(Kind::Array(elements.collect()))
            }
            Expression::Object(object) => {
                let members = object.iter().map(|(key, value)| {
                    let name = match key {
                        ObjectKey::Ident(name) => name.as_str().to_owned(),
                        ObjectKey::Expression(Expression::String(name)) => name.as_str().to_owned(),
                        ObjectKey::Expression(other) => self.written(other),
                    };
                    (name, self.value(value.expr(), depth + 1))
                });
                with(Kind::Object(members.collect()))
            }
            Expression::Parenthesis(inner) => self.value(inner.inner(), depth + 1),
            Expression::FuncCall(call) => self
                .call(call, line, depth)
                .unwrap_or_else(|| with(self.unevaluated(expression))),
            Expression::Traversal(traversal) => {
                let local = match (&traversal.expr, traversal.operators.as_slice()) {
                    (Expression::Variable(root), [name]) if root.as_str() == "local" => {
                        match name.value() {
                            TraversalOperator::GetAttr(name) => self.locals.get(name.as_str()),
                            _ => None,
                        }
                    }
                    _ => None,
                };
                match local {
                    Some(local) => self.value(local, depth + 1),
                    None => with(self.unevaluated(expression)),
                }
            }
            _ => with(self.unevaluated(expression)),
        }
    }

    fn unevaluated(&self, expression: &Expression) -> Kind {
        Kind::Template(format!("${{{}}}", self.written(expression)))
    }

    /// Text; with what has to be evaluated in it as it is written.
    fn template(&self, template: &Template) -> Kind {
        let mut text = String::new();
        let mut is_plain = true;
        for element in template {
            match element {
                Element::Literal(literal) => text.push_str(literal.as_str()),
                Element::Interpolation(interpolation) => {
                    is_plain = false;
                    text.push_str(&self.written(interpolation));
                }
                Element::Directive(directive) => {
                    is_plain = false;
                    text.push_str(&self.written(directive.as_ref()));
                }
            }
        }
        if is_plain {
            Kind::Text(text)
        } else {
            Kind::Template(text)
        }
    }

    /// What a function gives, if that can be told.
    fn call(&self, call: &FuncCall, line: usize, depth: usize) -> Option<Json> {
        if call.name.is_namespaced() {
            return None;
        }
        let arguments: Vec<Json> = call
            .args
            .iter()
            .map(|argument| self.value(argument, depth + 1))
            .collect();
        match (call.name.name.as_str(), arguments.as_slice()) {
            ("jsonencode" | "chomp" | "trimspace" | "tolist" | "toset", [only]) => {
                Some(only.clone())
            }
            ("join", [between, list]) => {
                let parts: Option<Vec<&str>> = list.elements().iter().map(Json::text).collect();
                let joined = parts?.join(between.text()?);
                Some(Json {
                    line: list.line,
                    kind: Kind::Text(joined),
                })
            }
            ("concat", lists) if !lists.is_empty() => {
                let is_list = |list: &Json| matches!(list.kind, Kind::Array(_));
                lists.iter().all(is_list).then(|| Json {
                    line,
                    kind: Kind::Array(lists.iter().flat_map(Json::elements).cloned().collect()),
                })
            }
            ("file", [path]) => {
                let path = match &path.kind {
                    Kind::Text(path) | Kind::Template(path) => path.as_str(),
                    _ => return None,
                };
                let beside = ["${path.module}/", "${path.root}/", "./"];
                let path = beside
                    .iter()
                    .find_map(|start| path.strip_prefix(start))
                    .unwrap_or(path);
                if path.contains("${") {
                    return None;
                }
                let text = self.files.text(path).ok()?;
                Some(Json {
                    line,
                    kind: Kind::Text(text),
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::MemoryInput;
    use super::*;

    fn shown(text: &str) -> String {
        let files = MemoryInput::default().with("a.rules", "in a file");
        match parse(text, &files) {
            Ok(json) => json.shown(),
            Err(why) => why.to_string(),
        }
    }

    #[test]
    fn blocks_and_values() {
        for (text, expected) in [
            (
                "resource \"a\" \"b\" {\n  x { y = 1 }\n  x { y = true }\n}\n",
                "{\"resource\": [{\"x\": [{\"y\": 1}, {\"y\": true}], \"#labels\": [\"a\", \"b\"]}]}",
            ),
            (
                "a = <<-EOT\n    one\n      two\n  EOT\n",
                "{\"a\": \"one\n  two\n\"}",
            ),
            (
                "a = \"x ${var.y} $${z}\"\nb = var.c\n",
                "{\"a\": `x ${var.y} ${z}`, \"b\": `${var.c}`}",
            ),
            (
                "locals {\n l = [\"p\", \"q\"]\n}\na = join(\"-\", local.l)\nb = concat(local.l, [\"r\"])\n",
                "{\"locals\": [{\"l\": [\"p\", \"q\"]}], \"a\": \"p-q\", \"b\": [\"p\", \"q\", \"r\"]}",
            ),
            (
                "a = file(\"${path.module}/a.rules\")\nb = file(\"gone\")\nc = f(1)\n",
                "{\"a\": \"in a file\", \"b\": `${file(\"gone\")}`, \"c\": `${f(1)}`}",
            ),
            (
                "a = jsonencode({ B = { \"c\" = null } })\n",
                "{\"a\": {\"B\": {\"c\": null}}}",
            ),
            (
                "locals {\n a = local.b\n b = local.a\n}\n",
                "{\"locals\": [{\"a\": `${local.a}`, \"b\": `${local.b}`}]}",
            ),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        assert!(shown("a = {\n").starts_with("line "));
        assert!(shown(&format!("a = {}", "[".repeat(5_000))).starts_with("line "));
    }

    #[test]
    fn texts_know_their_lines() {
        let files = MemoryInput::default();
        let json = parse("\n\na = <<EOT\nx\nEOT\nb = \"y\"\n", &files).unwrap();
        let line = |name: &str| json.get(name).unwrap().line;
        assert_eq!((line("a"), line("b")), (4, 6));
    }
}
