//! The error codes of HTTP/2 (RFC 9113 section 7) in words.

use std::borrow::Cow;

pub(crate) const NO_ERROR: u32 = 0x0;
pub(crate) const INTERNAL_ERROR: u32 = 0x2;
pub(crate) const REFUSED_STREAM: u32 = 0x7;
pub(crate) const CANCEL: u32 = 0x8;
pub(crate) const CONNECT_ERROR: u32 = 0xa;
pub(super) const ENHANCE_YOUR_CALM: u32 = 0xb;
pub(crate) const HTTP_1_1_REQUIRED: u32 = 0xd;

/// The name of a code, or its number.
pub(crate) fn name(code: u32) -> Cow<'static, str> {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let known = usize::try_from(code)
        .ok()
        .and_then(|code| NAMES.get(code).copied());
    known.map_or_else(|| format!("error code {code:#x}").into(), Cow::from)
}

/// What an origin did that has reset a stream; `None` if it only ended it.
pub(super) fn of_reset(code: u32) -> Option<String> {
    let is_plain_end = matches!(code, NO_ERROR | CANCEL);
    (!is_plain_end).then(|| format!("the origin reset the stream: {}", name(code)))
}

/// What a GOAWAY of an origin says, unless it only says that no more is taken.
pub(super) fn of_goaway(code: u32) -> Option<String> {
    (code != NO_ERROR).then(|| format!("the origin ended its connection: {}", name(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_names() {
        assert_eq!(name(0), "NO_ERROR");
        assert_eq!(name(0xb), "ENHANCE_YOUR_CALM");
        assert_eq!(name(HTTP_1_1_REQUIRED), "HTTP_1_1_REQUIRED");
        assert_eq!(name(0xe), "error code 0xe");
        assert_eq!(name(0x12), "error code 0x12");
    }
}
