//! Version 2: TLVs, those of clouds among them.

use sallyport_wire::proxy_protocol::{
    EndpointId, Extensions, Header, HeaderError, HeaderFault, TlsDetails, Version, parse,
};

use crate::fixture::{
    ADDRESSES, BYTES_MAX, error, header, proxied, tlv, v2, v4_endpoints, with_tlvs,
};

#[test]
fn values_of_tlvs() {
    let tls = [
        &[0x03, 0, 0, 0, 0][..],
        &tlv(0x21, b"TLSv1.3"),
        &tlv(0x22, "Zoë".as_bytes()),
        &tlv(0x23, b"TLS_AES_128_GCM_SHA256"),
        &tlv(0x24, b"SHA256"),
        &tlv(0x25, b"EC256"),
        &tlv(0x26, b"X25519"),
        &tlv(0x27, b"ecdsa_secp256r1_sha256"),
        &tlv(0x28, &[0x30, 0x00]),
        &tlv(0x2f, b"unknown"),
    ]
    .concat();
    let bytes = with_tlvs(&[
        tlv(0x01, b"h2"),
        tlv(0x02, b"example.com"),
        tlv(0x04, &[0; 5]),
        tlv(0x05, &[7; 128]),
        tlv(0x04, &[]),
        tlv(0x20, &tls),
        tlv(0x30, b"blue"),
        tlv(0xf0, b"unknown"),
        tlv(0xf0, b"unknown"),
    ]);
    let found = header(&bytes).extensions;
    assert_eq!(found.alpn, Some(&b"h2"[..]));
    assert_eq!(found.authority, Some("example.com"));
    assert_eq!(found.unique_id, Some(&[7; 128][..]));
    assert_eq!(found.network_namespace, Some("blue"));
    assert_eq!((found.endpoint, found.has_checksum), (None, false));
    let tls = found.tls.unwrap();
    let expected = TlsDetails {
        flags: TlsDetails::IS_TLS | TlsDetails::HAS_CERTIFICATE,
        verify: 0,
        version: Some("TLSv1.3"),
        common_name: Some("Zoë"),
        cipher: Some("TLS_AES_128_GCM_SHA256"),
        signature_algorithm: Some("SHA256"),
        key_algorithm: Some("EC256"),
        group: Some("X25519"),
        signature_scheme: Some("ecdsa_secp256r1_sha256"),
        client_certificate: Some(&[0x30, 0x00]),
    };
    assert_eq!(tls, expected);
    assert!(tls.is_verified());
    assert!(!TlsDetails { verify: 1, ..tls }.is_verified());
    let flags = TlsDetails::IS_TLS;
    assert!(!TlsDetails { flags, ..tls }.is_verified());
}

#[test]
fn endpoints_of_clouds() {
    for (tlv, expected) in [
        (
            tlv(0xea, b"\x01vpce-08d2bf15fac5001c9"),
            Some(EndpointId::Aws("vpce-08d2bf15fac5001c9")),
        ),
        (tlv(0xea, b"\x02other"), None),
        (tlv(0xea, b""), None),
        (
            tlv(0xee, &[1, 0xc1, 0x45, 0, 0x21]),
            Some(EndpointId::Azure(0x2100_45c1)),
        ),
        (tlv(0xee, &[2, 1]), None),
        (
            tlv(0xe0, &[0, 0, 0x4d, 0xde, 0x29, 0x0a, 0, 0x3c]),
            Some(EndpointId::Google(0x4dde_290a_003c)),
        ),
        (
            tlv(0xe1, b"\x02ep-bp1abc"),
            Some(EndpointId::Alibaba("ep-bp1abc")),
        ),
        (tlv(0xe1, b"\x01vpc-bp1abc"), None),
    ] {
        let bytes = with_tlvs(&[tlv]);
        assert_eq!(header(&bytes).extensions.endpoint, expected);
    }
}

