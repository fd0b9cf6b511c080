//! Text fields as they are compared: the forms of a URI and of a content type, names in lower case.

use crate::Source;
use crate::normalize::{lower_case_host, normalize_content_type};

/// A text in the two forms that values are compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'t> {
    /// Without query or parameters.
    pub(super) short: &'t [u8],
    /// All of it.
    pub(super) full: &'t [u8],
}

impl<'t> Text<'t> {
    /// Both forms are the text itself.
    pub(super) const fn plain(text: &'t [u8]) -> Self {
        Self {
            short: text,
            full: text,
        }
    }

    fn split(text: &'t [u8], separator: u8) -> Self {
        let end = memchr::memchr(separator, text).unwrap_or(text.len());
        Self {
            short: text.get(..end).unwrap_or(text),
            full: text,
        }
    }
}

/// Hands out the forms of the text of a source. `buffer` holds what had to be rewritten.
pub(super) fn with_forms(
    source: Source,
    raw: &[u8],
    buffer: &mut Vec<u8>,
    take: impl FnOnce(Text<'_>),
) {
    match source {
        Source::HttpUri => take(Text::split(raw, b'?')),
        Source::HttpContentType | Source::ResponseContentType => {
            normalize_content_type(raw, buffer);
            take(Text::split(buffer, b';'));
        }
        Source::TlsSni => take(Text::plain(lower_case_host(raw, &mut [0; 256]))),
        _ => take(Text::plain(raw)),
    }
}
