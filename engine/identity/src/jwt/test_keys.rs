//! Keys of the RFCs, of which the private parts are published too, and tokens signed with them.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::algorithm::Algorithm;
use super::key_set::KeySet;

/// RFC 7515 appendix A.2.1.
pub(super) const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RSA_D: &str = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";
const RSA_P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const RSA_Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
const RSA_DP: &str = "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0";
const RSA_DQ: &str = "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU";
const RSA_QI: &str = "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U";
/// RFC 7515 appendix A.3.1.
pub(super) const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
pub(super) const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const P256_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
/// RFC 8037 appendix A.1.
pub(super) const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED25519_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// The members of a key, from the first to the last; others may be put before and behind them.
pub(super) fn rsa_members() -> String {
    format!(r#""kty":"RSA","n":"{RSA_N}","e":"AQAB""#)
}

pub(super) fn p256_members() -> String {
    format!(r#""kty":"EC","crv":"P-256","x":"{P256_X}","y":"{P256_Y}""#)
}

pub(super) fn ed25519_members() -> String {
    format!(r#""kty":"OKP","crv":"Ed25519","x":"{ED25519_X}""#)
}

/// A set of keys, each by its members.
pub(super) fn document(keys: &[String]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| format!("{{{key}}}")).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

pub(super) fn key_set(keys: &[String]) -> KeySet {
    KeySet::parse(document(keys).as_bytes()).unwrap()
}

/// A private key.
pub(super) enum Signer {
    Rsa(RsaKeyPair),
    Ec(Algorithm, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    pub(super) fn rsa() -> Self {
        let components = KeyPairComponents {
            public_key: PublicKeyComponents {
                n: bytes(RSA_N),
                e: vec![1, 0, 1],
            },
            d: bytes(RSA_D),
            p: bytes(RSA_P),
            q: bytes(RSA_Q),
            dP: bytes(RSA_DP),
            dQ: bytes(RSA_DQ),
            qInv: bytes(RSA_QI),
        };
        Self::Rsa(RsaKeyPair::from_components(&components).unwrap())
    }

    pub(super) fn p256() -> Self {
        let public = [&[4][..], &bytes(P256_X), &bytes(P256_Y)].concat();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            &bytes(P256_D),
            &public,
        );
        Self::Ec(Algorithm::Es256, pair.unwrap())
    }

    pub(super) fn ed25519() -> Self {
        let pair = Ed25519KeyPair::from_seed_and_public_key(&bytes(ED25519_D), &bytes(ED25519_X));
        Self::Ed25519(pair.unwrap())
    }

    /// A new key, of P-256 or P-384.
    pub(super) fn new_ec(algorithm: Algorithm) -> Self {
        let signing: &'static EcdsaSigningAlgorithm = match algorithm {
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            _ => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        };
        Self::Ec(algorithm, EcdsaKeyPair::generate(signing).unwrap())
    }

    /// The members of the public key of a curve of NIST.
    pub(super) fn ec_members(&self) -> String {
        let Self::Ec(algorithm, pair) = self else {
            panic!("not on a curve of NIST");
        };
        let curve = if *algorithm == Algorithm::Es256 {
            "P-256"
        } else {
            "P-384"
        };
        let coordinates = &pair.public_key().as_ref()[1..];
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        let (x, y) = (base64url(x), base64url(y));
        format!(r#""kty":"EC","crv":"{curve}","x":"{x}","y":"{y}""#)
    }

    pub(super) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match algorithm {
                    Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
                    Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
                    .unwrap();
                signature
            }
            Self::Ec(_, pair) => {
                let signature = pair.sign(&SystemRandom::new(), message);
                signature.unwrap().as_ref().to_vec()
            }
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token with the members of its header beside `alg`, and its claims.
    pub(super) fn token(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        let comma = if header.is_empty() { "" } else { "," };
        let header = format!(r#"{{"alg":"{algorithm}"{comma}{header}}}"#);
        self.token_of(algorithm, &header, claims)
    }

    /// The same with the whole of its header.
    pub(super) fn token_of(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", base64url(header), base64url(claims));
        let signature = base64url(self.sign(algorithm, signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}
