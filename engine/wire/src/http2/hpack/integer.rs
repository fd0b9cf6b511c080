//! Integers with a prefix (RFC 7541 section 5.1).

use super::fault::CompressionFault;

/// Bytes behind the prefix: values stay below 2^28 and a little, far beyond every limit.
const MORE_BYTES_MAX: usize = 4;

/// Reads the integer that begins in the lower `prefix` bits of the first byte: its value, and how many
/// bytes it has; `None` where more of them have to come.
pub(super) fn read(input: &[u8], prefix: u32) -> Result<Option<(u32, usize)>, CompressionFault> {
    let Some((first, more)) = input.split_first() else {
        return Ok(None);
    };
    let most = (1u32 << prefix) - 1;
    let mut value = u32::from(*first) & most;
    if value < most {
        return Ok(Some((value, 1)));
    }
    let mut shift = 0;
    for (place, byte) in more.iter().take(MORE_BYTES_MAX).enumerate() {
        value += u32::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Ok(Some((value, place + 2)));
        }
    }
    match more.len() < MORE_BYTES_MAX {
        true => Ok(None),
        false => Err(CompressionFault),
    }
}

/// Writes an integer behind the upper bits `bits` of its first byte.
pub(super) fn write(out: &mut Vec<u8>, bits: u8, prefix: u32, value: usize) {
    let most = (1usize << prefix) - 1;
    if value < most {
        out.push(bits | low_byte(value));
        return;
    }
    out.push(bits | low_byte(most));
    let mut rest = value - most;
    while rest >= 0x80 {
        out.push(low_byte(rest) | 0x80);
        rest >>= 7;
    }
    out.push(low_byte(rest));
}

fn low_byte(value: usize) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_7541_c_1_examples() {
        for (prefix, value, bytes) in [
            (5, 10, &[0b0_1010][..]),
            (5, 1337, &[0b1_1111, 0b1001_1010, 0b0000_1010]),
            (8, 42, &[0b0010_1010]),
        ] {
            let mut out = Vec::new();
            write(&mut out, 0, prefix, value);
            assert_eq!(out, bytes);
            let value = u32::try_from(value).unwrap();
            assert_eq!(read(bytes, prefix), Ok(Some((value, bytes.len()))));
        }
    }

    #[test]
    fn an_integer_without_an_end_is_none() {
        assert_eq!(read(&[0x7f, 0xff, 0xff, 0xff], 7), Ok(None));
        assert_eq!(
            read(&[0x7f, 0xff, 0xff, 0xff, 0xff], 7),
            Err(CompressionFault)
        );
        // Zeros that say nothing are as long.
        assert_eq!(
            read(&[0x7f, 0x80, 0x80, 0x80, 0x80, 0], 7),
            Err(CompressionFault)
        );
        assert_eq!(
            read(&[0x7f, 0xff, 0xff, 0xff, 0x7f], 7),
            Ok(Some((127 + (1 << 28) - 1, 5)))
        );
    }

    proptest! {
        #[test]
        fn there_and_back(value in 0u32..1 << 28, prefix in 4u32..8, cut in 0usize..6) {
            let mut out = Vec::new();
            write(&mut out, 0, prefix, value as usize);
            prop_assert_eq!(read(&out, prefix), Ok(Some((value, out.len()))));
            if cut < out.len() {
                prop_assert_eq!(read(&out[..cut], prefix), Ok(None));
            }
        }
    }
}
