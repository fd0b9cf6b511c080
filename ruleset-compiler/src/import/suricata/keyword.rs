//! The options of a rule: what it asks, what it says about itself, and what is ignored.

use sallyport_ruleset::Protocol;

use super::super::condition::{Checker, Condition, Formula, Values, operator};
use super::super::regex::from_perl;
use super::content::{self, Buffer, Content, Pattern, buffer, buffer_of_flag};
use crate::operator::Question;

/// What the options of a rule say.
#[derive(Debug, Default)]
pub(super) struct Keywords {
    /// What must hold, beside protocol, addresses and ports.
    pub(super) formulas: Vec<Formula>,
    /// `msg`
    pub(super) message: String,
    /// `sid`
    pub(super) sid: String,
    /// What is different here.
    pub(super) differences: Vec<String>,
    /// `flow:not_established`: it is about the TCP handshake.
    pub(super) handshake: bool,
    /// `flow:established`: it does not meet the TCP handshake.
    pub(super) established: bool,
    /// It looks at a server name or a request, not just at addresses and ports.
    pub(super) looks_inside: bool,
    /// It looks at a server name, which only TLS has.
    pub(super) looks_at_sni: bool,
    /// `noalert`
    pub(super) silent: bool,
}

/// Reads the options in their order: a buffer holds for what follows it.
///
/// # Errors
/// The option that cannot be carried over, and why.
pub(super) fn read(
    options: &[(String, Option<String>)],
    checker: &mut Checker,
) -> Result<Keywords, String> {
    let mut reader = KeywordReader {
        keywords: Keywords::default(),
        contents: Vec::new(),
        buffer: Buffer::Payload,
        dotprefix: false,
    };
    for (name, value) in options {
        let value = value.as_deref();
        reader
            .option(name, value)
            .map_err(|why| format!("`{name}`: {why}"))?;
    }
    reader.finish(checker)
}

struct KeywordReader {
    keywords: Keywords,
    contents: Vec<Content>,
    buffer: Buffer,
    dotprefix: bool,
}

const NOT_COUNTED: &str = "each request is told: rates are not counted";
const POSITION: &str =
    "only content at the start or the end of a buffer, or anywhere in it, is carried over";

impl KeywordReader {
    fn option(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        match name {
            "msg" => {
                let escaped = unquoted(value.unwrap_or(""));
                self.keywords.message = escaped.replace("\\\"", "\"").replace("\\;", ";");
            }
            "sid" => value.unwrap_or("").clone_into(&mut self.keywords.sid),
            "rev" | "gid" | "classtype" | "reference" | "metadata" | "priority" | "target"
            | "fast_pattern" | "rawbytes" | "requires" => {}
            "to_lowercase" | "header_lowercase" => {}
            "ssl_state" if value == Some("client_hello") => {}
            "noalert" => self.keywords.silent = true,
            "threshold" | "detection_filter" => self.differ(NOT_COUNTED),
            "flow" => self.flow(value.unwrap_or(""))?,
            "app-layer-protocol" => self.application_protocol(value.unwrap_or(""))?,
            "content" => self.content(value.unwrap_or(""))?,
            "pcre" => self.pcre(value.unwrap_or(""))?,
            "dotprefix" => self.dotprefix = true,
            "nocase" | "startswith" | "endswith" | "bsize" | "depth" | "offset" | "isdataat" => {
                self.modifier(name, value.unwrap_or(""))?;
            }
            "distance" | "within" => return Err(POSITION.to_owned()),
            "aws_domain_category" | "aws_url_category" => {
                return Err(
                    "the categories are known to AWS alone; import a list of the names".to_owned(),
                );
            }
            "geoip" => {
                return Err(
                    "countries of addresses are not known here; give the networks".to_owned(),
                );
            }
            "flowbits" | "xbits" | "flowint" | "hostbits" => {
                return Err(
                    "a rule that depends on what an earlier one remembered cannot be carried over"
                        .to_owned(),
                );
            }
            _ => match buffer(name) {
                Some(found) => self.enter(name, found),
                None => return Err("the keyword is not known here".to_owned()),
            },
        }
        Ok(())
    }

