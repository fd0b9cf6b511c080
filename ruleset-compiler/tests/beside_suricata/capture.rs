//! A capture file with the packets of whole TCP connections, as `tcpdump -w` writes it.

use std::net::Ipv4Addr;

/// A connection: opened, one message each way, closed.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: (Ipv4Addr, u16),
    pub(crate) server: (Ipv4Addr, u16),
    pub(crate) sent: Vec<u8>,
    pub(crate) received: Vec<u8>,
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const PUSH: u8 = 8;
const ACK: u8 = 16;

/// The file; connections come one after the other, a second apart.
pub(crate) fn file(connections: impl Iterator<Item = Connection>) -> Vec<u8> {
    // Magic, version 2.4, no time zone, no accuracy, the longest packet, raw IPv4 without Ethernet.
    let mut out = Vec::new();
    out.extend(0xa1b2_c3d4_u32.to_le_bytes());
    out.extend(2_u16.to_le_bytes());
    out.extend(4_u16.to_le_bytes());
    for word in [0_u32, 0, 0xffff, 101] {
        out.extend(word.to_le_bytes());
    }
    for (connection, second) in connections.zip(1_700_000_000_u32..) {
        connection.write(second, &mut out);
    }
    out
}

impl Connection {
    fn write(&self, second: u32, out: &mut Vec<u8>) {
        let (mut client, mut server) = (1_000_u32, 5_000_u32);
        let mut microsecond = 0;
        let mut send = |from_client: bool, flags: u8, content: &[u8]| {
            let (from, to) = if from_client {
                (self.client, self.server)
            } else {
                (self.server, self.client)
            };
            let (own, other) = if from_client {
                (&mut client, &server)
            } else {
                (&mut server, &client)
            };
            let acknowledged = if flags & ACK == 0 { 0 } else { *other };
            let packet = packet(from, to, (*own, acknowledged), flags, content);
            let length = u32::try_from(packet.len()).unwrap();
            for word in [second, microsecond, length, length] {
                out.extend(word.to_le_bytes());
            }
            out.extend(packet);
            microsecond += 100;
            *own += u32::try_from(content.len()).unwrap() + u32::from(flags & (SYN | FIN) != 0);
        };
        send(true, SYN, b"");
        send(false, SYN | ACK, b"");
        send(true, ACK, b"");
        send(true, PUSH | ACK, &self.sent);
        send(false, ACK, b"");
        send(false, PUSH | ACK, &self.received);
        send(true, ACK, b"");
        send(true, FIN | ACK, b"");
        send(false, FIN | ACK, b"");
        send(true, ACK, b"");
    }
}

/// IPv4 and TCP headers without checksums, which nobody checks here.
fn packet(
    from: (Ipv4Addr, u16),
    to: (Ipv4Addr, u16),
    (sequence, acknowledged): (u32, u32),
    flags: u8,
    content: &[u8],
) -> Vec<u8> {
    const HEADERS: usize = 40;
    let length = u16::try_from(HEADERS + content.len()).unwrap();
    let mut out = vec![0x45, 0];
    out.extend(length.to_be_bytes());
    // Identification, not to be fragmented, 64 hops, TCP, checksum.
    out.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    out.extend(from.0.octets());
    out.extend(to.0.octets());
    out.extend(from.1.to_be_bytes());
    out.extend(to.1.to_be_bytes());
    out.extend(sequence.to_be_bytes());
    out.extend(acknowledged.to_be_bytes());
    // Five words of header, the window, checksum, nothing urgent.
    out.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    out.extend(content);
    out
}

/// A ClientHello of TLS 1.3 in its record.
pub(crate) fn client_hello(name: Option<&str>) -> Vec<u8> {
    // Supported groups, signature algorithms, versions.
    let mut extensions = vec![
        0, 10, 0, 4, 0, 2, 0, 29, 0, 13, 0, 4, 0, 2, 4, 3, 0, 43, 0, 3, 2, 3, 4,
    ];
    if let Some(name) = name {
        let name = [&[0][..], &sized(name.as_bytes())].concat();
        extensions.extend([0, 0]);
        extensions.extend(sized(&sized(&name)));
    }
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    // No session; two cipher suites; no compression.
    body.extend([0, 0, 4, 0x13, 1, 0xc0, 0x2b, 1, 0]);
    body.extend(sized(&extensions));
    let handshake = [&[1, 0][..], &sized(&body)].concat();
    [&[22, 3, 1][..], &sized(&handshake)].concat()
}

/// Behind their length in two bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [&length[..], bytes].concat()
}
