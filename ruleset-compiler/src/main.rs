//! Compiles rule text into bundles, and explains what a bundle does.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use sallyport_rules::cli::{Cli, Terminal};
use sallyport_rules::diagnostic::Colors;

fn main() -> ExitCode {
    // Bad usage ends here, with status 2.
    let cli = Cli::parse();
    let is_watched = io::stderr().is_terminal();
    let colored = is_watched && std::env::var_os("NO_COLOR").is_none();
    let mut terminal = Terminal {
        out: &mut io::stdout().lock(),
        // Not locked: a progress bar is drawn there from a thread of its own.
        err: &mut io::stderr(),
        is_watched,
        colors: if colored { Colors::ANSI } else { Colors::NONE },
    };
    ExitCode::from(cli.run(&mut terminal))
}
