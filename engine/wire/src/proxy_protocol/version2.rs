//! Version 2 (section 2.2): a signature, four bytes that say what follows, addresses, TLVs.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use super::error::{HeaderError, HeaderFault};
use super::extensions::Extensions;
use super::header::{Command, Endpoints, Header, Parse, Transport, UNIX_ADDRESS_BYTES, Version};
use crate::cursor::Cursor;
use crate::invariant::part;

/// What it begins with.
pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// What every header has.
pub(super) const FIXED_BYTES: usize = 16;

/// Parses what begins with the signature.
pub(super) fn parse(bytes: &[u8], bytes_max: usize) -> Result<Parse<'_>, HeaderError> {
    let incomplete = |bytes_min| Ok(Parse::Incomplete { bytes_min });
    let mut fixed = Cursor::new(bytes.get(SIGNATURE.len()..).unwrap_or_default());
    let Some(byte) = fixed.u8() else {
        return incomplete(FIXED_BYTES);
    };
    let command = command(byte)?;
    let Some(byte) = fixed.u8() else {
        return incomplete(FIXED_BYTES);
    };
    // What a sender says of a connection of its own is to be discarded, its family included.
    let form = match command {
        Command::Local => Form::default(),
        Command::Proxy => form(byte)?,
    };
    let Some(length) = fixed.u16().map(usize::from) else {
        return incomplete(FIXED_BYTES);
    };
    let total = FIXED_BYTES + length;
    if total > bytes_max {
        let fault = HeaderFault::TooLarge {
            bytes: total,
            bytes_max,
        };
        return Err(fault.at(FIXED_BYTES - 2));
    }
    let address_bytes = form.family.address_bytes();
    let addresses_cut = HeaderFault::AddressesCut {
        bytes: address_bytes,
        announced: length,
    };
    if length < address_bytes {
        return Err(addresses_cut.at(FIXED_BYTES - 2));
    }
    let Some(whole) = bytes.get(..total) else {
        return incomplete(total);
    };
    let block = Cursor::new(part(whole, FIXED_BYTES..));
    let endpoints = endpoints(block, form.family).ok_or_else(|| addresses_cut.at(FIXED_BYTES))?;
    let extensions = match form.family {
        // Nobody can know where TLVs would begin.
        Family::Unspecified => Extensions::default(),
        _ => Extensions::parse(whole, FIXED_BYTES + address_bytes)?,
    };
    let header = Header {
        version: Version::V2,
        command,
        transport: form.transport,
        endpoints,
        extensions,
    };
    Ok(Parse::Header {
        header,
        bytes: total,
    })
}

#[derive(Clone, Copy, Default)]
struct Form {
    family: Family,
    transport: Option<Transport>,
}

#[derive(Clone, Copy, Default)]
enum Family {
    #[default]
    Unspecified,
    V4,
    V6,
    Unix,
}

impl Family {
    const fn address_bytes(self) -> usize {
        match self {
            Self::Unspecified => 0,
            Self::V4 => 12,
            Self::V6 => 36,
            Self::Unix => 2 * UNIX_ADDRESS_BYTES,
        }
    }
}

fn command(byte: u8) -> Result<Command, HeaderError> {
    let at = SIGNATURE.len();
    match (byte >> 4, byte & 0x0f) {
        (2, 0) => Ok(Command::Local),
        (2, 1) => Ok(Command::Proxy),
        (2, command) => Err(HeaderFault::Command(command).at(at)),
        (version, _) => Err(HeaderFault::Version(version).at(at)),
    }
}

/// The pairs that are assigned.
fn form(byte: u8) -> Result<Form, HeaderError> {
    let (family, transport) = match byte {
        0x00 => (Family::Unspecified, None),
        0x11 => (Family::V4, Some(Transport::Stream)),
        0x12 => (Family::V4, Some(Transport::Datagram)),
        0x21 => (Family::V6, Some(Transport::Stream)),
        0x22 => (Family::V6, Some(Transport::Datagram)),
        0x31 => (Family::Unix, Some(Transport::Stream)),
        0x32 => (Family::Unix, Some(Transport::Datagram)),
        _ => return Err(HeaderFault::FamilyAndTransport(byte).at(SIGNATURE.len() + 1)),
    };
    Ok(Form { family, transport })
}

/// `None`: the block is too short.
fn endpoints(mut block: Cursor<'_>, family: Family) -> Option<Endpoints<'_>> {
    Some(match family {
        Family::Unspecified => Endpoints::Unknown,
        Family::V4 => {
            let source = Ipv4Addr::from(*array::<4>(&mut block)?);
            let destination = Ipv4Addr::from(*array::<4>(&mut block)?);
            Endpoints::V4 {
                source: SocketAddrV4::new(source, block.u16()?),
                destination: SocketAddrV4::new(destination, block.u16()?),
            }
        }
        Family::V6 => {
            let source = Ipv6Addr::from(*array::<16>(&mut block)?);
            let destination = Ipv6Addr::from(*array::<16>(&mut block)?);
            Endpoints::V6 {
                source: SocketAddrV6::new(source, block.u16()?, 0, 0),
                destination: SocketAddrV6::new(destination, block.u16()?, 0, 0),
            }
        }
        Family::Unix => Endpoints::Unix {
            source: array(&mut block)?,
            destination: array(&mut block)?,
        },
    })
}

fn array<'a, const N: usize>(block: &mut Cursor<'a>) -> Option<&'a [u8; N]> {
    block.take(N)?.try_into().ok()
}
