//! What a person types. Only shapes and words; `plan` judges whether it makes sense.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::net::affinity::CpuList;
use crate::plan::defaults;
use crate::plan::file::{HttpVersion, Scenario};
use crate::plan::period::{self, Octets};
use crate::report::Threshold;

/// Measures a proxy (or an origin) honestly, and is a fast test origin.
#[derive(Debug, Parser)]
#[command(
    name = "sallyport-load",
    version,
    about,
    max_term_width = 100,
    after_help = "Exit status: 0 done, 1 the answer is no (nothing answered, no rate passes, --fail-on), \
                  2 bad usage or a file could not be read or written, 3 undecided: the meter fell behind."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Reads a command line; its `--help` tells the defaults.
    ///
    /// # Errors
    /// What clap says, help and version included.
    pub(crate) fn read<T: Into<OsString> + Clone>(
        line: impl IntoIterator<Item = T>,
    ) -> Result<Self, clap::Error> {
        let matches = defaults::told(Self::command()).try_get_matches_from(line)?;
        Self::from_arg_matches(&matches)
    }
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A fast test origin whose behavior is chosen by path and query.
    Origin(OriginArgs),
    /// Sends requests, checks every response, reports rates, latencies and errors.
    Run(Box<RunArgs>),
    /// Finds the highest rate at which a percentile of latency stays under a target.
    Search(Box<SearchArgs>),
    /// Measures the meter itself: the same plan against its own origin, without a proxy.
    Ceiling(Box<CeilingArgs>),
    /// Says whether repeated runs differ from others.
    Compare(CompareArgs),
    /// Renders a JSON report again, in other forms.
    Report(ReportArgs),
}

#[cfg(test)]
impl Command {
    /// What is to be sent, if anything is.
    pub(crate) fn plan(&self) -> Option<&PlanArgs> {
        match self {
            Self::Run(args) => Some(&args.plan),
            Self::Search(args) => Some(&args.plan),
            Self::Ceiling(args) => Some(&args.plan),
            Self::Origin(_) | Self::Compare(_) | Self::Report(_) => None,
        }
    }
}

const ORIGIN_BEHAVIORS: &str = "\
Paths:
  /               a small body
  /bytes/N        N bytes of fixed content (`run` checks each one)
  /echo           JSON of the request as received: method, target, version, headers, body
  /echo?raw=1     the request head as received, byte for byte, then its decoded body
  /count          JSON: connections, requests so far
  /stall          never answers
  anything else   as /

Query, on every path, combined with `&`:
  delay=MS                   waits before the response
  status=CODE                response status, 200-599
  chunked=1, chunk=N         chunked framing, N bytes a chunk (default 4096)
  close=before|head|body|after   closes without an answer; after half the head; after half the
                             body; after a full response that did not announce it
  reset=1                    resets the connection instead of closing (default: before the answer)
  trickle=MS, piece=N        sends N body bytes (default 1) every MS
  type=MIME                  Content-Type
  header=K:V                 adds a header (repeatable, percent-encoded)
  trailer=K:V                adds a trailer (implies chunked; repeatable)
  interim=CODE               sends a 1xx response first
  corrupt=1                  flips one bit in the middle of the body
  digest=1                   adds Content-Digest with the CRC-32C of the body

A request with a body is answered with X-Received: its length and CRC-32C. With --tls, HTTP/2 is
spoken to those who offer it; there close= and reset= reset the stream, chunked= does nothing.";

/// `sallyport-load origin`
#[derive(Debug, Args)]
#[command(after_help = ORIGIN_BEHAVIORS)]
pub(crate) struct OriginArgs {
    /// Address to listen on; port 0 takes a free one. Printed on stdout when ready.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Serve TLS with this certificate chain and key (PEM).
    #[arg(long, num_args = 2, value_names = ["CERT", "KEY"])]
    pub(crate) tls: Option<Vec<PathBuf>>,
    /// Event-loop threads.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: u16,
    /// CPUs to pin the threads to, as in `1` or `0,2-3`.
    #[arg(long, value_name = "CPUS")]
    pub(crate) pin: Option<CpuList>,
    /// Freeze every thread for this long each `--freeze-every`: an origin that stalls.
    #[arg(long, value_name = "TIME", value_parser = period::parse_flag)]
    pub(crate) freeze: Option<Duration>,
    /// How often to freeze.
    #[arg(long, value_name = "TIME", value_parser = period::parse_flag, default_value = "1s")]
    pub(crate) freeze_every: Duration,
}

