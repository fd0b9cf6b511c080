//! Tokens: those of the RFCs, and each way of refusing one.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::test_keys::{
    RSA_N, Signer, base64url, ed25519_members, key_set, p256_members, rsa_members,
};
use super::{
    Algorithm, Authority, ClaimPath, Jwt, JwtError, JwtIssuer, JwtPart, KeySet, VerifiedJwt,
};
use crate::limits::{JWT_BYTES_MAX, NAME_BYTES_MAX, REMEMBERED_SECONDS_MAX};
use crate::spiffe_id::SpiffeId;

const NOW: i64 = 1_800_000_000;
const CLAIMS: &str = r#"{"iss":"joe","aud":"sallyport","exp":1800000100,"sub":"web"}"#;
/// RFC 7515 appendix A.2: signed at a time when nobody asked for an audience.
const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/// RFC 7515 appendix A.3.
const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
/// RFC 8037 appendix A.4.
const EDDSA: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

fn issuer() -> JwtIssuer {
    JwtIssuer {
        authority: Authority::Issuer {
            issuer: "joe".to_owned(),
            principal: ClaimPath::parse("sub").unwrap(),
        },
        audiences: vec!["sallyport".to_owned(), "proxy".to_owned()],
        algorithms: Algorithm::ALL.to_vec(),
        labels: BTreeMap::new(),
        leeway_seconds: 0,
    }
}

fn trust_domain() -> JwtIssuer {
    JwtIssuer {
        authority: Authority::TrustDomain("example.org".to_owned()),
        ..issuer()
    }
}

fn refused(audience: &str) -> Result<VerifiedJwt, JwtError> {
    let expected = audience.to_owned();
    Err(JwtError::Audience { expected })
}

fn verify(token: &str, keys: &KeySet) -> Result<VerifiedJwt, JwtError> {
    Jwt::parse(token)?.verify(&issuer(), keys, NOW)
}

