//! The OpenSSL command line in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::programs;

/// A folder in which OpenSSL makes keys and certificates.
pub(crate) struct OpenSsl {
    program: PathBuf,
    folder: TempDir,
}

impl OpenSsl {
    /// `None`, said aloud, if it is not installed.
    pub(crate) fn find() -> Option<Self> {
        let program = programs::system("openssl")?;
        let folder = tempfile::tempdir().unwrap();
        Some(Self { program, folder })
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Runs a command line, words divided by spaces; a word in `'…'` may hold some.
    pub(crate) fn run(&self, line: &str) {
        let output = self.output(line);
        assert!(
            output.status.success(),
            "openssl {line}\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The same, whatever comes of it.
    pub(crate) fn output(&self, line: &str) -> Output {
        let mut command = Command::new(&self.program);
        for (index, part) in line.split('\'').enumerate() {
            if index % 2 == 1 {
                command.arg(part);
            } else {
                command.args(part.split_whitespace());
            }
        }
        command.current_dir(self.folder.path());
        command.output().unwrap()
    }

    /// Makes `NAME.key` and `NAME.pem`, an authority that is its own root.
    pub(crate) fn root(&self, name: &str, key: &str) {
        self.run(&format!("genpkey {key} -out {name}.key"));
        self.run(&format!(
            "req -x509 -new -key {name}.key -subj /CN={name} -days 100 -out {name}.pem \
             -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign"
        ));
    }

    /// Makes `NAME.key` and `NAME.pem`, signed by `issuer` with the extensions (a line each) and
    /// further options of `openssl x509 -req`.
    pub(crate) fn sign(
        &self,
        name: &str,
        key: &str,
        issuer: &str,
        extensions: &str,
        options: &str,
    ) {
        self.run(&format!("genpkey {key} -out {name}.key"));
        self.run(&format!(
            "req -new -key {name}.key -subj /CN={name} -out {name}.csr"
        ));
        self.write(&format!("{name}.ext"), extensions);
        let extensions = if extensions.is_empty() {
            String::new()
        } else {
            format!("-extfile {name}.ext")
        };
        self.run(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -days 90 \
             {extensions} {options} -out {name}.pem"
        ));
    }
}

/// Kinds of keys, as `openssl genpkey` has them.
pub(crate) const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
pub(crate) const P384: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-384";
pub(crate) const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
pub(crate) const RSA_1024: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:1024";