/// What is to be sent: a plan file, flags, or both (a flag overrides the file).
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// A plan as TOML; every flag below overrides its key.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// What the run is called in reports.
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// What is done.
    #[arg(long, value_enum)]
    pub(crate) scenario: Option<Scenario>,

    /// What to ask for; the same as --url.
    #[arg(value_name = "URL")]
    pub(crate) target: Vec<String>,
    /// Forward proxy to go through; straight to the origin without it.
    #[arg(long, short = 'x', value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// What to ask for; repeatable, taken in turn. A URL given twice is asked for twice as often.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Vec<String>,
    /// Use a CONNECT tunnel for http URLs too (https URLs through a proxy always do).
    #[arg(long)]
    pub(crate) connect: bool,
    /// Version of HTTP: 1.1, or 2 over TLS.
    #[arg(long, value_name = "VERSION")]
    pub(crate) http: Option<HttpVersion>,
    /// HTTP/2: requests at a time on each connection.
    #[arg(long, value_name = "N")]
    pub(crate) streams: Option<u32>,
    /// A fresh connection (and tunnel) for each request.
    #[arg(long)]
    pub(crate) new_connections: bool,
    /// Requests a connection carries before it is closed.
    #[arg(long, value_name = "N")]
    pub(crate) keep_alive: Option<u64>,
    /// Rest between an answer and the next request of a closed loop.
    #[arg(long, value_name = "TIME", value_parser = period::parse_flag)]
    pub(crate) think_time: Option<Duration>,

    /// Connections held open, over all threads.
    #[arg(long, short = 'c', value_name = "N")]
    pub(crate) connections: Option<u32>,
    /// Event-loop threads.
    #[arg(long, short = 't', value_name = "N")]
    pub(crate) threads: Option<u16>,
    /// CPUs to pin the threads to, as in `1` or `0,2-3`.
    #[arg(long, value_name = "CPUS")]
    pub(crate) pin: Option<CpuList>,

    /// Length of the measured window, after the warm-up.
    #[arg(long, short = 'd', visible_short_alias = 'z', value_name = "TIME", value_parser = period::parse_flag)]
    pub(crate) duration: Option<Duration>,
    /// Load before the window that counts for nothing.
    #[arg(long, value_name = "TIME", value_parser = period::parse_flag)]
    pub(crate) warmup: Option<Duration>,
    /// Stop after this many requests in the window.
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) requests: Option<u64>,
    /// Open loop: this many requests a second in total, whatever the answers do. Latency counts
    /// from the intended send time. Without it the loop is closed: a connection asks again as soon
    /// as it was answered.
    #[arg(long, short = 'r', visible_short_alias = 'R', value_name = "N")]
    pub(crate) rate: Option<f64>,
    /// The open loop's requests leave at random moments, as those of many users do.
    #[arg(long)]
    pub(crate) poisson: bool,
    /// A request (with connecting) that takes longer is an error.
    #[arg(long, value_name = "TIME", value_parser = period::parse_flag)]
    pub(crate) timeout: Option<Duration>,
    /// Seed of all that is drawn by chance.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Request method; POST with --body-file.
    #[arg(long, short = 'X', visible_short_alias = 'm')]
    pub(crate) method: Option<String>,
    /// Send a request body of this many bytes.
    #[arg(long, value_name = "SIZE", value_parser = period::parse_size, conflicts_with = "body_file")]
    pub(crate) body_bytes: Option<Octets>,
    /// Send what is in this file.
    #[arg(long, short = 'D', value_name = "FILE")]
    pub(crate) body_file: Option<PathBuf>,
    /// Extra request header; repeatable.
    #[arg(long, short = 'H', value_name = "K: V")]
    pub(crate) header: Vec<String>,
    /// Local address to connect from; repeatable, taken in turn. More addresses, more ports.
    #[arg(long, value_name = "IP")]
    pub(crate) source: Vec<IpAddr>,
    /// Announce made-up client addresses of this range by PROXY protocol version 2.
    #[arg(long, value_name = "CIDR")]
    pub(crate) proxy_protocol: Option<ipnet::IpNet>,
    /// VPC endpoint id to announce with them; repeatable, taken in turn.
    #[arg(long, value_name = "ID", requires = "proxy_protocol")]
    pub(crate) vpce: Vec<String>,
    /// Address to use for a host (or `*`) and port instead of asking the resolver; repeatable.
    #[arg(long, value_name = "HOST:PORT:ADDR")]
    pub(crate) resolve: Vec<String>,

    /// Status every response must have.
    #[arg(long, value_name = "CODE")]
    pub(crate) expect_status: Option<u16>,
    /// Body length every response must have.
    #[arg(long, value_name = "SIZE", value_parser = period::parse_size)]
    pub(crate) expect_bytes: Option<Octets>,
    /// CRC-32C every body must have, eight hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    pub(crate) expect_crc32c: Option<String>,
    /// Do not compare the bodies of `/bytes/N` with what the origin sends.
    #[arg(long)]
    pub(crate) no_body_check: bool,

    /// Accept any server certificate.
    #[arg(long, short = 'k', conflicts_with = "cacert")]
    pub(crate) insecure: bool,
    /// Certificate authorities to trust for https (PEM); a proxy's, if it intercepts.
    #[arg(long, value_name = "PEM")]
    pub(crate) cacert: Option<PathBuf>,
    /// A full TLS handshake each time: no resumption.
    #[arg(long)]
    pub(crate) no_resumption: bool,

    /// Report CPU time and memory of this process and its children; repeatable.
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Vec<i32>,
}

