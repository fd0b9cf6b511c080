//! What a person types. Only shapes and words; `plan` judges whether it makes sense.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::net::affinity::CpuList;

/// Measures a proxy (or an origin) honestly, and is a fast test origin.
#[derive(Debug, Parser)]
#[command(name = "sallyport-load", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The two halves of the program.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A fast test origin whose behavior is chosen by path and query.
    Origin(OriginArgs),
    /// Sends requests, checks every response, reports rates, latencies and errors.
    Run(Box<RunArgs>),
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
  corrupt=1                  flips one bit in the middle of the body";

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
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) freeze: Option<Duration>,
    /// How often to freeze.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1s")]
    pub(crate) freeze_every: Duration,
}

/// `sallyport-load run`
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Forward proxy to go through; straight to the origin without it.
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// What to ask for; repeatable, taken in turn. A URL given twice is asked for twice as often.
    #[arg(long, value_name = "URL", required = true)]
    pub(crate) url: Vec<String>,
    /// Use a CONNECT tunnel for http URLs too (https URLs through a proxy always do).
    #[arg(long, requires = "proxy")]
    pub(crate) connect: bool,
    /// A fresh connection (and tunnel) for each request.
    #[arg(long)]
    pub(crate) new_connections: bool,

    /// Connections held open, over all threads.
    #[arg(long, short = 'c', default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) connections: u32,
    /// Event-loop threads.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: u16,
    /// CPUs to pin the threads to, as in `1` or `0,2-3`.
    #[arg(long, value_name = "CPUS")]
    pub(crate) pin: Option<CpuList>,

    /// Length of the measured window, after the warm-up [default: 10s, or none with --requests].
    #[arg(long, short = 'd', value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Load before the window that counts for nothing.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "0s")]
    pub(crate) warmup: Duration,
    /// Stop after this many requests in the window.
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) requests: Option<u64>,
    /// Open loop: this many requests a second in total, whatever the answers do. Latency counts
    /// from the intended send time. Without it the loop is closed: a connection asks again as soon
    /// as it was answered.
    #[arg(long, short = 'r', value_name = "N")]
    pub(crate) rate: Option<f64>,
    /// A request (with connecting) that takes longer is an error.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    pub(crate) timeout: Duration,

    /// Request method.
    #[arg(long, short = 'X', default_value = "GET")]
    pub(crate) method: String,
    /// Send a request body of this many bytes.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) body_bytes: u32,
    /// Extra request header; repeatable.
    #[arg(long, short = 'H', value_name = "K: V")]
    pub(crate) header: Vec<String>,
    /// Local address to connect from; repeatable, taken in turn. More addresses, more ports.
    #[arg(long, value_name = "IP")]
    pub(crate) source: Vec<IpAddr>,
    /// Address to use for a host and port instead of asking the resolver; repeatable.
    #[arg(long, value_name = "HOST:PORT:ADDR")]
    pub(crate) resolve: Vec<String>,

    /// Status every response must have.
    #[arg(long, value_name = "CODE", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=599))]
    pub(crate) expect_status: u16,
    /// Body length every response must have.
    #[arg(long, value_name = "N")]
    pub(crate) expect_bytes: Option<u64>,
    /// Do not compare the bodies of `/bytes/N` with what the origin sends.
    #[arg(long)]
    pub(crate) no_body_check: bool,

    /// Accept any server certificate.
    #[arg(long, conflicts_with = "cacert")]
    pub(crate) insecure: bool,
    /// Certificate authorities to trust for https (PEM).
    #[arg(long, value_name = "PEM")]
    pub(crate) cacert: Option<PathBuf>,
    /// A full TLS handshake each time: no resumption.
    #[arg(long)]
    pub(crate) no_resumption: bool,

    /// Report CPU time and memory of this process and its children; repeatable.
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Vec<i32>,
    /// Report as JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `5s`, `250ms`, `80us`, `2m`, `1.5s`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits_end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits_end);
    let number: f64 = number
        .parse()
        .map_err(|_| format!("`{text}` is not a time such as 5s"))?;
    let scale = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err(format!("`{unit}` is not a unit: us, ms, s, m or h")),
    };
    Duration::try_from_secs_f64(number * scale).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations() {
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("80us"), Ok(Duration::from_micros(80)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "s", "5x", "-1s", "1.2.3s", "1e400"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
