//! Methods and content types.

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

/// Brings a content type into its normal form: lower case, no white space at the ends or around
/// `;`. `out` is overwritten; it grows to at most the length of the input.
pub fn normalize_content_type(input: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut parts = input.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    out.extend(parts.next().unwrap_or_default());
    for part in parts {
        out.push(b';');
        out.extend(part);
    }
    out.make_ascii_lowercase();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content_type(input: &[u8]) -> Vec<u8> {
        let mut out = b"left over".to_vec();
        normalize_content_type(input, &mut out);
        out
    }

    #[test]
    fn content_types() {
        assert_eq!(
            content_type(b" Text/HTML ; Charset=UTF-8 "),
            b"text/html;charset=utf-8"
        );
        assert_eq!(content_type(b"a/b"), b"a/b");
        assert_eq!(content_type(b""), b"");
    }

    #[test]
    fn methods_keep_their_case() {
        assert_eq!(normalize_method("GeT"), Ok("GeT"));
        assert_eq!(normalize_method("G T"), Err(MethodError));
        assert_eq!(normalize_method(""), Err(MethodError));
    }

    proptest! {
        #[test]
        fn normal_forms_are_normal(input in proptest::collection::vec(any::<u8>(), 0..20)) {
            let once = content_type(&input);
            prop_assert_eq!(content_type(&once), once);
        }
    }
}
