//! Patterns over a URI whose escapes are decoded, as questions about `request:Http:Uri`, where
//! escapes of reserved characters and of what no URI can hold are kept (RFC 3986 section 2.2).
//!
//! Each byte that a pattern matches becomes the ways in which the normal form of rules can have it.
//! Rules ask an expression of the path and of path and query; the end of the buffer is that of path
//! and query, so it takes more than one question.

use std::fmt::Write as _;

use regex_syntax::hir::{Class, Hir, HirKind, Look};
use sallyport_ruleset::Field;
use sallyport_ruleset::normalize::is_uri_byte;

use super::super::condition::{Checker, Condition, Formula, Values, operator};
use super::bound::{Bound, Difference};
use super::text::{Literal, Pattern, tree};
use super::unsupported::Unsupported;
use crate::operator::Question;

/// A byte of the decoded text, whatever it is.
const ANY: &str = "(?:[^%]|%[0-9A-F]{2})";
/// The same, where several slashes count as one.
const ANY_WIDER: &str = "(?:(?:/|%2F|%5C)+|[^%]|%[0-9A-F]{2})";
/// A class of nothing.
const NOTHING: &str = r"[^\x00-\xFF]";
/// There is a query.
const QUERY: &str = r"\?";

const END: &str = "an end of path and query may also be the end of the path before a query";
const SLASHES_WIDER: &str =
    "several slashes and backslashes match as one, in a query as well as in a path";
const SLASHES_NARROWER: &str =
    "several slashes and backslashes are not matched as one, as the firewall does in a path";
const LENGTH: &str = "the firewall counts several slashes of a path as one";
/// Several slashes, which are one there.
const DOUBLED: &str = "(?:/|%2F|%5C){2}";
const PLAIN_END: &str = "it is asked of requests without a query only";

/// What a pattern over the decoded path and query asks.
///
/// # Errors
/// Why it cannot be said.
pub(super) fn decoded(
    pattern: &Pattern,
    bound: Bound,
    checker: &mut Checker,
) -> Result<(Formula, Option<Difference>), Unsupported> {
    match pattern {
        Pattern::AtLeast(bytes_count) => {
            let (formula, difference) = length(*bytes_count, None, bound, checker)?;
            Ok((formula, Some(difference)))
        }
        Pattern::Literal(literal) => Ok((
            of_literal(literal, bound, checker)?,
            slashes(has_slash(literal, bound), bound),
        )),
        Pattern::Expression(expression) => {
            let tree = tree(expression)?;
            let encoded = encoded(&tree, bound)?;
            let (formula, difference) = of_expression(&tree, &encoded, bound, checker)?;
            let slashes = slashes(counts_slashes(&tree), bound);
            Ok((formula, difference.or(slashes)))
        }
    }
}

/// Whether slashes matter to a literal. One at the start of all is in the path: there it is matched as it is by
/// the firewall, where more may match.
fn has_slash(literal: &Literal, bound: Bound) -> bool {
    let mut slashes = (0..).zip(&literal.bytes).filter(|(_, byte)| **byte == b'/');
    let is_exact = |at: usize| at == 0 && literal.starts && bound == Bound::Wider;
    slashes.any(|(at, _)| !is_exact(at))
}

