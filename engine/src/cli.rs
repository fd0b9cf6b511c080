//! The command line.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::ca::CaCommand;
use crate::demo;
use crate::messages::complain;
use crate::run::{self, RunOptions};

/// An egress forward proxy that decides in three phases what may leave.
#[derive(Debug, Parser)]
#[command(name = "sallyport", version, about)]
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

impl From<Files> for RunOptions {
    fn from(files: Files) -> Self {
        Self {
            config: files.config,
            ruleset: files.ruleset,
        }
    }
}

/// Runs the program; the exit code is 0, or 1 after saying why on standard error.
#[must_use]
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(files) => run::run(&files.into()).map_err(|error| error.to_string()),
        Command::Check(files) => run::check(&files.into())
            .map_err(|error| error.to_string())
            .and_then(|summary| say(&summary)),
        Command::Ca(command) => command
            .run()
            .map_err(|error| error.to_string())
            .and_then(|text| say(&text)),
        Command::Demo(arguments) => demo::run(arguments.once).map_err(|error| error.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

/// Prints to standard output. A reader that has seen enough (`| head`) is no error.
fn say(text: &str) -> Result<(), String> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}
