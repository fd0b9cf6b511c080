//! Version 2: the fixed bytes and the addresses (section 2.2); and bytes of other protocols.

use sallyport_wire::proxy_protocol::{
    Command, Endpoints, Extensions, HeaderError, HeaderFault, Parse, Transport, Version, parse,
};

use crate::fixture::{ADDRESSES, BYTES_MAX, SIGNATURE, error, header, proxied, v2, v4_endpoints};

#[test]
fn forms_of_version_2() {
    let bytes = v2(0x21, 0x11, &ADDRESSES);
    assert_eq!(header(&bytes), proxied(Version::V2, v4_endpoints()));
    let bytes = v2(0x21, 0x12, &ADDRESSES);
    assert_eq!(header(&bytes).transport, Some(Transport::Datagram));

    let mut v6 = [0; 36];
    v6[15] = 1;
    v6[31] = 2;
    v6[35] = 80;
    for (form, transport) in [(0x21, Transport::Stream), (0x22, Transport::Datagram)] {
        let bytes = v2(0x21, form, &v6);
        let expected = Endpoints::V6 {
            source: "[::1]:0".parse().unwrap(),
            destination: "[::2]:80".parse().unwrap(),
        };
        assert_eq!(header(&bytes).endpoints, expected);
        assert_eq!(header(&bytes).transport, Some(transport));
    }
    let mut unix = [0; 216];
    unix[..4].copy_from_slice(b"/a/b");
    unix[215] = 7;
    let bytes = v2(0x21, 0x31, &unix);
    let Endpoints::Unix {
        source,
        destination,
    } = header(&bytes).endpoints
    else {
        panic!("{:?}", header(&bytes));
    };
    assert_eq!((&source[..5], destination[107]), (&b"/a/b\0"[..], 7));
}

#[test]
fn connections_of_the_sender_and_of_unknown_kind() {
    for (command, form, block) in [
        (0x20, 0x00, &[][..]),
        // Of a local one all but the command is to be discarded, whatever it is.
        (0x20, 0x11, &ADDRESSES[..]),
        (0x20, 0x11, &[1, 2]),
        (0x20, 0xff, &[3, 0, 9]),
        // The block of an unspecified family is skipped.
        (0x21, 0x00, &[]),
        (0x21, 0x00, &[3, 0, 9]),
    ] {
        let bytes = v2(command, form, block);
        let found = header(&bytes);
        assert_eq!(found.command == Command::Local, command == 0x20);
        assert_eq!(
            (found.transport, found.endpoints),
            (None, Endpoints::Unknown)
        );
        assert_eq!(found.extensions, Extensions::default());
    }
}

#[test]
fn fixed_bytes_that_are_none() {
    for (bytes, at, fault) in [
        (v2(0x11, 0x11, &ADDRESSES), 12, HeaderFault::Version(1)),
        (v2(0x31, 0x11, &ADDRESSES), 12, HeaderFault::Version(3)),
        (v2(0x22, 0x11, &ADDRESSES), 12, HeaderFault::Command(2)),
        (
            v2(0x21, 0x10, &ADDRESSES),
            13,
            HeaderFault::FamilyAndTransport(0x10),
        ),
        (
            v2(0x21, 0x01, &ADDRESSES),
            13,
            HeaderFault::FamilyAndTransport(0x01),
        ),
        (
            v2(0x21, 0x13, &ADDRESSES),
            13,
            HeaderFault::FamilyAndTransport(0x13),
        ),
        (
            v2(0x21, 0x41, &ADDRESSES),
            13,
            HeaderFault::FamilyAndTransport(0x41),
        ),
        (
            v2(0x21, 0x11, &ADDRESSES[..11]),
            14,
            HeaderFault::AddressesCut {
                bytes: 12,
                announced: 11,
            },
        ),
        (
            v2(0x21, 0x21, &ADDRESSES),
            14,
            HeaderFault::AddressesCut {
                bytes: 36,
                announced: 12,
            },
        ),
        (
            v2(0x20, 0x00, &[0; BYTES_MAX - 15]),
            14,
            HeaderFault::TooLarge {
                bytes: BYTES_MAX + 1,
                bytes_max: BYTES_MAX,
            },
        ),
    ] {
        assert_eq!(error(&bytes), HeaderError { at, fault });
    }
    // It is told from the length, before the rest has come.
    let bytes = v2(0x20, 0x00, &[0; BYTES_MAX - 15]);
    assert!(parse(&bytes[..16], BYTES_MAX).is_err());
    assert!(parse(&bytes, BYTES_MAX + 1).is_ok());
}

#[test]
fn what_follows_the_header_is_left() {
    let bytes = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nGET / HTTP/1.1\r\n";
    let found = parse(bytes, BYTES_MAX).unwrap();
    assert!(
        matches!(found, Parse::Header { bytes: 45, .. }),
        "{found:?}"
    );
    let bytes = [v2(0x21, 0x11, &ADDRESSES), b"\x16\x03\x01".to_vec()].concat();
    let found = parse(&bytes, BYTES_MAX).unwrap();
    assert!(
        matches!(found, Parse::Header { bytes: 28, .. }),
        "{found:?}"
    );
}

#[test]
fn other_protocols() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"PROXX",
        b"PROXY\t",
        b"proxy tcp4",
        b"\x16\x03\x01",
        b"\r\nGET / HTTP/1.1\r\n",
        b"\r\n\r\n\0\r\nQUIT\r",
        b"PRI * HTTP/2.0\r\n",
    ] {
        assert_eq!(parse(bytes, BYTES_MAX), Ok(Parse::NotProxyProtocol));
    }
    for (bytes, expected) in [
        (&b""[..], 1),
        (b"PR", 3),
        (b"\r\n\r\n", 5),
        (b"PROXY ", 15),
        (b"PROXY TCP4 192.0.2.1", 21),
        (SIGNATURE, 16),
    ] {
        let bytes_min = expected;
        assert_eq!(parse(bytes, BYTES_MAX), Ok(Parse::Incomplete { bytes_min }));
    }
    let bytes = v2(0x21, 0x11, &ADDRESSES);
    assert_eq!(
        parse(&bytes[..16], BYTES_MAX),
        Ok(Parse::Incomplete { bytes_min: 28 })
    );
}
