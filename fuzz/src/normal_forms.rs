//! Normal forms of names, URIs and content types: fixed points, whatever went in. A form that
//! changed again on a second pass would let a rule and a request disagree.

use sallyport_ruleset::normalize::{
    normalize_content_type, normalize_domain, normalize_uri, normalize_uri_pattern,
};

/// Normalizing twice is normalizing once.
pub fn normal_forms(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        let (mut once, mut twice) = (String::new(), String::new());
        if let Ok(name) = normalize_domain(text, &mut once) {
            assert!(name.is_ascii() && !name.is_empty() && !name.ends_with('.'));
            assert_eq!(normalize_domain(name, &mut twice), Ok(name));
        }
    }
    type Normalize = fn(&[u8], &mut Vec<u8>);
    let bytes: [(Normalize, usize); 3] = [
        (normalize_uri, 3),
        (normalize_uri_pattern, 3),
        (normalize_content_type, 1),
    ];
    for (normalize, growth_max) in bytes {
        let (mut once, mut twice) = (Vec::new(), b"left over".to_vec());
        normalize(data, &mut once);
        assert!(once.len() <= data.len() * growth_max + 1);
        normalize(&once, &mut twice);
        assert_eq!(
            once.escape_ascii().to_string(),
            twice.escape_ascii().to_string()
        );
    }
}