/// Whether it makes a difference to an expression how many slashes stand in a row. A class that is repeated
/// without end takes any number.
fn counts_slashes(tree: &Hir) -> bool {
    match tree.kind() {
        HirKind::Repetition(repetition)
            if repetition.min <= 1
                && repetition.max.is_none()
                && matches!(repetition.sub.kind(), HirKind::Class(_)) =>
        {
            false
        }
        HirKind::Repetition(repetition) => counts_slashes(&repetition.sub),
        HirKind::Capture(capture) => counts_slashes(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(counts_slashes),
        _ => may_hold(tree, b'/'),
    }
}

/// The firewall takes several slashes and backslashes of a path for one slash.
fn slashes(has_slash: bool, bound: Bound) -> Option<Difference> {
    has_slash.then(|| match bound {
        Bound::Wider => Difference::wider(SLASHES_WIDER),
        Bound::Narrower => Difference::narrower(SLASHES_NARROWER),
    })
}

/// What a pattern over the text as it was sent asks of the normal form: only where more may match.
///
/// # Errors
/// Why it cannot be said.
pub(super) fn raw(
    pattern: &Pattern,
    bound: Bound,
    checker: &mut Checker,
) -> Result<(Formula, Option<Difference>), Unsupported> {
    if bound == Bound::Narrower {
        return Err(Unsupported::RawUri);
    }
    let expression = match pattern {
        Pattern::AtLeast(bytes_count) => format!("(?s)^.{{{bytes_count}}}"),
        other => other.expression(),
    };
    tree(&expression)?;
    let difference = Difference::narrower(
        "it is asked of the normal form of the URI: escapes of letters decoded, dot segments removed, an end perhaps that of the path",
    );
    Ok((matches(&expression, checker)?, Some(difference)))
}

/// A number of bytes of path and query, decoded. Where there are several slashes in a row the count is not that
/// of the firewall: such requests match where more may, and do not where fewer may.
///
/// # Errors
/// Why it cannot be said.
pub(super) fn length(
    least: usize,
    most: Option<usize>,
    bound: Bound,
    checker: &mut Checker,
) -> Result<(Formula, Difference), Unsupported> {
    let at_least = |bytes_count: usize, checker: &mut Checker| {
        matches(&format!("^{ANY}{{{bytes_count}}}"), checker)
    };
    let mut parts = vec![at_least(least, checker)?];
    if let Some(most) = most {
        parts.push(at_least(most.saturating_add(1), checker)?.negated());
    }
    let doubled = matches(DOUBLED, checker)?;
    Ok(match (bound, most) {
        // What is long enough there is so here.
        (Bound::Wider, None) => (Formula::all(parts), Difference::wider(LENGTH)),
        (Bound::Wider, Some(_)) => (
            Formula::any([Formula::all(parts), doubled]),
            Difference::wider(LENGTH),
        ),
        (Bound::Narrower, _) => {
            parts.push(doubled.negated());
            (Formula::all(parts), Difference::narrower(LENGTH))
        }
    })
}

/// A number of bytes of path and query as they are sent: that of the normal form may be more or less.
///
/// # Errors
/// Why it cannot be said.
pub(super) fn raw_length(
    least: usize,
    most: Option<usize>,
    bound: Bound,
    checker: &mut Checker,
) -> Result<(Formula, Difference), Unsupported> {
    if bound == Bound::Narrower {
        return Err(Unsupported::RawLength);
    }
    let at_least = |bytes_count: usize, checker: &mut Checker| {
        matches(&format!("(?s)^.{{{bytes_count}}}"), checker)
    };
    let mut parts = vec![at_least(least, checker)?];
    if let Some(most) = most {
        parts.push(at_least(most.saturating_add(1), checker)?.negated());
    }
    let difference = Difference::either("the length is that of the normal form of path and query");
    Ok((Formula::all(parts), difference))
}

/// An end of a literal is that of path and query, so it is asked apart: without a query, and with
/// one, where its `?` stands before the literal or is one of its own.
fn of_literal(
    literal: &Literal,
    bound: Bound,
    checker: &mut Checker,
) -> Result<Formula, Unsupported> {
    let text = bytes_expression(&literal.bytes, literal.nocase, bound);
    let start = if literal.starts { "^" } else { "" };
    if !literal.ends {
        return matches(&format!("{start}{text}"), checker);
    }
    let without_query = Formula::all([
        matches(QUERY, checker)?.negated(),
        matches(&format!("{start}{text}$"), checker)?,
    ]);
    let mut ways = vec![without_query];
    if !literal.starts {
        ways.push(matches(&format!(r"\?(?s:.*){text}$"), checker)?);
    }
    for (at, _) in literal
        .bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'?')
    {
        let (before, behind) = literal.bytes.split_at(at);
        let behind = behind.get(1..).unwrap_or_default();
        let before = bytes_expression(before, literal.nocase, bound);
        let behind = bytes_expression(behind, literal.nocase, bound);
        ways.push(matches(&format!(r"{start}{before}\?{behind}$"), checker)?);
    }
    Ok(Formula::any(ways))
}

/// The same for an expression with an end, where its `?` cannot stand in the expression itself.
fn of_expression(
    tree: &Hir,
    encoded: &str,
    bound: Bound,
    checker: &mut Checker,
) -> Result<(Formula, Option<Difference>), Unsupported> {
    let found = matches(encoded, checker)?;
    if !tree.properties().look_set().contains(Look::End) {
        return Ok((found, None));
    }
    let without_query = Formula::all([matches(QUERY, checker)?.negated(), found.clone()]);
    if let Some(body) = before_end(tree).filter(|body| !may_hold(body, b'?')) {
        let looks = body.properties().look_set_prefix();
        if looks.contains(Look::Start) {
            return Ok((without_query, None));
        }
        if !body.properties().look_set().contains(Look::Start) {
            let mut behind = r"\?(?s:.*)".to_owned();
            encode(&body, bound, &mut behind)?;
            behind.push('$');
            return Ok((
                Formula::any([without_query, matches(&behind, checker)?]),
                None,
            ));
        }
    }
    Ok(match bound {
        Bound::Wider => (found, Some(Difference::wider(END))),
        Bound::Narrower => (without_query, Some(Difference::narrower(PLAIN_END))),
    })
}

