//! Texts that rules look for: the values of `content` and `pcre`, as patterns over bytes.

use std::fmt::Write as _;

use super::super::regex::from_perl;
use super::buffer::{self, Named};
use super::parse::quoted;
use super::unsupported::Unsupported;

/// What is looked for in a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Bytes, perhaps at an end of the buffer.
    Literal(Literal),
    /// A regular expression in our syntax.
    Expression(String),
    /// The buffer has at least so many bytes.
    AtLeast(usize),
}

/// Bytes, perhaps at an end of the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) bytes: Vec<u8>,
    pub(super) starts: bool,
    pub(super) ends: bool,
    pub(super) nocase: bool,
}

impl Pattern {
    /// The same question as a regular expression.
    pub(super) fn expression(&self) -> String {
        match self {
            Self::Literal(literal) => literal.expression(),
            Self::Expression(expression) => expression.clone(),
            Self::AtLeast(bytes_count) => format!("(?s)^.{{{bytes_count}}}"),
        }
    }
}

impl Literal {
    pub(super) const fn is_whole(&self) -> bool {
        self.starts && self.ends
    }

    /// # Errors
    /// When its bytes are no text.
    pub(super) fn text(&self) -> Result<&str, Unsupported> {
        std::str::from_utf8(&self.bytes).map_err(|_| Unsupported::BytesNoText)
    }

    fn expression(&self) -> String {
        format!(
            "{}{}{}{}",
            if self.nocase { "(?i)" } else { "" },
            if self.starts { "^" } else { "" },
            escaped(&self.bytes),
            if self.ends { "$" } else { "" }
        )
    }
}

/// Bytes as a regular expression that matches just them.
pub(super) fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match char::from(*byte) {
            c @ ' '..='~' => regex_syntax::escape_into(c.encode_utf8(&mut [0; 4]), &mut out),
            _ => {
                let _ = write!(out, "\\x{byte:02X}");
            }
        }
    }
    out
}

/// The value of `content`: whether it is negated, and its bytes.
///
/// # Errors
/// What is wrong with it.
pub(super) fn content(value: &str) -> Result<(bool, Vec<u8>), Unsupported> {
    let (negated, text) = inner(value)?;
    let bytes = bytes(text)?;
    if bytes.is_empty() {
        return Err(Unsupported::Empty);
    }
    Ok((negated, bytes))
}

fn inner(value: &str) -> Result<(bool, &str), Unsupported> {
    let (negated, value) = value
        .strip_prefix('!')
        .map_or((false, value), |value| (true, value.trim_start()));
    let text = quoted(value).ok_or(Unsupported::NoQuotes)?;
    Ok((negated, text))
}

/// A `pcre` with its flags understood.
#[derive(Debug)]
pub(super) struct Perl {
    pub(super) negated: bool,
    /// In our syntax.
    pub(super) expression: String,
    /// The buffer that a flag names.
    pub(super) buffer: Option<Named>,
}

/// The value of `pcre`.
///
/// # Errors
/// What is wrong with it, or what of it has no like.
pub(super) fn perl(value: &str) -> Result<Perl, Unsupported> {
    let (negated, text) = inner(value)?;
    let (expression, flags) = text
        .strip_prefix('/')
        .and_then(|text| text.rsplit_once('/'))
        .ok_or(Unsupported::NoSlashes)?;
    let mut perl = Perl {
        negated,
        expression: String::new(),
        buffer: None,
    };
    let (mut ours, mut is_anchored) = (String::new(), false);
    for flag in flags.chars() {
        match flag {
            'i' | 's' | 'm' => ours.push(flag),
            // Ways to search that change nothing about whether it matches.
            'O' | 'u' => {}
            'G' => ours.push('U'),
            'A' => is_anchored = true,
            // `$` is the very end here anyway.
            'E' => {}
            'R' => return Err(Unsupported::Relative),
            _ => {
                let named = buffer::of_flag(flag)
                    .filter(|_| perl.buffer.is_none())
                    .ok_or(Unsupported::PerlFlag(flag))?;
                perl.buffer = Some(named);
            }
        }
    }
    has_like(expression)?;
    let expression = from_perl(expression)?;
    perl.expression = match (ours.is_empty(), is_anchored) {
        (true, false) => expression,
        (false, false) => format!("(?{ours}){expression}"),
        (true, true) => format!("^(?:{expression})"),
        (false, true) => format!("(?{ours})^(?:{expression})"),
    };
    tree(&perl.expression)?;
    Ok(perl)
}

/// Refuses what both languages take, and mean differently: `x` ignores spaces in classes only there,
/// and `\v` is a class of characters there and one character here.
fn has_like(expression: &str) -> Result<(), Unsupported> {
    let mut rest = expression;
    while let Some(at) = rest.find(['\\', '(']) {
        let (found, behind) = rest.split_at(at).1.split_at(1);
        if found == "\\" {
            if behind.starts_with('v') {
                return Err(Unsupported::VerticalSpace);
            }
            let escaped = behind.chars().next().map_or(0, char::len_utf8);
            rest = behind.get(escaped..).unwrap_or("");
            continue;
        }
        rest = behind;
        let flags = behind.strip_prefix('?').unwrap_or("");
        let flags = flags.split([':', ')']).next().unwrap_or("");
        let is_flags = flags.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
        if is_flags && flags.contains('x') {
            return Err(Unsupported::Extended);
        }
    }
    Ok(())
}

/// The syntax tree of an expression, over bytes as rules have them.
///
/// # Errors
/// What is wrong with it.
pub(super) fn tree(expression: &str) -> Result<regex_syntax::hir::Hir, Unsupported> {
    regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(expression)
        .map_err(|error| {
            let text = error.to_string();
            let last = text.lines().rev().find(|line| !line.trim().is_empty());
            let why = last.unwrap_or_default().trim();
            Unsupported::Syntax(why.trim_start_matches("error: ").to_owned())
        })
}

/// Content with its escapes and its bytes in hex between bars.
fn bytes(text: &str) -> Result<Vec<u8>, Unsupported> {
    let mut out = Vec::new();
    let mut hex: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, &mut hex) {
            ('|', None) => hex = Some(String::new()),
            ('|', Some(digits)) => {
                out.extend(hex_bytes(digits)?);
                hex = None;
            }
            (c, Some(digits)) => digits.extend((!c.is_whitespace()).then_some(c)),
            ('\\', None) => match chars.next() {
                Some(c @ ('\\' | '"' | ';' | ':')) => out.extend(c.to_string().as_bytes()),
                _ => {
                    return Err(Unsupported::Escape);
                }
            },
            (c, None) => out.extend(c.to_string().as_bytes()),
        }
    }
    if hex.is_some() {
        return Err(Unsupported::Bar);
    }
    Ok(out)
}

fn hex_bytes(digits: &str) -> Result<Vec<u8>, Unsupported> {
    let bad = || Unsupported::Hex(digits.to_owned());
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return Err(bad());
    }
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(text, 16).ok()
    };
    pairs.map(|pair| byte(pair).ok_or_else(bad)).collect()
}
