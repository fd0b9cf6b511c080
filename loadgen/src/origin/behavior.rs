//! From a request target to what the origin shall do. The words are documented in
//! `sallyport-load origin --help` and `docs/loadgen.md`.
//!
//! A target without a query is read without allocating.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Longest chunk and piece that can be asked for.
const SIZE_BYTES_MAX: usize = 1_048_576;

/// What the body is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// A line of text.
    Small,
    /// So many bytes of the fixed content of `pattern`.
    Pattern(u64),
    /// The request as received; raw, or as JSON.
    Echo {
        /// Byte for byte instead of JSON.
        raw: bool,
    },
    /// The origin's counters.
    Count,
    /// No answer ever.
    Stall,
}

/// Where the connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Without an answer.
    Before,
    /// After half the response head.
    Head,
    /// After half the body.
    Body,
    /// After the whole response, which did not announce it.
    After,
}

/// What a target asks for that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BehaviorError {
    #[error("`{0}` is not a number")]
    Number(String),
    #[error("`{text}` is not a size from 1 to {SIZE_BYTES_MAX}", text = .0)]
    Size(String),
    #[error("`{text}` is not a status from {} to {}", .range.start(), .range.end())]
    Status {
        text: String,
        range: RangeInclusive<u16>,
    },
    #[error("close={0}: before, head, body or after")]
    Close(String),
    #[error("`{0}` is not K:V")]
    Field(String),
    #[error("`{0}`: broken percent-encoding")]
    PercentEncoding(String),
    #[error("`{0}`: control characters do not belong into a header")]
    ControlCharacter(String),
    #[error("`{0}` is not UTF-8")]
    NotUtf8(String),
}

/// What the origin shall do with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Behavior {
    pub(crate) body: BodyKind,
    pub(crate) status: u16,
    pub(crate) delay: Duration,
    /// Chunked framing with chunks of this many bytes.
    pub(crate) chunk_bytes: Option<usize>,
    pub(crate) cut: Option<Cut>,
    /// The cut is a reset.
    pub(crate) reset: bool,
    /// Time between two pieces of the body.
    pub(crate) pace: Option<Duration>,
    /// Length of a piece.
    pub(crate) piece_bytes: usize,
    pub(crate) content_type: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) trailers: Vec<(String, String)>,
    pub(crate) interim: Option<u16>,
    /// One bit in the middle of the body is wrong.
    pub(crate) corrupt: bool,
    /// `Content-Digest` tells the CRC-32C of the body as it should be.
    pub(crate) digest: bool,
}

impl Behavior {
    /// The ordinary answer with this body.
    pub(crate) fn of_body(body: BodyKind) -> Self {
        Self {
            body,
            status: 200,
            delay: Duration::ZERO,
            chunk_bytes: None,
            cut: None,
            reset: false,
            pace: None,
            piece_bytes: 1,
            content_type: None,
            headers: Vec::new(),
            trailers: Vec::new(),
            interim: None,
            corrupt: false,
            digest: false,
        }
    }

    /// Reads a request target in origin-form or absolute-form; the error names what is wrong.
    pub(crate) fn from_target(target: &str) -> Result<Self, BehaviorError> {
        let path_and_query = match target.split_once("://") {
            Some((_, rest)) if !target.starts_with('/') => rest
                .find(['/', '?'])
                .map_or("/", |at| rest.get(at..).unwrap_or("/")),
            _ => target,
        };
        let (path, query) = path_and_query
            .split_once('?')
            .unwrap_or((path_and_query, ""));
        let body = match path {
            "/echo" => BodyKind::Echo { raw: false },
            "/count" => BodyKind::Count,
            "/stall" => BodyKind::Stall,
            _ => match path.strip_prefix("/bytes/") {
                Some(length) => BodyKind::Pattern(number(length)?),
                None => BodyKind::Small,
            },
        };
        let mut behavior = Self::of_body(body);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, "1"));
            behavior.apply(key, value)?;
        }
        if behavior.reset && behavior.cut.is_none() {
            behavior.cut = Some(Cut::Before);
        }
        Ok(behavior)
    }

    fn apply(&mut self, key: &str, value: &str) -> Result<(), BehaviorError> {
        match key {
            "delay" => self.delay = Duration::from_millis(number(value)?),
            "status" => self.status = status(value, 200..=599)?,
            "chunked" if value == "1" => self.chunk_bytes = self.chunk_bytes.or(Some(4_096)),
            "chunk" => self.chunk_bytes = Some(size(value)?),
            "close" => {
                self.cut = Some(match value {
                    "before" => Cut::Before,
                    "head" => Cut::Head,
                    "body" => Cut::Body,
                    "after" => Cut::After,
                    _ => return Err(BehaviorError::Close(value.to_owned())),
                });
            }
            "reset" => self.reset = value == "1",
            "trickle" => self.pace = Some(Duration::from_millis(number(value)?)),
            "piece" => self.piece_bytes = size(value)?,
            "type" => self.content_type = Some(field_text(value)?),
            "header" => self.headers.push(field(value)?),
            "trailer" => {
                self.trailers.push(field(value)?);
                self.chunk_bytes = self.chunk_bytes.or(Some(4_096));
            }
            "interim" => self.interim = Some(status(value, 100..=199)?),
            "corrupt" => self.corrupt = value == "1",
            "digest" => self.digest = value == "1",
            "raw" => {
                if let BodyKind::Echo { raw } = &mut self.body {
                    *raw = value == "1";
                }
            }
            // Other parameters are the tester's own, such as one against caches.
            _ => {}
        }
        Ok(())
    }
}

