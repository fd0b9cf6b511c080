//! Origins' certificates that rcgen does not make: broken hashes, short keys, old versions.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use sallyport_pki::CertificateFault::{self, *};
use sallyport_pki::{Trust, TrustSources};

use crate::openssl::{OpenSsl, P256, P384, RSA, RSA_1024};

const LEAF: &str =
    "subjectAltName=DNS:a.test\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n";
const AUTHORITY: &str =
    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";

/// Judges `leaf.pem` with the certificates above it for `a.test`, when `root.pem` is trusted.
fn judge(openssl: &OpenSsl, root: &str, above: &[&str]) -> Result<(), CertificateFault> {
    let read = |name: &str| CertificateDer::from_pem_slice(&openssl.read(name)).unwrap();
    let trust = Trust::new(TrustSources {
        extra: vec![read(root)],
        ..TrustSources::default()
    });
    let above: Vec<_> = above.iter().map(|name| read(name)).collect();
    let host = ServerName::try_from("a.test").unwrap();
    let judged = trust
        .unwrap()
        .judge(&read("leaf.pem"), &above, &host, UnixTime::now());
    judged.map_err(|fault| fault.fault)
}

#[test]
fn signatures_with_a_broken_hash() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    for (root_key, broken) in [(RSA, "-sha1"), (RSA, "-md5"), (P256, "-sha1")] {
        openssl.root("root", root_key);
        openssl.sign("leaf", P256, "root", LEAF, "-sha256");
        assert_eq!(judge(&openssl, "root.pem", &[]), Ok(()), "{root_key}");
        openssl.sign("leaf", P256, "root", LEAF, broken);
        assert_eq!(
            judge(&openssl, "root.pem", &[]),
            Err(WeakSignature),
            "{root_key} {broken}"
        );
        openssl.sign("middle", RSA, "root", AUTHORITY, broken);
        openssl.sign("leaf", P256, "middle", LEAF, "-sha256");
        assert_eq!(
            judge(&openssl, "root.pem", &["middle.pem"]),
            Err(WeakSignature),
            "{root_key} {broken}"
        );
    }
}

#[test]
fn keys_that_are_too_short() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    openssl.root("root", RSA);
    openssl.sign("leaf", RSA_1024, "root", LEAF, "-sha256");
    assert_eq!(judge(&openssl, "root.pem", &[]), Err(WeakKey));
    openssl.sign("middle", RSA_1024, "root", AUTHORITY, "-sha256");
    openssl.sign("leaf", P256, "middle", LEAF, "-sha256");
    assert_eq!(judge(&openssl, "root.pem", &["middle.pem"]), Err(WeakKey));
    openssl.root("short", RSA_1024);
    openssl.sign("leaf", P256, "short", LEAF, "-sha256");
    assert_eq!(judge(&openssl, "short.pem", &[]), Err(WeakKey));
}

#[test]
fn kinds_of_keys_and_signatures() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    let ed25519 = "-algorithm ED25519";
    let p521 = "-algorithm EC -pkeyopt ec_paramgen_curve:P-521";
    let rsa_4096 = "-algorithm RSA -pkeyopt rsa_keygen_bits:4096";
    for (root, leaf, hash) in [
        (RSA, rsa_4096, "-sha512"),
        (P384, RSA, "-sha384"),
        (P384, P256, "-sha256"),
        (p521, p521, "-sha512"),
        (ed25519, ed25519, ""),
        (
            RSA,
            P256,
            "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1",
        ),
    ] {
        openssl.root("root", root);
        openssl.sign("leaf", leaf, "root", LEAF, hash);
        assert_eq!(
            judge(&openssl, "root.pem", &[]),
            Ok(()),
            "{root} {leaf} {hash}"
        );
    }
    for (root, hash) in [
        ("-algorithm ED448", ""),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
            "-sha256",
        ),
    ] {
        openssl.root("root", root);
        openssl.sign("leaf", P256, "root", LEAF, hash);
        assert_eq!(
            judge(&openssl, "root.pem", &[]),
            Err(UnsupportedAlgorithm),
            "{root}"
        );
    }
}

#[test]
fn versions_and_names_of_old() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    openssl.root("root", P256);
    openssl.sign("leaf", P256, "root", "", "-sha256");
    assert_eq!(
        judge(&openssl, "root.pem", &[]),
        Err(BadEncoding),
        "version 1"
    );
    openssl.sign(
        "leaf",
        P256,
        "root",
        "keyUsage=digitalSignature\n",
        "-sha256",
    );
    assert_eq!(judge(&openssl, "root.pem", &[]), Err(CommonNameOnly));
    let critical = format!("{LEAF}1.2.3.4=critical,DER:0500\n");
    openssl.sign("leaf", P256, "root", &critical, "-sha256");
    assert_eq!(judge(&openssl, "root.pem", &[]), Err(CriticalExtension));
}

/// Thousands of names are judged like any other; what does not fit into a message of TLS is told.
#[test]
fn huge_certificates() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    openssl.root("root", P256);
    for (count, last, expected) in [
        (4_000, "a.test", Ok(())),
        (4_000, "b.test", Err(NameMismatch)),
        (10_000, "a.test", Err(TooLarge)),
    ] {
        let mut extensions = "subjectAltName=@names\n[names]\n".to_owned();
        for number in 0..count {
            extensions.push_str(&format!("DNS.{number}=n{number}.test\n"));
        }
        extensions.push_str(&format!("DNS.{count}={last}\n"));
        openssl.sign("leaf", P256, "root", &extensions, "-sha256");
        assert_eq!(judge(&openssl, "root.pem", &[]), expected, "{count} {last}");
    }
}

/// OpenSSL is asked the same of the same chain.
#[test]
fn directory_names_are_compared_as_openssl_does() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    openssl.root("root", P256);
    let tree = "dirName:tree\n[tree]\nC=DE\nO=Acme Inc.\n";
    for (constraint, subject, is_believed) in [
        ("permitted", "/C=DE/O=Acme Inc./CN=a.test", true),
        ("permitted", "/C=DE/O=ACME  inc. /OU=Web/CN=a.test", true),
        ("permitted", "/C=DE/O=Acme/CN=a.test", false),
        ("permitted", "/O=Acme Inc./C=DE/CN=a.test", false),
        ("permitted", "/CN=a.test", false),
        ("excluded", "/C=DE/O=Acme Inc./CN=a.test", false),
        ("excluded", "/C=DE/O=acme inc./CN=a.test", false),
        ("excluded", "/C=DE/O=Acme/CN=a.test", true),
        ("excluded", "/CN=a.test", true),
    ] {
        let extensions = format!("{AUTHORITY}nameConstraints=critical,{constraint};{tree}");
        openssl.sign("middle", P256, "root", &extensions, "-sha256");
        let subject_option = format!("-sha256 -subj '{subject}'");
        openssl.sign("leaf", P256, "middle", LEAF, &subject_option);
        let verified = openssl.output(
            "verify -no-CApath -no-CAstore -CAfile root.pem -untrusted middle.pem leaf.pem",
        );
        assert_eq!(
            verified.status.success(),
            is_believed,
            "{constraint} {subject}"
        );
        let expected = match is_believed {
            true => Ok(()),
            false => Err(NameConstraints),
        };
        let found = judge(&openssl, "root.pem", &["middle.pem"]);
        assert_eq!(found, expected, "{constraint} {subject}");
    }
}
