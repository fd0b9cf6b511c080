//! Headers written: by proxies to their parents, and by tests and health checks.

use std::io::Write as _;

use thiserror::Error;

use super::checksum::{CHECKSUM_BYTES, checksum};
use super::extensions::{EndpointId, Extensions};
use super::header::{Command, Endpoints, Header, Transport, Version};
use super::tls_details::TlsDetails;
use super::tlv::HEAD_BYTES;
use super::tlv_kind as kind;
use super::version2::{FIXED_BYTES, SIGNATURE};
use crate::invariant::part_mut;

/// A header has more to say than its lengths can count: 65 535 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a PROXY protocol header has at most 65535 bytes behind its first 16")]
pub struct EncodeError;

impl Header<'_> {
    /// Appends it to `out`; parsed, it says the same. Where the endpoints are unknown, extensions are left
    /// out; version 1 has none, and knows only streams over IP.
    ///
    /// # Errors
    /// When it is too long; `out` is as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self.version {
            Version::V1 => {
                self.line(out);
                Ok(())
            }
            Version::V2 => {
                let start = out.len();
                let written = self.binary(out);
                if written.is_err() {
                    out.truncate(start);
                }
                written
            }
        }
    }

    fn line(&self, out: &mut Vec<u8>) {
        let is_stream = self.transport == Some(Transport::Stream);
        let ports = self.endpoints.source().zip(self.endpoints.destination());
        let Some((source, destination)) = ports.filter(|_| is_stream) else {
            out.extend_from_slice(b"PROXY UNKNOWN\r\n");
            return;
        };
        let protocol = if source.is_ipv4() { "TCP4" } else { "TCP6" };
        // Writing to memory does not fail.
        let _ = write!(
            out,
            "PROXY {protocol} {} {} {} {}\r\n",
            source.ip(),
            destination.ip(),
            source.port(),
            destination.port()
        );
    }

    fn binary(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        let (command, endpoints) = match self.command {
            Command::Local => (0x20, Endpoints::Unknown),
            Command::Proxy => (0x21, self.endpoints),
        };
        let transport = match self.transport {
            Some(Transport::Datagram) => 2,
            Some(Transport::Stream) | None => 1,
        };
        let family = match endpoints {
            Endpoints::Unknown => 0,
            Endpoints::V4 { .. } => 0x10 | transport,
            Endpoints::V6 { .. } => 0x20 | transport,
            Endpoints::Unix { .. } => 0x30 | transport,
        };
        out.extend_from_slice(SIGNATURE);
        out.extend_from_slice(&[command, family, 0, 0]);
        addresses(&endpoints, out);
        let mut checksum_at = None;
        if endpoints != Endpoints::Unknown {
            self.extensions.encode(out)?;
            if self.extensions.has_checksum {
                tlv(kind::CRC32C, &[&[0; CHECKSUM_BYTES]], out)?;
                checksum_at = Some(out.len() - CHECKSUM_BYTES - start);
            }
        }
        let header = part_mut(out, start..);
        let length = u16::try_from(header.len() - FIXED_BYTES).map_err(|_| EncodeError)?;
        if let Some(place) = header.get_mut(FIXED_BYTES - 2..FIXED_BYTES) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        if let Some(at) = checksum_at {
            let sum = checksum(header, at);
            if let Some(place) = header.get_mut(at..at + CHECKSUM_BYTES) {
                place.copy_from_slice(&sum.to_be_bytes());
            }
        }
        Ok(())
    }
}

fn addresses(endpoints: &Endpoints<'_>, out: &mut Vec<u8>) {
    match endpoints {
        Endpoints::Unknown => {}
        Endpoints::V4 {
            source,
            destination,
        } => {
            out.extend_from_slice(&source.ip().octets());
            out.extend_from_slice(&destination.ip().octets());
            out.extend_from_slice(&source.port().to_be_bytes());
            out.extend_from_slice(&destination.port().to_be_bytes());
        }
        Endpoints::V6 {
            source,
            destination,
        } => {
            out.extend_from_slice(&source.ip().octets());
            out.extend_from_slice(&destination.ip().octets());
            out.extend_from_slice(&source.port().to_be_bytes());
            out.extend_from_slice(&destination.port().to_be_bytes());
        }
        Endpoints::Unix {
            source,
            destination,
        } => {
            out.extend_from_slice(*source);
            out.extend_from_slice(*destination);
        }
    }
}

/// A TLV whose value is put together of parts.
fn tlv(kind: u8, parts: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let length = u16::try_from(length).map_err(|_| EncodeError)?;
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    Ok(())
}

/// TLVs of those values that are there.
fn tlvs(values: &[(u8, Option<&[u8]>)], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    for (kind, value) in values {
        if let Some(value) = value {
            tlv(*kind, &[value], out)?;
        }
    }
    Ok(())
}

impl Extensions<'_> {
    /// All but the checksum, which is that of the whole header.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        tlvs(
            &[
                (kind::ALPN, self.alpn),
                (kind::AUTHORITY, self.authority.map(str::as_bytes)),
                (kind::UNIQUE_ID, self.unique_id),
                (kind::NETNS, self.network_namespace.map(str::as_bytes)),
            ],
            out,
        )?;
        if let Some(tls) = &self.tls {
            tls.encode(out)?;
        }
        self.endpoint.map_or(Ok(()), |id| id.encode(out))
    }
}

impl TlsDetails<'_> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        let verify = self.verify.to_be_bytes();
        tlv(kind::SSL, &[&[self.flags], &verify], out)?;
        let texts = [
            (kind::SSL_VERSION, self.version),
            (kind::SSL_CN, self.common_name),
            (kind::SSL_CIPHER, self.cipher),
            (kind::SSL_SIG_ALG, self.signature_algorithm),
            (kind::SSL_KEY_ALG, self.key_algorithm),
            (kind::SSL_GROUP, self.group),
            (kind::SSL_SIG_SCHEME, self.signature_scheme),
        ];
        tlvs(
            &texts.map(|(kind, text)| (kind, text.map(str::as_bytes))),
            out,
        )?;
        tlvs(&[(kind::SSL_CLIENT_CERT, self.client_certificate)], out)?;
        let length = out.len() - start - HEAD_BYTES;
        let length = u16::try_from(length).map_err(|_| EncodeError)?;
        if let Some(place) = out.get_mut(start + 1..start + HEAD_BYTES) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }
}

impl EndpointId<'_> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Aws(id) => tlv(kind::AWS, &[&[kind::AWS_VPC_ENDPOINT], id.as_bytes()], out),
            Self::Azure(id) => tlv(
                kind::AZURE,
                &[&[kind::AZURE_LINK_ID], &id.to_le_bytes()],
                out,
            ),
            Self::Google(id) => tlv(kind::GOOGLE, &[&id.to_be_bytes()], out),
            Self::Alibaba(id) => tlv(
                kind::ALIBABA,
                &[&[kind::ALIBABA_ENDPOINT], id.as_bytes()],
                out,
            ),
        }
    }
}
