//! Version 1 (section 2.1): `PROXY TCP4 192.0.2.1 198.51.100.2 56324 443` and the end of the line.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::str::FromStr;

use super::error::{HeaderError, HeaderFault};
use super::extensions::Extensions;
use super::header::{Command, Endpoints, Header, Parse, Transport, Version};
use super::limits::LINE_BYTES_MAX;

/// What it begins with.
pub(super) const SIGNATURE: &[u8] = b"PROXY ";
/// `PROXY UNKNOWN` and the end of the line.
const LINE_BYTES_MIN: usize = 15;

/// Parses what begins with the signature.
pub(super) fn parse(bytes: &[u8]) -> Result<Parse<'_>, HeaderError> {
    let window = bytes.get(..LINE_BYTES_MAX).unwrap_or(bytes);
    let Some(feed) = memchr::memchr(b'\n', window) else {
        if window.len() == LINE_BYTES_MAX {
            return Err(HeaderFault::LineTooLong.at(LINE_BYTES_MAX));
        }
        let bytes_min = LINE_BYTES_MIN.max(bytes.len() + 1);
        return Ok(Parse::Incomplete { bytes_min });
    };
    let line = window
        .get(SIGNATURE.len()..feed)
        .and_then(|line| line.strip_suffix(b"\r"))
        .ok_or_else(|| HeaderFault::LineEnd.at(feed))?;
    let mut fields = Fields {
        rest: Some(line),
        at: SIGNATURE.len(),
    };
    let (at, protocol) = fields.next();
    let (transport, endpoints) = match protocol {
        // What follows is to be ignored.
        Some(b"UNKNOWN") => (None, Endpoints::Unknown),
        Some(b"TCP4") => (Some(Transport::Stream), fields.v4()?),
        Some(b"TCP6") => (Some(Transport::Stream), fields.v6()?),
        _ => return Err(HeaderFault::Protocol.at(at)),
    };
    let header = Header {
        version: Version::V1,
        command: Command::Proxy,
        transport,
        endpoints,
        extensions: Extensions::default(),
    };
    let bytes = feed + 1;
    Ok(Parse::Header { header, bytes })
}

/// What one space each separates.
struct Fields<'a> {
    /// `None`: the last one is taken.
    rest: Option<&'a [u8]>,
    at: usize,
}

impl<'a> Fields<'a> {
    /// The next field, if there is one, and its place.
    fn next(&mut self) -> (usize, Option<&'a [u8]>) {
        let at = self.at;
        let Some(rest) = self.rest else {
            return (at, None);
        };
        let end = memchr::memchr(b' ', rest);
        let (field, rest) = match end.and_then(|end| rest.split_at_checked(end)) {
            Some((field, rest)) => (field, rest.get(1..)),
            None => (rest, None),
        };
        self.rest = rest;
        self.at = at + field.len() + usize::from(rest.is_some());
        (at, Some(field))
    }

    fn v4(&mut self) -> Result<Endpoints<'a>, HeaderError> {
        let address = |fields: &mut Self| fields.address::<Ipv4Addr>(HeaderFault::Ipv4Address);
        let (source, destination) = (address(self)?, address(self)?);
        let (source_port, destination_port) = (self.port()?, self.port()?);
        self.end()?;
        Ok(Endpoints::V4 {
            source: SocketAddrV4::new(source, source_port),
            destination: SocketAddrV4::new(destination, destination_port),
        })
    }

    fn v6(&mut self) -> Result<Endpoints<'a>, HeaderError> {
        let address = |fields: &mut Self| fields.address::<Ipv6Addr>(HeaderFault::Ipv6Address);
        let (source, destination) = (address(self)?, address(self)?);
        let (source_port, destination_port) = (self.port()?, self.port()?);
        self.end()?;
        Ok(Endpoints::V6 {
            source: SocketAddrV6::new(source, source_port, 0, 0),
            destination: SocketAddrV6::new(destination, destination_port, 0, 0),
        })
    }

    fn address<T: FromStr>(&mut self, fault: HeaderFault) -> Result<T, HeaderError> {
        let (at, field) = self.next();
        let text = field.and_then(|field| str::from_utf8(field).ok());
        let address = text.and_then(|text| text.parse().ok());
        address.ok_or_else(|| fault.at(at))
    }

    /// Without a sign and without zeros in front, which readers take in different ways.
    fn port(&mut self) -> Result<u16, HeaderError> {
        let (at, field) = self.next();
        let digits = match field {
            Some(b"0") => Some("0"),
            Some([b'1'..=b'9', ..]) => field.and_then(|field| str::from_utf8(field).ok()),
            _ => None,
        };
        let port = digits.and_then(|digits| digits.parse().ok());
        port.ok_or_else(|| HeaderFault::Port.at(at))
    }

    fn end(&self) -> Result<(), HeaderError> {
        match self.rest {
            None => Ok(()),
            Some(_) => Err(HeaderFault::LineEnd.at(self.at - 1)),
        }
    }
}
