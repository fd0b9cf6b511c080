//! `[guard]` and `[hosts]`: what destinations are, whatever the rules say.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use sallyport_ruleset::normalize::normalize_domain;
use toml::de::DeValue;

use crate::config::checked::{Guard, Ports, PrivateNetworks};
use crate::config::raw::{Entry, Report, Section};
use crate::config::values::{self, Wrong};
use crate::limits::{
    GUARD_ENTRIES_MAX, GUARD_HTTP_PORTS_DEFAULT, GUARD_PORTS_DEFAULT, HOST_ADDRESSES_MAX, HOSTS_MAX,
};

/// The destination guard.
pub(in crate::config) fn guard(section: Section<'_>) -> Guard {
    let guard = Guard {
        allow: networks(&section, "allow"),
        deny: networks(&section, "deny"),
        private: section.choice(
            "private",
            PrivateNetworks::Deny,
            &[
                ("deny", PrivateNetworks::Deny),
                ("allow", PrivateNetworks::Allow),
            ],
        ),
        ports: ports(&section, "ports", GUARD_PORTS_DEFAULT),
        http_ports: ports(&section, "http_ports", GUARD_HTTP_PORTS_DEFAULT),
    };
    section.finish();
    guard
}

pub(super) fn networks(section: &Section<'_>, name: &'static str) -> Vec<IpNet> {
    let networks = section.list(name, 0..=GUARD_ENTRIES_MAX, "networks", |value| {
        values::network(values::text(value, "a network")?)
    });
    networks
        .unwrap_or_default()
        .into_iter()
        .map(|network| network.value)
        .collect()
}

fn ports(section: &Section<'_>, name: &'static str, default: &[RangeInclusive<u16>]) -> Ports {
    if section.is_text(name, "any") {
        return Ports::Any;
    }
    let counts = 1..=GUARD_ENTRIES_MAX;
    let listed = section.list(name, counts, "ports, or \"any\"", some_ports);
    Ports::Only(match listed {
        Some(listed) => listed.into_iter().map(|ports| ports.value).collect(),
        None => default.to_vec(),
    })
}

/// A port, or a range of them.
fn some_ports(value: &DeValue<'_>) -> Result<RangeInclusive<u16>, Wrong> {
    let Some(text) = value.as_str() else {
        return port(value).map(|port| port..=port);
    };
    let expected = "a port, or a range such as \"8000-8999\"";
    let bounds = text.split_once('-').and_then(|(low, high)| {
        let (low, high): (u16, u16) = (low.parse().ok()?, high.parse().ok()?);
        (0 < low && low <= high).then_some(low..=high)
    });
    bounds.ok_or_else(|| Wrong::value(value, expected))
}

pub(super) fn port(value: &DeValue<'_>) -> Result<u16, Wrong> {
    let expected = "a port from 1 to 65535";
    let port = u16::try_from(values::integer(value, expected)?).unwrap_or(0);
    if port == 0 {
        Err(Wrong::value(value, expected))
    } else {
        Ok(port)
    }
}

/// Names with fixed addresses.
pub(in crate::config) fn hosts(
    root: &Section<'_>,
    report: &Report<'_>,
) -> BTreeMap<String, Vec<IpAddr>> {
    let entries = root.entries("hosts");
    let mut hosts = BTreeMap::new();
    if entries.len() > HOSTS_MAX {
        let found = format!("{} names", entries.len());
        root.wrong(
            "hosts",
            None,
            &Wrong {
                found,
                expected: format!("at most {HOSTS_MAX}"),
            },
        );
        return hosts;
    }
    let mut scratch = String::new();
    for entry in &entries {
        let addresses = addresses(entry, report);
        match normalize_domain(entry.name, &mut scratch) {
            Err(error) => {
                let expected = format!("a domain name ({error})");
                let wrong = Wrong::text(entry.name, expected);
                report.wrong(&entry.key, Some(entry.name_span.clone()), &wrong);
            }
            Ok(name) => {
                if hosts.insert(name.to_owned(), addresses).is_some() {
                    let wrong = Wrong::text(
                        entry.name,
                        "a name that is not another spelling of one above",
                    );
                    report.wrong(&entry.key, Some(entry.name_span.clone()), &wrong);
                }
            }
        }
    }
    hosts
}

fn addresses(entry: &Entry<'_>, report: &Report<'_>) -> Vec<IpAddr> {
    let expected = format!("a list of 1 to {HOST_ADDRESSES_MAX} addresses");
    let value = entry.value.get_ref();
    let list = value
        .as_array()
        .filter(|list| (1..=HOST_ADDRESSES_MAX).contains(&list.len()));
    let Some(list) = list else {
        report.wrong(
            &entry.key,
            Some(entry.value.span()),
            &Wrong::value(value, expected),
        );
        return Vec::new();
    };
    let mut addresses = Vec::new();
    for item in list.iter() {
        match values::text(item.get_ref(), "an address").and_then(values::address) {
            Ok(address) => addresses.push(address),
            Err(wrong) => report.wrong(&entry.key, Some(item.span()), &wrong),
        }
    }
    addresses
}
