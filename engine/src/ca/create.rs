//! `sallyport ca init` and `sallyport ca sign-request`.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    SerialNumber, SignatureAlgorithm,
};
use zeroize::{Zeroize, Zeroizing};

use super::error::CaError;
use super::files::{self, Output, PUBLIC, SECRET};
use super::show;

/// How far before the present the validity begins, for clients whose clock is slow.
const BACKDATE: Duration = Duration::from_secs(24 * 3600);

/// The key of an authority.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum KeyType {
    /// ECDSA on P-256: the fastest to mint with, known to every client of today.
    P256,
    /// ECDSA on P-384.
    P384,
    /// RSA, 2048 bits: for very old clients; minting takes fifteen times as long.
    Rsa,
}

/// What to make, and where.
#[derive(Debug)]
pub(crate) struct Creation {
    /// The folder for the files; made if it is not there.
    pub(crate) folder: PathBuf,
    /// The kind of key.
    pub(crate) key_type: KeyType,
    /// The common name, instead of one that tells this authority from all others.
    pub(crate) name: Option<String>,
}

/// Makes an authority that is its own root: `ca.pem` and `ca.key`. Returns what to tell.
///
/// # Errors
/// If one of the files exists, or something cannot be made or written.
pub(crate) fn init(creation: &Creation, days: u32, now: Timestamp) -> Result<String, CaError> {
    let key = Key::generate(creation.key_type)?;
    let mut params = params(creation, now)?;
    let lifetime = Duration::from_secs(u64::from(days) * 24 * 3600);
    let end = now.checked_add(lifetime).map_err(|_| CaError::Days(days))?;
    params.not_before = date(now - BACKDATE, days)?;
    params.not_after = date(end, days)?;
    params.serial_number = Some(SerialNumber::from(random::<16>()?.to_vec()));
    let certificate = params.self_signed(&key.0)?;
    let (path, key_path) = (
        creation.folder.join("ca.pem"),
        creation.folder.join("ca.key"),
    );
    let outputs = [
        Output {
            path: key_path.clone(),
            text: &key.pem(),
            mode: SECRET,
        },
        Output {
            path: path.clone(),
            text: &certificate.pem(),
            mode: PUBLIC,
        },
    ];
    files::write_new(&creation.folder, &outputs)?;
    let facts = show::facts(&path, certificate.der(), now)?;
    let configuration = show::quoted(&path);
    Ok(format!(
        "{facts}\nCertificate: {}\nPrivate key: {} (keep it secret: whoever has it can pose as any site to your clients)\n\n\
         [tls]\nmode = \"intercept\"\nca = {configuration}\n\n\
         `sallyport ca show {}` tells how clients come to trust it.",
        path.display(),
        key_path.display(),
        path.display(),
    ))
}

/// Makes a key and a request to sign a subordinate authority with it: `ca.key` and `ca.csr`. Returns
/// what to tell.
///
/// # Errors
/// As [`init`].
pub(crate) fn sign_request(creation: &Creation, now: Timestamp) -> Result<String, CaError> {
    let key = Key::generate(creation.key_type)?;
    let request = params(creation, now)?.serialize_request(&key.0)?.pem()?;
    let folder = &creation.folder;
    let (path, key_path) = (folder.join("ca.csr"), folder.join("ca.key"));
    let outputs = [
        Output {
            path: key_path.clone(),
            text: &key.pem(),
            mode: SECRET,
        },
        Output {
            path: path.clone(),
            text: &request,
            mode: PUBLIC,
        },
    ];
    files::write_new(folder, &outputs)?;
    let answer = folder.join("ca.pem");
    Ok(format!(
        "Request: {request}\nPrivate key: {key} (it stays here)\n\n\
         Have the request signed as a certificate authority that signs no others:\n\
         basicConstraints = critical, CA:TRUE, pathlen:0; keyUsage = critical, keyCertSign, cRLSign. With OpenSSL:\n\n\
         printf 'basicConstraints=critical,CA:TRUE,pathlen:0\\nkeyUsage=critical,keyCertSign,cRLSign\\nsubjectKeyIdentifier=hash\\nauthorityKeyIdentifier=keyid\\n' > ca.ext\n\
         openssl x509 -req -in {request} -CA root.pem -CAkey root.key -days 1825 -sha256 -extfile ca.ext -out {answer}\n\n\
         Put the answer into {answer}, and after it the certificates between it and the root. Then:\n\n\
         [tls]\nmode = \"intercept\"\nca = {configuration}",
        request = path.display(),
        key = key_path.display(),
        answer = answer.display(),
        configuration = show::quoted(&answer),
    ))
}

/// A new private key, cleared when it is dropped.
struct Key(KeyPair);

impl Key {
    fn generate(key_type: KeyType) -> Result<Self, CaError> {
        let algorithm: &SignatureAlgorithm = match key_type {
            KeyType::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyType::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyType::Rsa => &rcgen::PKCS_RSA_SHA256,
        };
        Ok(Self(KeyPair::generate_for(algorithm)?))
    }

    fn pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.serialize_pem())
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn params(creation: &Creation, now: Timestamp) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::default();
    let name = match &creation.name {
        Some(name) => name.clone(),
        None => distinct_name(now)?,
    };
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// Two authorities with one name confuse clients that have seen both.
fn distinct_name(now: Timestamp) -> Result<String, CaError> {
    let [first, second, third] = random::<3>()?;
    let day = now.strftime("%Y-%m-%d");
    Ok(format!(
        "Sallyport CA {day} {first:02x}{second:02x}{third:02x}"
    ))
}

fn random<const N: usize>() -> Result<[u8; N], CaError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn date(timestamp: Timestamp, days: u32) -> Result<time::OffsetDateTime, CaError> {
    time::OffsetDateTime::from_unix_timestamp(timestamp.as_second())
        .map_err(|_| CaError::Days(days))
}