fn ed25519_keys() -> KeySet {
    key_set(&[format!(r#"{},"kid":"1""#, ed25519_members())])
}

/// What becomes of claims that the issuer has signed.
fn signed(issuer: &JwtIssuer, claims: &str) -> Result<VerifiedJwt, JwtError> {
    let token = Signer::ed25519().token(Algorithm::EdDsa, r#""kid":"1""#, claims);
    Jwt::parse(&token)?.verify(issuer, &ed25519_keys(), NOW)
}

/// What becomes of a header that the issuer has signed.
fn with_header(header: &str) -> Result<VerifiedJwt, JwtError> {
    let token = Signer::ed25519().token_of(Algorithm::EdDsa, header, CLAIMS);
    verify(&token, &ed25519_keys())
}

#[test]
fn vectors_of_the_rfcs() {
    let keys = key_set(&[rsa_members(), p256_members(), ed25519_members()]);
    for token in [RS256, ES256] {
        // The signature counts: the audience is looked at only behind it.
        assert_eq!(verify(token, &keys), refused("sallyport, proxy"));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let mut altered = URL_SAFE_NO_PAD.decode(signature).unwrap();
        altered[7] ^= 1;
        let altered = format!("{signed}.{}", base64url(altered));
        assert_eq!(verify(&altered, &keys), Err(JwtError::Signature));
    }
    // What is signed here is no JWT.
    let (signed, signature) = EDDSA.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let verifiers = keys.meant_by(None);
    let verifiers: Vec<_> = verifiers
        .filter_map(|key| key.verifier(Algorithm::EdDsa))
        .collect();
    assert!(
        verifiers[0]
            .verify_sig(signed.as_bytes(), &signature)
            .is_ok()
    );
    let resigned = Signer::ed25519().sign(Algorithm::EdDsa, signed.as_bytes());
    assert_eq!(resigned, signature);
    let no_claims = JwtError::NoObject(JwtPart::Claims);
    assert_eq!(verify(EDDSA, &keys), Err(no_claims));
}

#[test]
fn every_algorithm() {
    let (p384, other) = (
        Signer::new_ec(Algorithm::Es384),
        Signer::new_ec(Algorithm::Es384),
    );
    let keys = key_set(&[
        rsa_members(),
        p256_members(),
        ed25519_members(),
        p384.ec_members(),
    ]);
    for algorithm in Algorithm::ALL {
        let rsa = Signer::rsa();
        let (p256, ed25519) = (Signer::p256(), Signer::ed25519());
        let signer = match algorithm {
            Algorithm::Es256 => &p256,
            Algorithm::Es384 => &p384,
            Algorithm::EdDsa => &ed25519,
            _ => &rsa,
        };
        let token = signer.token(algorithm, "", CLAIMS);
        assert_eq!(verify(&token, &keys).unwrap().principal, "web");
        let mut without = issuer();
        without.algorithms.retain(|other| *other != algorithm);
        let found = Jwt::parse(&token).unwrap().verify(&without, &keys, NOW);
        let expected = without.algorithms;
        assert_eq!(found, Err(JwtError::Algorithm { expected }));
    }
    let token = other.token(Algorithm::Es384, "", CLAIMS);
    assert_eq!(verify(&token, &keys), Err(JwtError::Signature));
    // Signed with one digest, and said to be with another.
    let header = r#"{"alg":"RS256"}"#;
    let token = Signer::rsa().token_of(Algorithm::Rs512, header, CLAIMS);
    assert_eq!(verify(&token, &keys), Err(JwtError::Signature));
    let token = Signer::rsa().token_of(Algorithm::Ps256, header, CLAIMS);
    assert_eq!(verify(&token, &keys), Err(JwtError::Signature));
}

#[test]
fn a_token_chooses_no_algorithm_that_its_key_is_not_for() {
    let all = JwtError::Algorithm {
        expected: Algorithm::ALL.to_vec(),
    };
    for alg in [
        r#""none""#,
        r#""None""#,
        r#""HS256""#,
        r#""ES512""#,
        r#""""#,
        "null",
        "5",
        r#"["EdDSA"]"#,
    ] {
        let header = format!(r#"{{"alg":{alg},"kid":"1"}}"#);
        assert_eq!(with_header(&header), Err(all.clone()), "{alg}");
    }
    assert_eq!(with_header(r#"{"kid":"1"}"#), Err(all.clone()));
    let unsigned = format!("{}.{}.", base64url(r#"{"alg":"none"}"#), base64url(CLAIMS));
    assert_eq!(verify(&unsigned, &ed25519_keys()), Err(all.clone()));
    // The public key as the secret of an HMAC.
    let signed = format!("{}.{}", base64url(r#"{"alg":"HS256"}"#), base64url(CLAIMS));
    let secret = URL_SAFE_NO_PAD.decode(RSA_N).unwrap();
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, &secret),
        signed.as_bytes(),
    );
    let token = format!("{signed}.{}", base64url(tag));
    assert_eq!(verify(&token, &key_set(&[rsa_members()])), Err(all));
    // An RSA key that is pinned to PS256.
    let keys = key_set(&[format!(r#"{},"alg":"PS256""#, rsa_members())]);
    let token = |algorithm| Signer::rsa().token(algorithm, "", CLAIMS);
    assert!(verify(&token(Algorithm::Ps256), &keys).is_ok());
    for other in [Algorithm::Rs256, Algorithm::Ps512] {
        assert_eq!(verify(&token(other), &keys), Err(JwtError::KeyAlgorithm));
    }
    let header = r#"{"alg":"ES256","kid":"1"}"#;
    assert_eq!(with_header(header), Err(JwtError::KeyAlgorithm));
    assert!(with_header(r#"{"alg":"Ed25519","kid":"1"}"#).is_ok());
}

#[test]
fn which_key_is_meant() {
    let signer = Signer::p256();
    let other = Signer::new_ec(Algorithm::Es256).ec_members();
    let with_id = |members: &str, id: &str| format!(r#"{members},"kid":"{id}""#);
    let own = p256_members();
    let token = signer.token(Algorithm::Es256, r#""kid":"a""#, CLAIMS);
    let nameless = signer.token(Algorithm::Es256, "", CLAIMS);
    let found = |keys: &[String], token: &str| verify(token, &key_set(keys)).map(|_| ());
    assert_eq!(
        found(&[with_id(&other, "b"), with_id(&own, "a")], &token),
        Ok(())
    );
    assert_eq!(
        found(&[with_id(&other, "a"), with_id(&own, "a")], &token),
        Ok(())
    );
    let keys = [with_id(&other, "a"), with_id(&own, "b")];
    assert_eq!(found(&keys, &token), Err(JwtError::Signature));
    assert_eq!(found(&keys, &nameless), Ok(()));
    for id in ["b", "A", "a "] {
        let found = found(&[with_id(&own, id)], &token);
        assert_eq!(found, Err(JwtError::UnknownKey), "{id}");
    }
    assert_eq!(
        found(std::slice::from_ref(&own), &token),
        Err(JwtError::UnknownKey)
    );
    assert_eq!(
        found(std::slice::from_ref(&other), &nameless),
        Err(JwtError::Signature)
    );
    let mut many = vec![own.clone(), other.clone(), other.clone(), other.clone()];
    assert_eq!(found(&many, &nameless), Ok(()));
    many.push(other);
    assert_eq!(found(&many, &nameless), Err(JwtError::TooManyKeys));
    for id in ["5", "null", r#""""#, &format!(r#""{}""#, "x".repeat(257))] {
        let found = with_header(&format!(r#"{{"alg":"EdDSA","kid":{id}}}"#));
        assert_eq!(found, Err(JwtError::KeyId), "{id}");
    }
}

#[test]
fn keys_that_a_token_brings_are_not_looked_at() {
    let forger = Signer::new_ec(Algorithm::Es256);
    let key = forger.ec_members();
    let keys = key_set(&[format!(r#"{},"kid":"1""#, p256_members())]);
    for (header, expected) in [
        (format!(r#""jwk":{{{key}}}"#), JwtError::Signature),
        (
            format!(r#""kid":"1","jwk":{{{key},"kid":"1"}}"#),
            JwtError::Signature,
        ),
        (
            format!(r#""kid":"2","jwk":{{{key},"kid":"2"}}"#),
            JwtError::UnknownKey,
        ),
        (
            r#""jku":"https://forger.test/keys","x5u":"https://forger.test/chain""#.to_owned(),
            JwtError::Signature,
        ),
    ] {
        let token = forger.token(Algorithm::Es256, &header, CLAIMS);
        assert_eq!(verify(&token, &keys), Err(expected), "{header}");
    }
    let header = format!(r#""jwk":{{{key}}}"#);
    let token = Signer::p256().token(Algorithm::Es256, &header, CLAIMS);
    assert!(verify(&token, &keys).is_ok());
}

#[test]
fn headers() {
    for kind in [
        "JWT",
        "jwt",
        "application/jwt",
        "at+JWT",
        "Application/at+jwt",
        "JOSE",
    ] {
        let found = with_header(&format!(r#"{{"alg":"EdDSA","typ":"{kind}"}}"#));
        assert!(found.is_ok(), "{kind}: {found:?}");
    }
    for (members, expected) in [
        (r#""typ":"logout+jwt""#, JwtError::Type),
        (r#""typ":"secevent+jwt""#, JwtError::Type),
        (r#""typ":"text/jwt""#, JwtError::Type),
        (r#""typ":"""#, JwtError::Type),
        (r#""typ":null"#, JwtError::Type),
        (r#""crit":["exp"],"exp":1"#, JwtError::Critical),
        (r#""crit":["b64"],"b64":false"#, JwtError::Critical),
        (r#""crit":[]"#, JwtError::Critical),
        (
            r#""alg":"EdDSA""#,
            JwtError::RepeatedMember(JwtPart::Header),
        ),
        (
            r#""al\u0067":"none""#,
            JwtError::RepeatedMember(JwtPart::Header),
        ),
        (
            r#""a":{"b":1,"b":1}"#,
            JwtError::RepeatedMember(JwtPart::Header),
        ),
        ("x", JwtError::NoObject(JwtPart::Header)),
    ] {
        let found = with_header(&format!(r#"{{"alg":"EdDSA",{members}}}"#));
        assert_eq!(found, Err(expected), "{members}");
    }
}

#[test]
fn forms_that_are_no_token() {
    let token = Signer::ed25519().token(Algorithm::EdDsa, "", CLAIMS);
    assert!(verify(&token, &ed25519_keys()).is_ok());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let parts = Err(JwtError::Parts);
    for other in [
        String::new(),
        ".".to_owned(),
        signed.to_owned(),
        format!("{token}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}="),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{header}.{claims}=.{signature}"),
        format!("{header}.{claims}.{}", signature.replace(['-', '_'], "+")) + "/",
        "ä.ä.ä".to_owned(),
    ] {
        assert_eq!(verify(&other, &ed25519_keys()), parts, "{other:?}");
    }
    assert_eq!(
        verify("..", &ed25519_keys()),
        Err(JwtError::NoObject(JwtPart::Header))
    );
    let empty_signature = format!("{signed}.");
    assert_eq!(
        verify(&empty_signature, &ed25519_keys()),
        Err(JwtError::Signature)
    );
    let of_length = |bytes: usize| {
        let bare = bytes - ".e30.".len();
        format!("{}.e30.", "A".repeat(bare))
    };
    assert_ne!(
        Jwt::parse(&of_length(JWT_BYTES_MAX)).err(),
        Some(JwtError::TooLong)
    );
    assert_eq!(
        Jwt::parse(&of_length(JWT_BYTES_MAX + 1)).err(),
        Some(JwtError::TooLong)
    );
}

#[test]
fn who_issued_it_and_for_whom() {
    let issued = |members: &str| {
        signed(
            &issuer(),
            &format!(r#"{{"exp":1800000100,"sub":"web",{members}}}"#),
        )
    };
    for audience in [
        r#""sallyport""#,
        r#""proxy""#,
        r#"["proxy"]"#,
        r#"["a","sallyport"]"#,
    ] {
        let found = issued(&format!(r#""iss":"joe","aud":{audience}"#));
        assert_eq!(found.unwrap().principal, "web", "{audience}");
    }
    for audience in [
        r#""Sallyport""#,
        r#""sallyport ""#,
        r#""""#,
        "[]",
        r#"["a"]"#,
        "null",
        "5",
        r#"["sallyport",5]"#,
        r#"[["sallyport"]]"#,
        r#"{"sallyport":1}"#,
    ] {
        let found = issued(&format!(r#""iss":"joe","aud":{audience}"#));
        assert_eq!(found, refused("sallyport, proxy"), "{audience}");
    }
    assert_eq!(issued(r#""iss":"joe""#), refused("sallyport, proxy"));
    let for_nobody = JwtIssuer {
        audiences: Vec::new(),
        ..issuer()
    };
    assert_eq!(signed(&for_nobody, CLAIMS), refused(""));
    let other = JwtError::Issuer {
        expected: "joe".to_owned(),
    };
    for iss in [r#""Joe""#, r#""joe/""#, r#""""#, "null", r#"["joe"]"#] {
        let found = issued(&format!(r#""iss":{iss},"aud":"proxy""#));
        assert_eq!(found, Err(other.clone()), "{iss}");
    }
    assert_eq!(issued(r#""aud":"proxy""#), Err(other));
    let repeated = Err(JwtError::RepeatedMember(JwtPart::Claims));
    assert_eq!(issued(r#""iss":"joe","aud":"a","aud":"proxy""#), repeated);
}

/// For how long a token of such times may be remembered.
fn remembered(leeway_seconds: u32, times: &str) -> Result<i64, JwtError> {
    let issuer = JwtIssuer {
        leeway_seconds,
        ..issuer()
    };
    let claims = format!(r#"{{"iss":"joe","aud":"proxy","sub":"a",{times}}}"#);
    signed(&issuer, &claims).map(|verified| verified.remembered_until - NOW)
}

#[test]
fn when_a_token_ends() {
    let expired = |seconds| Err(JwtError::Expired { seconds });
    let no_time = Err(JwtError::Time { claim: "exp" });
    for (leeway, end, expected) in [
        (0, "1800000001", Ok(1)),
        (0, "1800000001.9", Ok(1)),
        (0, "1.800000001e9", Ok(1)),
        (0, "1800000000", expired(0)),
        (0, "1800000000.9", expired(0)),
        (0, "1799999990", expired(10)),
        (0, "0", expired(NOW)),
        (10, "1799999991", Ok(1)),
        (10, "1799999990", expired(10)),
        (300, "1799999701", Ok(1)),
        (u32::MAX, "1799999700", expired(300)),
        (0, "1800000300", Ok(300)),
        (0, "253402300799", Ok(REMEMBERED_SECONDS_MAX.into())),
        (0, "253402300800", no_time.clone()),
        (0, "1e300", no_time.clone()),
        (0, "18446744073709551615", no_time.clone()),
        (0, "-1", no_time.clone()),
        (0, "-1e300", no_time.clone()),
        (0, r#""1800000001""#, no_time.clone()),
        (0, "null", no_time),
    ] {
        let found = remembered(leeway, &format!(r#""exp":{end}"#));
        assert_eq!(found, expected, "{leeway} {end}");
    }
    assert_eq!(remembered(300, r#""ttl":1"#), Err(JwtError::NoExpiry));
    let token = Signer::ed25519().token(Algorithm::EdDsa, "", CLAIMS);
    let at = |now| {
        Jwt::parse(&token)
            .unwrap()
            .verify(&issuer(), &ed25519_keys(), now)
    };
    assert!(at(i64::MIN).is_ok());
    assert!(at(i64::MAX).is_err());
}

#[test]
fn when_a_token_begins() {
    let not_yet = |seconds| Err(JwtError::NotYetValid { seconds });
    let in_future = |seconds| Err(JwtError::IssuedInFuture { seconds });
    for (leeway, times, expected) in [
        (0, r#""nbf":1800000000"#, Ok(9)),
        (0, r#""nbf":1800000001"#, not_yet(1)),
        (1, r#""nbf":1800000001"#, Ok(10)),
        (1, r#""nbf":1800000002"#, not_yet(2)),
        (u32::MAX, r#""nbf":1800000301"#, not_yet(301)),
        (0, r#""nbf":"0""#, Err(JwtError::Time { claim: "nbf" })),
        (0, r#""iat":1800000000"#, Ok(9)),
        (0, r#""iat":1800000001"#, in_future(1)),
        (5, r#""iat":1800000005"#, Ok(14)),
        (5, r#""iat":1800000006"#, in_future(6)),
        (0, r#""iat":true"#, Err(JwtError::Time { claim: "iat" })),
    ] {
        let found = remembered(leeway, &format!(r#""exp":1800000009,{times}"#));
        assert_eq!(found, expected, "{leeway} {times}");
    }
}

/// What becomes of the claims of a service account of Kubernetes, and others.
fn service_account(account: &str, more: &str) -> Result<VerifiedJwt, JwtError> {
    let path = |text| ClaimPath::parse(text).unwrap();
    let labels = [
        ("namespace", path("/kubernetes.io/namespace")),
        ("groups", path("groups")),
        ("run", path("run")),
        ("protected", path("protected")),
        ("none", path("none")),
    ];
    let labels = labels.map(|(label, path)| (label.to_owned(), path));
    let issuer = JwtIssuer {
        authority: Authority::Issuer {
            issuer: "joe".to_owned(),
            principal: path("/kubernetes.io/serviceaccount/name"),
        },
        labels: labels.into(),
        ..issuer()
    };
    let claims = format!(
        r#"{{"iss":"joe","aud":"proxy","exp":1800000100,"sub":"spiffe://example.org/a",
        "kubernetes.io":{{"namespace":"pay","serviceaccount":{{"name":{account}}}}},{more}}}"#
    );
    signed(&issuer, &claims)
}

#[test]
fn claims_become_principal_and_labels() {
    let more = r#""groups":["a",1],"run":7,"protected":true,"none":[]"#;
    let verified = service_account(r#""web""#, more).unwrap();
    let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    let labels = [
        ("groups".to_owned(), values(&["a", "1"])),
        ("namespace".to_owned(), values(&["pay"])),
        ("protected".to_owned(), values(&["true"])),
        ("run".to_owned(), values(&["7"])),
    ];
    let expected = VerifiedJwt {
        principal: "web".to_owned(),
        spiffe_id: None,
        labels: labels.into(),
        remembered_until: 1_800_000_100,
    };
    assert_eq!(verified, expected);
    let verified = service_account(r#""web""#, r#""run":null"#).unwrap();
    assert!(!verified.labels.contains_key("run"));
}

#[test]
fn claims_that_logs_and_rules_cannot_take() {
    let long = format!(r#""{}""#, "x".repeat(NAME_BYTES_MAX + 1));
    for account in [r#""""#, "null", "5", r#"["a"]"#, r#""a\nb""#, &long] {
        let claim = "/kubernetes.io/serviceaccount/name".to_owned();
        let found = service_account(account, r#""run":7"#);
        assert_eq!(found, Err(JwtError::Principal { claim }), "{account}");
    }
    for run in [
        r#""""#,
        "1.5",
        "{}",
        "[[]]",
        "[null]",
        r#"["a",""]"#,
        r#""a\u0000""#,
        &long,
    ] {
        let (label, claim) = ("run".to_owned(), "run".to_owned());
        let found = service_account(r#""web""#, &format!(r#""run":{run}"#));
        assert_eq!(found, Err(JwtError::Label { label, claim }), "{run}");
    }
    assert!(service_account(&long.replacen('x', "", 1), r#""run":-7"#).is_ok());
}

#[test]
fn workloads_of_a_trust_domain() {
    let of = |sub: &str| {
        let claims = format!(r#"{{"sub":{sub},"aud":["proxy"],"exp":1800000100}}"#);
        signed(&trust_domain(), &claims)
    };
    let verified = of(r#""spiffe://example.org/ns/pay/sa/web""#).unwrap();
    assert_eq!(verified.principal, "spiffe://example.org/ns/pay/sa/web");
    let id = SpiffeId::parse(&verified.principal).unwrap();
    assert_eq!(verified.spiffe_id, Some(id));
    let expected = JwtError::TrustDomain {
        expected: "example.org".to_owned(),
    };
    for sub in [
        r#""spiffe://example.com/web""#,
        r#""spiffe://example.org""#,
        r#""spiffe://example.org/""#,
        r#""spiffe://example.org.evil.test/web""#,
        r#""web""#,
        "null",
        "5",
    ] {
        assert_eq!(of(sub), Err(expected.clone()), "{sub}");
    }
}

#[test]
fn whose_a_token_says_it_is() {
    let token = |claims: &str| Signer::ed25519().token(Algorithm::EdDsa, "", claims);
    let says = |claims: &str, issuer: &JwtIssuer| {
        Jwt::parse(&token(claims)).unwrap().claims_to_be_of(issuer)
    };
    assert!(says(CLAIMS, &issuer()) && !says(CLAIMS, &trust_domain()));
    let workload = r#"{"sub":"spiffe://example.org/web"}"#;
    assert!(!says(workload, &issuer()) && says(workload, &trust_domain()));
    assert!(!says("{}", &issuer()) && !says("{}", &trust_domain()));
}

#[test]
fn errors_and_debug_echo_nothing() {
    let marked = r#"{"iss":"sesame","sub":"sesame","aud":"sesame","exp":1,"sesame":"sesame"}"#;
    let token = Signer::ed25519().token(Algorithm::EdDsa, r#""kid":"1","sesame":1"#, marked);
    let shown = format!("{:?}", Jwt::parse(&token).unwrap());
    assert_eq!(shown, "Jwt(…)");
    for claims in [marked, &marked.replace(r#""sesame","sub"#, r#""joe","sub"#)] {
        let error = signed(&issuer(), claims).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("sesame"), "{error}");
    }
    let error = with_header(r#"{"alg":"sesame"}"#).unwrap_err();
    let expected =
        "expected `alg` to be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA";
    assert_eq!(error.to_string(), expected);
    let error = with_header(r#"{"alg":"EdDSA","kid":"sesame"}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected the `kid` of a key of the issuer"
    );
}

#[test]
fn a_token_with_one_bit_changed_is_refused() {
    for (signer, algorithm, members) in [
        (Signer::rsa(), Algorithm::Rs256, rsa_members()),
        (Signer::rsa(), Algorithm::Ps256, rsa_members()),
        (Signer::p256(), Algorithm::Es256, p256_members()),
        (Signer::ed25519(), Algorithm::EdDsa, ed25519_members()),
    ] {
        let keys = key_set(&[members]);
        let token = signer.token(algorithm, "", CLAIMS);
        assert!(verify(&token, &keys).is_ok());
        for bit in 0..token.len() * 8 {
            let mut changed = token.clone().into_bytes();
            changed[bit / 8] ^= 1 << (bit % 8);
            // Others are refused before they are a token.
            let Ok(changed) = String::from_utf8(changed) else {
                continue;
            };
            let found = verify(&changed, &keys);
            assert!(found.is_err(), "{algorithm}: bit {bit}: {changed}");
        }
    }
}

proptest! {
    #[test]
    fn any_text(text: String) {
        let _ = Jwt::parse(&text);
    }

    #[test]
    fn any_parts(header: Vec<u8>, claims: Vec<u8>, signature: Vec<u8>) {
        let [header, claims, signature] = [header, claims, signature].map(base64url);
        let token = format!("{header}.{claims}.{signature}");
        prop_assert!(Jwt::parse(&token).is_err());
    }

    #[test]
    fn a_token_counts_from_its_beginning_to_its_end(
        start in NOW - 400..NOW + 400,
        life in 0..800_i64,
        leeway_seconds in 0..400_u32,
    ) {
        let end = start + life;
        let claims = format!(r#"{{"iss":"joe","aud":"proxy","sub":"a","nbf":{start},"exp":{end}}}"#);
        let issuer = JwtIssuer { leeway_seconds, ..issuer() };
        let leeway = i64::from(leeway_seconds.min(300));
        let counts = start - leeway <= NOW && NOW < end + leeway;
        let found = signed(&issuer, &claims);
        prop_assert_eq!(found.is_ok(), counts);
        if let Ok(verified) = found {
            prop_assert!(verified.remembered_until > NOW && verified.remembered_until <= end + leeway);
        }
    }
}
