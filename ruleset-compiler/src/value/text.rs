//! Text values in the normal form of their field, by the same code that the engine applies to
//! the fields of requests.

use sallyport_ruleset::matcher::regex::{self, RegexError};
use sallyport_ruleset::normalize::{
    DomainError, normalize_content_type, normalize_domain, normalize_method, normalize_uri,
    normalize_uri_pattern,
};
use sallyport_ruleset::{Field, FieldType, Protocol, limits};

use super::BadValue;
use crate::diagnostic::Code;
use crate::operator::Question;
use crate::suggest::did_you_mean;

/// What a text value of a condition must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextForm {
    /// Taken as it is.
    AsIs,
    /// A domain name.
    Domain,
    /// A wildcard pattern for domain names.
    DomainPattern,
    /// Path and query.
    Uri,
    /// A wildcard pattern for path and query.
    UriPattern,
    /// An HTTP method.
    Method,
    /// A content type, or a wildcard pattern for one.
    ContentType,
    /// A word of `request:Protocol`.
    Protocol,
    /// A regular expression.
    Regex,
}

impl TextForm {
    /// The form of values that answer `question` about `field`.
    #[must_use]
    pub fn of(field: &Field, question: Question) -> Self {
        let pattern = match question {
            Question::Matches => return Self::Regex,
            Question::Like => true,
            _ => false,
        };
        match field {
            _ if field.field_type() == FieldType::Domain && pattern => Self::DomainPattern,
            _ if field.field_type() == FieldType::Domain => Self::Domain,
            Field::HttpUri if pattern => Self::UriPattern,
            Field::HttpUri => Self::Uri,
            Field::HttpMethod if !pattern => Self::Method,
            Field::Protocol if !pattern => Self::Protocol,
            Field::HttpContentType | Field::ResponseContentType => Self::ContentType,
            _ => Self::AsIs,
        }
    }
}

/// Brings text values into a form; keeps its buffers between values.
#[derive(Debug, Default)]
pub struct Normalizer {
    text: String,
    bytes: Vec<u8>,
}

impl Normalizer {
    /// The value in its normal form.
    ///
    /// # Errors
    /// When the value is not what the form asks for, and so could never match.
    pub fn apply<'a>(&'a mut self, form: TextForm, value: &'a str) -> Result<&'a str, BadValue> {
        if value.len() > limits::VALUE_BYTES_MAX {
            return Err(BadValue::new(
                Code::ValueTooLong,
                format!("the value has {} bytes", value.len()),
                format!("at most {} bytes", limits::VALUE_BYTES_MAX),
            ));
        }
        match form {
            TextForm::AsIs => Ok(value),
            TextForm::Domain => {
                normalize_domain(value, &mut self.text).map_err(|error| bad_domain(value, error))
            }
            TextForm::DomainPattern => {
                domain_pattern(value, &mut self.text)?;
                Ok(&self.text)
            }
            TextForm::Uri | TextForm::UriPattern => self.uri(form, value),
            TextForm::Method => normalize_method(value).map_err(|error| {
                BadValue::new(
                    Code::BadMethod,
                    format!("`{value}` is not a method"),
                    error.to_string(),
                )
            }),
            TextForm::ContentType => {
                normalize_content_type(value.as_bytes(), &mut self.bytes);
                Ok(std::str::from_utf8(&self.bytes).unwrap_or(value))
            }
            TextForm::Protocol => protocol(value),
            TextForm::Regex => regex::check(value)
                .map(|()| value)
                .map_err(|error| bad_regex(&error)),
        }
    }

    fn uri<'a>(&'a mut self, form: TextForm, value: &'a str) -> Result<&'a str, BadValue> {
        let pattern = form == TextForm::UriPattern;
        let may_match = value.starts_with('/')
            || value == "*"
            || (pattern && (value.starts_with('*') || value.starts_with('?')));
        if !may_match {
            let bad = BadValue::new(
                Code::BadUri,
                format!("`{value}` does not begin with `/`"),
                URI,
            );
            return Err(match value.split_once("://") {
                Some(_) => bad.help("the host is matched by `request:DestinationDomain`"),
                None => bad,
            });
        }
        if pattern {
            normalize_uri_pattern(value.as_bytes(), &mut self.bytes);
        } else {
            normalize_uri(value.as_bytes(), &mut self.bytes);
        }
        Ok(std::str::from_utf8(&self.bytes).unwrap_or(value))
    }
}

const DOMAIN: &str = "a domain name such as `example.com`";
const URI: &str = "a path, and perhaps a query: `/login`, `/search?q=1`";
const REGEX: &str =
    "a regular expression (syntax of the regex crate, no look-around, no back-references)";

/// The parser draws the expression over several lines; its last line says what is wrong.
fn bad_regex(error: &RegexError) -> BadValue {
    let text = error.to_string();
    let last = text
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let why = last.trim().trim_start_matches("error: ");
    BadValue::new(
        Code::BadRegex,
        format!("bad regular expression: {why}"),
        REGEX,
    )
}

