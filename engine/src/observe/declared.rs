//! Every metric that is counted, declared once: field, labels, name, unit and help.

use std::sync::Arc;

use super::family::{Counters, Description, Family, Gauges, Histograms, Kind, Unit};
use super::label::{LabelSet, Names};
use super::labels::{
    Action, AuthenticationFailure, ConnectResult, Direction, DnsTransport, GuardReason,
    HandshakeResult, Leg, Limit, ListenerIndex, LookupResult, MintResult, Phase, ReloadResult,
    Resumed, Reused, StatusClass, TransactionKind, TunnelKind,
};
use super::reading::Sheet;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// Bounds of whole transactions.
const REQUEST_BOUNDS: &[u64] = &[
    250 * MICROSECOND,
    500 * MICROSECOND,
    MILLISECOND,
    2_500 * MICROSECOND,
    5 * MILLISECOND,
    10 * MILLISECOND,
    25 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    250 * MILLISECOND,
    500 * MILLISECOND,
    SECOND,
    2_500 * MILLISECOND,
    5 * SECOND,
    10 * SECOND,
    60 * SECOND,
    600 * SECOND,
];

/// Bounds of what the rules take.
const DECISION_BOUNDS: &[u64] = &[
    500,
    MICROSECOND,
    2_500,
    5 * MICROSECOND,
    10 * MICROSECOND,
    25 * MICROSECOND,
    100 * MICROSECOND,
    MILLISECOND,
    10 * MILLISECOND,
];

/// Bounds of what a shard does without a pause.
const TURN_BOUNDS: &[u64] = &[
    100 * MICROSECOND,
    500 * MICROSECOND,
    MILLISECOND,
    2 * MILLISECOND,
    5 * MILLISECOND,
    10 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    SECOND,
];

/// What a family is of.
macro_rules! kind {
    (Counters) => {
        Kind::Counter
    };
    (Gauges) => {
        Kind::Gauge
    };
    (Histograms $bounds:expr) => {
        Kind::Histogram($bounds)
    };
}

/// Whether the numbers of shards are told apart.
macro_rules! is_per_shard {
    (summed) => {
        false
    };
    (apart) => {
        true
    };
}

/// A sheet and what is said of its metrics.
macro_rules! sheet {
    ($(#[$doc:meta])* $sheet:ident {$(
        $field:ident: $family:ident<$labels:ty> $name:literal $unit:ident
            $spread:ident $($bounds:ident)?, $help:literal;
    )*}) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $sheet {$(
            #[doc = $help]
            pub(crate) $field: $family<$labels>,
        )*}

        impl $sheet {
            /// A sheet on which nothing was counted.
            pub(crate) fn new(names: &Names) -> Self {
                let mut descriptions = Self::DESCRIPTIONS.iter();
                Self {$(
                    $field: $family::new(names, descriptions.next().unwrap_or(&Self::NOTHING)),
                )*}
            }

            const NOTHING: Description = Description {
                name: "",
                help: "",
                unit: Unit::None,
                kind: Kind::Gauge,
                labels: &[],
                is_per_shard: false,
            };

            const DESCRIPTIONS: &'static [Description] = &[$(Description {
                name: $name,
                help: $help,
                unit: Unit::$unit,
                kind: kind!($family $($bounds)?),
                labels: <$labels as LabelSet>::NAMES,
                is_per_shard: is_per_shard!($spread),
            },)*];
        }

        impl Sheet for $sheet {
            fn descriptions() -> &'static [Description] {
                Self::DESCRIPTIONS
            }

            fn families(&self) -> Vec<&dyn Family> {
                vec![$(&self.$field,)*]
            }
        }
    };
}

