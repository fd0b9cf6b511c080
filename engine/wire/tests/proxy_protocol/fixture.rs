//! Headers byte by byte, and what they are expected to say.

use sallyport_wire::proxy_protocol::{
    Command, Endpoints, Extensions, Header, HeaderError, Parse, Transport, Version, parse,
};

pub(crate) const BYTES_MAX: usize = 4096;
pub(crate) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header that ends where the bytes end.
pub(crate) fn header(bytes: &[u8]) -> Header<'_> {
    match parse(bytes, BYTES_MAX) {
        Ok(Parse::Header { header, bytes: end }) if end == bytes.len() => header,
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

pub(crate) fn error(bytes: &[u8]) -> HeaderError {
    parse(bytes, BYTES_MAX).expect_err(&bytes.escape_ascii().to_string())
}

/// Version 2: command, family and transport, what follows.
pub(crate) fn v2(command: u8, form: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, form], &length, block].concat()
}

pub(crate) const ADDRESSES: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb];

pub(crate) fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], value].concat()
}

pub(crate) fn with_tlvs(tlvs: &[Vec<u8>]) -> Vec<u8> {
    v2(0x21, 0x11, &[&ADDRESSES[..], &tlvs.concat()].concat())
}

pub(crate) fn v4_endpoints() -> Endpoints<'static> {
    Endpoints::V4 {
        source: "192.0.2.1:56324".parse().unwrap(),
        destination: "198.51.100.2:443".parse().unwrap(),
    }
}

pub(crate) fn proxied(version: Version, endpoints: Endpoints<'_>) -> Header<'_> {
    Header {
        version,
        command: Command::Proxy,
        transport: Some(Transport::Stream),
        endpoints,
        extensions: Extensions::default(),
    }
}
