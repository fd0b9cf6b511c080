//! What a file is that was to hold certificates or a key in PEM, and holds something else.
//!
//! Whoever is told "there is no certificate" looks at a file that plainly has one: these words say what
//! it is and how it becomes what is wanted. Called by `pem` and `authority`.

use memchr::memmem;

/// What is wrong with the bytes of a file before any of it is read as PEM; `None` if nothing is. A block
/// behind a byte order mark would be passed over in silence.
pub(crate) fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [] => "the file is empty",
        [0xef, 0xbb, 0xbf, ..] => {
            "the file begins with a byte order mark (UTF-8): save it as plain text without one"
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            "the file is text in UTF-16: save it as plain text (ASCII)"
        }
        [0xfe, 0xed, 0xfe, 0xed, ..] => {
            "the file is a Java key store (JKS): `keytool -importkeystore -srckeystore FILE -destkeystore ca.p12 \
             -deststoretype pkcs12`, then `openssl pkcs12 -in ca.p12 -nodes -out ca.pem`"
        }
        [0x30, ..] => binary_kind(bytes),
        _ => return None,
    })
}

/// Whether the bytes are a PKCS#12 store (RFC 7292 section 4: its first field is the version 3).
pub(crate) fn is_pkcs12(der: &[u8]) -> bool {
    contents(der).is_some_and(|contents| contents.starts_with(&[0x02, 0x01, 0x03]))
}

/// What a PEM text without the wanted blocks holds instead; empty if nothing that is known.
pub(crate) fn other_blocks(pem: &[u8]) -> &'static str {
    const KINDS: &[(&str, &str)] = &[
        (
            "-----BEGIN PKCS7-----",
            "; it holds PKCS#7: `openssl pkcs7 -in FILE -print_certs -out ca.pem`",
        ),
        (
            "CERTIFICATE REQUEST-----",
            "; it holds a request for a certificate, which an authority has yet to sign",
        ),
        (
            "-----BEGIN TRUSTED CERTIFICATE-----",
            "; it holds OpenSSL's own form: `openssl x509 -in FILE -out ca.pem`",
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            "; it holds a key of OpenSSH: `ssh-keygen -p -m PKCS8 -f FILE` turns it into PKCS#8",
        ),
        (
            "-----BEGIN PUBLIC KEY-----",
            "; it holds a public key, which is not secret and signs nothing",
        ),
        ("PRIVATE KEY-----", "; it holds a private key"),
        (
            "-----BEGIN X509 CRL-----",
            "; it holds a certificate revocation list",
        ),
        ("-----BEGIN CERTIFICATE-----", "; it holds a certificate"),
    ];
    let has = |mark: &str| memmem::find(pem, mark.as_bytes()).is_some();
    let found = KINDS.iter().find(|(mark, _)| has(mark));
    found.map_or("", |(_, words)| words)
}

fn binary_kind(der: &[u8]) -> &'static str {
    /// id-signedData (RFC 5652 section 5.1), as its DER begins.
    const SIGNED_DATA: &[u8] = &[
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02,
    ];
    match contents(der) {
        Some([0x02, 0x01, 0x03, ..]) => {
            "the file is a PKCS#12 store: `openssl pkcs12 -in FILE -nodes -out ca.pem` turns it into PEM"
        }
        // PKCS#8 and PKCS#1 begin with version 0, SEC1 with version 1.
        Some([0x02, 0x01, 0x00 | 0x01, ..]) => {
            "the file is a private key in DER: `openssl pkey -inform der -in FILE -out ca.key` turns it into PEM"
        }
        Some(contents) if contents.starts_with(SIGNED_DATA) => {
            "the file is PKCS#7 in DER: `openssl pkcs7 -inform der -in FILE -print_certs -out ca.pem` turns it into PEM"
        }
        _ => {
            "the file is in DER: `openssl x509 -inform der -in FILE -out ca.pem` turns it into PEM"
        }
    }
}

/// What stands inside the outermost SEQUENCE.
fn contents(der: &[u8]) -> Option<&[u8]> {
    match der {
        [0x30, 0x00..=0x7f, contents @ ..] => Some(contents),
        [0x30, long @ 0x81..=0x84, rest @ ..] => rest.get(usize::from(*long & 0x7f)..),
        _ => None,
    }
}
