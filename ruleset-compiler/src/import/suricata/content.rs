//! `content` and `pcre` over the buffers that a proxy knows: a server name, a host, a URI, a
//! header.

use sallyport_ruleset::{Field, FieldType};

use super::super::condition::{Checker, Condition, Formula, Values, operator};
use crate::operator::Question;

/// Where something is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Buffer {
    /// One field.
    Field(Field),
    /// All header lines of the request.
    Headers,
    /// The bytes of the connection.
    Payload,
    /// A buffer that is not known here, by its name.
    Unknown(String),
}

/// One `content` with its modifiers.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) buffer: Buffer,
    pub(super) text: Pattern,
    pub(super) negated: bool,
    pub(super) nocase: bool,
    pub(super) starts: bool,
    pub(super) ends: bool,
    /// The buffer is taken with a dot before it.
    pub(super) dotprefix: bool,
    /// The buffer is exactly so long.
    pub(super) whole: bool,
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Bytes that are text.
    Literal(String),
    /// A regular expression in our syntax.
    Expression(String),
}

/// The buffer that a keyword names; `None` if it names none.
pub(super) fn buffer(keyword: &str) -> Option<Buffer> {
    let header = |name: &str| Field::RequestHeader(name.into());
    Some(match keyword {
        "tls.sni" | "tls_sni" => Buffer::Field(Field::TlsSni),
        "http.host" | "http_host" => Buffer::Field(Field::DestinationDomain),
        "http.host.raw" | "http_raw_host" => Buffer::Field(Field::HttpHost),
        "http.method" | "http_method" => Buffer::Field(Field::HttpMethod),
        "http.uri" | "http_uri" | "http.uri.raw" | "http_raw_uri" => Buffer::Field(Field::HttpUri),
        "http.user_agent" | "http_user_agent" => Buffer::Field(Field::HttpUserAgent),
        "http.content_type" | "http_content_type" => Buffer::Field(Field::HttpContentType),
        "http.referer" | "http_referer" => Buffer::Field(header("referer")),
        "http.cookie" | "http_cookie" => Buffer::Field(header("cookie")),
        "http.accept" | "http_accept" => Buffer::Field(header("accept")),
        "http.accept_lang" | "http_accept_lang" => Buffer::Field(header("accept-language")),
        "http.accept_enc" | "http_accept_enc" => Buffer::Field(header("accept-encoding")),
        "http.header"
        | "http_header"
        | "http.header.raw"
        | "http_raw_header"
        | "http.request_header" => Buffer::Headers,
        "ja4.hash" => Buffer::Field(Field::Ja4),
        other => {
            let known = [
                "http.", "http_", "tls.", "tls_", "dns.", "dns_", "ssh.", "ssh_", "file.", "file_",
                "ja3", "ja4", "smtp.", "smb.", "ftp", "quic.", "sip.", "krb5", "mqtt.",
            ];
            if other == "pkt_data" {
                return Some(Buffer::Payload);
            }
            return known
                .iter()
                .any(|prefix| other.starts_with(prefix))
                .then(|| Buffer::Unknown(other.to_owned()));
        }
    })
}

/// The buffer that a letter behind a `pcre` names.
pub(super) fn buffer_of_flag(flag: char) -> Option<Buffer> {
    Some(match flag {
        'U' | 'I' => Buffer::Field(Field::HttpUri),
        'M' => Buffer::Field(Field::HttpMethod),
        'W' => Buffer::Field(Field::DestinationDomain),
        'Z' => Buffer::Field(Field::HttpHost),
        'V' => Buffer::Field(Field::HttpUserAgent),
        'H' | 'D' => Buffer::Headers,
        'C' => Buffer::Field(Field::RequestHeader("cookie".into())),
        _ => return None,
    })
}

