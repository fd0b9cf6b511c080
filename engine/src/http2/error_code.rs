//! The error codes of HTTP/2 in words of our own: what the codec says of an error is for programmers.

use std::borrow::Cow;

use h2::Reason;

/// The name of a code (RFC 9113 section 7), or its number.
pub(crate) fn name(code: Reason) -> Cow<'static, str> {
    match code {
        Reason::NO_ERROR => "NO_ERROR",
        Reason::PROTOCOL_ERROR => "PROTOCOL_ERROR",
        Reason::INTERNAL_ERROR => "INTERNAL_ERROR",
        Reason::FLOW_CONTROL_ERROR => "FLOW_CONTROL_ERROR",
        Reason::SETTINGS_TIMEOUT => "SETTINGS_TIMEOUT",
        Reason::STREAM_CLOSED => "STREAM_CLOSED",
        Reason::FRAME_SIZE_ERROR => "FRAME_SIZE_ERROR",
        Reason::REFUSED_STREAM => "REFUSED_STREAM",
        Reason::CANCEL => "CANCEL",
        Reason::COMPRESSION_ERROR => "COMPRESSION_ERROR",
        Reason::CONNECT_ERROR => "CONNECT_ERROR",
        Reason::ENHANCE_YOUR_CALM => "ENHANCE_YOUR_CALM",
        Reason::INADEQUATE_SECURITY => "INADEQUATE_SECURITY",
        Reason::HTTP_1_1_REQUIRED => "HTTP_1_1_REQUIRED",
        other => return format!("error code {:#x}", u32::from(other)).into(),
    }
    .into()
}

/// What an origin, or its connection, did to an exchange that it did not finish; `None` if it only ended.
pub(crate) fn of_origin(error: &h2::Error) -> Option<String> {
    let code = error.reason()?;
    let is_plain_end = matches!(code, Reason::NO_ERROR | Reason::CANCEL);
    let name = name(code);
    match (error.is_reset(), error.is_remote()) {
        (_, true) if is_plain_end => None,
        (true, true) => Some(format!("the origin reset the stream: {name}")),
        (true, false) => Some("a malformed response".to_owned()),
        (false, true) => of_goaway(code),
        (false, false) => Some(format!("the origin broke HTTP/2: {name}")),
    }
}

/// What a GOAWAY of an origin says, unless it only says that no more is taken.
pub(crate) fn of_goaway(code: Reason) -> Option<String> {
    let name = name(code);
    (code != Reason::NO_ERROR).then(|| format!("the origin ended its connection: {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_names() {
        assert_eq!(name(Reason::from(0xb)), "ENHANCE_YOUR_CALM");
        assert_eq!(name(Reason::from(0x12)), "error code 0x12");
        // Those of the codec are the same, as far as it knows them.
        for code in 0..=0xd {
            let code = Reason::from(code);
            assert_eq!(name(code), format!("{code:?}"));
        }
    }
}
