//! Headers written, read and cut anywhere.

use std::net::{SocketAddrV4, SocketAddrV6};

use proptest::prelude::*;
use sallyport_wire::proxy_protocol::{
    Command, EncodeError, EndpointId, Endpoints, Extensions, Header, Parse, TlsDetails, Transport,
    Version, parse,
};

use crate::fixture::{ADDRESSES, BYTES_MAX, proxied, v2, v4_endpoints};

#[test]
fn what_no_length_can_count_is_not_written() {
    let text = "x".repeat(65_536);
    let most = "x".repeat(65_535 - 12 - 3);
    for (authority, expected) in [
        (&text[..], Err(EncodeError)),
        (&text[..65_530], Err(EncodeError)),
        (&most, Ok(())),
    ] {
        let extensions = Extensions {
            authority: Some(authority),
            ..Extensions::default()
        };
        let header = Header {
            extensions,
            ..proxied(Version::V2, v4_endpoints())
        };
        let mut out = b"before".to_vec();
        assert_eq!(header.encode(&mut out), expected);
        assert_eq!(
            out.len(),
            if expected.is_ok() { 6 + 16 + 65_535 } else { 6 }
        );
    }
}

#[test]
fn a_line_says_what_it_can() {
    let mut out = Vec::new();
    let datagram = Header {
        transport: Some(Transport::Datagram),
        ..proxied(Version::V1, v4_endpoints())
    };
    datagram.encode(&mut out).unwrap();
    assert_eq!(out, b"PROXY UNKNOWN\r\n");
}

/// Flags, the result of verification, version, common name, certificate.
type Tls = (u8, u32, Option<String>, Option<String>, Option<Vec<u8>>);

/// What a [`Header`] lends.
#[derive(Clone, Debug)]
struct Owned {
    command: Command,
    transport: Transport,
    family: u8,
    addresses: ([u8; 16], [u8; 16], u16, u16),
    alpn: Option<Vec<u8>>,
    authority: Option<String>,
    unique_id: Option<Vec<u8>>,
    namespace: Option<String>,
    tls: Option<Tls>,
    endpoint: (u8, String, u64),
    has_checksum: bool,
    unix: [[u8; 108]; 2],
}

impl Owned {
    fn header(&self, version: Version) -> Header<'_> {
        let (source, destination, source_port, destination_port) = self.addresses;
        let v4 = |address: [u8; 16], port| {
            let address: [u8; 4] = *address.first_chunk().unwrap();
            SocketAddrV4::new(address.into(), port)
        };
        let v6 = |address: [u8; 16], port| SocketAddrV6::new(address.into(), port, 0, 0);
        let endpoints = match self.family {
            0 => Endpoints::V4 {
                source: v4(source, source_port),
                destination: v4(destination, destination_port),
            },
            1 => Endpoints::V6 {
                source: v6(source, source_port),
                destination: v6(destination, destination_port),
            },
            _ => Endpoints::Unix {
                source: &self.unix[0],
                destination: &self.unix[1],
            },
        };
        let tls = self.tls.as_ref().map(|tls| TlsDetails {
            flags: tls.0,
            verify: tls.1,
            version: tls.2.as_deref(),
            common_name: tls.3.as_deref(),
            client_certificate: tls.4.as_deref(),
            ..TlsDetails::default()
        });
        let (kind, id, number) = &self.endpoint;
        let endpoint = match kind {
            0 => Some(EndpointId::Aws(id)),
            1 => Some(EndpointId::Azure(u32::try_from(number >> 32).unwrap())),
            2 => Some(EndpointId::Google(*number)),
            3 => Some(EndpointId::Alibaba(id)),
            _ => None,
        };
        Header {
            version,
            command: self.command,
            transport: Some(self.transport),
            endpoints,
            extensions: Extensions {
                alpn: self.alpn.as_deref(),
                authority: self.authority.as_deref(),
                unique_id: self.unique_id.as_deref(),
                tls,
                network_namespace: self.namespace.as_deref(),
                endpoint,
                has_checksum: self.has_checksum,
            },
        }
    }
}

