//! The arguments of these commands.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::{SpanRelativeTo, Timestamp};

use super::error::AccountError;
use super::secret_input::read_password;
use super::tokens::{self, NewToken};
use super::users;

/// Add and remove users of a file for `auth.users`.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user, or give one another password: it is asked for, or is the first line of standard input.
    Add {
        /// The user, without a colon.
        name: String,
        /// The file; made if it is not there.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Remove a user.
    Remove {
        /// The user.
        name: String,
        /// The file.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}

/// Add tokens to a file for `auth.tokens`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Draw a token, add its digest to the file, and print the token, which is kept nowhere.
    Add {
        /// Whose it is: `request:Principal`.
        name: String,
        /// The file; made if it is not there.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// `request:SourceLabel/NAME`.
        #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
        labels: Vec<(String, String)>,
        /// When it ends: a moment (`2027-01-01T00:00:00Z`), or how long it lasts (`90d`).
        #[arg(long, value_name = "WHEN", value_parser = expiry)]
        expires: Option<Timestamp>,
    },
}

/// Print the hash of a password, as a line of a file for `auth.users` has it behind the colon.
#[derive(Debug, Args)]
pub(crate) struct HashCommand {}

impl UserCommand {
    /// Does it and returns what to tell.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub(crate) fn run(self) -> Result<String, AccountError> {
        match self {
            Self::Add { name, file } => {
                users::check_name(&name)?;
                let password = read_password()?;
                users::add(&file, &name, &password)
            }
            Self::Remove { name, file } => users::remove(&file, &name),
        }
    }
}

impl TokenCommand {
    /// Does it and returns the token.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub(crate) fn run(self) -> Result<String, AccountError> {
        let Self::Add {
            name,
            file,
            labels,
            expires,
        } = self;
        tokens::add(
            &file,
            &NewToken {
                name,
                labels,
                expires,
            },
        )
    }
}

impl HashCommand {
    /// Returns the hash.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub(crate) fn run(self) -> Result<String, AccountError> {
        users::hash(&read_password()?)
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn expiry(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let expected = "expected a moment such as 2027-01-01T00:00:00Z, or a time such as 90d";
    let span: jiff::Span = text.parse().map_err(|_| expected)?;
    let lasting = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| expected)?;
    Timestamp::now()
        .checked_add(lasting)
        .map_err(|_| "beyond what dates can say".to_owned())
}
