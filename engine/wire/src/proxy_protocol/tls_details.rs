//! What the sender tells of the TLS that it ended (section 2.2.6): a TLV with TLVs of its own.

use super::error::HeaderError;
use super::tlv::{HEAD_BYTES, Tlv, Tlvs};
use super::tlv_kind as kind;
use crate::cursor::Cursor;

/// Flags and the result of verification.
const FIXED_BYTES: usize = 5;

/// TLS of the client's connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsDetails<'a> {
    /// The bits [`IS_TLS`](Self::IS_TLS), [`HAS_CERTIFICATE`](Self::HAS_CERTIFICATE) and
    /// [`HAS_CERTIFICATE_OF_SESSION`](Self::HAS_CERTIFICATE_OF_SESSION); others mean nothing yet.
    pub flags: u8,
    /// Zero: the client presented a certificate, and the sender has verified it.
    pub verify: u32,
    /// Such as `TLSv1.3`.
    pub version: Option<&'a str>,
    /// The common name of the client's certificate.
    pub common_name: Option<&'a str>,
    /// The cipher suite.
    pub cipher: Option<&'a str>,
    /// What the sender's certificate is signed with.
    pub signature_algorithm: Option<&'a str>,
    /// The kind of key in the sender's certificate.
    pub key_algorithm: Option<&'a str>,
    /// The group of the key exchange.
    pub group: Option<&'a str>,
    /// What the handshake was signed with.
    pub signature_scheme: Option<&'a str>,
    /// The client's certificate, in DER.
    pub client_certificate: Option<&'a [u8]>,
}

impl<'a> TlsDetails<'a> {
    /// The client speaks TLS to the sender.
    pub const IS_TLS: u8 = 0x01;
    /// The client presented a certificate over this connection.
    pub const HAS_CERTIFICATE: u8 = 0x02;
    /// The client presented one at least once over the TLS session.
    pub const HAS_CERTIFICATE_OF_SESSION: u8 = 0x04;

    /// A certificate of the client that the sender has verified.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        self.flags & (Self::HAS_CERTIFICATE | Self::HAS_CERTIFICATE_OF_SESSION) != 0
            && self.verify == 0
    }

    pub(super) fn parse(outer: &Tlv<'a>) -> Result<Self, HeaderError> {
        let mut fixed = Cursor::new(outer.value);
        let (flags, verify, nested) = fixed
            .u8()
            .zip(
                fixed
                    .take(FIXED_BYTES - 1)
                    .and_then(|bytes| bytes.first_chunk()),
            )
            .zip(outer.value.get(FIXED_BYTES..))
            .map(|((flags, verify), nested)| (flags, u32::from_be_bytes(*verify), nested))
            .ok_or_else(|| outer.bad("at least 5 bytes"))?;
        let mut details = Self {
            flags,
            verify,
            ..Self::default()
        };
        for tlv in Tlvs::new(nested, outer.at + HEAD_BYTES + FIXED_BYTES) {
            details.take(&tlv?)?;
        }
        Ok(details)
    }

    fn take(&mut self, tlv: &Tlv<'a>) -> Result<(), HeaderError> {
        match tlv.kind {
            kind::SSL_VERSION => tlv.once(&mut self.version, tlv.ascii()?),
            kind::SSL_CN => tlv.once(&mut self.common_name, tlv.utf8()?),
            kind::SSL_CIPHER => tlv.once(&mut self.cipher, tlv.ascii()?),
            kind::SSL_SIG_ALG => tlv.once(&mut self.signature_algorithm, tlv.ascii()?),
            kind::SSL_KEY_ALG => tlv.once(&mut self.key_algorithm, tlv.ascii()?),
            kind::SSL_GROUP => tlv.once(&mut self.group, tlv.ascii()?),
            kind::SSL_SIG_SCHEME => tlv.once(&mut self.signature_scheme, tlv.ascii()?),
            kind::SSL_CLIENT_CERT => tlv.once(&mut self.client_certificate, tlv.value),
            _ => Ok(()),
        }
    }
}