prop_compose! {
    fn owned()(
        (is_local, is_stream, family, has_checksum) in any::<(bool, bool, u8, bool)>(),
        addresses in any::<([u8; 16], [u8; 16], u16, u16)>(),
        (alpn, unique_id) in any::<(Option<Vec<u8>>, Option<Vec<u8>>)>(),
        authority in any::<Option<String>>(),
        namespace in prop::option::of("[ -~]{0,40}"),
        tls in prop::option::of((
            any::<u8>(),
            any::<u32>(),
            prop::option::of("[ -~]{0,20}"),
            any::<Option<String>>(),
            any::<Option<Vec<u8>>>(),
        )),
        endpoint in (0_u8..6, "[a-zA-Z0-9-]{1,40}", any::<u64>()),
        unix in any::<([u8; 32], [u8; 32])>(),
    ) -> Owned {
        let path = |bytes: [u8; 32]| {
            let mut path = [0; 108];
            path[..32].copy_from_slice(&bytes);
            path
        };
        Owned {
            command: if is_local { Command::Local } else { Command::Proxy },
            transport: if is_stream { Transport::Stream } else { Transport::Datagram },
            family: family % 3,
            addresses,
            alpn,
            authority,
            unique_id: unique_id.map(|mut id| { id.truncate(128); id }),
            namespace,
            tls,
            endpoint,
            has_checksum,
            unix: [path(unix.0), path(unix.1)],
        }
    }
}

/// As a receiver sees it: what is to be discarded is not there.
fn received(header: Header<'_>) -> Header<'_> {
    let is_v1 = header.version == Version::V1;
    let is_unknown = match header.endpoints {
        _ if is_v1 && header.transport == Some(Transport::Datagram) => true,
        Endpoints::Unix { .. } if is_v1 => true,
        _ => !is_v1 && header.command == Command::Local,
    };
    let header = Header {
        command: if is_v1 {
            Command::Proxy
        } else {
            header.command
        },
        ..header
    };
    if is_unknown {
        Header {
            transport: None,
            endpoints: Endpoints::Unknown,
            extensions: Extensions::default(),
            ..header
        }
    } else if is_v1 {
        let extensions = Extensions::default();
        Header {
            extensions,
            ..header
        }
    } else {
        header
    }
}

proptest! {
    #[test]
    fn written_and_read(owned in owned(), more: Vec<u8>) {
        for version in [Version::V1, Version::V2] {
            let sent = owned.header(version);
            let mut bytes = Vec::new();
            sent.encode(&mut bytes).unwrap();
            let length = bytes.len();
            bytes.extend(&more);
            let whole = parse(&bytes, 65_551);
            let header = received(sent);
            prop_assert_eq!(&whole, &Ok(Parse::Header { header, bytes: length }));
            // Cut anywhere, it is waited for, and not longer than needed.
            for cut in 0..length {
                match parse(&bytes[..cut], 65_551) {
                    Ok(Parse::Incomplete { bytes_min }) => {
                        prop_assert!(cut < bytes_min && bytes_min <= length);
                    }
                    other => prop_assert!(false, "{} of {}: {:?}", cut, length, other),
                }
            }
        }
    }

    #[test]
    fn once_judged_more_bytes_change_nothing(
        owned in owned(),
        is_line: bool,
        at: prop::sample::Index,
        byte: u8,
    ) {
        let version = if is_line { Version::V1 } else { Version::V2 };
        let mut bytes = Vec::new();
        owned.header(version).encode(&mut bytes).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let whole = parse(&bytes, BYTES_MAX);
        for cut in 0..bytes.len() {
            let found = parse(&bytes[..cut], BYTES_MAX);
            let is_waiting = matches!(found, Ok(Parse::Incomplete { .. }));
            prop_assert!(is_waiting || found == whole, "{:?}, then {:?}", found, whole);
        }
    }

    #[test]
    fn any_block_behind_the_addresses(tlvs: Vec<u8>) {
        let bytes = v2(0x21, 0x11, &[&ADDRESSES[..], &tlvs].concat());
        if let Ok(found) = parse(&bytes, 65_551) {
            let is_whole = matches!(found, Parse::Header { bytes: end, .. } if end == bytes.len());
            prop_assert!(is_whole, "{found:?}");
        }
    }
}