fn bad_domain(value: &str, error: DomainError) -> BadValue {
    let bad = BadValue::new(
        Code::BadDomain,
        format!("`{value}` is not a domain name: {error}"),
        DOMAIN,
    );
    if error == DomainError::IpLiteral || value.parse::<std::net::Ipv6Addr>().is_ok() {
        return bad.help("addresses are matched by `request:DestinationIp` with `IpAddress`");
    }
    if value.contains("://") {
        return bad.help("give only the name, without scheme and path");
    }
    if let Some(name) = value.strip_prefix('.') {
        return bad.help(format!(
            "`DomainMatch` with `{name}` matches the name and all names under it; JSON is read so that `{value}` means the names under it with `--aws-suffix-equals`"
        ));
    }
    if let Some(name) = value.strip_prefix("*.") {
        return bad.help(format!(
            "`DomainMatch` with `{name}` matches the name and all names under it; `StringLike` knows wildcards"
        ));
    }
    if value.contains(['*', '?']) {
        return bad.help("wildcards need `StringLike`");
    }
    bad
}

/// Lower case, no trailing dot, labels without wildcards to ASCII. Characters that no name has
/// are refused, since the pattern could never match.
fn domain_pattern(value: &str, out: &mut String) -> Result<(), BadValue> {
    const EXPECTED: &str = "a pattern of domain names such as `*.example.com`";
    let bad = |why: &str| {
        BadValue::new(
            Code::BadPattern,
            format!("`{value}` cannot match a domain name: {why}"),
            EXPECTED,
        )
    };
    out.clear();
    let value_without_dot = value.strip_suffix('.').unwrap_or(value);
    if value_without_dot.is_empty() {
        return Err(bad("it is empty"));
    }
    let mut scratch = String::new();
    for (position, label) in value_without_dot.split('.').enumerate() {
        if position > 0 {
            out.push('.');
        }
        if label.is_ascii() {
            out.push_str(label);
        } else if label.contains(['*', '?']) {
            return Err(bad(
                "a label has a wildcard beside a letter that is not ASCII",
            ));
        } else {
            let ascii =
                normalize_domain(label, &mut scratch).map_err(|error| bad(&error.to_string()))?;
            out.push_str(ascii);
        }
    }
    out.make_ascii_lowercase();
    match out
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !"-_.*?".contains(*c))
    {
        Some(c) => Err(bad(&format!("no name has a `{c}`"))),
        None => Ok(()),
    }
}

fn protocol(value: &str) -> Result<&str, BadValue> {
    let words = || Protocol::ALL.into_iter().map(Protocol::name);
    if words().any(|word| word == value) {
        return Ok(value);
    }
    let list: Vec<String> = words().map(|word| format!("`{word}`")).collect();
    let mut bad = BadValue::new(
        Code::UnknownWord,
        format!("unknown protocol `{value}`"),
        format!("one of {}", list.join(", ")),
    );
    bad.help = did_you_mean(value, words());
    Err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(form: TextForm, value: &str) -> Result<String, BadValue> {
        Normalizer::default().apply(form, value).map(str::to_owned)
    }

    #[test]
    fn domains_and_their_patterns() {
        assert_eq!(
            apply(TextForm::Domain, "Bücher.Example.").as_deref(),
            Ok("xn--bcher-kva.example")
        );
        assert_eq!(
            apply(TextForm::DomainPattern, "*.Bücher.Example.").as_deref(),
            Ok("*.xn--bcher-kva.example")
        );
        assert_eq!(
            apply(TextForm::DomainPattern, "Paste.*").as_deref(),
            Ok("paste.*")
        );
        for bad in ["", ".", "b*ü.com", "a b", "http://x", "*/x"] {
            assert!(apply(TextForm::DomainPattern, bad).is_err(), "{bad}");
        }
        let help = |value| {
            apply(TextForm::Domain, value)
                .unwrap_err()
                .help
                .unwrap_or_default()
        };
        assert!(help("10.1.2.3").contains("request:DestinationIp"));
        assert!(help("*.x.com").contains("DomainMatch"));
        assert!(help("https://x.com/").contains("without scheme"));
    }

    #[test]
    fn paths_methods_and_content_types() {
        assert_eq!(apply(TextForm::Uri, "/a/%62/../c").as_deref(), Ok("/a/c"));
        assert_eq!(apply(TextForm::UriPattern, "/%61*").as_deref(), Ok("/a*"));
        assert!(apply(TextForm::Uri, "a/b").is_err());
        assert!(
            apply(TextForm::UriPattern, "http://x/*")
                .unwrap_err()
                .help
                .is_some()
        );
        assert_eq!(
            apply(TextForm::ContentType, "Text/HTML ; Charset=X").as_deref(),
            Ok("text/html;charset=x")
        );
        assert!(apply(TextForm::Method, "GET /").is_err());
        assert_eq!(
            apply(TextForm::Protocol, "HTTPS")
                .unwrap_err()
                .help
                .as_deref(),
            Some("did you mean `https`?")
        );
    }
}