    fn differ(&mut self, difference: &str) {
        if !self
            .keywords
            .differences
            .iter()
            .any(|known| known == difference)
        {
            self.keywords.differences.push(difference.to_owned());
        }
    }

    /// A buffer holds for what follows; in the old style it stands behind its content.
    fn enter(&mut self, name: &str, found: Buffer) {
        match self.contents.last_mut() {
            Some(last) if name.starts_with("http_") && last.buffer == Buffer::Payload => {
                last.buffer = found;
            }
            _ => {
                self.buffer = found;
                self.dotprefix = false;
            }
        }
    }

    fn flow(&mut self, words: &str) -> Result<(), String> {
        for word in words.split(',').map(str::trim) {
            match word {
                "established" => self.keywords.established = true,
                "to_server" | "from_client" | "stateless" | "only_stream" | "no_stream" => {}
                "not_established" => self.keywords.handshake = true,
                "to_client" | "from_server" => {
                    return Err(
                        "it is about what the server sends; a proxy decides on the request"
                            .to_owned(),
                    );
                }
                _ => return Err(format!("`{word}` is not known here")),
            }
        }
        Ok(())
    }

    fn application_protocol(&mut self, value: &str) -> Result<(), String> {
        let name = value.split(',').next().unwrap_or("").trim();
        let (negated, name) = name
            .strip_prefix('!')
            .map_or((false, name), |name| (true, name));
        let formula = match name {
            "tls" => protocols(&[Protocol::Https, Protocol::Wss]),
            "http" | "http1" => protocols(&[Protocol::Http, Protocol::Ws]),
            "http2" => protocols(&[Protocol::H2]),
            "unknown" | "failed" => protocols(&[Protocol::Tcp]),
            _ => {
                return Err(format!(
                    "a proxy does not tell `{name}` from other protocols"
                ));
            }
        };
        self.keywords.looks_inside = true;
        self.keywords
            .formulas
            .push(if negated { formula.negated() } else { formula });
        Ok(())
    }

    fn push(&mut self, buffer: Buffer, text: Pattern, negated: bool) {
        self.contents.push(Content {
            buffer,
            text,
            negated,
            nocase: false,
            starts: false,
            ends: false,
            dotprefix: self.dotprefix,
            whole: false,
        });
    }

    fn content(&mut self, value: &str) -> Result<(), String> {
        let (negated, value) = value
            .strip_prefix('!')
            .map_or((false, value), |value| (true, value));
        let bytes = bytes(unquoted(value.trim()))?;
        let text = String::from_utf8(bytes).map_err(|_| "its bytes are no text".to_owned())?;
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        self.push(self.buffer.clone(), Pattern::Literal(text), negated);
        Ok(())
    }

    fn pcre(&mut self, value: &str) -> Result<(), String> {
        let (negated, value) = value
            .strip_prefix('!')
            .map_or((false, value), |value| (true, value));
        let text = unquoted(value.trim());
        let (expression, flags) = text
            .strip_prefix('/')
            .and_then(|text| text.rsplit_once('/'))
            .ok_or("it is not written `/expression/flags`")?;
        let (mut ours, mut found) = (String::new(), self.buffer.clone());
        for flag in flags.chars() {
            match flag {
                'i' | 's' | 'm' | 'x' => ours.push(flag),
                // Ways to search that change nothing about whether it matches.
                'O' | 'u' => {}
                'G' => ours.push('U'),
                'R' => return Err("it goes on where the last content ended".to_owned()),
                'A' | 'E' => return Err(format!("the flag `{flag}` is not carried over")),
                _ => {
                    found = buffer_of_flag(flag)
                        .ok_or_else(|| format!("the flag `{flag}` is not known here"))?
                }
            }
        }
        let expression = from_perl(expression)?;
        let expression = if ours.is_empty() {
            expression
        } else {
            format!("(?{ours}){expression}")
        };
        self.push(found, Pattern::Expression(expression), negated);
        Ok(())
    }

