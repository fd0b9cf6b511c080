//! What the commands write and say, and that the proxy loads what they made.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{FromDer, ParsedExtension};

use super::create::{Creation, KeyType, init, sign_request};
use super::error::CaError;
use super::show::show;
use crate::tls::read_authority;

fn creation(folder: &Path, key_type: KeyType) -> Creation {
    Creation {
        folder: folder.to_owned(),
        key_type,
        name: None,
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_init_makes_is_loaded_for_interception() {
    let folder = tempfile::tempdir().unwrap();
    for (place, key_type) in [
        ("p256", KeyType::P256),
        ("p384", KeyType::P384),
        ("rsa", KeyType::Rsa),
    ] {
        let folder = folder.path().join("not/there/yet").join(place);
        let said = init(&creation(&folder, key_type), 100, Timestamp::now()).unwrap();
        assert!(said.contains("(100 days left)"), "{said}");
        assert_eq!(mode(&folder.join("ca.key")), 0o600);
        assert_eq!(mode(&folder.join("ca.pem")), 0o644);
        let now = UnixTime::now();
        let authority = read_authority(&folder.join("ca.pem"), None, now).unwrap();
        assert!(authority.subject_text().starts_with("CN=Sallyport CA 20"));
        assert!(authority.chain().is_empty(), "a root is not sent along");
        assert_eq!(authority.expires_soon(now), None);
    }
}

#[test]
fn nothing_is_overwritten() {
    for present in ["ca.pem", "ca.key"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(present), "precious").unwrap();
        let made = init(&creation(folder.path(), KeyType::P256), 1, Timestamp::now());
        assert!(matches!(made, Err(CaError::Exists(path)) if path.ends_with(present)));
        assert_eq!(fs::read(folder.path().join(present)).unwrap(), b"precious");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing is left behind"
        );
    }
}

#[test]
fn a_request_asks_for_an_authority_and_its_key_stays() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = Creation {
        name: Some("Acme Proxy CA".to_owned()),
        ..creation(folder.path(), KeyType::P384)
    };
    let said = sign_request(&wanted, Timestamp::now()).unwrap();
    assert!(said.contains("openssl x509 -req"), "{said}");
    let key = fs::read_to_string(folder.path().join("ca.key")).unwrap();
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
    assert_eq!(mode(&folder.path().join("ca.key")), 0o600);
    let pem = fs::read(folder.path().join("ca.csr")).unwrap();
    let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).unwrap();
    let (_, request) = X509CertificationRequest::from_der(&pem.contents).unwrap();
    let info = &request.certification_request_info;
    assert_eq!(info.subject.to_string(), "CN=Acme Proxy CA");
    let asks = |wanted: &dyn Fn(&ParsedExtension<'_>) -> bool| {
        request.requested_extensions().unwrap().any(wanted)
    };
    assert!(asks(&|extension| matches!(extension,
        ParsedExtension::BasicConstraints(constraints)
            if constraints.ca && constraints.path_len_constraint == Some(0))));
    assert!(asks(&|extension| matches!(extension,
        ParsedExtension::KeyUsage(usage) if usage.key_cert_sign() && usage.crl_sign())));
}

#[test]
fn show_tells_the_fingerprint_and_every_kind_of_client() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("with space");
    let now = Timestamp::now();
    init(&creation(&folder, KeyType::P256), 10, now).unwrap();
    let path = folder.join("ca.pem");
    let shown = show(&path, now).unwrap();
    for client in [
        "Debian", "RHEL", "macOS", "Windows", "Java", "Python", "pip", "Node.js", "Go", "curl",
        "Firefox", "Chromium", "Docker",
    ] {
        assert!(shown.contains(client), "{client}");
    }
    assert!(shown.contains("Key          ECDSA, P-256"), "{shown}");
    assert!(shown.contains("(10 days left)"), "{shown}");
    let quoted = format!("'{}'", path.display());
    assert!(
        shown.contains(&quoted),
        "a path with a space is quoted: {shown}"
    );
    assert!(!shown.contains("{ca}"));
}

#[test]
fn the_guide_of_the_documentation_is_the_one_that_is_shown() {
    let documented = include_str!("../../../docs/tls.md");
    for line in include_str!("trust_guide.txt")
        .lines()
        .filter(|line| line.starts_with("  "))
    {
        let line = line.trim().replace("{ca}", "ca.pem");
        assert!(documented.contains(&line), "docs/tls.md lacks: {line}");
    }
}
