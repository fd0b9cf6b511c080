//! Two authorities: one that the proxy mints with, one that origins are certified by. Made on the spot.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use super::proxy::Setup;

/// Files of both, in the folder of a [`Setup`].
#[derive(Debug)]
pub(crate) struct Pki {
    folder: PathBuf,
    origins: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key in one file, and as two.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What can be wrong with the certificate of an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    Expired,
    NotYetValid,
    SelfSigned,
    UnknownIssuer,
    WrongUsage,
}

impl Pki {
    pub(crate) fn new(folder: &Path) -> Self {
        let authority = authority_named("Test Interception");
        write(&folder.join("ca.pem"), &authority.pem());
        write_key(&folder.join("ca.key"), authority.key());
        let origins = authority_named("Test Origins");
        write(&folder.join("roots.pem"), &origins.pem());
        Self {
            folder: folder.to_owned(),
            origins,
        }
    }

    /// What clients of the proxy must trust.
    pub(crate) fn authority(&self) -> String {
        self.path("ca.pem")
    }

    /// What clients without the proxy must trust.
    pub(crate) fn roots(&self) -> String {
        self.path("roots.pem")
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// A good certificate for `names`.
    pub(crate) fn origin(&self, names: &[&str]) -> Identity {
        self.flawed(names, Flaw::None)
    }

    /// A certificate for `names` with something wrong.
    pub(crate) fn flawed(&self, names: &[&str], flaw: Flaw) -> Identity {
        let mut params = leaf(names);
        let now = OffsetDateTime::now_utc();
        match flaw {
            Flaw::Expired => {
                params.not_before = now - Duration::days(20);
                params.not_after = now - Duration::days(10);
            }
            Flaw::NotYetValid => {
                params.not_before = now + Duration::days(10);
                params.not_after = now + Duration::days(20);
            }
            Flaw::WrongUsage => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
            Flaw::None | Flaw::SelfSigned | Flaw::UnknownIssuer => {}
        }
        let key = KeyPair::generate().unwrap();
        let certificate = match flaw {
            Flaw::SelfSigned => params.self_signed(&key),
            Flaw::UnknownIssuer => params.signed_by(&key, &authority_named("Nobody Knows")),
            _ => params.signed_by(&key, &self.origins),
        };
        let name = format!("{}-{flaw:?}", names[0]);
        self.identity(&name, &certificate.unwrap().pem(), &key)
    }

    /// A certificate by which a client says who it is, from the authority of origins.
    pub(crate) fn client(&self, name: &str) -> Identity {
        let mut params = leaf(&[]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.origins).unwrap();
        self.identity(name, &certificate.pem(), &key)
    }

    /// The same for a workload that has a SPIFFE id beside its name.
    pub(crate) fn workload(&self, name: &str, id: &str) -> Identity {
        let mut params = leaf(&[]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.origins).unwrap();
        self.identity(name, &certificate.pem(), &key)
    }

    fn identity(&self, name: &str, pem: &str, key: &KeyPair) -> Identity {
        let certificate = self.folder.join(format!("{name}.pem"));
        let key_file = self.folder.join(format!("{name}.key"));
        write(&certificate, pem);
        write_key(&key_file, key);
        Identity {
            certificate,
            key: key_file,
        }
    }
}

impl Setup {
    /// Everything is intercepted; origins of `Pki` are believed, and only those.
    pub(crate) fn intercepting() -> (Self, Pki) {
        let setup = Self::new();
        let pki = Pki::new(setup.folder.path());
        let setup = setup
            .key("tls.mode", "\"intercept\"")
            .key("tls.ca", "\"ca.pem\"")
            .key("tls.upstream.roots", "[\"roots.pem\"]")
            .host("a.test", "127.0.0.1")
            .host("b.test", "127.0.0.1");
        (setup, pki)
    }
}

fn leaf(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(30);
    params.use_authority_key_identifier_extension = true;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn authority_named(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = leaf(&[]);
    params.extended_key_usages.clear();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(365);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

/// Readable by its owner only, as the proxy demands.
fn write_key(path: &Path, key: &KeyPair) {
    use std::os::unix::fs::PermissionsExt;
    write(path, &key.serialize_pem());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