/// Where reports go.
#[derive(Debug, Default, Args)]
pub(crate) struct OutputArgs {
    /// Report as JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Also write the report as JSON to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json_file: Option<PathBuf>,
    /// Also write one self-contained HTML page.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Also write the percentile distribution as HdrHistogram's plotters read it.
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,
    /// Also write an HdrHistogram interval log.
    #[arg(long, value_name = "FILE")]
    pub(crate) hlog: Option<PathBuf>,
}

/// What a run must not show.
#[derive(Debug, Default, Args)]
pub(crate) struct ThresholdArgs {
    /// Exit with status 1 if this holds: `p99>50ms`, `errors>0.1%`, `rate<1000`; repeatable. Figures:
    /// any percentile, mean, max (of latency), setup.p99 and so on, errors, rate.
    #[arg(long, value_name = "CONDITION")]
    pub(crate) fail_on: Vec<Threshold>,
}

/// `sallyport-load run`
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) thresholds: ThresholdArgs,
    /// Measure the meter's own ceiling first (for a second) and hold the result against it.
    #[arg(long)]
    pub(crate) ceiling: bool,
    /// Show no progress on the terminal.
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,
}

/// `sallyport-load search`
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    /// What this percentile of latency must stay below.
    #[arg(long, value_name = "TIME", value_parser = period::parse_flag)]
    pub(crate) below: Duration,
    /// Which percentile.
    #[arg(long, value_name = "PERCENT", default_value_t = 99.9)]
    pub(crate) percentile: f64,
    /// Rate to begin with.
    #[arg(long, value_name = "N", default_value_t = 1_000.0)]
    pub(crate) from: f64,
    /// Highest rate to try.
    #[arg(long, value_name = "N", default_value_t = 1_000_000.0)]
    pub(crate) to: f64,
    /// How close the rates that pass and fail must come, as a share.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub(crate) precision: f64,
    /// Runs at each rate, of which the majority decides.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) repeats: u32,
    /// Share of requests that may fail.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) errors: f64,
    /// Report as JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Also write the report as JSON to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json_file: Option<PathBuf>,
    /// Also write one self-contained HTML page.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Show no steps and no progress on the terminal.
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,
}

/// `sallyport-load ceiling`
#[derive(Debug, Args)]
pub(crate) struct CeilingArgs {
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    /// CPUs of the origin that is started for it.
    #[arg(long, value_name = "CPUS")]
    pub(crate) origin_pin: Option<CpuList>,
    /// Report as JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Show no progress on the terminal.
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,
}

/// `sallyport-load compare`
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Reports of the first subject: a file with one or more, or a folder of `.json` files.
    #[arg(value_name = "A")]
    pub(crate) a: PathBuf,
    /// Reports of the second.
    #[arg(value_name = "B")]
    pub(crate) b: PathBuf,
    /// How sure the intervals are.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    pub(crate) confidence: f64,
    /// Exit with status 3 if B is worse in any figure.
    #[arg(long)]
    pub(crate) fail_if_worse: bool,
    /// Report as JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `sallyport-load report`
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// A report as JSON.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) thresholds: ThresholdArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    const GUIDE: &str = include_str!("../../docs/loadgen.md");

    /// Field names of the structs in a source file.
    fn fields(source: &str) -> Vec<&str> {
        let lines = source.lines().map(str::trim);
        let named = lines.filter_map(|line| line.strip_prefix("pub(crate) ")?.split_once(": "));
        named
            .map(|(name, _)| name)
            .filter(|name| {
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || b"_0123456789".contains(&byte))
            })
            .collect()
    }

    #[test]
    fn every_flag_is_in_the_guide() {
        let command = Cli::command();
        let flags = command
            .get_subcommands()
            .flat_map(clap::Command::get_arguments);
        let missing: Vec<_> = flags
            .filter_map(clap::Arg::get_long)
            .filter(|long| *long != "help" && !GUIDE.contains(&format!("--{long}")))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_key_and_every_name_of_a_report_is_in_the_guide() {
        let plan = include_str!("plan/file.rs");
        let report = include_str!("report/json.rs");
        let names = [fields(plan), fields(report)].concat();
        assert!(names.len() > 100, "{names:?}");
        let missing: Vec<_> = names
            .iter()
            .filter(|name| !GUIDE.contains(**name))
            .collect();
        // These are written with their common beginning once.
        let known = [
            "schedule_lag_us_p50",
            "schedule_lag_us_p99",
            "schedule_lag_us_p99_9",
            "schedule_lag_us_max",
            "loop_busy_us_p99_9",
            "loop_busy_us_max",
        ];
        let missing: Vec<_> = missing
            .into_iter()
            .filter(|name| !known.contains(name))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
