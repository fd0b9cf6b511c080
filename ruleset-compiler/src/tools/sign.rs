//! `keygen`, `sign`, `verify`: who vouches for a bundle. The form of a signature, and checking one,
//! are the ruleset crate's.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePublicKey, KeypairBytes};
use ed25519_dalek::{Signer, SigningKey};
use sallyport_ruleset::bundle::Signature;
use sallyport_ruleset::{Bundle, PublicKey};

use crate::emit;
use crate::source::load_bundle;
use crate::terminal::{CliError, Status, Terminal};

/// Where a new key goes.
#[derive(Args, Debug)]
pub struct KeygenArgs {
    /// The new private key; the public one goes beside it, as NAME.pub.pem
    #[arg(value_name = "NAME.pem")]
    pub key: PathBuf,
}

/// What to sign, and with what.
#[derive(Args, Debug)]
pub struct SignArgs {
    /// The bundle file; its content, and so its id, stays as it is
    pub bundle: PathBuf,
    /// The private key (ed25519, PKCS#8, PEM)
    #[arg(long, value_name = "KEY.pem")]
    pub key: PathBuf,
}

/// What to check, and by what.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The bundle file
    pub bundle: PathBuf,
    /// A public key that is trusted; may be given several times
    #[arg(long, value_name = "KEY.pub.pem", required = true)]
    pub key: Vec<PathBuf>,
}

/// Makes a key pair. The private key is readable by its owner only; no file is overwritten.
///
/// # Errors
/// When a file is there already or cannot be written, or the system gives no randomness.
pub fn keygen(args: &KeygenArgs, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| CliError::Usage(format!("no randomness from the system: {error}")))?;
    let key = SigningKey::from_bytes(&seed);
    // Without the public key in it: the form that every reader of PKCS#8 knows.
    let pair = KeypairBytes {
        secret_key: seed,
        public_key: None,
    };
    let encoded = ed25519_dalek::pkcs8::EncodePrivateKey::to_pkcs8_pem(&pair, LineEnding::LF);
    let private = encoded.map_err(|error| CliError::Usage(error.to_string()))?;
    let public = key
        .verifying_key()
        .to_public_key_pem(LineEnding::LF)
        .map_err(|error| CliError::Usage(error.to_string()))?;
    let public_path = args.key.with_extension("pub.pem");
    write_new(&args.key, private.as_bytes(), 0o600)?;
    write_new(&public_path, public.as_bytes(), 0o644)?;
    writeln!(
        terminal.out,
        "private key  {}\npublic key   {}\nid           {}",
        args.key.display(),
        public_path.display(),
        public_key(&public_path)?.short()
    )?;
    Ok(Status::Good)
}

/// Signs a bundle, in its place.
///
/// # Errors
/// When the bundle or the key cannot be read, or the bundle cannot be written.
pub fn sign(args: &SignArgs, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let bundle = load_bundle(&args.bundle)?;
    let mut bytes = bundle.content().to_vec();
    let trailer = signature(&bytes, &args.key)?;
    bytes.extend(trailer);
    emit::write_atomically(&args.bundle, &bytes).map_err(|error| CliError::Write {
        path: args.bundle.clone(),
        error,
    })?;
    let signed = load_bundle(&args.bundle)?;
    let key = signed.signature().map(Signature::key).unwrap_or_default();
    writeln!(
        terminal.out,
        "{}: {} signed with key {key}",
        args.bundle.display(),
        bundle.id()
    )?;
    Ok(Status::Good)
}

/// Checks a bundle's signature.
///
/// # Errors
/// When the bundle or a key cannot be read. A signature that is missing or wrong is
/// [`Status::Problems`].
pub fn verify(args: &VerifyArgs, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let bundle = load_bundle(&args.bundle)?;
    let keys = args.key.iter().map(|path| public_key(path));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let path = args.bundle.display();
    match bundle.verify(&keys) {
        Ok(key) => {
            writeln!(
                terminal.out,
                "{path}: {} is signed with key {}",
                bundle.id(),
                key.short()
            )?;
            Ok(Status::Good)
        }
        Err(error) => {
            writeln!(terminal.err, "error: {path}: {error}")?;
            Ok(Status::Problems)
        }
    }
}

/// The signature of a bundle's content, as it stands behind it.
///
/// # Errors
/// When the content is no bundle, or the key cannot be read.
pub fn signature(content: &[u8], key: &Path) -> Result<Vec<u8>, CliError> {
    let key = private_key(key)?;
    let bundle =
        Bundle::load(content.to_vec()).map_err(|error| CliError::Usage(error.to_string()))?;
    let signature = key.sign(&bundle.signed_message());
    Ok(Signature::new(key.verifying_key().to_bytes(), signature.to_bytes()).to_bytes())
}

fn private_key(path: &Path) -> Result<SigningKey, CliError> {
    SigningKey::from_pkcs8_pem(&text(path)?).map_err(|_| CliError::Content {
        path: path.to_owned(),
        problem: "not an ed25519 private key in PKCS#8 PEM (`-----BEGIN PRIVATE KEY-----`)"
            .to_owned(),
    })
}

fn public_key(path: &Path) -> Result<PublicKey, CliError> {
    PublicKey::from_pem(&text(path)?).map_err(|error| CliError::Content {
        path: path.to_owned(),
        problem: error.to_string(),
    })
}

fn text(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|error| CliError::Read {
        path: path.to_owned(),
        error,
    })
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<(), CliError> {
    let write = || -> io::Result<()> {
        let mut file: File = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|error| CliError::Write {
        path: path.to_owned(),
        error,
    })
}
