//! A response as it came over the wire: read strictly, since what the proxy sends must be exact.

use super::message::header_values;

/// A response: head and decoded body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Response {
    /// The values of a header, joined as RFC 9110 section 5.3 does.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values = header_values(&self.headers, name);
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The error type of `Proxy-Status` (RFC 9209 section 2.3).
    pub(crate) fn proxy_error(&self) -> Option<String> {
        let status = self.header("proxy-status")?;
        let parameter = status
            .split(';')
            .find_map(|part| part.trim().strip_prefix("error="))?;
        Some(parameter.to_owned())
    }

    /// The transaction id in the body of a refusal.
    pub(crate) fn transaction(&self) -> String {
        let text = self.text();
        let id = text
            .lines()
            .find_map(|line| line.strip_prefix("transaction: "));
        id.unwrap_or_else(|| panic!("no transaction id in {text:?}"))
            .to_owned()
    }

    pub(crate) fn says_close(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Asserts that this is a refusal of the proxy with this status and error type.
    pub(crate) fn assert_refusal(&self, status: u16, error: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.proxy_error().as_deref(), Some(error), "{self:?}");
    }
}
