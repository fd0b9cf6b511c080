//! Files of authorities, roots and revocation lists: where the key may be, and who may read it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rcgen::KeyPair;
use sallyport_pki::pem::PemError;
use tempfile::TempDir;

use super::fixture::{authority_params, now, root};
use crate::tls::{FileError, read_authority, read_certificates, read_revocation_lists};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        set_mode(&path, mode);
        path
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_key_is_in_the_same_file_or_beside_it_or_where_it_is_said_to_be() {
    let issuer = root(authority_params("A"));
    let (pem, key) = (issuer.pem(), issuer.key().serialize_pem());
    let folder = Folder::new();
    let both = folder.write("both.pem", key.clone() + &pem, 0o600);
    let alone = folder.write("ca.pem", &pem, 0o644);
    let elsewhere = folder.write("secret", &key, 0o400);
    let other = KeyPair::generate().unwrap().serialize_pem();

    read_authority(&both, None, now()).unwrap();
    read_authority(&alone, Some(&elsewhere), now()).unwrap();
    let error = read_authority(&alone, None, now()).unwrap_err();
    assert!(
        error.to_string().contains("there is no private key"),
        "{error}"
    );
    folder.write("ca.key", &key, 0o600);
    read_authority(&alone, None, now()).unwrap();
    // What is said counts more than what is there; what is in the file more than what is beside it.
    let wrong = folder.write("wrong", &other, 0o600);
    let error = read_authority(&alone, Some(&wrong), now())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("wrong: the private key does not belong"),
        "{error}"
    );
    folder.write("both.key", &other, 0o600);
    read_authority(&both, None, now()).unwrap();
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let issuer = root(authority_params("A"));
    let folder = Folder::new();
    let path = folder.write(
        "ca.pem",
        issuer.pem() + &issuer.key().serialize_pem(),
        0o600,
    );
    let is_roots = fs::metadata(&path).unwrap().uid() == 0;
    for (mode, is_accepted) in [
        (0o600, true),
        (0o400, true),
        (0o640, is_roots),
        (0o440, is_roots),
        (0o660, false),
        (0o644, false),
        (0o604, false),
        (0o601, false),
    ] {
        set_mode(&path, mode);
        match read_authority(&path, None, now()) {
            Ok(_) => assert!(is_accepted, "{mode:o}"),
            Err(error) => {
                assert!(!is_accepted, "{mode:o}: {error}");
                let expected = format!("(mode {mode:03o}): run chmod 600 {}", path.display());
                assert!(error.to_string().contains(&expected), "{error}");
            }
        }
    }
}

#[test]
fn certificates_are_read_from_either_form() {
    let folder = Folder::new();
    let (one, other) = (root(authority_params("A")), root(authority_params("B")));
    let pem = folder.write(
        "roots.pem",
        one.pem() + "# a remark\n" + &other.pem(),
        0o644,
    );
    assert_eq!(
        read_certificates(&pem).unwrap(),
        [one.der().clone(), other.der().clone()]
    );
    let der = folder.write("root.der", one.der(), 0o644);
    assert_eq!(read_certificates(&der).unwrap(), [one.der().clone()]);

    let empty = folder.write("empty", "", 0o644);
    let error = read_certificates(&empty).unwrap_err();
    let is_empty = |reason: &PemError| *reason == PemError::OtherKind("the file is empty");
    assert!(matches!(error, FileError::Content { reason, .. } if is_empty(&reason)));
    let error = read_revocation_lists(&pem).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("there is no certificate revocation list"),
        "{error}"
    );
    let error = read_certificates(&folder.0.path().join("absent")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read "), "{error}");
}

#[test]
fn files_of_other_kinds_are_named() {
    let issuer = root(authority_params("A"));
    let (pem, key) = (issuer.pem(), issuer.key().serialize_pem());
    let folder = Folder::new();
    let utf16: Vec<u8> = "\u{feff}-----BEGIN"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let marked = format!("\u{feff}{pem}{key}");
    let store = [0x30, 0x82, 0x09, 0x00, 0x02, 0x01, 0x03, 0x30];
    let jks = [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2];
    let request = pem.replace("CERTIFICATE", "CERTIFICATE REQUEST");
    let cases: [(&str, &[u8], &str); 9] = [
        ("empty", b"", "the file is empty"),
        ("marked", marked.as_bytes(), "byte order mark"),
        ("utf16", &utf16, "UTF-16"),
        ("p12", &store, "PKCS#12"),
        ("jks", &jks, "Java key store"),
        ("der", issuer.der(), "openssl x509 -inform der"),
        (
            "key.der",
            issuer.key().serialized_der(),
            "openssl pkey -inform der",
        ),
        ("request", request.as_bytes(), "a request for a certificate"),
        ("key", key.as_bytes(), "it holds a private key"),
    ];
    for (name, bytes, expected) in cases {
        let path = folder.write(name, bytes, 0o600);
        let said = read_authority(&path, None, now()).unwrap_err().to_string();
        assert!(said.contains(expected), "{name}: {said}");
    }
    let store = folder.write("roots.p12", store, 0o600);
    let said = read_certificates(&store).unwrap_err().to_string();
    assert!(said.contains("PKCS#12"), "{said}");
    let der = folder.write("k", issuer.key().serialized_der(), 0o600);
    let said = crate::tls::read_private_key(&der).unwrap_err().to_string();
    assert!(said.contains("openssl pkey -inform der"), "{said}");
}
