//! What HTTP/2 connections are allowed, as both legs need it.

use std::time::Duration;

use sallyport_wire::http1::HeadLimits;
use sallyport_wire::http2::{ConnectionSettings, Role, TargetForm};

use super::held::Windows;
use crate::config::checked::{Config, InterimLimits};
use crate::limits::{HTTP2_OUTPUT_BYTES, HTTP2_WINDOW_BYTES_MAX};

/// When it is asked, and how long an answer may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pings {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

/// The configuration as one connection uses it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Streams that a client may have open at once.
    pub(crate) client_streams: u32,
    /// Streams on one connection to an origin.
    pub(crate) upstream_streams: usize,
    /// Content of one stream that may be on its way to us.
    pub(crate) stream_window_bytes: u32,
    /// The same for all streams of a client together.
    pub(crate) connection_window_bytes: u32,
    /// What heads are held to; all fields of one are counted as RFC 9113 section 6.5.2 does.
    pub(crate) head: HeadLimits,
    pub(crate) control_frames_per_second: u32,
    pub(crate) resets_per_second: u32,
    pub(crate) pings: Pings,
    /// Interim responses of one exchange.
    pub(crate) interim: InterimLimits,
    /// Longest time for one write.
    pub(crate) write_timeout: Duration,
    pub(crate) linger: Duration,
    /// How long a client's connection may be without a stream.
    pub(crate) keep_alive: Duration,
}

impl Settings {
    /// The window of a connection to an origin. A slow reader holds its own stream only: the windows of
    /// all of them fit into it.
    pub(crate) fn upstream_window_bytes(&self) -> u32 {
        let streams = u32::try_from(self.upstream_streams).unwrap_or(u32::MAX);
        let all = self.stream_window_bytes.saturating_mul(streams);
        all.min(HTTP2_WINDOW_BYTES_MAX)
    }

    /// The windows of a connection on which we are that side.
    pub(super) fn windows(&self, role: Role) -> Windows {
        let bytes = |window| usize::try_from(window).unwrap_or(usize::MAX);
        Windows {
            stream: bytes(self.stream_window_bytes),
            connection: bytes(self.connection_window(role)),
        }
    }

    fn connection_window(&self, role: Role) -> u32 {
        match role {
            Role::Server => self.connection_window_bytes,
            Role::Client => self.upstream_window_bytes(),
        }
    }

    /// The same as the codec takes them.
    pub(super) fn of_codec(&self, role: Role, form: TargetForm) -> ConnectionSettings {
        let upstream_streams = u32::try_from(self.upstream_streams).unwrap_or(u32::MAX);
        ConnectionSettings {
            streams_max: match role {
                Role::Server => self.client_streams,
                Role::Client => upstream_streams,
            },
            stream_window_bytes: self.stream_window_bytes,
            connection_window_bytes: self.connection_window(role),
            head: self.head,
            control_frames_per_second: self.control_frames_per_second,
            resets_per_second: self.resets_per_second,
            output_bytes_max: HTTP2_OUTPUT_BYTES,
            form,
        }
    }

    pub(crate) fn of(config: &Config) -> Self {
        let http2 = &config.http2;
        Self {
            client_streams: http2.client_streams,
            upstream_streams: http2.upstream_streams,
            stream_window_bytes: http2.stream_window_bytes,
            connection_window_bytes: http2.connection_window_bytes,
            head: HeadLimits {
                head_bytes_max: config.limits.head_bytes,
                headers_max: config.limits.headers,
                uri_bytes_max: config.limits.uri_bytes,
            },
            control_frames_per_second: http2.control_frames_per_second,
            resets_per_second: http2.resets_per_second,
            interim: config.limits.interim,
            pings: Pings {
                interval: http2.ping_interval,
                timeout: http2.ping_timeout,
            },
            write_timeout: config.timeouts.body_idle,
            linger: config.timeouts.linger,
            keep_alive: config.timeouts.keep_alive,
        }
    }
}
