//! Regular expressions that were written for URLs whose escapes are decoded, in the form that finds
//! the same in URLs as rules see them: in their normal form, where escapes stay.
//!
//! A byte of a decoded URL is written there in one of two ways: as itself, or as `%XX`. Unreserved
//! characters are always themselves, what no URL can hold is always escaped, and the others may be
//! either. So each character or class of an expression becomes a choice of both.

use std::fmt::Write as _;

use regex_syntax::ast::{self, Ast, parse::Parser};
use regex_syntax::hir::{Class, Hir, HirKind};
use sallyport_ruleset::normalize::is_uri_byte;

use super::expression_error::ExpressionError;

/// Any one byte of a decoded text.
pub(super) const ANY: &str = "(?:[^%]|%[0-9A-F]{2})";
/// A byte that is in no word.
const NO_WORD: &str = "(?:[^0-9A-Za-z_%]|%[0-9A-F]{2})";

/// A set of bytes.
type Set = [bool; 256];

/// The expression for escaped texts. It has no flags: with `ignore_case` it must be given `(?i)`.
///
/// # Errors
/// What cannot be said of escaped texts.
pub(super) fn over_escaped(pattern: &str, ignore_case: bool) -> Result<String, ExpressionError> {
    let ast = Parser::new().parse(pattern)?;
    let mut rewriter = Rewriter {
        pattern,
        ignore_case,
        edits: Vec::new(),
    };
    rewriter.walk(&ast, (true, true))?;
    let mut out = String::with_capacity(pattern.len());
    let mut done = 0;
    for (span, text) in rewriter.edits {
        out.push_str(pattern.get(done..span.start.offset).unwrap_or(""));
        out.push_str(&text);
        done = span.end.offset;
    }
    out.push_str(pattern.get(done..).unwrap_or(""));
    Ok(out)
}

/// Whether a match of the expression may begin with a digit: such a match must not begin within an
/// escape.
pub(super) fn may_begin_with_digit(pattern: &str) -> bool {
    bytes_parser(false)
        .parse(pattern)
        .map_or(true, |hir| first(&hir).0.iter().any(u8::is_ascii_digit))
}

fn bytes_parser(ignore_case: bool) -> regex_syntax::Parser {
    regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .dot_matches_new_line(true)
        .case_insensitive(ignore_case)
        .build()
}

/// The bytes that a match can begin with, and whether it can be empty.
fn first(hir: &Hir) -> (Vec<u8>, bool) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (Vec::new(), true),
        HirKind::Literal(literal) => (literal.0.first().copied().into_iter().collect(), false),
        HirKind::Class(class) => (class_bytes(class), false),
        HirKind::Repetition(repetition) => {
            let (bytes, empty) = first(&repetition.sub);
            (bytes, empty || repetition.min == 0)
        }
        HirKind::Capture(capture) => first(&capture.sub),
        HirKind::Concat(parts) => {
            let mut bytes = Vec::new();
            for part in parts {
                let (more, empty) = first(part);
                bytes.extend(more);
                if !empty {
                    return (bytes, false);
                }
            }
            (bytes, true)
        }
        HirKind::Alternation(parts) => {
            let found = parts.iter().map(first);
            found.fold((Vec::new(), false), |(mut bytes, empty), (more, other)| {
                bytes.extend(more);
                (bytes, empty || other)
            })
        }
    }
}

fn class_bytes(class: &Class) -> Vec<u8> {
    match class {
        Class::Bytes(class) => class
            .iter()
            .flat_map(|range| range.start()..=range.end())
            .collect(),
        Class::Unicode(class) => class
            .iter()
            .flat_map(|range| range.start()..=range.end())
            .filter_map(|c| u8::try_from(c).ok())
            .collect(),
    }
}

struct Rewriter<'p> {
    pattern: &'p str,
    ignore_case: bool,
    /// In the order of the pattern.
    edits: Vec<(ast::Span, String)>,
}

