//! The path and query of a request: the form that rules see, and the bytes that are sent. The two mean
//! the same to every recipient that follows RFC 3986; `http.path` has them be the same for others too.

use sallyport_ruleset::normalize::{escape_uri, has_escaped_slash, merge_slashes, normalize_uri};

use crate::config::checked::PathForm;
use crate::proxy_error::ProxyError;
use crate::transaction::request::reply::Refusal;

/// Where the forms go that differ from what was written.
#[derive(Debug)]
pub(crate) struct PathTexts<'a> {
    pub(crate) sent: &'a mut Vec<u8>,
    pub(crate) normal: &'a mut Vec<u8>,
}

/// Path and query of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path<'a> {
    /// What is sent.
    pub(crate) sent: &'a [u8],
    /// For the rules.
    pub(crate) normal: &'a [u8],
}

impl<'a> Path<'a> {
    /// Reads what a client wrote.
    pub(crate) fn new(
        written: &'a [u8],
        form: PathForm,
        texts: PathTexts<'a>,
    ) -> Result<Self, Refusal> {
        let PathTexts { sent, normal } = texts;
        normalize_uri(written, normal);
        match form {
            PathForm::RejectEscapedSlashes if has_escaped_slash(normal) => {
                let detail = "the path holds an escaped slash or backslash (http.path)";
                Err(Refusal::new(ProxyError::HttpRequestError, detail))
            }
            PathForm::AsIs | PathForm::RejectEscapedSlashes => Ok(Self {
                sent: escape_uri(written, sent),
                normal,
            }),
            PathForm::MergeSlashes => {
                merge_slashes(normal);
                Ok(Self {
                    sent: normal,
                    normal,
                })
            }
        }
    }
}
