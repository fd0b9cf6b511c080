//! The version in a start line (RFC 9110 section 2.5, RFC 9112 section 2.3), and what it is where the
//! tokenizer does not know it. Called by the parsers of both heads.

use super::error::HeadError;

/// Versions that are spoken; all others are refused. Parsers yield the first two only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2. Set by who has turned a message of it into the form of an HTTP/1.1 one, and treated
    /// as that but for what `Via` says.
    Http2,
}

impl Version {
    /// Its number, as logs show it.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
        }
    }
}

/// What a version is that is neither HTTP/1.0 nor HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherVersion {
    /// More bytes are needed to tell.
    Incomplete,
    /// HTTP/1.2 to 1.9: all that HTTP/1.1 is, and perhaps more.
    Later,
    /// None that is spoken here.
    Error(HeadError),
}

/// Where the digit of the minor version stands.
const MINOR_AT: usize = 7;

/// Judges what stands where the version must: `word` begins there, and goes on to the end of the input.
pub(crate) fn judge(word: &[u8]) -> OtherVersion {
    let has_form = word.iter().zip(b"HTTP/0.0").all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        form => byte == form,
    });
    if !has_form {
        return OtherVersion::Error(HeadError::VersionMalformed);
    }
    match (word.get(5), word.get(MINOR_AT + 1)) {
        (_, None) => OtherVersion::Incomplete,
        (Some(b'0'), Some(b'\r' | b'\n' | b' ')) => OtherVersion::Error(HeadError::VersionTooOld),
        // The tokenizer knows these: what it did not like is something else.
        (Some(b'1'), _) if matches!(word.get(MINOR_AT), Some(b'0' | b'1')) => {
            OtherVersion::Error(HeadError::VersionMalformed)
        }
        (Some(b'1'), Some(b'\r' | b'\n' | b' ')) => OtherVersion::Later,
        (_, Some(b'\r' | b'\n' | b' ')) => OtherVersion::Error(HeadError::VersionUnsupported),
        _ => OtherVersion::Error(HeadError::VersionMalformed),
    }
}

/// The same bytes with HTTP/1.1 in place of a later version that stands at `place`: what is found in
/// them lies where it does in the original.
pub(crate) fn as_http11(bytes: &[u8], place: usize) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    if let Some(digit) = copy.get_mut(place + MINOR_AT) {
        *digit = b'1';
    }
    copy
}

/// What the tokenizer has found.
pub(crate) fn of_minor(minor: Option<u8>) -> Version {
    match minor {
        Some(0) => Version::Http10,
        _ => Version::Http11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_the_tokenizer_does_not_know() {
        use HeadError::{VersionMalformed, VersionTooOld, VersionUnsupported};
        let cases: &[(&[u8], OtherVersion)] = &[
            (b"HTTP/1.2\r\n", OtherVersion::Later),
            (b"HTTP/1.9 200 OK\r\n", OtherVersion::Later),
            (b"HTTP/1.1\r\n", OtherVersion::Error(VersionMalformed)),
            (b"HTTP/1.0\r\n", OtherVersion::Error(VersionMalformed)),
            (b"HTTP/1.1 \r\n", OtherVersion::Error(VersionMalformed)),
            (b"HTTP/0.9\r\n", OtherVersion::Error(VersionTooOld)),
            (b"HTTP/0.0\r\n", OtherVersion::Error(VersionTooOld)),
            (b"HTTP/2.0\r\n", OtherVersion::Error(VersionUnsupported)),
            (b"HTTP/9.9\r\n", OtherVersion::Error(VersionUnsupported)),
            (b"HTTP/3\r\n", OtherVersion::Error(VersionMalformed)),
            (b"HTTP/1.12\r\n", OtherVersion::Error(VersionMalformed)),
            (b"HTTP/12.1\r\n", OtherVersion::Error(VersionMalformed)),
            (b"HTTP/1,2\r\n", OtherVersion::Error(VersionMalformed)),
            (b"HTTP/1.2x\r\n", OtherVersion::Error(VersionMalformed)),
            (b"http/1.2\r\n", OtherVersion::Error(VersionMalformed)),
            (b"HTTPS/1.2\r\n", OtherVersion::Error(VersionMalformed)),
        ];
        for (word, expected) in cases {
            assert_eq!(judge(word), *expected, "{}", word.escape_ascii());
            for end in 0..word.len() {
                let early = judge(&word[..end]);
                let is_early = early == OtherVersion::Incomplete || early == *expected;
                assert!(is_early, "{}", word[..end].escape_ascii());
            }
        }
        assert_eq!(as_http11(b"GET / HTTP/1.7\r\n", 6), b"GET / HTTP/1.1\r\n");
    }
}