impl Rewriter<'_> {
    /// `at`: whether the part stands at the start of the whole expression, and at its end.
    fn walk(&mut self, ast: &Ast, at: (bool, bool)) -> Result<(), ExpressionError> {
        match ast {
            Ast::Empty(_) => {}
            Ast::Flags(_) => return Err(ExpressionError::Flags),
            Ast::Literal(literal) => self.literal(literal),
            Ast::Dot(span) => self.edits.push((**span, ANY.to_owned())),
            Ast::Assertion(assertion) => self.assertion(assertion, at)?,
            Ast::ClassUnicode(class) => self.class(class.span)?,
            Ast::ClassPerl(class) => self.class(class.span)?,
            Ast::ClassBracketed(class) => self.class(class.span)?,
            Ast::Repetition(repetition) => self.walk(&repetition.ast, (false, false))?,
            Ast::Group(group) => self.walk(&group.ast, at)?,
            Ast::Alternation(alternation) => {
                for branch in &alternation.asts {
                    self.walk(branch, at)?;
                }
            }
            Ast::Concat(concat) => {
                let last = concat.asts.len().saturating_sub(1);
                for (number, part) in concat.asts.iter().enumerate() {
                    self.walk(part, (at.0 && number == 0, at.1 && number == last))?;
                }
            }
        }
        Ok(())
    }

    fn literal(&mut self, literal: &ast::Literal) {
        let mut utf8 = [0; 4];
        let bytes = literal.c.encode_utf8(&mut utf8).as_bytes();
        if let [byte] = bytes {
            let mut set: Set = [false; 256];
            if let Some(member) = set.get_mut(usize::from(*byte)) {
                *member = true;
            }
            self.edits
                .extend(written(&set).map(|text| (literal.span, text)));
        } else {
            let mut text = "(?:".to_owned();
            for byte in bytes {
                // Writing to a string cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
            text.push(')');
            self.edits.push((literal.span, text));
        }
    }

    fn class(&mut self, span: ast::Span) -> Result<(), ExpressionError> {
        let text = self.pattern.get(span.start.offset..span.end.offset);
        let text = text.unwrap_or("");
        if !text.is_ascii() {
            return Err(ExpressionError::ClassBeyondAscii);
        }
        let hir = bytes_parser(self.ignore_case)
            .parse(text)
            .map_err(|_| ExpressionError::ClassOfBytes(text.to_owned()))?;
        let mut set: Set = [false; 256];
        for byte in first(&hir).0 {
            if let Some(member) = set.get_mut(usize::from(byte)) {
                *member = true;
            }
        }
        self.edits.extend(written(&set).map(|text| (span, text)));
        Ok(())
    }

    /// The ends of words are known where the expression itself ends: what stands before or after it
    /// is in no word.
    fn assertion(
        &mut self,
        assertion: &ast::Assertion,
        at: (bool, bool),
    ) -> Result<(), ExpressionError> {
        use ast::AssertionKind as Kind;
        let is_start = matches!(
            assertion.kind,
            Kind::WordBoundary | Kind::WordBoundaryStart | Kind::WordBoundaryStartAngle
        );
        let is_end = matches!(
            assertion.kind,
            Kind::WordBoundary | Kind::WordBoundaryEnd | Kind::WordBoundaryEndAngle
        );
        match (&assertion.kind, at) {
            (Kind::StartLine | Kind::StartText | Kind::EndLine | Kind::EndText, _) => {}
            (_, (true, false)) if is_start => {
                self.edits
                    .push((assertion.span, format!("(?:^|{NO_WORD})")));
            }
            (_, (false, true)) if is_end => {
                self.edits
                    .push((assertion.span, format!("(?:{NO_WORD}|$)")));
            }
            _ => return Err(ExpressionError::WordEnd),
        }
        Ok(())
    }
}

