//! Who asks: header fields, addresses and manners of a group of connections.
//!
//! With the PROXY protocol (version 2) one machine plays many: each connection announces an address
//! of its own. Own encoder, shared with nobody.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use super::file::{ClientFile, PlanFile, ProxyProtocolFile};
use super::problem::Problem;
use super::random::Random;
use crate::http2::hpack;

/// Longest VPC endpoint id.
const VPCE_BYTES_MAX: usize = 255;

/// One group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Client {
    pub(crate) weight: f64,
    /// Rendered fields for the origin.
    pub(crate) fields: Vec<u8>,
    /// Rendered fields for the proxy.
    pub(crate) proxy_fields: Vec<u8>,
    /// The fields for the origin as HTTP/2 compresses them.
    pub(crate) block: Vec<u8>,
    /// Local addresses, taken in turn; the system's choice if empty.
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) announced: Option<Announced>,
    pub(crate) slow: Option<Slow>,
}

/// A client that trickles: so many octets sent and read at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slow {
    pub(crate) bytes: usize,
    pub(crate) every: Duration,
}

/// Addresses that a PROXY protocol header announces.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Announced {
    net: IpNet,
    vpce: Vec<String>,
}

/// The clients of a plan; one without peculiarities if the file names none.
pub(super) fn clients(file: &PlanFile, problems: &mut Vec<Problem>) -> Vec<Client> {
    let only = [ClientFile::default()];
    let entries = if file.client.is_empty() {
        &only
    } else {
        file.client.as_slice()
    };
    let one = |(index, entry): (usize, &ClientFile)| {
        let key = |name: &str| format!("client.{index}.{name}");
        let weight = entry.weight.unwrap_or(1.0);
        if !(weight.is_finite() && weight > 0.0) {
            problems.push(Problem::of(key("weight"), "not a positive number"));
        }
        let mut list = |name: &str, lines: &[String]| {
            fields(lines).unwrap_or_else(|message| {
                problems.push(Problem::of(key(name), message));
                Vec::new()
            })
        };
        let field_list = list("headers", &entry.headers);
        let proxy_list = list("proxy_headers", &entry.proxy_headers);
        if let Some(slow) = &entry.slow
            && (slow.bytes.0 == 0 || slow.every.0.is_zero())
        {
            problems.push(Problem::of(key("slow"), "neither bytes nor every can be 0"));
        }
        let header = entry
            .proxy_protocol
            .as_ref()
            .or(file.proxy_protocol.as_ref());
        let too_long = |header: &&ProxyProtocolFile| {
            let too_long = |id: &String| id.is_empty() || id.len() > VPCE_BYTES_MAX;
            header.vpce.iter().any(too_long)
        };
        if header.is_some_and(|header| too_long(&header)) {
            problems.push(Problem::of(
                key("proxy_protocol"),
                "an id of 1 to 255 octets",
            ));
        }
        Client {
            weight,
            fields: render(&field_list),
            proxy_fields: render(&proxy_list),
            block: compress(&field_list),
            sources: if entry.sources.is_empty() {
                file.sources.clone()
            } else {
                entry.sources.clone()
            },
            announced: header.map(Announced::new),
            slow: entry.slow.as_ref().map(|slow| Slow {
                bytes: usize::try_from(slow.bytes.0).unwrap_or(usize::MAX),
                every: slow.every.0,
            }),
        }
    };
    entries.iter().enumerate().map(one).collect()
}

/// Lines that are no header fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: not of the form K: V", .0.join(", "))]
pub(super) struct NoFields(Vec<String>);

/// Splits `K: V` lines; nothing in them may break a head.
pub(super) fn fields(lines: &[String]) -> Result<Vec<(String, String)>, NoFields> {
    let (mut fields, mut wrong) = (Vec::new(), Vec::new());
    for line in lines {
        let field = line.split_once(':').filter(|(name, value)| {
            !name.is_empty()
                && name.bytes().all(is_token)
                && !value.bytes().any(|byte| byte.is_ascii_control())
        });
        match field {
            Some((name, value)) => fields.push((name.to_owned(), value.trim().to_owned())),
            None => wrong.push(format!("{line:?}")),
        }
    }
    if wrong.is_empty() {
        Ok(fields)
    } else {
        Err(NoFields(wrong))
    }
}