    fn modifier(&mut self, name: &str, value: &str) -> Result<(), String> {
        let content = self
            .contents
            .last_mut()
            .ok_or("there is no content before it")?;
        let Pattern::Literal(text) = &content.text else {
            return Err("it stands behind a `pcre`".to_owned());
        };
        let bytes_count = text.len();
        match name {
            "nocase" => content.nocase = true,
            "startswith" => content.starts = true,
            "endswith" => content.ends = true,
            "bsize" if value.parse() == Ok(bytes_count) => content.whole = true,
            "depth" if value.parse() == Ok(bytes_count) => content.starts = true,
            "offset" if value == "0" => {}
            // Nothing follows the content: the old way to say `endswith`.
            "isdataat" if value.replace(' ', "") == "!1,relative" => content.ends = true,
            _ => return Err(POSITION.to_owned()),
        }
        Ok(())
    }

    fn finish(mut self, checker: &mut Checker) -> Result<Keywords, String> {
        for content in std::mem::take(&mut self.contents) {
            let (formula, difference) = content::formula(&content, checker)?;
            self.keywords.looks_inside = true;
            let is_sni = content.buffer == Buffer::Field(sallyport_ruleset::Field::TlsSni);
            self.keywords.looks_at_sni |= is_sni;
            self.keywords.formulas.push(formula);
            if let Some(difference) = difference {
                self.differ(difference);
            }
        }
        Ok(self.keywords)
    }
}

/// Any of these words of `request:Protocol`.
pub(super) fn protocols(words: &[Protocol]) -> Formula {
    let values = Values {
        name: "protocols".to_owned(),
        origin: String::new(),
        items: words.iter().map(|word| word.name().to_owned()).collect(),
    };
    Condition::new(
        sallyport_ruleset::Field::Protocol,
        operator(Question::Equals, false),
        values,
    )
    .into()
}

fn unquoted(text: &str) -> &str {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text)
}

/// Content with its escapes and its bytes in hex between bars.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
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
            ('\\', None) => out.extend(chars.next().unwrap_or('\\').to_string().as_bytes()),
            (c, None) => out.extend(c.to_string().as_bytes()),
        }
    }
    if hex.is_some() {
        return Err("a bar is missing".to_owned());
    }
    Ok(out)
}