/// What stands before the end that an expression asks for; `None` if it asks for one elsewhere.
fn before_end(tree: &Hir) -> Option<Hir> {
    let HirKind::Concat(parts) = tree.kind() else {
        return None;
    };
    let (last, before) = parts.split_last()?;
    let before = Hir::concat(before.to_vec());
    let is_end = matches!(last.kind(), HirKind::Look(Look::End));
    (is_end && !before.properties().look_set().contains(Look::End)).then_some(before)
}

/// Whether something that an expression matches may have this byte, which is ASCII, in it.
fn may_hold(tree: &Hir, byte: u8) -> bool {
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&byte),
        HirKind::Class(Class::Bytes(class)) => class
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&byte)),
        HirKind::Class(Class::Unicode(class)) => class
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&char::from(byte))),
        HirKind::Repetition(repetition) => may_hold(&repetition.sub, byte),
        HirKind::Capture(capture) => may_hold(&capture.sub, byte),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().any(|part| may_hold(part, byte))
        }
    }
}

/// An expression, which rules ask of the path, and of path and query.
fn matches(expression: &str, checker: &mut Checker) -> Result<Formula, Unsupported> {
    let expression = expression.to_owned();
    checker.check(&Field::HttpUri, Question::Matches, &expression)?;
    let values = Values {
        name: "uri".to_owned(),
        origin: String::new(),
        items: vec![expression],
    };
    Ok(Condition::new(Field::HttpUri, operator(Question::Matches, false), values).into())
}

fn bytes_expression(bytes: &[u8], nocase: bool, bound: Bound) -> String {
    let mut out = String::new();
    for byte in bytes {
        let other = if byte.is_ascii_lowercase() {
            byte.to_ascii_uppercase()
        } else {
            byte.to_ascii_lowercase()
        };
        if nocase && byte.is_ascii_alphabetic() {
            let _ = write!(out, "[{}{}]", char::from(*byte), char::from(other));
        } else {
            byte_expression(*byte, bound, &mut out);
        }
    }
    out
}

/// The ways in which the normal form has a byte of the decoded text.
fn byte_expression(byte: u8, bound: Bound, out: &mut String) {
    let itself = regex_syntax::escape(&char::from(byte).to_string());
    let _ = match byte {
        b'\\' if bound == Bound::Narrower => write!(out, "{NOTHING}"),
        // A firewall takes several slashes for one, and backslashes for slashes; whether it does is
        // a setting, so that is not relied on where more would match.
        b'/' if bound == Bound::Wider => write!(out, "(?:/|%2F|%5C)+"),
        _ if is_unreserved(byte) => write!(out, "{itself}"),
        _ if is_uri_byte(byte) => write!(out, "(?:{itself}|%{byte:02X})"),
        _ => write!(out, "%{byte:02X}"),
    };
}

/// RFC 3986 section 2.3: what the normal form never has escaped.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The expression over the normal form that matches where this one matches the decoded text.
fn encoded(tree: &Hir, bound: Bound) -> Result<String, Unsupported> {
    let mut out = String::new();
    encode(tree, bound, &mut out)?;
    Ok(out)
}

fn encode(tree: &Hir, bound: Bound, out: &mut String) -> Result<(), Unsupported> {
    match tree.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => {
            for byte in &literal.0 {
                byte_expression(*byte, bound, out);
            }
        }
        HirKind::Class(class) => class_expression(class, bound, out)?,
        HirKind::Look(Look::Start) => out.push('^'),
        HirKind::Look(Look::End) => out.push('$'),
        HirKind::Look(_) => {
            return Err(Unsupported::UriBounds);
        }
        HirKind::Repetition(repetition) => {
            group(&repetition.sub, bound, out)?;
            let _ = match (repetition.min, repetition.max) {
                (least, Some(most)) => write!(out, "{{{least},{most}}}"),
                (least, None) => write!(out, "{{{least},}}"),
            };
        }
        HirKind::Capture(capture) => group(&capture.sub, bound, out)?,
        HirKind::Concat(parts) => {
            for part in parts {
                encode(part, bound, out)?;
            }
        }
        HirKind::Alternation(parts) => {
            for (at, part) in parts.iter().enumerate() {
                out.push_str(if at == 0 { "(?:" } else { "|" });
                encode(part, bound, out)?;
            }
            out.push(')');
        }
    }
    Ok(())
}