/// RFC 9110 section 5.6.2.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Fields as lines of a head.
pub(super) fn render(fields: &[(String, String)]) -> Vec<u8> {
    let line = |(name, value): &(String, String)| format!("{name}: {value}\r\n");
    fields.iter().map(line).collect::<String>().into_bytes()
}

fn compress(fields: &[(String, String)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        hpack::encode_field(name, value, &mut block);
    }
    block
}

impl Announced {
    fn new(file: &ProxyProtocolFile) -> Self {
        let private = IpNet::V4(ipnet::Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8));
        Self {
            net: file.clients.unwrap_or(private),
            vpce: file.vpce.clone(),
        }
    }

    /// Writes the header of a connection to `destination`.
    pub(crate) fn write(
        &self,
        destination: SocketAddr,
        turn: usize,
        random: &mut Random,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(b"\r\n\r\n\0\r\nQUIT\n");
        // Version 2, command PROXY.
        out.push(0x21);
        let mut payload = Vec::with_capacity(64);
        let bits = random.bits();
        // A port no listener has.
        let port = 1_024 + u16::try_from(bits % 64_000).unwrap_or(0);
        match self.net {
            IpNet::V4(net) => {
                // TCP over IPv4.
                out.push(0x11);
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "any 32 of the bits will do"
                )]
                let host = (bits >> 64) as u32 & u32::from(net.hostmask());
                payload.extend((u32::from(net.network()) | host).to_be_bytes());
                let to = match destination.ip() {
                    IpAddr::V4(to) => to,
                    IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
                };
                payload.extend(to.octets());
            }
            IpNet::V6(net) => {
                out.push(0x21);
                let host = bits & u128::from(net.hostmask());
                payload.extend((u128::from(net.network()) | host).to_be_bytes());
                let to = match destination.ip() {
                    IpAddr::V4(to) => to.to_ipv6_mapped(),
                    IpAddr::V6(to) => to,
                };
                payload.extend::<[u8; 16]>(Ipv6Addr::octets(&to));
            }
        }
        payload.extend(port.to_be_bytes());
        payload.extend(destination.port().to_be_bytes());
        if let Some(id) = self.vpce.get(turn % self.vpce.len().max(1)) {
            // The VPC endpoint: subtype 1, then the id.
            payload.push(0xEA);
            let bytes = u16::try_from(id.len() + 1).unwrap_or(0);
            payload.extend(bytes.to_be_bytes());
            payload.push(0x01);
            payload.extend(id.as_bytes());
        }
        let bytes = u16::try_from(payload.len()).unwrap_or(0);
        out.extend(bytes.to_be_bytes());
        out.append(&mut payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_with_an_endpoint() {
        let announced = Announced {
            net: "192.0.2.7/32".parse().unwrap(),
            vpce: vec!["vpce-1".to_owned(), "vpce-2".to_owned()],
        };
        let mut out = Vec::new();
        let mut random = Random::new(1, 1);
        announced.write(
            "198.51.100.1:3128".parse().unwrap(),
            1,
            &mut random,
            &mut out,
        );
        assert_eq!(out[..16], *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x16");
        assert_eq!(out[16..24], [192, 0, 2, 7, 198, 51, 100, 1]);
        assert_eq!(out[26..28], 3_128_u16.to_be_bytes());
        assert_eq!(out[28..], *b"\xEA\x00\x07\x01vpce-2");
    }

    #[test]
    fn addresses_stay_in_their_range() {
        let announced = Announced {
            net: "10.1.0.0/16".parse().unwrap(),
            vpce: Vec::new(),
        };
        let mut seen = std::collections::BTreeSet::new();
        let mut random = Random::new(1, 1);
        for turn in 0..100 {
            let mut out = Vec::new();
            announced.write("[::1]:1".parse().unwrap(), turn, &mut random, &mut out);
            assert_eq!((out[16], out[17]), (10, 1));
            seen.insert([out[18], out[19]]);
        }
        assert!(seen.len() > 90);
    }

    #[test]
    fn lines_cannot_split_requests() {
        for wrong in ["X: a\r\nY: b", "no colon", ": v", "a b: c"] {
            assert!(fields(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
