//! `[dns]`.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::config::checked::Dns;
use crate::config::environment::Environment;
use crate::config::raw::Section;
use crate::config::values::{self, Wrong, show_duration};
use crate::limits::{
    DNS_ATTEMPT_TIMEOUT_DEFAULT, DNS_ATTEMPTS_DEFAULT, DNS_ATTEMPTS_MAX, DNS_CACHE_ENTRIES_DEFAULT,
    DNS_CACHE_ENTRIES_MAX, DNS_LOOKUP_TIMEOUT_DEFAULT, DNS_LOOKUPS_IN_FLIGHT_DEFAULT,
    DNS_LOOKUPS_IN_FLIGHT_MAX, DNS_NEGATIVE_TTL_MAX_DEFAULT, DNS_RESOLUTION_DELAY_DEFAULT,
    DNS_SERVERS_MAX, DNS_TTL_MAX_DEFAULT, DNS_TTL_MIN_DEFAULT, DURATION_MAX, DURATION_MIN,
    RESOLV_CONF,
};

/// The resolver's settings.
pub(in crate::config) fn dns(section: Section<'_>, environment: &Environment<'_>) -> Dns {
    let (any, or_zero) = (DURATION_MIN..=DURATION_MAX, Duration::ZERO..=DURATION_MAX);
    let lookup_timeout = section
        .duration("lookup_timeout", DNS_LOOKUP_TIMEOUT_DEFAULT, any.clone())
        .value;
    let ttl_max = section
        .duration("ttl_max", DNS_TTL_MAX_DEFAULT, or_zero.clone())
        .value;
    // A default gives way to what the file says of its partner.
    let attempt_timeout = section.duration(
        "attempt_timeout",
        DNS_ATTEMPT_TIMEOUT_DEFAULT.min(lookup_timeout),
        any,
    );
    let ttl_min = section.duration("ttl_min", DNS_TTL_MIN_DEFAULT.min(ttl_max), or_zero.clone());
    let (ipv4, ipv6) = (section.flag("ipv4", true), section.flag("ipv6", true));
    let count = |name, default, bounds| section.count(name, default, bounds).value;
    let dns = Dns {
        servers: servers(&section, environment),
        attempts: count("attempts", DNS_ATTEMPTS_DEFAULT, 1..=DNS_ATTEMPTS_MAX),
        attempt_timeout: attempt_timeout.value,
        lookup_timeout,
        case_mixing: section.flag("case_mixing", true).value,
        ttl_min: ttl_min.value,
        ttl_max,
        negative_ttl_max: section
            .duration("negative_ttl_max", DNS_NEGATIVE_TTL_MAX_DEFAULT, or_zero)
            .value,
        cache_entries: count(
            "cache_entries",
            DNS_CACHE_ENTRIES_DEFAULT,
            0..=DNS_CACHE_ENTRIES_MAX,
        ),
        lookups_in_flight: count(
            "lookups_in_flight",
            DNS_LOOKUPS_IN_FLIGHT_DEFAULT,
            1..=DNS_LOOKUPS_IN_FLIGHT_MAX,
        ),
        ipv4: ipv4.value,
        ipv6: ipv6.value,
        resolution_delay: section
            .duration(
                "resolution_delay",
                DNS_RESOLUTION_DELAY_DEFAULT,
                Duration::ZERO..=Duration::from_secs(2),
            )
            .value,
    };
    if dns.attempt_timeout > dns.lookup_timeout {
        let found = show_duration(dns.attempt_timeout);
        let expected = format!(
            "at most dns.lookup_timeout, {}",
            show_duration(dns.lookup_timeout)
        );
        section.wrong(
            "attempt_timeout",
            attempt_timeout.span,
            &Wrong { found, expected },
        );
    }
    if dns.ttl_min > dns.ttl_max {
        let found = show_duration(dns.ttl_min);
        let expected = format!("at most dns.ttl_max, {}", show_duration(dns.ttl_max));
        section.wrong("ttl_min", ttl_min.span, &Wrong { found, expected });
    }
    if !dns.ipv4 && !dns.ipv6 {
        let found = "neither dns.ipv4 nor dns.ipv6".to_owned();
        let expected = "at least one address family".to_owned();
        section.wrong("ipv6", ipv6.span.or(ipv4.span), &Wrong { found, expected });
    }
    section.finish();
    dns
}

/// What the file lists, or else the system's servers.
fn servers(section: &Section<'_>, environment: &Environment<'_>) -> Vec<SocketAddr> {
    let listed = section.list("servers", 1..=DNS_SERVERS_MAX, "addresses", |value| {
        values::name_server(values::text(value, "the address of a name server")?)
    });
    if let Some(listed) = listed {
        return listed.into_iter().map(|server| server.value).collect();
    }
    system_servers(section, environment)
}

fn system_servers(section: &Section<'_>, environment: &Environment<'_>) -> Vec<SocketAddr> {
    // A list that is wrong was reported; then the system's servers are of no interest.
    if section.is_present("servers") {
        return Vec::new();
    }
    let expected = "dns.servers, or a usable `nameserver` line there".to_owned();
    let found = match (environment.read)(Path::new(RESOLV_CONF)) {
        Ok(bytes) => {
            let mut servers = values::resolv_conf(&String::from_utf8_lossy(&bytes));
            servers.truncate(DNS_SERVERS_MAX);
            if !servers.is_empty() {
                return servers;
            }
            format!("no name server in {RESOLV_CONF}")
        }
        Err(error) => format!("{RESOLV_CONF} that cannot be read ({error})"),
    };
    section.wrong("servers", None, &Wrong { found, expected });
    Vec::new()
}
