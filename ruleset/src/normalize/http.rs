//! Methods and header names.

/// Why a text is no method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a method is one or more of the characters of a token (RFC 9110 section 5.6.2)")]
pub struct MethodError;

/// A method is compared as it is, with case (RFC 9110 section 9.1); this only checks it.
///
/// # Errors
/// When it is no token.
pub fn normalize_method(input: &str) -> Result<&str, MethodError> {
    if is_token(input.as_bytes()) {
        Ok(input)
    } else {
        Err(MethodError)
    }
}

/// Whether the bytes are a token (RFC 9110 section 5.6.2): a method or a header name.
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_keep_their_case() {
        assert_eq!(normalize_method("GeT"), Ok("GeT"));
        assert_eq!(normalize_method("G T"), Err(MethodError));
        assert_eq!(normalize_method(""), Err(MethodError));
    }
}
