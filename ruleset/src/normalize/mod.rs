//! Normal forms of field values: one code for the compiler (values of conditions) and the engine
//! (fields of requests), so that the two can never differ.

mod content_type;
mod domain;
mod http;
mod media_types;
mod uri;

pub(crate) use content_type::CONTENT_TYPES_MAX;
pub use content_type::{content_types, normalize_content_type};
pub(crate) use domain::lower_case_host;
pub use domain::{DomainError, normalize_domain};
pub use http::{MethodError, is_token, normalize_method};
pub use media_types::media_types_differ;
pub use uri::{
    escape_uri, has_escaped_slash, is_uri_byte, merge_slashes, normalize_uri, normalize_uri_pattern,
};
