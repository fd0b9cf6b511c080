//! The arguments of the `ca` commands, and where the clock is read for them.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::create::{self, Creation, KeyType};
use super::error::CaError;
use super::show;

/// Longest validity: dates of certificates end with the year 9999.
const DAYS_MAX: i64 = 36_500;

/// Make a certificate authority for TLS interception, show it, or have it signed by another.
#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Make one that is its own root, for trials: DIR/ca.pem and DIR/ca.key.
    Init {
        /// What to make.
        #[command(flatten)]
        creation: CreationArguments,
        /// How long it is valid.
        #[arg(long, value_name = "DAYS", default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=DAYS_MAX))]
        days: u32,
    },
    /// Show what a certificate is, and how each kind of client comes to trust it.
    Show {
        /// The certificate of the authority.
        #[arg(value_name = "CA.PEM")]
        certificate: PathBuf,
        /// Print the certificate of its root in PEM instead: what clients are to trust.
        #[arg(long)]
        root: bool,
    },
    /// Make a key and a request to sign it, so that it becomes a subordinate of your own root:
    /// DIR/ca.key and DIR/ca.csr.
    SignRequest {
        /// What to make.
        #[command(flatten)]
        creation: CreationArguments,
    },
}

/// What `init` and `sign-request` have in common.
#[derive(Debug, Args)]
pub(crate) struct CreationArguments {
    /// Folder for the files. Nothing in it is overwritten.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Kind of key.
    #[arg(long, value_enum, default_value_t = KeyType::P256)]
    key_type: KeyType,
    /// Common name. Default: one with the date and a random part.
    #[arg(long, value_name = "NAME", value_parser = common_name)]
    name: Option<String>,
}

impl CaCommand {
    /// Does it and returns what to tell.
    ///
    /// # Errors
    /// See [`CaError`].
    pub(crate) fn run(self) -> Result<String, CaError> {
        let now = Timestamp::now();
        match self {
            Self::Init { creation, days } => create::init(&creation.into(), days, now),
            Self::Show {
                certificate,
                root: false,
            } => show::show(&certificate, now),
            Self::Show {
                certificate,
                root: true,
            } => show::show_root(&certificate),
            Self::SignRequest { creation } => create::sign_request(&creation.into(), now),
        }
    }
}

impl From<CreationArguments> for Creation {
    fn from(arguments: CreationArguments) -> Self {
        Self {
            folder: arguments.out,
            key_type: arguments.key_type,
            name: arguments.name,
        }
    }
}

/// RFC 5280 appendix A: 1 to 64 characters.
fn common_name(text: &str) -> Result<String, String> {
    let is_fit = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if is_fit {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 64 printable characters".to_owned())
    }
}
