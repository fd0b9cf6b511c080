//! Host names: which are asked for, how they become wire names, and how their case is mixed.
//!
//! Unicode, upper case and trailing dots are the caller's to normalize; IP literals never come
//! here.

use hickory_proto::rr::Name;
use rand::Rng;

use crate::error::NameError;
use crate::limits::{LABEL_BYTES_MAX, NAME_BYTES_MAX};

/// Turns a normalized host name (ASCII lower case, no trailing dot) into a wire name.
///
/// Letters, digits and hyphens as RFC 1123 section 2.1 has them, and the underscore that is met in
/// practice.
pub(crate) fn parse(text: &str) -> Result<Name, NameError> {
    check(text)?;
    let mut name =
        Name::from_labels(text.split('.').map(str::as_bytes)).map_err(|_| NameError::TooLong)?;
    name.set_fqdn(true);
    Ok(name)
}

/// True for `localhost` and the names under it, which never reach a server (RFC 6761 section 6.3).
pub(crate) fn is_localhost(text: &str) -> bool {
    match text.strip_suffix("localhost") {
        Some(before) => before.is_empty() || before.ends_with('.'),
        None => false,
    }
}

/// Flips the case of each letter at random (draft-vixie-dnsext-dns0x20): whoever forges an answer
/// must guess one more bit per letter.
pub(crate) fn mix_case(name: &Name, rng: &mut impl Rng) -> Name {
    let mut coins = Coins::default();
    let labels: Vec<Vec<u8>> = name
        .iter()
        .map(|label| {
            label
                .iter()
                .map(|byte| {
                    if coins.flip(rng) {
                        swap_case(*byte)
                    } else {
                        *byte
                    }
                })
                .collect()
        })
        .collect();
    match Name::from_labels(labels) {
        Ok(mut mixed) => {
            mixed.set_fqdn(true);
            mixed
        }
        // Labels of a valid name make a valid name; were it otherwise, the name as it is can still
        // be asked for.
        Err(_) => name.clone(),
    }
}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    text.split('.').try_for_each(check_label)?;
    match text.rsplit('.').next() {
        Some(top) if is_number(top) => Err(NameError::NumericTopLabel),
        _ => Ok(()),
    }
}

fn check_label(label: &str) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError::EmptyLabel);
    }
    if label.len() > LABEL_BYTES_MAX {
        return Err(NameError::LabelTooLong);
    }
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    if label.bytes().all(allowed) {
        Ok(())
    } else {
        Err(NameError::Character)
    }
}

/// What the "ends in a number" check of the WHATWG URL standard calls a number: decimal or `0x` and
/// hexadecimal.
fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x") {
        Some(hexadecimal) => hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

fn swap_case(byte: u8) -> u8 {
    if byte.is_ascii_alphabetic() {
        byte ^ 0x20
    } else {
        byte
    }
}

/// Single random bits out of 64-bit words.
#[derive(Default)]
struct Coins {
    bits: u64,
    bits_left: u32,
}

impl Coins {
    fn flip(&mut self, rng: &mut impl Rng) -> bool {
        if self.bits_left == 0 {
            self.bits = rng.next_u64();
            self.bits_left = u64::BITS;
        }
        let coin = self.bits & 1 == 1;
        self.bits >>= 1;
        self.bits_left -= 1;
        coin
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha12Rng;

    use super::*;

    fn check(text: &str, expect: Result<&str, NameError>) {
        let parsed = parse(text).map(|name| name.to_ascii());
        assert_eq!(
            parsed.as_deref().map_err(|error| *error),
            expect,
            "{text:?}"
        );
    }

    #[test]
    fn names_are_parsed_or_refused_for_a_reason() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
        check("example.com", Ok("example.com."));
        check("_srv.x-1.test", Ok("_srv.x-1.test."));
        check("intranet", Ok("intranet."));
        check("3com.example", Ok("3com.example."));
        check("1.example.0xyz", Ok("1.example.0xyz."));
        check(&longest, Ok(&format!("{longest}.")));
        check("", Err(NameError::Empty));
        check(&format!("{longest}b"), Err(NameError::TooLong));
        check(&format!("{label}a.com"), Err(NameError::LabelTooLong));
        check(".", Err(NameError::EmptyLabel));
        check("a..b", Err(NameError::EmptyLabel));
        check("a.b.", Err(NameError::EmptyLabel));
        check("Example.com", Err(NameError::Character));
        check("a b", Err(NameError::Character));
        check("a\0b", Err(NameError::Character));
        check("a\\046b", Err(NameError::Character));
        check("bücher.example", Err(NameError::Character));
        check("*.example", Err(NameError::Character));
        check("127.0.0.1", Err(NameError::NumericTopLabel));
        check("2130706433", Err(NameError::NumericTopLabel));
        check("127.0x1", Err(NameError::NumericTopLabel));
        check("127.0x", Err(NameError::NumericTopLabel));
    }

    #[test]
    fn localhost_is_a_label_not_a_suffix() {
        assert!(is_localhost("localhost"));
        assert!(is_localhost("a.localhost"));
        assert!(!is_localhost("notlocalhost"));
        assert!(!is_localhost("localhost.example"));
        assert!(!is_localhost(""));
    }

    #[test]
    fn mixed_case_is_the_same_name_and_depends_on_the_seed() {
        let name = parse("the-quick-brown-fox.jumps-over.the-lazy-dog.example").unwrap();
        let mixed: Vec<Name> = (0..8)
            .map(|seed| mix_case(&name, &mut ChaCha12Rng::from_seed([seed; 32])))
            .collect();
        for other in &mixed {
            assert_eq!(*other, name, "equal apart from case");
            assert!(!other.eq_case(&name));
        }
        assert!(!mixed[0].eq_case(&mixed[1]));
        assert!(mixed[0].eq_case(&mix_case(&name, &mut ChaCha12Rng::from_seed([0; 32]))));
    }
}
