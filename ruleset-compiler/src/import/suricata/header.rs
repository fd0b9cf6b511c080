//! Content among all header lines, `Name: value`, as a question about that header.

use sallyport_ruleset::Field;

use super::text::{Literal, Pattern};
use super::unsupported::Unsupported;

/// What is not the same about it.
pub(super) const DIFFERENT: &str = "just the header of that name is asked; on the firewall the text may stand anywhere in the header lines";

/// The header that content names, and what its value begins with.
///
/// # Errors
/// When it is no such content.
pub(super) fn line(pattern: &Pattern) -> Result<(Field, Literal), Unsupported> {
    let Pattern::Literal(literal) = pattern else {
        return Err(Unsupported::HeaderForm);
    };
    let text = literal.text()?;
    let text = text.strip_prefix("\r\n").unwrap_or(text);
    let (name, value) = text.split_once(':').ok_or(Unsupported::HeaderForm)?;
    let field = Field::parse(&format!("request:Http:Header/{}", name.trim()))
        .ok_or(Unsupported::HeaderForm)?;
    let (value, is_whole_line) = match value.strip_suffix("\r\n") {
        Some(value) => (value, true),
        None => (value, false),
    };
    let value = value.trim_start();
    if value.is_empty() || value.contains(['\r', '\n']) {
        return Err(Unsupported::HeaderForm);
    }
    let literal = Literal {
        bytes: value.as_bytes().to_vec(),
        starts: true,
        ends: is_whole_line,
        nocase: literal.nocase,
    };
    Ok((field, literal))
}