/// A condition, and what is different about it.
pub(super) type Asked = (Formula, Option<&'static str>);

/// What one `content` or `pcre` asks.
///
/// # Errors
/// Why it cannot be carried over.
pub(super) fn formula(content: &Content, checker: &mut Checker) -> Result<Asked, String> {
    let (field, content) = match &content.buffer {
        Buffer::Field(field) => (field.clone(), content.clone()),
        Buffer::Headers => header_line(content)?,
        Buffer::Payload => {
            return Err(
                "it looks into the bytes of the connection; a proxy decides by names and heads"
                    .to_owned(),
            );
        }
        Buffer::Unknown(name) => return Err(format!("the buffer `{name}` is not known here")),
    };
    let (plain, difference) = positive(&field, &content, checker)?;
    if !content.negated {
        return Ok((plain, difference));
    }
    // Nothing is asked of a buffer that is not there. A request always has a host: where it has no
    // name, it is an address, which does not match.
    let there = match field {
        Field::DestinationDomain => Formula::Always,
        field => Condition::null(field, false).into(),
    };
    Ok((Formula::all([there, plain.negated()]), difference))
}

fn positive(field: &Field, content: &Content, checker: &mut Checker) -> Result<Asked, String> {
    let lower = field.field_type() == FieldType::Domain || *field == Field::HttpContentType;
    let mut difference = None;
    let text = match &content.text {
        Pattern::Expression(expression) => {
            let says_case = expression.starts_with("(?i)");
            let expression = if lower && !says_case {
                format!("(?i){expression}")
            } else {
                expression.clone()
            };
            let expression = in_uri(field, expression);
            let formula = condition(field, Question::Matches, expression, checker)?;
            return Ok((formula, uri_difference(field)));
        }
        Pattern::Literal(text) => text,
    };
    if lower && !content.nocase && text.chars().any(|c| c.is_ascii_uppercase()) {
        difference = Some("names and content types are compared without regard to case");
    }
    let text = if lower {
        text.to_ascii_lowercase()
    } else {
        text.clone()
    };
    if *field == Field::HttpMethod && !(content.starts && content.ends) && !content.whole {
        difference = Some("the whole method is compared, not a part of it");
    }
    if content.dotprefix {
        return dot_prefixed(field, &text, content, checker).map(|formula| (formula, difference));
    }
    let is_whole = content.whole || (content.starts && content.ends) || *field == Field::HttpMethod;
    let nocase = content.nocase && !lower;
    let formula = if is_whole && *field != Field::HttpUri {
        let question = if nocase {
            Question::EqualsIgnoreCase
        } else {
            Question::Equals
        };
        condition(field, question, text, checker)?
    } else if *field == Field::HttpUri || nocase || text.contains(['*', '?']) {
        let expression = expression(
            &text,
            is_whole || content.starts,
            is_whole || content.ends,
            nocase,
        );
        difference = difference.or_else(|| uri_difference(field));
        condition(field, Question::Matches, in_uri(field, expression), checker)?
    } else {
        let pattern = format!(
            "{}{text}{}",
            if content.starts { "" } else { "*" },
            if content.ends { "" } else { "*" }
        );
        condition(field, Question::Like, pattern, checker)?
    };
    Ok((formula, difference))
}

/// `.example.com` at the end of a name with a dot before it: the name and all names under it.
fn dot_prefixed(
    field: &Field,
    text: &str,
    content: &Content,
    checker: &mut Checker,
) -> Result<Formula, String> {
    if field.field_type() != FieldType::Domain {
        return Err("`dotprefix` is carried over for `tls.sni` and `http.host` only".to_owned());
    }
    let below = text.strip_prefix('.');
    match (
        below,
        content.starts || content.whole,
        content.ends || content.whole,
    ) {
        (Some(name), false, true) => condition(field, Question::Domain, name.to_owned(), checker),
        (Some(name), true, true) => condition(field, Question::Equals, name.to_owned(), checker),
        (Some(name), true, false) => condition(field, Question::Like, format!("{name}*"), checker),
        (Some(name), false, false) => Ok(Formula::any([
            condition(field, Question::Like, format!("{name}*"), checker)?,
            condition(field, Question::Like, format!("*.{name}*"), checker)?,
        ])),
        (None, true, _) => Ok(Formula::Never),
        (None, false, true) => condition(field, Question::Like, format!("*{text}"), checker),
        (None, false, false) => condition(field, Question::Like, format!("*{text}*"), checker),
    }
}

/// `Name: value` among the header lines, as a question about that header.
fn header_line(content: &Content) -> Result<(Field, Content), String> {
    const WHY: &str = "of all header lines only content such as `Name: value` is carried over";
    let Pattern::Literal(text) = &content.text else {
        return Err(WHY.to_owned());
    };
    let (name, value) = text.split_once(':').ok_or(WHY)?;
    let field = Field::parse(&format!("request:Http:Header/{}", name.trim())).ok_or(WHY)?;
    let (value, ends) = match value.strip_suffix("\r\n") {
        Some(value) => (value, true),
        None => (value, false),
    };
    let value = value.trim_start();
    if value.is_empty() || value.contains(['\r', '\n']) {
        return Err(WHY.to_owned());
    }
    let content = Content {
        buffer: Buffer::Field(field.clone()),
        text: Pattern::Literal(value.to_owned()),
        starts: true,
        ends,
        whole: false,
        ..content.clone()
    };
    Ok((field, content))
}

fn expression(text: &str, starts: bool, ends: bool, nocase: bool) -> String {
    format!(
        "{}{}{}{}",
        if nocase { "(?i)" } else { "" },
        if starts { "^" } else { "" },
        regex_syntax::escape(text),
        if ends { "$" } else { "" }
    )
}

/// Rules ask an expression without a question mark of the path alone; the buffer has the query.
fn in_uri(field: &Field, expression: String) -> String {
    if *field == Field::HttpUri && !expression.contains('?') {
        format!("(?:{expression})")
    } else {
        expression
    }
}

const fn uri_difference(field: &Field) -> Option<&'static str> {
    match field {
        Field::HttpUri => Some(
            "matched against path and query in the normal form of rules, and against the path alone: an end of the URI may be that of the path",
        ),
        _ => None,
    }
}

fn condition(
    field: &Field,
    question: Question,
    item: String,
    checker: &mut Checker,
) -> Result<Formula, String> {
    checker.check(field, question, &item)?;
    let values = Values {
        name: "content".to_owned(),
        origin: String::new(),
        items: vec![item],
    };
    Ok(Condition::new(field.clone(), operator(question, false), values).into())
}