fn group(tree: &Hir, bound: Bound, out: &mut String) -> Result<(), Unsupported> {
    out.push_str("(?:");
    encode(tree, bound, out)?;
    out.push(')');
    Ok(())
}

fn class_expression(class: &Class, bound: Bound, out: &mut String) -> Result<(), Unsupported> {
    let mut wanted = [false; 256];
    let mut want = |first: u32, last: u32| {
        for (byte, is_wanted) in (0_u32..).zip(&mut wanted) {
            *is_wanted |= (first..=last).contains(&byte);
        }
    };
    match class {
        Class::Bytes(class) => class
            .iter()
            .for_each(|range| want(range.start().into(), range.end().into())),
        Class::Unicode(class) if class.is_ascii() => class
            .iter()
            .for_each(|range| want(range.start().into(), range.end().into())),
        Class::Unicode(_) => {
            return Err(Unsupported::UriClass);
        }
    }
    let is_wanted = |byte: u8| wanted.get(usize::from(byte)).copied().unwrap_or(false);
    let is_any =
        (0..=u8::MAX).all(|byte| is_wanted(byte) || (byte == b'\n' && bound == Bound::Wider));
    if is_any {
        out.push_str(if bound == Bound::Wider {
            ANY_WIDER
        } else {
            ANY
        });
        return Ok(());
    }
    let mut ways = Vec::new();
    if is_wanted(b'/') && bound == Bound::Wider {
        ways.push("(?:/|%2F|%5C)+".to_owned());
    }
    let plain: Vec<u8> = (0..=u8::MAX)
        .filter(|byte| is_wanted(*byte) && is_uri_byte(*byte))
        .collect();
    if !plain.is_empty() {
        ways.push(ranges(&plain, &is_wanted));
    }
    // A firewall may take a backslash for a slash.
    let is_slash = |byte| byte == b'\\' && bound == Bound::Narrower;
    ways.extend(escapes(|byte| {
        is_wanted(byte) && !is_unreserved(byte) && !is_slash(byte)
    }));
    if ways.is_empty() {
        ways.push(NOTHING.to_owned());
    }
    let _ = write!(out, "(?:{})", ways.join("|"));
    Ok(())
}

/// A class of these bytes. What is between two of them and is in no normal form does not end a
/// range, but for the sign of an escape.
fn ranges(bytes: &[u8], is_wanted: &impl Fn(u8) -> bool) -> String {
    let mut found: Vec<(u8, u8)> = Vec::new();
    for byte in bytes {
        let joins = |last: u8| {
            (last + 1..*byte).all(|between| {
                between != b'%' && !is_uri_byte(between) && (is_wanted(between) || between < 0x80)
            })
        };
        match found.last_mut() {
            Some((_, last)) if joins(*last) => *last = *byte,
            _ => found.push((*byte, *byte)),
        }
    }
    let mut out = "[".to_owned();
    for (first, last) in found {
        let shown = |byte: u8| regex_syntax::escape(&char::from(byte).to_string());
        out.push_str(&shown(first));
        if first != last {
            let _ = write!(out, "-{}", shown(last));
        }
    }
    out.push(']');
    out
}

/// Escapes of bytes, those with the same second digits together.
fn escapes(is_wanted: impl Fn(u8) -> bool) -> Vec<String> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut rows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (high, first) in (0_u8..).zip(DIGITS) {
        let low: Vec<u8> = (0_u8..)
            .zip(DIGITS)
            .filter(|(low, _)| is_wanted(high << 4 | low))
            .map(|(_, digit)| *digit)
            .collect();
        if low.is_empty() {
            continue;
        }
        match rows.iter_mut().find(|(_, known)| *known == low) {
            Some((firsts, _)) => firsts.push(*first),
            None => rows.push((vec![*first], low)),
        }
    }
    let shown = |digits: &[u8]| match digits {
        [only] => char::from(*only).to_string(),
        digits if digits.len() == DIGITS.len() => "[0-9A-F]".to_owned(),
        digits => format!("[{}]", String::from_utf8_lossy(digits)),
    };
    rows.iter()
        .map(|(first, second)| format!("%{}{}", shown(first), shown(second)))
        .collect()
}
