//! Checksums of bodies as header fields: `Content-Digest` (RFC 9530) with CRC-32C, and what an
//! origin says it received of a request's body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Field in which the origin tells what it received of a request's body.
pub(crate) const RECEIVED: &str = "x-received";

/// Value of that field: octets and CRC-32C.
pub(crate) fn received(bytes: u64, crc32c: u32) -> String {
    format!("{bytes} {crc32c:08x}")
}

/// Value of a `Content-Digest` field.
pub(crate) fn to_field(crc32c: u32) -> String {
    format!("crc32c=:{}:", STANDARD.encode(crc32c.to_be_bytes()))
}

/// The CRC-32C in a `Content-Digest` field, if there is one.
pub(crate) fn from_field(value: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(value).ok()?;
    let mut members = text.split(',').map(str::trim);
    let digits = members.find_map(|member| member.strip_prefix("crc32c=:"))?;
    let bytes = STANDARD.decode(digits.strip_suffix(':')?).ok()?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        assert_eq!(
            from_field(to_field(0xDEAD_BEEF).as_bytes()),
            Some(0xDEAD_BEEF)
        );
        for wrong in [
            "",
            "crc32c=:AAAA:",
            "crc32c=:AAAAAA==",
            "sha-256=:AAAAAA==:",
            "crc32c=:?:",
        ] {
            assert_eq!(from_field(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
