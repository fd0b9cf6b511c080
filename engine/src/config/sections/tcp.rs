//! How the kernel notices that a peer has vanished: `[tcp]`.

use std::time::Duration;

use crate::config::checked::Tcp;
use crate::config::raw::Section;
use crate::limits as bounds;
use crate::limits::{DURATION_MAX, DURATION_MIN};

/// Keepalive and the time for acknowledgments.
pub(in crate::config) fn tcp(section: Section<'_>) -> Tcp {
    // The kernel counts seconds.
    let seconds = Duration::from_secs(1)..=bounds::TCP_KEEPALIVE_MAX;
    let duration = |name, default| {
        let placed = section.duration(name, default, seconds.clone());
        Duration::from_secs(placed.value.as_secs())
    };
    let tcp = Tcp {
        keepalive_idle: duration("keepalive_idle", bounds::TCP_KEEPALIVE_IDLE_DEFAULT),
        keepalive_interval: duration("keepalive_interval", bounds::TCP_KEEPALIVE_INTERVAL_DEFAULT),
        keepalive_probes: {
            let probes = section.count(
                "keepalive_probes",
                bounds::TCP_KEEPALIVE_PROBES_DEFAULT,
                1..=bounds::TCP_KEEPALIVE_PROBES_MAX,
            );
            u32::try_from(probes.value).unwrap_or(u32::MAX)
        },
        user_timeout: user_timeout(&section),
    };
    section.finish();
    tcp
}

fn user_timeout(section: &Section<'_>) -> Option<Duration> {
    if section.is_text("user_timeout", "off") || !section.is_present("user_timeout") {
        return None;
    }
    let placed = section.duration("user_timeout", DURATION_MAX, DURATION_MIN..=DURATION_MAX);
    Some(placed.value)
}
