//! Request targets and authorities: accepted ones are put together again from their parts, and no
//! host is one thing here and another thing to whoever dials it.

use std::net::{Ipv4Addr, Ipv6Addr};

use sallyport_wire::http1::{
    Authority, Host, MethodKind, RequestTarget, connect_host_matches, host_matches,
};

/// A target is made of its parts and nothing else, and its host has one meaning.
pub fn request_target(data: &[u8]) {
    for method in [MethodKind::Get, MethodKind::Options, MethodKind::Connect] {
        let Ok(target) = RequestTarget::parse(method, data) else {
            continue;
        };
        match target {
            RequestTarget::Absolute {
                scheme,
                authority,
                path_and_query,
            } => {
                check_authority(&authority);
                assert!(host_matches(&authority, scheme, authority.text.as_bytes()));
                let (written, rest) = data.split_at(scheme.as_str().len());
                assert!(written.eq_ignore_ascii_case(scheme.as_str().as_bytes()));
                let up_to_path = ["://", authority.text].concat().into_bytes();
                let path = rest
                    .strip_prefix(up_to_path.as_slice())
                    .expect("scheme and authority");
                let default: &[u8] = if method == MethodKind::Options {
                    b"*"
                } else {
                    b"/"
                };
                assert_eq!(path_and_query, if path.is_empty() { default } else { path });
                assert!(path_and_query == b"*" || b"/?".contains(&path_and_query[0]));
                check_path(path_and_query);
            }
            RequestTarget::Origin(path) => {
                assert!(path == data && path.starts_with(b"/"));
                check_path(path);
            }
            RequestTarget::Asterisk => assert_eq!(data, b"*"),
            RequestTarget::Authority(authority) => {
                assert_eq!(method, MethodKind::Connect);
                assert_eq!(authority.text.as_bytes(), data);
                assert!(authority.port.is_some());
                check_authority(&authority);
                assert!(connect_host_matches(&authority, data));
            }
        }
        assert_eq!(
            method == MethodKind::Connect,
            matches!(target, RequestTarget::Authority(_))
        );
    }
    if let Ok(authority) = Authority::parse(data) {
        assert_eq!(authority.text.as_bytes(), data);
        check_authority(&authority);
    }
}

fn check_path(path: &[u8]) {
    let ends_a_line_or_word = |byte: &u8| *byte <= b' ' || *byte == 0x7f;
    assert!(!path.iter().any(ends_a_line_or_word));
    assert!(!path.contains(&b'#'), "a fragment is never sent");
}

fn check_authority(authority: &Authority<'_>) {
    let port = authority
        .port
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let host_text = authority.host_text;
    assert_ne!(authority.port, Some(0));
    match authority.host {
        Host::Ipv6(address) => {
            assert_eq!(host_text.parse(), Ok(address));
            assert_eq!(authority.text, format!("[{host_text}]{port}"));
        }
        Host::Ipv4(address) => {
            assert_eq!(address.to_string(), host_text, "octal, or short, or both");
            assert_eq!(authority.text, format!("{host_text}{port}"));
        }
        Host::Domain(name) => {
            assert_eq!(name, host_text);
            assert_eq!(authority.text, format!("{host_text}{port}"));
            check_name(name);
        }
    }
}

/// Not an address to anybody (the "ends in a number" check of the WHATWG URL standard covers what
/// `inet_aton` takes), and no separators in it.
fn check_name(name: &str) {
    assert!(name.parse::<Ipv4Addr>().is_err() && name.parse::<Ipv6Addr>().is_err());
    let relative = name.strip_suffix('.').unwrap_or(name);
    assert!(relative.split('.').all(|label| !label.is_empty()));
    let last = relative
        .rsplit('.')
        .next()
        .expect("a label")
        .to_ascii_lowercase();
    let is_decimal = last.bytes().all(|byte| byte.is_ascii_digit());
    let hexadecimal = last.strip_prefix("0x");
    let is_hexadecimal =
        hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert!(!is_decimal && !is_hexadecimal, "an address to inet_aton");
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) || byte >= 0x80;
    assert!(name.bytes().all(is_allowed));
}
