//! Whether a message names one media type or several.

use crate::FieldValues;

/// Longer media types are equal to none: two names of 127 bytes (RFC 6838 section 4.2).
const MEDIA_TYPE_BYTES_MAX: usize = 255;

/// Whether the values name more than one media type, parameters apart: two recipients could take
/// the message for two different things.
#[must_use]
pub fn media_types_differ(values: FieldValues<'_>) -> bool {
    if let FieldValues::One(line) = values
        && memchr::memchr(b',', line).is_none()
    {
        return false;
    }
    let mut first: Option<([u8; MEDIA_TYPE_BYTES_MAX], usize)> = None;
    let mut differ = false;
    values.for_each_content_type(&mut |value| {
        let media_type = value.split(|byte| *byte == b';').next();
        let media_type = media_type.unwrap_or_default().trim_ascii();
        match &first {
            _ if value.is_empty() => {}
            Some((bytes, len)) => {
                let same = bytes.get(..*len).unwrap_or_default();
                differ |= !media_type.eq_ignore_ascii_case(same);
            }
            None => {
                let mut bytes = [0; MEDIA_TYPE_BYTES_MAX];
                match bytes.get_mut(..media_type.len()) {
                    Some(place) => place.copy_from_slice(media_type),
                    // Nobody has such a type. What is compared with its beginning differs from it.
                    None => bytes.fill(0),
                }
                first = Some((bytes, media_type.len().min(MEDIA_TYPE_BYTES_MAX)));
            }
        }
    });
    differ
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_compared_without_parameters() {
        let differ = |line: &str| media_types_differ(FieldValues::One(line.as_bytes()));
        for same in [
            "",
            "a/b",
            "a/b, A/B;c",
            "a/b;c=\"x, y/z\"",
            ", a/b",
            "a/b ;c,a/b",
        ] {
            assert!(!differ(same), "{same}");
        }
        for different in ["a/b, a/c", "a/b;a, x", "a/b, a/b, c", "a/b;c=\"x, y/z"] {
            assert!(differ(different), "{different}");
        }
        let long = "x".repeat(300);
        assert!(differ(&format!("{long},{long}")));
        let lines = vec![
            (b"Content-Type".to_vec(), b"a/b".to_vec()),
            (b"x".to_vec(), b"c".to_vec()),
            (b"content-type".to_vec(), b"a/c".to_vec()),
        ];
        assert!(media_types_differ(FieldValues::Named(
            &lines,
            "content-type"
        )));
        assert!(!media_types_differ(FieldValues::Named(&lines, "x")));
    }
}