#[test]
fn tlvs_that_are_none() {
    let value = |kind, expected| HeaderFault::TlvValue { kind, expected };
    let tls = |nested: &[u8]| tlv(0x20, &[&[1, 0, 0, 0, 0], nested].concat());
    let word = "an id of letters, digits and `-`";
    for (tlvs, at, fault) in [
        (vec![vec![0x01]], 28, HeaderFault::TlvCut),
        (vec![vec![0x04, 0]], 28, HeaderFault::TlvCut),
        (
            vec![tlv(0x04, &[]), vec![0x01, 0, 1]],
            31,
            HeaderFault::TlvCut,
        ),
        (vec![tlv(0x02, b"\xff")], 28, value(0x02, "text in UTF-8")),
        (
            vec![tlv(0x05, &[0; 129])],
            28,
            value(0x05, "at most 128 bytes"),
        ),
        (
            vec![tlv(0x30, "ü".as_bytes())],
            28,
            value(0x30, "text in ASCII"),
        ),
        (vec![tlv(0x03, &[0; 3])], 28, value(0x03, "4 bytes")),
        (
            vec![tlv(0x20, &[1, 0, 0, 0])],
            28,
            value(0x20, "at least 5 bytes"),
        ),
        // Longer than the TLV around it, though not than the header.
        (
            vec![tls(&[0x21, 0, 1]), tlv(0x04, &[0; 9])],
            36,
            HeaderFault::TlvCut,
        ),
        (
            vec![tls(&tlv(0x21, b"\xff"))],
            36,
            value(0x21, "text in ASCII"),
        ),
        (
            vec![tls(&[tlv(0x22, b"a"), tlv(0x22, b"a")].concat())],
            40,
            HeaderFault::TlvRepeated(0x22),
        ),
        (
            vec![tlv(0x01, b"h2"), tlv(0x01, b"h2")],
            33,
            HeaderFault::TlvRepeated(0x01),
        ),
        (
            vec![tlv(0xea, b"\x01vpce-1"), tlv(0xe0, &[0; 8])],
            38,
            HeaderFault::TlvRepeated(0xe0),
        ),
        (vec![tlv(0xea, b"\x01")], 28, value(0xea, word)),
        (vec![tlv(0xea, b"\x01vpce_1")], 28, value(0xea, word)),
        (vec![tlv(0xe1, b"\x02ep\n")], 28, value(0xe1, word)),
        (vec![tlv(0xee, &[1, 2, 3, 4])], 28, value(0xee, "5 bytes")),
        (vec![tlv(0xe0, &[0; 7])], 28, value(0xe0, "8 bytes")),
    ] {
        let bytes = with_tlvs(&tlvs);
        assert_eq!(error(&bytes), HeaderError { at, fault }, "{tlvs:?}");
    }
}

#[test]
fn a_checksum_holds_for_all_bytes() {
    let extensions = Extensions {
        authority: Some("example.com"),
        has_checksum: true,
        ..Extensions::default()
    };
    let sent = Header {
        extensions,
        ..proxied(Version::V2, v4_endpoints())
    };
    let mut bytes = Vec::new();
    sent.encode(&mut bytes).unwrap();
    assert_eq!(header(&bytes), sent);
    // The addresses, the name, the checksum itself.
    for at in (16..28).chain(31..42).chain(45..49) {
        let mut broken = bytes.clone();
        broken[at] ^= 1;
        let fault = error(&broken).fault;
        assert!(
            matches!(fault, HeaderFault::Checksum { .. }),
            "{at}: {fault}"
        );
    }
    let again = [&ADDRESSES[..], &bytes[28..], &tlv(0x03, &[0; 4])].concat();
    let bytes = v2(0x21, 0x11, &again);
    assert!(parse(&bytes, BYTES_MAX).is_err());
    // Computed by another program over the header with zeros in place of the checksum.
    let known = [&ADDRESSES[..], &tlv(0x03, &0x20ec_9549_u32.to_be_bytes())].concat();
    assert!(header(&v2(0x21, 0x11, &known)).extensions.has_checksum);
}
