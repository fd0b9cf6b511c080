//! `[log]`, checked.

use std::path::PathBuf;
use std::time::Duration;

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Where access records go.
    pub access: AccessSink,
    /// Whether `uri` includes the query.
    pub query: bool,
    /// What happens when the buffer of a shard is full.
    pub on_overflow: OnOverflow,
    /// Bytes of buffered lines of one shard.
    pub buffer_bytes: usize,
    /// How often a shard hands over what it has.
    pub flush_interval: Duration,
    /// How often a transaction that goes on has a line, or never.
    pub progress: Option<Duration>,
    /// Which client connections have a line that ended before a request.
    pub connections: LogConnections,
    /// The least severe of the process's own messages that is printed.
    pub level: LogLevel,
    /// How they are printed, on standard error.
    pub format: LogFormat,
}

/// `log.connections`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogConnections {
    /// None.
    Off,
    /// Those that were refused or whose TLS handshake failed.
    Failed,
    /// And those on which nothing was asked.
    All,
}

/// `log.access`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessSink {
    /// No record is written.
    Off,
    /// Standard output.
    Stdout,
    /// A file, appended to, reopened on SIGUSR1.
    File(FileSink),
    /// A Unix stream socket (`unix:/path`): lines, as in a file.
    UnixStream(PathBuf),
    /// A Unix datagram socket (`unix-datagram:/path`): a line each, without its newline.
    UnixDatagram(PathBuf),
    /// RFC 5424 in UDP datagrams (RFC 5426).
    SyslogUdp(HostPort),
    /// RFC 5424 over TCP with octet counting (RFC 6587 section 3.4.1).
    SyslogTcp(HostPort),
}

/// The file of `log.access`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSink {
    /// The file; its folder must exist.
    pub path: PathBuf,
    /// Size after which the file is renamed and a new one begun, or never.
    pub rotate_bytes: Option<u64>,
    /// Renamed files that are kept: `path.1` is the newest.
    pub rotate_keep: usize,
}

/// A host, by name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// A name or an address without brackets.
    pub host: String,
    /// Not 0.
    pub port: u16,
}

/// `log.on_overflow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnOverflow {
    /// The shard reads no new request until there is room: nothing is lost.
    Stall,
    /// The record is dropped and counted, and a line says how many were.
    Drop,
}

/// `log.level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what failed.
    Error,
    /// And what is suspicious.
    Warn,
    /// And what happened.
    Info,
    /// And how.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level as `tracing` knows it.
    #[must_use]
    pub fn as_tracing(self) -> tracing::Level {
        match self {
            Self::Error => tracing::Level::ERROR,
            Self::Warn => tracing::Level::WARN,
            Self::Info => tracing::Level::INFO,
            Self::Debug => tracing::Level::DEBUG,
            Self::Trace => tracing::Level::TRACE,
        }
    }
}

/// `log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line a message.
    Text,
    /// One JSON object a line.
    Json,
}
