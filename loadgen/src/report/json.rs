//! The report as data. Names are stable: scripts rely on them (`docs/loadgen.md` lists them).
//! Units stand at the end of a name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use crate::histogram::merge::Summary;

/// Version of this shape; a new name does not change it, a changed or lost one does.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// Everything a run found out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) schema_version: u32,
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// `requests`, `bulk`, `handshakes` or `hold`.
    #[serde(default)]
    pub(crate) scenario: String,
    /// `closed` or `open`.
    pub(crate) mode: String,
    pub(crate) urls: Vec<String>,
    pub(crate) proxy: Option<String>,
    pub(crate) tunnel: bool,
    /// `1.1` or `2`
    #[serde(default)]
    pub(crate) http: String,
    pub(crate) new_connections: bool,
    pub(crate) connections: usize,
    /// Requests at a time on one connection.
    #[serde(default)]
    pub(crate) streams: usize,
    pub(crate) threads: usize,
    /// Intended rate of an open loop; its mean, if it changes.
    pub(crate) rate_intended: Option<f64>,
    pub(crate) warmup_s: f64,
    /// Length of the measured window.
    pub(crate) duration_s: f64,
    /// Good responses completed in the window.
    pub(crate) requests_total: u64,
    pub(crate) requests_per_second: f64,
    pub(crate) body_bytes_total: u64,
    pub(crate) body_bytes_per_second: f64,
    /// Octets of request bodies, which are not in the two above.
    #[serde(default)]
    pub(crate) sent_body_bytes_total: u64,
    pub(crate) connections_opened_total: u64,
    pub(crate) errors_total: u64,
    /// Requests were sent, and not one was answered as it should.
    #[serde(default)]
    pub(crate) nothing_answered: bool,
    /// Count of each kind.
    pub(crate) errors: BTreeMap<String, u64>,
    /// What the first of each kind said.
    pub(crate) error_examples: BTreeMap<String, String>,
    /// Of requests that started, or should have, in the window.
    pub(crate) latency_us: Summary,
    /// Of setting up connections: TCP, tunnel, TLS.
    pub(crate) connection_setup_us: Summary,
    /// Slow clients, which are in no figure above.
    #[serde(default)]
    pub(crate) slow_clients: Option<SlowFigures>,
    /// Connections held open.
    #[serde(default)]
    pub(crate) hold: Option<HoldFigures>,
    /// The measured process, with `--pid`.
    pub(crate) process: Option<ProcessFigures>,
    pub(crate) meter: MeterFigures,
    pub(crate) machine: Machine,
    /// The whole distribution: HdrHistogram V2, deflated, base64; nanoseconds.
    #[serde(default)]
    pub(crate) latency_histogram: String,
    /// Length of an interval.
    #[serde(default)]
    pub(crate) interval_s: f64,
    /// The course of the window.
    #[serde(default)]
    pub(crate) intervals: Vec<IntervalFigures>,
}

/// One interval, by when requests ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct IntervalFigures {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) body_bytes: u64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p99_9_us: f64,
    pub(crate) max_us: f64,
    /// As `latency_histogram`.
    pub(crate) histogram: String,
}

/// Clients that trickle.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SlowFigures {
    pub(crate) requests_total: u64,
    pub(crate) errors_total: u64,
    pub(crate) errors: BTreeMap<String, u64>,
}

/// Connections that were set up and left alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HoldFigures {
    /// Open when the run ended.
    pub(crate) connections_held: u64,
    /// Memory of the measured process before the first and with the last of them.
    pub(crate) rss_bytes_before: Option<u64>,
    pub(crate) rss_bytes_held: Option<u64>,
    pub(crate) rss_bytes_per_connection: Option<f64>,
}

/// What the processes given with `--pid`, and their children, used in the window.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ProcessFigures {
    pub(crate) pids: Vec<i32>,
    /// User and system time.
    pub(crate) cpu_us: f64,
    pub(crate) cpu_user_us: f64,
    pub(crate) cpu_system_us: f64,
    pub(crate) cpu_us_per_request: Option<f64>,
    /// CPU seconds for each GiB of bodies, either way.
    #[serde(default)]
    pub(crate) cpu_s_per_gib: Option<f64>,
    /// CPU time by wall time: 1.0 is one core.
    pub(crate) cpu_ratio: f64,
    /// Resident memory at the end, and the most that was seen.
    pub(crate) rss_bytes: u64,
    #[serde(default)]
    pub(crate) rss_bytes_max: u64,
}

/// How the meter itself fared.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct MeterFigures {
    /// The figures above do not describe the subject.
    pub(crate) void: bool,
    /// Why, in words.
    pub(crate) void_reasons: Vec<String>,
    /// The meter could do less than twice what was measured.
    pub(crate) bound: bool,
    pub(crate) warnings: Vec<String>,
    /// Requests a second against the meter's own origin, with `--ceiling`.
    #[serde(default)]
    pub(crate) ceiling_per_second: Option<f64>,
    /// CPU and run-queue time by wall time of the busiest thread: 1.0 has nothing left.
    pub(crate) busy_ratio_max: f64,
    pub(crate) cpu_us_per_request: Option<f64>,
    pub(crate) schedule_lag_us_p50: f64,
    pub(crate) schedule_lag_us_p99: f64,
    pub(crate) schedule_lag_us_p99_9: f64,
    pub(crate) schedule_lag_us_max: f64,
    pub(crate) loop_busy_us_p99_9: f64,
    pub(crate) loop_busy_us_max: f64,
}

/// Errors that a meter which falls behind can cause itself: what it sent too late, and what it kept
/// open without noticing.
const ERRORS_OF_LATENESS: [&str; 3] = ["stale_connection", "timeout", "unsent"];

impl Report {
    /// Errors that no lateness of the meter causes.
    pub(crate) fn errors_beyond_lateness(&self) -> u64 {
        let count = |kind: &&str| self.errors.get(*kind).copied().unwrap_or(0);
        let of_lateness: u64 = ERRORS_OF_LATENESS.iter().map(count).sum();
        self.errors_total.saturating_sub(of_lateness)
    }

    /// One JSON object, indented.
    pub(super) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}
