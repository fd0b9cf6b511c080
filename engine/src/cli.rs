//! The command line.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::accounts::{HashCommand, TokenCommand, UserCommand};
use crate::ca::CaCommand;
use crate::demo;
use crate::messages::complain;
use crate::process::{self, RunError, RunOptions};

/// An egress forward proxy that decides in three phases what may leave.
#[derive(Debug, Parser)]
#[command(
    name = "sallyport",
    version,
    about,
    after_help = "Exit status: 0 all is well, 1 it cannot run with what it was given, 2 bad usage or a file could not be read or written."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy until SIGTERM (SIGHUP reloads, SIGUSR1 reopens the access log).
    Run(Files),
    /// Do all of start-up but listening: verify configuration and ruleset.
    Check(Files),
    /// Show what it does: rules, an origin and a proxy on loopback, no set-up needed.
    Demo(DemoArguments),
    /// Make a certificate authority for TLS interception, show it, or have it signed by another.
    #[command(subcommand)]
    Ca(CaCommand),
    /// Add and remove users of a file for `auth.users`.
    #[command(subcommand)]
    User(UserCommand),
    /// Add tokens to a file for `auth.tokens`.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Print the hash of a password, which is asked for, or is the first line of standard input.
    Hash(HashCommand),
}

#[derive(Debug, Args)]
struct Files {
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Compiled ruleset, instead of `ruleset` in the configuration.
    #[arg(long, value_name = "FILE")]
    ruleset: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct DemoArguments {
    /// End after the tour instead of staying up for requests by hand.
    #[arg(long)]
    once: bool,
}

/// Why the program ends otherwise than well; `docs/exit-status.md` lists the numbers.
enum Ending {
    /// What was asked for does not hold.
    No(String),
    /// It could not be done: a file cannot be read or written. Wrong usage is told by clap.
    Impossible(String),
}

impl Ending {
    fn no(error: impl ToString) -> Self {
        Self::No(error.to_string())
    }

    fn impossible(error: impl ToString) -> Self {
        Self::Impossible(error.to_string())
    }
}

impl From<RunError> for Ending {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Unreadable(_) => Self::impossible(error),
            _ => Self::no(error),
        }
    }
}

impl From<Files> for RunOptions {
    fn from(files: Files) -> Self {
        Self {
            config: files.config,
            ruleset: files.ruleset,
        }
    }
}

/// Runs the program. The exit status is that of `docs/exit-status.md`, after saying why on standard error.
#[must_use]
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(files) => process::run(&files.into()).map_err(Ending::from),
        Command::Check(files) => process::check(&files.into())
            .map_err(Ending::from)
            .and_then(|summary| say(&summary)),
        Command::Ca(command) => command
            .run()
            .map_err(Ending::impossible)
            .and_then(|text| say(&text)),
        Command::User(command) => said(command.run()),
        Command::Token(command) => said(command.run()),
        Command::Hash(command) => said(command.run()),
        Command::Demo(arguments) => demo::run(arguments.once).map_err(Ending::no),
    };
    let (message, status) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Ending::No(message)) => (message, 1),
        Err(Ending::Impossible(message)) => (message, 2),
    };
    complain(&message);
    ExitCode::from(status)
}

/// Tells what a command has done.
fn said(outcome: Result<String, impl ToString>) -> Result<(), Ending> {
    outcome
        .map_err(Ending::impossible)
        .and_then(|text| say(&text))
}

/// Prints to standard output. A reader that has seen enough (`| head`) is no error.
fn say(text: &str) -> Result<(), Ending> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let message = format!("cannot write to standard output: {error}");
            Err(Ending::Impossible(message))
        }
        _ => Ok(()),
    }
}
