//! Text values in the normal form of their field, by the same code that the engine applies to
//! the fields of requests.

use sallyport_ruleset::matcher::regex::{self, RegexError};
use sallyport_ruleset::normalize::{
    DomainError, normalize_content_type, normalize_domain, normalize_method, normalize_uri,
    normalize_uri_pattern,
};
use sallyport_ruleset::{Field, FieldType, Protocol, limits};

use super::{BadValue, url};
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
    /// A name or an address.
    Host,
    /// A host with a port.
    Authority,
    /// A URL, or a host with a port.
    Url,
    /// An HTTP method.
    Method,
    /// A content type, or a wildcard pattern for one.
    ContentType,
    /// One of a few words.
    Word {
        /// Which.
        of: Words,
        /// Letters without case.
        ignore_case: bool,
    },
    /// A JA4 fingerprint.
    Ja4,
    /// A SHA-256 fingerprint: hex digits, perhaps with colons between.
    Fingerprint,
    /// A regular expression.
    Regex,
}

/// The words that a key can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Words {
    /// Of `request:Protocol`.
    Protocol,
    /// Of `request:TlsVersion`.
    TlsVersion,
    /// Of `request:TlsEch`.
    TlsEch,
}

impl Words {
    fn all(self) -> Vec<&'static str> {
        match self {
            Self::Protocol => Protocol::ALL.into_iter().map(Protocol::name).collect(),
            Self::TlsVersion => vec!["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
            Self::TlsEch => vec!["present"],
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::TlsVersion => "TLS version",
            Self::TlsEch => "word for an encrypted ClientHello",
        }
    }
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
            Field::DestinationHost if !pattern => Self::Host,
            Field::Authority if !pattern => Self::Authority,
            Field::Url if !pattern => Self::Url,
            Field::HttpMethod if !pattern => Self::Method,
            Field::Protocol if !pattern => Self::word(Words::Protocol, question),
            Field::TlsVersion if !pattern => Self::word(Words::TlsVersion, question),
            Field::TlsEch if !pattern => Self::word(Words::TlsEch, question),
            Field::Ja4 if !pattern => Self::Ja4,
            Field::ResponseTlsSha256 if !pattern => Self::Fingerprint,
            Field::HttpContentType | Field::ResponseContentType => Self::ContentType,
            _ => Self::AsIs,
        }
    }

    fn word(of: Words, question: Question) -> Self {
        Self::Word {
            of,
            ignore_case: question == Question::EqualsIgnoreCase,
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
            TextForm::Host => self.composed(value, url::host_value),
            TextForm::Authority => self.composed(value, url::authority_value),
            TextForm::Url => self.composed(value, url::url_value),
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
            TextForm::Word { of, ignore_case } => word(of, ignore_case, value),
            TextForm::Ja4 => ja4(value, &mut self.text),
            TextForm::Fingerprint => fingerprint(value, &mut self.text),
            TextForm::Regex => regex::check(value)
                .map(|()| value)
                .map_err(|error| bad_regex(&error)),
        }
    }

    /// What [`sallyport_ruleset::Composed`] makes of a value.
    fn composed<'a>(
        &'a mut self,
        value: &'a str,
        normalize: fn(&str, &mut Vec<u8>) -> Result<(), BadValue>,
    ) -> Result<&'a str, BadValue> {
        normalize(value, &mut self.bytes)?;
        Ok(std::str::from_utf8(&self.bytes).unwrap_or(value))
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
                Some(_) => bad.help(
                    "the host is matched by `request:DestinationDomain`, the whole URL by `request:Url`",
                ),
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

fn word(of: Words, ignore_case: bool, value: &str) -> Result<&str, BadValue> {
    let words = of.all();
    let fits = |word: &str| word == value || (ignore_case && word.eq_ignore_ascii_case(value));
    if let Some(word) = words.iter().find(|word| fits(word)) {
        return Ok(word);
    }
    let list: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    let mut bad = BadValue::new(
        Code::UnknownWord,
        format!("unknown {} `{value}`", of.noun()),
        format!("one of {}", list.join(", ")),
    );
    bad.help = did_you_mean(value, words.iter().copied());
    Err(bad)
}

/// Ten characters to be read, then two hashes of twelve hex digits.
fn ja4<'a>(value: &str, out: &'a mut String) -> Result<&'a str, BadValue> {
    out.clear();
    out.push_str(value);
    out.make_ascii_lowercase();
    let parts: Vec<&str> = out.split('_').collect();
    let is_hash = |hash: &str| hash.len() == 12 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let good = match *parts.as_slice() {
        [head, ciphers, extensions] => {
            head.len() == 10
                && head.starts_with(['t', 'q', 'd'])
                && head.is_ascii()
                && is_hash(ciphers)
                && is_hash(extensions)
        }
        _ => false,
    };
    if good {
        return Ok(out);
    }
    Err(BadValue::new(
        Code::BadJa4,
        format!("`{value}` is not a JA4 fingerprint"),
        "one such as `t13d1516h2_8daaf6152771_e5627efa2ab1`, as the access log shows it",
    )
    .help("parts of a fingerprint are matched by `StringLike`, as in `t13*_8daaf6152771_*`"))
}

fn fingerprint<'a>(value: &str, out: &'a mut String) -> Result<&'a str, BadValue> {
    const DIGITS: usize = 64;
    out.clear();
    out.extend(value.chars().filter(|c| *c != ':'));
    out.make_ascii_lowercase();
    if out.len() == DIGITS && out.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(out);
    }
    Err(BadValue::new(
        Code::BadFingerprint,
        format!("`{value}` is not a SHA-256 fingerprint"),
        format!("{DIGITS} hex digits; colons between them are left out"),
    ))
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
    }

    #[test]
    fn words_and_fingerprints() {
        let of = |key: &str, question| TextForm::of(&Field::parse(key).unwrap(), question);
        let protocol = of("request:Protocol", Question::Equals);
        let bad = apply(protocol, "HTTPS").unwrap_err();
        assert_eq!(bad.help.as_deref(), Some("did you mean `https`?"));
        let protocol = of("request:Protocol", Question::EqualsIgnoreCase);
        assert_eq!(apply(protocol, "HTTPS").as_deref(), Ok("https"));
        let version = of("request:TlsVersion", Question::Equals);
        assert_eq!(apply(version, "TLSv1.3").as_deref(), Ok("TLSv1.3"));
        let bad = apply(version, "TLS1.3").unwrap_err();
        assert_eq!(bad.help.as_deref(), Some("did you mean `TLSv1.3`?"));
        let ja4 = of("request:Ja4", Question::Equals);
        let good = "t13d1516h2_8daaf6152771_e5627efa2ab1";
        assert_eq!(apply(ja4, good).as_deref(), Ok(good));
        assert_eq!(apply(ja4, &good.to_uppercase()).as_deref(), Ok(good));
        for bad in ["", "t13d1516h2", "x13d1516h2_8daaf6152771_e5627efa2ab1"] {
            assert!(apply(ja4, bad).is_err(), "{bad}");
        }
        assert_eq!(of("request:Ja4", Question::Like), TextForm::AsIs);
        let sha256 = of("response:TlsSha256", Question::Equals);
        let colons = ["AB"; 32].join(":");
        assert_eq!(apply(sha256, &colons), Ok("ab".repeat(32)));
        assert!(apply(sha256, "ab").is_err());
    }
}
