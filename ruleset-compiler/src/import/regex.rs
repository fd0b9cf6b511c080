//! Regular expressions of other tools in the syntax that rules have.
//!
//! POSIX extended expressions (Squid) differ in brackets and in braces that repeat nothing. Perl's
//! (Suricata) differ in what may stand for itself unescaped; what has no like (look-around,
//! back-references, atomic groups) is left as it is, for the parser to refuse.

use regex_syntax::ast::{Ast, parse::Parser};

use super::expression_error::ExpressionError;

/// A POSIX extended expression, as the GNU library reads it.
#[must_use]
pub(super) fn from_posix(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or("");
        rest = match c {
            '\\' => escape(after, &mut out),
            '[' => bracket(after, &mut out),
            '{' if !is_repetition(after) => {
                out.push_str("\\{");
                after
            }
            '}' if !closes_repetition(&out) => {
                out.push_str("\\}");
                after
            }
            _ => {
                out.push(c);
                after
            }
        };
    }
    out
}

/// A Perl expression (pcre2pattern(3)).
///
/// # Errors
/// For a possessive quantifier: here it would be a repetition of a repetition, which matches more.
pub(super) fn from_perl(pattern: &str) -> Result<String, ExpressionError> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    // Behind a quantifier a `+` would make it possessive.
    let mut is_quantified = false;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or("");
        let was_quantified = std::mem::take(&mut is_quantified);
        rest = match c {
            '\\' => perl_escape(after, &mut out, false),
            '[' => perl_class(after, &mut out),
            '{' if is_repetition(after) => {
                let (inside, behind) = after.split_once('}').unwrap_or((after, ""));
                out.push('{');
                out.push_str(inside);
                out.push('}');
                is_quantified = true;
                behind
            }
            '{' | '}' => {
                literal(c, &mut out);
                after
            }
            '+' if was_quantified => return Err(ExpressionError::Possessive),
            _ => {
                // A lazy one ends there.
                is_quantified = matches!(c, '*' | '+') || (c == '?' && !was_quantified);
                out.push(c);
                // `(?` is no quantifier.
                match (c, after.strip_prefix('?')) {
                    ('(', Some(group)) => {
                        out.push('?');
                        group
                    }
                    _ => after,
                }
            }
        };
    }
    Ok(out)
}

/// What follows a backslash in a Perl expression.
fn perl_escape<'p>(after: &'p str, out: &mut String, in_class: bool) -> &'p str {
    let Some(c) = after.chars().next() else {
        out.push('\\');
        return after;
    };
    match c {
        'b' if in_class => out.push_str("\\x08"),
        'e' => out.push_str("\\x1B"),
        // The end, or before a line feed at it.
        'Z' if !in_class => out.push_str("(?:\\n?\\z)"),
        _ if c.is_ascii_alphanumeric() => {
            out.push('\\');
            out.push(c);
        }
        _ => literal(c, out),
    }
    after.get(c.len_utf8()..).unwrap_or("")
}

/// A character class of a Perl expression: `[` in it is itself, and so is a `-` beside a class.
fn perl_class<'p>(after: &'p str, out: &mut String) -> &'p str {
    out.push('[');
    let mut rest = after;
    if let Some(negated) = rest.strip_prefix('^') {
        out.push('^');
        rest = negated;
    }
    let mut is_first = true;
    // `\d`, `[:alpha:]`: no range begins with one.
    let mut was_class = false;
    while let Some(c) = rest.chars().next() {
        let next = rest.get(c.len_utf8()..).unwrap_or("");
        if c == ']' && !is_first {
            out.push(']');
            return next;
        }
        is_first = false;
        let is_after_class = std::mem::take(&mut was_class);
        if let Some((name, behind)) = rest
            .strip_prefix("[:")
            .and_then(|named| named.split_once(":]"))
            .filter(|(name, _)| {
                name.bytes()
                    .all(|byte| byte == b'^' || byte.is_ascii_lowercase())
            })
        {
            out.push_str("[:");
            out.push_str(name);
            out.push_str(":]");
            was_class = true;
            rest = behind;
            continue;
        }
        rest = match c {
            '\\' => {
                was_class = is_class_escape(next);
                perl_escape(next, out, true)
            }
            '-' if is_after_class || next.strip_prefix('\\').is_some_and(is_class_escape) => {
                out.push_str("\\-");
                next
            }
            '-' => {
                out.push('-');
                next
            }
            _ => {
                literal(c, out);
                next
            }
        };
    }
    rest
}

