//! Filters of ad blockers. A proxy sees hosts, not pages: filters over whole hosts are carried
//! over, with the options that mean something to a proxy; of the rest it is told what it is.

use std::net::IpAddr;

use super::super::report::Matching;
use super::name::Name;

/// A filter over a whole host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) name: Target,
    /// `@@`: it lets pass.
    pub(super) exception: bool,
    /// `$important`: no exception holds against it.
    pub(super) important: bool,
    pub(super) scope: Scope,
    /// What is different here.
    pub(super) differences: Vec<(Matching, &'static str)>,
}

/// What a filter is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Hosts by name.
    Name(Name),
    /// A host without one.
    Address(IpAddr),
}

/// Which requests to the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// All.
    All,
    /// `$websocket`
    WebSocket,
    /// `$method=`
    Methods(Vec<String>),
}

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A filter that is carried over.
    Filter(Filter),
    /// `$badfilter`: another line does not count.
    Cancels(String),
    /// Something that is left: what it is, why, and what it is about.
    Left(&'static str, &'static str, Left),
    /// The start or the end of lines for certain programs only.
    Condition(bool),
    /// A comment.
    Nothing,
}

/// What a line that is left is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Which requests are made.
    Requests,
    /// What pages look like, or what becomes of what is requested anyway.
    Pages,
}

/// Reads one line.
pub(super) fn read(line: &str) -> Line {
    let line = line.trim();
    if let Some(directive) = line.strip_prefix("!#") {
        return directive_line(directive);
    }
    if line.is_empty() || line.starts_with('!') || (line.starts_with('[') && line.ends_with(']')) {
        return Line::Nothing;
    }
    if let Some(kind) = cosmetic(line) {
        return Line::Left(kind, "it changes pages, not requests", Left::Pages);
    }
    let (exception, body) = line
        .strip_prefix("@@")
        .map_or((false, line), |body| (true, body));
    if body.starts_with('/') && is_expression(body) {
        return Line::Left(
            "filter with a regular expression",
            "it is about URLs; only filters over whole hosts are carried over",
            Left::Requests,
        );
    }
    let (pattern, options) = split_options(body);
    if options.contains(&"badfilter") {
        return Line::Cancels(canonical(line));
    }
    network(pattern, &options, exception)
}

/// The filter with its options sorted and without `badfilter`, so that two spellings are one.
pub(super) fn canonical(line: &str) -> String {
    let (pattern, mut options) = split_options(line.trim());
    options.retain(|option| *option != "badfilter");
    options.sort_unstable();
    format!("{pattern}${}", options.join(","))
}

fn directive_line(directive: &str) -> Line {
    let word = directive.split_whitespace().next().unwrap_or("");
    match word {
        "if" => Line::Condition(true),
        "endif" => Line::Condition(false),
        "include" => Line::Left(
            "include",
            "included lists are not fetched; import them too",
            Left::Requests,
        ),
        _ => Line::Left(
            "directive",
            "it is for the program that reads the list",
            Left::Pages,
        ),
    }
}

/// Rules for the look of pages: `##`, `#@#`, `#?#`, `#$#`, `#%#`, `$$` and their like.
fn cosmetic(line: &str) -> Option<&'static str> {
    for (at, _) in line.match_indices('#') {
        let rest = line.get(at + 1..).unwrap_or("");
        let marks = rest.trim_start_matches(['@', '?', '$', '%']);
        if let Some(body) = marks.strip_prefix('#')
            && rest.len() - marks.len() <= 3
        {
            return Some(match body {
                body if body.starts_with("+js(") || body.starts_with("script:inject") => {
                    "scriptlet"
                }
                body if body.starts_with('^') => "HTML filter",
                _ => "cosmetic filter",
            });
        }
    }
    line.contains("$$").then_some("HTML filter")
}

fn is_expression(body: &str) -> bool {
    let (pattern, _) = split_options(body);
    pattern.len() > 2 && pattern.ends_with('/')
}

