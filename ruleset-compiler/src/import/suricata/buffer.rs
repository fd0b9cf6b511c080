//! The buffers that a rule can look into, by their keywords: what a proxy has in their place.

use sallyport_ruleset::Field;

/// Where something is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Buffer {
    /// One field, whose text is that of the buffer.
    Field(Field),
    /// Path and query of the request, with their escapes decoded.
    Uri,
    /// The same as they were sent.
    RawUri,
    /// All header lines of the request.
    Headers,
    /// The bytes of the connection: what `content` without a buffer looks into.
    Payload,
}

/// A keyword that names a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) buffer: Buffer,
    /// It stands behind its content, in the old style.
    pub(super) is_modifier: bool,
    /// Answers have this buffer too.
    pub(super) of_answers: bool,
}

/// Sticky buffers, the older word for the content modifier, and whether answers have them.
const BUFFERS: [(&str, &str, bool); 18] = [
    ("http.host", "http_host", false),
    ("http.host.raw", "http_raw_host", false),
    ("http.method", "http_method", false),
    ("http.uri", "http_uri", false),
    ("http.uri.raw", "http_raw_uri", false),
    ("http.user_agent", "http_user_agent", false),
    ("http.cookie", "http_cookie", true),
    ("http.header", "http_header", true),
    ("http.header.raw", "http_raw_header", true),
    ("http.request_header", "", false),
    ("http.content_type", "", true),
    ("http.content_len", "", true),
    ("http.connection", "", true),
    ("http.referer", "", false),
    ("http.accept", "", false),
    ("http.accept_lang", "", false),
    ("http.accept_enc", "", false),
    ("ja4.hash", "", false),
];

/// Buffers that were sticky under their older words too.
const STICKY_TOO: [(&str, &str); 6] = [
    ("tls_sni", "tls.sni"),
    ("http_content_type", "http.content_type"),
    ("http_content_len", "http.content_len"),
    ("http_referer", "http.referer"),
    ("http_accept", "http.accept"),
    ("http_accept_lang", "http.accept_lang"),
];

/// The buffer that a keyword names; `None` if it names none that is known here.
pub(super) fn named(keyword: &str) -> Option<Named> {
    let sticky = STICKY_TOO.iter().find(|(old, _)| *old == keyword);
    let keyword = sticky.map_or(keyword, |(_, new)| new);
    if keyword == "tls.sni" {
        return Some(Named {
            buffer: Buffer::Field(Field::TlsSni),
            is_modifier: false,
            of_answers: false,
        });
    }
    let row = BUFFERS
        .iter()
        .find(|(new, old, _)| *new == keyword || *old == keyword)?;
    let (name, old, of_answers) = *row;
    let header = |name: &str| Buffer::Field(Field::RequestHeader(name.into()));
    let buffer = match name {
        "http.host" => Buffer::Field(Field::DestinationDomain),
        "http.host.raw" => Buffer::Field(Field::HttpHost),
        "http.method" => Buffer::Field(Field::HttpMethod),
        "http.uri" => Buffer::Uri,
        "http.uri.raw" => Buffer::RawUri,
        "http.user_agent" => Buffer::Field(Field::HttpUserAgent),
        "http.cookie" => header("cookie"),
        "http.content_type" => header("content-type"),
        "http.content_len" => header("content-length"),
        "http.connection" => header("connection"),
        "http.referer" => header("referer"),
        "http.accept" => header("accept"),
        "http.accept_lang" => header("accept-language"),
        "http.accept_enc" => header("accept-encoding"),
        "ja4.hash" => Buffer::Field(Field::Ja4),
        _ => Buffer::Headers,
    };
    Some(Named {
        buffer,
        is_modifier: old == keyword,
        of_answers,
    })
}

/// The buffer that a letter behind a `pcre` names.
pub(super) fn of_flag(flag: char) -> Option<Named> {
    let keyword = match flag {
        'U' => "http_uri",
        'I' => "http_raw_uri",
        'M' => "http_method",
        'W' => "http_host",
        'Z' => "http_raw_host",
        'V' => "http_user_agent",
        'H' => "http_header",
        'D' => "http_raw_header",
        'C' => "http_cookie",
        _ => return None,
    };
    named(keyword)
}

/// Beginnings of keywords with what is missing for them, most telling first.
const MISSING: [(&str, &str); 34] = [
    (
        "tls.version",
        "the version that the server chose is not known when the request is decided",
    ),
    (
        "ssl_version",
        "the version that the server chose is not known when the request is decided",
    ),
    (
        "tls.random",
        "random bytes of handshakes are no field of rules",
    ),
    (
        "tls.",
        "certificates and what else servers answer are not known when the request is decided",
    ),
    (
        "tls_",
        "certificates and what else servers answer are not known when the request is decided",
    ),
    ("ssl", "only `ssl_state:client_hello` is carried over"),
    (
        "ja3",
        "there is no JA3 here; write a rule over `request:Ja4`",
    ),
    ("ja4", "only `ja4.hash` is known here"),
    (
        "http.stat",
        "it is about what the server answers; a proxy decides on the request",
    ),
    (
        "http_stat",
        "it is about what the server answers; a proxy decides on the request",
    ),
    (
        "http.response",
        "it is about what the server answers; a proxy decides on the request",
    ),
    (
        "http.server",
        "it is about what the server answers; a proxy decides on the request",
    ),
    (
        "http.location",
        "it is about what the server answers; a proxy decides on the request",
    ),
    ("http.", "that part of a request is no field of rules"),
    ("http_", "that part of a request is no field of rules"),
    (
        "dns",
        "names are resolved by the proxy itself; deny them by `request:DestinationDomain`",
    ),
    ("file", "files in bodies are not looked into"),
    (
        "flowint",
        "a rule that counts what earlier ones saw cannot be carried over",
    ),
    (
        "xbits",
        "a rule that depends on what was remembered of other connections cannot be carried over",
    ),
    (
        "hostbits",
        "a rule that depends on what was remembered of other connections cannot be carried over",
    ),
    (
        "geoip",
        "countries of addresses are not known here; give the networks",
    ),
    (
        "iprep",
        "reputations of addresses are not known here; give the networks",
    ),
    ("lua", "scripts are not run"),
    (
        "byte_",
        "numbers in the bytes of the connection are not looked at",
    ),
    (
        "aws_",
        "the categories are known to AWS alone; import a list of the names",
    ),
    ("dsize", "sizes of packets are not known to a proxy"),
    (
        "stream_size",
        "sizes of streams are not known when the request is decided",
    ),
    (
        "datarep",
        "reputations are not known here; give a list of the values",
    ),
    (
        "datajson",
        "only `dataset:isset` and `dataset:isnotset` over a file are carried over",
    ),
    (
        "requires",
        "it says for which engine the rule is; take it out if it is to be imported",
    ),
    (
        "rawbytes",
        "it looks into the bytes of the connection; a proxy decides by names and heads",
    ),
    ("replace", "requests are not rewritten"),
    (
        "app-layer-event",
        "events of protocol parsers are not known here",
    ),
    ("stream-event", "packets are not seen by a proxy"),
];

/// Why a keyword is not carried over.
pub(super) fn missing(keyword: &str) -> &'static str {
    let found = MISSING
        .iter()
        .find(|(beginning, _)| keyword.starts_with(beginning));
    found.map_or("the keyword is not known here", |(_, why)| why)
}
