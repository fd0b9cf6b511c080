//! `[log]`.

use std::path::Path;
use std::time::Duration;

use crate::config::checked::{AccessSink, Log, LogConnections, LogFormat, LogLevel, OnOverflow};
use crate::config::raw::{Placed, Section};
use crate::config::values::{self, Wrong, show_size};
use crate::limits::{
    DURATION_MAX, DURATION_MIN, LOG_BUFFER_BYTES_DEFAULT, LOG_BUFFER_BYTES_MAX,
    LOG_BUFFER_BYTES_MIN, LOG_FLUSH_INTERVAL_DEFAULT, LOG_FLUSH_INTERVAL_MAX, LOG_PROGRESS_DEFAULT,
    LOG_PROGRESS_MIN, LOG_ROTATE_BYTES_MIN, LOG_ROTATE_KEEP_DEFAULT, LOG_ROTATE_KEEP_MAX,
};

/// The access log, and the process's own messages.
pub(in crate::config) fn log(section: Section<'_>, base_dir: &Path) -> Log {
    let log = Log {
        access: access(&section, base_dir),
        query: section.flag("query", false).value,
        on_overflow: section.choice(
            "on_overflow",
            OnOverflow::Stall,
            &[("stall", OnOverflow::Stall), ("drop", OnOverflow::Drop)],
        ),
        buffer_bytes: section
            .size(
                "buffer_bytes",
                LOG_BUFFER_BYTES_DEFAULT,
                LOG_BUFFER_BYTES_MIN..=LOG_BUFFER_BYTES_MAX,
            )
            .value,
        flush_interval: section
            .duration(
                "flush_interval",
                LOG_FLUSH_INTERVAL_DEFAULT,
                DURATION_MIN..=LOG_FLUSH_INTERVAL_MAX,
            )
            .value,
        progress: progress(&section),
        connections: section.choice(
            "connections",
            LogConnections::Failed,
            &[
                ("off", LogConnections::Off),
                ("failed", LogConnections::Failed),
                ("all", LogConnections::All),
            ],
        ),
        level: section.choice(
            "level",
            LogLevel::Info,
            &[
                ("error", LogLevel::Error),
                ("warn", LogLevel::Warn),
                ("info", LogLevel::Info),
                ("debug", LogLevel::Debug),
                ("trace", LogLevel::Trace),
            ],
        ),
        format: section.choice(
            "format",
            LogFormat::Text,
            &[("text", LogFormat::Text), ("json", LogFormat::Json)],
        ),
    };
    section.finish();
    log
}

fn progress(section: &Section<'_>) -> Option<Duration> {
    if section.is_text("progress", "off") {
        return None;
    }
    let interval = section.duration(
        "progress",
        LOG_PROGRESS_DEFAULT,
        LOG_PROGRESS_MIN..=DURATION_MAX,
    );
    Some(interval.value)
}

/// The sink; rotation is a matter of files alone.
fn access(section: &Section<'_>, base_dir: &Path) -> AccessSink {
    let access = section.read("access", |value| {
        values::access_sink(values::text(value, "a path or \"stdout\"")?, base_dir)
    });
    let is_wrong = access.is_none() && section.is_present("access");
    let mut access = access.map_or(AccessSink::Stdout, |placed| placed.value);
    let bytes = rotate_bytes(section);
    let keep = section.count(
        "rotate_keep",
        LOG_ROTATE_KEEP_DEFAULT,
        1..=LOG_ROTATE_KEEP_MAX,
    );
    if let AccessSink::File(file) = &mut access {
        file.rotate_bytes = bytes.value;
        file.rotate_keep = keep.value;
    } else if !is_wrong {
        let found = "a log that is no file".to_owned();
        let wrong = Wrong {
            found,
            expected: "log.access to be a path".to_owned(),
        };
        if bytes.value.is_some() {
            section.wrong("rotate_bytes", bytes.span, &wrong);
        }
        if keep.span.is_some() {
            section.wrong("rotate_keep", keep.span, &wrong);
        }
    }
    access
}

fn rotate_bytes(section: &Section<'_>) -> Placed<Option<u64>> {
    let off = Placed {
        value: None,
        span: None,
    };
    if section.is_text("rotate_bytes", "off") {
        return off;
    }
    let bytes = section.read("rotate_bytes", |value| {
        let bytes = values::size(value)?;
        if bytes >= LOG_ROTATE_BYTES_MIN {
            return Ok(Some(bytes));
        }
        let expected = format!("\"off\", or {} or more", show_size(LOG_ROTATE_BYTES_MIN));
        Err(Wrong::value(value, expected))
    });
    bytes.unwrap_or(off)
}
