//! Version 1: lines of text (section 2.1 of the specification).

use sallyport_wire::proxy_protocol::{Endpoints, HeaderError, HeaderFault, Version, parse};

use crate::fixture::{BYTES_MAX, error, header, proxied, v4_endpoints};

#[test]
fn lines_of_version_1() {
    let found = header(b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n");
    assert_eq!(found, proxied(Version::V1, v4_endpoints()));
    assert_eq!(
        found.endpoints.source().unwrap().to_string(),
        "192.0.2.1:56324"
    );
    assert_eq!(
        found.endpoints.destination().unwrap().to_string(),
        "198.51.100.2:443"
    );
    let found = header(b"PROXY TCP6 2001:db8::1 2001:DB8:0:0:0:0:0:2 0 65535\r\n");
    let expected = Endpoints::V6 {
        source: "[2001:db8::1]:0".parse().unwrap(),
        destination: "[2001:db8::2]:65535".parse().unwrap(),
    };
    assert_eq!(found, proxied(Version::V1, expected));
    // The longest that the specification names.
    let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    for line in [
        "PROXY UNKNOWN\r\n".to_owned(),
        format!("PROXY UNKNOWN {full} {full} 65535 65535\r\n"),
    ] {
        let found = header(line.as_bytes());
        assert_eq!(
            (found.transport, found.endpoints),
            (None, Endpoints::Unknown)
        );
        assert_eq!(found.endpoints.source(), None);
    }
}

/// Lines, and where and why they are none.
const BAD: &[(&[u8], usize, HeaderFault)] = &[
    (
        b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n",
        37,
        HeaderFault::LineEnd,
    ),
    (b"PROXY \n", 6, HeaderFault::LineEnd),
    (b"PROXY \r\n", 6, HeaderFault::Protocol),
    (
        b"PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n",
        6,
        HeaderFault::Protocol,
    ),
    (
        b"PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n",
        6,
        HeaderFault::Protocol,
    ),
    (b"PROXY UNKNOWNS\r\n", 6, HeaderFault::Protocol),
    (
        b"PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
        6,
        HeaderFault::Protocol,
    ),
    (
        b"PROXY TCP4 ::1 198.51.100.2 1 2\r\n",
        11,
        HeaderFault::Ipv4Address,
    ),
    (
        b"PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n",
        11,
        HeaderFault::Ipv4Address,
    ),
    (
        b"PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n",
        11,
        HeaderFault::Ipv4Address,
    ),
    (b"PROXY TCP4 192.0.2.1\r\n", 20, HeaderFault::Ipv4Address),
    (
        b"PROXY TCP6 ::1 192.0.2.1 1 2\r\n",
        15,
        HeaderFault::Ipv6Address,
    ),
    (
        b"PROXY TCP6 ::1 fe80::1%eth0 1 2\r\n",
        15,
        HeaderFault::Ipv6Address,
    ),
    (
        b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n",
        34,
        HeaderFault::Port,
    ),
    (
        b"PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n",
        34,
        HeaderFault::Port,
    ),
    (
        b"PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n",
        34,
        HeaderFault::Port,
    ),
    (
        b"PROXY TCP4 192.0.2.1 198.51.100.2 1 \r\n",
        36,
        HeaderFault::Port,
    ),
    (
        b"PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n",
        35,
        HeaderFault::Port,
    ),
    (
        b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n",
        37,
        HeaderFault::LineEnd,
    ),
    (
        b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n",
        37,
        HeaderFault::LineEnd,
    ),
];

#[test]
fn lines_that_are_none() {
    let long = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 92], b"\r\n"].concat();
    assert_eq!(long.len(), 108);
    let too_long = (&long[..], 107, HeaderFault::LineTooLong);
    for (line, at, fault) in BAD.iter().copied().chain([too_long]) {
        assert_eq!(
            error(line),
            HeaderError { at, fault },
            "{}",
            line.escape_ascii()
        );
    }
    assert!(parse(&long[..106], BYTES_MAX).is_ok());
    assert_eq!(
        error(b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n").to_string(),
        "PROXY protocol header, byte 34: expected a port from 0 to 65535"
    );
}
