//! The command line: what can be asked, and exit codes.
//!
//! Output goes to the writers of a [`Terminal`] (`terminal.rs`); `main.rs` passes the process's own.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::limits::GROUP_RULES_MAX_DEFAULT;
use crate::optimize::{Optimization, Optimizations};
use crate::pipeline::Options;
pub use crate::terminal::Terminal;
use crate::terminal::{CliError, Format, Status};
use crate::tools;
use crate::tools::compile::Verbosity;
use crate::tools::schema::SchemaOf;

/// Compiles rule text into bundles, and explains what a bundle does.
#[derive(Debug, Parser)]
#[command(
    name = "sallyport-rules",
    version,
    after_help = "Exit status: 0 all is well, 1 the answer is no (problems were found), 2 bad usage or a file could not be read or written, 3 undecided (diff)."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compile a ruleset into a bundle
    Compile {
        /// The ruleset file
        ruleset: PathBuf,
        /// Where the bundle goes; an old one there is replaced in one step
        #[arg(short, long, value_name = "RULES.spb")]
        output: PathBuf,
        /// Sign the bundle with this private key (ed25519, PKCS#8, PEM)
        #[arg(long, value_name = "KEY.pem")]
        sign: Option<PathBuf>,
        #[command(flatten)]
        options: CompileArgs,
    },
    /// Say what is wrong or doubtful in a ruleset, without writing anything
    Check {
        /// The ruleset file
        ruleset: PathBuf,
        #[command(flatten)]
        options: CompileArgs,
    },
    /// Print the JSON Schema of ruleset or group files, for editors
    Schema {
        /// Which files
        #[arg(default_value = "ruleset")]
        of: SchemaOf,
    },
    /// Show phase by phase what a bundle decides for a request
    Explain(Box<tools::explain::Args>),
    /// Explain a line of the access log: what each phase decided, and which conditions held
    Why(tools::why::Args),
    /// Run the unit tests of a policy
    Test(tools::test::Args),
    /// Say what is different between two rulesets, and which requests they decide differently
    Diff(tools::diff::Args),
    /// Decide logged requests again, and say which would be decided differently
    Replay(tools::replay::Args),
    /// Say how often each rule decided or alerted, and which never did
    Stats(tools::stats::Args),
    /// Make a key pair for signing bundles
    Keygen(tools::sign::KeygenArgs),
    /// Sign a bundle; a signature that it has is replaced
    Sign(tools::sign::SignArgs),
    /// Check that a bundle is signed with one of some keys
    Verify(tools::sign::VerifyArgs),
    /// Show what is inside a bundle
    Inspect {
        /// The bundle file
        bundle: PathBuf,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Turn other products' rules into a ruleset, with a report of every line
    #[command(subcommand)]
    Import(Box<tools::import::Format>),
}

#[derive(Debug, Args)]
struct CompileArgs {
    /// Most rules in one group, over its phases
    #[arg(long, value_name = "N", default_value_t = GROUP_RULES_MAX_DEFAULT)]
    max_group_rules: usize,
    /// What the proxy will do with TLS: warns of rules that see nothing in it
    #[arg(long, value_name = "MODE", default_value = "intercept")]
    tls: TlsMode,
    /// In JSON, take StringEquals ".example.com" over a domain for the names under example.com
    #[arg(long)]
    aws_suffix_equals: bool,
    /// Refuse rules whose patterns can take more steps than that for one request in a phase [default: none are refused]
    #[arg(long, value_name = "N")]
    max_steps: Option<u64>,
    /// Treat warnings as errors
    #[arg(long)]
    deny_warnings: bool,
    /// Leave out an optimization; may be given several times. The bundle decides the same
    #[arg(long, alias = "no-optimise", value_name = "NAME")]
    no_optimize: Vec<LeftOut>,
    /// Say nothing unless the ruleset is refused
    #[arg(short, long)]
    quiet: bool,
    /// How problems are said: for people, or one JSON object a line on standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LeftOut {
    /// Everything
    All,
    /// Dropping conditions and values that others imply
    Dedupe,
    /// Joining sets, ranges and networks
    MergeSets,
    /// Not looking for rules that are never reached
    Shadowed,
    /// Asking the cheapest conditions first
    Order,
}

impl LeftOut {
    const fn from(self, optimizations: Optimizations) -> Optimizations {
        match self {
            Self::All => Optimizations::NONE,
            Self::Dedupe => optimizations.without(Optimization::Dedupe),
            Self::MergeSets => optimizations.without(Optimization::MergeSets),
            Self::Shadowed => optimizations.without(Optimization::Shadowed),
            Self::Order => optimizations.without(Optimization::Order),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TlsMode {
    /// Tunnels are decrypted
    Intercept,
    /// Tunnels are not looked into
    Passthrough,
}

impl Cli {
    /// Carries out the command. The result is the exit code: 0 all is well, 1 problems were found,
    /// 2 bad usage or a file could not be read or written.
    pub fn run(self, terminal: &mut Terminal<'_>) -> u8 {
        match self.command.run(terminal) {
            Ok(Status::Good) => 0,
            Ok(Status::Problems) => 1,
            Ok(Status::Undecided) => 3,
            Err(error) => {
                // When the terminal is gone there is nobody left to tell.
                let _ = writeln!(terminal.err, "error: {error}");
                2
            }
        }
    }
}

impl Command {
    fn run(self, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
        match self {
            Self::Compile {
                ruleset,
                output,
                sign,
                options,
            } => {
                let verbosity = options.verbosity();
                let target = Some(tools::compile::Target {
                    path: &output,
                    key: sign.as_deref(),
                });
                tools::compile::run(&ruleset, target, &options.into(), verbosity, terminal)
            }
            Self::Check { ruleset, options } => {
                let verbosity = options.verbosity();
                tools::compile::run(&ruleset, None, &options.into(), verbosity, terminal)
            }
            Self::Schema { of } => tools::schema::run(of, terminal),
            Self::Explain(args) => tools::explain::run(&args, terminal),
            Self::Why(args) => tools::why::run(&args, terminal),
            Self::Test(args) => tools::test::run(&args, terminal),
            Self::Diff(args) => tools::diff::run(&args, terminal),
            Self::Replay(args) => tools::replay::run(&args, terminal),
            Self::Stats(args) => tools::stats::run(&args, terminal),
            Self::Keygen(args) => tools::sign::keygen(&args, terminal),
            Self::Sign(args) => tools::sign::sign(&args, terminal),
            Self::Verify(args) => tools::sign::verify(&args, terminal),
            Self::Inspect { bundle, json } => tools::inspect::run(&bundle, json, terminal),
            Self::Import(format) => tools::import::run(&format, terminal),
        }
    }
}

impl CompileArgs {
    const fn verbosity(&self) -> Verbosity {
        Verbosity {
            quiet: self.quiet,
            format: self.format,
        }
    }
}

impl From<CompileArgs> for Options {
    fn from(args: CompileArgs) -> Self {
        Self {
            group_rules_max: args.max_group_rules,
            tls_passthrough: args.tls == TlsMode::Passthrough,
            deny_warnings: args.deny_warnings,
            steps_max: args.max_steps,
            aws_suffix_equals: args.aws_suffix_equals,
            optimizations: args
                .no_optimize
                .into_iter()
                .fold(Optimizations::ALL, |all, one| one.from(all)),
        }
    }
}
