//! What TLVs say. Those of unknown types are passed over, as the specification asks.

use super::checksum::{CHECKSUM_BYTES, checksum};
use super::error::{HeaderError, HeaderFault};
use super::limits::UNIQUE_ID_BYTES_MAX;
use super::tls_details::TlsDetails;
use super::tlv::{HEAD_BYTES, Tlv, Tlvs};
use super::tlv_kind as kind;
use crate::invariant::part;

/// What a header of version 2 says beside the addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions<'a> {
    /// The protocol of the client's connection, by its ALPN name.
    pub alpn: Option<&'a [u8]>,
    /// The host that the client named, as in SNI.
    pub authority: Option<&'a str>,
    /// The sender's name for the connection, at most 128 bytes.
    pub unique_id: Option<&'a [u8]>,
    /// TLS of the client's connection.
    pub tls: Option<TlsDetails<'a>>,
    /// The network namespace of the connection.
    pub network_namespace: Option<&'a str>,
    /// The private endpoint that the client came through.
    pub endpoint: Option<EndpointId<'a>>,
    /// The header has a checksum, which is right.
    pub has_checksum: bool,
}

/// A private endpoint of a cloud, as that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointId<'a> {
    /// A VPC endpoint such as `vpce-0123456789abcdef0`: letters, digits and `-`.
    Aws(&'a str),
    /// The LINKID of a private endpoint.
    Azure(u32),
    /// The connection id of Private Service Connect.
    Google(u64),
    /// A PrivateLink endpoint such as `ep-bp1234567890`: letters, digits and `-`.
    Alibaba(&'a str),
}

impl<'a> Extensions<'a> {
    /// Reads the TLVs of a whole header that begin at `at`.
    pub(super) fn parse(header: &'a [u8], at: usize) -> Result<Self, HeaderError> {
        let mut extensions = Self::default();
        for tlv in Tlvs::new(part(header, at..), at) {
            extensions.take(&tlv?, header)?;
        }
        Ok(extensions)
    }

    fn take(&mut self, tlv: &Tlv<'a>, header: &[u8]) -> Result<(), HeaderError> {
        match tlv.kind {
            kind::ALPN => tlv.once(&mut self.alpn, tlv.value),
            kind::AUTHORITY => tlv.once(&mut self.authority, tlv.utf8()?),
            kind::CRC32C => self.verify(tlv, header),
            kind::UNIQUE_ID if tlv.value.len() > UNIQUE_ID_BYTES_MAX => {
                Err(tlv.bad("at most 128 bytes"))
            }
            kind::UNIQUE_ID => tlv.once(&mut self.unique_id, tlv.value),
            kind::SSL => tlv.once(&mut self.tls, TlsDetails::parse(tlv)?),
            kind::NETNS => tlv.once(&mut self.network_namespace, tlv.ascii()?),
            kind::NOOP => Ok(()),
            _ => match EndpointId::parse(tlv)? {
                Some(id) => tlv.once(&mut self.endpoint, id),
                None => Ok(()),
            },
        }
    }

    fn verify(&mut self, tlv: &Tlv<'_>, header: &[u8]) -> Result<(), HeaderError> {
        if self.has_checksum {
            return Err(HeaderFault::TlvRepeated(tlv.kind).at(tlv.at));
        }
        let found: [u8; CHECKSUM_BYTES] = tlv.value.try_into().map_err(|_| tlv.bad("4 bytes"))?;
        let found = u32::from_be_bytes(found);
        let computed = checksum(header, tlv.at + HEAD_BYTES);
        if found != computed {
            return Err(HeaderFault::Checksum { computed, found }.at(tlv.at));
        }
        self.has_checksum = true;
        Ok(())
    }
}

impl<'a> EndpointId<'a> {
    /// `None`: the TLV is of another kind.
    fn parse(tlv: &Tlv<'a>) -> Result<Option<Self>, HeaderError> {
        Ok(match (tlv.kind, tlv.value) {
            (kind::AWS, [kind::AWS_VPC_ENDPOINT, id @ ..]) => Some(Self::Aws(word(tlv, id)?)),
            (kind::ALIBABA, [kind::ALIBABA_ENDPOINT, id @ ..]) => {
                Some(Self::Alibaba(word(tlv, id)?))
            }
            (kind::AZURE, [kind::AZURE_LINK_ID, id @ ..]) => {
                let id = id.try_into().map_err(|_| tlv.bad("5 bytes"))?;
                Some(Self::Azure(u32::from_le_bytes(id)))
            }
            (kind::GOOGLE, id) => {
                let id = id.try_into().map_err(|_| tlv.bad("8 bytes"))?;
                Some(Self::Google(u64::from_be_bytes(id)))
            }
            _ => None,
        })
    }
}

/// An id in words of its cloud, which rules and logs can take as it is.
fn word<'a>(tlv: &Tlv<'a>, id: &'a [u8]) -> Result<&'a str, HeaderError> {
    let is_of_ids = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let word = str::from_utf8(id).ok().filter(|word| !word.is_empty());
    word.filter(|word| word.as_bytes().iter().all(is_of_ids))
        .ok_or_else(|| tlv.bad("an id of letters, digits and `-`"))
}