/// The pattern, and the options behind the last `$` that begins some.
fn split_options(body: &str) -> (&str, Vec<&str>) {
    let looks_like_options = |text: &str| {
        let name = text.trim_start_matches('~');
        let end = name
            .find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c)));
        let (name, rest) = name.split_at(end.unwrap_or(name.len()));
        !name.is_empty() && (rest.is_empty() || rest.starts_with([',', '=']))
    };
    for (at, _) in body.rmatch_indices('$') {
        let options = body.get(at + 1..).unwrap_or("");
        if looks_like_options(options) {
            return (body.get(..at).unwrap_or(""), options.split(',').collect());
        }
    }
    (body, Vec::new())
}

fn network(pattern: &str, options: &[&str], exception: bool) -> Line {
    let mut filter = Filter {
        name: Target::Name(Name::Tree(String::new())),
        exception,
        important: false,
        scope: Scope::All,
        differences: Vec::new(),
    };
    if let Err((kind, why, left)) = apply_options(options, &mut filter) {
        return Line::Left(kind, why, left);
    }
    match target(pattern) {
        Some((target, difference)) => {
            filter.name = target;
            filter.differences.extend(difference);
            Line::Filter(filter)
        }
        None => Line::Left(
            "URL filter",
            "it is about URLs; only filters over whole hosts are carried over",
            Left::Requests,
        ),
    }
}

type Refused = (&'static str, &'static str, Left);

fn apply_options(options: &[&str], filter: &mut Filter) -> Result<(), Refused> {
    for option in options {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "important" => filter.important = true,
            "all" | "match-case" | "_" => {}
            "third-party" | "3p" | "strict3p" => filter.differences.push((
                Matching::More,
                "a proxy does not see which page asks: requests of the site itself are meant too",
            )),
            "document" | "doc" if !filter.exception => {
                filter.differences.push((
                    Matching::More,
                    "the whole host is meant, not just its pages",
                ));
            }
            "websocket" => filter.scope = Scope::WebSocket,
            "method" if value.split('|').all(is_word) => {
                let methods = value.split('|').map(str::to_ascii_uppercase);
                filter.scope = Scope::Methods(methods.collect());
            }
            _ => return Err(left_option(name)),
        }
    }
    if filter.exception && filter.scope != Scope::All {
        return Err((
            "exception for some requests",
            "only exceptions for whole hosts are carried over",
            Left::Requests,
        ));
    }
    Ok(())
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// What an option asks that a proxy cannot know or do.
fn left_option(name: &str) -> Refused {
    const TYPES: [&str; 27] = [
        "script",
        "image",
        "stylesheet",
        "css",
        "font",
        "media",
        "object",
        "xhr",
        "xmlhttprequest",
        "subdocument",
        "frame",
        "ping",
        "beacon",
        "other",
        "webrtc",
        "inline-script",
        "inline-font",
        "popup",
        "popunder",
        "document",
        "doc",
        "object-subrequest",
        "background",
        "csp_report",
        "speculative",
        "webtransport",
        "websocket",
    ];
    match name.trim_start_matches('~') {
        plain if TYPES.contains(&plain) => (
            "filter for kinds of resources",
            "a proxy does not know what a page needs a resource for",
            Left::Requests,
        ),
        "domain" | "from" | "denyallow" | "to" | "first-party" | "1p" | "strict1p"
        | "third-party" | "3p" | "strict3p" | "ctag" | "client" | "app" | "ipaddress" | "top" => (
            "filter for pages of certain sites",
            "a proxy does not know which page asks",
            Left::Requests,
        ),
        "elemhide" | "ehide" | "generichide" | "ghide" | "specifichide" | "shide"
        | "genericblock" | "jsinject" | "content" | "urlblock" | "extension" | "stealth" => (
            "exception for cosmetic filters",
            "it changes pages, not requests",
            Left::Pages,
        ),
        _ => (
            "filter that changes requests",
            "requests are decided on, not changed",
            Left::Pages,
        ),
    }
}