fn hex_bytes(digits: &str) -> Result<Vec<u8>, String> {
    let bad = || format!("`{digits}` is not bytes in hex");
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

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn shown(options: &str) -> String {
        let rule = parse::rule(&format!("drop tcp any any -> any any ({options})")).unwrap();
        let keywords = match read(&rule.options, &mut Checker::default()) {
            Ok(keywords) => keywords,
            Err(why) => return why,
        };
        let show = |condition: &Condition| {
            let field = condition.field.to_string();
            let field = field.rsplit(':').next().unwrap_or_default().to_owned();
            format!(
                "{field} {} {}",
                condition.operator.name,
                condition.values.items.join("|")
            )
        };
        let rules = Formula::all(keywords.formulas).alternatives().unwrap();
        let rules: Vec<String> = rules
            .iter()
            .map(|rule| rule.iter().map(show).collect::<Vec<_>>().join(" & "))
            .collect();
        rules.join(" or ")
    }

    #[test]
    fn contents_become_conditions() {
        for (options, expected) in [
            (
                r#"tls.sni; dotprefix; content:".x.test"; nocase; endswith;"#,
                "TlsSni DomainMatch x.test",
            ),
            (
                r#"tls.sni; content:"X.test"; startswith; endswith;"#,
                "TlsSni StringEquals x.test",
            ),
            (
                r#"tls.sni; content:"x.test"; bsize:6;"#,
                "TlsSni StringEquals x.test",
            ),
            (
                r#"tls.sni; content:"x.test"; endswith;"#,
                "TlsSni StringLike *x.test",
            ),
            (
                r#"tls.sni; content:"x.test"; isdataat:!1,relative;"#,
                "TlsSni StringLike *x.test",
            ),
            (
                r#"tls.sni; content:"ssm."; startswith; content:".aws.test"; endswith; nocase;"#,
                "TlsSni StringLike ssm.* & TlsSni StringLike *.aws.test",
            ),
            (
                r#"tls.sni; content:!"x.test"; endswith;"#,
                "TlsSni Null false & TlsSni StringNotLike *x.test",
            ),
            (
                r#"tls.sni; pcre:"/^a[0-9]+\.x\.test$/i";"#,
                r"TlsSni StringMatches (?i)^a[0-9]+\.x\.test$",
            ),
        ] {
            assert_eq!(shown(options), expected, "{options}");
        }
    }

    #[test]
    fn contents_of_requests_become_conditions() {
        for (options, expected) in [
            (
                r#"http.host; content:"x.test"; startswith; endswith;"#,
                "DestinationDomain StringEquals x.test",
            ),
            (
                r#"http.host; content:!"x.test"; endswith;"#,
                "DestinationDomain StringNotLike *x.test",
            ),
            (
                r#"http.method; content:"POST";"#,
                "Method StringEquals POST",
            ),
            (
                r#"http.uri; content:"/admin"; startswith;"#,
                "Uri StringMatches (?:^/admin)",
            ),
            (
                r#"http.uri; content:"a.b?c"; nocase;"#,
                r"Uri StringMatches (?i)a\.b\?c",
            ),
            (
                r#"content:"/old"; http_uri; nocase;"#,
                "Uri StringMatches (?i)/old",
            ),
            (
                r#"http.user_agent; content:"curl|2f|8";"#,
                "UserAgent StringLike *curl/8*",
            ),
            (
                r#"http.user_agent; content:"a*b"; startswith;"#,
                r"UserAgent StringMatches ^a\*b",
            ),
            (
                r#"http.header; content:"X-Team|3a 20|red|0d 0a|";"#,
                "Header/x-team StringEquals red",
            ),
            (
                r#"http.header; content:"X-Team: red"; nocase;"#,
                "Header/x-team StringMatches (?i)^red",
            ),
            (
                r#"ja4.hash; content:"t13d"; startswith;"#,
                "Ja4 StringLike t13d*",
            ),
            (r#"pcre:"/x/U";"#, "Uri StringMatches (?:x)"),
            (r#"pcre:"/\<{x/U";"#, r"Uri StringMatches (?:<\{x)"),
            (
                "app-layer-protocol:!tls;",
                "Protocol StringNotEquals https|wss",
            ),
        ] {
            assert_eq!(shown(options), expected, "{options}");
        }
    }

    #[test]
    fn what_cannot_be_carried_over_is_told() {
        for (options, word) in [
            (r#"content:"x";"#, "bytes of the connection"),
            (r#"tls.cert_issuer; content:"x";"#, "tls.cert_issuer"),
            (
                r#"http.uri; content:"a"; content:"b"; distance:1;"#,
                "distance",
            ),
            (r#"http.uri; pcre:"/(?=x)y/";"#, "look-around"),
            (r#"http.uri; pcre:"/(a)\1/";"#, "backreferences"),
            (r#"http.uri; pcre:"/a++/";"#, "possessive"),
            ("flow:to_client;", "server sends"),
            ("flowbits:isset,x;", "remembered"),
            ("frobnicate:1;", "not known"),
            (r#"tls.sni; content:"|ff|";"#, "no text"),
            (r#"tls.sni; content:"x"; depth:9;"#, "start or the end"),
        ] {
            assert!(
                shown(options).contains(word),
                "{options}: {}",
                shown(options)
            );
        }
    }
}
