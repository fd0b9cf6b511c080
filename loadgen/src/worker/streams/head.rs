//! Heads and trailers of responses.

use crate::http2::frame::Violation;
use crate::http2::hpack::Decoder;
use crate::worker::check::Check;

/// Reads a head, or trailers, into `check`; tells whether it was an interim response.
pub(super) fn read_head(
    decoder: &mut Decoder,
    block: &[u8],
    check: Option<&mut Check>,
) -> Result<bool, Violation> {
    let mut status = 0_u16;
    let mut is_wrong = false;
    let mut digests: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let is_trailer = check.as_ref().is_some_and(|check| check.status() != 0);
    decoder.decode(block, |name, value| {
        if name == b":status" {
            let text = std::str::from_utf8(value).unwrap_or_default();
            is_wrong |= status != 0 || is_trailer;
            status = text.parse().unwrap_or(0);
        } else {
            is_wrong |= name.first() == Some(&b':') || name.iter().any(u8::is_ascii_uppercase);
            if matches!(name.len(), 10 | 14) {
                digests.push((name.to_vec(), value.to_vec()));
            }
        }
    })?;
    let Some(check) = check else {
        return Ok(false);
    };
    if is_wrong || (!is_trailer && !(100..=599).contains(&status)) {
        return Err(Violation("response head broken"));
    }
    if is_trailer {
        return Ok(false);
    }
    if (100..200).contains(&status) {
        return Ok(true);
    }
    check.on_status(status);
    for (name, value) in digests {
        check.on_field(&name, &value);
    }
    Ok(false)
}