/// How the bytes of a set are written in escaped texts; `None`: as they are.
fn written(set: &Set) -> Option<String> {
    let members = || (0..=255_u8).filter(|byte| set.get(usize::from(*byte)) == Some(&true));
    let escaped: Vec<u8> = members().filter(|byte| !is_unreserved(*byte)).collect();
    if escaped.is_empty() {
        return None;
    }
    // An IPv6 address has its brackets.
    let plain: Vec<u8> = members()
        .filter(|byte| is_uri_byte(*byte) || matches!(byte, b'[' | b']'))
        .collect();
    let escape = format!("%{}", hex(&escaped));
    Some(match plain.as_slice() {
        [] => format!("(?:{escape})"),
        plain => format!("(?:{}|{escape})", class(plain)),
    })
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// A class of bytes that are ASCII.
fn class(bytes: &[u8]) -> String {
    let literal = |byte: u8| {
        let c = char::from(byte);
        if regex_syntax::is_meta_character(c) {
            format!("\\{c}")
        } else {
            c.to_string()
        }
    };
    if let [only] = bytes {
        return literal(*only);
    }
    let mut text = "[".to_owned();
    for (from, to) in runs(bytes) {
        text.push_str(&literal(from));
        if to > from {
            if to > from + 1 {
                text.push('-');
            }
            text.push_str(&literal(to));
        }
    }
    text.push(']');
    text
}

/// The two hex digits of bytes that are given in order.
fn hex(bytes: &[u8]) -> String {
    let mut by_lows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for high in 0..16_u8 {
        let of_high = bytes.iter().filter(|byte| *byte >> 4 == high);
        let lows: Vec<u8> = of_high.map(|byte| byte & 15).collect();
        if lows.is_empty() {
            continue;
        }
        match by_lows.iter_mut().find(|(known, _)| *known == lows) {
            Some((_, highs)) => highs.push(high),
            None => by_lows.push((lows, vec![high])),
        }
    }
    let digits = |nibbles: &[u8]| {
        let digit = |nibble: &u8| match nibble {
            0..=9 => b'0' + nibble,
            _ => b'A' + nibble - 10,
        };
        class(&nibbles.iter().map(digit).collect::<Vec<_>>())
    };
    let choices: Vec<String> = by_lows
        .iter()
        .map(|(lows, highs)| format!("{}{}", digits(highs), digits(lows)))
        .collect();
    match choices.as_slice() {
        [only] => only.clone(),
        _ => format!("(?:{})", choices.join("|")),
    }
}

fn runs(bytes: &[u8]) -> Vec<(u8, u8)> {
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for byte in bytes {
        match runs.last_mut() {
            Some((_, to)) if to.checked_add(1) == Some(*byte) => *to = *byte,
            _ => runs.push((*byte, *byte)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex_automata::nfa::thompson::pikevm::PikeVM;
    use sallyport_ruleset::normalize::normalize_uri;

    #[test]
    fn what_may_be_escaped_is_a_choice() {
        for (pattern, ours) in [
            ("casino", "casino"),
            (r"\.exe$", r"\.exe$"),
            ("[a-z0-9_]+", "[a-z0-9_]+"),
            ("/ads/", "(?:/|%2F)ads(?:/|%2F)"),
            ("a b", "a(?:%20)b"),
            ("é?", "(?:%C3%A9)?"),
            (r"a\+b", r"a(?:\+|%2B)b"),
            (
                r"\<ads\>",
                r"(?:^|(?:[^0-9A-Za-z_%]|%[0-9A-F]{2}))ads(?:(?:[^0-9A-Za-z_%]|%[0-9A-F]{2})|$)",
            ),
        ] {
            assert_eq!(over_escaped(pattern, false).as_deref(), Ok(ours));
        }
        assert!(over_escaped(r"a\bb", false).is_err());
        assert!(may_begin_with_digit("[0-9]+x") && may_begin_with_digit("a?.x"));
        assert!(!may_begin_with_digit("casino"));
    }

    /// Percent-escapes decoded, each once.
    fn decoded(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = text;
        while let [first, after @ ..] = rest {
            rest = after;
            let digits = after
                .get(..2)
                .and_then(|digits| str::from_utf8(digits).ok());
            match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                Some(byte) if *first == b'%' => {
                    out.push(byte);
                    rest = after.get(2..).unwrap_or_default();
                }
                _ => out.push(*first),
            }
        }
        out
    }

    fn machine(pattern: &str) -> PikeVM {
        let syntax = regex_automata::util::syntax::Config::new()
            .unicode(false)
            .utf8(false)
            .dot_matches_new_line(true);
        PikeVM::builder().syntax(syntax).build(pattern).unwrap()
    }

    proptest! {
        #[test]
        fn the_same_is_found(
            pattern in r"(\^)?(a|/|\.|b c|\[\^a/\]|\[/-9\]|é|%|\\\+|[a-c ]){1,4}(\$)?",
            path in "/[a-c/ %.+é0-9]{0,8}|/(%2[0-9a-fA-F]|a|b){0,6}",
        ) {
            let decoding = machine(&pattern);
            let mut normal = Vec::new();
            normalize_uri(path.as_bytes(), &mut normal);
            let ours = over_escaped(&pattern, false).unwrap();
            let ours = if may_begin_with_digit(&pattern) && !pattern.starts_with('^') {
                format!("^{ANY}*(?:{ours})")
            } else {
                ours
            };
            let is_match = |machine: &PikeVM, text: &[u8]| {
                machine.is_match(&mut machine.create_cache(), text)
            };
            let expected = is_match(&decoding, &decoded(&normal));
            prop_assert_eq!(is_match(&machine(&ours), &normal), expected, "{} {:?}", ours, path);
        }
    }
}
