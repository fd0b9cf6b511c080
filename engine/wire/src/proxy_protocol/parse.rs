//! The first bytes of a connection: a header, another protocol, or not enough to say.

use super::error::HeaderError;
use super::header::Parse;
use super::{version1, version2};

/// Judges the bytes received so far. Once the answer is not `Incomplete`, more bytes do not change it.
///
/// `bytes_max` bounds a header of version 2, its 16 fixed bytes included; one of version 1 has at most
/// [`LINE_BYTES_MAX`](super::LINE_BYTES_MAX).
///
/// # Errors
/// When the bytes begin as a header, and go on as none.
pub fn parse(bytes: &[u8], bytes_max: usize) -> Result<Parse<'_>, HeaderError> {
    if bytes.starts_with(version1::SIGNATURE) {
        version1::parse(bytes)
    } else if bytes.starts_with(version2::SIGNATURE) {
        version2::parse(bytes, bytes_max)
    } else if version1::SIGNATURE.starts_with(bytes) || version2::SIGNATURE.starts_with(bytes) {
        let bytes_min = bytes.len() + 1;
        Ok(Parse::Incomplete { bytes_min })
    } else {
        Ok(Parse::NotProxyProtocol)
    }
}