sheet! {
    /// What one shard counts.
    ShardMetrics {
        requests: Counters<(ListenerIndex, Phase, Action, StatusClass)> "requests" None summed,
            "Transactions that have ended, as many as lines of the log with the event transaction";
        request_duration: Histograms<(TransactionKind,)> "request_duration" Seconds summed REQUEST_BOUNDS,
            "Time from the head of a request to the end of its transaction";
        decision_duration: Histograms<()> "decision_duration" Seconds summed DECISION_BOUNDS,
            "Time that the rules took for a transaction, all phases together";
        connections: Counters<(ListenerIndex,)> "connections" None summed,
            "Connections of clients that were accepted, refused ones among them";
        connections_open: Gauges<()> "connections_open" None summed,
            "Connections of clients that are open";
        tunnels: Counters<(TunnelKind,)> "tunnels" None summed,
            "Tunnels that were opened";
        tunnels_open: Gauges<()> "tunnels_open" None summed,
            "Tunnels that are open";
        transferred: Counters<(Leg, Direction)> "transferred" Bytes summed,
            "Bytes on connections, those of TLS and of heads among them";
        dns_lookups: Counters<(LookupResult,)> "dns_lookups" None summed,
            "Names that were looked up";
        dns_queries: Counters<(DnsTransport,)> "dns_queries" None summed,
            "Queries sent to DNS servers";
        dns_timeouts: Counters<()> "dns_query_timeouts" None summed,
            "Queries that no DNS server answered in time";
        dns_cache_entries: Gauges<()> "dns_cache_entries" None summed,
            "Names in the caches of shards";
        guard_denials: Counters<(GuardReason,)> "guard_denials" None summed,
            "Destinations that the guard refused, by what is special about their address";
        tls_handshakes: Counters<(Leg, HandshakeResult, Resumed)> "tls_handshakes" None summed,
            "TLS handshakes that have ended";
        mints: Counters<(MintResult,)> "certificates" None summed,
            "Certificates that were shown to clients of intercepted tunnels, minted for them or from the cache";
        certificates_refused: Counters<()> "certificates_refused" None summed,
            "Handshakes in which a client refused the certificate that it was shown";
        upstream_connects: Counters<(ConnectResult,)> "upstream_connects" None summed,
            "Attempts to connect to origins, all addresses of one together";
        upstream_requests: Counters<(Reused,)> "upstream_requests" None summed,
            "Transactions that had a connection to an origin, by whether it had served before";
        upstream_idle: Gauges<()> "upstream_connections_idle" None summed,
            "Connections to origins that wait for the next request";
        limits_hit: Counters<(Limit,)> "limits_hit" None summed,
            "Refusals because of a limit";
        authentication_failures: Counters<(AuthenticationFailure,)> "authentication_failures" None summed,
            "Requests whose client could not be authenticated";
        log_dropped: Counters<()> "log_lines_dropped" None summed,
            "Lines of the access log that found no room and are lost";
        busy: Counters<()> "shard_cpu" Seconds apart,
            "CPU time of the thread of a shard: its rate is how busy the shard is";
        tick_delay: Histograms<()> "shard_tick_delay" Seconds summed TURN_BOUNDS,
            "How much later than due the clock of a shard ticked, ten times a second: turns that are long, or a machine that is busy";
        turn_longest: Gauges<()> "shard_tick_delay_max" Seconds apart,
            "The longest such delay since the start";
        adopting: Histograms<()> "shard_adopt_duration" Seconds summed TURN_BOUNDS,
            "Time that a shard took to take up new configuration or rules";
    }
}

sheet! {
    /// What the control thread counts.
    ProcessMetrics {
        reloads: Counters<(ReloadResult,)> "reloads" None summed,
            "New configuration or rules that were asked for or found";
        bundle_loaded: Gauges<()> "bundle_loaded_timestamp" Seconds summed,
            "When the rules in force were loaded, since 1970";
        bundle_rules: Gauges<()> "bundle_rules" None summed,
            "Rules of the bundle in force";
        log_lines: Counters<()> "log_lines" None summed,
            "Lines of the access log that its sink took";
        log_bytes: Counters<()> "log_written" Bytes summed,
            "Bytes of the access log that its sink took";
        log_errors: Counters<()> "log_errors" None summed,
            "Failed writes, rotations and reopenings of the access log";
        log_lost: Counters<()> "log_lines_lost" None summed,
            "Lines of the access log that can never be delivered";
        draining: Gauges<()> "draining" None summed,
            "1 while the process is on its way out";
    }
}

impl ShardMetrics {
    /// The sheets of so many shards.
    pub(crate) fn of_shards(shards: usize, names: &Names) -> Vec<Arc<Self>> {
        (0..shards).map(|_| Arc::new(Self::new(names))).collect()
    }
}

/// What can be told by labels alone.
pub(crate) const BUILD: Description = info("build", "What runs", &["version"]);
/// The same of the kernel interface.
pub(crate) const IO_DRIVER: Description = info(
    "io_driver",
    "How this process does input and output",
    &["driver"],
);
/// The same of what is in force.
pub(crate) const BUNDLE: Description = info(
    "bundle",
    "The rules and the configuration in force",
    &["bundle", "config"],
);

const fn info(
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
) -> Description {
    Description {
        name,
        help,
        unit: Unit::None,
        kind: Kind::Info,
        labels,
        is_per_shard: false,
    }
}

/// All metrics, in the order in which they are told.
#[cfg(test)]
pub(super) fn descriptions() -> impl Iterator<Item = &'static Description> {
    let infos = [&BUILD, &IO_DRIVER, &BUNDLE].into_iter();
    let of_process = ProcessMetrics::descriptions().iter();
    infos.chain(of_process).chain(ShardMetrics::descriptions())
}
