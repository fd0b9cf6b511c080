//! Normal forms of field values: one code for the compiler (values of conditions) and the engine
//! (fields of requests), so that the two can never differ.

mod domain;
mod http;
mod uri;

pub(crate) use domain::lower_case_host;
pub use domain::{DomainError, normalize_domain};
pub use http::{MethodError, is_token, normalize_content_type, normalize_method};
pub use uri::{normalize_uri, normalize_uri_pattern};
