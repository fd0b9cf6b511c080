//! `sallyport-load`: measures a proxy honestly; and a fast test origin.
//!
//! The rooms, in reading order: `cli` is what a person types; `plan` turns it into what is to be
//! sent; `run` carries it out: `worker` sends it and times the answers, `histogram` keeps the times;
//! `report` judges whether the meter itself was honest and prints. `origin` is the server at the far end. `net`,
//! `http` and `http2` are what both ends stand on. Nothing here is shared with the proxy: a framing fault
//! that meter and subject had in common would be invisible.

#![forbid(unsafe_code)]

mod cli;
mod error;
mod histogram;
mod http;
mod http2;
mod net;
mod origin;
mod pattern;
mod plan;
mod report;
mod run;
mod status;
mod worker;

use std::process::ExitCode;

use status::Status;

fn main() -> ExitCode {
    let command = cli::Cli::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let outcome = match command.command {
        cli::Command::Origin(args) => origin::server::run(&args).map(|()| Status::Holds),
        cli::Command::Run(args) => run::once(&args),
        cli::Command::Search(args) => run::search(&args),
        cli::Command::Ceiling(args) => run::ceiling(&args),
        cli::Command::Compare(args) => report::compare(&args),
        cli::Command::Report(args) => report::again(&args),
    };
    let status = outcome.unwrap_or_else(|error| {
        // A plan may have many problems, each a line.
        for line in error.to_string().lines() {
            eprintln!("sallyport-load: {line}");
        }
        Status::Impossible
    });
    status.into()
}
