//! Whether a bundle is signed by somebody who is trusted.

use ed25519_dalek::Signature as Ed25519;

use super::Bundle;
use super::signature::{PublicKey, Signature, SignatureError};

/// What is signed begins with this, so that the signature can never be taken for one of another
/// thing that the same key signs.
const DOMAIN: &[u8] = b"sallyport bundle 1\0";

impl Bundle {
    /// The signature, if there is one. See [`Bundle::verify`] for what it is worth.
    #[must_use]
    pub const fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }

    /// What a signature is made of.
    #[must_use]
    pub fn signed_message(&self) -> Vec<u8> {
        [DOMAIN, self.id_bytes()].concat()
    }

    /// Checks that one of the keys has signed exactly this content; gives that key.
    ///
    /// # Errors
    /// See [`SignatureError`].
    pub fn verify<'k>(&self, trusted: &'k [PublicKey]) -> Result<&'k PublicKey, SignatureError> {
        let signature = self.signature().ok_or(SignatureError::Unsigned)?;
        let key = || signature.key();
        let found = trusted
            .iter()
            .find(|trusted| *trusted.0.as_bytes() == signature.key)
            .ok_or_else(|| SignatureError::Untrusted { key: key() })?;
        let given = Ed25519::from_bytes(&signature.signature);
        match found.0.verify_strict(&self.signed_message(), &given) {
            Ok(()) => Ok(found),
            Err(_) => Err(SignatureError::Wrong { key: key() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::signature::short;
    use crate::bundle::{BuildRecord, write};
    use crate::{Action, Defaults, Ruleset};
    use ed25519_dalek::{Signer, SigningKey};

    fn content() -> Vec<u8> {
        let ruleset = Ruleset {
            defaults: Defaults::all(Action::Deny),
            groups: Vec::new(),
        };
        write(&ruleset, &BuildRecord::default()).unwrap()
    }

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn signed(content: &[u8], key: &SigningKey) -> Vec<u8> {
        let bundle = Bundle::load(content.to_vec()).unwrap();
        let signature = key.sign(&bundle.signed_message());
        let trailer = Signature::new(key.verifying_key().to_bytes(), signature.to_bytes());
        [content, &trailer.to_bytes()].concat()
    }

    #[test]
    fn a_signature_is_checked_and_changes_no_id() {
        let unsigned = Bundle::load(content()).unwrap();
        let trusted = [
            PublicKey(key(1).verifying_key()),
            PublicKey(key(2).verifying_key()),
        ];
        assert_eq!(unsigned.verify(&trusted), Err(SignatureError::Unsigned));
        let bundle = Bundle::load(signed(&content(), &key(2))).unwrap();
        assert_eq!(bundle.id(), unsigned.id());
        assert_eq!(bundle.content(), unsigned.content());
        assert_eq!(bundle.verify(&trusted), Ok(&trusted[1]));
        let other = Bundle::load(signed(&content(), &key(3))).unwrap();
        let untrusted = SignatureError::Untrusted {
            key: short(key(3).verifying_key().as_bytes()),
        };
        assert_eq!(other.verify(&trusted), Err(untrusted));
    }

    #[test]
    fn no_bit_of_content_or_signature_can_be_changed() {
        let good = signed(&content(), &key(1));
        let trusted = [PublicKey(key(1).verifying_key())];
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            if let Ok(bundle) = Bundle::load(bytes) {
                assert!(at >= content().len() + 8, "byte {at}");
                assert!(bundle.verify(&trusted).is_err(), "byte {at}");
            }
        }
        for len in content().len() + 1..good.len() {
            assert!(Bundle::load(good[..len].to_vec()).is_err());
        }
        assert!(Bundle::load([good, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_signature_of_other_rules_does_not_fit() {
        let good = signed(&content(), &key(1));
        let trailer = &good[content().len()..];
        let ruleset = Ruleset {
            defaults: Defaults::all(Action::Allow),
            groups: Vec::new(),
        };
        let other = write(&ruleset, &BuildRecord::default()).unwrap();
        let bundle = Bundle::load([&other, trailer].concat()).unwrap();
        let trusted = [PublicKey(key(1).verifying_key())];
        assert!(matches!(
            bundle.verify(&trusted),
            Err(SignatureError::Wrong { .. })
        ));
    }
}