/// Whether what follows a backslash is a class of characters.
fn is_class_escape(after: &str) -> bool {
    after.starts_with(['d', 'D', 's', 'S', 'w', 'W'])
}

/// What follows a backslash outside brackets.
fn escape<'p>(after: &'p str, out: &mut String) -> &'p str {
    let Some(c) = after.chars().next() else {
        out.push_str("\\\\");
        return after;
    };
    match c {
        'w' | 'W' | 's' | 'S' | 'b' | 'B' | '<' | '>' => {
            out.push('\\');
            out.push(c);
        }
        '`' => out.push_str("\\A"),
        '\'' => out.push_str("\\z"),
        // A back-reference: left as it is, for the parser to refuse.
        '1'..='9' => {
            out.push('\\');
            out.push(c);
        }
        _ => literal(c, out),
    }
    after.get(c.len_utf8()..).unwrap_or("")
}

/// One character that stands for itself.
fn literal(c: char, out: &mut String) {
    if regex_syntax::is_meta_character(c) {
        out.push('\\');
    }
    out.push(c);
}

/// A bracket expression (POSIX 9.3.5): a backslash is itself, `]` at the start too.
fn bracket<'p>(after: &'p str, out: &mut String) -> &'p str {
    out.push('[');
    let mut rest = after;
    if let Some(negated) = rest.strip_prefix('^') {
        out.push('^');
        rest = negated;
    }
    let mut first = true;
    while let Some(c) = rest.chars().next() {
        let next = rest.get(c.len_utf8()..).unwrap_or("");
        if c == ']' && !first {
            out.push(']');
            return next;
        }
        first = false;
        if let Some(named) = rest
            .strip_prefix("[:")
            .and_then(|named| named.split_once(":]"))
        {
            out.push_str("[:");
            out.push_str(named.0);
            out.push_str(":]");
            rest = named.1;
            continue;
        }
        // A `-` is literal at the ends and joins a range elsewhere, in both languages.
        if c != '-' && regex_syntax::is_meta_character(c) {
            out.push('\\');
        }
        out.push(c);
        rest = next;
    }
    rest
}

/// Whether a `{` with this behind it repeats what is before it.
fn is_repetition(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else {
        return false;
    };
    let (from, to) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !from.is_empty() && digits(from) && digits(to)
}

fn closes_repetition(out: &str) -> bool {
    let open = out.rfind('{');
    open.is_some_and(|open| {
        let inside = out.get(open + 1..).unwrap_or("");
        let escaped = out.get(..open).is_some_and(|before| before.ends_with('\\'));
        !escaped && !inside.contains('}') && is_repetition(&format!("{inside}}}"))
    })
}

/// The parts of an expression that follow each other, for each of the alternatives at its top.
///
/// # Errors
/// When it does not parse; the reason.
pub(super) fn alternatives(pattern: &str) -> Result<Vec<Vec<Part>>, ExpressionError> {
    let ast = Parser::new().parse(pattern)?;
    let branches = match &ast {
        Ast::Alternation(alternation) => alternation.asts.as_slice(),
        other => std::slice::from_ref(other),
    };
    Ok(branches
        .iter()
        .map(|branch| parts(pattern, branch))
        .collect())
}

/// One part of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// As it is written.
    pub(super) text: String,
    /// The character, if it is just one.
    pub(super) literal: Option<char>,
    /// `^` or `$`.
    pub(super) anchor: Option<Anchor>,
}

/// An end of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// `^`
    Start,
    /// `$`
    End,
}

impl Part {
    /// Whether the end of the text is asked for within it.
    #[must_use]
    pub(super) fn has_end(&self) -> bool {
        self.looks().contains(regex_syntax::hir::Look::End)
    }

    /// The same of the start.
    #[must_use]
    pub(super) fn has_start(&self) -> bool {
        self.looks().contains(regex_syntax::hir::Look::Start)
    }

    fn looks(&self) -> regex_syntax::hir::LookSet {
        let found = regex_syntax::ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(&self.text);
        found.map_or_else(
            |_| regex_syntax::hir::LookSet::full(),
            |hir| hir.properties().look_set(),
        )
    }

    /// Whether it matches just one byte: a character, a class.
    #[must_use]
    pub(super) fn is_one_byte(&self) -> bool {
        let found = regex_syntax::ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(&self.text);
        found.is_ok_and(|hir| {
            let length = (
                hir.properties().minimum_len(),
                hir.properties().maximum_len(),
            );
            length == (Some(1), Some(1)) && hir.properties().look_set().is_empty()
        })
    }