fn number(text: &str) -> Result<u64, BehaviorError> {
    text.parse()
        .map_err(|_| BehaviorError::Number(text.to_owned()))
}

fn size(text: &str) -> Result<usize, BehaviorError> {
    match text.parse() {
        Ok(size @ 1..=SIZE_BYTES_MAX) => Ok(size),
        _ => Err(BehaviorError::Size(text.to_owned())),
    }
}

fn status(text: &str, range: RangeInclusive<u16>) -> Result<u16, BehaviorError> {
    match text.parse() {
        Ok(code) if range.contains(&code) => Ok(code),
        _ => Err(BehaviorError::Status {
            text: text.to_owned(),
            range,
        }),
    }
}

/// `K:V`, percent-encoded.
fn field(text: &str) -> Result<(String, String), BehaviorError> {
    let text = field_text(text)?;
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| BehaviorError::Field(text.clone()))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Percent-decodes text for a header line; line ends are refused, so that nobody splits a response
/// by accident.
fn field_text(text: &str) -> Result<String, BehaviorError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|&byte| char::from(byte).to_digit(16));
        let code = match (digit(), digit()) {
            (Some(high), Some(low)) => u8::try_from(high << 4 | low).ok(),
            _ => None,
        };
        bytes.push(code.ok_or_else(|| BehaviorError::PercentEncoding(text.to_owned()))?);
    }
    if bytes.iter().any(u8::is_ascii_control) {
        return Err(BehaviorError::ControlCharacter(text.to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| BehaviorError::NotUtf8(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let body = |target: &str| Behavior::from_target(target).unwrap().body;
        assert_eq!(body("/"), BodyKind::Small);
        assert_eq!(body("/any/thing"), BodyKind::Small);
        assert_eq!(body("/bytes/1024"), BodyKind::Pattern(1024));
        assert_eq!(body("http://host:80/bytes/7?x"), BodyKind::Pattern(7));
        assert_eq!(body("http://host"), BodyKind::Small);
        assert_eq!(body("/echo?raw=1"), BodyKind::Echo { raw: true });
        assert_eq!(body("/count"), BodyKind::Count);
        assert_eq!(body("/stall"), BodyKind::Stall);
        assert!(Behavior::from_target("/bytes/x").is_err());
    }

    #[test]
    fn queries() {
        let read = |query: &str| Behavior::from_target(&format!("/bytes/10?{query}"));
        let all = read("delay=5&status=404&chunk=3&close=body&reset=1&trickle=2&piece=9&type=a/b")
            .unwrap();
        assert_eq!(all.delay, Duration::from_millis(5));
        assert_eq!(
            (all.status, all.chunk_bytes, all.cut),
            (404, Some(3), Some(Cut::Body))
        );
        assert_eq!((all.reset, all.piece_bytes), (true, 9));
        assert_eq!(all.pace, Some(Duration::from_millis(2)));
        assert_eq!(all.content_type.as_deref(), Some("a/b"));
        let fields = read("header=X-A:%20b%2C&trailer=T:1").unwrap();
        assert_eq!(fields.headers, [("X-A".to_owned(), "b,".to_owned())]);
        assert_eq!(fields.chunk_bytes, Some(4_096));
        assert_eq!(read("reset=1").unwrap().cut, Some(Cut::Before));
        for (wrong, message) in [
            ("status=99", "`99` is not a status from 200 to 599"),
            ("close=x", "close=x: before, head, body or after"),
            ("chunk=0", "`0` is not a size from 1 to 1048576"),
            ("header=a", "`a` is not K:V"),
            (
                "header=a:%0d%0a",
                "`a:%0d%0a`: control characters do not belong into a header",
            ),
            ("type=%4", "`%4`: broken percent-encoding"),
            ("type=%ff", "`%ff` is not UTF-8"),
            ("delay=-1", "`-1` is not a number"),
        ] {
            assert_eq!(read(wrong).unwrap_err().to_string(), message);
        }
    }
}