/// The host of `||host^`, and what is different about it.
fn target(pattern: &str) -> Option<(Target, Option<(Matching, &'static str)>)> {
    let Some(after) = pattern.strip_prefix("||") else {
        let is_name =
            pattern.contains('.') && pattern.bytes().all(is_host_byte) && !pattern.contains('*');
        let difference =
            "a name alone is read as uBlock Origin reads it: the host and all names under it";
        return (is_name && !pattern.starts_with(['.', '-']))
            .then(|| (of_host(pattern), Some((Matching::Fewer, difference))));
    };
    let end = after
        .find(|c: char| !c.is_ascii() || !is_host_byte(c as u8))
        .unwrap_or(after.len());
    let (host, tail) = after.split_at(end);
    let difference = match tail {
        "^" | "^|" | "^*" | "/" | "/*" => None,
        "" => Some((
            Matching::Fewer,
            "names that go on after it are not meant: it is read as if it ended with `^`",
        )),
        _ => return None,
    };
    let is_host = host.contains(|c: char| c.is_ascii_alphanumeric()) && !host.starts_with('.');
    is_host.then(|| (of_host(host.trim_end_matches('.')), difference))
}

const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'*')
}

fn of_host(host: &str) -> Target {
    match host.parse::<IpAddr>() {
        Ok(address) => Target::Address(address),
        Err(_) if host.contains('*') => Target::Name(Name::Pattern(host.to_owned())),
        Err(_) => Target::Name(Name::Tree(host.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(line: &str) -> String {
        match read(line) {
            Line::Filter(filter) => {
                let name = match filter.name {
                    Target::Name(name) => format!("{name:?}"),
                    Target::Address(address) => address.to_string(),
                };
                let exception = if filter.exception { "@@" } else { "" };
                let important = if filter.important { "!" } else { "" };
                format!(
                    "{exception}{important}{name} {:?} {}",
                    filter.scope,
                    filter.differences.len()
                )
            }
            Line::Cancels(what) => format!("cancels {what}"),
            Line::Left(kind, ..) => format!("left {kind}"),
            Line::Condition(begins) => format!("condition {begins}"),
            Line::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn lines_of_filter_lists() {
        for (line, expected) in [
            ("! comment", "nothing"),
            ("[Adblock Plus 2.0]", "nothing"),
            ("||ads.test^", "Tree(\"ads.test\") All 0"),
            ("||ads.test^$third-party", "Tree(\"ads.test\") All 1"),
            ("||ads.test^$important,all", "!Tree(\"ads.test\") All 0"),
            ("@@||ok.test^", "@@Tree(\"ok.test\") All 0"),
            ("||192.0.2.1^$all", "192.0.2.1 All 0"),
            ("||ad*.test^", "Pattern(\"ad*.test\") All 0"),
            ("||ws.test^$websocket", "Tree(\"ws.test\") WebSocket 0"),
            (
                "||m.test^$method=post|put",
                "Tree(\"m.test\") Methods([\"POST\", \"PUT\"]) 0",
            ),
            ("||open.test", "Tree(\"open.test\") All 1"),
            ("plain.test", "Tree(\"plain.test\") All 1"),
            ("||ads.test/banner/", "left URL filter"),
            ("-banner-300x250.", "left URL filter"),
            ("/ads[0-9]+/", "left filter with a regular expression"),
            (
                "/ads[0-9]+/$script",
                "left filter with a regular expression",
            ),
            (
                "||ads.test^$script,image",
                "left filter for kinds of resources",
            ),
            (
                "||ads.test^$domain=a.test|b.test",
                "left filter for pages of certain sites",
            ),
            (
                "||ads.test^$~third-party",
                "left filter for pages of certain sites",
            ),
            (
                "||ads.test^$csp=script-src 'none'",
                "left filter that changes requests",
            ),
            (
                "@@||ok.test^$generichide",
                "left exception for cosmetic filters",
            ),
            ("a.test##.ad", "left cosmetic filter"),
            ("a.test#@#.ad", "left cosmetic filter"),
            ("a.test#$#body { x: y }", "left cosmetic filter"),
            ("a.test##+js(x)", "left scriptlet"),
            ("a.test##^script:has-text(x)", "left HTML filter"),
            ("!#if env_mobile", "condition true"),
            ("!#endif", "condition false"),
            ("!#include x.txt", "left include"),
            (
                "||ads.test^$third-party,badfilter",
                "cancels ||ads.test^$third-party",
            ),
        ] {
            assert_eq!(kind(line), expected, "{line}");
        }
        assert_eq!(
            canonical("||a.test^$b,a"),
            canonical("||a.test^$a,badfilter,b")
        );
    }
}
