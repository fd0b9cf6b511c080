//! Text fields as they are compared: the forms of a URI and of a content type, names in lower case.

use crate::invariant::Invariant;
use crate::normalize::{lower_case_host, normalize_content_type};
use crate::{FieldValues, Source};

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
        let short = match memchr::memchr(separator, text) {
            Some(end) => text.get(..end).or_broken("what precedes a separator"),
            None => text,
        };
        Self { short, full: text }
    }
}

/// Hands out the forms of the text of a source that has one.
pub(super) fn with_forms(source: Source, raw: &[u8], take: impl FnOnce(Text<'_>)) {
    match source {
        // A rule for a path must hold whatever query is put behind it.
        Source::HttpUri => take(Text::split(raw, b'?')),
        // Names are compared in one spelling.
        Source::TlsSni => take(Text::plain(lower_case_host(raw, &mut [0; 256]))),
        _ => take(Text::plain(raw)),
    }
}

/// Hands out the forms of each value of a source that is one header field. `buffer` holds what had
/// to be rewritten.
pub(super) fn for_each_forms(
    source: Source,
    values: FieldValues<'_>,
    buffer: &mut Vec<u8>,
    take: &mut dyn FnMut(Text<'_>),
) {
    match source {
        Source::HttpContentType | Source::ResponseContentType => {
            // A recipient may take any of several types: each is judged.
            values.for_each_content_type(&mut |value| {
                normalize_content_type(value, buffer);
                take(Text::split(buffer, b';'));
            });
        }
        _ => values.for_each(&mut |value| take(Text::plain(value))),
    }
}