    /// Whether something that the part matches holds this byte.
    #[must_use]
    pub(super) fn may_match(&self, byte: u8) -> bool {
        let found = regex_syntax::ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(&self.text);
        found.map_or(true, |hir| holds(&hir, byte))
    }
}

fn holds(hir: &regex_syntax::hir::Hir, byte: u8) -> bool {
    use regex_syntax::hir::{Class, HirKind};
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&byte),
        HirKind::Class(Class::Bytes(class)) => class
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&byte)),
        HirKind::Class(Class::Unicode(class)) => class
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&char::from(byte))),
        HirKind::Repetition(repetition) => holds(&repetition.sub, byte),
        HirKind::Capture(capture) => holds(&capture.sub, byte),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().any(|part| holds(part, byte))
        }
    }
}

fn parts(pattern: &str, branch: &Ast) -> Vec<Part> {
    use regex_syntax::ast::AssertionKind;
    let asts = match branch {
        Ast::Concat(concat) => concat.asts.as_slice(),
        Ast::Empty(_) => &[],
        other => std::slice::from_ref(other),
    };
    let part = |ast: &Ast| {
        let span = ast.span();
        let (literal, anchor) = match ast {
            Ast::Literal(literal) => (Some(literal.c), None),
            Ast::Assertion(assertion) => match assertion.kind {
                AssertionKind::StartLine | AssertionKind::StartText => (None, Some(Anchor::Start)),
                AssertionKind::EndLine | AssertionKind::EndText => (None, Some(Anchor::End)),
                _ => (None, None),
            },
            _ => (None, None),
        };
        Part {
            text: pattern
                .get(span.start.offset..span.end.offset)
                .unwrap_or("")
                .to_owned(),
            literal,
            anchor,
        }
    };
    asts.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sallyport_ruleset::matcher::regex::check;

    #[test]
    fn posix_becomes_ours() {
        for (posix, ours) in [
            (r"\.exe$", r"\.exe$"),
            (r"[\.x]", r"[\\\.x]"),
            ("[]a]", r"[\]a]"),
            ("[^]a-z-]", r"[^\]a-z-]"),
            ("[[:digit:]&&b]", r"[[:digit:]\&\&b]"),
            ("a{2,3}b{", r"a{2,3}b\{"),
            ("a}", r"a\}"),
            (r"\/x\-y\_z\@", r"/x\-y_z@"),
            (r"\<ads\>", r"\<ads\>"),
            ("(a|b)+?", "(a|b)+?"),
        ] {
            assert_eq!(from_posix(posix), ours, "{posix}");
            assert_eq!(check(ours), Ok(()), "{ours}");
        }
        assert!(check(&from_posix(r"(a)\1")).is_err());
    }

    #[test]
    fn perl_becomes_ours() {
        for (perl, ours) in [
            (r"^/a\.exe$", r"^/a\.exe$"),
            (r"\<script\>\/\_\~", r"<script>/_\~"),
            (r"a{b}c{2,3}d{,4}x}", r"a\{b\}c{2,3}d\{,4\}x\}"),
            (r"[[({]x[^[:alpha:][]", r"[\[\(\{]x[^[:alpha:]\[]"),
            (r"[]a-z\]&&~~\<\b]", r"[\]a-z\]\&\&\~\~<\x08]"),
            (r"[\w-.][a-\d]", r"[\w\-\.][a\-\d]"),
            (r"(?:a+?b*)??(?i)c+", r"(?:a+?b*)??(?i)c+"),
            (r"x\d\x41\Z", r"x\d\x41(?:\n?\z)"),
        ] {
            assert_eq!(from_perl(perl).as_deref(), Ok(ours), "{perl}");
            assert_eq!(check(ours), Ok(()), "{ours}");
        }
        for possessive in ["a++", "a*+b", "a?+", "a{2}+"] {
            assert!(from_perl(possessive).is_err(), "{possessive}");
        }
        for unlike in [r"(a)\1", "(?=a)", "(?>a)", r"\Qa\E", "["] {
            assert!(check(&from_perl(unlike).unwrap()).is_err(), "{unlike}");
        }
    }

    #[test]
    fn parts_of_expressions() {
        let found = alternatives(r"^http://a\.b/[^/]*|x$").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0][0].anchor, Some(Anchor::Start));
        assert_eq!(found[0][1].literal, Some('h'));
        let last = found[0].last().unwrap();
        assert!(!last.may_match(b'/') && last.may_match(b'a'));
        assert_eq!(found[1][1].anchor, Some(Anchor::End));
        assert!(alternatives("(").is_err());
    }
}
