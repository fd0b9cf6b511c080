//! How messages are forwarded: `[http]`.

use crate::config::checked::Http;
use crate::config::raw::Section;
use crate::limits as bounds;

/// What is done with requests and responses on their way.
pub(in crate::config) fn http(section: Section<'_>) -> Http {
    let http = Http {
        retry_body_bytes: section
            .size(
                "retry_body_bytes",
                bounds::RETRY_BODY_BYTES_DEFAULT,
                0..=bounds::RETRY_BODY_BYTES_MAX,
            )
            .value,
    };
    section.finish();
    http
}
