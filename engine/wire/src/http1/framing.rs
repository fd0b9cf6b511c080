//! How long a body is (RFC 9112 section 6), decided once per head.
//!
//! Anything that two recipients could measure differently is refused here.
//! Reading a body of known framing is `body` and `chunked`.

use super::error::HeadError;
use super::hop_by_hop;
use super::version::Version;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is no body.
    #[default]
    None,
    /// This many bytes. Zero differs from `None`: the length was declared.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
    /// Until the connection closes. Responses only.
    UntilClose,
}

impl BodyFraming {
    /// The length that it declares.
    #[must_use]
    pub fn length(self) -> Option<u64> {
        match self {
            Self::Length(bytes) => Some(bytes),
            Self::None | Self::Chunked | Self::UntilClose => None,
        }
    }
}

/// What a `Transfer-Encoding` field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransferCoding {
    /// Exactly `chunked`.
    Chunked,
    /// Registered codings, then one `chunked`: clear, but not spoken here.
    Unsupported,
    /// Anything else.
    Invalid,
}

impl TransferCoding {
    pub(crate) fn parse(value: &[u8]) -> Self {
        if value.eq_ignore_ascii_case(b"chunked") {
            return Self::Chunked;
        }
        let mut chunked_is_last = false;
        for coding in hop_by_hop::list(value) {
            if chunked_is_last {
                return Self::Invalid;
            }
            chunked_is_last = coding.eq_ignore_ascii_case(b"chunked");
            if !chunked_is_last && !is_compression(coding) {
                return Self::Invalid;
            }
        }
        // `chunked,` with empty elements arrives here too: others may read it
        // as no coding at all.
        if chunked_is_last && hop_by_hop::list(value).count() > 1 {
            Self::Unsupported
        } else {
            Self::Invalid
        }
    }
}

/// Names of the IANA registry of transfer codings, without `chunked`.
fn is_compression(coding: &[u8]) -> bool {
    ["gzip", "deflate", "compress", "x-gzip", "x-compress"]
        .iter()
        .any(|name| coding.eq_ignore_ascii_case(name.as_bytes()))
}

/// `Content-Length = 1*DIGIT` (RFC 9110 section 8.6), one number only. At most
/// 19 digits, so that no other parser overflows where this one does not.
pub(crate) fn parse_content_length(value: &[u8]) -> Result<u64, HeadError> {
    const DIGITS_MAX: usize = 19;
    if value.is_empty() || value.len() > DIGITS_MAX {
        return Err(HeadError::ContentLengthInvalid);
    }
    let mut length = 0u64;
    for byte in value {
        if !byte.is_ascii_digit() {
            return Err(HeadError::ContentLengthInvalid);
        }
        length = length * 10 + u64::from(byte - b'0');
    }
    // The largest length that signed 64-bit arithmetic can hold.
    if length > i64::MAX as u64 {
        return Err(HeadError::ContentLengthInvalid);
    }
    Ok(length)
}

/// The framing that the fields declare, before status and method have their
/// say; `None` when they declare nothing.
pub(crate) fn declared(
    version: Version,
    transfer_coding: Option<TransferCoding>,
    content_length: Option<u64>,
) -> Result<Option<BodyFraming>, HeadError> {
    let Some(coding) = transfer_coding else {
        return Ok(content_length.map(BodyFraming::Length));
    };
    // RFC 9112 section 6.1: faulty framing, and a likely smuggling attempt.
    if content_length.is_some() {
        return Err(HeadError::TransferEncodingWithLength);
    }
    if version == Version::Http10 {
        return Err(HeadError::TransferEncodingHttp10);
    }
    match coding {
        TransferCoding::Chunked => Ok(Some(BodyFraming::Chunked)),
        TransferCoding::Unsupported => Err(HeadError::TransferEncodingUnsupported),
        TransferCoding::Invalid => Err(HeadError::TransferEncodingInvalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_decimal_numbers_are_lengths() {
        for (value, length) in [
            ("0", 0),
            ("7", 7),
            ("007", 7),
            ("1024", 1024),
            ("9223372036854775807", i64::MAX as u64),
        ] {
            assert_eq!(
                parse_content_length(value.as_bytes()),
                Ok(length),
                "{value}"
            );
        }
        for value in [
            "",
            "+5",
            "-5",
            "-0",
            "0x10",
            "1e3",
            "5,5",
            "5, 5",
            "5 5",
            "5;",
            "5.0",
            "five",
            "9223372036854775808",
            "18446744073709551616",
            "99999999999999999999",
            "00000000000000000005",
            "\u{0665}",
        ] {
            let found = parse_content_length(value.as_bytes());
            assert_eq!(found, Err(HeadError::ContentLengthInvalid), "{value}");
        }
    }

    #[test]
    fn only_chunked_alone_is_a_coding() {
        for (value, coding) in [
            ("chunked", TransferCoding::Chunked),
            ("CHUNKED", TransferCoding::Chunked),
            ("gzip, chunked", TransferCoding::Unsupported),
            ("x-gzip,deflate , chunked", TransferCoding::Unsupported),
            ("", TransferCoding::Invalid),
            (",", TransferCoding::Invalid),
            ("chunked,", TransferCoding::Invalid),
            (",chunked", TransferCoding::Invalid),
            ("chunked, chunked", TransferCoding::Invalid),
            ("chunked, gzip", TransferCoding::Invalid),
            ("gzip", TransferCoding::Invalid),
            ("identity", TransferCoding::Invalid),
            ("identity, chunked", TransferCoding::Invalid),
            ("xchunked", TransferCoding::Invalid),
            ("chunked;q=1", TransferCoding::Invalid),
            ("\"chunked\"", TransferCoding::Invalid),
            ("chunked\u{b}", TransferCoding::Invalid),
            ("chunk ed", TransferCoding::Invalid),
        ] {
            assert_eq!(TransferCoding::parse(value.as_bytes()), coding, "{value:?}");
        }
    }
}
